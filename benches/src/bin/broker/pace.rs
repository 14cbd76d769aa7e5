//! Work that falls due at a fixed rate.

use std::{io, os::fd::OwnedFd};

use rustix::{
    io::read,
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};
use tokio::io::{Interest, unix::AsyncFd};

/// A timer of the kernel, since a runtime's own counts in milliseconds.
pub(crate) struct Pace(AsyncFd<OwnedFd>);

impl Pace {
    /// So many a second.
    #[expect(
        deprecated,
        reason = "an owned descriptor stays open, which the new one asks for unsafely"
    )]
    pub(crate) fn of(rate: u32) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        let each = Timespec { tv_sec: 0, tv_nsec: (1_000_000_000 / rate).into() };
        let every = Itimerspec { it_interval: each, it_value: each };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
        Ok(Self(AsyncFd::with_interest(timer, Interest::READABLE)?))
    }

    /// Waits for the next; how many have fallen due since the last time.
    pub(crate) async fn due(&mut self) -> io::Result<u64> {
        let take = |timer: &OwnedFd| {
            let mut count = [0; 8];
            read(timer, &mut count)?;
            Ok(u64::from_ne_bytes(count))
        };
        self.0.async_io(Interest::READABLE, take).await
    }
}

//! What the service manager is told, by the protocol of systemd's `sd_notify`.

use std::{env, time::Duration};

/// Whoever runs the program as a service; nobody, if the environment names none.
#[derive(Debug)]
pub(in crate::cli) struct Manager {
    line: Option<line::Line>,
    watchdog: Option<Duration>,
}

impl Manager {
    pub(in crate::cli) fn of_environment() -> Self {
        let line = line::Line::of_environment();
        let watchdog = watchdog(|name| env::var(name).ok(), std::process::id());
        Self { line, watchdog }
    }

    /// Whether anybody is listening.
    pub(in crate::cli) fn is_there(&self) -> bool {
        self.line.is_some()
    }

    pub(in crate::cli) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The configuration is being read again; [`ready`](Self::ready) ends that.
    pub(in crate::cli) fn reloading(&self) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", line::monotonic()));
    }

    pub(in crate::cli) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=ending, within the deadline of the configuration");
    }

    /// A line for people. It is cut by nobody, so it must not hold what peers say.
    pub(in crate::cli) fn status(&self, text: &str) {
        self.tell(&format!("STATUS={text}"));
    }

    /// The node goes on.
    pub(in crate::cli) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// How often [`alive`](Self::alive) has to be said: twice in the time that is allowed.
    pub(in crate::cli) fn pulse(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.is_there()).map(|allowed| allowed / 2)
    }

    fn tell(&self, text: &str) {
        if let Some(line) = &self.line {
            line.tell(text);
        }
    }
}

/// How long the manager waits for a sign of life, if it means this process.
fn watchdog(variable: impl Fn(&str) -> Option<String>, us: u32) -> Option<Duration> {
    let micros = variable("WATCHDOG_USEC")?.parse().ok().filter(|micros| LEAST <= *micros)?;
    let is_meant = variable("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(us));
    is_meant.then(|| Duration::from_micros(micros))
}

/// Microseconds below which nobody could keep up.
const LEAST: u64 = 1_000;

#[cfg(target_os = "linux")]
mod line {
    use std::{
        env,
        ffi::OsStr,
        os::{
            linux::net::SocketAddrExt,
            unix::{
                ffi::OsStrExt,
                net::{SocketAddr, UnixDatagram},
            },
        },
    };

    use rustix::time::{ClockId, clock_gettime};

    use crate::cli::output;

    /// The manager's socket.
    #[derive(Debug)]
    pub(in crate::cli) struct Line {
        socket: UnixDatagram,
        to: SocketAddr,
    }

    impl Line {
        pub(in crate::cli) fn of_environment() -> Option<Self> {
            let name = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())?;
            let opened = UnixDatagram::unbound().and_then(|socket| {
                socket.set_nonblocking(true)?;
                Ok(Self { socket, to: address(&name)? })
            });
            let failed = |error| output::note(format_args!("NOTIFY_SOCKET is of no use: {error}"));
            opened.map_err(failed).ok()
        }

        /// A manager that does not listen is none; the node goes on without.
        pub(in crate::cli) fn tell(&self, text: &str) {
            self.socket.send_to_addr(text.as_bytes(), &self.to).map(drop).unwrap_or_default();
        }
    }

    fn address(name: &OsStr) -> std::io::Result<SocketAddr> {
        match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(name),
        }
    }

    /// Microseconds on the clock by which the manager tells this reload from the one before.
    pub(in crate::cli) fn monotonic() -> i64 {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000)
    }
}

#[cfg(not(target_os = "linux"))]
mod line {
    /// There is no such manager.
    #[derive(Debug)]
    pub(in crate::cli) enum Line {}

    impl Line {
        pub(in crate::cli) fn of_environment() -> Option<Self> {
            None
        }

        pub(in crate::cli) fn tell(&self, _: &str) {
            match *self {}
        }
    }

    pub(in crate::cli) fn monotonic() -> i64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_for_the_process_that_it_means() {
        let watchdog = |micros: &str, pid: Option<&str>| {
            let variable = |name: &str| match name {
                "WATCHDOG_USEC" => Some(micros.into()),
                _ => pid.map(String::from),
            };
            watchdog(variable, 7)
        };
        assert_eq!(watchdog("2000000", None), Some(Duration::from_secs(2)));
        assert_eq!(watchdog("2000000", Some("7")), Some(Duration::from_secs(2)));
        assert_eq!(watchdog("2000000", Some("8")), None);
        for wrong in ["", "x", "0", "999"] {
            assert_eq!(watchdog(wrong, None), None);
        }
    }
}

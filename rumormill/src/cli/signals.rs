//! Signals that ask the program to end, or to read its configuration again.

#[cfg(unix)]
use tokio::signal::unix::{Signal as Interrupt, Signal as Terminate, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC as Interrupt, CtrlClose as Terminate, ctrl_c, ctrl_close};

use super::{Error, Result};

/// SIGINT and SIGTERM, from the moment at which this is made; what else ends a program still does.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Interrupt,
    terminate: Terminate,
}

impl Signals {
    pub(crate) fn new() -> Result<Self> {
        #[cfg(unix)]
        let (interrupt, terminate) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        #[cfg(windows)]
        let (interrupt, terminate) = (ctrl_c(), ctrl_close());
        let start = |source| Error::Start { source };
        Ok(Self { interrupt: interrupt.map_err(start)?, terminate: terminate.map_err(start)? })
    }

    /// Waits for the next signal. Cancel-safe: one that comes meanwhile is kept.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}

/// SIGHUP, which does not end the program from the moment at which this is made; nothing, where there
/// is no such signal.
#[cfg(feature = "node")]
#[derive(Debug)]
pub(crate) struct Hangups {
    #[cfg(unix)]
    hangup: Interrupt,
}

#[cfg(feature = "node")]
impl Hangups {
    #[cfg(unix)]
    pub(crate) fn new() -> Result<Self> {
        let hangup = signal(SignalKind::hangup()).map_err(|source| Error::Start { source })?;
        Ok(Self { hangup })
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next one. Cancel-safe: one that comes meanwhile is kept.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        if self.hangup.recv().await.is_none() {
            std::future::pending().await
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        std::future::pending().await
    }
}

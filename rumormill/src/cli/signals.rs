//! Signals that ask the program to end.

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

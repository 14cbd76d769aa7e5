//! Reading files that may lie on another machine, which may be gone.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

/// Who reads files, off the threads that others wait for. One thing at a time: a file system that hangs holds
/// one thread, however often somebody asks.
#[derive(Debug)]
pub(super) struct Reading {
    turn: Arc<Semaphore>,
    within: Duration,
}

/// What was to be read did not come, or not in time. It may be read yet, for nobody.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hung {
    pub(super) within: Duration,
}

impl Reading {
    /// Waits so long for what it reads.
    pub(super) fn within(within: Duration) -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), within }
    }

    /// Reads, within the deadline; what is being read comes first. Cancel-safe: nobody gets it then.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Hung> {
        let hung = Hung { within: self.within };
        let read = async {
            let turn = self.turn.clone().acquire_owned().await.ok()?;
            reading(turn, read).await.ok()
        };
        timeout(self.within, read).await.ok().flatten().ok_or(hung)
    }

    /// Begins to read, unless something is being read.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        let turn = self.turn.clone().try_acquire_owned().ok()?;
        Some(reading(turn, read))
    }
}

/// Passes the turn on when it has come to an end, and not when nobody waits for it any more.
fn reading<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    read: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    spawn_blocking(move || {
        let _turn = turn;
        read()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_hangs_is_given_up_and_holds_one_thread() {
        let reading = Reading::within(Duration::from_millis(10));
        let (end, hang) = mpsc::channel::<()>();
        let hung = Err(Hung { within: Duration::from_millis(10) });
        assert_eq!(reading.read(move || hang.recv().is_err()).await.map(drop), hung);
        assert_eq!(reading.read(|| ()).await, hung);
        assert!(reading.begin(|| ()).is_none());
        drop(end);
        let patient = Reading { within: Duration::from_secs(60), ..reading };
        assert_eq!(patient.read(|| 1).await, Ok(1));
        assert_eq!(patient.begin(|| 2).unwrap().await.unwrap(), 2);
    }
}

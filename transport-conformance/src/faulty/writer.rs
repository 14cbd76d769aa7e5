//! The half of a faulty conn that sends.

use std::{fmt, sync::Arc};

use rumormill_transport_api::{Batch, Error, Message, Result, Transport, Writer};
use tokio::select;

use super::{dice::Dice, wire::Wire};

/// The [`Writer`] of [`Faulty`](crate::Faulty).
pub struct FaultyWriter<T: Transport> {
    wire: Arc<Wire<T>>,
    dice: Dice,
    max_message: usize,
    /// What the dice let pass, on its way to the inner writer.
    outgoing: Batch,
    is_closing: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The conn is to be cut behind what is on its way.
    Cutting,
    Finished,
}

impl<T: Transport> FaultyWriter<T> {
    pub(super) fn new(wire: Arc<Wire<T>>, dice: Dice, max_message: usize) -> Self {
        let outgoing = Batch::default();
        Self { wire, dice, max_message, outgoing, is_closing: false, state: State::Open }
    }

    /// Takes the batch into `outgoing`, with faults. Behind a cut everything is lost.
    fn take(&mut self, batch: &mut Batch) -> Result<()> {
        let (len, max) = (batch.largest(), self.max_message);
        if max < len {
            return Err(Error::TooLarge { len, max });
        }
        if self.state == State::Open {
            self.state = throw(&mut self.dice, batch, &mut self.outgoing);
        }
        batch.clear();
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        let mut inner = self.wire.writer.lend()?;
        // Cancel-safe: what `inner` does not take stays in `outgoing`.
        select! {
            biased;
            error = self.wire.until_cut() => return Err(error),
            sent = inner.send(&mut self.outgoing) => sent?,
        }
        match self.state {
            State::Cutting => Err(self.wire.cut()),
            State::Open | State::Finished => Ok(()),
        }
    }

    async fn close_inner(&mut self) -> Result<()> {
        if !self.outgoing.is_empty() || self.state == State::Cutting {
            self.flush().await?;
        }
        let mut inner = self.wire.writer.lend()?;
        select! {
            biased;
            error = self.wire.until_cut() => Err(error),
            closed = inner.close() => closed,
        }
    }

    fn refuse_finished(&self) -> Result<()> {
        match self.state {
            State::Finished => Err(Error::Closed),
            State::Open | State::Cutting => Ok(()),
        }
    }

    fn finish(&mut self) {
        self.state = State::Finished;
        self.outgoing = Batch::default();
    }
}

impl<T: Transport> Writer for FaultyWriter<T> {
    async fn send(&mut self, batch: &mut Batch) -> Result<()> {
        self.refuse_finished()?;
        if self.is_closing {
            return Err(Error::Closed);
        }
        self.take(batch)?;
        let result = self.flush().await;
        if result.is_err() {
            self.finish();
        }
        result
    }

    async fn close(&mut self) -> Result<()> {
        self.refuse_finished()?;
        self.is_closing = true;
        let result = self.close_inner().await;
        self.finish();
        result
    }
}

impl<T: Transport> Drop for FaultyWriter<T> {
    fn drop(&mut self) {
        self.wire.writer.clear();
    }
}

impl<T: Transport> fmt::Debug for FaultyWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyWriter").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Appends what is left of `batch` to `outgoing`. The last message has nothing to be overtaken by.
fn throw(dice: &mut Dice, batch: &Batch, outgoing: &mut Batch) -> State {
    let mut held = None;
    let cut = batch.iter().any(|message| {
        dice.throw(message, &mut held, |message| push(outgoing, message)).is_break()
    });
    if let Some(message) = held {
        push(outgoing, message);
    }
    if cut { State::Cutting } else { State::Open }
}

fn push(outgoing: &mut Batch, message: Message<'_>) {
    outgoing.push_parts(message.parts().iter().cloned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faulty::{Faults, Half, Shared};

    fn thrown(faults: Faults, batch: &Batch) -> (State, Vec<Vec<&'static str>>) {
        let shared = Arc::new(Shared { faults, ..Shared::default() });
        let mut outgoing = Batch::default();
        let state = throw(&mut Dice::new(shared, 0, Half::Writer), batch, &mut outgoing);
        (state, outgoing.iter().map(names).collect())
    }

    fn names(message: Message<'_>) -> Vec<&'static str> {
        let name = |part| ["a", "b", "bb", "c"].into_iter().find(|name| *name == part).unwrap();
        message.parts().iter().map(name).collect()
    }

    fn three() -> Batch {
        let mut batch = Batch::default();
        batch.push("a");
        batch.push_parts(["b".into(), "bb".into()]);
        batch.push("c");
        batch
    }

    #[test]
    fn parts_stay_parts() {
        let faults = Faults { duplicate: 1.0, ..Faults::default() };
        let (state, outgoing) = thrown(faults, &three());
        assert_eq!(state, State::Open);
        let (a, b, c) = (vec!["a"], vec!["b", "bb"], vec!["c"]);
        assert_eq!(outgoing, [a.clone(), a, b.clone(), b, c.clone(), c]);
    }

    #[test]
    fn pairs_change_places_and_the_last_of_an_odd_number_stays() {
        let faults = Faults { reorder: 1.0, ..Faults::default() };
        assert_eq!(thrown(faults, &three()).1, [vec!["b", "bb"], vec!["a"], vec!["c"]]);
    }

    #[test]
    fn what_stands_before_a_cut_goes_out() {
        let faults = Faults { reorder: 1.0, cut_after: Some(1), ..Faults::default() };
        assert_eq!(thrown(faults, &three()), (State::Cutting, vec![vec!["a"]]));
    }
}

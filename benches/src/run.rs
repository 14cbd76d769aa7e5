//! One run of a case, and the figures of many.

use std::{path::Path, time::Duration};

use tokio::task::spawn_blocking;

use crate::{
    Outcome,
    case::{Carrier, Case, Rival, Work},
    meter::Tally,
    peer::Peer,
    rivals,
};

/// What one run brought.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// Messages, or round trips, in a second.
    pub(crate) rate: f64,
    /// Nanoseconds of processor that each of them took, in both processes.
    pub(crate) cpu: f64,
    /// Of what was sent, the part that did not arrive.
    pub(crate) lost: f64,
}

/// Runs `case` once, and checks that it did what it claims.
pub(crate) async fn once(case: Case, rival: Rival, dir: &Path, span: Duration) -> Outcome<Sample> {
    let dir = dir.to_str().ok_or("the directory for temporary files has a strange name")?;
    let mut peer = Peer::start(&["peer", &case.to_string(), rival.name(), dir])?;
    let addr = peer.line()?;
    let sent = rivals::drive(case, rival, &addr, span).await?;
    // In a thread of its own: what this side still has to say, it says meanwhile.
    let arrived = spawn_blocking(move || peer.line()).await??.parse::<Tally>()?;
    check(case, sent, arrived).map_err(|problem| format!("{case} {}: {problem}", rival.name()))?;
    Ok(Sample::of(case, sent, arrived))
}

impl Sample {
    fn of(case: Case, sent: Tally, arrived: Tally) -> Self {
        // A receiver of datagrams cannot tell when the last one that counts was sent.
        let timed = match (case.carrier, case.work) {
            (Carrier::Udp, _) => sent.elapsed,
            (_, Work::Stream(_)) => arrived.elapsed,
            _ => sent.elapsed,
        };
        let count = arrived.count as f64;
        Self {
            rate: count / timed.as_secs_f64(),
            cpu: (sent.cpu + arrived.cpu).as_nanos() as f64 / count,
            lost: 1.0 - count / sent.count as f64,
        }
    }
}

fn check(case: Case, sent: Tally, arrived: Tally) -> Result<(), String> {
    let may_lose = case.carrier == Carrier::Udp;
    if sent.count != arrived.count && !(may_lose && arrived.count < sent.count) {
        return Err(format!("{} were sent, {} arrived", sent.count, arrived.count));
    }
    let least = match case.work {
        Work::Stream(_) => 1000.0,
        _ => 50.0,
    };
    let rate = arrived.count as f64 / sent.elapsed.as_secs_f64();
    match rate < least || arrived.cpu.is_zero() {
        true => Err(format!("{rate:.0} in a second are too few to be true")),
        false => Ok(()),
    }
}

/// The middle one of `values`, which are not empty.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

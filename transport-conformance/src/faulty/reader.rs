//! The half of a faulty conn that receives.

use std::{fmt, future::pending, sync::Arc};

use bytes::Bytes;
use rumormill_transport_api::{Delivery, Error, Reader, Result, Transport};
use tokio::{
    select,
    time::{Instant, sleep_until},
};

use super::{
    arrivals::{Arrivals, Step},
    dice::Dice,
    wire::Wire,
};

/// The [`Reader`] of [`Faulty`](crate::Faulty).
pub struct FaultyReader<T: Transport> {
    wire: Arc<Wire<T>>,
    /// None once finished.
    arrivals: Option<Arrivals>,
    delivery: Delivery,
}

impl<T: Transport> FaultyReader<T> {
    pub(super) fn new(wire: Arc<Wire<T>>, dice: Dice, delivery: Delivery) -> Self {
        Self { wire, arrivals: Some(Arrivals::new(dice, delivery)), delivery }
    }
}

impl<T: Transport> Reader for FaultyReader<T> {
    async fn recv(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        let arrivals = self.arrivals.as_mut().ok_or(Error::Closed)?;
        let result = recv_or_end(&self.wire, self.delivery, arrivals, into).await;
        if result.is_err() {
            self.arrivals = None;
        }
        result
    }
}

impl<T: Transport> Drop for FaultyReader<T> {
    fn drop(&mut self) {
        self.wire.reader.clear();
    }
}

impl<T: Transport> fmt::Debug for FaultyReader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyReader").field("arrivals", &self.arrivals).finish_non_exhaustive()
    }
}

async fn recv_or_end<T: Transport>(
    wire: &Wire<T>,
    delivery: Delivery,
    arrivals: &mut Arrivals,
    into: &mut Vec<Bytes>,
) -> Result<()> {
    let mut inner = wire.reader.lend()?;
    loop {
        match delivery {
            Delivery::Datagram if wire.is_blackholed() => arrivals.fresh.clear(),
            Delivery::Datagram => (),
            // Cancel-safe: what has arrived stays in `arrivals`.
            Delivery::Stream => select! {
                biased;
                error = wire.until_cut() => return Err(error),
                () = wire.until_told() => (),
            },
        }
        let (until, read) = match arrivals.advance(Instant::now(), into) {
            Step::Deliver => return Ok(()),
            Step::Fail(error) => return Err(error),
            Step::Cut => return Err(wire.cut()),
            Step::Wait { until, read } => (until, read),
        };
        // Cancel-safe: messages land in `arrivals.fresh` or stay in `inner`; deadlines are absolute.
        select! {
            biased;
            error = wire.until_cut() => return Err(error),
            result = inner.recv(&mut arrivals.fresh), if read => {
                result.unwrap_or_else(|error| arrivals.finish(Instant::now(), error));
            }
            () = reached(until) => (),
        }
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

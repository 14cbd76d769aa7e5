//! What a measurement found, for people and for programs.

use std::time::Duration;

use rumormill::{
    Addr,
    transport::{Delivery, Histogram},
};
use serde_json::{Value, json};

use super::{
    plan::Plan,
    quantity::{grouped, millis},
};

/// What a measurement found.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) addr: Addr,
    pub(crate) plan: Plan,
    /// Of messages one at a time, before the others.
    pub(crate) round_trips: Histogram,
    /// How long messages were sent as fast as they came back.
    pub(crate) elapsed: Duration,
    /// Messages that the carrier took in that time.
    pub(crate) accepted: u64,
    /// Messages that came back in that time.
    pub(crate) echoed: u64,
    /// Messages that never came back, those of the round trips included.
    pub(crate) lost: u64,
}

impl Report {
    pub(crate) fn text(&self) -> String {
        let Plan { size, batch, delivery, .. } = self.plan;
        let head = format!("{}: messages of {size} bytes in batches of {batch}", self.addr);
        let [accepted, echoed] = [self.accepted, self.echoed].map(|count| self.rate_text(count));
        let lost = match delivery {
            Delivery::Datagram => format!("\nlost        {}", grouped(self.lost)),
            Delivery::Stream => String::new(),
        };
        let trips = self.round_trips_text();
        format!("{head}\naccepted    {accepted}\nechoed      {echoed}{lost}\nround trip  {trips}")
    }

    pub(crate) fn value(&self) -> Value {
        let Plan { size, batch, window, delivery } = self.plan;
        json!({
            "addr": self.addr.to_string(),
            "message_bytes": size,
            "batch_messages": batch,
            "window_messages": window * batch as u64,
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "accepted": self.rate_value(self.accepted),
            "echoed": self.rate_value(self.echoed),
            "lost_messages": if delivery == Delivery::Stream { 0 } else { self.lost },
            "round_trip": self.round_trips_value(),
        })
    }

    fn rate(&self, count: u64) -> f64 {
        count as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    fn rate_text(&self, count: u64) -> String {
        let rate = self.rate(count);
        let megabytes = rate * self.plan.size as f64 / 1e6;
        format!("{:>13} messages/s  {megabytes:>9.1} MB/s", grouped(rate.round() as u64))
    }

    fn rate_value(&self, count: u64) -> Value {
        let rate = self.rate(count);
        json!({
            "messages": count,
            "messages_per_second": rate,
            "bytes_per_second": rate * self.plan.size as f64,
        })
    }

    fn round_trips_text(&self) -> String {
        let times = &self.round_trips;
        let count = grouped(times.count());
        let shown = [times.min(), times.quantile(0.5), times.quantile(0.99), times.max()];
        format!("min/p50/p99/max = {} ms, of {count}", shown.map(millis).join("/"))
    }

    fn round_trips_value(&self) -> Value {
        let times = &self.round_trips;
        json!({
            "count": times.count(),
            "min_seconds": times.min().as_secs_f64(),
            "avg_seconds": times.mean().as_secs_f64(),
            "p50_seconds": times.quantile(0.5).as_secs_f64(),
            "p99_seconds": times.quantile(0.99).as_secs_f64(),
            "max_seconds": times.max().as_secs_f64(),
        })
    }
}

//! What the administration counts of itself.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use hyper::StatusCode;

/// What the administration counts of itself.
#[derive(Debug, Default)]
pub(super) struct Counts {
    answered: [AtomicU64; 3],
    pub(super) turned_away: AtomicU64,
    pub(super) missed: AtomicU64,
    conns: Arc<()>,
    streams: Arc<()>,
}

/// Something that is counted as there until this is dropped.
#[derive(Debug)]
pub(super) struct Present(#[expect(dead_code, reason = "it is counted by being there")] Arc<()>);

impl Counts {
    pub(super) fn answered(&self, status: StatusCode) {
        let at = match status.as_u16() {
            ..400 => 0,
            400..500 => 1,
            500.. => 2,
        };
        add(&self.answered[at], 1);
    }

    pub(super) fn conn(&self) -> Present {
        Present(Arc::clone(&self.conns))
    }

    pub(super) fn stream(&self) -> Present {
        Present(Arc::clone(&self.streams))
    }

    /// A page for Prometheus, to go behind the node's.
    pub(super) fn prometheus(&self, is_ready: bool) -> String {
        let get = |count: &AtomicU64| count.load(Relaxed);
        let present = |what: &Arc<()>| Arc::strong_count(what) as u64 - 1;
        let mut page = family("rumormill_admin_requests_total", "counter", REQUESTS);
        for (answer, count) in ["2xx", "4xx", "5xx"].iter().zip(&self.answered) {
            let count = get(count);
            page += &format!("rumormill_admin_requests_total{{answer=\"{answer}\"}} {count}\n");
        }
        for (name, kind, help, value) in [
            ("rumormill_ready", "gauge", READY, u64::from(is_ready)),
            ("rumormill_admin_conns", "gauge", CONNS, present(&self.conns)),
            ("rumormill_admin_turned_away_total", "counter", TURNED_AWAY, get(&self.turned_away)),
            ("rumormill_admin_streams", "gauge", STREAMS, present(&self.streams)),
            ("rumormill_admin_missed_total", "counter", MISSED, get(&self.missed)),
        ] {
            page += &format!("{}{name} {value}\n", family(name, kind, help));
        }
        page
    }
}

fn family(name: &str, kind: &str, help: &str) -> String {
    format!("# HELP {name} {help}\n# TYPE {name} {kind}\n")
}

pub(super) fn add(count: &AtomicU64, by: u64) {
    count.fetch_add(by, Relaxed);
}

const REQUESTS: &str = "Requests that were answered, by the first digit of their status.";
const READY: &str = "1 if the node listens, and has joined if it was told to; else 0.";
const CONNS: &str = "Conns that are open to the administration.";
const TURNED_AWAY: &str =
    "Conns that were cut off because they took too long, or others needed their place.";
const STREAMS: &str = "Streams of events that are open.";
const MISSED: &str = "Events that readers of streams were too slow to take.";

//! The rule for spans of time that are numbers.

use std::time::Duration;

use super::{Rule, Whole, Wrong};
use crate::config::{problem::Fault, value::Value, written::Written};

/// A span of time as a whole number of milliseconds, for keys that end in `_ms`.
pub(in crate::config) struct Millis {
    pub(in crate::config) least: u64,
    pub(in crate::config) most: u64,
}

impl Millis {
    fn whole(&self) -> Whole<u64> {
        Whole { least: self.least, most: self.most }
    }
}

impl Rule for Millis {
    type Value = Duration;

    fn takes(&self) -> String {
        format!("a whole number of milliseconds from {} to {}", self.least, self.most)
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<Duration> {
        let mut found = Vec::new();
        let millis = self.whole().read(from, &mut found);
        wrong.extend(found.into_iter().map(|found| match found.fault {
            Fault::OutOfRange { .. } => Wrong::out_of_range(from, self),
            _ => Wrong::quoted(from, self),
        }));
        millis.map(Duration::from_millis)
    }

    fn show(&self, value: &Duration) -> Option<Value> {
        Some(Value::number(value.as_millis()))
    }
}

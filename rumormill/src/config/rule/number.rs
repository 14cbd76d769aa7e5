//! Rules for numbers, sizes and spans of time.

use std::{
    fmt::{Debug, Display},
    str::FromStr,
    time::Duration,
};

use super::{Rule, Wrong};
use crate::config::{
    quantity::{size, size_text, span, span_text},
    value::Value,
    written::Written,
};

/// A span of time within bounds.
pub(in crate::config) struct Span {
    pub(in crate::config) least: Duration,
    pub(in crate::config) most: Duration,
}

/// A number of bytes within bounds.
pub(in crate::config) struct Size {
    pub(in crate::config) least: usize,
    pub(in crate::config) most: usize,
}

/// A whole number within bounds.
pub(in crate::config) struct Whole<N> {
    pub(in crate::config) least: N,
    pub(in crate::config) most: N,
}

/// A number within bounds, perhaps with a fraction.
pub(in crate::config) struct Factor {
    pub(in crate::config) least: f64,
    pub(in crate::config) most: f64,
}

impl Span {
    fn parsed(&self, from: &Written) -> Result<Duration, Wrong> {
        let value = from.text().and_then(span).ok_or_else(|| Wrong::malformed(from, self))?;
        within(value, &self.least, &self.most).ok_or_else(|| Wrong::out_of_range(from, self))
    }
}

impl Rule for Span {
    type Value = Duration;

    fn takes(&self) -> String {
        let (least, most) = (span_text(self.least), span_text(self.most));
        format!("a duration from {least} to {most}, as in \"1m30s\"")
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<Duration> {
        Wrong::told(self.parsed(from), wrong)
    }

    fn show(&self, value: &Duration) -> Option<Value> {
        Some(Value::text(span_text(*value)))
    }
}

impl Size {
    fn parsed(&self, from: &Written) -> Result<usize, Wrong> {
        let text = from.text().or_else(|| from.number());
        let value = text.and_then(size).ok_or_else(|| Wrong::malformed(from, self))?;
        within(value, &self.least, &self.most).ok_or_else(|| Wrong::out_of_range(from, self))
    }
}

impl Rule for Size {
    type Value = usize;

    fn takes(&self) -> String {
        let (least, most) = (size_text(self.least), size_text(self.most));
        format!("a size from {least} to {most}, as in \"8MiB\"")
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<usize> {
        Wrong::told(self.parsed(from), wrong)
    }

    fn show(&self, value: &usize) -> Option<Value> {
        Some(Value::text(size_text(*value)))
    }
}

impl<N> Whole<N>
where
    N: Copy + Debug + Display + FromStr + PartialOrd + Sync,
{
    fn parsed(&self, from: &Written) -> Result<N, Wrong> {
        let is_whole = |text: &&str| {
            let digits = text.strip_prefix('-').unwrap_or(text);
            !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
        };
        let text = from.number().filter(is_whole).ok_or_else(|| Wrong::quoted(from, self))?;
        // What is too long for the type is out of range, too.
        let value = text.parse().ok().and_then(|value| within(value, &self.least, &self.most));
        value.ok_or_else(|| Wrong::out_of_range(from, self))
    }
}

impl<N> Rule for Whole<N>
where
    N: Copy + Debug + Display + FromStr + PartialOrd + Sync,
{
    type Value = N;

    fn takes(&self) -> String {
        format!("a whole number from {} to {}", self.least, self.most)
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<N> {
        Wrong::told(self.parsed(from), wrong)
    }

    fn show(&self, value: &N) -> Option<Value> {
        Some(Value::number(value))
    }
}

impl Factor {
    fn parsed(&self, from: &Written) -> Result<f64, Wrong> {
        let value = from.number().and_then(|text| text.parse().ok());
        let value = value.ok_or_else(|| Wrong::quoted(from, self))?;
        // What is no number (NaN) compares with nothing, so it is in no range.
        within(value, &self.least, &self.most).ok_or_else(|| Wrong::out_of_range(from, self))
    }
}

impl Rule for Factor {
    type Value = f64;

    fn takes(&self) -> String {
        format!("a number from {:?} to {:?}", self.least, self.most)
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<f64> {
        Wrong::told(self.parsed(from), wrong)
    }

    fn show(&self, value: &f64) -> Option<Value> {
        Some(Value::number(value))
    }
}

fn within<N: PartialOrd>(value: N, least: &N, most: &N) -> Option<N> {
    (*least <= value && value <= *most).then_some(value)
}

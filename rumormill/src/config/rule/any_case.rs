//! The rule for words that may be in capitals.

use super::{Rule, Word, Wrong};
use crate::config::{value::Value, written::Written};

/// One of some words, in capitals or not.
pub(in crate::config) struct AnyCase<T: 'static>(pub(in crate::config) Word<T>);

impl<T: Copy + PartialEq + Sync> Rule for AnyCase<T> {
    type Value = T;

    fn takes(&self) -> String {
        self.0.takes()
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<T> {
        let meant = |word: &str| from.text().is_some_and(|text| text.eq_ignore_ascii_case(word));
        let known = self.0.0.iter().find(|(word, _)| meant(word));
        let value = known.map(|(_, value)| *value);
        Wrong::told(value.ok_or_else(|| Wrong::malformed(from, self)), wrong)
    }

    fn show(&self, value: &T) -> Option<Value> {
        self.0.show(value)
    }
}

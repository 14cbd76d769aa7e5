//! What a key takes: how it is read, refused and shown.

#[cfg(feature = "broker")]
mod any_case;
#[cfg(feature = "broker")]
mod millis;
mod number;
mod text;

use std::collections::BTreeSet;

use super::{
    problem::Fault,
    value::Value,
    written::{Form, Written},
};

#[cfg(feature = "broker")]
pub(super) use any_case::AnyCase;
#[cfg(feature = "broker")]
pub(super) use millis::Millis;
pub(super) use number::{Factor, Size, Span, Whole};
pub(super) use text::{
    Letters, Parsed, Text, Word, address, directory, file, network, node, scheme, socket,
};

/// What a key takes.
pub(super) trait Rule: Sync {
    type Value;
    /// For people, to follow "write".
    fn takes(&self) -> String;
    /// The value, or what of a list is right; what is wrong is added to `wrong`.
    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<Self::Value>;
    /// `None` for what is not there.
    fn show(&self, value: &Self::Value) -> Option<Value>;
}

/// A value that a key does not take.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Where it begins in its text: an item of a list may be lines below the list.
    pub(super) at: usize,
    pub(super) value: Box<str>,
    pub(super) fault: Fault,
}

/// A rule, and the field that it is for.
pub(super) struct Field<R: Rule, K> {
    pub(super) rule: R,
    pub(super) of: fn(&mut K) -> &mut R::Value,
}

/// A [`Field`] of any type, in a `K`.
pub(super) trait Slot<K>: Sync {
    fn takes(&self) -> String;
    /// What is wrong with the value; nothing, if all of it was taken.
    fn read(&self, from: &Written, into: &mut K) -> Vec<Wrong>;
    fn show(&self, draft: &mut K) -> Option<Value>;
}

impl<R: Rule, K> Slot<K> for Field<R, K> {
    fn takes(&self) -> String {
        self.rule.takes()
    }

    fn read(&self, from: &Written, into: &mut K) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        if let Some(value) = self.rule.read(from, &mut wrong) {
            *(self.of)(into) = value;
        }
        wrong
    }

    fn show(&self, draft: &mut K) -> Option<Value> {
        self.rule.show((self.of)(draft))
    }
}

impl Wrong {
    pub(super) fn new(from: &Written, fault: Fault) -> Self {
        Self { at: from.at, value: from.excerpt(), fault }
    }

    /// What was read, or why there is nothing.
    fn told<T>(read: Result<T, Self>, wrong: &mut Vec<Self>) -> Option<T> {
        read.map_err(|it| wrong.push(it)).ok()
    }

    pub(super) fn malformed(from: &Written, rule: &impl Rule) -> Self {
        Self::new(from, Fault::Malformed { takes: rule.takes().into() })
    }

    /// As malformed, for what stands without quotes.
    fn quoted(from: &Written, rule: &impl Rule) -> Self {
        let without = if matches!(from.form, Form::Text(_)) { ", without quotes" } else { "" };
        Self::new(from, Fault::Malformed { takes: (rule.takes() + without).into() })
    }

    pub(super) fn out_of_range(from: &Written, rule: &impl Rule) -> Self {
        Self::new(from, Fault::OutOfRange { takes: rule.takes().into() })
    }

    pub(super) fn refused(from: &Written, problem: impl Into<Box<str>>) -> Self {
        Self::new(from, Fault::Refused { problem: problem.into() })
    }
}

/// `true` or `false`.
pub(super) struct Flag;

impl Rule for Flag {
    type Value = bool;

    fn takes(&self) -> String {
        "true or false".into()
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<bool> {
        let value = from.flag();
        wrong.extend(value.is_none().then(|| Wrong::quoted(from, self)));
        value
    }

    fn show(&self, value: &bool) -> Option<Value> {
        Some(Value::Boolean(*value))
    }
}

/// What another rule takes, or a word for nothing of the kind.
pub(super) struct Or<R>(pub(super) &'static str, pub(super) R);

impl<R: Rule> Rule for Or<R> {
    type Value = Option<R::Value>;

    fn takes(&self) -> String {
        format!("{}, or \"{}\"", self.1.takes(), self.0)
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<Self::Value> {
        if from.text() == Some(self.0) {
            return Some(None);
        }
        let mut found = Vec::new();
        let value = self.1.read(from, &mut found);
        wrong.extend(found.into_iter().map(|found| match found.fault {
            // What is wrong with an item of a list is the item's.
            Fault::Malformed { .. } if found.at == from.at => Wrong::malformed(from, self),
            Fault::OutOfRange { .. } if found.at == from.at => Wrong::out_of_range(from, self),
            _ => found,
        }));
        value.map(Some)
    }

    fn show(&self, value: &Self::Value) -> Option<Value> {
        match value {
            Some(value) => self.1.show(value),
            None => Some(Value::text(self.0)),
        }
    }
}

/// What another rule takes, for a key without a default.
pub(super) struct Given<R>(pub(super) R);

impl<R: Rule> Rule for Given<R> {
    type Value = Option<R::Value>;

    fn takes(&self) -> String {
        self.0.takes()
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<Self::Value> {
        self.0.read(from, wrong).map(Some)
    }

    fn show(&self, value: &Self::Value) -> Option<Value> {
        value.as_ref().and_then(|value| self.0.show(value))
    }
}

/// Some of what can be parsed: a list in the order of importance, or a set.
pub(super) struct Many<T, C> {
    pub(super) each: Parsed<T>,
    pub(super) most: usize,
    pub(super) holds: fn() -> C,
}

impl<T, C> Rule for Many<T, C>
where
    T: Clone + Ord,
    C: Extend<T>,
    for<'a> &'a C: IntoIterator<Item = &'a T>,
{
    type Value = C;

    fn takes(&self) -> String {
        let Parsed { many, example, .. } = self.each;
        format!("a list of up to {} {many}, as in [\"{example}\"]", self.most)
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<C> {
        let Some(items) = from.list() else {
            wrong.push(Wrong::malformed(from, self));
            return None;
        };
        if self.most < items.len() {
            wrong.push(Wrong::out_of_range(from, self));
            return None;
        }
        let (mut all, mut seen) = ((self.holds)(), BTreeSet::new());
        for item in &items {
            let Some(value) = self.each.read(item, wrong) else { continue };
            match seen.insert(value.clone()) {
                true => all.extend([value]),
                false => wrong.push(Wrong::refused(item, "is listed twice; keep one of them")),
            }
        }
        Some(all)
    }

    fn show(&self, value: &C) -> Option<Value> {
        let shown = value.into_iter().filter_map(|item| self.each.show(item));
        Some(Value::List(shown.collect()))
    }
}

//! A value as somebody wrote it, before anybody knows what it is for.

use rumormill_transport_api::excerpt;
use toml::{
    Spanned,
    de::{DeInteger, DeValue},
};

use super::value::Value;

/// A value as somebody wrote it, and where in the text it begins.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) at: usize,
    pub(super) form: Form,
}

/// What it looks like.
#[derive(Clone, Debug)]
pub(super) enum Form {
    Boolean(bool),
    List(Vec<Written>),
    /// In decimal digits.
    Number(String),
    /// Something that no key takes.
    Other(&'static str),
    /// The text of a variable or flag, which has no quotes: it may be meant for anything.
    Plain(String),
    Text(String),
}

impl Written {
    pub(super) fn plain(text: &str) -> Self {
        Self { at: 0, form: Form::Plain(text.into()) }
    }

    pub(super) fn of(value: &Spanned<DeValue<'_>>) -> Self {
        let form = match value.get_ref() {
            DeValue::Array(values) => Form::List(values.iter().map(Self::of).collect()),
            DeValue::Boolean(is_so) => Form::Boolean(*is_so),
            DeValue::Datetime(_) => Form::Other("a date"),
            DeValue::Float(number) => Form::Number(number.as_str().into()),
            DeValue::Integer(number) => decimal(number),
            DeValue::String(text) => Form::Text(text.clone().into_owned()),
            DeValue::Table(_) => Form::Other("a table"),
        };
        Self { at: value.span().start, form }
    }

    /// What would be written to have this read.
    pub(super) fn shown(value: &Value) -> Self {
        let form = match value {
            Value::Boolean(is_so) => Form::Boolean(*is_so),
            Value::List(values) => Form::List(values.iter().map(Self::shown).collect()),
            Value::Number(digits) => Form::Number(digits.to_string()),
            Value::Text(text) => Form::Text(text.to_string()),
        };
        Self { at: 0, form }
    }

    /// The text, if that is what it is.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.form {
            Form::Plain(text) | Form::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The digits, if it is a number.
    pub(super) fn number(&self) -> Option<&str> {
        match &self.form {
            Form::Number(text) | Form::Plain(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match &self.form {
            Form::Boolean(is_so) => Some(*is_so),
            Form::Plain(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The values of a list, which a variable or flag joins by commas, or writes as TOML does.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        match &self.form {
            Form::List(values) => Some(values.clone()),
            Form::Plain(text) if text.is_empty() => Some(Vec::new()),
            Form::Plain(text) if text.starts_with('[') => {
                Self::of(&DeValue::parse(text).ok()?).list()
            }
            Form::Plain(text) => Some(text.split(',').map(str::trim).map(Self::plain).collect()),
            _ => None,
        }
    }

    /// The value shortened and escaped, as errors repeat it.
    pub(super) fn excerpt(&self) -> Box<str> {
        match &self.form {
            Form::Boolean(is_so) => is_so.to_string().into(),
            Form::List(values) if values.is_empty() => "an empty list".into(),
            Form::List(_) => "a list".into(),
            Form::Number(digits) => excerpt(digits).into(),
            Form::Other(what) => (*what).into(),
            Form::Plain(text) | Form::Text(text) => format!("\"{}\"", excerpt(text)).into(),
        }
    }
}

/// What is too long for any of our numbers stays as it was written, and is refused as one.
fn decimal(number: &DeInteger<'_>) -> Form {
    let value = i128::from_str_radix(number.as_str(), number.radix());
    Form::Number(value.map_or_else(|_| number.to_string(), |value| value.to_string()))
}

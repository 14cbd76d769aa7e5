//! A value as it is shown: to people, and in TOML.

use std::fmt::{self, Display, Write};

/// A value as it is shown. `Display` writes it as TOML has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// Values in brackets.
    List(Vec<Self>),
    /// A number, in digits.
    Number(Box<str>),
    /// Text, without its quotes; spans of time, sizes and addresses are text.
    Text(Box<str>),
}

impl Value {
    pub(super) fn text(text: impl Display) -> Self {
        Self::Text(text.to_string().into())
    }

    pub(super) fn number(number: impl fmt::Debug) -> Self {
        // `Debug` writes 4.0, and `Display` 4, which TOML has for whole numbers alone.
        Self::Number(format!("{number:?}").into())
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(is_so) => write!(f, "{is_so}"),
            Self::List(values) => {
                f.write_char('[')?;
                for (at, value) in values.iter().enumerate() {
                    if 0 < at {
                        f.write_str(", ")?;
                    }
                    write!(f, "{value}")?;
                }
                f.write_char(']')
            }
            Self::Number(digits) => f.write_str(digits),
            Self::Text(text) => quoted(f, text),
        }
    }
}

/// Writes what could steer a terminal as an escape that TOML reads again.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' | '\\' => write!(f, "\\{letter}")?,
            '\'' => f.write_char(letter)?,
            _ if 1 < letter.escape_debug().count() => write!(f, "\\U{:08X}", u32::from(letter))?,
            _ => f.write_char(letter)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_toml() {
        let check = |value: Value, text: &str| assert_eq!(value.to_string(), text);
        check(Value::number(4096_usize), "4096");
        check(Value::number(4.0_f64), "4.0");
        check(Value::Boolean(true), "true");
        let list = Value::List(vec![Value::text("it's"), Value::text("a\n\"\\\u{202e}é")]);
        check(list, r#"["it's", "a\U0000000A\"\\\U0000202Eé"]"#);
    }
}

//! Names of topics.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use rumormill_transport_api::excerpt;

/// The name of a topic: 1 to [`LONGEST`](Self::LONGEST) characters out of `A-Z a-z 0-9 . _ - /`, of
/// which the first is a letter or a digit. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// Why a text is no name of a topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no name of a topic: {problem}")]
pub struct NameError {
    text: Box<str>,
    problem: &'static str,
}

impl TopicName {
    /// Bytes of the longest name.
    pub const LONGEST: usize = 128;

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn problem(text: &str) -> Option<&'static str> {
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        match text.as_bytes() {
            [] => Some("it is empty"),
            long if Self::LONGEST < long.len() => Some("it is longer than 128 bytes"),
            [first, ..] if !first.is_ascii_alphanumeric() => {
                Some("it must begin with a letter or a digit")
            }
            bytes if !bytes.iter().copied().all(may_stand) => {
                Some("it may hold letters, digits and . _ - / only")
            }
            _ => None,
        }
    }
}

impl FromStr for TopicName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match Self::problem(text) {
            None => Ok(Self(text.into())),
            Some(problem) => Err(NameError { text: excerpt(text).into(), problem }),
        }
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_rule_says() {
        let longest = "x".repeat(TopicName::LONGEST);
        for good in ["a", "orders", "eu-1/orders.v2_new", "0", &longest] {
            assert_eq!(good.parse::<TopicName>().map(|name| name.to_string()), Ok(good.into()));
        }
        let long = "x".repeat(TopicName::LONGEST + 1);
        for bad in ["", ".a", "/a", "-a", "a b", "a\n", "ä", "a*", &long] {
            assert!(bad.parse::<TopicName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_shows_no_control_characters() {
        let error = "a\u{1b}[31m".parse::<TopicName>().expect_err("control character");
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }
}

//! What is wrong with a configuration: everything, in one go.

use std::fmt::{self, Display};

use super::Origin;

/// Why a configuration cannot be used: all that is wrong with it, in the order of the file, then of
/// the environment and the flags. Nothing was opened or changed.
///
/// `Display` has a line for each problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong: at least one thing, at most 100.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

/// One thing that is wrong. `Display` is one line: where, what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written; [`Origin::Default`] if it was written nowhere, and should be.
    pub origin: Origin,
    /// The key, shortened and escaped; empty if the problem is the file's.
    pub key: Box<str>,
    /// The value, shortened and escaped; `None` if it does not matter.
    pub value: Option<Box<str>>,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It cannot hold beside another setting.
    #[error(", {problem}")]
    Contradiction {
        /// Beside which, and what would be right.
        problem: Box<str>,
    },
    /// The same key stands there twice.
    #[error(" is set twice; keep one of them")]
    Duplicate,
    /// The file that it names cannot be used.
    #[error(": {problem}")]
    File {
        /// Why, and what would be right.
        problem: Box<str>,
    },
    /// It is no such thing as the key takes.
    #[error("; write {takes}")]
    Malformed {
        /// What the key takes.
        takes: Box<str>,
    },
    /// Nobody set it, and there is no default.
    #[error(" is not set; {remedy}")]
    Missing {
        /// How to set it.
        remedy: &'static str,
    },
    /// It is such a thing, and too small or too large.
    #[error(", which is out of range; write {takes}")]
    OutOfRange {
        /// What the key takes.
        takes: Box<str>,
    },
    /// Whoever reads it has something against it.
    #[error(", which {problem}")]
    Refused {
        /// What, and what would be right.
        problem: Box<str>,
    },
    /// The text is no TOML from here on.
    #[error("this is not TOML: {problem}")]
    Syntax {
        /// Why.
        problem: Box<str>,
    },
    /// The registry or the transport has something against it.
    #[error(": {problem}")]
    Transport {
        /// What, and what would be right.
        problem: Box<str>,
    },
    /// There is no such key.
    #[error(" is not known{}", way_out(*nearest))]
    Unknown {
        /// The one that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The file cannot be read, or not as a configuration.
    #[error("{problem}")]
    Unreadable {
        /// Why, and what would be right.
        problem: Box<str>,
    },
}

fn way_out(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean {nearest}?"),
        None => "; `rumormill config reference` lists what is".into(),
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, value, fault } = self;
        if *origin != Origin::Default {
            write!(f, "{origin}: ")?;
        }
        f.write_str(key)?;
        if let Some(value) = value {
            write!(f, " is {value}")?;
        }
        write!(f, "{fault}")
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Error {}

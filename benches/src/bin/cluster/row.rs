//! A figure beside what is required of it.

use std::fmt;

use crate::options::{Mix, Options, Part};

/// One line of the table.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) part: Part,
    pub(crate) mix: Mix,
    pub(crate) what: String,
    pub(crate) value: String,
    pub(crate) required: Required,
}

/// What a figure has to be.
#[derive(Clone)]
pub(crate) enum Required {
    /// This, and whether it is.
    Met { what: &'static str, verdict: Verdict },
    /// Nothing.
    Nothing,
}

/// Whether a figure is what it has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is.
    Ok,
    /// It is not, and not worse than is known and explained.
    Known,
    /// It is not.
    Missed,
}

impl Row {
    pub(crate) fn head() -> String {
        format!("{:<6}{:<7}{:<44}{:>14}  {:<12}", "part", "over", "what", "measured", "required")
    }

    pub(crate) fn is_met(&self) -> bool {
        !matches!(self.required, Required::Met { verdict: Verdict::Missed, .. })
    }
}

impl Required {
    pub(crate) fn at_most(limit: f64, value: f64, what: &'static str) -> Self {
        Self::met(what, value <= limit)
    }

    /// The same for a time, of which a quick run says nothing: it shows that things happen at all, on
    /// machines that do other things as well.
    pub(crate) fn time(limit: f64, value: f64, what: &'static str, options: &Options) -> Self {
        if options.is_quick { Self::Nothing } else { Self::at_most(limit, value, what) }
    }

    pub(crate) fn met(what: &'static str, is_met: bool) -> Self {
        Self::Met { what, verdict: if is_met { Verdict::Ok } else { Verdict::Missed } }
    }

    /// The same where it is known to be missed, but not beyond `known`.
    pub(crate) fn or_known(self, value: f64, known: f64) -> Self {
        match self {
            Self::Met { what, verdict: Verdict::Missed } if value <= known => {
                Self::Met { what, verdict: Verdict::Known }
            }
            other => other,
        }
    }
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Known => "MISSED, as known",
            Self::Missed => "MISSED",
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, mix) = (self.part.name(), self.mix.name());
        write!(f, "{part:<6}{mix:<7}{:<44}{:>14}", self.what, self.value)?;
        match self.required {
            Required::Met { what, verdict } => write!(f, "  {what:<12}{}", verdict.name()),
            Required::Nothing => Ok(()),
        }
    }
}

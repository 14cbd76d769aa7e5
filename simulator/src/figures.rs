//! The figures of membership: what was promised or published, beside what the cores do in the model.

mod convergence;
mod crash;
mod heal;
mod leave;
mod lifeguard;
mod loss;
mod options;
mod report;
mod rumors;
mod sample;
mod sweep;
mod swim;

use std::io::{self, Write};

pub use options::{Options, USAGE, Usage};
pub use report::Report;

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Load, time to the first suspicion, and dissemination, at every size.
    Swim,
    /// What packets that are lost do.
    Loss,
    /// What members that pause do to the healthy.
    Lifeguard,
    /// How soon all know a new member, and what that costs.
    Convergence,
    /// How soon halves that were parted are one again.
    Heal,
    /// What becomes of a goodbye.
    Leave,
    /// How soon all know that one has crashed.
    Crash,
    /// What is said to all, beside members that come and go.
    Rumors,
    /// Random stories, for as long as one likes.
    Sweep,
}

impl Table {
    /// All, the one that is no table of figures last.
    pub const ALL: [Self; 9] = [
        Self::Swim,
        Self::Loss,
        Self::Lifeguard,
        Self::Convergence,
        Self::Heal,
        Self::Leave,
        Self::Crash,
        Self::Rumors,
        Self::Sweep,
    ];

    /// What it is asked for by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Swim => "swim",
            Self::Loss => "loss",
            Self::Lifeguard => "lifeguard",
            Self::Convergence => "convergence",
            Self::Heal => "heal",
            Self::Leave => "leave",
            Self::Crash => "crash",
            Self::Rumors => "rumors",
            Self::Sweep => "sweep",
        }
    }

    fn make(self, options: &Options) -> Report {
        match self {
            Self::Swim => swim::table(options),
            Self::Loss => loss::table(options),
            Self::Lifeguard => lifeguard::table(options),
            Self::Convergence => convergence::table(options),
            Self::Heal => heal::table(options),
            Self::Leave => leave::table(options),
            Self::Crash => crash::table(options),
            Self::Rumors => rumors::table(options),
            Self::Sweep => sweep::table(options),
        }
    }
}

/// Makes the tables that are asked for and prints each as soon as it is there; how many expectations were
/// missed.
///
/// # Errors
/// If nothing can be printed.
pub fn print(options: &Options, into: &mut impl Write) -> io::Result<usize> {
    let mut missed = 0;
    for table in &options.tables {
        let report = table.make(options);
        missed += report.missed;
        writeln!(into, "{report}")?;
        into.flush()?;
    }
    Ok(missed)
}

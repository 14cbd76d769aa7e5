//! What is asked for on the command line.

use std::fmt;

use crate::figures::Table;

/// What to measure, and how thoroughly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which tables, in this order.
    pub tables: Vec<Table>,
    /// Whether a minute has to be enough.
    pub is_quick: bool,
    /// How many seeds each value has, if not as many as its table has by itself.
    pub seeds: Option<u64>,
}

/// How to ask.
pub const USAGE: &str = "\
usage: figures [TABLE...] [--quick] [--seeds N]

Prints what the cores of membership do in a model network, in virtual time,
beside what is expected of them. Exits with 1 if an expectation is missed.

  TABLE      swim, loss, lifeguard, convergence, heal, leave, crash, rumors:
             all of them, unless some are named; or sweep, which plays random
             stories of faults (20000, or as many as --seeds says)
  --quick    fewer and smaller networks: less than a minute
  --seeds N  so many networks, joins or failures for each value
  --help     this text";

/// Why a command line means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usage {
    /// The help was asked for: nothing is wrong.
    Help,
    /// `--seeds` without a number from 1.
    Seeds(Option<String>),
    /// A word that is no table and no option.
    Unknown(String),
}

impl Options {
    /// Reads the arguments, the program's name not among them.
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, Usage> {
        let mut options = Self { tables: Vec::new(), is_quick: false, seeds: None };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--help" | "-h" => return Err(Usage::Help),
                "--quick" => options.is_quick = true,
                "--seeds" => options.seeds = Some(seeds(args.next())?),
                _ => options.tables.push(table(arg)?),
            }
        }
        if options.tables.is_empty() {
            options.tables.extend(Table::ALL.iter().filter(|table| **table != Table::Sweep));
        }
        Ok(options)
    }

    /// How many seeds to take, of which there are fewer if it has to be quick.
    pub(super) fn seeds(&self, full: u64, quick: u64) -> u64 {
        self.seeds.unwrap_or_else(|| self.pick(full, quick))
    }

    /// The one for all the time there is, or the other one.
    pub(super) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.is_quick { quick } else { full }
    }
}

fn seeds(text: Option<String>) -> Result<u64, Usage> {
    let number = text.as_ref().and_then(|text| text.parse().ok());
    number.filter(|number| 0 < *number).ok_or(Usage::Seeds(text))
}

fn table(arg: String) -> Result<Table, Usage> {
    let table = Table::ALL.into_iter().find(|table| table.name() == arg);
    table.ok_or(Usage::Unknown(arg))
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help => f.write_str(USAGE),
            Self::Seeds(None) => f.write_str("--seeds takes a number, as in --seeds 100"),
            Self::Seeds(Some(text)) => write!(f, "--seeds takes a number from 1, not {text:?}"),
            Self::Unknown(word) => {
                let names = Table::ALL.map(Table::name).join(", ");
                write!(f, "no table {word:?}; there are {names}, and --help")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &str, expected: Result<(&[Table], bool, Option<u64>), &str>) {
        let read = Options::parse(args.split_whitespace().map(Into::into));
        let read = read.as_ref().map(|read| (&read.tables[..], read.is_quick, read.seeds));
        let expected = expected.map_err(str::to_owned);
        assert_eq!(read.map_err(|usage| usage.to_string()), expected, "{args}");
    }

    #[test]
    fn a_command_line_means_what_it_says() {
        check("", Ok((&Table::ALL[..8], false, None)));
        check("heal --quick swim", Ok((&[Table::Heal, Table::Swim], true, None)));
        check("sweep --seeds 7", Ok((&[Table::Sweep], false, Some(7))));
        check("heal --help", Err(USAGE));
        check("--seeds", Err("--seeds takes a number, as in --seeds 100"));
        check("--seeds 0", Err("--seeds takes a number from 1, not \"0\""));
        check("--seeds heal", Err("--seeds takes a number from 1, not \"heal\""));
        let names = "swim, loss, lifeguard, convergence, heal, leave, crash, rumors, sweep";
        check("hael", Err(&format!("no table \"hael\"; there are {names}, and --help")));
    }
}

//! What is asked for on the command line.

use std::time::Duration;

use crate::{
    Outcome,
    case::{Case, Rival},
};

/// What is asked for on the command line.
pub(crate) struct Options {
    pub(crate) cases: Vec<Case>,
    pub(crate) rivals: Vec<Rival>,
    pub(crate) rounds: usize,
    pub(crate) span: Duration,
    pub(crate) json: bool,
}

impl Options {
    pub(crate) fn parse(args: &[String]) -> Outcome<Self> {
        let (cases, rivals, span) = (Case::all(), Rival::ALL.into(), Duration::from_millis(400));
        let mut options = Self { cases, rivals, rounds: 5, span, json: false };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
            match arg.as_str() {
                "--quick" => (options.rounds, options.span) = (1, Duration::from_millis(25)),
                "--json" => options.json = true,
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
                "--ms" => options.span = Duration::from_millis(value()?.parse()?),
                "--only" => options.keep(value()?),
                "--rival" => options.rivals = named(value()?)?,
                other => return Err(format!("'{other}' is not known\n{USAGE}").into()),
            }
        }
        match options.cases.is_empty() {
            true => Err(format!("no case has such a name\n{USAGE}").into()),
            false => Ok(options),
        }
    }

    fn keep(&mut self, filter: &str) {
        self.cases.retain(|case| case.to_string().contains(filter));
    }
}

fn named(names: &str) -> Outcome<Vec<Rival>> {
    let rivals: Option<_> = names.split(',').map(Rival::named).collect();
    Ok(rivals.ok_or(USAGE)?)
}

pub(crate) const USAGE: &str = "\
usage: rumormill-benches [idle [udp] | lanes] [--only FILTER] [--rival NAME] [--rounds N] [--ms SPAN] [--quick] [--json]

  idle       measure the memory of idle conns instead of speed, on tcp or udp
  lanes      measure round trips of Control messages beside Bulk, with --quick or without
  --only     cases whose name contains FILTER: tcp/64B, tcp/1KiB, unix/round-trip, udp/1200B, ...
  --rival    one way or several (a,b): bare, codec, offload, ours; of endpoints signed, single
             (a message in each frame), trusting (unless-secure); proof (datagrams signed by hand)
  --rounds   rounds over all rivals, of which the table shows the medians (5)
  --ms       how long each run sends, in milliseconds (400)
  --quick    one short round, to see that everything works
  --json     one object per line, for programs";

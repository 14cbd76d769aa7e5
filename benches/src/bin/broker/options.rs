//! What is asked for on the command line.

use std::time::Duration;

use crate::{
    Outcome,
    cell::{Cell, Rival, Shape},
};

/// What is asked for on the command line.
pub(crate) struct Options {
    pub(crate) parts: Vec<Part>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) rivals: Vec<Rival>,
    pub(crate) rounds: usize,
    pub(crate) span: Duration,
    pub(crate) is_quick: bool,
    pub(crate) is_json: bool,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Deliveries in a second.
    Speed,
    /// What a message takes at a rate that is far below the most.
    Latency,
    /// What the broker takes to route a message.
    Routing,
    /// What a call of `publish` takes.
    Publish,
    /// What a subscriber takes of the broker's memory.
    Memory,
    /// What others notice of a subscriber that has stopped.
    Stopped,
}

impl Options {
    pub(crate) fn parse(args: &[String]) -> Outcome<Self> {
        let mut options = Self {
            parts: Vec::new(),
            cells: Cell::all(),
            rivals: Rival::ALL.into(),
            rounds: 5,
            span: Duration::from_secs(1),
            is_quick: false,
            is_json: false,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
            match arg.as_str() {
                "--quick" => options.hurry(),
                "--json" => options.is_json = true,
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
                "--seconds" => options.span = Duration::try_from_secs_f64(value()?.parse()?)?,
                "--only" => options.keep(value()?),
                "--rival" => options.rivals = named(value()?, Rival::ALL, Rival::name)?,
                part => options.parts.append(&mut named(part, Part::ALL, Part::name)?),
            }
        }
        if options.parts.is_empty() {
            options.parts = Part::ALL.into();
        }
        match options.cells.is_empty() {
            true => Err(format!("no cell has such a name\n{USAGE}").into()),
            false => Ok(options),
        }
    }

    fn hurry(&mut self) {
        (self.is_quick, self.rounds, self.span) = (true, 1, Duration::from_millis(100));
        self.cells.retain(|cell| cell.size == 1 << 10 && cell.shape != Shape::Fanout(8));
    }

    fn keep(&mut self, filter: &str) {
        self.cells.retain(|cell| cell.to_string().contains(filter));
    }
}

/// Those of `all` that are named, with commas between.
fn named<T: Copy, const N: usize>(
    names: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Outcome<Vec<T>> {
    let find = |wanted: &str| all.into_iter().find(|one| name(*one) == wanted);
    let found: Option<_> = names.split(',').map(find).collect();
    Ok(found.ok_or_else(|| format!("'{names}' is not known\n{USAGE}"))?)
}

impl Part {
    const ALL: [Self; 6] =
        [Self::Speed, Self::Latency, Self::Routing, Self::Publish, Self::Memory, Self::Stopped];

    fn name(self) -> &'static str {
        match self {
            Self::Speed => "speed",
            Self::Latency => "latency",
            Self::Routing => "routing",
            Self::Publish => "publish",
            Self::Memory => "memory",
            Self::Stopped => "stopped",
        }
    }
}

pub(crate) const USAGE: &str = "\
usage: broker [PART..] [--only FILTER] [--rival NAME,..] [--rounds N] [--seconds N] [--quick] [--json]

  speed      deliveries a second, as many as go without loss
  latency    what a message of 1 KiB takes at 10,000 a second
  routing    what the broker takes to route a block, by its own count
  publish    what a call of `publish` takes at 100,000 a second
  memory     bytes of the broker's process for each subscriber
  stopped    what 99 subscribers notice of one that has stopped reading, by policy (9 rounds)
  --only     cells of `speed` whose name contains FILTER: 64B/1-to-1, 1KiB/queue-of-4, ...
  --rival    nats, tcp, unix
  --rounds   rounds over all rivals, of which the table shows the medians (5)
  --seconds  how long each run counts (1)
  --quick    one short round of few cells, to see that everything works
  --json     one object per line, for programs";

//! What is asked for on the command line.

use std::{path::Path, time::Duration};

use crate::Outcome;

/// What is asked for on the command line.
pub(crate) struct Options {
    pub(crate) parts: Vec<Part>,
    pub(crate) mixes: Vec<Mix>,
    pub(crate) is_quick: bool,
    /// How large the clusters are whose cost is measured.
    pub(crate) sizes: Vec<usize>,
    /// How long that is.
    pub(crate) span: Duration,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// How soon all see all.
    Join,
    /// How soon all know that one has died.
    Kill,
    /// What a cluster costs in which nothing happens.
    Rest,
    /// Whether nodes that do not run for a while are taken for dead, or take others for it.
    Stop,
}

/// Which transports the nodes listen at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    /// This one, all of them.
    One(&'static str),
    /// Several, and not all the same.
    Mixed,
}

impl Options {
    pub(crate) fn parse(args: &[String]) -> Outcome<Self> {
        let mut options = Self {
            parts: Vec::new(),
            mixes: Mix::ALL.into(),
            is_quick: false,
            sizes: Vec::new(),
            span: Duration::ZERO,
        };
        let (mut sizes, mut span, mut args) = (None, None, args.iter());
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
            match arg.as_str() {
                "--quick" => options.is_quick = true,
                "--only" => options.mixes = split(value()?, Mix::named)?,
                "--nodes" => sizes = Some(split(value()?, |text| text.parse().ok())?),
                "--seconds" => span = Some(Duration::from_secs(value()?.parse()?)),
                part => {
                    let known = Part::named(part);
                    let unknown = || format!("'{part}' is not known\n{USAGE}");
                    options.parts.push(known.ok_or_else(unknown)?);
                }
            }
        }
        if options.parts.is_empty() {
            options.parts = Part::ALL.into();
        }
        let (usual, seconds) = if options.is_quick { (vec![16], 5) } else { (vec![16, 64], 30) };
        let usual_span = Duration::from_secs(seconds);
        options.sizes = sizes.unwrap_or(usual);
        options.span = span.unwrap_or(usual_span);
        Ok(options)
    }
}

fn split<T>(names: &str, named: impl Fn(&str) -> Option<T>) -> Outcome<Vec<T>> {
    let all: Option<_> = names.split(',').map(named).collect();
    Ok(all.ok_or_else(|| format!("'{names}' is not known\n{USAGE}"))?)
}

impl Part {
    pub(crate) const ALL: [Self; 4] = [Self::Join, Self::Kill, Self::Rest, Self::Stop];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Kill => "kill",
            Self::Rest => "rest",
            Self::Stop => "stop",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// Whether the transports take their turns at once: not where a busy machine shows, unless it is
    /// in a hurry.
    pub(crate) fn is_side_by_side(self, options: &Options) -> bool {
        match self {
            Self::Join => false,
            Self::Kill | Self::Stop => true,
            Self::Rest => options.is_quick,
        }
    }
}

impl Mix {
    pub(crate) const ALL: [Self; 5] =
        [Self::One("tcp"), Self::One("udp"), Self::One("quic"), Self::One("unix"), Self::Mixed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One(scheme) => scheme,
            Self::Mixed => "mixed",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mix| mix.name() == name)
    }

    /// Where the node with this number listens.
    pub(crate) fn addrs(self, number: usize, folder: &Path) -> Vec<String> {
        let schemes: &[&str] = match (self, number % 4) {
            (Self::One(scheme), _) => &[scheme],
            (Self::Mixed, 0) => &["tcp"],
            (Self::Mixed, 1) => &["udp", "tcp"],
            (Self::Mixed, 2) => &["quic"],
            (Self::Mixed, _) => &["udp", "quic"],
        };
        let addr = |scheme: &&str| match *scheme {
            "unix" => format!("unix://{}/{number}.sock", folder.display()),
            scheme => format!("{scheme}://127.0.0.1:0"),
        };
        schemes.iter().map(addr).collect()
    }
}

pub(crate) const USAGE: &str = "\
usage: cluster [join] [kill] [rest] [stop] [--only NAME,..] [--nodes N,..] [--seconds N] [--quick]

  join       10 nodes join: how long until all see all
  kill       nodes are killed: how long until all others know, and whether anybody else is accused
  rest       bytes on the wire, processor time and memory of a node while nothing happens
  stop       nodes that are stopped for a while, and what they say of those that run
  --only     transports: tcp, udp, quic, unix, mixed
  --nodes    sizes of the clusters of `rest` (16,64)
  --seconds  how long `rest` measures (30)
  --quick    a few seconds for each, to see that everything works";

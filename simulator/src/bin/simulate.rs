//! Runs one scenario of whole nodes in virtual time, says what happened and draws it.

use std::{
    env, fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use rumormill_simulator::nodes::{
    Breach, NAMES, Report, Scenario, checks, named, random, run, story, svg, verdict,
};

/// What the user wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wish {
    scenario: Option<String>,
    seed: Option<u64>,
    nodes: Option<u16>,
    out: Option<PathBuf>,
    seeds: Option<u64>,
    lists: bool,
    helps: bool,
}

const HELP: &str = "\
Runs a cluster of whole nodes in virtual time, says what happened, and draws it.

Usage: simulate [SCENARIO] [OPTIONS]

SCENARIO is a name, or `random` for the one that a seed makes; `partition` without one.

Options:
  --seed N      where all chance comes from, in place of 1
  --nodes N     how many nodes there are at the start, from 2 to 60
  --out FILE    write a drawing there, as SVG
  --seeds N     run the seeds from 0 to N - 1, and tell only what is wrong
  --list        the names of all scenarios
  --help        this text

It ends with 0 if all that is promised held, with 1 if something did not, with 2 if it was not told well.
";

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let result = match Wish::parse(env::args().skip(1)) {
        Ok(wish) => grant(&wish, &mut out),
        Err(problem) => {
            drop(writeln!(io::stderr(), "simulate: {problem}; --help tells more"));
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        // Whoever reads may stop.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(io::stderr(), "simulate: {error}"));
            ExitCode::FAILURE
        }
    }
}

impl Wish {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut wish, mut args) = (Self::default(), args);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--help" | "-h" => wish.helps = true,
                "--list" => wish.lists = true,
                "--out" => wish.out = Some(value()?.into()),
                "--seed" => wish.seed = Some(number(&value()?)?),
                "--seeds" => wish.seeds = Some(number(&value()?)?),
                "--nodes" => wish.nodes = Some(nodes(&value()?)?),
                option if option.starts_with('-') => {
                    return Err(format!("there is no option {}", option.escape_debug()));
                }
                name => wish.take(name)?,
            }
        }
        match (wish.seed, wish.out.is_some(), wish.seeds) {
            (None, false, _) | (_, _, None) => Ok(wish),
            _ => Err("--seeds goes with neither --seed nor --out".into()),
        }
    }

    fn take(&mut self, name: &str) -> Result<(), String> {
        if name != RANDOM && named(name).is_none() {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            let (name, names) = (name.escape_debug(), names.join(", "));
            return Err(format!("no scenario {name}; there are {names} and {RANDOM}"));
        }
        match self.scenario.replace(name.into()) {
            None => Ok(()),
            Some(first) => Err(format!("one scenario at a time: {first} or {name}")),
        }
    }

    fn scenario(&self, seed: u64) -> Scenario {
        let name = self.scenario.as_deref().unwrap_or("partition");
        let scenario = named(name).map(|scenario| scenario.with_seed(seed));
        let scenario = scenario.unwrap_or_else(|| random(seed));
        let nodes = self.nodes.unwrap_or(scenario.nodes);
        Scenario { nodes, ..scenario }
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("'{}' is no number", text.escape_debug()))
}

fn nodes(text: &str) -> Result<u16, String> {
    let count = number(text)?;
    let count = u16::try_from(count).ok().filter(|count| (2..=60).contains(count));
    count.ok_or_else(|| format!("{} nodes; from 2 to 60 are possible", text.escape_debug()))
}

/// Tells whether all that is promised held.
fn grant(wish: &Wish, out: &mut impl Write) -> io::Result<bool> {
    match wish.seeds {
        _ if wish.helps => write!(out, "{HELP}").map(|()| true),
        _ if wish.lists => list(out).map(|()| true),
        Some(seeds) => sweep(wish, seeds, out),
        None => one(wish, out),
    }
}

fn list(out: &mut impl Write) -> io::Result<()> {
    for (name, about) in NAMES {
        writeln!(out, "{name:<12} {about}")?;
    }
    writeln!(out, "{RANDOM:<12} whatever the seed makes of it")
}

fn one(wish: &Wish, out: &mut impl Write) -> io::Result<bool> {
    let scenario = wish.scenario(wish.seed.unwrap_or(1));
    let report = run(&scenario);
    let Scenario { name, seed, nodes, delivery, preset, .. } = &scenario;
    writeln!(out, "{name}, seed {seed}: {nodes} nodes, {delivery:?}, {preset:?}")?;
    write!(out, "{}", story(&report))?;
    writeln!(out, "{:>9.3} s  the end", report.span().as_secs_f64())?;
    let counts = report.tally.numbers().into_iter().filter(|(_, count)| 0 < *count);
    let counts: Vec<String> = counts.map(|(what, count)| format!("{count} {what}")).collect();
    writeln!(out, "\n{}", counts.join(", "))?;
    let breaches = verdict(&report);
    judged(&breaches, out)?;
    draw(wish, &report, out)?;
    Ok(breaches.is_empty())
}

fn judged(breaches: &[Breach], out: &mut impl Write) -> io::Result<()> {
    for check in checks() {
        let breach = breaches.iter().find(|breach| breach.check == check.name());
        match breach {
            None => writeln!(out, "  holds   {}", check.name())?,
            Some(breach) => writeln!(out, "  BROKEN  {breach}")?,
        }
    }
    Ok(())
}

fn draw(wish: &Wish, report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(file) = &wish.out else { return Ok(()) };
    let named = |error| io::Error::other(format!("{} cannot be written: {error}", file.display()));
    fs::write(file, svg(report)).map_err(named)?;
    writeln!(out, "drawn: {}", file.display())
}

fn sweep(wish: &Wish, seeds: u64, out: &mut impl Write) -> io::Result<bool> {
    let (mut broken, mut span) = (0_u64, Duration::ZERO);
    let wish = Wish {
        scenario: Some(wish.scenario.clone().unwrap_or_else(|| RANDOM.into())),
        ..wish.clone()
    };
    for seed in 0..seeds {
        let report = run(&wish.scenario(seed));
        span += report.span();
        for breach in verdict(&report) {
            broken += 1;
            writeln!(out, "seed {seed}: {breach}")?;
        }
    }
    let hours = span.as_secs_f64() / 3600.0;
    writeln!(out, "{seeds} seeds, {hours:.1} hours of virtual time, {broken} breaches")?;
    Ok(broken == 0)
}

const RANDOM: &str = "random";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Wish, String> {
        Wish::parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        let wish = parse("crash --seed 7 --nodes 9 --out a.svg").unwrap();
        assert_eq!((wish.seed, wish.nodes), (Some(7), Some(9)));
        assert_eq!(wish.scenario(7).nodes, 9);
        assert_eq!(&*parse("").unwrap().scenario(1).name, "partition");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "nothing",
            "crash calm",
            "--seed",
            "--seed x",
            "--nodes 1",
            "--nodes 61",
            "--wrong",
            "--seeds 3 --seed 1",
            "--seeds 3 --out a.svg",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}

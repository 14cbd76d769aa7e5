//! What a cluster costs in which nothing happens.
//!
//! Its nodes run in a network namespace of their own, whose loopback carries nothing else.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    Outcome,
    folder::Folder,
    group::Group,
    member,
    node::Node,
    options::{Mix, Options, Part},
    row::{Required, Row},
    say,
    usage::Usage,
};

pub(crate) fn measure(mix: Mix, options: &Options) -> Outcome<Vec<Row>> {
    let rows: Outcome<Vec<_>> =
        options.sizes.iter().map(|nodes| of_size(mix, options, *nodes)).collect();
    Ok(rows?.concat())
}

fn of_size(mix: Mix, options: &Options, nodes: usize) -> Outcome<Vec<Row>> {
    let row = |figure: &str, value, required| Row {
        part: Part::Rest,
        mix,
        what: format!("{nodes} nodes: {figure}"),
        value,
        required,
    };
    // Each node has met each other one by then, so that no conn is opened any more.
    let settle = Duration::from_secs(if options.is_quick { 3 } else { nodes as u64 + 10 });
    let Some(said) = Inside::run(mix, nodes, settle, options.span)? else {
        let why = "no network namespace (unshare, ip)".into();
        return Ok(vec![row("skipped", why, Required::Nothing)]);
    };
    let figures: Vec<f64> = said.split(' ').filter_map(|it| it.parse().ok()).collect();
    let [bytes, packets, cpu, resident] = figures[..] else { return Err(said.into()) };
    let is_counted = mix != Mix::One("unix");
    let required = Required::at_most(400.0, bytes, "<= 400");
    let required = match mix {
        // In a hurry, conns are still being opened.
        _ if options.is_quick => required.or_known(bytes, f64::INFINITY),
        Mix::One("udp") => required,
        // docs/performance.md tells where the rest of it goes.
        _ => required.or_known(bytes, KNOWN),
    };
    let on_wire = [
        row("bytes a second, each", format!("{bytes:.0}"), required),
        row("packets a second, each", format!("{packets:.2}"), Required::Nothing),
    ];
    let others = [
        row("CPU ms a second, each", format!("{cpu:.2}"), Required::Nothing),
        row("resident, each", format!("{resident:.1} MB"), Required::Nothing),
    ];
    Ok(on_wire.into_iter().filter(|_| is_counted).chain(others).collect())
}

/// This program, in a namespace of its own; killed when this is dropped.
struct Inside(Child);

impl Inside {
    /// What it says in the end; nothing if there are no namespaces.
    fn run(mix: Mix, nodes: usize, settle: Duration, span: Duration) -> Outcome<Option<String>> {
        let mut command = Command::new("unshare");
        command.args(["-rn", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
        command.arg(env::current_exe()?).args([INSIDE, mix.name(), &nodes.to_string()]);
        command.args([settle, span].map(|it| it.as_millis().to_string()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let Ok(mut child) = command.spawn() else { return Ok(None) };
        let stdout = child.stdout.take().expect("invariant: its output is piped");
        let stderr = child.stderr.take().expect("invariant: its errors are piped");
        let mut inside = Self(child);
        let mut lines = BufReader::new(stdout).lines();
        if lines.next().transpose()?.as_deref() != Some(INSIDE) {
            return Ok(None);
        }
        let said = lines.next().transpose()?;
        inside.0.wait()?;
        match said {
            Some(said) => Ok(Some(said)),
            None => Err(std::io::read_to_string(stderr)?.into()),
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // It has ended by itself, unless something went wrong that is reported elsewhere.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures in the namespace that this process is in, and says what each node takes.
pub(crate) fn inside(args: &[String]) -> Outcome<()> {
    member::end_with_parent()?;
    say(INSIDE)?;
    let [mix, nodes, settle, span] = args else { return Err("four arguments".into()) };
    let mix = Mix::named(mix).ok_or("a transport")?;
    let (nodes, settle) = (nodes.parse()?, Duration::from_millis(settle.parse()?));
    let span = Duration::from_millis(span.parse()?);
    let folder = Folder::create()?;
    let mut group = Group::joined(mix, folder.path(), nodes)?;
    group.listen_for(settle)?;
    let before = (traffic()?, usage(&group.nodes)?);
    group.listen_for(span)?;
    let after = (traffic()?, usage(&group.nodes)?);
    let each = |all: f64| all / nodes as f64 / span.as_secs_f64();
    let cpu = after.1.cpu.saturating_sub(before.1.cpu).as_secs_f64() * 1000.0;
    say(&format!(
        "{} {} {} {}",
        each((after.0.0 - before.0.0) as f64),
        each((after.0.1 - before.0.1) as f64),
        each(cpu),
        after.1.resident as f64 / nodes as f64 / 1e6,
    ))
}

/// Bytes and packets that the loopback has carried, with headers of IP.
fn traffic() -> Outcome<(u64, u64)> {
    let devices = fs::read_to_string("/proc/net/dev")?;
    let line = devices.lines().find_map(|line| line.trim().strip_prefix("lo:"));
    let mut figures = line.ok_or("no loopback")?.split_whitespace().map(str::parse);
    let (bytes, packets) =
        (figures.next().ok_or("no bytes")??, figures.next().ok_or("no packets")??);
    Ok((bytes, packets))
}

fn usage(nodes: &[Node]) -> Outcome<Usage> {
    let mut all = Usage::default();
    for node in nodes {
        let Usage { cpu, resident } = node.usage()?;
        all.cpu += cpu;
        all.resident += resident;
    }
    Ok(all)
}

pub(crate) const INSIDE: &str = "inside";
/// Bytes a second that carriers with acknowledgements and signs of life of their own are known to take.
const KNOWN: f64 = 1100.0;

//! Whether nodes that do not run for a while are taken for dead, or take others for it.

use std::{collections::BTreeSet, path::Path, time::Duration};

use rand::random_range;
use rumormill_transport_api::NodeId;
use rustix::process::Signal;

use crate::{
    Outcome,
    group::Group,
    node::Node,
    options::{Mix, Options, Part},
    row::{Required, Row},
    said::now,
};

pub(crate) fn measure(mix: Mix, options: &Options, folder: &Path) -> Outcome<Vec<Row>> {
    let (times, nodes, span) = if options.is_quick { (1, 8, 4) } else { (5, 20, 40) };
    let mut group = Group::joined(mix, folder, 10)?;
    let once = once(&mut group, times)?;
    drop(group);
    let mut group = Group::joined(mix, folder, nodes)?;
    let again = over_and_over(&mut group, nodes / 5, Duration::from_secs(span))?;
    let row = |what, count: usize| Row {
        part: Part::Stop,
        mix,
        what,
        value: count.to_string(),
        required: Required::met("none", count == 0),
    };
    Ok(vec![
        row(format!("1 of 10 stopped for 3 s, {times} times: failed"), once),
        row(format!("{} of {nodes} stopped over and over: others", nodes / 5), again),
    ])
}

/// Stops one node after the other; tells how often anybody was held for failed.
fn once(group: &mut Group<'_>, times: usize) -> Outcome<usize> {
    for _ in 0..times {
        group.listen_for(Duration::from_millis(random_range(1000..2000)))?;
        let stopped = random_range(0..group.nodes.len());
        group.nodes[stopped].signal(Signal::STOP)?;
        group.listen_for(Duration::from_secs(3))?;
        group.nodes[stopped].signal(Signal::CONT)?;
    }
    group.listen_for(AFTER)?;
    Ok(group.failed.len())
}

/// Stops the first `count` for 4 s and lets them run for 0.1 s, again and again; tells how often one of
/// the others was held for failed.
fn over_and_over(group: &mut Group<'_>, count: usize, span: Duration) -> Outcome<usize> {
    group.listen_for(Duration::from_secs(2))?;
    let until = now() + span.as_micros() as u64;
    while now() < until {
        all(&group.nodes[..count], Signal::STOP)?;
        group.listen_for(Duration::from_secs(4))?;
        all(&group.nodes[..count], Signal::CONT)?;
        group.listen_for(Duration::from_millis(100))?;
    }
    group.listen_for(AFTER)?;
    let healthy: BTreeSet<NodeId> = group.nodes[count..].iter().filter_map(Node::node).collect();
    Ok(group.failed.iter().filter(|(node, ..)| healthy.contains(node)).count())
}

fn all(nodes: &[Node], signal: Signal) -> Outcome<()> {
    nodes.iter().try_for_each(|node| node.signal(signal))
}

/// How long what was said last may still come to something.
const AFTER: Duration = Duration::from_secs(4);

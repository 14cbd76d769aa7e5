//! How long it takes until all see all.

use std::path::Path;

use crate::{
    Outcome,
    group::{Group, PATIENCE},
    options::{Mix, Options, Part},
    row::{Required, Row},
    said::now,
};

pub(crate) fn measure(mix: Mix, options: &Options, folder: &Path) -> Outcome<Vec<Row>> {
    let (nodes, rounds) = if options.is_quick { (5, 1) } else { (10, 9) };
    let mut all = Vec::new();
    for order in [Order::Row, Order::Crowd] {
        let seconds: Outcome<Vec<f64>> =
            (0..rounds).map(|_| once(mix, folder, nodes, order)).collect();
        all.extend(rows(mix, nodes, order, seconds?, options));
    }
    Ok(all)
}

/// In which order nodes join.
#[derive(Clone, Copy)]
enum Order {
    /// One after the other, each once the last has met somebody.
    Row,
    /// All at once.
    Crowd,
}

/// Seconds from when the last one is told to join until all see all.
fn once(mix: Mix, folder: &Path, nodes: usize, order: Order) -> Outcome<f64> {
    let mut group = Group::start(mix, folder, nodes)?;
    let mut last = 0;
    for node in 1..nodes {
        last = now();
        match order {
            Order::Row => group.meet(node, node - 1)?,
            Order::Crowd => group.join(node, 0)?,
        }
    }
    group.wait("nodes did not join", PATIENCE, Group::is_whole)?;
    Ok(group.seen_last().saturating_sub(last) as f64 / 1e6)
}

fn rows(mix: Mix, nodes: usize, order: Order, seconds: Vec<f64>, options: &Options) -> [Row; 2] {
    let mut seconds = seconds;
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    let longest = seconds.last().copied().unwrap_or_default();
    let order = match order {
        Order::Row => "one after the other",
        Order::Crowd => "at once",
    };
    let row = |figure, value: f64, required| Row {
        part: Part::Join,
        mix,
        what: format!("{nodes} nodes {order}, {figure} of {}", seconds.len()),
        value: format!("{value:.3} s"),
        required,
    };
    [
        row("median", median, Required::time(0.5, median, "< 0.5 s", options)),
        row("longest", longest, Required::time(1.0, longest, "<= 1 s", options)),
    ]
}

//! How long it takes until all know that one has died.

use std::{path::Path, thread, time::Duration};

use rand::random_range;

use crate::{
    Outcome,
    group::{Group, PATIENCE},
    options::{Mix, Options, Part},
    row::{Required, Row},
};

pub(crate) fn measure(mix: Mix, options: &Options, folder: &Path) -> Outcome<Vec<Row>> {
    let (nodes, groups, kills) = if options.is_quick { (5, 2, 1) } else { (10, 4, 6) };
    let found: Outcome<Vec<Found>> = thread::scope(|scope| {
        let start = || scope.spawn(|| one_by_one(mix, folder, nodes, kills));
        let started: Vec<_> = (0..groups).map(|_| start()).collect();
        started.into_iter().map(|it| it.join().map_err(|_| "a cluster has panicked")?).collect()
    });
    Ok(rows(mix, nodes, &found?, options))
}

/// What was found out in one cluster.
struct Found {
    /// Seconds until the last has noticed, for each that was killed.
    seconds: Vec<f64>,
    /// How often somebody was held for failed who was not.
    false_alarms: usize,
}

fn one_by_one(mix: Mix, folder: &Path, nodes: usize, kills: usize) -> Outcome<Found> {
    let mut group = Group::joined(mix, folder, nodes)?;
    let (mut seconds, mut false_alarms) = (Vec::new(), 0);
    for _ in 0..kills {
        group.listen_for(Duration::from_millis(random_range(1000..3000)))?;
        let (killed, at) = group.kill(random_range(0..nodes))?;
        group.wait("a death was not noticed", PATIENCE, Group::is_whole)?;
        let noticed = group.failed.iter().filter(|(node, ..)| *node == killed);
        let last = noticed.map(|(_, at, _)| *at).max().ok_or("nobody noticed a death")?;
        seconds.push(last.saturating_sub(at) as f64 / 1e6);
        false_alarms += group.failed.drain(..).filter(|(node, ..)| *node != killed).count();
        let new = group.add_one()?;
        group.meet(new, random_range(0..new))?;
        group.wait("a node did not join", PATIENCE, Group::is_whole)?;
    }
    Ok(Found { seconds, false_alarms: false_alarms + group.failed.len() })
}

fn rows(mix: Mix, nodes: usize, found: &[Found], options: &Options) -> Vec<Row> {
    let seconds: Vec<f64> = found.iter().flat_map(|it| it.seconds.iter().copied()).collect();
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    let longest = seconds.iter().copied().fold(0.0, f64::max);
    let false_alarms: usize = found.iter().map(|it| it.false_alarms).sum();
    let row = |figure: &str, value, required| Row {
        part: Part::Kill,
        mix,
        what: format!("{nodes} nodes, {figure} of {} kills", seconds.len()),
        value,
        required,
    };
    let of_mean = Required::time(6.7, mean, "<= 6.7 s", options);
    let of_longest = Required::time(10.0, longest, "<= 10 s", options);
    let none = Required::met("none", false_alarms == 0);
    vec![
        row("mean", format!("{mean:.2} s"), of_mean),
        row("longest", format!("{longest:.2} s"), of_longest),
        row("false alarms", false_alarms.to_string(), none),
    ]
}

//! A run in words: what was done, and who noticed after how long.

use std::time::Duration;

use crate::nodes::{
    chart::{Chart, Curve, Kind, describe},
    log::What,
    node::name,
    report::Report,
};

/// A line for each step, and one for each change that others had to learn of.
#[must_use]
pub fn story(report: &Report) -> String {
    let chart = Chart::of(report);
    let mut lines: Vec<(Duration, String)> = Vec::new();
    for entry in &report.log {
        match &entry.what {
            What::Done(step) => {
                lines.extend(describe(step).map(|text| (entry.at, text)));
            }
            What::Skipped(step) => lines.push((entry.at, format!("skipped: {step:?}"))),
            _ => (),
        }
    }
    let healed = chart.marks.iter().filter_map(|mark| Some((mark.until?, mark)));
    lines.extend(healed.map(|(at, mark)| (at, format!("over: {}", mark.text))));
    lines.extend(chart.curves.iter().map(|curve| (curve.at, outcome(curve))));
    lines.sort_by_key(|(at, _)| *at);
    let line = |(at, line): (Duration, String)| format!("{:>9.3} s  {line}\n", at.as_secs_f64());
    lines.into_iter().map(line).collect()
}

fn outcome(curve: &Curve) -> String {
    let Curve { kind, who, at, known, others } = curve;
    let what = match kind {
        Kind::Came => "is there",
        Kind::Crashed => "has failed",
        Kind::Left => "has left",
    };
    let after = |when: &Duration| format!("{:.2} s", (*when - *at).as_secs_f64());
    let (Some((first, by)), Some((last, _))) = (known.first(), known.last()) else {
        return format!("    that {who} {what} is learnt by none of {others}");
    };
    format!(
        "    that {who} {what} is known to {} first, after {}; to {} of {others} after {}",
        name(by.slot),
        after(first),
        known.len(),
        after(last)
    )
}

//! A lane for each member: what the others hold of it, and when it runs.

use std::time::Duration;

use crate::nodes::{
    chart::{Counts, Lane},
    drawing::{
        ALIVE, FAILED, Frame, INK, LEFT, LEFT_COLOR, RIGHT, RULE, SUSPECTED, UNKNOWN, WIDTH, label,
        page::{Anchor, Page, Text},
    },
    log::End,
};

pub(crate) fn draw(page: &mut Page, frame: &Frame, lanes: &[Lane]) {
    for (number, lane) in lanes.iter().enumerate() {
        let (top, height) = (frame.lane(number), frame.lane - GAP);
        let look = Text { anchor: Anchor::End, size: 11.5, ..Text::default() };
        page.text(LEFT - 10.0, top + height / 2.0 + 4.0, &label(lane), look);
        held(page, frame, lane, (top, height - RUNS));
        lives(page, frame, lane, top + height - RUNS / 2.0);
        page.line((LEFT, top + height), (WIDTH - RIGHT, top + height), RULE, 0.5);
    }
}

fn held(page: &mut Page, frame: &Frame, lane: &Lane, (top, height): (f64, f64)) {
    let ends = lane.counts.iter().skip(1).map(|(at, _)| at.as_secs_f64()).chain([frame.seconds]);
    for ((from, counts), until) in lane.counts.iter().zip(ends) {
        let (x, end) = (frame.x(from.as_secs_f64()), frame.x(until));
        if end - x < 0.05 || counts.total() == 0 {
            continue;
        }
        stack(page, *counts, (x, end - x), (top, height));
    }
}

fn stack(page: &mut Page, counts: Counts, (x, width): (f64, f64), (top, height): (f64, f64)) {
    let mut y = top;
    for (count, color) in [
        (counts.unknown, UNKNOWN),
        (counts.left, LEFT_COLOR),
        (counts.failed, FAILED),
        (counts.suspected, SUSPECTED),
        (counts.alive, ALIVE),
    ] {
        let share = height * count as f64 / counts.total() as f64;
        if 0 < count && color != UNKNOWN {
            // A little wider, so that no seam shows between two.
            page.block(x, y, width + 0.3, share, color);
        }
        y += share;
    }
}

fn lives(page: &mut Page, frame: &Frame, lane: &Lane, y: f64) {
    for (from, ended) in &lane.lives {
        let at = |moment: Duration| frame.x(moment.as_secs_f64());
        let (x, end) = (at(*from), ended.map_or(frame.x(frame.seconds), |(end, _)| at(end)));
        page.line((x, y), (end, y), INK, 2.0);
        let is_early =
            ended.is_some_and(|(end, how)| how != End::Closed && end.as_secs_f64() < frame.seconds);
        if is_early {
            page.dot(end, y, INK);
        }
    }
}

/// Between two lanes.
const GAP: f64 = 4.0;
/// How high the line is that shows when a process runs.
const RUNS: f64 = 4.0;

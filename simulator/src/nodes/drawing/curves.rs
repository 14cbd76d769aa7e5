//! How fast the others learnt of each change.

use crate::nodes::{
    chart::{Curve, Kind},
    drawing::{
        CAME, CURVES, FAILED, Frame, LEFT, LEFT_COLOR, MUTED, RIGHT, RULE, WIDTH,
        page::{Anchor, Page, Text},
        width,
    },
};

pub(crate) fn draw(page: &mut Page, frame: &Frame, curves: &[Curve]) {
    if curves.is_empty() {
        return;
    }
    let top = frame.curves_begin();
    legend(page, top);
    scales(page, top);
    curves.iter().for_each(|curve| one(page, top, curve));
    let ends = |curve: &Curve| points(top, curve).last().copied().unwrap_or_default();
    let (dots, mut labels): (Vec<_>, _) = (curves.iter().map(ends).collect(), Vec::new());
    for curve in curves {
        let (x, y) = ends(curve);
        let place = free(&mut labels, &dots, x + AFTER, y + 4.0);
        page.text(x + AFTER, place, &curve.who, Text { size: 10.5, ..Text::default() });
    }
}

fn legend(page: &mut Page, top: f64) {
    const TITLE: &str = "Share of members that know, by time since it happened";
    page.text(LEFT, top - 22.0, TITLE, Text { weight: 600, ..Text::default() });
    let mut x = LEFT + width(TITLE, 12.0) + 60.0;
    for (kind, what) in
        [(Kind::Came, "a node came"), (Kind::Crashed, "a crash"), (Kind::Left, "a goodbye")]
    {
        page.line((x, top - 26.0), (x + 16.0, top - 26.0), color(kind), 2.0);
        page.text(x + 22.0, top - 22.0, what, Text::default());
        x += 40.0 + width(what, 12.0);
    }
}

fn scales(page: &mut Page, top: f64) {
    let look = Text { color: MUTED, size: 11.0, ..Text::default() };
    for (share, text) in [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")] {
        let y = height(top, share);
        page.line((LEFT, y), (WIDTH - RIGHT, y), RULE, 0.5);
        page.text(LEFT - 10.0, y + 4.0, text, Text { anchor: Anchor::End, ..look });
    }
    for (seconds, text) in [
        (0.001, "1 ms"),
        (0.01, "10 ms"),
        (0.1, "0.1 s"),
        (1.0, "1 s"),
        (10.0, "10 s"),
        (100.0, "100 s"),
    ] {
        let x = across(seconds);
        page.line((x, top), (x, top + CURVES + 5.0), RULE, 0.5);
        page.text(x, top + CURVES + 18.0, text, Text { anchor: Anchor::Middle, ..look });
    }
}

fn one(page: &mut Page, top: f64, curve: &Curve) {
    let points = points(top, curve);
    page.path(&points, color(curve.kind));
    points.last().iter().for_each(|(x, y)| page.dot(*x, *y, color(curve.kind)));
}

/// The steps of a curve.
fn points(top: f64, curve: &Curve) -> Vec<(f64, f64)> {
    let share = |count: usize| height(top, count as f64 / curve.others.max(1) as f64);
    let mut points = vec![(across(0.0), share(0))];
    for (count, (at, _)) in curve.known.iter().enumerate() {
        let x = across((*at - curve.at).as_secs_f64());
        points.extend([(x, share(count)), (x, share(count + 1))]);
    }
    points
}

/// Where so many seconds stand: times differ by orders of magnitude.
fn across(seconds: f64) -> f64 {
    let (first, last) = (SHORTEST.log10(), LONGEST.log10());
    let place = (seconds.clamp(SHORTEST, LONGEST).log10() - first) / (last - first);
    LEFT + (WIDTH - LEFT - RIGHT) * place
}

/// A place near this one, or below, where neither a label nor the end of another curve is.
fn free(labels: &mut Vec<(f64, f64)>, dots: &[(f64, f64)], x: f64, mut y: f64) -> f64 {
    let is_near = |at: f64, y: f64| (at - y).abs() < LINE;
    let is_taken = |y: f64, labels: &[(f64, f64)]| {
        labels.iter().any(|(other, at)| (other - x).abs() < LABEL && is_near(*at, y))
            || dots.iter().any(|(dot, at)| x - DOT < *dot && *dot < x + LABEL && is_near(*at, y))
    };
    while is_taken(y, labels) {
        y += LINE;
    }
    labels.push((x, y));
    y
}

fn height(top: f64, share: f64) -> f64 {
    top + CURVES * (1.0 - share)
}

fn color(kind: Kind) -> &'static str {
    match kind {
        Kind::Came => CAME,
        Kind::Crashed => FAILED,
        Kind::Left => LEFT_COLOR,
    }
}

/// The scale of times, in seconds.
const SHORTEST: f64 = 0.001;
const LONGEST: f64 = 100.0;
/// Between the end of a curve and its label.
const AFTER: f64 = 7.0;
const DOT: f64 = 3.5;
const LABEL: f64 = 26.0;
const LINE: f64 = 12.0;

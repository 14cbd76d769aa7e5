//! A run as a picture: a lane for each member, what was done to it, and how fast that was known.

mod curves;
mod lanes;
mod marks;
mod page;

use crate::nodes::{
    chart::{Chart, Lane},
    drawing::page::{Anchor, Page, Text},
    log::Cluster,
    report::Report,
    scenario::Scenario,
};

/// A run as a picture, in SVG.
#[must_use]
pub fn svg(report: &Report) -> String {
    let chart = Chart::of(report);
    let frame = Frame::new(&chart);
    let mut page = Page::new(WIDTH, frame.height());
    title(&mut page, report);
    legend(&mut page);
    marks::draw(&mut page, &frame, &chart.marks);
    lanes::draw(&mut page, &frame, &chart.lanes);
    axis(&mut page, &frame, frame.lanes_end());
    curves::draw(&mut page, &frame, &chart.curves);
    page.finish()
}

/// Where everything stands.
struct Frame {
    seconds: f64,
    lanes: usize,
    lane: f64,
    rows: usize,
    has_curves: bool,
}

impl Frame {
    fn new(chart: &Chart) -> Self {
        let lanes = chart.lanes.len();
        let lane = (LANES / lanes.max(1) as f64).clamp(16.0, 30.0);
        let seconds = chart.span.as_secs_f64().max(1.0);
        let mut frame =
            Self { seconds, lanes, lane, rows: 0, has_curves: !chart.curves.is_empty() };
        frame.rows = marks::rows(&frame, &chart.marks).into_iter().max().map_or(0, |row| row + 1);
        frame
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (seconds / self.seconds).clamp(0.0, 1.0)
    }

    fn lanes_begin(&self) -> f64 {
        HEAD + self.rows as f64 * ROW + 8.0
    }

    fn lanes_end(&self) -> f64 {
        self.lanes_begin() + self.lanes as f64 * self.lane
    }

    fn lane(&self, number: usize) -> f64 {
        self.lanes_begin() + number as f64 * self.lane
    }

    fn curves_begin(&self) -> f64 {
        self.lanes_end() + 72.0
    }

    fn height(&self) -> f64 {
        match self.has_curves {
            true => self.curves_begin() + CURVES + 48.0,
            false => self.lanes_end() + 48.0,
        }
    }
}

fn title(page: &mut Page, report: &Report) {
    let Scenario { name, seed, nodes, delivery, preset, .. } = &report.scenario;
    page.text(LEFT, 32.0, name, Text { size: 19.0, weight: 600, ..Text::default() });
    let about = format!(
        "{nodes} nodes · {} · {} preset · seed {seed} · {:.1} s of virtual time · {} messages",
        format!("{delivery:?}").to_lowercase(),
        format!("{preset:?}").to_lowercase(),
        report.span().as_secs_f64(),
        report.tally.sent,
    );
    page.text(LEFT, 52.0, &about, Text { color: MUTED, ..Text::default() });
}

fn legend(page: &mut Page) {
    let mut x = LEFT;
    for (color, what) in [
        (ALIVE, "alive"),
        (SUSPECTED, "suspected"),
        (FAILED, "failed"),
        (LEFT_COLOR, "left"),
        (UNKNOWN, "not known"),
    ] {
        page.bordered(x, 66.0, 14.0, 12.0, color);
        page.text(x + 20.0, 76.0, what, Text::default());
        x += 38.0 + width(what, 12.0);
    }
    page.line((x, 72.0), (x + 16.0, 72.0), INK, 3.0);
    page.text(x + 22.0, 76.0, "its process runs", Text::default());
    let note = "height: share of the other members that hold it so";
    let text = Text { color: MUTED, anchor: Anchor::End, ..Text::default() };
    page.text(WIDTH - RIGHT, 76.0, note, text);
}

fn axis(page: &mut Page, frame: &Frame, y: f64) {
    page.line((LEFT, y), (WIDTH - RIGHT, y), RULE, 1.0);
    let step = STEPS.into_iter().find(|step| frame.seconds / step <= 14.0).unwrap_or(600.0);
    let ticks = (frame.seconds / step) as u32;
    for tick in 0..=ticks {
        let (at, x) = (f64::from(tick) * step, frame.x(f64::from(tick) * step));
        page.line((x, y), (x, y + 5.0), RULE, 1.0);
        let text = Text { color: MUTED, anchor: Anchor::Middle, size: 11.0, ..Text::default() };
        page.text(x, y + 18.0, &format!("{at} s"), text);
    }
}

/// About how wide a text is.
fn width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.56
}

fn label(lane: &Lane) -> String {
    match lane.cluster {
        Cluster::Ours => lane.name.clone(),
        Cluster::Other => format!("{} (stranger)", lane.name),
    }
}

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 110.0;
const RIGHT: f64 = 32.0;
const HEAD: f64 = 96.0;
const ROW: f64 = 16.0;
/// How high all lanes together should be.
const LANES: f64 = 420.0;
/// How high the curves are.
const CURVES: f64 = 150.0;
const STEPS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0];

const PAPER: &str = "#fcfcfa";
const INK: &str = "#1f2933";
const MUTED: &str = "#5b6770";
const RULE: &str = "#c3cad1";
const SHADE: &str = "#8a6fb0";
// Colours that people with any kind of colour vision can tell apart (Okabe and Ito), and by lightness.
const ALIVE: &str = "#9ed3f0";
const SUSPECTED: &str = "#f0c419";
const FAILED: &str = "#c8500a";
const LEFT_COLOR: &str = "#8c959d";
const UNKNOWN: &str = "#ffffff";
const CAME: &str = "#0072b2";

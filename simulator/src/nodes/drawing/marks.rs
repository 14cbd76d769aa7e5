//! What was done to the cluster, above and behind the lanes.

use crate::nodes::{
    chart::Mark,
    drawing::{
        Frame, HEAD, MUTED, ROW, SHADE, WIDTH,
        page::{Page, Text},
        width,
    },
};

/// Marks shaded where they last, dashed where they happen at once, with labels that do not overlap.
pub(crate) fn draw(page: &mut Page, frame: &Frame, marks: &[Mark]) {
    let bottom = frame.lanes_end();
    for (mark, row) in marks.iter().zip(rows(frame, marks)) {
        let (x, y) = (frame.x(mark.at.as_secs_f64()), HEAD + row as f64 * ROW);
        if let Some(until) = mark.until {
            let end = frame.x(until.as_secs_f64());
            page.shade(x, y + 2.0, end - x, bottom - y - 2.0, SHADE);
        }
        page.dashes((x, y + 2.0), (x, bottom), MUTED);
    }
    // Above all lines.
    for (mark, row) in marks.iter().zip(rows(frame, marks)) {
        let (x, y) = (frame.x(mark.at.as_secs_f64()), HEAD + row as f64 * ROW);
        let look = Text { size: SIZE, color: MUTED, ..Text::default() };
        page.text(label_x(x, &mark.text), y + 12.0, &mark.text, look);
    }
}

/// The row of each mark's label: the first where there is room.
pub(crate) fn rows(frame: &Frame, marks: &[Mark]) -> Vec<usize> {
    let mut ends: Vec<f64> = Vec::new();
    let mut place = |mark: &Mark| {
        let x = label_x(frame.x(mark.at.as_secs_f64()), &mark.text);
        let row = ends.iter().position(|end| *end < x).unwrap_or(ends.len());
        if row == ends.len() {
            ends.push(0.0);
        }
        ends[row] = x + width(&mark.text, SIZE) + 12.0;
        row
    };
    marks.iter().map(&mut place).collect()
}

/// To the right of its line, unless it would leave the page.
fn label_x(x: f64, text: &str) -> f64 {
    (x + 4.0).min(WIDTH - 6.0 - width(text, SIZE))
}

const SIZE: f64 = 11.0;

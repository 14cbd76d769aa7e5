//! Where the play is shown: in a terminal, in a pipe, or as JSON.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use serde_json::json;

use super::{
    claim::{Claim, all_hold},
    happening::{FAILED, Happening, OK, seconds},
    paint::{Colours, Line, Paint},
    story::Story,
    table,
};
use crate::cli::{Error, Result};

/// Where the play is shown.
#[derive(Debug)]
pub(super) struct Screen {
    mode: Mode,
    began: u64,
    /// Lines of the table that stand in the terminal, right above the cursor.
    drawn: usize,
    has_legend: bool,
}

/// In which form it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// An object in each line.
    Json,
    /// A line for each happening, and the table where somebody asks for it.
    Lines { width: usize, colours: Colours },
    /// Lines above a table that is always up to date.
    Live { width: usize, colours: Colours },
}

/// What decides the form.
#[derive(Debug, Default)]
struct Surroundings {
    is_terminal: bool,
    /// Columns and lines, where they are known.
    size: Option<(usize, usize)>,
    columns: Option<String>,
    term: Option<String>,
    no_color: Option<String>,
}

impl Screen {
    /// Standard output, for the table of so many nodes; `began` is when the play did.
    pub(super) fn new(is_json: bool, nodes: usize, began: u64) -> Self {
        let mode = if is_json { Mode::Json } else { Surroundings::look().mode(nodes) };
        Self { mode, began, drawn: 0, has_legend: false }
    }

    /// Shows what has happened.
    pub(super) fn tell(&mut self, happening: &Happening, story: &Story) -> Result<()> {
        match self.mode {
            Mode::Json => self.write(&format!("{}\n", happening.to_value(self.began))),
            Mode::Lines { .. } => self.above(&lines(happening, self.began), None),
            Mode::Live { .. } if happening.is_news_beside_a_table() => {
                self.above(&lines(happening, self.began), Some(story))
            }
            Mode::Live { .. } => Ok(()),
        }
    }

    /// Brings the table up to date, where it stands.
    pub(super) fn refresh(&mut self, story: &Story) -> Result<()> {
        match self.mode {
            Mode::Live { .. } => self.above(&[], Some(story)),
            Mode::Json | Mode::Lines { .. } => Ok(()),
        }
    }

    /// Shows the table once, where it does not stand already.
    pub(super) fn pause(&mut self, story: &Story, at: u64) -> Result<()> {
        match self.mode {
            Mode::Json => {
                let members = table::to_value(story, seconds(at, self.began));
                self.write(&format!("{members}\n"))
            }
            Mode::Lines { .. } => {
                let legend = (!self.has_legend).then(table::legend);
                self.has_legend = true;
                let empty = Line::of(Paint::Plain, "");
                let lines = table::table(story).into_iter().chain(legend).chain([empty]);
                self.above(&lines.collect::<Vec<_>>(), None)
            }
            Mode::Live { .. } => self.refresh(story),
        }
    }

    /// Shows what came true, and what did not.
    pub(super) fn end(&mut self, claims: &[Claim], at: u64) -> Result<()> {
        let (held, took) = (claims.iter().filter(|it| it.holds).count(), seconds(at, self.began));
        if self.mode == Mode::Json {
            let (all, ok) = (claims.len(), all_hold(claims));
            let end = json!({ "what": "end", "at": took, "claims": all, "held": held, "ok": ok });
            return self.write(&format!("{end}\n"));
        }
        // What stands there stays, and this comes below.
        self.drawn = 0;
        let verdict = match all_hold(claims) {
            true => Line::of(Paint::Good, format!("all of it came true, in {took:.1} s")),
            false => {
                let false_ones = claims.len() - held;
                let text = format!("{false_ones} of {} did not come true", claims.len());
                Line::of(Paint::Bad, text)
            }
        };
        let rows = claims.iter().map(summed_up);
        let empty = Line::of(Paint::Plain, "");
        let head = format!("{:7}{:<28}{:<20}seen", "", "what was to be shown", "expected");
        let head = [empty.clone(), Line::of(Paint::Dim, head)];
        let all: Vec<_> = head.into_iter().chain(rows).chain([empty, verdict]).collect();
        self.above(&all, None)
    }

    /// Prints lines in place of the table, and the table below them.
    fn above(&mut self, lines: &[Line], story: Option<&Story>) -> Result<()> {
        let (Mode::Lines { width, colours } | Mode::Live { width, colours }) = self.mode else {
            return Ok(());
        };
        let mut text = match self.drawn {
            0 => String::new(),
            drawn => format!("\x1b[{drawn}A\r"),
        };
        let live = self.mode == Mode::Live { width, colours };
        // The rest of the line is what stood there before.
        let end = if live { "\x1b[K\n" } else { "\n" };
        let table = story.map(|story| table::table(story).into_iter().chain([table::legend()]));
        let table: Vec<_> = table.into_iter().flatten().collect();
        for line in lines.iter().chain(&table) {
            text.push_str(&line.render(width, colours));
            text.push_str(end);
        }
        if live {
            text.push_str("\x1b[J");
        }
        self.drawn = if live { table.len() } else { 0 };
        self.write(&text)
    }

    fn write(&self, text: &str) -> Result<()> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        written.map_err(|source| Error::Output { source })
    }
}

impl Surroundings {
    fn look() -> Self {
        let value = |name| env::var_os(name).map(|it| it.to_string_lossy().into_owned());
        Self {
            is_terminal: io::stdout().is_terminal(),
            size: size(),
            columns: value("COLUMNS"),
            term: value("TERM"),
            no_color: value("NO_COLOR"),
        }
    }

    fn mode(&self, nodes: usize) -> Mode {
        let columns = self.columns.as_ref().and_then(|it| it.parse().ok()).filter(|it| 0 < *it);
        let width = columns.or_else(|| Some(self.size?.0)).unwrap_or(WIDTH);
        let height = self.size.map_or(HEIGHT, |(_, lines)| lines);
        let can_steer = self.is_terminal && self.term.as_deref() != Some("dumb");
        let wants_colours = self.no_color.as_deref().unwrap_or_default().is_empty();
        let colours = if can_steer && wants_colours { Colours::Ansi } else { Colours::None };
        // A table that is higher than the terminal could not be drawn over.
        match can_steer && nodes + AROUND < height {
            true => Mode::Live { width, colours },
            false => Mode::Lines { width, colours },
        }
    }
}

/// Columns and lines of the terminal at standard output.
#[cfg(unix)]
fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    let size = (usize::from(size.ws_col), usize::from(size.ws_row));
    (0 < size.0 && 0 < size.1).then_some(size)
}

#[cfg(not(unix))]
fn size() -> Option<(usize, usize)> {
    None
}

fn lines(happening: &Happening, began: u64) -> Vec<Line> {
    let (text, paint) = match happening {
        Happening::Act { .. } | Happening::Opening { .. } => (Paint::Bold, Paint::Bold),
        Happening::Claim { claim, .. } if claim.holds => (Paint::Plain, Paint::Good),
        Happening::Claim { .. } => (Paint::Plain, Paint::Bad),
        _ => (Paint::Plain, Paint::Plain),
    };
    let at = seconds(happening.at(), began);
    let line = |(number, line): (usize, String)| {
        let time = if number == 0 { format!("{at:6.2}  ") } else { format!("{:8}", "") };
        // The verdict, or the name of the act.
        let (head, rest) = line.split_at_checked(OK.len().max(FAILED.len())).unwrap_or((&line, ""));
        Line::of(Paint::Dim, time).and(paint, head).and(text, rest)
    };
    happening.texts().into_iter().enumerate().map(line).collect()
}

fn summed_up(claim: &Claim) -> Line {
    let Claim { name, expected, seen, detail, holds } = claim;
    let (verdict, paint) = if *holds { (OK, Paint::Good) } else { (FAILED, Paint::Bad) };
    let seen = if *holds || detail.is_empty() { seen.clone() } else { format!("{seen}; {detail}") };
    Line::of(paint, format!("{verdict:<7}"))
        .and(Paint::Plain, format!("{name:<28}"))
        .and(Paint::Dim, format!("{expected:<19} "))
        .and(Paint::Plain, seen)
}

/// Where nobody says how wide and high it is.
const WIDTH: usize = 80;
const HEIGHT: usize = 24;
/// Lines of a table that are no node's, and what has to stand above it to be read.
const AROUND: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(change: impl FnOnce(&mut Surroundings)) -> Mode {
        let mut around = Surroundings { is_terminal: true, ..Surroundings::default() };
        change(&mut around);
        around.mode(6)
    }

    #[test]
    fn only_a_terminal_that_can_be_steered_has_a_live_table() {
        let (width, colours) = (80, Colours::Ansi);
        assert_eq!(mode(|_| ()), Mode::Live { width, colours });
        let plain = Mode::Lines { width, colours: Colours::None };
        assert_eq!(mode(|it| it.is_terminal = false), plain);
        assert_eq!(mode(|it| it.term = Some("dumb".into())), plain);
        let low = mode(|it| it.size = Some((80, 10)));
        assert_eq!(low, Mode::Lines { width, colours });
    }

    #[test]
    fn who_wants_no_colours_gets_none() {
        let colours = Colours::None;
        assert_eq!(mode(|it| it.no_color = Some("1".into())), Mode::Live { width: 80, colours });
        let kept = mode(|it| it.no_color = Some(String::new()));
        assert_eq!(kept, Mode::Live { width: 80, colours: Colours::Ansi });
    }

    #[test]
    fn the_width_is_what_the_environment_says_or_else_the_terminal() {
        let colours = Colours::Ansi;
        let sized = |columns: Option<&str>| {
            mode(|it| (it.size, it.columns) = (Some((100, 50)), columns.map(Into::into)))
        };
        assert_eq!(sized(None), Mode::Live { width: 100, colours });
        assert_eq!(sized(Some("60")), Mode::Live { width: 60, colours });
        assert_eq!(sized(Some("wide")), Mode::Live { width: 100, colours });
    }
}

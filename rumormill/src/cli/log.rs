//! What transports report by themselves, as messages of the program.

use std::{
    fmt::Debug,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::set_global_default,
};

use super::output;

/// Shows reports up to `max` from now on.
pub(crate) fn show(max: LevelFilter) {
    let shown = set_global_default(Log { max, second: Mutex::default() });
    shown.expect("invariant: this is called once, and by nobody else");
}

/// One of the levels, by name.
pub(crate) fn level(text: &str) -> Result<LevelFilter, String> {
    let level = LEVELS.iter().find(|(name, _)| *name == text);
    level.map(|(_, level)| *level).ok_or_else(|| {
        let names: Vec<_> = LEVELS.iter().map(|(name, _)| *name).collect();
        format!("write one of {}", names.join(", "))
    })
}

/// Reports as messages, one line each; spans are not followed.
struct Log {
    max: LevelFilter,
    second: Mutex<Second>,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.max
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.max)
    }

    fn event(&self, event: &Event<'_>) {
        let Some(left_out) = self.admit() else { return };
        if 0 < left_out {
            output::note(format_args!("{left_out} reports were left out"));
        }
        let metadata = event.metadata();
        let mut line = Line(format!("{} from {}:", metadata.level(), metadata.target()));
        event.record(&mut line);
        output::note(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Log {
    /// Whoever asks for details gets them all. Without asking, peers must not fill a disk.
    fn admit(&self) -> Option<u64> {
        match LevelFilter::WARN < self.max {
            true => Some(0),
            false => {
                let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
                second.admit(Instant::now())
            }
        }
    }
}

/// How many reports the current second had.
#[derive(Debug, Default)]
struct Second {
    began: Option<Instant>,
    shown: u32,
    left_out: u64,
}

impl Second {
    /// Whether there is room for another, and how many were left out since the last that had any.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| SECOND <= now - began) {
            (self.began, self.shown) = (Some(now), 0);
        }
        if self.shown < SHOWN {
            self.shown += 1;
            return Some(std::mem::take(&mut self.left_out));
        }
        self.left_out += 1;
        None
    }
}

/// A report in one line, as far as it is shown, with nothing in it that could steer a terminal.
struct Line(String);

impl Line {
    fn push(&mut self, text: &str) {
        let room = LONGEST.saturating_sub(self.0.len());
        self.0.push(' ');
        for letter in text.chars().take(room) {
            match letter {
                '"' | '\'' | '\\' => self.0.push(letter),
                _ => self.0.extend(letter.escape_debug()),
            }
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.push(&format!("{value:?}")),
            name => self.push(&format!("{name}={value:?}")),
        }
    }
}

const LEVELS: &[(&str, LevelFilter)] = &[
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];
const SECOND: Duration = Duration::from_secs(1);
/// Reports in a second, unless somebody asked for more than warnings.
const SHOWN: u32 = 10;
/// Bytes of a report, before what is not printable is written out.
const LONGEST: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_printable_line_of_bounded_length() {
        let mut line = Line("WARN from a:".into());
        line.push("it's \"quoted\"\n\u{1b}[2J\u{202e}é");
        assert_eq!(line.0, r#"WARN from a: it's "quoted"\n\u{1b}[2J\u{202e}é"#);
        for _ in 0..100 {
            line.push(&"\0".repeat(1 << 20));
        }
        assert!(line.0.len() < 10 * LONGEST, "{}", line.0.len());
    }

    #[test]
    fn a_flood_of_reports_is_cut_down_and_counted() {
        let (mut second, start) = (Second::default(), Instant::now());
        let mut admit = |millis| second.admit(start + Duration::from_millis(millis));
        assert!((0..10).all(|millis| admit(millis) == Some(0)));
        assert!((10..1000).all(|millis| admit(millis).is_none()));
        assert_eq!((admit(1000), admit(1001)), (Some(990), Some(0)));
    }

    #[test]
    fn levels_have_names() {
        assert_eq!(level("warn"), Ok(LevelFilter::WARN));
        assert!(level("Warn").is_err() && level("3").is_err());
    }
}

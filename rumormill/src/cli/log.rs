//! What transports report by themselves, as messages of the program.

use std::{
    fmt::Debug,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::{Map, Value};
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
    MAX.store(rank(max), Relaxed);
    let shown = set_global_default(Log { second: Mutex::default() });
    shown.expect("invariant: this is called once, and by nobody else");
}

/// Shows reports up to `max` from now on, though others were shown before.
#[cfg(feature = "node")]
pub(crate) fn change(max: LevelFilter) {
    if MAX.swap(rank(max), Relaxed) != rank(max) {
        // Each place that reports remembers whether anybody wants it.
        tracing::callsite::rebuild_interest_cache();
    }
}

/// One of the levels, by name.
pub(crate) fn level(text: &str) -> Result<LevelFilter, String> {
    // Their own reading of names takes numbers, too.
    let level = LEVELS.iter().find(|level| level.to_string() == text);
    level.copied().ok_or_else(|| {
        let names = LEVELS.map(|level| level.to_string());
        format!("write one of {}", names.join(", "))
    })
}

/// Reports as messages, one line each; spans are not followed.
struct Log {
    second: Mutex<Second>,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= max()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(max())
    }

    fn event(&self, event: &Event<'_>) {
        let Some(left_out) = self.admit() else { return };
        if 0 < left_out {
            output::note(format_args!("{left_out} reports were left out"));
        }
        match output::is_json() {
            true => output::object(fields_of(event)),
            false => output::note(line_of(event)),
        }
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
        match LevelFilter::WARN < max() {
            true => Some(0),
            false => {
                let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
                second.admit(Instant::now())
            }
        }
    }
}

/// The level up to which reports are shown.
fn max() -> LevelFilter {
    LEVELS.get(MAX.load(Relaxed)).copied().unwrap_or(LevelFilter::WARN)
}

/// The place of a level in the list.
fn rank(level: LevelFilter) -> usize {
    LEVELS.iter().take_while(|it| **it < level).count()
}

/// A report for people.
fn line_of(event: &Event<'_>) -> String {
    let metadata = event.metadata();
    let mut line = Line(format!("{} from {}:", metadata.level(), metadata.target()));
    event.record(&mut line);
    line.0
}

/// A report for programs.
fn fields_of(event: &Event<'_>) -> Map<String, Value> {
    let metadata = event.metadata();
    let mut fields = Fields { message: String::new(), others: Map::new(), room: LONGEST };
    event.record(&mut fields);
    let mut object = output::head(&metadata.level().as_str().to_ascii_lowercase());
    object.insert("target".into(), metadata.target().into());
    object.insert("message".into(), fields.message.into());
    // Below a name of their own, since they are called whatever a transport calls them.
    if !fields.others.is_empty() {
        object.insert("fields".into(), fields.others.into());
    }
    object
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

/// What a report says, as far as it is shown.
struct Fields {
    message: String,
    others: Map<String, Value>,
    room: usize,
}

impl Fields {
    fn take(&mut self, field: &Field, text: &str) {
        let text: String = text.chars().take(self.room).collect();
        self.room -= text.chars().count();
        match field.name() {
            "message" => self.message = text,
            name => drop(self.others.insert(name.into(), text.into())),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value);
    }
}

static MAX: AtomicUsize = AtomicUsize::new(0);
const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
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
        let names = ["off", "error", "warn", "info", "debug", "trace"];
        assert_eq!(names.map(level), LEVELS.map(Ok));
        assert_eq!(LEVELS.map(rank), [0, 1, 2, 3, 4, 5]);
        let refused = Err("write one of off, error, warn, info, debug, trace".into());
        assert_eq!(["Warn", "3"].map(level), [refused.clone(), refused]);
    }
}

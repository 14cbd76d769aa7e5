//! Where data and messages go.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use serde_json::{Map, Value};

use super::{Error, Result, date};

/// A line of data.
///
/// # Errors
/// [`Error::Output`]; `println!` would panic where a pipe is closed.
pub(crate) fn line(text: impl Display) -> Result<()> {
    writeln!(io::stdout().lock(), "{text}").map_err(|source| Error::Output { source })
}

/// A message to whoever runs the program. If nobody can read it, it is lost.
pub(crate) fn note(text: impl Display) {
    message("info", "", text);
}

/// What went wrong.
pub(crate) fn error(text: impl Display) {
    message("error", "error: ", text);
}

fn message(level: &str, mark: &str, text: impl Display) {
    if !is_json() {
        writeln!(io::stderr().lock(), "{mark}{text}").unwrap_or_default();
        return;
    }
    let mut fields = head(level);
    fields.insert("message".into(), text.to_string().into());
    object(fields);
}

/// Makes every message a JSON object in a line, from now on.
#[cfg(feature = "node")]
pub(crate) fn use_json(is_so: bool) {
    JSON.store(is_so, Relaxed);
}

/// Whether messages are JSON objects.
pub(crate) fn is_json() -> bool {
    JSON.load(Relaxed)
}

/// What every message in JSON begins with.
pub(crate) fn head(level: &str) -> Map<String, Value> {
    [("time", date::stamp()), ("level", level.into())]
        .map(|(name, text)| (name.to_owned(), Value::from(text)))
        .into_iter()
        .collect()
}

/// A message that consists of these fields.
pub(crate) fn object(fields: Map<String, Value>) {
    writeln!(io::stderr().lock(), "{}", in_line(&Value::Object(fields))).unwrap_or_default();
}

/// A value in one line, with nothing in it that could steer a terminal: what JSON leaves as it is of
/// that is escaped, too.
pub(crate) fn in_line(value: &Value) -> String {
    let mut line = String::new();
    for letter in value.to_string().chars() {
        match letter == '\u{7f}' || !letter.is_ascii() && letter.escape_debug().next() == Some('\\')
        {
            false => line.push(letter),
            // Such letters stand in texts alone, where this means the same.
            true => {
                let units = &mut [0; 2];
                let units = letter.encode_utf16(units).iter();
                units.for_each(|unit| line.push_str(&format!("\\u{unit:04x}")));
            }
        }
    }
    line
}

/// A message that the next one overwrites, if somebody is looking.
pub(crate) fn progress(text: impl Display) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        write!(stderr, "\r{text:<60}").unwrap_or_default();
    }
}

/// Removes what [`progress`] wrote.
pub(crate) fn end_progress() {
    progress("");
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        write!(stderr, "\r").unwrap_or_default();
    }
}

static JSON: AtomicBool = AtomicBool::new(false);

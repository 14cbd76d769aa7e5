//! A file in TOML.

use std::{
    fs::{self, File as Opened},
    io::Read,
    path::Path,
    sync::Arc,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    findings::Findings,
    key,
    kind::Kind,
    layer::Entry,
    place::{Layer, Origin, Place},
    problem::Fault,
    quantity::size_text,
    topic,
    written::{Form, Written},
};

/// The text of a file, and where its lines begin.
#[derive(Debug)]
pub(super) struct File {
    path: Arc<Path>,
    text: String,
    lines: Vec<usize>,
}

impl File {
    /// The text of a file; `None` if there is something against it, which is then found.
    pub(super) fn read(path: &Path, findings: &mut Findings) -> Option<Self> {
        let named = |line| Place {
            origin: Origin::File { path: path.into(), line },
            order: (Layer::File, 0),
        };
        let mut refuse = |line, problem: String| {
            findings.push(&named(line), "", None, Fault::Unreadable { problem: problem.into() });
        };
        let bytes = match bytes(path, LONGEST) {
            Ok(bytes) => bytes,
            Err(problem) => {
                refuse(0, problem);
                return None;
            }
        };
        match String::from_utf8(bytes) {
            Ok(text) => Some(Self::new(path, text)),
            Err(error) => {
                let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
                let line = 1 + before.filter(|byte| **byte == b'\n').count();
                refuse(line, "this is not UTF-8; save the file as UTF-8".into());
                None
            }
        }
    }

    fn new(path: &Path, text: String) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = [0].into_iter().chain(ends).collect();
        Self { path: path.into(), text, lines }
    }

    /// What it says, in its order; `None` if it is no TOML, which is then found.
    pub(super) fn entries<K: Kind>(&self, findings: &mut Findings) -> Option<Vec<Entry>> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        let (doubles, others): (Vec<_>, Vec<_>) =
            errors.iter().partition(|error| error.message() == "duplicate key");
        for error in doubles {
            if findings.are_full() {
                findings.count();
                continue;
            }
            let span = error.span().unwrap_or_default();
            let name = self.text.get(span.clone()).unwrap_or_default();
            let path = format!("{}.{name}", self.section_at(span.start));
            let path = key::shown(path.trim_start_matches('.'));
            findings.push(&self.place(span.start), path, None, Fault::Duplicate);
        }
        // What comes after the first mistake may be its consequence.
        let start = |error: &&toml::de::Error| error.span().map_or(0, |span| span.start);
        if let Some(error) = others.into_iter().min_by_key(start) {
            let problem = error.message().into();
            findings.push(&self.place(start(&error)), "", None, Fault::Syntax { problem });
            return None;
        }
        let mut entries = Vec::new();
        self.gather::<K>("", table.get_ref(), &mut entries);
        entries.sort_by_key(|entry| entry.place.order);
        Some(entries)
    }

    /// What stands in it before all dots: sections, and keys without one. None, if it is no TOML.
    #[cfg(feature = "broker")]
    pub(super) fn names(&self) -> Vec<String> {
        let (table, _) = DeTable::parse_recoverable(&self.text);
        table.get_ref().keys().map(|name| name.get_ref().to_string()).collect()
    }

    /// The section that this place of the text is in; empty if it is in a headline itself.
    fn section_at(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or_default();
        if before.rsplit('\n').next().is_some_and(|line| line.contains('[')) {
            return String::new();
        }
        match before.lines().rev().find_map(headline) {
            Some(Headline::Item(list)) => {
                let same = |line: &&str| headline(line) == Some(Headline::Item(list));
                format!("{list}[{}]", before.lines().filter(same).count() - 1)
            }
            Some(Headline::Section(name)) => name.into(),
            None => String::new(),
        }
    }

    fn gather<K: Kind>(&self, above: &str, table: &DeTable<'_>, into: &mut Vec<Entry>) {
        for (name, value) in table {
            let path = join(above, name.get_ref());
            match value.get_ref() {
                DeValue::Table(below) if key::is_section::<K>(&path) => {
                    self.gather::<K>(&path, below, into);
                }
                DeValue::Array(items) if topic::is_list(&path) && are_tables(items) => {
                    for (at, item) in items.iter().enumerate() {
                        self.gather_item::<K>(format!("{path}[{at}]"), item, into);
                    }
                }
                _ => into.push(self.entry(path, name.span().start, value)),
            }
        }
    }

    /// A table of a list: the item itself, and what is in it.
    fn gather_item<K: Kind>(
        &self,
        path: String,
        item: &Spanned<DeValue<'_>>,
        into: &mut Vec<Entry>,
    ) {
        into.push(self.entry(path.clone(), item.span().start, item));
        if let DeValue::Table(below) = item.get_ref() {
            self.gather::<K>(&path, below, into);
        }
    }

    fn entry(&self, path: String, named_at: usize, value: &Spanned<DeValue<'_>>) -> Entry {
        let written = Written::of(value);
        let items = match &written.form {
            Form::List(items) => items.iter().map(|item| self.place(item.at)).collect(),
            _ => Vec::new(),
        };
        let is_section = value.get_ref().is_table();
        // A table begins at its first key, which may be far from the name that is wrong.
        let place = self.place(named_at);
        Entry { path, place, items, written, is_section }
    }

    /// The place of what begins at this byte.
    pub(super) fn place(&self, at: usize) -> Place {
        let origin = Origin::File { path: self.path.clone(), line: self.line(at) };
        Place { origin, order: (Layer::File, at) }
    }

    fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }
}

/// What a file holds, if it holds at most so many bytes.
pub(super) fn bytes(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let failed = |error| format!("cannot be read: {error}");
    // Asked first, since opening a pipe would wait for whoever writes into it.
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err("is a directory; name a file in it".into());
    }
    if !metadata.is_file() {
        return Err("is no file; copy what it holds into one".into());
    }
    let mut bytes = Vec::new();
    let file = Opened::open(path).map_err(failed)?;
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    match most < bytes.len() {
        true => Err(format!("is longer than {}; name the right file", size_text(most))),
        false => Ok(bytes),
    }
}

fn are_tables(items: &[Spanned<DeValue<'_>>]) -> bool {
    items.iter().all(|item| item.get_ref().is_table())
}

/// What begins with a line.
#[derive(Debug, PartialEq, Eq)]
enum Headline<'a> {
    /// One more table of a list.
    Item(&'a str),
    Section(&'a str),
}

fn headline(line: &str) -> Option<Headline<'_>> {
    let name = line.trim().strip_prefix('[')?.strip_suffix(']')?;
    let list = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    match list {
        Some(list) => is_name(list).then_some(Headline::Item(list)),
        None => is_name(name).then_some(Headline::Section(name)),
    }
}

/// The path of a key; a part that could be taken for several is quoted, and so is none of ours.
fn join(above: &str, name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "_-+".contains(c);
    let name = match name.chars().all(is_bare) {
        true => name.into(),
        false => format!("\"{name}\""),
    };
    if above.is_empty() { name } else { format!("{above}.{name}") }
}

/// Bytes of a file that are read, at most: a list of 10,000 nodes, and no disk.
const LONGEST: usize = 1 << 20;

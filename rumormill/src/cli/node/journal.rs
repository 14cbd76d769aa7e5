//! Lines of data for a reader who may be slow, or gone: the node waits for neither.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use super::told::{Form, Told};
use crate::cli::output;

/// Standard output, which a thread of its own writes to.
#[derive(Debug)]
pub(super) struct Journal {
    form: Form,
    lines: Option<SyncSender<String>>,
    /// Bytes of lines that wait.
    waiting: Arc<AtomicUsize>,
    done: Receiver<()>,
    missed: u64,
    /// What was missed up to the end: told behind everything that waited.
    missed_last: Arc<AtomicU64>,
}

impl Journal {
    pub(super) fn of_stdout(form: Form) -> io::Result<Self> {
        Self::of(form, io::stdout())
    }

    fn of(form: Form, into: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, written) = sync_channel(MAX_LINES);
        let (end, done) = sync_channel(1);
        let waiting = Arc::<AtomicUsize>::default();
        let missed_last = Arc::<AtomicU64>::default();
        let (pending, last) = (waiting.clone(), missed_last.clone());
        thread::Builder::new().name("stdout".into()).spawn(move || {
            let mut into = into;
            let written = write_all(&written, &pending, &mut into);
            let missed = last.load(Relaxed);
            let written = written.and_then(|()| match missed {
                0 => Ok(()),
                _ => write(&mut into, &form.line(&Told::Missed(missed))),
            });
            if let Err(error) = written {
                output::note(format_args!("{}; the node goes on without it", why(&error)));
            }
            end.send(()).unwrap_or_default();
        })?;
        Ok(Self { form, lines: Some(lines), waiting, done, missed: 0, missed_last })
    }

    /// Has a line written; if too many wait already, it is left out and counted.
    pub(super) fn tell(&mut self, told: &Told<'_>) {
        if self.lines.is_none() {
            return;
        }
        if 0 < self.missed && self.push(self.form.line(&Told::Missed(self.missed))) {
            self.missed = 0;
        }
        if 0 < self.missed || !self.push(self.form.line(told)) {
            self.missed += 1;
        }
    }

    fn push(&mut self, line: String) -> bool {
        let len = line.len();
        let waiting = self.waiting.load(Relaxed);
        let Some(lines) = &self.lines else { return false };
        // One line of any length always has room.
        if 0 < waiting && MAX_BYTES < waiting.saturating_add(len) {
            return false;
        }
        self.waiting.fetch_add(len, Relaxed);
        match lines.try_send(line) {
            Ok(()) => true,
            Err(error) => {
                self.waiting.fetch_sub(len, Relaxed);
                if let TrySendError::Disconnected(_) = error {
                    self.lines = None;
                }
                false
            }
        }
    }

    /// Lets what waits be written, as far as the reader takes it in time.
    pub(super) fn close(mut self) {
        self.missed_last.store(self.missed, Relaxed);
        self.lines = None;
        self.done.recv_timeout(FAREWELL).unwrap_or_default();
    }
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::BrokenPipe => "standard output is closed".into(),
        _ => format!("writing to standard output failed: {error}"),
    }
}

/// Ends with the journal, or with the reader.
fn write_all(
    lines: &Receiver<String>,
    waiting: &AtomicUsize,
    into: &mut impl Write,
) -> io::Result<()> {
    lines.iter().try_for_each(|line| {
        waiting.fetch_sub(line.len(), Relaxed);
        write(into, &line)
    })
}

fn write(into: &mut impl Write, line: &str) -> io::Result<()> {
    writeln!(into, "{line}")?;
    into.flush()
}

/// Lines that wait at a time, and their bytes.
const MAX_LINES: usize = 1024;
const MAX_BYTES: usize = 16 << 20;
/// How long the last lines may take.
const FAREWELL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// A reader who takes a line for each permit.
    struct Slow(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.recv().map_err(|_| io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_slow_reader_is_told_how_many_lines_it_missed() {
        let (permit, permits) = sync_channel(4 * MAX_LINES);
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let mut journal = Journal::of(Form::Text, Slow(permits, text.clone())).unwrap();
        let sent = 2 * MAX_LINES as u64;
        (0..sent).for_each(|_| journal.tell(&Told::Ready));
        assert!(0 < journal.missed);
        (0..3 * MAX_LINES).for_each(|_| permit.send(()).unwrap());
        journal.close();
        let text = text.lock().unwrap();
        let text = String::from_utf8_lossy(&text);
        let shown = text.lines().filter(|line| *line == "ready").count() as u64;
        let missed = text.lines().last().and_then(|line| line.strip_prefix("missed "));
        let missed = missed.and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        assert_eq!(missed.map(|missed| missed + shown), Some(sent), "{text}");
    }

    #[test]
    fn a_reader_who_is_gone_stops_nothing() {
        let (permit, permits) = sync_channel(0);
        drop(permit);
        let mut journal = Journal::of(Form::Json, Slow(permits, Arc::default())).unwrap();
        (0..4 * MAX_LINES).for_each(|_| journal.tell(&Told::Ready));
        journal.close();
    }
}

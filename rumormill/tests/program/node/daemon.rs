//! A program that runs while what it says is waited for.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::running::{DEADLINE, Finished};

/// A program that is about to start.
pub(crate) struct Program(Command);

/// It, running; dropping it kills it.
pub(crate) struct Daemon {
    child: Child,
    out: Stream,
    err: Stream,
}

/// Lines that a program has written so far.
struct Stream {
    lines: Arc<Lines>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Lines {
    all: Mutex<Written>,
    more: Condvar,
}

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    /// Those that were waited for, by number.
    seen: BTreeSet<usize>,
    is_closed: bool,
}

impl Program {
    pub(crate) fn new() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rumormill"));
        command.arg("node");
        Self::of(command)
    }

    /// Another command of ours.
    pub(crate) fn command(name: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rumormill"));
        command.arg(name);
        Self::of(command)
    }

    /// Another program, which runs ours.
    pub(crate) fn of(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("NOTIFY_SOCKET").env_remove("RUMORMILL_CONFIG");
        Self(command)
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, text: &str) -> Self {
        self.0.env(name, text);
        self
    }

    /// Closes standard output before anything is written to it.
    pub(crate) fn without_reader(mut self) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        self.0.stdout(writer);
        self
    }

    pub(crate) fn start(mut self) -> Daemon {
        let mut child = self.0.spawn().expect("the program starts");
        let out = Stream::of(child.stdout.take());
        let err = Stream::of(child.stderr.take());
        Daemon { child, out, err }
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.all.lock().expect("nobody has panicked with them")
    }
}

impl Stream {
    fn of(source: Option<impl Read + Send + 'static>) -> Self {
        let lines = Arc::<Lines>::default();
        let Some(source) = source else { return Self { lines, reader: None } };
        let written = lines.clone();
        let reader = thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                written.lock().lines.push(line);
                written.more.notify_all();
            }
            written.lock().is_closed = true;
            written.more.notify_all();
        });
        Self { lines, reader: Some(reader) }
    }

    /// The next such line that was not waited for before, in whichever order they come.
    fn next(&self, is_it: impl Fn(&str) -> bool) -> Option<String> {
        let find = |written: &Written| {
            let lines = written.lines.iter().enumerate();
            let mut fresh = lines.filter(|(at, _)| !written.seen.contains(at));
            fresh.find(|(_, line)| is_it(line)).map(|(at, line)| (at, line.clone()))
        };
        let all = self.lines.lock();
        let is_open = |written: &mut Written| find(written).is_none() && !written.is_closed;
        let (mut all, _) = self
            .lines
            .more
            .wait_timeout_while(all, DEADLINE, is_open)
            .expect("nobody has panicked with them");
        let (at, line) = find(&all)?;
        all.seen.insert(at);
        Some(line)
    }

    /// Whether there will be no more.
    fn is_closed(&self) -> bool {
        self.lines.lock().is_closed
    }

    fn all(&self) -> Vec<String> {
        self.lines.lock().lines.clone()
    }
}

impl Daemon {
    /// Waits for this line of standard output.
    pub(crate) fn out(&self, line: &str) {
        self.out_with(|it| it == line);
    }

    /// Waits for such a line of standard output.
    pub(crate) fn out_with(&self, is_it: impl Fn(&str) -> bool) -> String {
        self.out.next(is_it).unwrap_or_else(|| self.fail())
    }

    /// Waits for such a line of standard error.
    pub(crate) fn err_with(&self, is_it: impl Fn(&str) -> bool) -> String {
        self.err.next(is_it).unwrap_or_else(|| self.fail())
    }

    /// Where it listens: the next address that it tells.
    pub(crate) fn address(&self) -> String {
        let line = self.out_with(|line| line.starts_with("listening on "));
        line.trim_start_matches("listening on ").into()
    }

    fn fail<T>(&self) -> T {
        panic!("no such line in {:#?} or {:#?}", self.out.all(), self.err.all())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program runs");
    }

    /// Ends it without a chance to do anything about it.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the program runs");
        self.child.wait().expect("the program can be waited for");
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Finished {
        // Its end closes standard error, whatever has become of standard output.
        self.err.next(|_| false);
        assert!(self.err.is_closed(), "the program goes on: {:#?}", self.err.all());
        let code = self.child.wait().expect("the program can be waited for").code();
        let readers = [self.out.reader.take(), self.err.reader.take()];
        let join = |reader: JoinHandle<()>| reader.join().expect("lines are read");
        readers.into_iter().flatten().for_each(join);
        let messages = self.err.all().join("\n");
        Finished { code, lines: self.out.all(), messages }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

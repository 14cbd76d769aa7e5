//! A run of the program.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// A run of the program; dropping it kills it.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    messages: Option<JoinHandle<String>>,
}

/// What is left of a run.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    /// Lines of standard output that were not read before.
    pub(crate) lines: Vec<String>,
    /// Standard error.
    pub(crate) messages: String,
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str]) -> Finished {
    Running::start(args).finish()
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rumormill"));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let (to, lines) = sync_channel(64);
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| to.send(line))
        });
        let messages = thread::spawn(move || {
            let mut text = String::new();
            BufReader::new(stderr).read_to_string(&mut text).expect("messages are UTF-8");
            text
        });
        Self { child, lines, messages: Some(messages) }
    }

    /// The next line of standard output.
    #[cfg(any(all(feature = "tcp", feature = "udp"), feature = "quic", feature = "tls"))]
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line in time")
    }

    #[cfg(all(
        unix,
        any(all(feature = "tcp", feature = "udp"), feature = "quic", feature = "tls")
    ))]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .expect("the program runs");
    }

    /// Waits for the end, which closes standard output.
    pub(crate) fn finish(mut self) -> Finished {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the program goes on after {lines:?}"),
            }
        }
        let code = self.child.wait().expect("the program can be waited for").code();
        let messages = self.messages.take().map(JoinHandle::join);
        let messages = messages.and_then(Result::ok).expect("messages are read");
        Finished { code, lines, messages }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

#[cfg(any(all(feature = "tcp", feature = "udp"), feature = "quic", feature = "tls"))]
impl Running {
    /// A `serve` on these addresses, and the addresses as bound.
    pub(crate) fn serve(args: &[&str]) -> (Self, Vec<String>) {
        let program = Self::start(&[&["serve"], args].concat());
        let addrs = args.iter().filter(|arg| arg.contains("://")).map(|_| {
            let line = program.line();
            line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned()
        });
        let addrs = addrs.collect();
        (program, addrs)
    }
}

/// More than a busy machine takes for anything here.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

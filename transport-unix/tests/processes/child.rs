//! This program again, with only one test in it, as a process that does what it is told.

use std::{
    future::ready,
    io::{BufRead, BufReader, Write},
    process::{ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use rumormill_transport_api::{Limits, Result, Server, Transport, serve};
use rumormill_transport_unix::Unix;
use rustix::{
    fs::Mode,
    process::{Pid, Signal, kill_process, umask},
};
use tokio::{
    io::{AsyncBufReadExt, stdin},
    runtime,
    signal::unix::{SignalKind, signal},
};

/// What a test starts processes of.
pub(crate) struct Program {
    test: &'static str,
}

impl Program {
    /// This program with only `test` in it. Where that is what runs already, it obeys until it is
    /// let go, and returns nothing.
    pub(crate) fn this(test: &'static str) -> Option<Self> {
        if std::env::var_os(CHILD).is_none() {
            return Some(Self { test });
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(obey());
        // The thread that reads standard input may be waiting still.
        runtime.shutdown_background();
        None
    }

    pub(crate) fn start(&self) -> Child {
        let program = std::env::current_exe().expect("the path of this program");
        let mut process = Command::new(program)
            .args([self.test, "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starting this program again");
        let commands = process.stdin.take().expect("its input");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let (send, answers) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(std::result::Result::ok) {
                let Some(answer) = line.strip_prefix(ANSWER) else { continue };
                if send.send(answer.to_owned()).is_err() {
                    return;
                }
            }
        });
        Child { process, commands, answers }
    }
}

/// A process that listens for us. Dropping it kills it.
pub(crate) struct Child {
    process: std::process::Child,
    commands: ChildStdin,
    /// They end with the process.
    answers: Receiver<String>,
}

impl Child {
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn ask(&mut self, command: &str, expected: &str) {
        self.tell(command);
        assert_eq!(self.answer(), expected, "the answer to '{command}'");
    }

    pub(crate) fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").expect("a process that takes commands");
    }

    pub(crate) fn answer(&mut self) -> String {
        self.answers.recv_timeout(PATIENCE).expect("an answer in time")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.id() as i32).expect("a process id");
        kill_process(pid, signal).expect("sending a signal");
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) {
        let more = self.answers.recv_timeout(PATIENCE);
        let ended = more == Err(std::sync::mpsc::RecvTimeoutError::Disconnected);
        assert!(ended, "the process goes on: {more:?}");
        self.process.wait().expect("the end of the process");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a program does that is to leave nothing behind: it ends by itself on SIGTERM and SIGINT.
async fn obey() {
    let mut lines = tokio::io::BufReader::new(stdin()).lines();
    let mut terminate = signal(SignalKind::terminate()).expect("a handler");
    let mut interrupt = signal(SignalKind::interrupt()).expect("a handler");
    let mut server = None;
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line.expect("reading commands"),
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
        };
        let Some(line) = line else { return stop(&mut server).await };
        answer(&carry_out(&line, &mut server).await);
    }
}

async fn carry_out(command: &str, server: &mut Option<Server>) -> String {
    match command.split_once(' ') {
        Some(("umask", mask)) => {
            let mask = u32::from_str_radix(mask, 8).expect("an octal mask");
            umask(Mode::from_raw_mode(mask as _));
            "done".into()
        }
        Some(("listen", addr)) => match listen(addr).await {
            Ok(listening) => {
                *server = Some(listening);
                "listening".into()
            }
            Err(error) => error.to_string(),
        },
        _ => {
            stop(server).await;
            "done".into()
        }
    }
}

async fn listen(addr: &str) -> Result<Server> {
    let listener = Unix::default().listen(&addr.parse()?).await?;
    Ok(serve(listener, Limits::default(), |_, message| ready(Some(message))))
}

async fn stop(server: &mut Option<Server>) {
    if let Some(server) = server.take() {
        server.stop(Duration::ZERO).await;
    }
}

/// Begins a line of its own: the harness may have left one unfinished.
fn answer(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "\n{ANSWER}{text}").and_then(|()| out.flush());
    written.expect("somebody who listens");
}

const CHILD: &str = "RUMORMILL_UNIX_CHILD";
const ANSWER: &str = "@ ";
const PATIENCE: Duration = Duration::from_secs(20);

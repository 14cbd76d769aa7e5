//! The other process: this program once more, which serves one run and tells how it went.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::{
    Outcome,
    case::{Case, Rival},
    meter::Tally,
    rivals,
};

/// A process that serves one run; it is killed when this is dropped.
pub(crate) struct Peer {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts this program with `args`, which make it talk to us by its standard streams.
    pub(crate) fn start(args: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let said = child.stdout.take().expect("invariant: its output is piped");
        Ok(Self { child, said: BufReader::new(said) })
    }

    /// The next line that it writes; empty if it has ended.
    pub(crate) fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        Ok(line.trim_end().into())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It has ended by itself, unless something went wrong that is reported elsewhere.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the started program does.
pub(crate) async fn run(args: &[String]) -> Outcome<()> {
    let [case, rival, dir] = args else { return Err("the peer takes three arguments".into()) };
    let case = Case::named(case).ok_or("the peer knows no such case")?;
    let rival = Rival::named(rival).ok_or("the peer knows no such rival")?;
    let tally: Tally = rivals::serve(case, rival, Path::new(dir), |addr| say(addr)).await?;
    say(&tally);
    Ok(())
}

/// Writes a line to whoever started this program.
pub(crate) fn say(line: &dyn std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    // Nobody is there to be told if this fails.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

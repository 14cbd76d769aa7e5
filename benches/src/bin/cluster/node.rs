//! A node in a process of its own.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::SyncSender,
    thread,
};

use rumormill_transport_api::NodeId;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    Outcome, member,
    options::Mix,
    said::{Said, What},
    usage::Usage,
};

/// A node in a process of its own, which is killed when this is dropped.
pub(crate) struct Node {
    child: Child,
    /// Its number, which no other has.
    pub(crate) number: usize,
    /// Who and where it is, once it has said that.
    pub(crate) place: Option<(NodeId, Vec<String>)>,
}

impl Node {
    /// Starts it; what it says goes into `said`.
    pub(crate) fn start(
        number: usize,
        mix: Mix,
        folder: &Path,
        said: SyncSender<Said>,
    ) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args([member::NAME, "benches"]).arg(folder).args(mix.addrs(number, folder));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().expect("invariant: its output is piped");
        thread::spawn(move || pass_on(number, stdout, &said));
        Ok(Self { child, number, place: None })
    }

    /// Who it is.
    pub(crate) fn node(&self) -> Option<NodeId> {
        self.place.as_ref().map(|(node, _)| *node)
    }

    /// Has it join whoever is at `addr`.
    pub(crate) fn join(&mut self, addr: &str) -> Outcome<()> {
        let stdin = self.child.stdin.as_mut().expect("invariant: its input is piped");
        Ok(writeln!(stdin, "{addr}")?)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Outcome<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    pub(crate) fn usage(&self) -> Outcome<Usage> {
        Usage::of(self.child.id())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pass_on(by: usize, stdout: ChildStdout, said: &SyncSender<Said>) {
    let lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let ended = Said { by, at: 0, what: What::Ended };
    let all = lines.filter_map(|line| Said::parse(by, &line)).chain([ended]);
    // Nobody listens any more once the cluster is gone.
    let _ = all.map(|it| said.send(it)).find(Result::is_err);
}

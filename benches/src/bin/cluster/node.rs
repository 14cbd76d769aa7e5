//! A node in a process of its own.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::SyncSender,
    thread,
    time::Duration,
};

use rumormill_transport_api::NodeId;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    Outcome, member,
    options::Mix,
    said::{Said, What},
};

/// A node in a process of its own, which is killed when this is dropped.
pub(crate) struct Node {
    child: Child,
    /// Its number, which no other has.
    pub(crate) number: usize,
    /// Who and where it is, once it has said that.
    pub(crate) place: Option<(NodeId, Vec<String>)>,
}

/// What a process has taken.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) resident: u64,
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
        let read = |file| fs::read_to_string(format!("/proc/{}/{file}", self.child.id()));
        let stat = read("stat")?;
        // The name of the program, in brackets, may hold anything; 13 and 14 fields are before it.
        let (_, fields) = stat.rsplit_once(") ").ok_or("stat is short")?;
        let ticks: u64 =
            fields.split(' ').skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum();
        let statm = read("statm")?;
        let pages: u64 = statm.split(' ').nth(1).ok_or("statm is short")?.parse()?;
        let second = rustix::param::clock_ticks_per_second();
        Ok(Usage {
            cpu: Duration::from_millis(1000 * ticks / second),
            resident: pages * rustix::param::page_size() as u64,
        })
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

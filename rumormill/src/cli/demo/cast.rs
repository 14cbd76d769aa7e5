//! The processes of the play, each of them this program once more.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use tokio::sync::mpsc;

use super::{
    MEMBER,
    order::Order,
    said::{Said, What, now},
};

/// The processes of the play. They are killed when this is dropped, and end by themselves when this
/// process does.
#[derive(Debug)]
pub(super) struct Cast {
    members: Vec<Option<Member>>,
    sender: mpsc::Sender<(usize, Said)>,
    said: mpsc::Receiver<(usize, Said)>,
}

#[derive(Debug)]
struct Member {
    child: Child,
    /// Its end is what tells the node to end.
    orders: Option<ChildStdin>,
}

impl Cast {
    /// Places for so many.
    pub(super) fn new(nodes: usize) -> Self {
        let (sender, said) = mpsc::channel(WAITING);
        Self { members: (0..nodes).map(|_| None).collect(), sender, said }
    }

    /// Starts a process; tells its number.
    pub(super) fn start(&mut self, at: usize) -> io::Result<u32> {
        let mut command = Command::new(env::current_exe()?);
        // What its transports report would tear the table; what it cannot go on for, it says.
        command.args(["--log", "off", MEMBER]).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-c is for this process, which then ends the others.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let (orders, said) = (child.stdin.take(), child.stdout.take());
        let pid = child.id();
        let sender = self.sender.clone();
        thread::spawn(move || said.map(|said| pass_on(at, said, &sender)));
        self.members[at] = Some(Member { child, orders });
        Ok(pid)
    }

    /// Tells a process something. That it has ended is told by what it says.
    pub(super) fn order(&mut self, at: usize, order: &Order) {
        let orders = self.members[at].as_mut().and_then(|member| member.orders.as_mut());
        if let Some(orders) = orders {
            writeln!(orders, "{}", order.to_line()).unwrap_or_default();
        }
    }

    /// Kills a process, as `kill -9` does; tells when.
    pub(super) fn kill(&mut self, at: usize) -> u64 {
        let killed = now();
        self.members[at] = None;
        killed
    }

    /// Tells all to end.
    pub(super) fn end(&mut self) {
        self.members.iter_mut().flatten().for_each(|member| member.orders = None);
    }

    /// What is said next, and by whom. Cancel-safe.
    pub(super) async fn recv(&mut self) -> Option<(usize, Said)> {
        self.said.recv().await
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

fn pass_on(by: usize, said: ChildStdout, to: &mpsc::Sender<(usize, Said)>) {
    let lines = BufReader::new(said).lines().map_while(Result::ok);
    let all = lines.map(|line| Said::parse(&line).unwrap_or_else(|| nonsense(&line)));
    let ended = Said { at: now(), what: What::Ended };
    // Nobody listens any more once the play is over.
    let _ = all.chain([ended]).map(|said| to.blocking_send((by, said))).find(Result::is_err);
}

fn nonsense(line: &str) -> Said {
    let line: String = line.chars().take(LONGEST).collect();
    Said::now(What::Trouble(format!("it says '{}'", line.escape_debug())))
}

/// What is said and waits; nodes that say more wait.
const WAITING: usize = 1024;
/// Letters of a line without sense that are shown.
const LONGEST: usize = 40;

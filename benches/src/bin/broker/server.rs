//! The brokers, each a process of its own that is gone when this program is.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use rumormill_transport_api::Addr;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::{Outcome, say};

/// A process that is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    said: BufReader<ChildStdout>,
}

/// nats-server.
pub(crate) struct Nats {
    pub(crate) server: Server,
    pub(crate) addr: SocketAddr,
}

/// rumormill's.
pub(crate) struct Ours {
    pub(crate) server: Server,
    pub(crate) tcp: Addr,
    pub(crate) unix: Addr,
}

impl Server {
    /// Starts this program once more, with `args`.
    pub(crate) fn start(args: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
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

    /// What it answers to an empty line.
    pub(crate) fn ask(&mut self) -> Outcome<String> {
        let stdin = self.child.stdin.as_mut().expect("invariant: its input is piped");
        writeln!(stdin)?;
        self.line()
    }

    /// The id of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Nats {
    /// Starts it on a port that is free; nothing if it is not installed.
    pub(crate) fn start(folder: &Path) -> Outcome<Option<Self>> {
        let mut server = Server::start(&[NATS, folder.to_str().ok_or("a strange folder")?])?;
        for _ in 0..200 {
            if server.child.try_wait()?.is_some() {
                let said = server.line()?;
                return if said == ABSENT { Ok(None) } else { Err("nats-server failed".into()) };
            }
            if let Some(addr) = its_addr(folder)? {
                return Ok(Some(Self { server, addr }));
            }
            thread::sleep(Duration::from_millis(25));
        }
        Err("nats-server does not listen".into())
    }
}

impl Ours {
    pub(crate) fn start(folder: &Path) -> Outcome<Self> {
        let unix = format!("unix://{}/broker.sock", folder.display());
        let mut server = Server::start(&[SERVE, "tcp://127.0.0.1:0", &unix])?;
        let tcp = server.line()?.parse()?;
        let unix = server.line()?.parse()?;
        Ok(Self { server, tcp, unix })
    }
}

/// Where it listens, once it has written that down.
fn its_addr(folder: &Path) -> Outcome<Option<SocketAddr>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "ports") {
            let text = fs::read_to_string(path)?;
            let addr = text.split('"').find_map(|part| part.strip_prefix("nats://"));
            return Ok(addr.and_then(|addr| addr.parse().ok()));
        }
    }
    Ok(None)
}

/// Becomes nats-server, which ends with whoever started this.
pub(crate) fn become_nats(args: &[String]) -> Outcome<()> {
    end_with_parent()?;
    let [folder] = args else { return Err("one argument".into()) };
    let error = Command::new("nats-server")
        .args(["--addr", "127.0.0.1", "--port", "-1", "--ports_file_dir", folder])
        .args(["--log", "/dev/null"])
        .exec();
    match error.kind() {
        io::ErrorKind::NotFound => say(&ABSENT),
        _ => Err(error.into()),
    }
}

/// Has the system end this process with the thread that has started it, however that ends.
pub(crate) fn end_with_parent() -> Outcome<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

pub(crate) const NATS: &str = "become-nats";
pub(crate) const SERVE: &str = "serve";
const ABSENT: &str = "not installed";

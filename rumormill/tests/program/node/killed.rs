//! Nodes that are killed at any moment, and started again at once as they were.

use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    daemon::{Daemon, Program},
    folder, listening,
};
use crate::keys::Key;

/// When a node is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Started,
    Listening,
    Ready,
    HasMet(usize),
}

/// A node that is the same at each start: key, addresses and administration.
struct Phoenix {
    folder: TempDir,
    key: Key,
    /// By which it joins.
    join: String,
    /// Addresses, of which the ports become known by the first start.
    listen: Vec<String>,
}

impl Phoenix {
    fn new(join: &str) -> Self {
        let (folder, key) = (folder(), Key::generate());
        let socket = format!("unix://{}/node.sock", folder.path().display());
        let listen = vec!["tcp://127.0.0.1:0".into(), "udp://127.0.0.1:0".into(), socket];
        let mut phoenix = Self { folder, key, join: join.into(), listen };
        let first = phoenix.start();
        phoenix.listen = phoenix.listen.iter().map(|_| first.address()).collect();
        first.kill();
        phoenix
    }

    fn start(&self) -> Daemon {
        let mut program = Program::new()
            .args(&["--cluster", "c", "--open", "--preset", "local", "--name", "phoenix"])
            .args(&["--identity", &self.key.file, "--join", &self.join])
            .args(&["--admin", &self.admin()]);
        for addr in &self.listen {
            program = program.args(&["--listen", addr]);
        }
        program.start()
    }

    /// Where it is administered, if this build can.
    fn admin(&self) -> String {
        match cfg!(feature = "admin") {
            true => self.folder.path().join("admin.sock").display().to_string(),
            false => "off".into(),
        }
    }

    fn kill_at(&self, moment: Moment) {
        let node = self.start();
        match moment {
            Moment::Started => (),
            Moment::Listening => {
                drop(self.listen.iter().map(|_| node.address()).collect::<Vec<_>>())
            }
            Moment::Ready => node.out("ready"),
            Moment::HasMet(others) => has_met(&node, others),
        }
        node.kill();
    }
}

fn has_met(node: &Daemon, others: usize) {
    for _ in 0..others {
        node.out_with(|line| line.starts_with("joined "));
    }
}

#[test]
fn a_node_that_is_killed_comes_back_as_it_was() {
    let (alice, addr) = listening("alice", "tcp://127.0.0.1:0");
    let carol = super::program().args(&["--name", "carol", "--join", &addr]);
    let carol = carol.args(&["--listen", "udp://127.0.0.1:0"]).start();
    has_met(&carol, 1);
    let phoenix = Phoenix::new(&addr);
    for moment in [
        Moment::Listening,
        Moment::Started,
        Moment::HasMet(1),
        Moment::Ready,
        Moment::HasMet(2),
        Moment::Listening,
    ] {
        phoenix.kill_at(moment);
        let again = phoenix.start();
        let listen: Vec<_> = phoenix.listen.iter().map(|_| again.address()).collect();
        assert_eq!(listen, phoenix.listen, "{moment:?}");
        has_met(&again, 2);
        again.kill();
    }
    let last = phoenix.start();
    has_met(&last, 2);
    last.signal(Signal::TERM);
    for other in [alice, carol] {
        other.out_with(|line| line.starts_with("left ") && line.ends_with(" \"phoenix\""));
    }
    assert_eq!(last.finish().code, Some(0));
    let left = |name: &str| Path::new(phoenix.folder.path()).join(name).exists();
    assert!(!left("node.sock") && !left("admin.sock"));
}

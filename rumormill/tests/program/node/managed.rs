//! A node and a service manager that speaks the protocol of `sd_notify`.

use std::{
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process,
};

use rustix::process::Signal;

use super::{folder, listening, program};
use crate::running::DEADLINE;

/// Who is told of a service.
struct Manager(UnixDatagram);

impl Manager {
    fn at(addr: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(addr).expect("a socket");
        socket.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        Self(socket)
    }

    /// What is told next, of what begins so.
    fn told(&self, beginning: &str) -> String {
        loop {
            let mut text = [0; 4096];
            let len = self.0.recv(&mut text).unwrap_or_else(|error| panic!("{beginning}: {error}"));
            let text = String::from_utf8_lossy(&text[..len]).into_owned();
            if text.starts_with(beginning) {
                return text;
            }
        }
    }
}

#[test]
fn a_manager_is_told_of_readiness_reloads_and_the_end() {
    let folder = folder();
    let socket = folder.path().join("notify");
    let file = folder.path().join("node.toml");
    std::fs::write(&file, "node.name = 'bob'").unwrap();
    let manager = Manager::at(&SocketAddr::from_pathname(&socket).unwrap());
    let (_alice, addr) = listening("alice", "tcp://127.0.0.1:0");
    let bob = program().args(&["--config", file.to_str().unwrap(), "--join", &addr]);
    let bob = bob.env("NOTIFY_SOCKET", socket.to_str().unwrap()).start();
    assert_eq!(manager.told("READY"), "READY=1");
    assert!(manager.told("STATUS").starts_with("STATUS=other members: "));
    bob.signal(Signal::HUP);
    let reloading = manager.told("RELOADING");
    let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("a moment");
    assert!(0 < micros.parse::<u64>().unwrap());
    assert_eq!(manager.told("READY"), "READY=1");
    bob.signal(Signal::TERM);
    assert!(manager.told("STOPPING").starts_with("STOPPING=1\n"));
    assert_eq!(bob.finish().code, Some(0));
}

#[test]
fn a_manager_without_a_file_gets_signs_of_life() {
    let name = format!("rumormill-test-{}", process::id());
    let manager = Manager::at(&SocketAddr::from_abstract_name(&name).unwrap());
    let node = program().env("NOTIFY_SOCKET", &format!("@{name}")).env("WATCHDOG_USEC", "20000");
    let _node = node.start();
    for _ in 0..3 {
        assert_eq!(manager.told("WATCHDOG"), "WATCHDOG=1");
    }
}

#[test]
fn who_cannot_join_yet_is_not_ready() {
    let folder = folder();
    let socket = folder.path().join("notify");
    let manager = Manager::at(&SocketAddr::from_pathname(&socket).unwrap());
    let nobody = format!("unix://{}/nobody.sock", folder.path().display());
    let node = program().args(&["--join", &nobody]).env("NOTIFY_SOCKET", socket.to_str().unwrap());
    let node = node.start();
    node.err_with(|line| line.starts_with("a fresh key"));
    node.signal(Signal::TERM);
    let end = [manager.told(""), node.finish().messages];
    assert!(end[0].starts_with("STOPPING=1\n"), "{end:?}");
}

#[test]
fn a_manager_that_is_not_there_stops_nothing() {
    for name in ["/nowhere/notify", "vsock:2:1234", "@"] {
        let node = program().env("NOTIFY_SOCKET", name).start();
        node.out("ready");
        node.signal(Signal::TERM);
        assert_eq!(node.finish().code, Some(0), "{name}");
    }
}

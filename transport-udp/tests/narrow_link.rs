//! Over a link that carries 1,500 bytes, and past a router: needs namespaces of the network, which
//! are not allowed everywhere.

#![cfg(target_os = "linux")]

mod support;

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use rumormill_transport_api::{Addr, Batch, Conn, Listener, Reader, Transport, Writer};
use rumormill_transport_udp::{Settings, Udp, UdpListener};
use support::{UdpConn, addr, counted, dial, is_cut, poll_once, recv, send, soon, until};
use tokio::{runtime::Runtime, task::JoinSet};

/// The program starts itself again inside of the namespaces, once on each side of the link.
#[test]
fn messages_of_any_length_pass_a_narrow_link() {
    match env::var(SIDE).as_deref() {
        Ok("near") => runtime().block_on(near()),
        Ok("far") => runtime().block_on(far()),
        _ => set_up(),
    }
}

fn set_up() {
    let exe = env::current_exe().expect("this program has a path");
    let mut command = Command::new("unshare");
    command.args(["-Urnm", "sh", "-ec", LINK]).env("EXE", exe).env(SIDE, "near");
    match command.output() {
        Ok(done) if done.status.success() => (),
        Ok(done) if done.status.code() == Some(FAILED) => panic!("{done:#?}"),
        Ok(done) => eprintln!("skipped: {}", String::from_utf8_lossy(&done.stderr)),
        Err(error) => eprintln!("skipped, as `unshare` is not there: {error}"),
    }
}

async fn near() {
    let far = Far::start();
    for offload in [true, false] {
        let settings = Settings { offload, ..Settings::default() };
        for (to, packet) in [(&far.v4, 1500 - 28), (&far.v6, 1500 - 48)] {
            let udp = Udp::new(settings);
            let mut conn = dial(&udp, to).await.expect("there is a way");
            check_packet(&mut conn, packet).await;
            check_lengths(&mut conn, packet).await;
            check_batches(&mut conn).await;
        }
    }
    check_answers(&far.v4).await;
    check_narrowing(&far).await;
}

/// Each side knows how wide the link is.
async fn check_packet(conn: &mut UdpConn, packet: usize) {
    assert_eq!(conn.info.caps.packet, packet);
    send(&mut conn.writer, b"packet?").await;
    assert_eq!(recv(&mut conn.reader).await, packet.to_string());
}

async fn check_lengths(conn: &mut UdpConn, packet: usize) {
    for len in [0, 1, packet, packet + 1, 9000, 65_507] {
        let message: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        send(&mut conn.writer, &message).await;
        assert!(recv(&mut conn.reader).await == message, "{len}");
    }
}

/// What goes together as well as what does not.
async fn check_batches(conn: &mut UdpConn) {
    for len in [64, 1200, 1452, 1460, 1500] {
        let expected: Vec<Bytes> =
            (0..20_u8).map(|n| vec![n; len - usize::from(n % 7 / 5)].into()).collect();
        soon(conn.writer.send(&mut Batch::from_iter(expected.clone()))).await.expect("sending");
        let mut echoed = Vec::new();
        while echoed.len() < expected.len() {
            soon(conn.reader.recv(&mut echoed)).await.expect("receiving");
        }
        assert!(echoed == expected, "{len}");
    }
}

/// That a host is not reached ends nothing and is counted; that there is no way at all does.
async fn check_answers(far: &Addr) {
    let (udp, counters) = counted(Settings::default());
    let mut lost = dial(&udp, &addr("udp://10.8.1.1:9")).await.expect("there is a way");
    assert_eq!(lost.info.caps.packet, 1200, "there is a router");
    let mut fine = dial(&udp, far).await.expect("there is a way");
    send(&mut lost.writer, b"anybody?").await;
    until(|| counters.messages_unsent.get() == 1).await;
    check_lengths(&mut fine, 1472).await;
    assert!(poll_once(lost.reader.recv(&mut Vec::new())).await.is_none());
    ip(&["route", "delete", "10.8.0.0/16"]);
    assert!(is_cut(soon(lost.writer.send(&mut ["any way?"].into_iter().collect())).await));
    check_lengths(&mut fine, 1472).await;
}

/// What does not go together any more goes one by one, and is split.
async fn check_narrowing(far: &Far) {
    for to in [&far.v4, &far.v6] {
        let mut conn = dial(&Udp::default(), to).await.expect("there is a way");
        for mtu in ["1400", "1500"] {
            ip(&["link", "set", "here", "mtu", mtu]);
            ip(&["-n", "there", "link", "set", "there", "mtu", mtu]);
            check_batches(&mut conn).await;
        }
    }
}

/// The other side of the link: it is ended when this is dropped.
struct Far {
    process: Child,
    v4: Addr,
    v6: Addr,
}

impl Far {
    fn start() -> Self {
        let exe = env::current_exe().expect("this program has a path");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", "there"]).arg(exe).args(["--nocapture"]);
        let mut process =
            command.env(SIDE, "far").stdout(Stdio::piped()).spawn().expect("the other side");
        let said = BufReader::new(process.stdout.take().expect("its output is piped"));
        let mut addrs = said.lines().map_while(Result::ok).filter_map(|line| {
            line.split_whitespace().find(|word| word.starts_with("udp://")).map(addr)
        });
        let mut next = || addrs.next().expect("the other side listens");
        Self { v4: next(), v6: next(), process }
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn far() {
    let (udp, mut servers) = (Udp::default(), JoinSet::new());
    for host in ["10.9.0.2", "[fd09::2]"] {
        let listener = udp.listen(&addr(&format!("udp://{host}:0"))).await.expect("listening");
        writeln!(io::stdout(), " {} ", listener.addr()).expect("this side reads");
        servers.spawn(serve(listener));
    }
    servers.join_all().await;
}

async fn serve(mut listener: UdpListener) {
    let mut conns = JoinSet::new();
    while let Ok(conn) = listener.accept().await {
        conns.spawn(echo(conn));
    }
}

async fn echo(conn: UdpConn) {
    let Conn { info, mut reader, mut writer } = conn;
    let (mut arrived, mut batch) = (Vec::new(), Batch::default());
    while reader.recv(&mut arrived).await.is_ok() {
        for message in arrived.drain(..) {
            match &*message {
                b"packet?" => batch.push(info.caps.packet.to_string()),
                _ => batch.push(message),
            }
        }
        writer.send(&mut batch).await.expect("sending");
    }
}

fn runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}

fn ip(args: &[&str]) {
    assert!(Command::new("ip").args(args).status().expect("ip was there before").success());
}

const SIDE: &str = "RUMORMILL_SIDE_OF_LINK";
/// How a program of tests ends when one failed.
const FAILED: i32 = 101;
/// `here`, a link, and `there`, beyond which one network is not reached.
const LINK: &str = r#"
mount -t tmpfs none /run
ip netns add there
ip link add here mtu 1500 type veth peer name there netns there
ip link set lo up
ip addr add 10.9.0.1/24 dev here
ip addr add fd09::1/64 dev here nodad
ip -n there addr add 10.9.0.2/24 dev there
ip -n there addr add fd09::2/64 dev there nodad
ip -n there link set there up
ip link set here up
ip netns exec there sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
ip -n there route add unreachable 10.8.1.0/24
ip route add 10.8.0.0/16 via 10.9.0.2
exec "$EXE" --nocapture
"#;

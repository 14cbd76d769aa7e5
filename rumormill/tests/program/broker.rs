//! `rumormill broker`, `pub`, `sub` and `topics`, as processes.

mod stopped;

use std::{fs, path::Path};

use rumormill::admin::{Client, Place};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    node::daemon::{Daemon, Program},
    running::{Finished, run},
};

/// What issues and users have.
const GIVEN: &str = include_str!("../../src/config/broker/tests/given.toml");
/// Files with a mistake each, and what is said of it.
const WRONG: &str = include_str!("../../src/config/broker/tests/wrong.txt");

/// A folder for the files of one broker.
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("a path in UTF-8").into()
    }

    fn write(&self, name: &str, text: &str) -> String {
        // At once, as a reload wants it.
        let (path, beside) = (self.path(name), self.path("beside"));
        fs::write(&beside, text).expect("a file");
        fs::rename(beside, &path).expect("a file in its place");
        path
    }

    /// A broker with its administration here, and where it listens.
    pub(super) fn broker(&self, args: &[&str]) -> (Daemon, String) {
        let admin = self.path("admin.sock");
        let broker = Program::command("broker").args(&["--admin", &admin]).args(args).start();
        broker.out("ready");
        let addr = broker.address();
        (broker, addr)
    }

    async fn ask(&self, path: &str) -> Value {
        let client = Client::new(Place::Socket(self.path("admin.sock").into()));
        client.get_json(path).await.expect("an answer")
    }
}

/// A subscriber that is subscribed.
fn subscriber(from: &str, args: &[&str]) -> Daemon {
    let sub = Program::command("sub").args(args).args(&["--from", from]).start();
    sub.err_with(|line| line.starts_with("subscribed to "));
    sub
}

fn publish(to: &str, args: &[&str]) -> Finished {
    run(&[&["pub"], args, &["--to", to]].concat())
}

fn stop(broker: Daemon) -> Finished {
    broker.signal(Signal::TERM);
    broker.finish()
}

#[test]
fn the_file_of_the_requirement_runs_unchanged() {
    let folder = Folder::new();
    let file = folder.write("broker.toml", GIVEN);
    let checked = run(&["config", "check", &file]);
    assert_eq!((checked.code, &*checked.messages), (Some(0), "the configuration is valid\n"));
    // What is printed is a file of the same meaning.
    let printed = run(&["config", "print", &file]).lines.join("\n");
    let again = folder.write("again.toml", &printed);
    let same = run(&["config", "check", &again, "--against", &file]);
    assert_eq!(same.messages, "nothing is different\n", "{printed}");

    // Its places may be taken on this machine.
    let socket = format!("server.socket_path={}", folder.path("broker.sock"));
    let set = ["--set", "server.bind_address=127.0.0.1:0", "--set", &socket];
    let broker = Program::command("broker").args(&["--config", &file, "--admin", "off"]);
    let broker = broker.args(&set).start();
    let (tcp, unix) = (broker.address(), broker.address());
    assert!(tcp.starts_with("tcp://127.0.0.1:") && unix.starts_with("unix:///"), "{tcp} {unix}");
    broker.out("ready");
    assert_eq!(publish(&unix, &["tasks", "one", "--ack"]).code, Some(0));
    let sub = subscriber(&tcp, &["tasks", "--count", "1"]).finish();
    assert_eq!((sub.code, sub.lines), (Some(0), vec!["one".into()]));
    let stopped = stop(broker);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
}

#[test]
fn messages_go_from_shell_to_shell() {
    let folder = Folder::new();
    let unix = format!("unix://{}", folder.path("broker.sock"));
    let args = ["--listen", "tcp://127.0.0.1:0", "--listen", &unix, "--topic", "events"];
    let broker = Program::command("broker").args(&["--admin", "off"]).args(&args).start();
    let addrs = [broker.address(), broker.address()];
    for (to, from) in [(0, 1), (1, 0)].map(|(to, from)| (&addrs[to], &addrs[from])) {
        let json = subscriber(from, &["events", "--json", "--count", "3"]);
        let plain = subscriber(from, &["events", "-n", "3"]);
        let published = publish(to, &["events", "it's\u{7}", "--count", "3", "--ack"]);
        assert_eq!(published.code, Some(0), "{published:?}");
        assert!(published.messages.contains("of which queued: 3, the last for 2 subscribers"));
        assert_eq!(plain.finish().lines, ["it's\u{7}"; 3]);
        let lines = json.finish().lines;
        let said: Vec<Value> =
            lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(said.len(), 3);
        assert!(said.iter().all(|it| it["topic"] == "events" && it["text"] == "it's\u{7}"));
    }
    let refused = publish(&addrs[0], &["evnts", "x", "--ack"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.messages.contains("evnts: 1 messages refused: there is no such topic"),
        "{refused:?}"
    );
    let refused = run(&["sub", "evnts", "--from", &addrs[0]]);
    assert_eq!(refused.code, Some(1));
    let expected = "error: cannot subscribe to evnts: the broker refused: there is no such topic\n";
    assert_eq!(refused.messages, expected);
    let sub = subscriber(&addrs[0], &["events"]);
    assert_eq!(stop(broker).code, Some(0));
    // It waits for the broker to come back.
    sub.err_with(|line| line.starts_with("the broker is lost: "));
    sub.signal(Signal::TERM);
    assert_eq!(sub.finish().code, Some(0));
}

#[test]
fn a_reload_changes_topics_while_messages_go_on() {
    let folder = Folder::new();
    let topics = |more: &str| {
        format!("server.listen = [\"tcp://127.0.0.1:0\"]\n[[topics]]\nname = \"a\"\n{more}")
    };
    let file = folder.write("broker.toml", &topics("[[topics]]\nname = \"gone\"\n"));
    let (broker, addr) = folder.broker(&["--config", &file]);
    let addr = &addr;
    let (stays, goes) = (subscriber(addr, &["a"]), subscriber(addr, &["gone"]));
    assert_eq!(publish(addr, &["a", "before", "--ack"]).code, Some(0));
    stays.out("before");

    folder.write("broker.toml", &topics("buffer_size = 7\n[[topics]]\nname = \"new\"\n"));
    broker.signal(Signal::HUP);
    for line in [
        "reloaded: topics.a.buffer_size: 65536 -> 7",
        "reloaded: topics.gone: \"fanout\" -> none",
        "reloaded: topics.new: none -> \"fanout\"",
    ] {
        broker.err_with(|it| it == line);
    }
    goes.err_with(|line| line == "gone has ended: the topic was removed");
    assert_eq!(goes.finish().code, Some(1));
    assert_eq!(publish(addr, &["new", "x", "--ack"]).code, Some(0));
    assert_eq!(publish(addr, &["a", "after", "--ack"]).code, Some(0));
    stays.out("after");

    // A broken file, found without a signal.
    folder.write("broker.toml", &topics("bufer_size = 7\n"));
    broker.err_with(|line| {
        line.ends_with(
            "broker.toml:4: topics[0].bufer_size is not known; did you mean buffer_size?",
        )
    });
    broker.err_with(|line| line == "error: nothing was changed");
    folder.write("broker.toml", &topics("routing = \"queue\"\n[[topics]]\nname = \"new\"\n"));
    broker.signal(Signal::HUP);
    let needs = "nothing was changed: topics.a.routing can change only with a restart";
    broker.err_with(|line| line.ends_with(needs));
    assert_eq!(publish(addr, &["a", "still", "--ack"]).code, Some(0));
    stays.out("still");
    drop(stays);
    stop(broker);
}

#[test]
fn each_wrong_topic_is_told_with_line_and_key() {
    let folder = Folder::new();
    for case in WRONG.split("\n---\n") {
        let text: Vec<_> = case.lines().filter(|line| !line.starts_with("! ")).collect();
        let file = folder.write("broker.toml", &text.join("\n"));
        let refused = run(&["broker", "--config", &file, "--admin", "off"]);
        assert_eq!(refused.code, Some(2), "{case}\n{refused:?}");
        assert!(refused.lines.is_empty(), "{refused:?}");
        let said = refused.messages.replace(&format!("{file}:"), "");
        let expected = case.lines().filter_map(|line| line.strip_prefix("! "));
        let expected: Vec<_> = expected.map(|line| format!("error: {line}")).collect();
        assert!(said.lines().eq(expected.iter().map(String::as_str)), "{said}\n{expected:#?}");
    }
}

#[test]
fn what_cannot_start_says_why() {
    let folder = Folder::new();
    let refused = run(&["broker", "--admin", "off"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.messages.contains("topics is not set; add a table [[topics]]"), "{refused:?}");
    assert!(refused.messages.contains("try `rumormill broker --topic events`"), "{refused:?}");
    let refused = run(&["broker", "--topic", "a", "--topic", "b:quue", "--admin", "off"]);
    assert_eq!(refused.code, Some(2));
    let expected =
        "error: --topic: topics[1].routing is \"quue\"; write one of \"fanout\", \"queue\"\n";
    assert_eq!(refused.messages, expected);

    use std::os::unix::fs::PermissionsExt;
    let open = folder.path("open");
    fs::create_dir(&open).expect("a folder");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("its mode");
    let set = format!("server.socket_path={open}/a.sock");
    let refused = run(&["broker", "--topic", "a", "--set", &set, "--admin", "off"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.messages.contains("where others can write (mode 0777)"), "{refused:?}");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).expect("its mode");
    let broker = Program::command("broker").args(&["--topic", "a", "--set", &set]);
    let broker = broker.args(&["--admin", "off"]).start();
    broker.out("ready");
    assert!(Path::new(&format!("{open}/a.sock")).exists());
    assert_eq!(stop(broker).code, Some(0));
    assert!(!Path::new(&format!("{open}/a.sock")).exists());
}

#[tokio::test]
async fn what_goes_through_can_be_asked() {
    let folder = Folder::new();
    let args = ["--listen", "tcp://127.0.0.1:0", "--topic", "events", "--topic", "tasks:queue"];
    let (broker, addr) = folder.broker(&args);
    let sub = subscriber(&addr, &["events"]);
    assert_eq!(publish(&addr, &["events", "x", "--count", "5", "--ack"]).code, Some(0));
    assert_eq!(publish(&addr, &["tasks", "y", "--ack"]).code, Some(0));

    let topics = folder.ask("/topics").await;
    assert_eq!((&topics[0]["topic"], &topics[1]["topic"]), (&"events".into(), &"tasks".into()));
    assert_eq!(topics[0]["published"]["messages"], 5, "{topics}");
    assert_eq!((&topics[0]["subscribers"], &topics[1]["routing"]), (&1.into(), &"queue".into()));
    assert_eq!(topics[1]["queued"]["messages"], 1);
    let conns = folder.ask("/conns").await;
    assert_eq!(conns[0]["subscriptions"], 1, "{conns}");
    let client = Client::new(Place::Socket(folder.path("admin.sock").into()));
    assert_eq!(client.get("/healthz").await.expect("it is there"), "ok\n");
    assert_eq!(client.get("/readyz").await.expect("it is ready"), "ready\n");
    let page = client.get("/metrics").await.expect("a page");
    let page = String::from_utf8_lossy(&page);
    for series in [
        "rumormill_topic_published_messages_total{topic=\"events\"} 5",
        "rumormill_topic_queued_messages{topic=\"tasks\"} 1",
        "rumormill_topic_subscribers{topic=\"events\"} 1",
        "rumormill_broker_routing_seconds_count ",
        "rumormill_ready 1",
    ] {
        assert!(page.contains(series), "{series}\n{page}");
    }
    let missing = client.get("/members").await.expect_err("it is no node").to_string();
    assert!(missing.starts_with("this is a broker, and no node of a cluster"), "{missing}");

    let place = folder.path("admin.sock");
    let shown = run(&["topics", "--admin", &place, "--once"]);
    assert_eq!(shown.lines.len(), 3, "{shown:?}");
    assert!(
        shown.lines[1].starts_with("events               fanout      1          5 "),
        "{shown:?}"
    );
    let dry = client.post_json("/reload?dry_run=true", "").await.expect("an answer");
    assert_eq!(dry["changed"], serde_json::json!([]));
    // The queue's message is nobody's.
    let left = client.post_json("/leave", "").await.expect("it stops");
    assert_eq!(left["left"][0]["state"], "held", "{left}");
    drop(sub);
    let stopped = broker.finish();
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    let told = "left in tasks: 1 messages, numbers ";
    assert!(stopped.messages.contains(told), "{stopped:?}");
}

#[test]
fn how_fast_it_is_can_be_measured() {
    let folder = Folder::new();
    let (broker, addr) = folder.broker(&["--listen", "tcp://127.0.0.1:0", "--topic", "a"]);
    let bench = ["bench", "--broker", &*addr, "--topic", "a", "--subscribers", "2"];
    let measured = run(&[&bench[..], &["--seconds", "0.5", "--size", "64", "--json"]].concat());
    assert_eq!(measured.code, Some(0), "{measured:?}");
    let found: Value = serde_json::from_str(&measured.lines.concat()).expect("JSON");
    assert!(found["deliveries_per_second"].as_f64() > Some(0.0), "{found}");
    assert!(found["latency"]["count"].as_u64() > Some(0), "{found}");
    assert_eq!(run(&["bench", "--broker", &addr]).code, Some(2));
    assert_eq!(stop(broker).code, Some(0));
}

//! Commands that ask a running node.

use std::{fs, path::PathBuf};

use rumormill::{
    Node,
    config::{self, Admission, Config, Loaded, Preset},
    endpoint::Inbox,
    gossip::Heard,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use crate::running::{DEADLINE, Finished, Running, run};

/// A node that is administered.
pub(crate) struct Administered {
    pub(crate) node: Node,
    pub(crate) inbox: Inbox,
    pub(crate) socket: PathBuf,
    pub(crate) directory: TempDir,
}

impl Administered {
    /// One with this name, which joins another one or nobody.
    pub(crate) async fn start(name: &str, join: Option<&Node>) -> Self {
        Self::start_with(name, join, |_, _| ()).await
    }

    pub(crate) async fn start_with(
        name: &str,
        join: Option<&Node>,
        adapt: impl FnOnce(&mut Config, &TempDir),
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("admin.sock");
        let mut config = Config {
            listen: vec!["tcp://127.0.0.1:0".parse().expect("an address")],
            join: join.map(Node::addresses).unwrap_or_default(),
            admin: config::Admin { socket: Some(socket.clone()), ..config::Admin::default() },
            ..Config::preset("administered", Admission::Open, Preset::Local)
        };
        config.node.name = name.into();
        adapt(&mut config, &directory);
        let (node, inbox) = Node::start(config).await.expect("a node");
        timeout(DEADLINE, node.ready()).await.expect("in time");
        if let Some(other) = join {
            let met = other.wait_for(|members| !members.is_empty());
            timeout(DEADLINE, met).await.expect("in time");
        }
        Self { node, inbox, socket, directory }
    }

    /// Runs a command about it.
    async fn run(&self, args: &[&str]) -> Finished {
        ask(args, self.socket.to_str().expect("a path in ASCII")).await
    }
}

/// Runs a command about the node there.
async fn ask(args: &[&str], place: &str) -> Finished {
    let args: Vec<String> =
        args.iter().chain(&["--admin", place]).map(|arg| (*arg).into()).collect();
    let run = spawn_blocking(move || run(&args.iter().map(String::as_str).collect::<Vec<_>>()));
    run.await.expect("a run to its end")
}

async fn pair() -> (Administered, Administered) {
    let first = Administered::start("first", None).await;
    let second = Administered::start("second", Some(&first.node)).await;
    (first, second)
}

/// Answers questions with what they ask.
fn echo(node: Node, mut inbox: Inbox) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(message) = inbox.recv().await {
            node.reply(&message, message.bytes.clone()).expect("room for an answer");
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn members_and_status_are_pages_for_people_and_json_for_programs() {
    let (first, second) = pair().await;
    let table = first.run(&["members"]).await;
    assert_eq!((table.code, table.lines.len()), (Some(0), 3), "{table:?}");
    assert!(table.lines.iter().all(|line| line.chars().count() <= 80), "{table:?}");
    assert!(table.lines.iter().any(|line| line.contains("alive*") && line.contains("first")));
    let json = first.run(&["members", "--json"]).await;
    let members: Value = serde_json::from_str(&json.lines.concat()).unwrap();
    let ids = [&members[0], &members[1]].map(|member| member["node"].as_str().unwrap().to_owned());
    assert!(
        ids.contains(&first.node.id().to_string()) && ids.contains(&second.node.id().to_string())
    );
    let status = first.run(&["status"]).await;
    assert_eq!(status.code, Some(0), "{status:?}");
    assert!(status.lines.iter().any(|line| line.contains("1 alive, 0 suspected")), "{status:?}");
    let metrics = first.run(&["status", "--metrics"]).await;
    assert!(metrics.lines.contains(&"rumormill_members{standing=\"alive\"} 1".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_broadcasts_others_hear_and_see_as_events() {
    let (first, second) = pair().await;
    let socket = second.socket.to_str().unwrap().to_owned();
    let events = spawn_blocking(move || {
        let events = Running::start(&["events", "--json", "--admin", &socket]);
        let head: Value = serde_json::from_str(&events.line()).unwrap();
        assert_eq!(head["event"], "node");
        events
    });
    let events = events.await.unwrap();
    let mut rumors = second.node.rumors();
    let said = first.run(&["broadcast", "caf\u{e9} \u{1b}[2J"]).await;
    assert_eq!((said.code, &*said.lines), (Some(0), &[format!("{} 1", first.node.id())][..]));
    let heard = timeout(DEADLINE, rumors.recv()).await.unwrap();
    assert!(matches!(heard, Some(Heard::Rumor(rumor)) if rumor.bytes == "caf\u{e9} \u{1b}[2J"));
    let rumor = spawn_blocking(move || {
        loop {
            let line = events.line();
            assert!(!line.contains('\u{1b}'));
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["event"] == "rumor" {
                return value;
            }
        }
    });
    let rumor = rumor.await.unwrap();
    assert_eq!(rumor["payload"]["text"], "caf\u{e9} \u{1b}[2J");
    assert_eq!(rumor["origin"], first.node.id().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_told_and_asked_by_id_by_its_beginning_and_by_name() {
    let (first, mut second) = pair().await;
    let id = second.node.id().to_string();
    for to in [&id, &id[..13], "second"] {
        let sent = first.run(&["send", to, "hello"]).await;
        assert_eq!((sent.code, sent.lines.len()), (Some(0), 0), "{sent:?}");
        assert!(sent.messages.contains(&id), "{sent:?}");
        let message = timeout(DEADLINE, second.inbox.recv()).await.unwrap().unwrap();
        assert_eq!((message.from, &*message.bytes), (first.node.id(), &b"hello"[..]));
    }
    let echo = echo(second.node.clone(), second.inbox);
    let answer = first.run(&["request", "second", "are you there?"]).await;
    assert_eq!((answer.code, &*answer.lines), (Some(0), &["are you there?".to_owned()][..]));
    echo.abort();
    for (to, code, expected) in [
        (&id[..12], 2, "write at least 8 characters"),
        ("first", 2, "this very node"),
        ("third", 1, "no member is called 'third'"),
        (&*id.replace("node1", "node1q"), 1, "no member is called"),
    ] {
        let refused = first.run(&["send", to, "hello"]).await;
        assert_eq!(refused.code, Some(code), "{to}: {refused:?}");
        assert!(refused.messages.contains(expected), "{to}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_says_how_far_and_is_gone() {
    let (first, second) = pair().await;
    let socket = second.socket.to_str().unwrap().to_owned();
    let events = spawn_blocking(move || {
        let events = Running::start(&["events", "--admin", &socket]);
        assert!(events.line().contains("of cluster 'administered'"));
        events
    });
    let events = events.await.unwrap();
    let left = second.run(&["leave"]).await;
    let expected = "the node has left; 1 of 1 members have confirmed it";
    assert_eq!((left.code, &*left.lines), (Some(0), &[expected.to_owned()][..]), "{left:?}");
    timeout(DEADLINE, second.node.left()).await.unwrap();
    assert!(!second.socket.exists());
    let events = spawn_blocking(|| events.finish()).await.unwrap();
    assert_eq!(events.code, Some(0), "{events:?}");
    assert!(events.lines.last().unwrap().ends_with("the node has left"), "{events:?}");
    let gone = second.run(&["members"]).await;
    assert_eq!((gone.code, gone.lines.len()), (Some(1), 0));
    assert!(gone.messages.contains("is `rumormill node` running there?"), "{gone:?}");
    assert_eq!(fs::read_dir(second.directory.path()).unwrap().count(), 0);
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tcp_only_whoever_knows_the_token_is_answered() {
    let node = Administered::start_with("tcp", None, by_tcp).await;
    let place = format!("tcp://{}", node.node.admin_tcp().unwrap());
    let without = ask(&["members"], &place).await;
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(without.messages.contains("needs a token; name its file by --token"), "{without:?}");
    let path = node.directory.path().join("token");
    let good = ask(&["members", "--token", path.to_str().unwrap()], &place).await;
    assert_eq!((good.code, good.lines.len()), (Some(0), 2), "{good:?}");
    let other = node.directory.path().join("other");
    write_private(&other, "0123456789abcdef-tokem");
    let wrong = ask(&["members", "--token", other.to_str().unwrap()], &place).await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.messages.contains("say who you are"), "{wrong:?}");

    // Another token takes the place of the first without a restart.
    write_private(&path, "0123456789abcdef-tokem");
    let loaded = Loaded::of(node.node.config(), &rumormill::registry().unwrap()).unwrap();
    node.node.reload(&loaded).await.unwrap();
    let good = ask(&["members", "--token", other.to_str().unwrap()], &place).await;
    assert_eq!(good.code, Some(0), "{good:?}");
}

/// Has a node listen by TCP for whoever knows the token.
pub(crate) fn by_tcp(config: &mut Config, directory: &TempDir) {
    let path = directory.path().join("token");
    write_private(&path, TOKEN);
    config.admin.tcp = Some("127.0.0.1:0".parse().expect("an address"));
    config.admin.token = Some(path);
}

fn write_private(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;

    fs::write(path, text).expect("a file");
    let own = fs::Permissions::from_mode(0o600);
    fs::set_permissions(path, own).expect("its owner's file");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_says_where_its_node_is() {
    let node = Administered::start("configured", None).await;
    let file = node.directory.path().join("node.toml");
    let text = format!(
        "admission = \"open\"\n[node]\ncluster = \"administered\"\n[admin]\nsocket = {:?}\n",
        node.socket
    );
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let found = spawn_blocking(move || run(&["members", "--config", &file])).await.unwrap();
    assert_eq!((found.code, found.lines.len()), (Some(0), 2), "{found:?}");
    let reload = node.run(&["reload"]).await;
    assert_eq!(reload.code, Some(1), "{reload:?}");
    assert!(reload.messages.contains("does not read its configuration again"), "{reload:?}");
}

#[test]
fn a_place_that_is_none_exits_with_2_and_an_empty_one_with_1() {
    for place in ["", "http://localhost:1", "tcp://localhost", "tcp://localhost:70000"] {
        let refused = run(&["members", "--admin", place]);
        assert_eq!((refused.code, refused.lines.len()), (Some(2), 0), "{place}: {refused:?}");
        assert!(refused.messages.contains("tcp://HOST:PORT"), "{refused:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("nowhere.sock");
    for command in ["members", "status", "events", "leave", "reload"] {
        let nobody = run(&[command, "--admin", nowhere.to_str().unwrap()]);
        assert_eq!((nobody.code, nobody.lines.len()), (Some(1), 0), "{command}: {nobody:?}");
        assert!(nobody.messages.contains("no node answers at "), "{nobody:?}");
    }
}

#[test]
fn help_has_an_example() {
    let asking = ["members", "events", "broadcast", "send", "request", "leave", "status", "reload"];
    for command in asking {
        let help = run(&[command, "--help"]);
        let example = format!("Example: rumormill {command}");
        assert!(help.lines.iter().any(|line| line.starts_with(&example)), "{help:?}");
    }
    let page = run(&["status", "--reference"]);
    assert!(page.lines.iter().eq(include_str!("../../../docs/metrics.md").lines()));
}

pub(crate) const TOKEN: &str = "0123456789abcdef-token";

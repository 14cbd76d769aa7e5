//! The administration of a stand-in, and of a node that knows nobody, over real sockets.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rumormill_endpoint::{RequestError, SendError};
use rumormill_gossip::{
    BroadcastError, Event, JoinError, MemberInfo, RumorId, Rumors, Standing, Version,
};
use rumormill_transport_api::{Addr, NodeId};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::broadcast, task::JoinSet, time::timeout};

use super::{
    Admin, Client, ClientError, Place,
    subject::{About, Subject},
};
use crate::{
    Node, config,
    config::{Admission, Config, Token},
    node::{Farewell, Metrics},
};

/// A node that knows nobody, with members and events that are made up.
#[derive(Clone)]
struct Puppet {
    node: Node,
    members: Arc<Vec<MemberInfo>>,
    events: broadcast::Sender<Event>,
}

impl Subject for Puppet {
    fn about(&self) -> About {
        Subject::about(&self.node)
    }

    fn members(&self) -> Vec<MemberInfo> {
        self.members.to_vec()
    }

    fn metrics(&self) -> Metrics {
        self.node.metrics()
    }

    fn token(&self) -> Option<Token> {
        None
    }

    fn longest(&self) -> usize {
        1000
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn rumors(&self) -> Option<Rumors> {
        None
    }

    async fn broadcast(&self, bytes: Bytes) -> Result<RumorId, BroadcastError> {
        match &*bytes {
            b"full" => Err(BroadcastError::Full { wait: Duration::from_millis(1500) }),
            _ => self.node.broadcast(bytes).await,
        }
    }

    fn send(&self, to: NodeId, _: Bytes) -> Result<(), SendError> {
        match self.members.iter().any(|member| member.node == to) {
            true => Ok(()),
            false => Err(SendError::UnknownPeer),
        }
    }

    async fn request(
        &self,
        _: NodeId,
        bytes: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, RequestError> {
        match &*bytes {
            b"wait" => timeout(deadline, std::future::pending())
                .await
                .unwrap_or(Err(RequestError::Uncertain)),
            _ => Ok(bytes),
        }
    }

    async fn join(&self, addr: &Addr) -> Result<NodeId, JoinError> {
        self.node.join(addr).await
    }

    async fn leave(&self) -> Farewell {
        self.node.leave().await
    }
}

/// A stand-in, and its administration.
struct Stage {
    puppet: Puppet,
    admin: Admin,
    client: Client,
    socket: PathBuf,
    _directory: TempDir,
}

impl Stage {
    async fn with(members: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("admin.sock");
        let (node, _inbox) = Node::start(Config::new("admin", Admission::Open)).await.unwrap();
        let members = Arc::new((0..members).map(member).collect());
        let puppet = Puppet { node, members, events: broadcast::Sender::new(64) };
        let told = config::Admin { socket: Some(socket.clone()), ..config::Admin::default() };
        let subject = puppet.clone();
        let admin = Admin::start(move || Some(subject.clone()), &told).await.unwrap();
        let client = Client::new(Place::Socket(socket.clone())).with_deadline(DEADLINE);
        Self { puppet, admin, client, socket, _directory: directory }
    }

    async fn refused(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let body = body.to_owned();
        let answer = match method {
            "GET" => self.client.get(path).await,
            _ => self.client.post(path, body).await,
        };
        match answer {
            Err(ClientError::Refused { status, text }) => (status, text),
            other => panic!("{method} {path}: {other:?}"),
        }
    }
}

fn member(number: usize) -> MemberInfo {
    let mut id = [7; 32];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    MemberInfo {
        node: NodeId(id),
        name: format!("member {number}").into(),
        addresses: ["tcp://10.0.0.1:7946", "udp://10.0.0.1:7946"]
            .map(|addr| addr.parse().unwrap())
            .into(),
        standing: Standing::Alive,
        metadata: Some(Bytes::from_static(b"\x1b[2J")),
        version: Version { epoch: 1_700_000_000_000, n: 1 },
    }
}

fn event(lines: Bytes) -> Value {
    serde_json::from_slice(&lines).unwrap()
}

#[tokio::test]
async fn what_can_be_asked_is_answered() {
    let stage = Stage::with(3).await;
    let Stage { client, puppet, .. } = &stage;
    assert_eq!(client.get("/healthz").await.unwrap(), "ok\n");
    assert_eq!(client.get("/readyz").await.is_ok(), puppet.node.is_ready());
    let node = client.get_json("/node").await.unwrap();
    assert_eq!(
        (&node["node"], &node["cluster"]),
        (&json!(puppet.node.id().to_string()), &json!("admin"))
    );
    assert_eq!(client.get_json("/status").await.unwrap()["members"]["alive"], 0);
    let page = client.get("/metrics").await.unwrap();
    let page = std::str::from_utf8(&page).unwrap();
    assert!(page.contains("\nrumormill_ready ") && page.contains("\nrumormill_admin_conns 1\n"));
    let rumor = client.post_json("/broadcast", "hello").await.unwrap();
    assert_eq!((&rumor["number"], &rumor["origin"]), (&json!(1), &node["node"]));
    let sent = client.post_json("/send?to=member%201", "hello").await.unwrap();
    assert_eq!((&sent["to"], &sent["bytes"]), (&json!(member(1).node.to_string()), &json!(5)));
    let bytes: &[u8] = b"\0\xff\x1b";
    assert_eq!(client.post("/request?to=member%202", bytes).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_thousand_members_are_told_by_id_with_the_node_among_them() {
    let stage = Stage::with(1000).await;
    let raw = stage.client.get("/members").await.unwrap();
    assert!(!raw[..raw.len() - 1].iter().any(u8::is_ascii_control), "it steers no terminal");
    let members: Value = serde_json::from_slice(&raw).unwrap();
    let ids: Vec<NodeId> = members
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["node"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(ids.len() == 1001 && ids.is_sorted());
    let own: Vec<_> = members.as_array().unwrap().iter().filter(|it| it["self"] == true).collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0]["node"], stage.puppet.node.id().to_string());
    assert_eq!(members[0]["metadata"], json!({ "text": "\u{1b}[2J" }));
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_its_status_and_a_way_out() {
    let stage = Stage::with(3).await;
    let (unknown, long, huge) = (NodeId([9; 32]), "x".repeat(1001), "x".repeat(8 << 20));
    for (method, path, body, status, expected) in [
        ("GET", "/nothing", "", 404, "there are GET /healthz, "),
        ("POST", "/members", "", 405, "takes GET"),
        ("GET", "/leave", "", 405, "takes POST"),
        ("POST", "/send", "", 400, "to is missing"),
        ("POST", "/send?to=nobody", "", 404, "no member is called 'nobody'"),
        ("POST", &*format!("/send?to={unknown}"), "", 404, "no such member is known"),
        ("POST", "/request?to=member%200&deadline=1ms", "wait", 504, "no answer came in time"),
        ("POST", "/broadcast", "full", 429, "try again in 1.5s"),
        ("POST", "/broadcast", &long, 413, "1000 bytes, which is the limit"),
        ("POST", "/broadcast", &huge, 413, "1000 bytes, which is the limit"),
        ("POST", "/members", &huge, 405, "takes GET"),
        ("POST", "/join?addr=carrier-pigeon://roof", "", 502, "carrier-pigeon"),
        ("POST", "/reload", "", 501, "does not read its configuration again"),
    ] {
        let (found, text) = stage.refused(method, path, body).await;
        assert_eq!(found, status, "{method} {path}: {text}");
        assert!(text.contains(expected), "{method} {path}: {text}");
    }
}

#[tokio::test]
async fn a_program_that_lends_itself_reloads() {
    let stage = Stage::with(0).await;
    let mut asked = stage.admin.hooks().reloads();
    let program = async {
        let reload = asked.recv().await.unwrap();
        assert!(reload.is_dry_run);
        let (key, from, to) = ("join".into(), None, Some(config::Value::Number("7".into())));
        reload.answer.send(Ok(vec![config::Difference { key, from, to }])).unwrap();
        let reload = asked.recv().await.unwrap();
        assert!(!reload.is_dry_run);
        reload.answer.send(Err("node.toml:3: gossip.packet is 9\nand more".into())).unwrap();
    };
    let asking = async {
        let told = stage.client.post_json("/reload?dry_run=true", "").await.unwrap();
        let changed = json!([{ "key": "join", "from": null, "to": "7" }]);
        assert_eq!(told, json!({ "dry_run": true, "changed": changed }));
        let (status, text) = stage.refused("POST", "/reload", "").await;
        assert_eq!((status, &*text), (409, "node.toml:3: gossip.packet is 9\nand more"));
    };
    tokio::join!(program, asking);
    drop(asked);
    assert_eq!(stage.refused("POST", "/reload", "").await.0, 501);
}

#[tokio::test]
async fn a_stream_tells_who_what_and_the_end() {
    let mut stage = Stage::with(1).await;
    let mut lines = stage.client.follow("/events").await.unwrap();
    let head = event(lines.next().await.unwrap());
    assert_eq!((&head["event"], &head["cluster"]), (&json!("node"), &json!("admin")));
    assert!(head["at_ms"].is_u64());
    stage.puppet.events.send(Event::Joined(member(0).node)).unwrap();
    assert_eq!(event(lines.next().await.unwrap())["event"], "joined");
    stage.admin.hooks().mirror(&rumormill_endpoint::Message {
        from: member(0).node,
        via: Arc::new("tcp://10.0.0.1:1".parse().unwrap()),
        bytes: Bytes::from(vec![b'x'; 100_000]),
        question: Some(1),
    });
    let message = event(lines.next().await.unwrap());
    assert_eq!((&message["event"], &message["bytes"]), (&json!("message"), &json!(100_000)));
    assert_eq!(message["payload"]["text"].as_str().map(str::len), Some(64 << 10));
    stage.admin.end();
    assert_eq!(event(lines.next().await.unwrap())["event"], "end");
    assert_eq!(lines.next().await, None);
    stage.admin.ended().await;
}

#[tokio::test]
async fn a_slow_reader_misses_the_oldest_and_is_told_how_many() {
    let stage = Stage::with(0).await;
    let mut lines = stage.client.follow("/events").await.unwrap();
    assert_eq!(event(lines.next().await.unwrap())["event"], "node");
    let all = 100_000;
    for _ in 0..all / 50 {
        (0..50).for_each(|_| _ = stage.puppet.events.send(Event::Joined(member(0).node)));
        tokio::task::yield_now().await;
    }
    let (mut heard, mut missed) = (0, 0);
    while heard + missed < all {
        let value = event(timeout(DEADLINE, lines.next()).await.unwrap().unwrap());
        match value["event"].as_str().unwrap() {
            "joined" => heard += 1,
            "missed" => missed += value["count"].as_u64().unwrap(),
            other => panic!("{other}"),
        }
    }
    assert!(0 < missed && 0 < heard && heard + missed == all, "{heard} and {missed}");
    let page = stage.client.get("/metrics").await.unwrap();
    let counted = format!("\nrumormill_admin_missed_total {missed}\n");
    assert!(std::str::from_utf8(&page).unwrap().contains(&counted));
}

#[tokio::test]
async fn streams_are_few_and_their_places_come_back() {
    let stage = Stage::with(0).await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(stage.client.follow("/events").await.unwrap());
    }
    let (status, text) = stage.refused("GET", "/events", "").await;
    assert_eq!((status, &*text), (503, "16 streams are open; end one of them"));
    streams.pop();
    let again = async {
        while stage.client.follow("/events").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, again).await.unwrap();
}

#[tokio::test]
async fn a_thousand_requests_at_once_are_all_answered() {
    let stage = Stage::with(50).await;
    let mut asking = JoinSet::new();
    for number in 0..1000 {
        let client = stage.client.clone();
        asking.spawn(async move {
            match number % 4 {
                0 => client.get("/members").await,
                1 => client.get("/metrics").await,
                2 => client.post("/send?to=member%201", "flood").await,
                _ => client.get("/readyz").await,
            }
        });
    }
    while let Some(answer) = asking.join_next().await {
        match answer.unwrap() {
            Ok(_) | Err(ClientError::Refused { status: 503, .. }) => (),
            Err(error) => panic!("{error}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn nothing_is_left_when_it_ends() {
    let stage = Stage::with(0).await;
    let Stage { client, admin, socket, .. } = &stage;
    assert!(client.get("/healthz").await.is_ok() && socket.exists());
    assert_eq!(admin.socket(), Some(&**socket));
    let Stage { client, admin, socket, _directory, .. } = stage;
    drop(admin);
    assert!(!socket.exists() && std::fs::read_dir(_directory.path()).unwrap().next().is_none());
    let gone = async {
        while !matches!(client.get("/healthz").await, Err(ClientError::Nobody { .. })) {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, gone).await.unwrap();
    assert!(!Path::new(&socket).exists());
}

/// More than a busy machine takes for anything here.
const DEADLINE: Duration = Duration::from_secs(60);

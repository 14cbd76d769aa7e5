//! Who answers requests: each is read, done and answered here.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{AUTHORIZATION, EXPECT, HeaderMap},
    http::request::Parts,
};
use rumormill_endpoint::{RequestError, SendError};
use rumormill_gossip::{BroadcastError, JoinError};
use rumormill_transport_api::{Addr, NodeId, with_causes};
use serde_json::json;
use tokio::{
    sync::{Semaphore, SemaphorePermit, oneshot, watch},
    time::{Instant, timeout, timeout_at},
};

#[cfg(feature = "broker")]
use super::broker;
use super::{
    answer::{Body, Refusal, answer, json, with_body},
    asked::Asked,
    counts::Counts,
    feed::{Feed, Source},
    form,
    hooks::{Hooks, Reload},
    route::{Astray, Route, is_open, route},
    subject::Subject,
    token, whom,
};

/// Who answers requests, for all conns.
pub(super) struct Desk<A> {
    /// Whom they are about, while it is there.
    pub(super) asked: Box<dyn Fn() -> Option<A> + Send + Sync>,
    pub(super) hooks: Hooks,
    pub(super) counts: Arc<Counts>,
    pub(super) ending: watch::Receiver<bool>,
    pub(super) streams: Arc<Semaphore>,
    pub(super) actions: Semaphore,
    /// Pages are made one at a time: they take milliseconds, during which nothing else gets a turn.
    pub(super) pages: Semaphore,
}

/// How a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// The file's permissions have let it in.
    Socket,
    /// Anybody may knock.
    Tcp,
}

impl<A: Asked> Desk<A> {
    pub(super) fn new(
        asked: impl Fn() -> Option<A> + Send + Sync + 'static,
        hooks: Hooks,
        ending: watch::Receiver<bool>,
    ) -> Self {
        Self {
            asked: Box::new(asked),
            hooks,
            counts: Arc::default(),
            ending,
            streams: Arc::new(Semaphore::new(STREAMS)),
            actions: Semaphore::new(ACTIONS),
            pages: Semaphore::new(1),
        }
    }

    /// What is answered, and whether the answer goes on for ever. `due` tells by when something has to
    /// come from the peer, or nothing.
    pub(super) async fn answer(
        &self,
        door: Door,
        request: Request<Incoming>,
        due: &watch::Sender<Option<Instant>>,
    ) -> Response<Body> {
        let (head, mut body) = request.into_parts();
        due.send_replace(Some(Instant::now() + BODY));
        let done = self.done(door, &head, &mut body, due).await;
        if done.is_err() {
            due.send_replace(Some(Instant::now() + BODY));
            drain(&head.headers, &mut body).await;
        }
        let response = done.unwrap_or_else(Refusal::into_response);
        self.counts.answered(response.status());
        let is_endless = response.body().size_hint().upper().is_none();
        due.send_replace((!is_endless).then(|| Instant::now() + ANSWER));
        response
    }

    async fn done(
        &self,
        door: Door,
        head: &Parts,
        body: &mut Incoming,
        due: &watch::Sender<Option<Instant>>,
    ) -> Result<Response<Body>, Refusal> {
        let asked = (self.asked)().ok_or_else(Refusal::gone)?;
        let path = head.uri.path();
        if door == Door::Tcp && !is_open(path) {
            let shown = head.headers.get(AUTHORIZATION).map(|value| value.as_bytes());
            let is_known = token::is_of(shown, asked.token().as_ref());
            is_known.then_some(()).ok_or_else(Refusal::unknown)?;
        }
        let route = route(&head.method, path, head.uri.query().unwrap_or_default());
        match route.map_err(refuse)? {
            Route::Health => Ok(answer(StatusCode::OK, TEXT, "ok\n")),
            Route::Ready => ready(asked.is_ready()),
            Route::Metrics => self.page(|| self.metrics(&asked)).await,
            Route::Leave => leave(asked, due).await,
            Route::Reload { is_dry_run } => self.reload(is_dry_run, due).await,
            #[cfg(feature = "broker")]
            Route::Topics => {
                let broker = asked.broker().ok_or_else(no_broker)?;
                self.page(|| json(&broker::topics(&broker.stats()))).await
            }
            #[cfg(feature = "broker")]
            Route::Conns => {
                let broker = asked.broker().ok_or_else(no_broker)?;
                self.page(|| json(&broker::conns(&broker.conns()))).await
            }
            route => self.of_node(asked.node().ok_or_else(no_node)?, route, body, due).await,
        }
    }

    /// What only a node can be asked.
    async fn of_node(
        &self,
        node: &A::Node,
        route: Route,
        body: &mut Incoming,
        due: &watch::Sender<Option<Instant>>,
    ) -> Result<Response<Body>, Refusal> {
        match route {
            Route::Node => Ok(json(&form::node(&node.about()))),
            Route::Members => {
                self.page(|| json(&form::members(&node.about(), &node.members()))).await
            }
            Route::Status => {
                self.page(|| json(&form::status(&node.about(), &node.metrics()))).await
            }
            Route::Events => self.events(node),
            Route::Join(addr) => {
                let _turn = self.turn().await?;
                join(node, &addr, due).await
            }
            Route::Broadcast => {
                let _turn = self.turn().await?;
                let said = read(body, node.longest()).await?;
                let id = node.broadcast(said).await.map_err(not_broadcast)?;
                Ok(json(&form::rumor(id)))
            }
            Route::Send { to } => {
                let _turn = self.turn().await?;
                let to = whom(node, &to)?;
                let message = read(body, node.longest()).await?;
                let length = message.len();
                node.send(to, message).map_err(not_sent)?;
                Ok(json(&json!({ "to": to.to_string(), "bytes": length })))
            }
            Route::Request { to, deadline } => {
                let _turn = self.turn().await?;
                let to = whom(node, &to)?;
                let question = read(body, node.longest()).await?;
                due.send_replace(None);
                let answered = node.request(to, question, deadline).await.map_err(unanswered)?;
                Ok(answer(StatusCode::OK, BYTES, answered))
            }
            // All others are answered without one.
            _ => Err(no_node()),
        }
    }

    /// A turn at what takes a body, or waits for others.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let turn = timeout(PATIENCE, self.actions.acquire()).await;
        turn.ok().and_then(Result::ok).ok_or_else(|| {
            let text = format!("{ACTIONS} others are being served; try again");
            Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, PATIENCE)
        })
    }

    async fn page(&self, make: impl FnOnce() -> Response<Body>) -> Result<Response<Body>, Refusal> {
        let _turn = self.pages.acquire().await.map_err(|_| Refusal::gone())?;
        Ok(make())
    }

    fn metrics(&self, asked: &A) -> Response<Body> {
        let page = asked.page() + &self.counts.prometheus(asked.is_ready());
        answer(StatusCode::OK, PROMETHEUS, page)
    }

    fn events(&self, node: &A::Node) -> Result<Response<Body>, Refusal> {
        let place = self.streams.clone().try_acquire_owned().map_err(|_| {
            let text = format!("{STREAMS} streams are open; end one of them");
            Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, PATIENCE)
        })?;
        let mut head = form::node(&node.about());
        head["event"] = "node".into();
        let source = Source {
            head: Some(head),
            events: node.events(),
            rumors: node.rumors(),
            messages: self.hooks.messages(),
            ending: self.ending.clone(),
            counts: self.counts.clone(),
            _place: (place, self.counts.stream()),
            is_over: false,
        };
        Ok(with_body(StatusCode::OK, "application/x-ndjson", Feed::new(source).boxed_unsync()))
    }

    async fn reload(
        &self,
        is_dry_run: bool,
        due: &watch::Sender<Option<Instant>>,
    ) -> Result<Response<Body>, Refusal> {
        let text = "this program does not read its configuration again; start the node anew";
        let nobody = || Refusal::new(StatusCode::NOT_IMPLEMENTED, text);
        let reloader = self.hooks.reloader().ok_or_else(nobody)?;
        due.send_replace(None);
        let until = Instant::now() + RELOAD;
        let slow = |_| Refusal::new(StatusCode::GATEWAY_TIMEOUT, "the program takes too long");
        let (told, answer) = oneshot::channel();
        let asked = reloader.send(Reload { is_dry_run, answer: told });
        timeout_at(until, asked).await.map_err(slow)?.map_err(|_| nobody())?;
        let changed = timeout_at(until, answer).await.map_err(slow)?.map_err(|_| nobody())?;
        let changed = changed.map_err(|text| Refusal::new(StatusCode::CONFLICT, text))?;
        let changed: serde_json::Value = changed.iter().map(form::difference).collect();
        Ok(json(&json!({ "dry_run": is_dry_run, "changed": changed })))
    }
}

fn ready(is_so: bool) -> Result<Response<Body>, Refusal> {
    match is_so {
        true => Ok(answer(StatusCode::OK, TEXT, "ready\n")),
        false => {
            let text = "not ready: it has not joined yet, or has left\n";
            Ok(answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, text))
        }
    }
}

/// Says goodbye, whether or not whoever asked for it stays to hear of it.
async fn leave<A: Asked>(
    asked: A,
    due: &watch::Sender<Option<Instant>>,
) -> Result<Response<Body>, Refusal> {
    due.send_replace(None);
    let told = tokio::spawn(async move { asked.leave().await }).await;
    told.map(|told| json(&told)).map_err(|_| Refusal::gone())
}

fn no_node() -> Refusal {
    let text = "this is a broker, and no node of a cluster; ask it for /topics or /conns";
    Refusal::new(StatusCode::NOT_FOUND, text)
}

#[cfg(feature = "broker")]
fn no_broker() -> Refusal {
    let text = "this node hosts no broker; set broker.listen in its configuration";
    Refusal::new(StatusCode::NOT_FOUND, text)
}

async fn join<N: Subject>(
    node: &N,
    addr: &Addr,
    due: &watch::Sender<Option<Instant>>,
) -> Result<Response<Body>, Refusal> {
    due.send_replace(None);
    let joined = timeout(JOIN, node.join(addr)).await;
    let joined = joined.map_err(|_| {
        Refusal::new(StatusCode::GATEWAY_TIMEOUT, format!("nobody at {addr} has answered"))
    })?;
    match joined {
        Ok(node) => Ok(json(&json!({ "node": node.to_string() }))),
        Err(error @ JoinError::Over) => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error)),
        Err(error) => Err(Refusal::new(StatusCode::BAD_GATEWAY, with_causes(&error))),
    }
}

fn whom<N: Subject>(node: &N, text: &str) -> Result<NodeId, Refusal> {
    let (about, others) = (node.about(), node.members());
    whom::find(text, (about.node, &about.name), &others).map_err(|unclear| match unclear {
        whom::Unclear::Nobody { .. } => Refusal::new(StatusCode::NOT_FOUND, unclear),
        _ => Refusal::bad(unclear),
    })
}

fn refuse(astray: Astray) -> Refusal {
    match astray {
        Astray::Method(allowed) => Refusal::other_method(allowed),
        Astray::Path(text) => Refusal::new(StatusCode::NOT_FOUND, text),
        Astray::Query(text) => Refusal::bad(text),
    }
}

fn not_broadcast(error: BroadcastError) -> Refusal {
    match error {
        BroadcastError::Full { wait } => Refusal::later(StatusCode::TOO_MANY_REQUESTS, error, wait),
        BroadcastError::Over => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error),
        BroadcastError::TooLong { .. } => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error),
    }
}

fn not_sent(error: SendError) -> Refusal {
    match error {
        SendError::Closed => Refusal::gone(),
        SendError::Full => Refusal::later(StatusCode::SERVICE_UNAVAILABLE, error, PATIENCE),
        SendError::TooLarge { .. } => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error),
        SendError::UnknownPeer => {
            let text = "no such member is known; `rumormill members` lists all";
            Refusal::new(StatusCode::NOT_FOUND, text)
        }
    }
}

fn unanswered(error: RequestError) -> Refusal {
    match error {
        RequestError::NotSent(error) => not_sent(error),
        RequestError::Unreachable => Refusal::new(StatusCode::BAD_GATEWAY, error),
        RequestError::Uncertain => Refusal::new(StatusCode::GATEWAY_TIMEOUT, error),
    }
}

/// All of a body, of at most `longest` bytes. Memory grows with what has arrived.
async fn read(body: &mut Incoming, longest: usize) -> Result<Bytes, Refusal> {
    let too_long = || {
        let text = format!("a body of more than {longest} bytes, which is the limit");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    };
    if (longest as u64) < body.size_hint().lower() {
        return Err(too_long());
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::bad("the body has not come to its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        if longest - bytes.len() < data.len() {
            return Err(too_long());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// Reads what is left of a body that nobody wants, up to a limit: closing a conn with unread input can
/// destroy the answer on its way.
async fn drain(headers: &HeaderMap, body: &mut Incoming) {
    // Whoever waits to be asked for it is not.
    if headers.contains_key(EXPECT) {
        return;
    }
    let mut left = DRAIN;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Streams of events at once.
const STREAMS: usize = 16;
/// Requests at once that take a body or wait for others.
const ACTIONS: usize = 16;
/// How long one more of them waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the body of a request may take to arrive.
const BODY: Duration = Duration::from_secs(10);
/// How long an answer may take to be read, if it has an end.
const ANSWER: Duration = Duration::from_secs(30);
const JOIN: Duration = Duration::from_secs(30);
const RELOAD: Duration = Duration::from_secs(60);
/// Bytes of a body that are read although nobody wants them.
const DRAIN: usize = 32 << 20;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

//! Whoever asks a running node.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{self, Path},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1,
    header::{AUTHORIZATION, CONNECTION, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use rumormill_transport_api::excerpt;
use rustix::process::geteuid;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use super::Place;

/// Whoever asks a running node. Each question has a conn of its own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rumormill::{
///     Node,
///     admin::{Client, Place},
///     config::{Admin, Admission, Config},
/// };
///
/// # let directory = tempfile::tempdir()?;
/// # let socket = directory.path().join("admin.sock");
/// let admin = Admin { socket: Some(socket.clone()), ..Admin::default() };
/// let config = Config { admin, ..Config::new("docs", Admission::Open) };
/// let (node, _inbox) = Node::start(config).await?;
///
/// let client = Client::new(Place::Socket(socket));
/// let members = client.get_json("/members").await?;
/// assert_eq!(members[0]["node"], node.id().to_string());
/// client.post("/leave", "").await?;
/// node.left().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    place: Place,
    authorization: Option<HeaderValue>,
    deadline: Duration,
}

/// Lines that a node tells as they happen. Dropping this closes the conn.
#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    waiting: BytesMut,
    _conn: Conn,
}

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The answer is none that a node gives, or longer than 256 MiB, or a line of it than 32 MiB.
    #[error("what answers at {place} is no node of this version")]
    Foreign {
        /// Where.
        place: Place,
    },
    /// The conn broke before all of the answer was there. The node may have done what it was asked.
    #[error("{place} has hung up before it had answered")]
    HungUp {
        /// Where.
        place: Place,
        /// How.
        source: hyper::Error,
    },
    /// Nobody listens there.
    #[error("no node answers at {place}; is `rumormill node` running there?")]
    Nobody {
        /// Where.
        place: Place,
        /// What the system says.
        source: io::Error,
    },
    /// The node does not do it, and says why.
    #[error("{text}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// Why, as the node says. It may repeat what others wrote, escaped.
        text: String,
    },
    /// Nothing came in time. The node may do what it was asked.
    #[error("{place} has not answered in {deadline:?}")]
    Slow {
        /// Where.
        place: Place,
        /// How long was waited.
        deadline: Duration,
    },
    /// The socket is another user's, who could say anything.
    #[error(
        "the socket {place} belongs to a process of user {uid}, which is neither this one nor root"
    )]
    Stranger {
        /// Where.
        place: Place,
        /// Whose it is.
        uid: u32,
    },
    /// The token has letters that no header can carry.
    #[error("the token is none; its file has to hold letters, digits and signs")]
    Token,
}

/// What drives a conn, until it is dropped.
#[derive(Debug)]
struct Conn(JoinHandle<()>);

impl Client {
    /// A client of the node there, which waits 10 s for each answer.
    pub fn new(place: Place) -> Self {
        Self { place, authorization: None, deadline: DEADLINE }
    }

    /// One that shows a token, as TCP needs it.
    ///
    /// # Errors
    /// [`ClientError::Token`].
    pub fn with_token(self, token: &str) -> Result<Self, ClientError> {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| ClientError::Token)?;
        value.set_sensitive(true);
        Ok(Self { authorization: Some(value), ..self })
    }

    /// One that waits so long for each answer.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Where the node is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Asks for a path, with its query.
    ///
    /// # Errors
    /// [`ClientError`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the conn.
    pub async fn get(&self, path: &str) -> Result<Bytes, ClientError> {
        self.within(self.ask(self.request("GET", path, Bytes::new())?)).await
    }

    /// The same for what is JSON.
    ///
    /// # Errors
    /// [`ClientError`].
    ///
    /// # Cancel safety
    /// As for [`get`](Self::get).
    pub async fn get_json(&self, path: &str) -> Result<Value, ClientError> {
        self.parsed(&self.get(path).await?)
    }

    /// Has something done.
    ///
    /// # Errors
    /// [`ClientError`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the conn; the node may have done it, or do it still.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Bytes, ClientError> {
        self.within(self.ask(self.request("POST", path, body.into())?)).await
    }

    /// The same for what is answered in JSON.
    ///
    /// # Errors
    /// [`ClientError`].
    ///
    /// # Cancel safety
    /// As for [`post`](Self::post).
    pub async fn post_json(
        &self,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Value, ClientError> {
        self.parsed(&self.post(path, body).await?)
    }

    /// Follows what happens. The deadline holds for the beginning of the answer.
    ///
    /// # Errors
    /// [`ClientError`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the conn.
    pub async fn follow(&self, path: &str) -> Result<Lines, ClientError> {
        let opened =
            self.within(async { self.open(self.request("GET", path, Bytes::new())?).await });
        let (response, conn) = opened.await?;
        Ok(Lines { body: response.into_body(), waiting: BytesMut::new(), _conn: conn })
    }

    async fn within<T>(
        &self,
        doing: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let Self { place, deadline, .. } = self;
        let slow = |_| ClientError::Slow { place: place.clone(), deadline: *deadline };
        timeout(*deadline, doing).await.map_err(slow)?
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Bytes, ClientError> {
        let (response, _conn) = self.open(request).await?;
        self.all(response.into_body(), LONGEST).await
    }

    /// The head of the answer, if it is none that refuses.
    async fn open(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Conn), ClientError> {
        let (response, conn) = match &self.place {
            Place::Socket(path) => self.send(self.unix(path).await?, request).await?,
            Place::Tcp(place) => {
                let stream = TcpStream::connect(&**place).await;
                self.send(stream.map_err(|source| self.nobody(source))?, request).await?
            }
        };
        let status = response.status();
        if status.is_success() {
            return Ok((response, conn));
        }
        let text = self.all(response.into_body(), LONGEST_REFUSAL).await?;
        let text = refusal(&text).ok_or_else(|| self.foreign())?;
        Err(ClientError::Refused { status: status.as_u16(), text })
    }

    async fn send(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Conn), ClientError> {
        let hung_up = |source| ClientError::HungUp { place: self.place.clone(), source };
        let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(hung_up)?;
        // What breaks the conn breaks the answer, too, and is told there.
        let conn = Conn(tokio::spawn(async { driver.await.unwrap_or_default() }));
        let response = sender.send_request(request).await.map_err(hung_up)?;
        Ok((response, conn))
    }

    async fn unix(&self, path: &Path) -> Result<UnixStream, ClientError> {
        let nobody = |source| self.nobody(source);
        let stream = loop {
            match UnixStream::connect(path).await {
                // Others are before us. The deadline bounds how often this is tried.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sleep_until(Instant::now() + AGAIN).await;
                }
                connected => break connected.map_err(nobody)?,
            }
        };
        let (uid, us) = (stream.peer_cred().map_err(nobody)?.uid(), geteuid().as_raw());
        let is_trusted = uid == us || uid == ROOT || (us == ROOT && !is_anybodys(path));
        match is_trusted {
            true => Ok(stream),
            false => Err(ClientError::Stranger { place: self.place.clone(), uid }),
        }
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(HOST, HeaderValue::from_static("node"));
        request = request.header(CONNECTION, HeaderValue::from_static("close"));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        // What cannot be asked for is not there.
        request.body(Full::new(body)).map_err(|_| ClientError::Refused {
            status: 404,
            text: format!("no such path: {}", excerpt(path)),
        })
    }

    async fn all(&self, mut body: Incoming, longest: usize) -> Result<Bytes, ClientError> {
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let hung_up = |source| ClientError::HungUp { place: self.place.clone(), source };
            let Ok(data) = frame.map_err(hung_up)?.into_data() else { continue };
            if longest - bytes.len() < data.len() {
                return Err(self.foreign());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes.freeze())
    }

    fn parsed(&self, bytes: &[u8]) -> Result<Value, ClientError> {
        serde_json::from_slice(bytes).map_err(|_| self.foreign())
    }

    fn foreign(&self) -> ClientError {
        ClientError::Foreign { place: self.place.clone() }
    }

    fn nobody(&self, source: io::Error) -> ClientError {
        ClientError::Nobody { place: self.place.clone(), source }
    }
}

impl Lines {
    /// Waits for the next line, without its end; `None` when the node has ended, or the conn has.
    ///
    /// Cancel-safe: what has arrived of a line waits for the next call.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') {
                let mut line = self.waiting.split_to(end + 1);
                line.truncate(end);
                return Some(line.freeze());
            }
            let frame = self.body.frame().await?.ok()?;
            let data = frame.into_data().unwrap_or_default();
            if LONGEST_LINE < self.waiting.len() + data.len() {
                return None;
            }
            self.waiting.extend_from_slice(&data);
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether any user could have made the directory that the socket is in, as in `/tmp`, to wait there for
/// whoever trusts the path.
fn is_anybodys(socket: &Path) -> bool {
    let above = path::absolute(socket).ok();
    let above = above.as_deref().and_then(|path| path.parent()?.parent());
    let mode = above.and_then(|above| fs::metadata(above).ok()).map(|found| found.mode());
    mode.is_none_or(|mode| mode & WRITABLE_BY_ALL != 0)
}

/// What a node says when it refuses; or is not ready, which is text.
fn refusal(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    match serde_json::from_str::<Value>(text) {
        Ok(value) => Some(escaped(value.get("error")?.as_str()?)),
        Err(_) => Some(escaped(text.lines().next()?)),
    }
}

/// Text of which nothing steers a terminal; lines stay lines.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\n' | '"' | '\'' | '\\' => escaped.push(letter),
            _ => escaped.extend(letter.escape_debug()),
        }
    }
    escaped
}

const DEADLINE: Duration = Duration::from_secs(10);
/// How long to wait before connecting to a socket again whose backlog is full.
const AGAIN: Duration = Duration::from_millis(10);
const ROOT: u32 = 0;
const WRITABLE_BY_ALL: u32 = 0o002;
/// Bytes of an answer, at most.
const LONGEST: usize = 256 << 20;
const LONGEST_REFUSAL: usize = 64 << 10;
const LONGEST_LINE: usize = 32 << 20;

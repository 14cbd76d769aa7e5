//! Why a command failed, and the exit code that says so.

use std::{io, process::ExitCode};

use rumormill::{
    Addr, RegistryError,
    transport::{self as api, with_causes},
};

use super::output;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a command failed. Whatever the variant, the program ends and leaves nothing behind.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A running node that does not answer, or does not do what it is asked.
    #[cfg(feature = "admin")]
    #[error(transparent)]
    Admin(#[from] rumormill::admin::ClientError),
    /// A configuration that does not say where its node is asked.
    #[cfg(feature = "admin")]
    #[error(transparent)]
    AdminConfig(#[from] rumormill::config::Error),
    /// A variable of the environment that names no administration.
    #[cfg(feature = "admin")]
    #[error("RUMORMILL_ADMIN is of no use")]
    AdminPlace(#[from] rumormill::admin::PlaceError),
    /// The broker could not start, or did not end as it should.
    #[cfg(all(feature = "broker", feature = "node"))]
    #[error(transparent)]
    Broker(#[from] super::broker::Error),
    /// What an open conn reported.
    #[error(transparent)]
    Contract(#[from] api::Error),
    /// A node that was followed, and has ended without a word.
    #[cfg(feature = "admin")]
    #[error("{place} has hung up; the node there has ended")]
    Cut { place: rumormill::admin::Place },
    /// There is no demo, or none to the end.
    #[cfg(feature = "demo")]
    #[error(transparent)]
    Demo(#[from] super::demo::Error),
    /// What an endpoint reported before it was of any use.
    #[cfg(feature = "endpoint")]
    #[error(transparent)]
    Endpoint(rumormill::endpoint::Error),
    /// A file that cannot be read.
    #[cfg(feature = "admin")]
    #[error("reading {} failed", .path.display())]
    File { path: std::path::PathBuf, source: io::Error },
    /// A key or certificate that cannot be read or written.
    #[cfg(feature = "identity")]
    #[error(transparent)]
    Identity(#[from] rumormill::identity::Error),
    /// Standard input cannot be read.
    #[cfg(any(feature = "admin", feature = "broker"))]
    #[error("reading standard input failed")]
    Input { source: io::Error },
    /// A signal came too early.
    #[error("interrupted before anything was measured")]
    Interrupted,
    /// Standard input says more than anybody takes.
    #[cfg(feature = "admin")]
    #[error("standard input is longer than {most} bytes, which no node takes")]
    LongInput { most: usize },
    /// The node could not start, or go on.
    #[cfg(feature = "node")]
    #[error(transparent)]
    Node(#[from] super::node::Error),
    /// No broker, where one is asked.
    #[cfg(all(feature = "admin", feature = "broker"))]
    #[error("no broker answers at {place}; is `rumormill broker` running there?")]
    NoBroker { place: rumormill::admin::Place, source: io::Error },
    /// A node, and no cluster in which it could be known.
    #[error(
        "{place} is a node of a cluster; say of which by --cluster NAME, or leave the node out"
    )]
    NoCluster { place: String },
    /// The peer sent something that was never sent to it.
    #[error("{addr} does not echo; run `rumormill serve` there")]
    NoEcho { addr: Addr },
    /// Nobody there, or nobody who speaks as a node of the cluster.
    #[cfg(feature = "endpoint")]
    #[error("no node of cluster '{cluster}'; run `rumormill serve --cluster {cluster}` there")]
    NoMember { cluster: String, source: rumormill::endpoint::Error },
    /// A node that wants a token.
    #[cfg(feature = "admin")]
    #[error("{place} needs a token; name its file by --token")]
    NoToken { place: rumormill::admin::Place },
    /// Messages that do not come through a topic.
    #[cfg(feature = "broker")]
    #[error(
        "nothing came through '{topic}' for {after:?}; may this side publish and subscribe there?"
    )]
    NothingArrives { topic: rumormill::broker::TopicName, after: std::time::Duration },
    /// Authorities that nothing would be checked against.
    #[cfg(feature = "identity")]
    #[error(
        "--ca has no use: nothing is proven at {addr}; leave --ca, --cert and --key out, or choose \
         a transport that `rumormill transports` calls secure"
    )]
    NothingProven { addr: Addr },
    /// Standard output takes no more.
    #[error("writing to standard output failed")]
    Output { source: io::Error },
    /// Files of an authority that can be read, and are of no use to a transport.
    #[cfg(feature = "identity")]
    #[error("{files} {problem}")]
    Pki { files: String, problem: Box<str> },
    /// A message that was not taken.
    #[cfg(feature = "broker")]
    #[error("the message was not published")]
    Publish(#[from] rumormill::broker::PublishError),
    /// A file of a message that cannot be read.
    #[cfg(feature = "broker")]
    #[error("reading {} failed", .path.display())]
    Read { path: std::path::PathBuf, source: io::Error },
    /// A broker that cannot be reached.
    #[cfg(feature = "broker")]
    #[error(transparent)]
    Reach(#[from] rumormill::broker::ConnectError),
    /// What the registry or a transport reported before anything was open.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A question that was not answered, and none will be.
    #[cfg(feature = "endpoint")]
    #[error(transparent)]
    Request(#[from] rumormill::endpoint::RequestError),
    /// Another node than the one that was asked for.
    #[cfg(feature = "endpoint")]
    #[error("the node at {addr} is not {expected}: it proved to be {met}")]
    SomebodyElse { addr: Addr, met: api::NodeId, expected: api::NodeId },
    /// Datagrams were sent, and none came back.
    #[error("no answer from {addr}")]
    Silent { addr: Addr },
    /// Nothing was signed or shown.
    #[cfg(feature = "node")]
    #[error(transparent)]
    Ticket(#[from] super::ticket::Error),
    /// A topic that cannot be subscribed to.
    #[cfg(feature = "broker")]
    #[error("cannot subscribe to {topic}")]
    Subscribe { topic: rumormill::broker::TopicName, source: rumormill::broker::SubscribeError },
    /// The system gave no threads, timers or signals.
    #[error("the program cannot start")]
    Start { source: io::Error },
    /// A size that the conn cannot carry.
    #[error("messages of {size} bytes are too long for {addr}; it takes {max}")]
    TooLong { addr: Addr, max: usize, size: usize },
}

impl Error {
    /// Tells the user, each thing in one line with all causes, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if self.is_broken_pipe() {
            return ExitCode::SUCCESS;
        }
        with_causes(self).lines().for_each(output::error);
        match self.is_usage() {
            true => ExitCode::from(USAGE),
            false => ExitCode::FAILURE,
        }
    }

    /// Whether whoever reads the output has had enough, which is no failure.
    fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output { source } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether the same command line fails again, whatever the peer does.
    fn is_usage(&self) -> bool {
        match self {
            #[cfg(feature = "admin")]
            Self::Admin(error) => {
                use rumormill::admin::ClientError::{Refused, Token};
                matches!(error, Token | Refused { status: 400 | 413, .. })
            }
            #[cfg(feature = "admin")]
            Self::AdminConfig(_)
            | Self::AdminPlace(_)
            | Self::LongInput { .. }
            | Self::NoToken { .. } => true,
            #[cfg(all(feature = "admin", feature = "broker"))]
            Self::NoBroker { .. } => false,
            #[cfg(feature = "admin")]
            Self::Cut { .. } | Self::File { .. } => false,
            #[cfg(any(feature = "admin", feature = "broker"))]
            Self::Input { .. } => false,
            Self::Contract(error) => is_of_address(error),
            Self::Registry(error) => is_of_name(error),
            #[cfg(feature = "broker")]
            Self::NothingArrives { .. } => false,
            #[cfg(feature = "broker")]
            Self::Reach(error) => is_of_broker(error),
            #[cfg(feature = "broker")]
            Self::Publish(_) | Self::Read { .. } | Self::Subscribe { .. } => false,
            #[cfg(all(feature = "broker", feature = "node"))]
            Self::Broker(error) => error.is_usage() || error.of_registry().is_some_and(is_of_name),
            #[cfg(feature = "node")]
            Self::Node(error) => error.of_registry().is_some_and(is_of_name),
            #[cfg(feature = "node")]
            Self::Ticket(error) => error.is_usage(),
            #[cfg(feature = "identity")]
            Self::NothingProven { .. } => true,
            Self::NoCluster { .. } | Self::TooLong { .. } => true,
            #[cfg(feature = "demo")]
            Self::Demo(error) => error.is_usage(),
            #[cfg(feature = "endpoint")]
            Self::Endpoint(rumormill::endpoint::Error::Config { .. }) => true,
            #[cfg(feature = "endpoint")]
            Self::Request(error) => {
                use rumormill::endpoint::{RequestError::NotSent, SendError::TooLarge};
                matches!(error, NotSent(TooLarge { .. }))
            }
            #[cfg(feature = "endpoint")]
            Self::Endpoint(_) | Self::NoMember { .. } | Self::SomebodyElse { .. } => false,
            #[cfg(feature = "identity")]
            Self::Identity(_) | Self::Pki { .. } => false,
            Self::Interrupted
            | Self::NoEcho { .. }
            | Self::Output { .. }
            | Self::Silent { .. }
            | Self::Start { .. } => false,
        }
    }
}

/// Whether the transport, or its name, is at fault.
fn is_of_name(error: &RegistryError) -> bool {
    match error {
        RegistryError::Transport(error) => is_of_address(error),
        error => matches!(error, RegistryError::Unknown { .. }),
    }
}

/// Whether no broker was reached because of what was written.
#[cfg(feature = "broker")]
fn is_of_broker(error: &rumormill::broker::ConnectError) -> bool {
    use rumormill::broker::{ConnectError, GreetError};
    let is_of_words = |error: &GreetError| match error {
        GreetError::Datagrams { .. } => true,
        GreetError::Dial(error) => is_of_name(error),
        _ => false,
    };
    match error {
        ConnectError::NoAddress => true,
        ConnectError::Nobody(tried) => tried.iter().all(|(_, error)| is_of_words(error)),
    }
}

/// Whether what was written is at fault.
fn is_of_address(error: &api::Error) -> bool {
    use api::Error::{Address, Option, Unsupported};
    matches!(error, Address { .. } | Option { .. } | Unsupported { .. })
}

#[cfg(feature = "endpoint")]
impl From<rumormill::endpoint::Error> for Error {
    fn from(error: rumormill::endpoint::Error) -> Self {
        match error {
            rumormill::endpoint::Error::Registry(error) => error.into(),
            error => Self::Endpoint(error),
        }
    }
}

/// What clap exits with, too.
const USAGE: u8 = 2;

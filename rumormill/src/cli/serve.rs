//! `rumormill serve`: an echo.

use std::{
    future::ready,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
#[cfg(feature = "endpoint")]
use rumormill::endpoint::Config;
use rumormill::{
    Addr, Listener, Registry,
    transport::{AnyListener, Limits, Served, Server, Timeouts, serve},
};
use tokio::task::JoinSet;

#[cfg(feature = "endpoint")]
use super::member::Member;
use super::{
    Result,
    identity::{Identity, Tell},
    output, peer, quantity,
    signals::Signals,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
SIGINT or SIGTERM closes all conns after the replies that are due; a second one ends at once.

Example: rumormill serve tcp://127.0.0.1:7946 udp://127.0.0.1:7946")]
pub(crate) struct Args {
    /// Where to listen; port 0 is any free one
    #[arg(value_name = "ADDR", required = true)]
    addrs: Vec<Addr>,
    /// Be a node of this cluster, and answer questions in signed messages, not every message
    #[cfg(feature = "endpoint")]
    #[arg(long, value_name = "NAME", conflicts_with = "ca")]
    cluster: Option<String>,
    /// Conns at once, for each address; more wait to be accepted
    #[arg(long, value_name = "N", default_value = "1000", value_parser = max_conns)]
    max_conns: usize,
    /// Cut off a conn that brings no message for so long
    #[arg(long, value_name = "DURATION", default_value = "90s", value_parser = quantity::duration)]
    idle: Duration,
    /// Cut off a conn that takes no reply for so long
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = quantity::duration)]
    write: Duration,
    /// How long peers may take to close their side when the program is stopped
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = quantity::duration)]
    drain: Duration,
    #[command(flatten)]
    identity: Identity,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    #[cfg(feature = "endpoint")]
    if let Some(cluster) = &args.cluster {
        let timeouts = Timeouts { write: args.write, ..Timeouts::lan() };
        let member = Member { cluster, identity: &args.identity, timeouts };
        let adapt = |config: &mut Config| {
            (config.max_accepted, config.idle) = (args.max_conns, args.idle);
        };
        return member.serve(&args.addrs, args.drain, adapt).await;
    }
    // First, so that a signal finds them as soon as the addresses are known to anybody.
    let mut signals = Signals::new()?;
    let registry = args.identity.registry(&args.addrs, Tell::Always)?;
    let mut listeners = Vec::new();
    for addr in &args.addrs {
        listeners.push(listen(&registry, addr).await?);
    }
    let echo = Echo::start(listeners, args.limits())?;
    signals.next().await;
    tokio::select! {
        biased;
        () = signals.next() => Ok(ExitCode::FAILURE),
        () = echo.stop(args.drain) => Ok(ExitCode::SUCCESS),
    }
}

impl Args {
    fn limits(&self) -> Limits {
        Limits { max_conns: self.max_conns, idle: self.idle, write: self.write }
    }
}

async fn listen(registry: &Registry, addr: &Addr) -> Result<AnyListener> {
    let doing = || format!("listening at {addr}");
    peer::within(Timeouts::lan().dial, doing, registry.listen(addr)).await
}

/// Servers that send back what they get.
struct Echo {
    servers: Vec<Server>,
    messages: Arc<AtomicU64>,
}

impl Echo {
    fn start(listeners: Vec<AnyListener>, limits: Limits) -> Result<Self> {
        let mut echo = Self { servers: Vec::new(), messages: Arc::default() };
        for listener in listeners {
            output::line(format_args!("listening on {}", listener.addr()))?;
            // Counted here, since a server does not tell the messages of conns that it cut off.
            let messages = echo.messages.clone();
            echo.servers.push(serve(listener, limits, move |_, message: Bytes| {
                messages.fetch_add(1, Relaxed);
                ready(Some(message))
            }));
        }
        Ok(echo)
    }

    async fn stop(self, drain: Duration) {
        let mut stopping: JoinSet<Served> =
            self.servers.into_iter().map(|server| server.stop(drain)).collect();
        let (mut accepted, mut aborted) = (0, 0);
        while let Some(served) = stopping.join_next().await {
            let served = served.unwrap_or_default();
            accepted += served.accepted;
            aborted += served.aborted;
        }
        let messages = self.messages.load(Relaxed);
        output::note(format_args!("stopped; conns: {accepted}, messages echoed: {messages}"));
        if 0 < aborted {
            output::note(format_args!("conns that had not ended after {drain:?}: {aborted}"));
        }
    }
}

fn max_conns(text: &str) -> std::result::Result<usize, String> {
    let number = text.parse().ok().filter(|number| 0 < *number);
    number.ok_or_else(|| "write a whole number from 1".into())
}

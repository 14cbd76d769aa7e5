//! A broker, as commands reach it.

use std::{sync::Arc, time::Duration};

use rumormill::{
    Addr,
    broker::{Client, ClientConfig, ClientEvent, Lost},
    transport::{NodeId, with_causes},
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    task::JoinHandle,
    time::timeout,
};

use super::{
    Result,
    identity::{Identity, Tell},
    output,
    patience::Patience,
};

/// On what terms a broker is talked to.
#[derive(Debug, clap::Args)]
pub(crate) struct Reached {
    #[command(flatten)]
    patience: Patience,
    /// The node that the broker must prove to be [default: any, or nobody]
    #[arg(long, value_name = "NODEID")]
    expect: Option<NodeId>,
    #[command(flatten)]
    identity: Identity,
}

/// Tells what happens to a client, until it is dropped.
pub(crate) struct Teller(JoinHandle<()>);

impl Reached {
    /// A client of the broker there. It connects again whenever it loses it.
    pub(crate) async fn client(&self, addr: &Addr) -> Result<Client> {
        self.client_with(addr, ClientConfig::default()).await
    }

    pub(crate) async fn client_with(&self, addr: &Addr, config: ClientConfig) -> Result<Client> {
        let registry = self.identity.registry(std::slice::from_ref(addr), Tell::New)?;
        let config = ClientConfig {
            key: self.identity.named_key()?,
            expect_broker: self.expect,
            timeouts: self.patience.timeouts(),
            ..config
        };
        Ok(Client::connect(Arc::new(registry), [addr.clone()], config).await?)
    }
}

impl Teller {
    /// Tells of conns that are lost and found, and of what the broker refuses.
    pub(crate) fn of(client: &Client) -> Self {
        Self(tokio::spawn(tell(client.events())))
    }

    /// Tells what has happened until now, once all of the client is dropped.
    pub(crate) async fn end(mut self) {
        timeout(LAST, &mut self.0).await.map(drop).unwrap_or_default();
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn tell(mut events: Receiver<ClientEvent>) {
    // Why there is no conn, told once and not at each attempt.
    let mut told = String::new();
    loop {
        match events.recv().await {
            Ok(ClientEvent::Failed { why }) => {
                let failed = with_causes(&*why);
                if failed != told {
                    output::note(format_args!("{failed}; trying again"));
                }
                told = failed;
            }
            Ok(event) => tell_one(&event),
            Err(RecvError::Lagged(_)) => (),
            Err(RecvError::Closed) => return,
        }
    }
}

fn tell_one(event: &ClientEvent) {
    match event {
        ClientEvent::Connected { addr, .. } => output::note(format_args!("connected to {addr}")),
        ClientEvent::Disconnected { why } if matches!(**why, Lost::Closed) => (),
        ClientEvent::Disconnected { why } => {
            output::note(format_args!(
                "the broker is lost: {}; connecting again",
                with_causes(&**why)
            ));
        }
        // Whoever calls this, or has subscribed, tells it.
        ClientEvent::Failed { .. } | ClientEvent::Refused { messages: 0, .. } => (),
        ClientEvent::Refused { why, topic, messages, text } => {
            let topic = topic.as_ref().map_or_else(String::new, |topic| format!("{topic}: "));
            // Mostly it says the same once more.
            let text = match text.is_empty() || **text == why.to_string() {
                true => String::new(),
                false => format!(" ({})", text.escape_debug()),
            };
            output::error(format_args!("{topic}{messages} messages refused: {why}{text}"));
        }
    }
}

/// How long the last of what happened may take to be told.
const LAST: Duration = Duration::from_millis(200);
/// Where a broker is that nobody has told where to be.
pub(crate) const DEFAULT_ADDRESS: &str = "tcp://127.0.0.1:4322";

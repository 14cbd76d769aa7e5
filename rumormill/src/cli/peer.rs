//! Peers, each call to one with a deadline.

use std::{future::Future, time::Duration};

use rumormill::{
    Addr, Reader, Target, Writer,
    transport::{self as api, AnyConn, End, Expect, Info, NodeId, Proof, Timeouts, excerpt},
};
use tokio::{task::yield_now, time::timeout};

use super::{
    Error, Result,
    identity::{Identity, Tell},
    output,
    patience::Patience,
};

/// Whom to talk to, and on what terms.
#[derive(Debug, clap::Args)]
pub(crate) struct Peer {
    #[command(flatten)]
    patience: Patience,
    /// The node that must answer [default: anybody, and who it was is told]
    #[arg(long, value_name = "NODEID", conflicts_with = "expect_name")]
    expect: Option<NodeId>,
    /// With --ca: the name that must be in the peer's certificate [default: the host of ADDR]
    #[arg(long, value_name = "NAME")]
    expect_name: Option<String>,
    #[command(flatten)]
    pub(crate) identity: Identity,
}

impl Peer {
    pub(crate) fn timeouts(&self) -> Timeouts {
        self.patience.timeouts()
    }

    /// Dials `addr` to send messages of `size` bytes.
    ///
    /// # Errors
    /// [`Error::TooLong`] if the conn cannot carry them.
    pub(crate) async fn dial(&self, addr: &Addr, size: usize) -> Result<AnyConn> {
        let target = self.target(addr);
        let registry = self.identity.registry(std::slice::from_ref(addr), Tell::New)?;
        let doing = || format!("dialling {addr}");
        let conn = within(self.timeouts().dial, doing, registry.dial(&target)).await?;
        let max = conn.info.caps.max_message;
        if max < size {
            return Err(Error::TooLong { addr: addr.clone(), max, size });
        }
        if target.expect == Expect::Any {
            tell_who_answered(addr, &conn.info);
        }
        Ok(conn)
    }

    /// A client of the broker there, for messages of so many bytes.
    #[cfg(feature = "broker")]
    pub(crate) async fn broker(
        &self,
        addr: &Addr,
        size: usize,
    ) -> Result<rumormill::broker::Client> {
        use rumormill::broker::{Client, ClientConfig};

        let registry = self.identity.registry(std::slice::from_ref(addr), Tell::New)?;
        let default = ClientConfig::default();
        let config = ClientConfig {
            key: self.identity.named_key()?,
            expect: self.target(addr).expect,
            timeouts: self.timeouts(),
            max_message: size.max(default.max_message),
            ..default
        };
        Ok(Client::connect(registry.into(), [addr.clone()], config).await?)
    }

    fn target(&self, addr: &Addr) -> Target {
        let expect = match (self.expect, &self.expect_name) {
            (Some(node), _) => Expect::Node(node),
            (None, Some(name)) => Expect::Name(name.as_str().into()),
            (None, None) => Expect::Any,
        };
        Target { expect, ..Target::new(addr.clone()) }
    }
}

/// Only what can be expected the next time is worth a line.
fn tell_who_answered(addr: &Addr, info: &Info) {
    let who = match &info.proof {
        Some(Proof::Node(node)) => node.to_string(),
        Some(Proof::Name(name)) => excerpt(name),
        Some(Proof::Process { .. }) | None => return,
    };
    output::note(format_args!("{addr} proved to be {who}"));
}

/// Says goodbye and hears the peer out, so that it need not wait for somebody who is gone. What
/// fails here makes no difference any more.
pub(crate) async fn close(conn: AnyConn, timeouts: Timeouts) {
    let AnyConn { info, mut reader, mut writer } = conn;
    let closed = timeout(timeouts.write, writer.close()).await;
    if matches!(closed, Ok(Ok(()))) && info.caps.end != End::None {
        let mut ignored = Vec::new();
        let hear_out = async {
            while reader.recv(&mut ignored).await.is_ok() {
                ignored.clear();
            }
        };
        drop(timeout(FAREWELL, hear_out).await);
    }
    drop((reader, writer));
    // Carriers with a task for each connection have it say goodbye now, before all tasks end.
    yield_now().await;
}

/// Waits for `work`, but no longer than `after`.
///
/// # Errors
/// Those of `work`, or [`Timeout`](api::Error::Timeout).
pub(crate) async fn within<T, E>(
    after: Duration,
    doing: impl FnOnce() -> String,
    work: impl Future<Output = std::result::Result<T, E>>,
) -> Result<T>
where
    Error: From<E>,
{
    match timeout(after, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(api::Error::Timeout { doing: doing().into(), after }.into()),
    }
}

/// How long a peer may take to end its side. Peers further away than that notice by themselves.
const FAREWELL: Duration = Duration::from_millis(200);

//! The other processes: this program once more, each a node of a cluster that says what it sees.

use std::{
    io::{self, BufRead},
    sync::Arc,
    thread,
};

use rumormill_endpoint::{Admission, Config as Settings, Endpoint, Inboxes, Reach};
use rumormill_gossip::{Config, Gossip, Profile, pack};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::{
    runtime::Builder,
    sync::{broadcast::error::RecvError, mpsc},
    task::JoinSet,
};

use crate::{
    Outcome,
    said::{What, now},
    say,
};

/// Runs a node of a cluster, which listens at some addresses, until its input ends. Each line of the
/// input is the address of a node to join.
pub(crate) fn run(args: &[String]) -> Outcome<()> {
    end_with_parent()?;
    let [cluster, folder, addrs @ ..] = args else { return Err("a member is told more".into()) };
    let reach = Reach { loopback: true, directories: vec![folder.into()], ..Reach::default() };
    let settings = Settings { reach, ..Settings::new(cluster, Admission::Open) };
    Builder::new_current_thread().enable_all().build()?.block_on(live(settings, addrs))
}

/// Has the system end this process with the thread that has started it, however that ends, even while
/// this one is stopped.
pub(crate) fn end_with_parent() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

async fn live(settings: Settings, addrs: &[String]) -> Outcome<()> {
    let key = SecretKey::generate();
    let registry = Registry::linked()?.with_credentials(key.credentials().into());
    let (endpoint, inboxes) = Endpoint::start(Arc::new(registry), key, settings)?;
    let mut bound = Vec::new();
    for addr in addrs {
        bound.push(endpoint.listen(&addr.parse()?).await?);
    }
    let (endpoint, Inboxes { control, gossip, bulk: _bulk }) = (Arc::new(endpoint), inboxes);
    let profile =
        Profile { addresses: bound.iter().filter_map(pack).collect(), ..Profile::default() };
    let inboxes = [control, gossip];
    let gossip = Gossip::start(endpoint.clone(), inboxes, Config::lan(), profile, None)?;
    let (mut events, gossip) = (gossip.events(), Arc::new(gossip));
    tell(&What::Listening(endpoint.node(), bound.iter().map(ToString::to_string).collect()))?;

    let (mut lines, mut joining) = (lines(), JoinSet::new());
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => What::of(event).iter().try_for_each(tell)?,
                Err(RecvError::Lagged(missed)) => {
                    return Err(format!("{missed} events were missed").into());
                }
                Err(RecvError::Closed) => return Ok(()),
            },
            line = lines.recv() => match line {
                Some(line) => _ = joining.spawn(join(gossip.clone(), line)),
                None => return Ok(()),
            },
            Some(joined) = joining.join_next() => tell(&joined?)?,
        }
    }
}

async fn join(gossip: Arc<Gossip>, addr: String) -> What {
    let addr = match addr.parse() {
        Ok(addr) => addr,
        Err(error) => return What::Unmet(format!("{error}")),
    };
    match gossip.join(&addr).await {
        Ok(_) => What::Met,
        Err(error) => What::Unmet(error.to_string()),
    }
}

fn tell(what: &What) -> Outcome<()> {
    say(&format!("{} {what}", now()))
}

/// The lines of the input.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        let lines = io::stdin().lock().lines().map_while(Result::ok);
        // Nobody waits for more once the other end is gone.
        let _ = lines.map(|line| sender.blocking_send(line)).find(Result::is_err);
    });
    receiver
}

pub(crate) const NAME: &str = "member";

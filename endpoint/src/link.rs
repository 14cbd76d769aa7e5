//! A conn to a peer that has proven itself, and what goes over it.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use rumormill_transport_api::{
    Addr, AnyReader, AnyWriter, Batch, Delivery, End, Info, NodeId, Proof,
};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    budget::{Permit, Yields},
    carriers::{Broken, Carrier, Opened},
    config::Signing,
    crowd::Place,
    ear::{Ear, Late},
    frame::Lane,
    handle::{Link, Scope},
    hub::Hub,
    ledger::Rejected,
    peer::{Peer, Session},
    pump::Pump,
    track::{Declined, Track},
    trail::{Left, Patience},
    turn::Portion,
};

/// A conn whose peer has proven itself, and everything that belongs to it.
pub(crate) struct Met {
    pub(crate) peer: Arc<Peer>,
    pub(crate) session: Arc<Session>,
    /// The node that has dialled it.
    pub(crate) dialler: NodeId,
    pub(crate) info: Info,
    pub(crate) reader: AnyReader,
    pub(crate) writer: AnyWriter,
    /// Frames that came right behind the greeting.
    pub(crate) arrived: Vec<Bytes>,
    /// The longest frame that both sides take.
    pub(crate) max_frame: usize,
    /// When its peer may be a member no longer.
    pub(crate) expires: Option<Instant>,
    pub(crate) late: Option<Late>,
    /// What it takes up of all conns, and of those that are accepted, if it was.
    pub(crate) places: (Permit, Option<Place>),
}

/// What the tasks of a conn share.
pub(crate) struct Context<'a> {
    pub(crate) hub: &'a Arc<Hub>,
    pub(crate) peer: &'a Arc<Peer>,
    pub(crate) session: &'a Arc<Session>,
    pub(crate) info: &'a Info,
    pub(crate) link: &'a Arc<Link>,
    /// [`Info::remote`], which every message shares.
    pub(crate) via: Arc<Addr>,
    pub(crate) carrier: &'a Carrier,
    pub(crate) patience: Patience,
}

/// How one side of a conn has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As both sides do when there is nothing more to say.
    Clean,
    /// Because this node wanted it so.
    Ours,
    /// Otherwise; something may be lost.
    Broken(Broken),
}

/// Carries messages over `met`, whose dialer has proven itself in `lane`, until it ends.
pub(crate) async fn carry(hub: &Arc<Hub>, link: &Arc<Link>, lane: Lane, met: Met) {
    let Met { peer, session, info, reader, writer, arrived, max_frame, late, .. } = met;
    let (_places, expires) = (met.places, met.expires);
    let Some(_counted) = peer.another_conn() else {
        hub.ledger.rejected(Rejected::Crowded);
        // Or it would be dialled again without a pause.
        peer.missed();
        return hub.ended(&peer);
    };
    let track = Track::of_conn(info.caps.delivery, lane);
    let via = Arc::new(info.remote.clone());
    let carrier = hub.ledger.carriers.carrier(via.scheme());
    let patience = Patience::of(info.caps.delivery, hub.config.timeouts);
    let (peer, session, info) = (&peer, &session, &info);
    let context = Context { hub, peer, session, info, link, via, carrier, patience };
    context.begin(track);
    let since = Instant::now();
    let _active = carrier.open(match link.dialler() == hub.us.node {
        true => Opened::Dialled,
        false => Opened::Accepted,
    });
    let as_idler: Arc<dyn Yields> = link.clone();
    hub.places.register(Arc::downgrade(&as_idler));
    let leaving = Leaving(&context);
    let pump = Pump {
        context: &context,
        lane: track.lane(),
        max_frame,
        batch: Batch::default(),
        memory: BytesMut::new(),
        payloads: Vec::new(),
        portion: Portion::default(),
    };
    let ending = tokio::select! {
        biased;
        () = link.is_cut() => Ending::Ours,
        () = passed(expires) => Ending::Ours,
        ending = context.run(pump, (reader, writer), Ear::new(info, late), arrived) => ending,
    };
    if hub.is_closed() && ending == Ending::Clean && info.caps.end == End::None {
        // Nobody can say that it has arrived any more; the carrier has it.
        let missed = link.trail().forget();
        missed.iter().for_each(|kept| hub.lose(peer, kept));
    }
    // Somebody who greets and then hangs up, again and again, must not be dialled without a pause.
    // Nor must somebody who can only see what is sent, and says that it was not opened.
    if since.elapsed() < SETTLED && !link.has_given_way() && !hub.is_closed() {
        peer.missed();
    }
    if let Ending::Broken(why) = ending {
        carrier.broke(why);
        // Over datagrams a peer dials from where it can be dialled.
        let addr = link.route().unwrap_or(&info.remote);
        let mut rng = hub.rng();
        peer.with_routes(|routes| routes.missed(addr, Instant::now(), &mut *rng));
    }
    peer.with_tracks(|tracks| tracks.withdraw(link));
    drop(leaving);
    hub.ended(peer);
}

impl Met {
    /// What others may do to it; `route` is the way by which this node has dialled it.
    pub(crate) fn link(&self, route: Option<Addr>) -> Arc<Link> {
        Link::new(self.dialler, route, Scope::of(&self.info.caps))
    }
}

impl Context<'_> {
    /// Gives the conn its place among those of its peer, if another one has no precedence.
    fn begin(&self, track: Track) {
        let Self { hub, peer, link, .. } = self;
        match peer.offer(track, link) {
            Ok(before) => {
                hub.connected(peer);
                peer.bar_hopeless();
                // It may be dead: what it has sent goes out again, before anything newer does.
                before.iter().for_each(|before| self.leave(before));
                // What this one was dialled for may be another one's by now.
                hub.dial_for_all(peer);
            }
            Err(Declined) => link.give_way(),
        }
        // Also of one that was declined: whoever looked for a better way has found no use for it.
        Track::ALL.iter().for_each(|track| hub.restore_if_worse(peer, *track));
        if hub.is_closed() {
            link.drain();
        }
    }

    /// Leaves to the next conn of the peer what `link` has sent and nobody has heard of.
    fn leave(&self, link: &Link) {
        let Self { hub, peer, session, .. } = self;
        let Left { again, lost } = link.trail().leave(&self.patience, Instant::now());
        lost.iter().for_each(|kept| hub.lose(peer, kept));
        let displaced = peer.orphans().take_in(session, again);
        displaced.iter().for_each(|orphan| hub.lose(peer, &orphan.kept));
        // Whoever carries these lanes meanwhile may have looked before they were there.
        peer.with_tracks(|tracks| tracks.nudge());
    }

    /// Sends and receives until both sides have said everything, or one cannot any more.
    async fn run(
        &self,
        mut pump: Pump<'_>,
        (mut reader, mut writer): (AnyReader, AnyWriter),
        ear: Ear,
        arrived: Vec<Bytes>,
    ) -> Ending {
        let mut reading = std::pin::pin!(self.read(&mut reader, ear, arrived));
        let mut pumping = std::pin::pin!(pump.run(&mut writer));
        tokio::select! {
            biased;
            sent = &mut pumping => if sent != Ending::Clean {
                return sent;
            },
            heard = &mut reading => {
                if heard != Ending::Clean {
                    return heard;
                }
                // The peer says no more, but it listens until this side ends, too.
                self.peer.with_tracks(|tracks| tracks.withdraw(self.link));
                self.leave(self.link);
                self.hub.dial_for_all(self.peer);
                self.link.drain();
                return pumping.await;
            }
        }
        // What is sent from now on takes another conn.
        self.peer.with_tracks(|tracks| tracks.withdraw(self.link));
        self.hub.dial_for_all(self.peer);
        // The other side reads what is left, and then ends as well, where there is an end.
        let rest = match self.info.caps.end {
            End::None if self.hub.is_closed() || !self.link.has_given_way() => Duration::ZERO,
            End::None => LINGER,
            End::Half | End::Whole => self.hub.config.timeouts.read,
        };
        match (timeout(rest, reading).await, self.info.caps.end) {
            (Ok(heard), _) => heard,
            (Err(_), End::None) => Ending::Clean,
            (Err(_), End::Half | End::Whole) => Ending::Broken(Broken::Silent),
        }
    }

    /// Whether anything may get lost here, come twice, or come from somebody else.
    pub(crate) fn is_lossy(&self) -> bool {
        self.info.caps.delivery == Delivery::Datagram
    }

    /// Whether the carrier itself has proven the peer, so that frames need no signature.
    pub(crate) fn is_proven_by_carrier(&self) -> bool {
        self.hub.config.signing == Signing::UnlessSecure
            && !self.info.early
            && self.info.proof == Some(Proof::Node(self.peer.node))
    }
}

/// Waits for a moment that may never come.
async fn passed(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Leaves to the peer what a conn has sent and nobody has heard of, however it ends.
struct Leaving<'a>(&'a Context<'a>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let Context { hub, peer, link, .. } = self.0;
        self.0.leave(link);
        if peer.is_forgotten() {
            Lane::ALL.iter().for_each(|lane| hub.lose_orphans(peer, *lane));
        }
    }
}

/// A conn that lasts as long as this is taken for a good one.
const SETTLED: Duration = Duration::from_secs(1);
/// How long a conn without an end, which another one has replaced, is still read.
const LINGER: Duration = Duration::from_secs(1);

//! Which conn to a peer carries what.

use std::sync::Arc;

use rumormill_transport_api::Delivery;

use crate::{frame::Lane, handle::Link};

/// The conns that a peer has, each for its own lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Track {
    /// Datagrams, for what is urgent and fits a packet.
    Packets,
    /// A stream, for what is urgent and does not.
    Urgent,
    /// A stream, for everything else.
    Bulk,
}

/// The conns of one peer, and who looks for those that are not there.
///
/// A track that no route of its kind leads to is barred: another one stands in for it.
#[derive(Debug, Default)]
pub(crate) struct Tracks([State; 3]);

#[derive(Debug, Default)]
struct State {
    current: Option<Arc<Link>>,
    is_dialling: bool,
    is_restoring: bool,
    is_barred: bool,
}

/// A conn that has precedence is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Declined;

/// Some of the lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lanes([bool; 3]);

impl Track {
    pub(crate) const ALL: [Self; 3] = [Self::Packets, Self::Urgent, Self::Bulk];

    /// The one that carries `lane`, unless another stands in for it.
    pub(crate) fn of(lane: Lane) -> Self {
        match lane {
            Lane::Urgent => Self::Packets,
            Lane::Heavy => Self::Urgent,
            Lane::Bulk => Self::Bulk,
        }
    }

    /// The one that a conn is for whose dialer has proven itself in `lane`.
    pub(crate) fn of_conn(delivery: Delivery, lane: Lane) -> Self {
        match (delivery, lane) {
            (Delivery::Datagram, _) => Self::Packets,
            (Delivery::Stream, Lane::Urgent | Lane::Heavy) => Self::Urgent,
            (Delivery::Stream, Lane::Bulk) => Self::Bulk,
        }
    }

    /// The lane in which the dialer of such a conn proves itself.
    pub(crate) fn greeting(self) -> Lane {
        match self {
            Self::Packets | Self::Urgent => Lane::Urgent,
            Self::Bulk => Lane::Bulk,
        }
    }

    /// The lane that it carries, whatever else it does.
    pub(crate) fn lane(self) -> Lane {
        match self {
            Self::Packets => Lane::Urgent,
            Self::Urgent => Lane::Heavy,
            Self::Bulk => Lane::Bulk,
        }
    }

    pub(crate) fn delivery(self) -> Delivery {
        match self {
            Self::Packets => Delivery::Datagram,
            Self::Urgent | Self::Bulk => Delivery::Stream,
        }
    }

    /// The one that is dialled in its place, over conns of the other kind.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Packets => Self::Urgent,
            Self::Urgent | Self::Bulk => Self::Packets,
        }
    }
}

impl Lanes {
    /// Those that it has, the most urgent first.
    pub(crate) fn iter(self) -> impl Iterator<Item = Lane> {
        let order = [Lane::Urgent, Lane::Heavy, Lane::Bulk];
        order.into_iter().filter(move |lane| self.has(*lane))
    }

    pub(crate) fn has(self, lane: Lane) -> bool {
        self.0[lane as usize]
    }
}

impl Tracks {
    /// The one that carries `lane` now: its own, or where that is barred the one of the other kind.
    /// Urgent messages and bulk share a stream only where there is nothing else.
    fn carrier(&self, lane: Lane) -> Option<Track> {
        let own = Track::of(lane);
        let has_link = |track: &Track| self.link(*track).is_some();
        if has_link(&own) {
            return Some(own);
        }
        let stand_ins = match own {
            _ if !self.is_barred(own) => return None,
            Track::Packets if self.is_barred(Track::Urgent) => [Track::Urgent, Track::Bulk],
            Track::Packets => [Track::Urgent; 2],
            // What is too long for packets goes by any stream, if there is one.
            Track::Urgent => [Track::Bulk, Track::Packets],
            // Packets lose replies, and do not take everything.
            Track::Bulk => [Track::Urgent, Track::Packets],
        };
        stand_ins.into_iter().find(has_link)
    }

    /// Whether something carries `lane` now.
    pub(crate) fn carries(&self, lane: Lane) -> bool {
        self.carrier(lane).is_some()
    }

    /// What `link` carries now.
    pub(crate) fn served_by(&self, link: &Arc<Link>) -> Lanes {
        let mut lanes = Lanes::default();
        for lane in Lane::ALL {
            let current = self.carrier(lane).and_then(|track| self.link(track));
            lanes.0[lane as usize] = current.is_some_and(|current| Arc::ptr_eq(current, link));
        }
        lanes
    }

    pub(crate) fn link(&self, track: Track) -> Option<&Arc<Link>> {
        self.0[track as usize].current.as_ref()
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.0.iter().filter_map(|state| state.current.as_ref())
    }

    /// Takes all conns away.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = Arc<Link>> {
        self.unbar();
        self.0.iter_mut().filter_map(|state| state.current.take())
    }

    /// Makes `link` the one of `track`, unless the one that is there has precedence; returns the one
    /// that it replaces.
    ///
    /// Both sides may dial at once. Then the conn stays that [precedes](Link::precedes) the other, and
    /// both sides come to the same conclusion. Otherwise the later stays: who dials though there
    /// is a conn has noticed that it is dead, or leads a worse way.
    pub(crate) fn offer(
        &mut self,
        track: Track,
        link: &Arc<Link>,
    ) -> Result<Option<Arc<Link>>, Declined> {
        let state = &mut self.0[track as usize];
        if let Some(current) = &state.current
            && current.precedes(link)
            && current.is_young()
        {
            return Err(Declined);
        }
        let before = state.current.replace(link.clone());
        before.iter().for_each(|before| before.give_way());
        state.is_barred = false;
        self.nudge();
        Ok(before)
    }

    /// Notes that the peer uses `link` for `lane`. If this side has another conn for that lane, the
    /// peer has noticed that it is dead: it is taken away, and returned.
    pub(crate) fn peer_uses(&mut self, link: &Arc<Link>, lane: Lane) -> Option<Arc<Link>> {
        if !self.links().any(|current| Arc::ptr_eq(current, link)) {
            return None;
        }
        let state = &mut self.0[Track::of(lane) as usize];
        let is_dead = |current: &mut Arc<Link>| !Arc::ptr_eq(current, link) && !current.is_young();
        let dead = state.current.take_if(is_dead)?;
        state.is_barred = true;
        self.nudge();
        Some(dead)
    }

    /// Notes that `link` has ended, or is about to.
    pub(crate) fn withdraw(&mut self, link: &Arc<Link>) {
        for state in &mut self.0 {
            state.current.take_if(|current| Arc::ptr_eq(current, link));
        }
        if self.links().next().is_none() {
            // Nothing is left that could stand in.
            self.unbar();
        }
        self.nudge();
    }

    /// Has another track stand in.
    pub(crate) fn bar(&mut self, track: Track) {
        self.0[track as usize].is_barred = true;
        self.nudge();
    }

    pub(crate) fn is_barred(&self, track: Track) -> bool {
        self.0[track as usize].is_barred
    }

    /// Gives every track another chance.
    pub(crate) fn unbar(&mut self) {
        self.0.iter_mut().for_each(|state| state.is_barred = false);
    }

    /// The one that has to be dialled for `lane`, if nothing carries it and nobody does so; from then
    /// on it is under way.
    pub(crate) fn begin_dialling(&mut self, lane: Lane) -> Option<Track> {
        if self.carries(lane) {
            return None;
        }
        let track = self.dialled_for(lane);
        let state = &mut self.0[track as usize];
        let shall = state.current.is_none() && !state.is_dialling;
        state.is_dialling |= shall;
        shall.then_some(track)
    }

    pub(crate) fn end_dialling(&mut self, track: Track) {
        self.0[track as usize].is_dialling = false;
    }

    /// Whether somebody should look for a better way; from then on it is under way.
    pub(crate) fn begin_restoring(&mut self, track: Track) -> bool {
        !std::mem::replace(&mut self.0[track as usize].is_restoring, true)
    }

    pub(crate) fn end_restoring(&mut self, track: Track) {
        self.0[track as usize].is_restoring = false;
    }

    /// The lanes that wait for `track` to be dialled.
    pub(crate) fn waiting_for(&self, track: Track) -> impl Iterator<Item = Lane> {
        Lane::ALL
            .into_iter()
            .filter(move |lane| self.dialled_for(*lane) == track && !self.carries(*lane))
    }

    /// The track that is dialled for `lane`: its own, or one that is not barred.
    fn dialled_for(&self, lane: Lane) -> Track {
        let own = Track::of(lane);
        let ways = [own, own.other(), own.other().other()];
        ways.into_iter().find(|track| !self.is_barred(*track)).unwrap_or(own)
    }

    /// Has all conns look again at what they carry.
    pub(crate) fn nudge(&self) {
        self.links().for_each(|link| link.nudge());
    }
}

#[cfg(test)]
mod tests {
    use rumormill_transport_api::NodeId;

    use super::*;
    use crate::handle::Scope;

    fn link(dialler: u8) -> Arc<Link> {
        Link::new(NodeId([dialler; 32]), None, Scope::Network)
    }

    fn served(tracks: &Tracks, link: &Arc<Link>) -> Vec<Lane> {
        tracks.served_by(link).iter().collect()
    }

    #[tokio::test]
    async fn each_lane_has_its_own_conn_where_there_is_one() {
        let (mut tracks, links) = (Tracks::default(), [link(1), link(1), link(1)]);
        let all = [Track::Packets, Track::Urgent, Track::Bulk];
        for (track, link) in all.iter().zip(&links) {
            assert!(tracks.offer(*track, link).is_ok());
        }
        let lanes = links.each_ref().map(|link| served(&tracks, link));
        assert_eq!(lanes, [[Lane::Urgent], [Lane::Heavy], [Lane::Bulk]]);
    }

    #[tokio::test]
    async fn others_stand_in_for_what_is_barred() {
        let (mut tracks, packets) = (Tracks::default(), link(1));
        tracks.offer(Track::Packets, &packets).unwrap();
        assert_eq!(served(&tracks, &packets), [Lane::Urgent], "a stream may still come");
        assert_eq!(tracks.begin_dialling(Lane::Bulk), Some(Track::Bulk));
        assert_eq!(tracks.begin_dialling(Lane::Bulk), None, "it is under way");
        tracks.bar(Track::Bulk);
        tracks.bar(Track::Urgent);
        assert_eq!(served(&tracks, &packets), [Lane::Urgent, Lane::Heavy, Lane::Bulk]);
        let bulk = link(1);
        tracks.offer(Track::Bulk, &bulk).unwrap();
        assert_eq!(served(&tracks, &bulk), [Lane::Heavy, Lane::Bulk]);
        assert_eq!(served(&tracks, &packets), [Lane::Urgent]);
        tracks.withdraw(&packets);
        assert_eq!(tracks.begin_dialling(Lane::Urgent), Some(Track::Packets));
    }

    #[tokio::test]
    async fn a_barred_track_has_the_other_kind_dialled() {
        let mut tracks = Tracks::default();
        tracks.bar(Track::Packets);
        assert_eq!(tracks.begin_dialling(Lane::Urgent), Some(Track::Urgent));
        assert_eq!(tracks.waiting_for(Track::Urgent).count(), 2);
        assert_eq!(tracks.waiting_for(Track::Packets).count(), 0);
        let stream = link(1);
        tracks.offer(Track::Urgent, &stream).unwrap();
        assert_eq!(served(&tracks, &stream), [Lane::Urgent, Lane::Heavy]);
        assert_eq!(tracks.waiting_for(Track::Urgent).count(), 0);
    }

    #[tokio::test]
    async fn bulk_does_not_carry_what_is_urgent_if_it_need_not() {
        let (mut tracks, bulk) = (Tracks::default(), link(1));
        tracks.offer(Track::Bulk, &bulk).unwrap();
        tracks.bar(Track::Packets);
        assert_eq!(tracks.begin_dialling(Lane::Urgent), Some(Track::Urgent));
        assert_eq!(served(&tracks, &bulk), [Lane::Bulk]);
        tracks.bar(Track::Urgent);
        assert_eq!(served(&tracks, &bulk), [Lane::Urgent, Lane::Heavy, Lane::Bulk]);
    }

    #[tokio::test]
    async fn both_sides_keep_the_same_of_two_conns() {
        let (mut tracks, low, high) = (Tracks::default(), link(1), link(2));
        assert_eq!(tracks.offer(Track::Bulk, &high).map(|before| before.is_none()), Ok(true));
        let before = tracks.offer(Track::Bulk, &low).unwrap();
        assert!(before.is_some_and(|before| Arc::ptr_eq(&before, &high)) && high.has_given_way());
        assert_eq!(tracks.offer(Track::Bulk, &high).map(drop), Err(Declined));
        assert!(tracks.offer(Track::Bulk, &link(1)).is_ok(), "the later of the same dialer");
    }

    #[tokio::test]
    async fn what_stays_on_the_machine_precedes_whoever_has_dialled_it() {
        let local = |dialler| Link::new(NodeId([dialler; 32]), None, Scope::Machine);
        for (here, there) in [(1, 2), (2, 1)] {
            let (near, far) = (local(here), link(there));
            let (mut one, mut other) = (Tracks::default(), Tracks::default());
            assert!(one.offer(Track::Bulk, &far).is_ok() && one.offer(Track::Bulk, &near).is_ok());
            assert!(other.offer(Track::Bulk, &near).is_ok());
            assert_eq!(other.offer(Track::Bulk, &far).map(drop), Err(Declined));
            assert!(other.offer(Track::Bulk, &link(here)).is_ok(), "its dialer knows better");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_dials_though_there_is_a_conn_knows_that_it_is_dead() {
        let (mut tracks, low, high) = (Tracks::default(), link(1), link(2));
        tracks.offer(Track::Bulk, &low).unwrap();
        tokio::time::advance(std::time::Duration::from_secs(10)).await;
        assert!(tracks.offer(Track::Bulk, &high).is_ok() && low.has_given_way());
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_peer_uses_instead_tells_that_a_conn_is_dead() {
        let (mut tracks, packets, bulk) = (Tracks::default(), link(1), link(1));
        tracks.offer(Track::Packets, &packets).unwrap();
        tracks.offer(Track::Bulk, &bulk).unwrap();
        assert!(tracks.peer_uses(&packets, Lane::Bulk).is_none(), "it may have come just now");
        tokio::time::advance(std::time::Duration::from_secs(10)).await;
        assert!(tracks.peer_uses(&packets, Lane::Urgent).is_none());
        assert!(tracks.peer_uses(&link(1), Lane::Bulk).is_none(), "an old one");
        assert!(tracks.peer_uses(&packets, Lane::Bulk).is_some());
        assert_eq!(served(&tracks, &packets), [Lane::Urgent, Lane::Bulk]);
    }
}

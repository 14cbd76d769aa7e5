//! What has to hold for everything that any node reports, at every step.

use std::collections::BTreeMap;

use bytes::Bytes;
use rumormill_gossip::{Event, Signer, Standing, Swim, Version};
use rumormill_transport_api::NodeId;

/// What one node has reported of the others so far.
#[derive(Default)]
pub(crate) struct Watch {
    reported: BTreeMap<NodeId, (Standing, Version)>,
    held: BTreeMap<NodeId, (Standing, Version)>,
    next: usize,
}

/// The bytes of every record that anybody holds: one for each version.
#[derive(Default)]
pub(crate) struct Records(BTreeMap<(NodeId, Version), Bytes>);

impl Watch {
    /// That the event is a legal step, that versions only rise, and that nobody who is gone comes back
    /// without a higher one.
    pub(crate) fn check(&mut self, swim: &Swim<impl Signer>, event: &Event) {
        use Standing::{Alive, Failed, Left, Suspected};
        let (node, before, after): (_, &[Option<Standing>], _) = match event {
            Event::Joined(node) => (node, &[None], Alive),
            Event::Suspected { node, .. } => (node, &[Some(Alive)], Suspected),
            Event::Cleared(node) => (node, &[Some(Suspected)], Alive),
            Event::Failed { node, .. } => (node, &[Some(Suspected), Some(Alive)], Failed),
            Event::Returned(node) => (node, &[Some(Failed), Some(Left)], Alive),
            Event::Updated(node) => (node, &[Some(Alive)], Alive),
            Event::Left(node) => (node, &[Some(Alive), Some(Suspected), Some(Failed)], Left),
            Event::Described(_) | Event::NameConflict { .. } | Event::IdentityConflict { .. } => {
                return;
            }
        };
        assert_ne!(*node, swim.node(), "{event:?} about itself");
        let known = self.reported.get(node).copied();
        let standing = known.map(|(standing, _)| standing);
        assert!(before.contains(&standing), "{event:?} after {standing:?}");
        let version = swim.member(*node).expect("it is known").record().version;
        match (known, event) {
            // Versions rise silently while nothing else changes, but not under suspicion.
            (Some((_, known)), Event::Suspected { .. }) => assert!(known <= version, "{event:?}"),
            (Some((Suspected, known)), Event::Failed { .. }) => {
                assert_eq!(version, known, "{event:?}")
            }
            (Some((_, known)), Event::Failed { .. }) => assert!(known <= version, "{event:?}"),
            (Some((_, known)), _) => assert!(known < version, "{event:?} of {version:?}"),
            (None, _) => (),
        }
        self.reported.insert(*node, (after, version));
    }

    /// That one member is as it was or newer, and is not there again, once it was gone, in the same version.
    pub(crate) fn sample(
        &mut self,
        swim: &Swim<impl Signer>,
        records: &mut Records,
        of: impl Fn(usize) -> Option<NodeId>,
    ) {
        self.next += 1;
        let Some(node) = of(self.next) else {
            self.next = 0;
            return;
        };
        let Some(member) = swim.member(node) else { return };
        let (standing, record) = (member.standing(), member.record());
        let held = self.held.insert(record.node, (standing, record.version));
        if let Some((before, version)) = held {
            let is_same = version == record.version;
            assert!(version <= record.version, "{:?} is older than it was", record.node);
            assert!(!is_same || before.is_here() || !standing.is_here(), "{:?} rose", record.node);
        }
        let bytes = records
            .0
            .entry((record.node, record.version))
            .or_insert_with(|| record.whole().clone());
        assert_eq!(bytes, record.whole(), "two records of one version");
    }
}

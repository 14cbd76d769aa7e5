//! State exchange: what two nodes tell each other so that both know the same.
//!
//! One shows fingerprints of all that it knows; the other answers with what differs, and names the
//! fingerprints that it does not know; the first then tells of those. Nobody remembers anything between
//! these steps, and equal tables cost eight bytes a member.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes};
use rumormill_transport_api::NodeId;

use crate::{
    member::{Member, Standing, print},
    message::{Ask, Body, MAX_PRINTS, PAGE, begin, of_accusation, of_record},
    record::{Record, State},
    table::Table,
};

/// All that a node knows: the others, and itself.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) own: &'a Record,
    pub(crate) table: &'a Table,
}

const FIRST: NodeId = NodeId([0; 32]);
const LAST: NodeId = NodeId([255; 32]);

/// The digest of those that are there, this node included.
pub(crate) fn digest(view: View<'_>) -> u64 {
    match view.own.state {
        State::Alive => view.table.digest().wrapping_add(own_print(view.own)),
        State::Leaving => view.table.digest(),
    }
}

/// Questions that together show all that is known.
pub(crate) fn asks(view: View<'_>) -> Vec<Bytes> {
    let known: Vec<(NodeId, u64)> = prints(view, FIRST, LAST);
    let mut pages: Vec<_> = known.chunks(MAX_PRINTS).collect();
    if pages.is_empty() {
        pages.push(&[]);
    }
    let firsts = pages.iter().map(|page| page.first().map_or(FIRST, |(node, _)| *node));
    let mut firsts: Vec<NodeId> = firsts.collect();
    firsts.first_mut().into_iter().for_each(|first| *first = FIRST);
    let ends = firsts.iter().skip(1).map(|first| before(*first)).chain([LAST]);
    let ask = |((first, last), page): ((NodeId, NodeId), &[(NodeId, u64)])| {
        let prints = page.iter().map(|(_, print)| *print).collect();
        begin(&Body::Ask(Ask { first, last, prints })).freeze()
    };
    firsts.iter().copied().zip(ends).zip(pages).map(ask).collect()
}

/// The answer to a question: what the asker lacks, in pages, and what it is to tell.
pub(crate) fn answer(view: View<'_>, ask: &Ask) -> Vec<Bytes> {
    let theirs: BTreeSet<u64> = ask.prints.iter().copied().collect();
    let ours: BTreeSet<u64> =
        prints(view, ask.first, ask.last).into_iter().map(|(_, print)| print).collect();
    let want: Vec<u64> = theirs.difference(&ours).copied().collect();
    let lacking = entries(view, ask.first, ask.last, |print| !theirs.contains(&print));
    pages(&want, lacking)
}

/// What another node wants to be told.
pub(crate) fn tell(view: View<'_>, want: &[u64]) -> Vec<Bytes> {
    let want: BTreeSet<u64> = want.iter().copied().collect();
    pages(&[], entries(view, FIRST, LAST, |print| want.contains(&print)))
}

fn prints(view: View<'_>, first: NodeId, last: NodeId) -> Vec<(NodeId, u64)> {
    let others = view.table.between(first, last).map(|member| (member.record.node, member.print));
    let mut all: Vec<_> = others.collect();
    if (first..=last).contains(&view.own.node) {
        let place = all.partition_point(|(node, _)| *node < view.own.node);
        all.insert(place, (view.own.node, own_print(view.own)));
    }
    all
}

fn own_print(own: &Record) -> u64 {
    match own.state {
        State::Alive => print(own, Standing::Alive),
        State::Leaving => print(own, Standing::Left),
    }
}

fn entries(
    view: View<'_>,
    first: NodeId,
    last: NodeId,
    is_wanted: impl Fn(u64) -> bool,
) -> Vec<Bytes> {
    let others = view.table.between(first, last).filter(|member| is_wanted(member.print));
    let mut all: Vec<Bytes> = others.map(entry).collect();
    if (first..=last).contains(&view.own.node) && is_wanted(own_print(view.own)) {
        all.push(of_record(view.own));
    }
    all
}

/// A record and, if the member has failed, whose word that is.
fn entry(member: &Member) -> Bytes {
    let record = of_record(&member.record);
    match &member.failure {
        Some(failure) => [record, of_accusation(failure)].concat().into(),
        None => record,
    }
}

fn pages(want: &[u64], entries: Vec<Bytes>) -> Vec<Bytes> {
    let mut pages = vec![begin(&Body::State { want: want.to_vec() })];
    for entry in entries {
        let is_full = pages.last().is_none_or(|page| PAGE < page.len() + entry.len());
        if is_full {
            pages.push(begin(&Body::State { want: Vec::new() }));
        }
        pages.iter_mut().next_back().into_iter().for_each(|page| page.put_slice(&entry));
    }
    if want.is_empty() && pages.first().is_some_and(|page| page.len() == EMPTY) {
        pages.clear();
    }
    pages.into_iter().map(Into::into).collect()
}

/// Bytes of a page that says and wants nothing.
const EMPTY: usize = 4;

/// The id that comes just before this one, which is not the first.
fn before(node: NodeId) -> NodeId {
    let mut id = node.0;
    for byte in id.iter_mut().rev() {
        let (less, has_borrowed) = byte.overflowing_sub(1);
        *byte = less;
        if !has_borrowed {
            break;
        }
    }
    NodeId(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        message::{Message, Update},
        record::{Profile, tests::issue, tests::record},
        signer::{Grant, Notary, StandIn},
        time::Time,
    };

    fn table(nodes: impl IntoIterator<Item = u8>) -> Table {
        let mut table = Table::new(&Config::lan());
        for byte in nodes {
            table.admit(record(byte, 1, 1), &Grant::Member, Time::default());
        }
        table
    }

    fn read(bytes: &Bytes) -> (Body, Vec<u8>) {
        let message = Message::read(bytes).unwrap();
        let node = |update: &Update| match update {
            Update::Record(record) => record.node.0[0],
            Update::Claim(claim) => claim.about[0],
            Update::Rumor(_) | Update::Announced(_) => panic!("state is of members alone"),
        };
        (message.body, message.updates.iter().map(node).collect())
    }

    #[test]
    fn what_differs_is_told_and_nothing_else() {
        let (one, other) = (table([2, 3, 9]), table([1, 3, 7, 9]));
        let (own_one, own_other) = (record(1, 1, 1), record(2, 1, 1));
        let one = View { own: &own_one, table: &one };
        let other = View { own: &own_other, table: &other };
        let [ask] = &asks(one)[..] else { panic!("one page is enough") };
        let Body::Ask(ask) = Message::read(ask).unwrap().body else { panic!() };
        assert_eq!(ask.prints.len(), 4);
        let [page] = &answer(other, &ask)[..] else { panic!("one page is enough") };
        assert_eq!(read(page), (Body::State { want: vec![] }, vec![7]));
        let [ask] = &asks(other)[..] else { panic!("one page is enough") };
        let Body::Ask(ask) = Message::read(ask).unwrap().body else { panic!() };
        let [page] = &answer(one, &ask)[..] else { panic!("one page is enough") };
        let (Body::State { want }, updates) = read(page) else { panic!() };
        assert_eq!((want.len(), updates), (1, vec![]));
        let [page] = &tell(other, &want)[..] else { panic!("one page is enough") };
        assert_eq!(read(page), (Body::State { want: vec![] }, vec![7]));
        assert_ne!(digest(one), digest(other));
    }

    #[test]
    fn equal_tables_have_nothing_to_say() {
        let (one, other) = (table([2, 3]), table([1, 3]));
        let (own_one, own_other) = (record(1, 1, 1), record(2, 1, 1));
        let one = View { own: &own_one, table: &one };
        let other = View { own: &own_other, table: &other };
        assert_eq!(digest(one), digest(other));
        let Body::Ask(ask) = Message::read(&asks(one)[0]).unwrap().body else { panic!() };
        assert!(answer(other, &ask).is_empty());
    }

    #[test]
    fn large_tables_take_several_pages_and_none_is_too_long() {
        let (mut table, own) = (Table::new(&Config::lan()), record(1, 1, 1));
        for count in 0..5000_u16 {
            let mut id = [7; 32];
            id[..2].copy_from_slice(&count.to_be_bytes());
            let notary = Notary::new(StandIn(NodeId(id)), "test");
            let record = Record::sign(issue(1, 1), Profile::default(), &notary);
            table.admit(record, &Grant::Member, Time::default());
        }
        let (full, empty) = (View { own: &own, table: &table }, Table::new(&Config::lan()));
        let ours = asks(full);
        assert_eq!(ours.len(), 2);
        let stranger = record(200, 1, 1);
        let empty = View { own: &stranger, table: &empty };
        let (mut told, mut covered) = (0, FIRST);
        for ask in &ours {
            let Body::Ask(ask) = Message::read(ask).unwrap().body else { panic!() };
            assert!(ask.first == covered || before(ask.first) == covered);
            covered = ask.last;
            assert!(answer(full, &ask).is_empty(), "it has shown all");
            let pages = answer(empty, &ask);
            let Body::State { want } = Message::read(&pages[0]).unwrap().body else { panic!() };
            for page in tell(full, &want) {
                assert!(page.len() <= PAGE);
                told += Message::read(&page).unwrap().updates.len();
            }
        }
        assert_eq!((told, covered), (5001, LAST));
    }
}

//! The rules by which the table changes.

use super::*;
use crate::{
    record::{Issue, Profile, Version, tests::record},
    signer::{Notary, StandIn},
};

const NOW: Time = Time(Duration::from_secs(1_000_000));

fn node(byte: u8) -> NodeId {
    NodeId([byte; 32])
}

fn table() -> Table {
    Table::new(&Config::lan())
}

fn timing() -> Timing {
    Timing::new(&Config::lan(), 9)
}

fn accusation(verdict: Verdict, about: u8, n: u32, by: u8) -> Accusation {
    let notary = Notary::new(StandIn(node(by)), "test");
    Accusation::sign(verdict, node(about), Version { epoch: 1, n }, &notary)
}

fn leaving(about: u8, epoch: u64, n: u32) -> Record {
    let (session, version) = (epoch, Version { epoch, n });
    let issue = Issue { session, version, state: State::Leaving, issued: NOW.seconds() };
    Record::sign(issue, Profile::default(), &Notary::new(StandIn(node(about)), "test"))
}

/// What a record changes, by the rules that the core follows.
fn offer(table: &mut Table, record: Record) -> Result<Change, Refusal> {
    table.screen(&record, NOW)?;
    Ok(table.admit(record, &Grant::Member, NOW).0)
}

fn accuse(table: &mut Table, accusation: Accusation) -> bool {
    if !table.wants(&accusation) {
        return false;
    }
    match accusation.verdict {
        Verdict::Suspect => _ = table.suspect(&accusation, NOW, timing()),
        Verdict::Failed => table.fail(accusation, NOW),
    }
    true
}

fn standing(table: &Table, byte: u8) -> Standing {
    table.get(node(byte)).unwrap().standing
}

#[test]
fn only_higher_versions_count() {
    let mut table = table();
    assert_eq!(offer(&mut table, record(1, 1, 5)), Ok(Change::Joined));
    assert_eq!(offer(&mut table, record(1, 1, 5)), Err(Refusal::Stale));
    assert_eq!(offer(&mut table, record(1, 1, 4)), Err(Refusal::Stale));
    assert_eq!(offer(&mut table, record(1, 1, 6)), Ok(Change::Noted));
    assert_eq!(offer(&mut table, record(1, 0, 9)), Err(Refusal::Stale));
    assert_eq!(offer(&mut table, record(1, 2, 0)), Ok(Change::Updated));
    assert_eq!(table.here(), 1);
}

#[test]
fn only_a_higher_version_refutes() {
    let mut table = table();
    offer(&mut table, record(1, 1, 5)).unwrap();
    assert!(!accuse(&mut table, accusation(Verdict::Suspect, 1, 4, 2)), "of an old version");
    assert!(!accuse(&mut table, accusation(Verdict::Suspect, 1, 6, 2)), "of an unknown version");
    assert!(accuse(&mut table, accusation(Verdict::Suspect, 1, 5, 2)));
    assert!(!accuse(&mut table, accusation(Verdict::Suspect, 1, 5, 2)), "the same accuser");
    assert_eq!(offer(&mut table, record(1, 1, 5)), Err(Refusal::Stale));
    assert_eq!(standing(&table, 1), Standing::Suspected);
    assert_eq!(offer(&mut table, record(1, 1, 6)), Ok(Change::Cleared));
    assert!(accuse(&mut table, accusation(Verdict::Failed, 1, 6, 2)));
    assert!(!accuse(&mut table, accusation(Verdict::Suspect, 1, 6, 3)), "it has failed already");
    assert_eq!((table.here(), table.failed().len(), table.next_due()), (0, 1, None));
    assert_eq!(offer(&mut table, record(1, 1, 7)), Ok(Change::Returned));
    assert_eq!((table.here(), table.failed().len()), (1, 0));
}

#[test]
fn leaving_beats_failed_and_is_final_for_its_epoch() {
    let mut table = table();
    offer(&mut table, record(1, 1, 5)).unwrap();
    accuse(&mut table, accusation(Verdict::Failed, 1, 5, 2));
    assert_eq!(offer(&mut table, leaving(1, 1, 6)), Ok(Change::Left));
    assert!(!accuse(&mut table, accusation(Verdict::Failed, 1, 6, 2)));
    assert_eq!(offer(&mut table, record(1, 1, 7)), Err(Refusal::Stale));
    assert_eq!(standing(&table, 1), Standing::Left);
    assert_eq!(offer(&mut table, record(1, 2, 0)), Ok(Change::Returned));
}

#[test]
fn confirmations_bring_the_end_nearer() {
    let mut table = table();
    offer(&mut table, record(1, 1, 5)).unwrap();
    let mut ends = Vec::new();
    for by in 2..5 {
        assert!(accuse(&mut table, accusation(Verdict::Suspect, 1, 5, by)));
        ends.push(table.next_due().unwrap().since(NOW).as_secs());
    }
    assert_eq!(ends, [24, 11, 4]);
    assert!(!accuse(&mut table, accusation(Verdict::Suspect, 1, 5, 9)));
    assert_eq!(table.overdue(NOW + Duration::from_secs(3)), None);
    assert_eq!(table.overdue(NOW + Duration::from_secs(4)), Some(node(1)));
    table.postpone(Duration::from_secs(1));
    assert_eq!(table.overdue(NOW + Duration::from_secs(4)), None);
}

#[test]
fn the_forgotten_do_not_return_by_replay() {
    let (mut table, day) = (table(), Duration::from_secs(24 * 3600));
    offer(&mut table, record(1, 1, 5)).unwrap();
    accuse(&mut table, accusation(Verdict::Failed, 1, 5, 2));
    assert_eq!(table.expire(NOW + day, day, 2 * day), [node(1)]);
    assert_eq!(offer(&mut table, record(1, 1, 5)), Err(Refusal::Stale));
    assert_eq!(offer(&mut table, record(1, 1, 6)), Ok(Change::Joined));
}

#[test]
fn records_of_the_unknown_have_to_be_of_these_days() {
    let (table, day) = (table(), Duration::from_secs(24 * 3600));
    let screen = |now| table.screen(&record(1, 1, 5), now);
    assert_eq!(screen(NOW + day), Ok(()));
    assert_eq!(screen(NOW + day + Duration::from_secs(1)), Err(Refusal::Undated));
    assert_eq!(screen(Time(NOW.0 - day)), Ok(()));
    assert_eq!(screen(Time(NOW.0 - day - Duration::from_secs(1))), Err(Refusal::Undated));
}

#[test]
fn the_gone_make_room_and_the_present_do_not() {
    let mut table = Table::new(&Config { members_max: 2, ..Config::lan() });
    offer(&mut table, record(1, 1, 5)).unwrap();
    offer(&mut table, record(2, 1, 5)).unwrap();
    assert_eq!(offer(&mut table, record(3, 1, 5)), Err(Refusal::Full));
    assert_eq!(offer(&mut table, record(2, 1, 6)), Ok(Change::Noted));
    accuse(&mut table, accusation(Verdict::Failed, 1, 5, 2));
    assert_eq!(table.admit(record(3, 1, 5), &Grant::Member, NOW), (Change::Joined, Some(node(1))));
    assert_eq!(offer(&mut table, record(4, 1, 5)), Err(Refusal::Full));
}

#[test]
fn those_who_failed_before_are_known_silently() {
    let mut table = table();
    let failure = accusation(Verdict::Failed, 1, 5, 2);
    table.admit_failed(record(1, 1, 5), &Grant::Member, failure, NOW);
    assert_eq!((table.here(), table.failed().len()), (0, 1));
    assert_eq!(offer(&mut table, record(1, 1, 6)), Ok(Change::Joined));
    assert_eq!(offer(&mut table, leaving(2, 1, 6)), Ok(Change::Noted));
    assert_eq!(offer(&mut table, record(2, 2, 0)), Ok(Change::Joined));
}

#[test]
fn tables_with_the_same_members_have_the_same_digest() {
    let (mut one, mut other) = (table(), table());
    for byte in 1..9 {
        offer(&mut one, record(byte, 1, 5)).unwrap();
        offer(&mut other, record(9 - byte, 1, 4)).unwrap();
    }
    assert_ne!(one.digest(), other.digest());
    (1..9).for_each(|byte| _ = offer(&mut other, record(byte, 1, 5)).unwrap());
    accuse(&mut other, accusation(Verdict::Suspect, 1, 5, 2));
    assert_eq!(one.digest(), other.digest(), "a suspected one is there");
    accuse(&mut other, accusation(Verdict::Failed, 1, 5, 2));
    assert_ne!(one.digest(), other.digest());
}

#[test]
fn a_brief_id_means_all_that_look_like_it() {
    let mut table = table();
    let twins = [1, 2].map(|last| {
        let mut id = [7; 32];
        id[31] = last;
        NodeId(id)
    });
    for twin in twins {
        let notary = Notary::new(StandIn(twin), "test");
        let issue = crate::record::tests::issue(1, 1);
        table.admit(Record::sign(issue, Profile::default(), &notary), &Grant::Member, NOW);
    }
    assert!(table.called([7; 8]).eq(twins));
    assert_eq!(table.called([8; 8]).count(), 0);
}

//! Each check bites: the log of a real run that passes is falsified, and the check says so.

use std::{sync::LazyLock, time::Duration};

use rumormill_gossip::{Event, Gap, Standing, Version};
use rumormill_simulator::nodes::{
    Cluster, Entry, Known, Life, Report, What, checks, named, run, verdict,
};
use rumormill_transport_api::NodeId;

static CALM: LazyLock<Report> = LazyLock::new(|| real("calm"));
static CLONE: LazyLock<Report> = LazyLock::new(|| real("clone"));
static CRASH: LazyLock<Report> = LazyLock::new(|| real("crash"));
static LEAVE: LazyLock<Report> = LazyLock::new(|| real("leave"));
static NAMES: LazyLock<Report> = LazyLock::new(|| real("names"));
static RUMORS: LazyLock<Report> = LazyLock::new(|| real("rumors"));
static STRANGERS: LazyLock<Report> = LazyLock::new(|| real("strangers"));

fn real(name: &str) -> Report {
    let report = run(&named(name).expect("there is such a scenario"));
    assert_eq!(verdict(&report), [], "{name} as it was");
    report
}

/// That `check` notices what was done to the log.
fn caught(check: &str, report: &Report, falsify: impl FnOnce(&mut Vec<Entry>)) {
    let mut report = report.clone();
    falsify(&mut report.log);
    let breaches = verdict(&report);
    let is_caught = breaches.iter().any(|breach| breach.check == check);
    assert!(is_caught, "{check} notices nothing: {breaches:?}");
}

fn position(log: &[Entry], is_it: impl Fn(&What) -> bool) -> usize {
    log.iter().position(|entry| is_it(&entry.what)).expect("it happens in this scenario")
}

fn last(log: &[Entry], is_it: impl Fn(&What) -> bool) -> usize {
    log.iter().rposition(|entry| is_it(&entry.what)).expect("it happens in this scenario")
}

fn life(slot: u16) -> Life {
    Life { slot, start: 0 }
}

fn node(log: &[Entry], of: Life) -> NodeId {
    let found = log.iter().find_map(|entry| match entry.what {
        What::Started { life, node, .. } if life == of => Some(node),
        _ => None,
    });
    found.expect("it started")
}

/// Adds something right before the end.
fn add(log: &mut Vec<Entry>, what: What) {
    let at = position(log, |what| *what == What::Over);
    log.insert(at, Entry { at: log[at].at, what });
}

fn known(log: &mut [Entry], is_it: impl Fn(&Known) -> bool) -> &mut Known {
    let found = log.iter_mut().rev().find_map(|entry| match &mut entry.what {
        What::Seen { member, .. } if is_it(member) => Some(member),
        _ => None,
    });
    found.expect("somebody shows it")
}

fn is_failed(what: &What) -> bool {
    matches!(what, What::Told { event: Event::Failed { .. }, .. })
}

#[test]
fn every_check_is_tested_here() {
    let text = include_str!("caught.rs");
    for check in checks() {
        assert!(text.contains(&format!("caught(\"{}\"", check.name())), "{}", check.name());
    }
}

#[test]
fn two_steps_that_do_not_follow() {
    let joined = |what: &What| matches!(what, What::Told { event: Event::Joined(_), .. });
    caught("legal steps", &CALM, |log| _ = log.remove(position(log, joined)));
    caught("legal steps", &CALM, |log| {
        let at = position(log, joined);
        log.insert(at, log[at].clone());
    });
    caught("legal steps", &CALM, |log| {
        let event = Event::Returned(node(log, life(1)));
        add(log, What::Told { life: life(0), event });
    });
    caught("legal steps", &CALM, |log| {
        known(log, |_| true).standing = Standing::Suspected;
    });
}

#[test]
fn a_failure_without_suspicion() {
    let suspected = |what: &What| matches!(what, What::Told { event: Event::Suspected { .. }, .. });
    caught("suspected first", &CRASH, |log| {
        log.retain(|entry| !suspected(&entry.what));
    });
    caught("suspected first", &CRASH, |log| {
        let failed = position(log, is_failed);
        let at = log[failed].at - Duration::from_millis(2900);
        log[..failed].iter_mut().filter(|entry| suspected(&entry.what)).for_each(|entry| {
            entry.at = at;
        });
    });
}

#[test]
fn a_version_that_falls_or_rises_from_the_dead_or_says_two_things() {
    caught("versions", &CALM, |log| {
        let at = last(log, |what| matches!(what, What::Seen { .. }));
        let What::Seen { life, mut member } = log[at].what else { return };
        member.version = Version { n: 0, ..member.version };
        add(log, What::Seen { life, member });
    });
    caught("versions", &CRASH, |log| {
        let at = last(
            log,
            |what| matches!(what, What::Seen { member, .. } if member.standing == Standing::Failed),
        );
        let What::Seen { life, mut member } = log[at].what else { return };
        member.standing = Standing::Alive;
        add(log, What::Seen { life, member });
    });
    caught("versions", &CALM, |log| known(log, |_| true).says ^= 1);
}

#[test]
fn one_that_is_dead_in_its_own_eyes() {
    caught("never dead in its own eyes", &CALM, |log| {
        let (own, by) = (node(log, life(0)), node(log, life(1)));
        add(log, What::Told { life: life(0), event: Event::Suspected { node: own, by } });
    });
    caught("never dead in its own eyes", &CALM, |log| {
        let (own, mut member) = (node(log, life(0)), *known(log, |_| true));
        member.node = own;
        add(log, What::Seen { life: life(0), member });
    });
}

#[test]
fn one_who_does_not_notice_a_crash() {
    caught("a crash is noticed by all", &CRASH, |log| {
        let gone = node(log, life(3));
        log.retain(|entry| match &entry.what {
            What::Seen { life, member } => {
                life.slot != 5 || member.node != gone || member.standing == Standing::Alive
            }
            _ => true,
        });
        let at = last(log, |what| matches!(what, What::Turns(_)));
        log[at].at += Duration::from_secs(100);
        let over = position(log, |what| *what == What::Over);
        let turns = log.remove(at);
        log.insert(over.min(at), turns);
    });
}

#[test]
fn a_failure_of_one_who_is_there() {
    caught("no false failure in calm", &CRASH, |log| {
        let (node, by) = (node(log, life(1)), node(log, life(0)));
        add(log, What::Told { life: life(0), event: Event::Failed { node, by } });
    });
}

#[test]
fn one_who_does_not_agree() {
    caught("convergence after calm", &CALM, |log| {
        known(log, |_| true).version.n += 1;
    });
    caught("convergence after calm", &CALM, |log| {
        let gone = node(log, life(2));
        log.retain(
            |entry| !matches!(&entry.what, What::Seen { member, .. } if member.node == gone),
        );
    });
    caught("convergence after calm", &CRASH, |log| {
        known(log, |known| known.standing == Standing::Failed).standing = Standing::Alive;
    });
}

#[test]
fn a_member_of_another_cluster() {
    let stranger = |log: &[Entry]| {
        let found = log.iter().find_map(|entry| match entry.what {
            What::Started { life, cluster: Cluster::Other, .. } => Some(life),
            _ => None,
        });
        found.expect("there is one")
    };
    caught("clusters apart", &STRANGERS, |log| {
        let event = Event::Joined(node(log, stranger(log)));
        add(log, What::Told { life: life(0), event });
    });
    caught("clusters apart", &STRANGERS, |log| {
        let mut member = *known(log, |_| true);
        member.node = node(log, life(0));
        add(log, What::Seen { life: stranger(log), member });
    });
}

#[test]
fn a_conflict_that_is_not_told_or_is_none() {
    let identity =
        |what: &What| matches!(what, What::Told { event: Event::IdentityConflict { .. }, .. });
    caught("conflicts are told", &CLONE, |log| {
        // Had it not been told, it would still run.
        let told = position(log, identity);
        log.remove(told);
        log.retain(
            |entry| !matches!(entry.what, What::Ended { life, .. } if life == self::life(2)),
        );
    });
    caught("conflicts are told", &CLONE, |log| {
        let told = position(log, identity);
        let What::Told { life, .. } = &mut log[told].what else { return };
        *life = self::life(0);
    });
    caught("conflicts are told", &NAMES, |log| {
        let told = position(
            log,
            |what| matches!(what, What::Told { life, event: Event::NameConflict { .. } } if life.slot == 4),
        );
        log.remove(told);
    });
}

#[test]
fn a_message_that_comes_twice_or_was_never_sent() {
    let arrived = |what: &What| matches!(what, What::Arrived { .. });
    caught("at most once", &CALM, |log| {
        let at = position(log, arrived);
        log.insert(at, log[at].clone());
    });
    caught("at most once", &CALM, |log| {
        let sent = position(log, |what| matches!(what, What::Sent(_)));
        log.remove(sent);
    });
    caught("at most once", &CALM, |log| {
        let at = position(log, arrived);
        let What::Arrived { life, .. } = &mut log[at].what else { return };
        life.slot += 1;
    });
    caught("at most once", &CALM, |log| {
        add(log, What::Answered { life: life(0), is_right: Some(false) });
    });
}

#[test]
fn a_rumor_that_is_heard_twice_or_not_at_all() {
    let heard = |what: &What| matches!(what, What::Heard { .. });
    caught("rumors reach all", &RUMORS, |log| {
        let at = position(log, heard);
        log.remove(at);
    });
    caught("rumors reach all", &RUMORS, |log| {
        let entry = log[position(log, heard)].clone();
        add(log, entry.what);
    });
    caught("rumors reach all", &RUMORS, |log| {
        let at = position(log, heard);
        let What::Heard { is_right, .. } = &mut log[at].what else { return };
        *is_right = false;
    });
    caught("rumors reach all", &RUMORS, |log| {
        let What::Heard { life, id, .. } = log[position(log, heard)].what else { return };
        let gap = Gap { origin: id.origin, epoch: id.epoch, from: id.number, to: id.number };
        add(log, What::Missed { life, gap });
    });
    caught("rumors reach all", &RUMORS, |log| {
        let What::Heard { life, mut id, .. } = log[position(log, heard)].what else { return };
        id.number += 1000;
        add(log, What::Heard { life, id, is_right: true });
    });
    caught("rumors reach all", &RUMORS, |log| {
        let What::Said { life, id } =
            log[position(log, |what| matches!(what, What::Said { .. }))].what
        else {
            return;
        };
        add(log, What::Heard { life, id, is_right: true });
    });
}

#[test]
fn books_that_do_not_balance() {
    for falsify in [
        (|ledger| ledger.classes[0].sent += 1) as fn(&mut rumormill_endpoint::Snapshot),
        |ledger| ledger.classes[2].delivered += 1,
        |ledger| ledger.classes[1].delivered += 10_000,
    ] {
        caught("ledgers balance", &CALM, |log| {
            let at = position(log, |what| matches!(what, What::Closed { .. }));
            let What::Closed { ledger, .. } = &mut log[at].what else { return };
            falsify(ledger);
        });
    }
}

#[test]
fn a_table_that_grows_and_a_task_that_stays() {
    let gauge = |log: &mut Vec<Entry>, grow: fn(&mut rumormill_simulator::nodes::Gauge)| {
        let at = last(log, |what| matches!(what, What::Measured { .. }));
        let What::Measured { gauge, .. } = &mut log[at].what else { return };
        grow(gauge);
    };
    caught("within bounds", &CALM, |log| gauge(log, |gauge| gauge.members += 1));
    caught("within bounds", &CALM, |log| gauge(log, |gauge| gauge.peers += 1));
    caught("within bounds", &CALM, |log| gauge(log, |gauge| gauge.conns += 100));
    caught("within bounds", &CALM, |log| gauge(log, |gauge| gauge.waiting += 10_000));
    caught("within bounds", &CALM, |log| {
        let at = position(log, |what| matches!(what, What::Left { .. }));
        log[at].what = What::Left { tasks: 1 };
    });
}

#[test]
fn one_that_runs_hot() {
    caught("a bounded pace", &CALM, |log| add(log, What::Turns(1_000_000)));
    caught("a bounded pace", &CALM, |log| {
        let event = Event::Updated(node(log, life(1)));
        (0..1000).for_each(|_| add(log, What::Told { life: life(0), event: event.clone() }));
    });
    caught("a bounded pace", &CALM, |log| {
        let at = last(log, |what| matches!(what, What::Measured { .. }));
        let What::Measured { gauge, .. } = &mut log[at].what else { return };
        gauge.sent += 100_000;
    });
}

#[test]
fn one_who_left_and_is_missed() {
    caught("a goodbye is heard", &LEAVE, |log| {
        let at = position(log, |what| matches!(what, What::Ended { life, .. } if life.slot == 5));
        let (node, by) = (node(log, life(5)), node(log, life(0)));
        let what = What::Told { life: life(0), event: Event::Failed { node, by } };
        log.insert(at + 1, Entry { at: log[at].at, what });
    });
}

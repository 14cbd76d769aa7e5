//! Scenarios with names: fixed courses, each with what it is about.

use std::time::Duration;

use rumormill_gossip::{Event, Standing};
use rumormill_simulator::nodes::{
    Cluster, Delivery, End, NAMES, Report, Scenario, Step, What, named, run, verdict,
};

fn check(name: &str) -> Report {
    let scenario = named(name).expect("there is such a scenario");
    for delivery in [Delivery::Stream, Delivery::Datagram] {
        fine(Scenario { delivery, ..scenario.clone().with_seed(2) });
    }
    fine(scenario)
}

fn fine(scenario: Scenario) -> Report {
    let report = run(&scenario);
    let breaches = verdict(&report);
    let replay = format!(
        "cargo run --release -p rumormill-simulator --bin simulate -- {} --seed {}",
        scenario.name, scenario.seed
    );
    assert!(breaches.is_empty(), "{:?}: {breaches:#?}\n{replay}", scenario.delivery);
    report
}

fn told(report: &Report, is_it: impl Fn(&Event) -> bool) -> usize {
    let events = report.log.iter().filter_map(|entry| match &entry.what {
        What::Told { event, .. } => Some(event),
        _ => None,
    });
    events.filter(|event| is_it(event)).count()
}

fn failures(report: &Report) -> usize {
    told(report, |event| matches!(event, Event::Failed { .. }))
}

fn conflicts(report: &Report) -> usize {
    told(report, |event| matches!(event, Event::IdentityConflict { .. }))
}

#[test]
fn where_nothing_happens_nobody_is_suspected() {
    let report = check("calm");
    assert_eq!(told(&report, |event| matches!(event, Event::Suspected { .. })), 0);
    let answers = report
        .log
        .iter()
        .filter(|entry| matches!(entry.what, What::Answered { is_right: Some(true), .. }));
    assert_eq!(answers.count(), 16, "every question is answered");
}

#[test]
fn a_crash_is_noticed_by_all() {
    // Nine hold the first one for failed, and eight the second.
    assert_eq!(failures(&check("crash")), 17);
}

#[test]
fn who_moves_is_found_again() {
    let report = check("moved");
    assert_eq!(told(&report, |event| matches!(event, Event::Returned(_))), 7);
}

#[test]
fn who_leaves_does_not_fail() {
    let report = check("leave");
    assert_eq!(failures(&report), 0);
    let is_success = |entry: &&_| match entry {
        What::Ended { how: End::Departed(report), .. } => {
            report.is_some_and(|report| report.is_success())
        }
        _ => false,
    };
    let ends: Vec<_> = report.log.iter().map(|entry| entry.what.clone()).collect();
    assert_eq!(ends.iter().filter(is_success).count(), 2);
}

#[test]
fn parts_find_each_other_again() {
    let report = check("partition");
    // Each of four loses five others, and each of five four.
    assert_eq!(failures(&report), 40);
    assert_eq!(told(&report, |event| matches!(event, Event::Returned(_))), 40);
}

#[test]
fn who_is_heard_by_others_is_not_failed_by_one() {
    assert_eq!(failures(&check("oneway")), 0);
}

#[test]
fn a_long_pause_is_a_failure_that_passes() {
    let report = check("pause");
    assert!(6 <= failures(&report), "all others miss it");
    let shown = report.timeline();
    let last = shown.values().filter_map(|course| course.last());
    assert!(last.into_iter().all(|(_, standing)| *standing == Some(Standing::Alive)));
}

#[test]
fn losses_do_not_make_anybody_fail_who_is_there() {
    let report = check("lossy");
    assert!(50 < report.tally.lost && 50 < report.tally.duplicated);
    assert_eq!(failures(&report), 7, "one has crashed");
}

#[test]
fn a_wide_area_only_takes_longer() {
    assert_eq!(failures(&check("wide")), 7);
}

#[test]
fn rumors_reach_all_though_halves_are_parted_for_a_while() {
    let report = check("rumors");
    let said = report.log.iter().filter(|entry| matches!(entry.what, What::Said { .. })).count();
    let heard = report.log.iter().filter(|entry| matches!(entry.what, What::Heard { .. })).count();
    assert_eq!((said, heard), (72, 7 * 72), "each of eight says something nine times");
}

#[test]
fn members_come_and_go() {
    let report = check("churn");
    let starts = report.log.iter().filter(|entry| matches!(entry.what, What::Started { .. }));
    assert_eq!(starts.count(), 16);
}

#[test]
fn the_older_of_two_with_one_key_learns_of_it_and_stops() {
    let report = check("clone");
    assert_eq!(conflicts(&report), 1);
    let when = |is_it: fn(&What) -> bool| {
        report.log.iter().find(|entry| is_it(&entry.what)).map(|entry| entry.at)
    };
    let cloned = when(|what| matches!(what, What::Done(Step::Clone(_))));
    let told =
        when(|what| matches!(what, What::Told { event: Event::IdentityConflict { .. }, .. }));
    let took = told.zip(cloned).map(|(told, cloned)| told - cloned);
    assert!(took < Some(Duration::from_secs(1)), "{took:?}");
}

#[test]
fn two_who_claim_one_name_are_told_of() {
    let report = check("names");
    assert_eq!(told(&report, |event| matches!(event, Event::NameConflict { .. })), 5);
}

#[test]
fn strangers_on_recycled_addresses_stay_strangers() {
    let report = check("strangers");
    let strangers = report
        .log
        .iter()
        .filter(|entry| matches!(entry.what, What::Started { cluster: Cluster::Other, .. }));
    assert_eq!(strangers.count(), 2);
    assert_eq!(conflicts(&report), 0);
}

#[test]
fn every_name_is_tested_here() {
    let text = include_str!("scenarios.rs");
    assert!(NAMES.iter().all(|(name, _)| text.contains(&format!("check(\"{name}\")"))));
}

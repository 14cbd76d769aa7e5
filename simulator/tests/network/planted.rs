//! What the watch would miss, it would not guard: a defect for each of its checks, and each is noticed.

use std::collections::BTreeMap;

use rumormill_gossip::{Event, Standing, State, Version, Via};
use rumormill_simulator::cores::{Breach, Seen, Tamper, id, told};
use rumormill_transport_api::NodeId;

/// Stories that are tried until one has in it what the defect needs.
const STORIES: u64 = 50;

/// That `expected` is the first that a watch behind this defect notices.
fn check(expected: Breach, tamper: impl FnMut(Seen) -> Option<Seen> + Clone + 'static) {
    let first = |seed| {
        let tamper: Tamper = Box::new(tamper.clone());
        told(seed, Some(tamper)).breaches.first().copied()
    };
    assert_eq!((0..STORIES).find_map(first), Some(expected));
}

fn older(version: Version) -> Version {
    Version { epoch: version.epoch - 1, ..version }
}

#[test]
fn a_story_without_a_defect_passes() {
    (0..STORIES).for_each(|seed| assert_eq!(told(seed, Some(Box::new(Some))).breaches, []));
}

#[test]
fn an_alarm_in_calm_is_noticed() {
    let mut seen = 0;
    check(Breach::Alarm, move |shown| match shown {
        Seen::Calm { .. } => {
            seen += 1;
            let event = Event::Failed { node: id(0), by: id(1) };
            let alarm = Seen::Event { host: 2, event, member: None, is_calm: true };
            Some(if seen == 1 { alarm } else { shown })
        }
        shown => Some(shown),
    });
}

#[test]
fn a_member_that_is_missed_is_noticed() {
    check(Breach::Apart, |mut shown| {
        if let Seen::Calm { held, .. } = &mut shown {
            held.pop_last();
        }
        Some(shown)
    });
}

#[test]
fn a_crash_that_is_not_reported_is_noticed() {
    check(Breach::Unreported, |mut shown| {
        if let Seen::Calm { held, .. } = &mut shown {
            held.insert(99);
        }
        Some(shown)
    });
}

#[test]
fn a_core_that_spins_is_noticed() {
    check(Breach::Busy, |mut shown| {
        if let Seen::Woken { times, .. } = &mut shown {
            *times *= 100;
        }
        Some(shown)
    });
}

#[test]
fn a_confirmation_of_what_is_not_known_is_noticed() {
    check(Breach::Confirmed, |mut shown| {
        if let Seen::Confirmed { knows, .. } = &mut shown {
            *knows = false;
        }
        Some(shown)
    });
}

#[test]
fn an_old_record_is_noticed() {
    let mut count = 0;
    check(Breach::Fell, move |mut shown| {
        if let Seen::Member { member, .. } = &mut shown {
            count += 1;
            if count % 100 == 0 {
                member.version = older(member.version);
            }
        }
        Some(shown)
    });
}

#[test]
fn a_core_that_forgets_its_own_version_is_noticed() {
    let mut count = 0;
    check(Breach::Fell, move |mut shown| {
        if let Seen::Own { host: 0, version, .. } = &mut shown {
            count += 1;
            *version = if count == 9 { older(*version) } else { *version };
        }
        Some(shown)
    });
}

#[test]
fn an_event_in_an_older_version_is_noticed() {
    check(Breach::Fell, |mut shown| {
        if let Seen::Event { event: Event::Cleared(_), member: Some(member), .. } = &mut shown {
            member.version = older(member.version);
        }
        Some(shown)
    });
}

#[test]
fn too_large_a_table_is_noticed() {
    check(Breach::Full, |mut shown| {
        if let Seen::Table { members, most, .. } = &mut shown {
            *members += *most;
        }
        Some(shown)
    });
}

#[test]
fn a_message_that_had_no_room_is_noticed() {
    check(Breach::Full, |mut shown| {
        if let Seen::Table { unsent, .. } = &mut shown {
            *unsent = 1;
        }
        Some(shown)
    });
}

#[test]
fn who_takes_itself_for_gone_is_noticed() {
    check(Breach::Itself, |mut shown| {
        if let Seen::Own { state, .. } = &mut shown {
            *state = State::Leaving;
        }
        Some(shown)
    });
}

#[test]
fn who_reports_itself_is_noticed() {
    check(Breach::Itself, |mut shown| {
        if let Seen::Event { host, event: Event::Suspected { node, .. }, .. } = &mut shown {
            *node = id(*host);
        }
        Some(shown)
    });
}

#[test]
fn too_long_a_packet_is_noticed() {
    check(Breach::Long, |mut shown| {
        if let Seen::Sent { via: Via::Packet, len, most, .. } = &mut shown {
            *len += *most;
        }
        Some(shown)
    });
}

#[test]
fn a_report_that_boasts_is_noticed() {
    check(Breach::Report, |mut shown| {
        if let Seen::Left { report, .. } = &mut shown {
            report.confirmed = report.asked + 1;
        }
        Some(shown)
    });
}

#[test]
fn a_confirmation_that_nobody_gave_is_noticed() {
    check(Breach::Report, |shown| match shown {
        Seen::Confirmed { .. } => None,
        shown => Some(shown),
    });
}

#[test]
fn the_dead_who_rise_are_noticed() {
    let mut dead = BTreeMap::<(usize, NodeId), Version>::new();
    check(Breach::Rose, move |mut shown| {
        if let Seen::Member { host, member } = &mut shown
            && !member.standing.is_here()
            && dead.insert((*host, member.node), member.version) == Some(member.version)
        {
            member.standing = Standing::Alive;
        }
        Some(shown)
    });
}

#[test]
fn who_returns_in_a_dead_version_is_noticed() {
    let mut dead = BTreeMap::<(usize, NodeId), Version>::new();
    check(Breach::Rose, move |mut shown| {
        if let Seen::Event { host, event, member: Some(member), .. } = &mut shown {
            match event {
                Event::Failed { node, .. } | Event::Left(node) => {
                    dead.insert((*host, *node), member.version);
                }
                Event::Returned(node) => {
                    let version = dead.get(&(*host, *node));
                    member.version = version.copied().unwrap_or(member.version);
                }
                _ => (),
            }
        }
        Some(shown)
    });
}

#[test]
fn an_event_out_of_order_is_noticed() {
    check(Breach::Step, |mut shown| {
        if let Seen::Event { event, .. } = &mut shown
            && let Event::Suspected { node, .. } = *event
        {
            *event = Event::Cleared(node);
        }
        Some(shown)
    });
}

#[test]
fn a_lost_event_is_noticed() {
    check(Breach::Step, |shown| match shown {
        Seen::Event { event: Event::Failed { .. }, .. } => None,
        shown => Some(shown),
    });
}

#[test]
fn a_member_that_never_was_is_noticed() {
    check(Breach::Stranger, |mut shown| {
        if let Seen::Member { member, .. } = &mut shown {
            member.node = NodeId([9; 32]);
        }
        Some(shown)
    });
}

#[test]
fn two_records_of_one_version_are_noticed() {
    let mut count = 0;
    check(Breach::Twins, move |mut shown| {
        if let Seen::Member { member, .. } = &mut shown {
            count += 1;
            if count == 200 {
                member.bytes = member.bytes.slice(1..);
            }
        }
        Some(shown)
    });
}

#[test]
fn a_failure_without_a_suspicion_is_noticed() {
    check(Breach::Unsuspected, |shown| match shown {
        Seen::Event { event: Event::Suspected { node, .. }, host, member, .. } => {
            // The first to suspect it says at once that it has failed.
            let event = Event::Failed { node, by: id(host) };
            Some(Seen::Event { host, event, member, is_calm: false })
        }
        shown => Some(shown),
    });
}

//! The one table of metrics: the page and its reference are made from it.

use std::fmt::Debug;

use rumormill_endpoint::{CarrierSnapshot, ClassSnapshot};
use rumormill_gossip::Counters;

use super::{
    Family,
    Kind::{Counter, Gauge, Histogram},
    Metrics, Series,
};

pub(super) const FAMILIES: &[Family<Metrics>] = &[
    Family {
        name: BUILD_INFO,
        kind: Gauge,
        labels: &["version"],
        help: "Always 1; the label is the version of the node.",
        fill: |_, series| build_info(series),
    },
    Family {
        name: "rumormill_members",
        kind: Gauge,
        labels: &["standing"],
        help: "Other members that are known, by what they are held for.",
        fill: members,
    },
    Family {
        name: "rumormill_messages_sent_total",
        kind: Counter,
        labels: &["class"],
        help: "Messages taken to be sent. Each is carried, uncertain, dropped or in flight.",
        fill: |all, series| each_class(all, series, |class| class.sent),
    },
    Family {
        name: "rumormill_messages_carried",
        kind: Gauge,
        labels: &["class"],
        help: "Messages that a carrier has accepted since the start. Fewer when some turn out not to have left, and are sent again.",
        fill: |all, series| each_class(all, series, |class| class.carried),
    },
    Family {
        name: "rumormill_messages_in_flight",
        kind: Gauge,
        labels: &["class"],
        help: "Messages taken to be sent of which nothing has become yet.",
        fill: |all, series| each_class(all, series, ClassSnapshot::in_flight),
    },
    Family {
        name: "rumormill_messages_uncertain_total",
        kind: Counter,
        labels: &["class"],
        help: "Messages that may have arrived or not, since the conn that had them died.",
        fill: |all, series| each_class(all, series, |class| class.uncertain),
    },
    Family {
        name: "rumormill_messages_dropped_total",
        kind: Counter,
        labels: &["class", "reason"],
        help: "Messages taken to be sent that never left.",
        fill: dropped,
    },
    Family {
        name: "rumormill_messages_delivered_total",
        kind: Counter,
        labels: &["class"],
        help: "Messages that arrived and were handed over.",
        fill: |all, series| each_class(all, series, |class| class.delivered),
    },
    Family {
        name: "rumormill_messages_overflowed_total",
        kind: Counter,
        labels: &["class"],
        help: "Messages that arrived and nobody took in time.",
        fill: |all, series| each_class(all, series, |class| class.overflowed),
    },
    Family {
        name: "rumormill_rejected_total",
        kind: Counter,
        labels: &["reason"],
        help: "Frames and greetings that arrived and were refused.",
        fill: |all, series| by_reason(&all.endpoint.rejected, series, None),
    },
    Family {
        name: "rumormill_questions_repeated_total",
        kind: Counter,
        labels: &[],
        help: "Questions that were asked again.",
        fill: |all, series| series.put(&[], all.endpoint.repeated),
    },
    Family {
        name: "rumormill_conns",
        kind: Gauge,
        labels: &[],
        help: "Conns that are open, proven or not.",
        fill: |all, series| {
            let links = all.endpoint.links;
            series.put(&[], (links.dialled + links.accepted).saturating_sub(links.ended));
        },
    },
    Family {
        name: "rumormill_conns_opened_total",
        kind: Counter,
        labels: &["by"],
        help: "Conns that this node has dialled, or accepted.",
        fill: |all, series| {
            series.put(&["dialled"], all.endpoint.links.dialled);
            series.put(&["accepted"], all.endpoint.links.accepted);
        },
    },
    Family {
        name: "rumormill_conns_verified_total",
        kind: Counter,
        labels: &[],
        help: "Conns whose peer has proven who it is.",
        fill: |all, series| series.put(&[], all.endpoint.links.verified),
    },
    Family {
        name: "rumormill_dials_failed_total",
        kind: Counter,
        labels: &[],
        help: "Dials that failed.",
        fill: |all, series| series.put(&[], all.endpoint.links.failed_dials),
    },
    Family {
        name: "rumormill_dials_retried_total",
        kind: Counter,
        labels: &[],
        help: "Dials that were second or later attempts.",
        fill: |all, series| series.put(&[], all.endpoint.links.retries),
    },
    Family {
        name: "rumormill_transport_conns",
        kind: Gauge,
        labels: &["scheme"],
        help: "Conns that are open, and whose peer has proven itself.",
        fill: |all, series| each_carrier(all, series, |carrier| carrier.active),
    },
    Family {
        name: "rumormill_transport_conns_dialled_total",
        kind: Counter,
        labels: &["scheme"],
        help: "Conns that this node has dialled, and whose peer has proven itself.",
        fill: |all, series| each_carrier(all, series, |carrier| carrier.dialled),
    },
    Family {
        name: "rumormill_transport_conns_accepted_total",
        kind: Counter,
        labels: &["scheme"],
        help: "Conns that this node has accepted, and whose peer has proven itself.",
        fill: |all, series| each_carrier(all, series, |carrier| carrier.accepted),
    },
    Family {
        name: "rumormill_transport_dials_failed_total",
        kind: Counter,
        labels: &["scheme", "reason"],
        help: "Dials that came to nothing.",
        fill: |all, series| {
            for carrier in &all.endpoint.carriers {
                by_reason(&carrier.unopened, series, Some(&carrier.scheme));
            }
        },
    },
    Family {
        name: "rumormill_transport_conns_broken_total",
        kind: Counter,
        labels: &["scheme", "reason"],
        help: "Conns that ended before both sides had said that this was all.",
        fill: |all, series| {
            for carrier in &all.endpoint.carriers {
                by_reason(&carrier.broken, series, Some(&carrier.scheme));
            }
        },
    },
    Family {
        name: "rumormill_transport_frames_total",
        kind: Counter,
        labels: &["scheme", "direction"],
        help: "Frames behind the greeting, good or bad.",
        fill: |all, series| {
            for CarrierSnapshot { scheme, frames_in, frames_out, .. } in &all.endpoint.carriers {
                series.put(&[scheme, "in"], frames_in);
                series.put(&[scheme, "out"], frames_out);
            }
        },
    },
    Family {
        name: "rumormill_transport_bytes_total",
        kind: Counter,
        labels: &["scheme", "direction"],
        help: "Bytes of those frames.",
        fill: |all, series| {
            for CarrierSnapshot { scheme, bytes_in, bytes_out, .. } in &all.endpoint.carriers {
                series.put(&[scheme, "in"], bytes_in);
                series.put(&[scheme, "out"], bytes_out);
            }
        },
    },
    Family {
        name: "rumormill_transport_dial_seconds",
        kind: Histogram,
        labels: &["scheme"],
        help: "How long dials took that succeeded.",
        fill: |all, series| {
            for carrier in &all.endpoint.carriers {
                series.put_times(&[&carrier.scheme], &carrier.dial);
            }
        },
    },
    Family {
        name: "rumormill_transport_greeting_seconds",
        kind: Histogram,
        labels: &["scheme"],
        help: "How long greetings took behind those dials, if they succeeded.",
        fill: |all, series| {
            for carrier in &all.endpoint.carriers {
                series.put_times(&[&carrier.scheme], &carrier.greeting);
            }
        },
    },
    Family {
        name: "rumormill_transport_round_trip_seconds",
        kind: Histogram,
        labels: &["scheme"],
        help: "How long it took from a question to its answer, queues included.",
        fill: |all, series| {
            for carrier in &all.endpoint.carriers {
                series.put_times(&[&carrier.scheme], &carrier.round_trip);
            }
        },
    },
    Family {
        name: "rumormill_gossip_refused_total",
        kind: Counter,
        labels: &["reason"],
        help: "Records, accusations and messages of membership that changed nothing. Stale are most in good order.",
        fill: refused,
    },
    Family {
        name: "rumormill_gossip_unspread_total",
        kind: Counter,
        labels: &[],
        help: "News of members that were not spread to the end because there were too many.",
        fill: |all, series| series.put(&[], all.gossip.spread_dropped),
    },
    Family {
        name: "rumormill_gossip_unsent_total",
        kind: Counter,
        labels: &[],
        help: "Messages of membership that were not sent because there were too many. They are repeated.",
        fill: |all, series| series.put(&[], all.gossip.unsent + all.unsent),
    },
    Family {
        name: "rumormill_rumors_refused_total",
        kind: Counter,
        labels: &["reason"],
        help: "Rumors, ids of rumors and questions about them that were passed over. Stale are most in good order.",
        fill: rumors_refused,
    },
    Family {
        name: "rumormill_rumors_unspread_total",
        kind: Counter,
        labels: &[],
        help: "Rumors that were not spread to the end because there were too many. Repair brings them.",
        fill: |all, series| series.put(&[], all.gossip.rumors_unspread),
    },
    Family {
        name: "rumormill_rumors_displaced_total",
        kind: Counter,
        labels: &[],
        help: "Rumors that were not kept as long as they should, because they were too many bytes.",
        fill: |all, series| series.put(&[], all.gossip.rumors_displaced),
    },
    Family {
        name: "rumormill_rumors_unasked_total",
        kind: Counter,
        labels: &[],
        help: "Ids of rumors that were not asked for, because too much was asked of their announcer, or of all.",
        fill: |all, series| series.put(&[], all.gossip.rumors_unasked),
    },
    Family {
        name: "rumormill_rumors_unanswered_total",
        kind: Counter,
        labels: &[],
        help: "Ids of rumors that nobody sent who had said that he had them, or not in time.",
        fill: |all, series| series.put(&[], all.gossip.rumors_unanswered),
    },
    Family {
        name: "rumormill_rumors_lost_total",
        kind: Counter,
        labels: &[],
        help: "Rumors that were given up: the numbers in all gaps.",
        fill: |all, series| series.put(&[], all.gossip.rumors_lost),
    },
    Family {
        name: "rumormill_pool_conns",
        kind: Gauge,
        labels: &["state"],
        help: "Conns for raw questions that are leased (active), or wait to be (idle).",
        fill: |all, series| {
            series.put(&["active"], all.pool.active);
            series.put(&["idle"], all.pool.idle);
        },
    },
    Family {
        name: "rumormill_pool_waiting",
        kind: Gauge,
        labels: &[],
        help: "Checkouts that wait for a place.",
        fill: |all, series| series.put(&[], all.pool.waiting),
    },
    Family {
        name: "rumormill_pool_targets",
        kind: Gauge,
        labels: &[],
        help: "Targets whose conns are leased, idle or waited for.",
        fill: |all, series| series.put(&[], all.pool.targets),
    },
    Family {
        name: "rumormill_pool_checkouts_total",
        kind: Counter,
        labels: &["conn"],
        help: "Checkouts that got a conn, which was dialled for it (created) or was there (reused).",
        fill: |all, series| {
            series.put(&["created"], all.pool.created);
            series.put(&["reused"], all.pool.reused);
        },
    },
    Family {
        name: "rumormill_pool_dials_failed_total",
        kind: Counter,
        labels: &[],
        help: "Dials for the pool that failed.",
        fill: |all, series| series.put(&[], all.pool.failed_dials),
    },
    Family {
        name: "rumormill_pool_conns_ended_total",
        kind: Counter,
        labels: &["reason"],
        help: "Conns of the pool that are no longer there.",
        fill: |all, series| by_reason(&all.pool.ended, series, None),
    },
];

pub(super) fn build_info(series: &mut Series<'_>) {
    series.put(&[env!("CARGO_PKG_VERSION")], 1);
}

fn members(all: &Metrics, series: &mut Series<'_>) {
    for (standing, count) in all.members {
        series.put(&[&snake(&standing)], count);
    }
}

fn each_class(all: &Metrics, series: &mut Series<'_>, number: fn(&ClassSnapshot) -> u64) {
    for (name, class) in CLASSES.iter().zip(&all.endpoint.classes) {
        series.put(&[name], number(class));
    }
}

fn dropped(all: &Metrics, series: &mut Series<'_>) {
    for (name, class) in CLASSES.iter().zip(&all.endpoint.classes) {
        by_reason(&class.dropped, series, Some(name));
    }
}

fn each_carrier(all: &Metrics, series: &mut Series<'_>, number: fn(&CarrierSnapshot) -> u64) {
    for carrier in &all.endpoint.carriers {
        series.put(&[&carrier.scheme], number(carrier));
    }
}

/// A series for each reason, behind another label if there is one.
fn by_reason<T: Debug>(counts: &[(T, u64)], series: &mut Series<'_>, first: Option<&str>) {
    for (reason, count) in counts {
        let reason = snake(reason);
        let labels: Vec<_> = first.into_iter().chain([&*reason]).collect();
        series.put(&labels, count);
    }
}

fn refused(all: &Metrics, series: &mut Series<'_>) {
    let Counters { denied, malformed, forged, stale, undated, full, .. } = all.gossip;
    let Counters { unknown, excessive, unserved, unwanted, .. } = all.gossip;
    series.put(&["denied"], denied);
    series.put(&["malformed"], malformed);
    series.put(&["forged"], forged);
    series.put(&["stale"], stale);
    series.put(&["undated"], undated);
    series.put(&["full"], full);
    series.put(&["unknown"], unknown);
    series.put(&["excessive"], excessive);
    series.put(&["unserved"], unserved);
    series.put(&["unwanted"], unwanted);
}

fn rumors_refused(all: &Metrics, series: &mut Series<'_>) {
    let Counters { rumors_unknown, rumors_stale, rumors_excessive, rumors_unserved, .. } =
        all.gossip;
    series.put(&["unknown"], rumors_unknown);
    series.put(&["stale"], rumors_stale);
    series.put(&["excessive"], rumors_excessive);
    series.put(&["unserved"], rumors_unserved);
}

/// The name of a variant as the value of a label: `TooLarge` is `too_large`.
pub(crate) fn snake(variant: &impl Debug) -> String {
    let mut text = String::new();
    for letter in format!("{variant:?}").chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

pub(super) const BUILD_INFO: &str = "rumormill_build_info";
/// As [`Class`](rumormill_endpoint::Class) orders them.
const CLASSES: [&str; 3] = ["control", "gossip", "bulk"];

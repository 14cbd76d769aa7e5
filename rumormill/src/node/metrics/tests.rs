//! What the page says, as a program reads it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use rumormill_transport_api::Histogram;

use super::*;
use crate::{
    Node,
    config::{Admission, Config},
};

/// The page of a node that has done things.
async fn page() -> String {
    let (node, _inbox) = Node::start(Config::new("metrics", Admission::Open)).await.unwrap();
    let mut metrics = node.metrics();
    let mut times = Histogram::default();
    for micros in [50, 300, 70_000, 20_000_000] {
        times.record(Duration::from_micros(micros));
    }
    for carrier in &mut metrics.endpoint.carriers {
        (carrier.dial, carrier.round_trip) = (times.clone(), times.clone());
    }
    metrics.prometheus()
}

/// Series by name and labels.
fn series(page: &str) -> BTreeMap<&str, f64> {
    let mut series = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        let before = series.insert(name, value.parse().expect("a number"));
        assert_eq!(before, None, "twice: {line}");
    }
    series
}

#[tokio::test]
async fn every_series_has_a_help_and_a_type_before_it() {
    let page = page().await;
    let (mut known, mut current) = (BTreeSet::new(), String::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(text.ends_with('.') && !text.contains('\\'), "{line}");
            let (typed, kind) = lines
                .next()
                .and_then(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
                .unwrap();
            assert_eq!(typed, name);
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert_eq!(kind == "histogram", name.ends_with("_seconds"), "{line}");
            assert!(known.insert(name), "twice: {line}");
            current = name.into();
            continue;
        }
        let name = line.split(['{', ' ']).next().unwrap();
        let ending = name.strip_prefix(&*current).expect(line);
        assert!(["", "_bucket", "_sum", "_count"].contains(&ending), "{line}");
        let is_name = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(name.starts_with("rumormill_") && is_name(name), "{line}");
    }
    assert_eq!(known.len(), FAMILIES.len());
    assert!(!page.contains("node1"), "an id is no label");
}

#[tokio::test]
async fn no_series_is_there_twice_and_buckets_rise_to_the_count() {
    let page = page().await;
    let series = series(&page);
    let buckets: Vec<_> = series
        .iter()
        .filter(|(name, _)| name.starts_with("rumormill_transport_dial_seconds_bucket"))
        .collect();
    if buckets.is_empty() {
        return;
    }
    let of = |scheme: &str, bound: &str| {
        let name = format!(
            "rumormill_transport_dial_seconds_bucket{{scheme=\"{scheme}\",le=\"{bound}\"}}"
        );
        series.get(&*name).copied()
    };
    let scheme = buckets[0].0.split('"').nth(1).unwrap();
    let counts = ["0.0001", "0.0005", "0.1", "10", "+Inf"].map(|bound| of(scheme, bound));
    assert_eq!(counts, [Some(1.0), Some(2.0), Some(3.0), Some(3.0), Some(4.0)]);
}

#[tokio::test]
async fn numbers_are_those_of_the_node() {
    let page = page().await;
    let series = series(&page);
    for (name, value) in [
        ("rumormill_messages_sent_total{class=\"bulk\"}", 0.0),
        ("rumormill_messages_dropped_total{class=\"control\",reason=\"too_large\"}", 0.0),
        ("rumormill_rejected_total{reason=\"forged\"}", 0.0),
        ("rumormill_members{standing=\"alive\"}", 0.0),
        ("rumormill_pool_conns_ended_total{reason=\"dirty\"}", 0.0),
        (concat!("rumormill_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
    ] {
        assert_eq!(series.get(name), Some(&value), "{name}");
    }
}

#[test]
fn the_page_in_docs_is_current() {
    let page = include_str!("../../../../docs/metrics.md");
    assert!(
        page == metrics_reference(),
        "docs/metrics.md is not current; run `cargo run -p rumormill -- status --reference > \
         docs/metrics.md`"
    );
}

#[tokio::test]
async fn the_tool_of_prometheus_has_nothing_against_it() {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        eprintln!("not run: promtool is not installed");
        return;
    };
    promtool.stdin.take().unwrap().write_all(page().await.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

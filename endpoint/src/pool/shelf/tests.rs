//! What is kept, in which order, and that nothing is forgotten.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;

const PLACES: usize = 4;

fn target(text: &str) -> Target {
    Target::new(text.parse().unwrap())
}

fn shelf() -> Shelf<u32> {
    Shelf::new()
}

/// A conn that is dialled.
fn open(shelf: &mut Shelf<u32>, site: SiteId, node: Option<NodeId>) -> Origin {
    let origin = Origin { node, ..shelf.origin(site) };
    assert!(shelf.opened(&origin));
    origin
}

fn idle(origin: Origin, conn: u32) -> Idle<u32> {
    Idle { origin, since: Instant::now(), conn }
}

fn strict(most: usize) -> Keeping {
    Keeping { most, warm: Duration::ZERO }
}

fn conns(idle: Vec<Idle<u32>>) -> Vec<u32> {
    idle.into_iter().map(|idle| idle.conn).collect()
}

#[tokio::test(start_paused = true)]
async fn the_one_that_was_used_last_is_taken_and_the_one_unused_longest_goes() {
    let mut shelf = shelf();
    let site = shelf.visit(&target("mem://a"), PLACES).unwrap().site;
    let origins: Vec<Origin> = (0..4).map(|_| open(&mut shelf, site, None)).collect();
    for (conn, origin) in origins.into_iter().enumerate() {
        let displaced = shelf.keep(idle(origin, conn as u32), strict(3));
        assert_eq!(displaced.map(|idle| idle.conn), (conn == 3).then_some(0));
    }
    assert_eq!(shelf.take(site).map(|idle| idle.conn), Some(3));
    assert_eq!(shelf.pop_oldest(Ended::Expired).map(|idle| idle.conn), Some(1));
    assert_eq!(shelf.take(site).map(|idle| idle.conn), Some(2));
    assert!(shelf.take(site).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_warm_may_be_more() {
    let (mut shelf, warm) = (shelf(), Duration::from_secs(1));
    let site = shelf.visit(&target("mem://a"), PLACES).unwrap().site;
    let keeping = Keeping { most: 1, warm };
    for conn in 0..3 {
        let origin = open(&mut shelf, site, None);
        assert!(shelf.keep(idle(origin, conn), keeping).is_none());
    }
    let now = Instant::now();
    assert!(shelf.pop_surplus(keeping, now + warm - Duration::from_nanos(1)).is_none());
    let surplus = std::iter::from_fn(|| shelf.pop_surplus(keeping, now + warm));
    assert_eq!(conns(surplus.collect()), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn only_the_very_same_target_is_the_same() {
    let mut shelf = shelf();
    let plain = target("mem://a");
    let node = NodeId([7; 32]);
    let others = [
        target("mem://b"),
        target("mem://a?window=1KiB"),
        Target { expect: Expect::Node(node), ..plain.clone() },
        Target { from: Some("mem://c".parse().unwrap()), ..plain.clone() },
        Target { early: true, ..plain.clone() },
    ];
    let site = shelf.visit(&plain, PLACES).unwrap().site;
    assert_eq!(shelf.visit(&plain, PLACES).unwrap().site, site);
    for other in &others {
        assert_ne!(shelf.visit(other, PLACES).unwrap().site, site, "{other:?}");
    }
    let (one, other) = (target("mem://a?a=1&b=2"), target("mem://a?b=2&a=1"));
    let one = shelf.visit(&one, PLACES).unwrap().site;
    assert_eq!(shelf.visit(&other, PLACES).unwrap().site, one);
}

#[tokio::test(start_paused = true)]
async fn what_was_forgotten_does_not_come_back() {
    let mut shelf = shelf();
    let target = target("mem://a");
    let site = shelf.visit(&target, PLACES).unwrap().site;
    let (old, out) = (open(&mut shelf, site, None), open(&mut shelf, site, None));
    shelf.keep(idle(old, 1), strict(9));
    assert_eq!(conns(shelf.forget(&target)), [1]);
    assert_eq!(shelf.keep(idle(out, 2), strict(9)).map(|idle| idle.conn), Some(2));
    let new = open(&mut shelf, site, None);
    assert!(shelf.keep(idle(new, 3), strict(9)).is_none());
    let snapshot = shelf.tally.snapshot(0, 0);
    assert_eq!((snapshot.ended(Ended::Evicted), snapshot.idle), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_node_is_evicted_wherever_it_is() {
    let mut shelf = shelf();
    let [node, other] = [[7; 32], [8; 32]].map(NodeId);
    let pinned = Target { expect: Expect::Node(node), ..target("tls://a") };
    let [pinned, anybody, elsewhere] = [pinned, target("tls://a"), target("tcp://b")]
        .map(|target| shelf.visit(&target, PLACES).unwrap().site);
    let kept =
        [(pinned, Some(node)), (anybody, Some(node)), (anybody, Some(other)), (elsewhere, None)];
    for (conn, (site, node)) in kept.into_iter().enumerate() {
        let origin = open(&mut shelf, site, node);
        shelf.keep(idle(origin, conn as u32), strict(9));
    }
    let out = open(&mut shelf, pinned, Some(node));
    let far = open(&mut shelf, elsewhere, None);
    assert_eq!(conns(shelf.evict(node)), [0, 1]);
    assert_eq!(shelf.keep(idle(out, 4), strict(9)).map(|idle| idle.conn), Some(4));
    assert!(shelf.keep(idle(far, 5), strict(9)).is_none());
    assert_eq!(shelf.take(anybody).map(|idle| idle.conn), Some(2));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_in_use_with_a_node_is_evicted_when_it_comes_back() {
    let mut shelf = shelf();
    let node = NodeId([7; 32]);
    let site = shelf.visit(&target("tls://a"), PLACES).unwrap().site;
    let (out, other) = (open(&mut shelf, site, Some(node)), open(&mut shelf, site, None));
    shelf.keep(idle(other, 1), strict(9));
    assert!(shelf.evict(node).is_empty());
    assert_eq!(shelf.keep(idle(out, 2), strict(9)).map(|idle| idle.conn), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_closed_shelf_takes_nothing() {
    let mut shelf = shelf();
    let site = shelf.visit(&target("mem://a"), PLACES).unwrap().site;
    let (one, other) = (open(&mut shelf, site, None), open(&mut shelf, site, None));
    shelf.keep(idle(one, 1), strict(9));
    let lent = shelf.lend(shelf.turns()[0]).unwrap();
    assert!(shelf.close().is_empty());
    assert!(shelf.restore(1, lent).is_some());
    assert_eq!(shelf.keep(idle(other, 2), strict(9)).map(|idle| idle.conn), Some(2));
    assert!(shelf.visit(&target("mem://b"), PLACES).is_none());
    let origin = shelf.origin(site);
    assert!(!shelf.opened(&origin));
    shelf.leave(site);
    assert_eq!((shelf.targets(), shelf.by_addr.len()), (0, 0));
    assert_eq!(shelf.tally.snapshot(0, 0).ended(Ended::Closed), 2);
}

/// Anything in any order: the counts are those of the conns that there are, and no target is left
/// behind.
#[tokio::test(start_paused = true)]
async fn every_conn_is_counted_once_whatever_happens() {
    for seed in 0..200 {
        let (mut rng, mut shelf) = (StdRng::seed_from_u64(seed), shelf());
        let (mut visits, mut out, mut lent, mut conn) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let node =
            |rng: &mut StdRng| rng.random::<bool>().then(|| NodeId([rng.random_range(0..3); 32]));
        let some_target = |rng: &mut StdRng| target(&format!("mem://{}", rng.random_range(0..5)));
        for _ in 0..400 {
            let most = rng.random_range(0..5);
            match rng.random_range(0..12) {
                0..4 => {
                    let site = shelf.visit(&some_target(&mut rng), PLACES).unwrap().site;
                    let idle = shelf.take(site).unwrap_or_else(|| {
                        conn += 1;
                        let node = node(&mut rng);
                        let origin = Origin { node, ..shelf.origin(site) };
                        assert!(shelf.opened(&origin));
                        idle(origin, conn)
                    });
                    visits.push(site);
                    out.push(idle);
                }
                4..7 if !out.is_empty() => {
                    let used = out.swap_remove(rng.random_range(0..out.len()));
                    let site = used.origin.site;
                    match rng.random() {
                        true => drop(shelf.keep(used, strict(most))),
                        false => shelf.ended(&used.origin, Ended::Dirty),
                    }
                    visits.remove(visits.iter().position(|visit| *visit == site).unwrap());
                    shelf.leave(site);
                }
                7 => drop(shelf.forget(&some_target(&mut rng))),
                8 => drop(shelf.evict(NodeId([rng.random_range(0..3); 32]))),
                9 => drop(shelf.pop_oldest(Ended::Expired)),
                10 => {
                    let turn = shelf.turns().first().copied();
                    lent.extend(turn.and_then(|turn| Some((turn, shelf.lend(turn)?))));
                }
                _ => match lent.pop() {
                    Some((turn, idle)) if rng.random() => drop(shelf.restore(turn, idle)),
                    Some((_, idle)) => shelf.lost(&idle.origin),
                    None => (),
                },
            }
            let snapshot = shelf.tally.snapshot(shelf.targets(), 0);
            assert_eq!((snapshot.active, snapshot.idle), (out.len(), shelf.len() + lent.len()));
            let there = snapshot.active as u64 + snapshot.idle as u64 + snapshot.closed();
            assert_eq!(snapshot.created, there, "seed {seed}");
            let indexed: usize = shelf.sites.values().map(|site| site.idle.len()).sum();
            assert_eq!(indexed, shelf.len(), "seed {seed}");
        }
        for used in out {
            shelf.ended(&used.origin, Ended::Dirty);
            shelf.leave(used.origin.site);
        }
        lent.into_iter().for_each(|(_, idle)| shelf.lost(&idle.origin));
        shelf.close();
        assert_eq!((shelf.targets(), shelf.by_addr.len()), (0, 0), "seed {seed}");
    }
}

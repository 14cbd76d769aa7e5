//! Who gets a place, who waits, and who gives way.

use std::sync::atomic::AtomicBool;

use tokio::task::JoinSet;

use super::*;

/// Gives its permit up as soon as it is asked, or never.
struct FakeLink {
    idle_since: Option<Instant>,
    permit: Mutex<Option<Permit>>,
    was_asked: AtomicBool,
}

impl FakeLink {
    fn of(budget: &Budget, permit: Permit, idle_since: Option<Instant>) -> Arc<Self> {
        let (permit, was_asked) = (Mutex::new(Some(permit)), AtomicBool::new(false));
        let link = Arc::new(Self { idle_since, permit, was_asked });
        let as_idler: Arc<dyn Yields> = link.clone();
        budget.register(Arc::downgrade(&as_idler));
        link
    }

    fn was_asked(&self) -> bool {
        self.was_asked.load(SeqCst)
    }
}

impl Yields for FakeLink {
    fn idle_since(&self) -> Option<Instant> {
        self.idle_since
    }

    fn give_way(&self) {
        self.was_asked.store(true, SeqCst);
        self.permit.lock().unwrap().take();
    }
}

fn within(millis: u64) -> Instant {
    Instant::now() + Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn a_full_budget_is_an_error_after_the_deadline_and_not_before() {
    let budget = Budget::new(2);
    let _one = budget.enter(within(0)).await.unwrap();
    let other = budget.enter(within(0)).await.unwrap();
    let start = Instant::now();
    assert_eq!(budget.enter(within(700)).await.err(), Some(Full { limit: 2 }));
    assert_eq!(start.elapsed(), Duration::from_millis(700));
    drop(other);
    assert!(budget.enter(within(0)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_served_in_order_and_nobody_passes_them() {
    let budget = Budget::new(3);
    let (order, mut tasks) = (Arc::new(Mutex::new(Vec::new())), JoinSet::new());
    for number in 0..500 {
        let (budget, order) = (budget.clone(), order.clone());
        tasks.spawn(async move {
            let permit = budget.enter(within(60_000)).await.unwrap();
            order.lock().unwrap().push(number);
            tokio::time::sleep_until(within(1 + number % 7)).await;
            drop(permit);
            // Whoever has not waited gets nothing while somebody does.
            assert!(budget.try_enter().is_none() || 490 < order.lock().unwrap().len());
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..500).collect::<Vec<_>>());
    assert_eq!(budget.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_loses_its_turn_and_no_place() {
    let budget = Budget::new(4);
    for round in 0..200 {
        let mut tasks = JoinSet::new();
        for number in 0..40 {
            let budget = budget.clone();
            tasks.spawn(async move {
                let permit = budget.enter(within(1000)).await;
                tokio::time::sleep_until(within(number * round % 13)).await;
                drop(permit);
            });
        }
        tokio::time::sleep_until(within(round % 11)).await;
        tasks.shutdown().await;
        assert_eq!((budget.in_use(), budget.waiting.load(SeqCst)), (0, 0));
    }
    let all: Vec<_> = (0..4).map(|_| budget.try_enter().unwrap()).collect();
    assert!(budget.try_enter().is_none());
    drop(all);
}

#[tokio::test(start_paused = true)]
async fn the_link_that_was_unused_longest_gives_way_and_only_if_it_must() {
    let budget = Budget::new(4);
    let mut permits: Vec<_> = (0..4).map(|_| budget.try_enter().unwrap()).collect();
    let now = Instant::now();
    let mut link = |idle_since| FakeLink::of(&budget, permits.pop().unwrap(), idle_since);
    let (fresh, busy) = (link(Some(now)), link(None));
    let old = link(Some(now.checked_sub(Duration::from_secs(1)).unwrap()));
    assert!(budget.try_enter().is_none(), "what was accepted displaces nothing");
    assert!(!old.was_asked());

    let first = budget.enter(within(0)).await;
    assert!(old.was_asked() && !fresh.was_asked() && first.is_ok());
    let second = budget.enter(within(1000)).await;
    assert!(fresh.was_asked() && !busy.was_asked() && second.is_ok());
    assert!(budget.enter(within(1000)).await.is_err(), "nothing is idle");
    drop(first);
    assert!(budget.enter(within(0)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_link_that_becomes_idle_later_gives_way_too() {
    let budget = Budget::new(1);
    let busy = FakeLink::of(&budget, budget.try_enter().unwrap(), None);
    let waiting = tokio::spawn({
        let budget = budget.clone();
        async move { budget.enter(within(5000)).await.is_ok() }
    });
    tokio::time::sleep_until(within(500)).await;
    let permit = busy.permit.lock().unwrap().take().unwrap();
    // The same place, in a link that is idle.
    let idle = FakeLink::of(&budget, permit, Some(Instant::now()));
    assert!(waiting.await.unwrap() && idle.was_asked() && !busy.was_asked());
}

#[tokio::test(start_paused = true)]
async fn a_panic_gives_the_place_back() {
    let budget = Budget::new(1);
    let entered = budget.clone();
    let task = tokio::spawn(async move {
        let _permit = entered.enter(within(0)).await.unwrap();
        panic!("on purpose");
    });
    assert!(task.await.is_err());
    assert!(budget.try_enter().is_some());
}

#[tokio::test(start_paused = true)]
async fn no_more_links_are_known_than_are_alive() {
    let budget = Budget::new(usize::MAX);
    for _ in 0..1000 {
        let permit = budget.enter(within(0)).await.unwrap();
        drop(FakeLink::of(&budget, permit, None));
    }
    assert!(budget.idlers().links.len() <= 1);
}

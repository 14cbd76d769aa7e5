//! What is claimed, and what the story says to it.

use std::time::Duration;

use rumormill::gossip::Standing;

use super::{
    claim::Claim,
    plan::{HUB, VICTIM},
    story::Story,
};

pub(super) const WHOLE: &str = "everybody sees everybody";
pub(super) const TOLD: &str = "broadcasts reach all, once";
pub(super) const MISSED: &str = "who is killed is missed";
pub(super) const BACK: &str = "it returns with its key";
pub(super) const MOVED: &str = "traffic leaves a dead road";
pub(super) const ANSWERED: &str = "and all are answered";
pub(super) const LEFT: &str = "a goodbye is no failure";
pub(super) const TRUE: &str = "nobody is missed who lives";
pub(super) const CLEAN: &str = "nothing is left behind";

impl Story {
    /// All who take part see all others, since the play began.
    pub(super) fn whole(&self, began: u64) -> Claim {
        let (seen, all) = self.views();
        let last = self.turns.iter().map(|turn| turn.at).max().unwrap_or(began);
        Claim {
            name: WHOLE,
            expected: format!("{all} views"),
            seen: format!("{seen} of {all} views"),
            detail: format!("after {}", since(last, began)),
            holds: seen == all && 0 < all,
        }
    }

    /// So many were told, and everybody else has heard each of them once, as its origin has told it.
    pub(super) fn delivered(&self, wanted: usize) -> Claim {
        let (mut latencies, mut altered, mut repeated) = (Vec::new(), 0, 0);
        let present: Vec<_> = self.present().collect();
        for ((origin, number, by), heard) in &self.heard {
            match self.told.get(&(*origin, *number)) {
                Some(told) if told.text == heard.text && present.contains(by) => {
                    latencies.push(heard.at.saturating_sub(told.at));
                }
                Some(told) if told.text == heard.text => (),
                _ => altered += 1,
            }
            repeated += heard.times - 1;
        }
        let all = wanted * present.len().saturating_sub(1);
        latencies.sort_unstable();
        let flaws = [(repeated as u64, "twice"), (altered, "altered"), (self.lost, "lost")];
        let flaws: Vec<_> = flaws.into_iter().filter(|(count, _)| 0 < *count).collect();
        let flaws_text: String =
            flaws.iter().map(|(count, flaw)| format!(", {count} {flaw}")).collect();
        Claim {
            name: TOLD,
            expected: format!("{all} deliveries"),
            seen: format!("{} of {all}{flaws_text}", latencies.len()),
            detail: format!(
                "p50 {}, p99 {}",
                quantile(&latencies, 50).map_or_else(none, millis),
                quantile(&latencies, 99).map_or_else(none, millis)
            ),
            holds: latencies.len() == all && flaws.is_empty() && self.told.len() == wanted,
        }
    }

    /// Everybody holds the one for failed who was killed then.
    pub(super) fn missed(&self, killed: u64) -> Claim {
        let all = self.others(VICTIM).count();
        let at = |standing| self.firsts(VICTIM, standing, killed);
        let (suspected, failed) = (at(Standing::Suspected), at(Standing::Failed));
        let held = self.others(VICTIM).filter(|by| self.holds(*by, VICTIM, Standing::Failed));
        let seen = held.count();
        Claim {
            name: MISSED,
            expected: format!("by {all}"),
            seen: format!("by {seen} of {all}"),
            detail: format!(
                "suspected after {}, failed after {} to {}",
                suspected.first().map_or_else(none, |at| since(*at, killed)),
                failed.first().map_or_else(none, |at| since(*at, killed)),
                failed.last().map_or_else(none, |at| since(*at, killed))
            ),
            holds: seen == all && 0 < all,
        }
    }

    /// When each has held `of` for that for the first time after `from`, in order.
    fn firsts(&self, of: usize, standing: Standing, from: u64) -> Vec<u64> {
        let first = |by| {
            let turns = self.turns.iter().filter(|turn| turn.by == by && turn.of == of);
            turns.filter(|turn| turn.to == standing && from <= turn.at).map(|turn| turn.at).next()
        };
        let mut firsts: Vec<_> = (0..self.nodes.len()).filter_map(first).collect();
        firsts.sort_unstable();
        firsts
    }

    /// Who was killed sees all others, and is seen by all.
    pub(super) fn back(&self, restarted: u64) -> Claim {
        let all = self.others(VICTIM).count();
        let seen =
            self.others(VICTIM).filter(|by| self.holds(*by, VICTIM, Standing::Alive)).count();
        let last = self.firsts(VICTIM, Standing::Alive, restarted).last().copied();
        Claim {
            name: BACK,
            expected: format!("by {all}"),
            seen: format!("seen by {seen} of {all}"),
            detail: format!("after {}", last.map_or_else(none, |at| since(at, restarted))),
            holds: seen == all && 0 < all && self.sees_all(VICTIM),
        }
    }

    /// While a transport was blocked nothing came by it, and something did by others.
    pub(super) fn moved(&self, blocked: &str) -> Claim {
        let came = self.came(BLOCKED, AFTER);
        let by = |is_it: bool| {
            came.iter().filter(move |(scheme, _)| (scheme == blocked) == is_it).map(|(_, it)| *it)
        };
        let (by_it, by_others): (u64, u64) = (by(true).sum(), by(false).sum());
        Claim {
            name: MOVED,
            expected: format!("0 B by {blocked}"),
            seen: format!("{by_it} B by {blocked}"),
            detail: format!("{by_others} B by others"),
            holds: by_it == 0 && 0 < by_others,
        }
    }

    /// Bytes that came to the hub by each transport, between two moments.
    pub(super) fn came(&self, from: &str, to: &str) -> Vec<(String, u64)> {
        let at = |when| self.nodes[HUB].carried.get(when).cloned().unwrap_or_default();
        let before = at(from);
        let came = |(scheme, bytes): (String, u64)| {
            let had = before.iter().find(|(it, _)| *it == scheme).map_or(0, |(_, bytes)| *bytes);
            (scheme, bytes.saturating_sub(had))
        };
        at(to).into_iter().map(came).collect()
    }

    /// Every question was answered, those included that were asked while a transport was blocked.
    pub(super) fn answered(&self) -> Claim {
        let answered = self.asking.answered.len();
        let unanswered = self.asking.unanswered.len();
        let all = answered + unanswered;
        let (slowest, repeated) = (self.asking.answered.iter().max(), self.asking.repeated);
        let why = self.asking.unanswered.first().map_or_else(String::new, |it| format!("; {it}"));
        let again = if repeated == 0 { String::new() } else { format!(", {repeated} asked again") };
        Claim {
            name: ANSWERED,
            expected: format!("{all} answers"),
            seen: format!("{answered} of {all}"),
            detail: format!(
                "the slowest after {}{again}{why}",
                slowest.map_or_else(none, |micros| millis(*micros))
            ),
            holds: unanswered == 0 && 0 < answered && self.asking.is_over,
        }
    }

    /// Everybody knows that `leaver` has left, and nobody has held it for failed since then.
    pub(super) fn goodbye(&self, leaver: usize, from: u64) -> Claim {
        let all = self.others(leaver).count();
        let seen = self.others(leaver).filter(|by| self.holds(*by, leaver, Standing::Left)).count();
        let failed = self.firsts(leaver, Standing::Failed, from).len();
        let last = self.firsts(leaver, Standing::Left, from).last().copied();
        let Some((asked, confirmed)) = self.nodes[leaver].goodbye else {
            return Claim::unseen(LEFT, "its process has said no goodbye");
        };
        Claim {
            name: LEFT,
            expected: format!("left for {all}"),
            seen: format!("left for {seen}, failed for {failed}"),
            detail: format!(
                "after {}, {confirmed} of {asked} confirmed",
                last.map_or_else(none, |at| since(at, from))
            ),
            holds: seen == all && 0 < all && failed == 0,
        }
    }

    /// In all the time nobody was held for failed who was there.
    pub(super) fn no_false_alarm(&self) -> Claim {
        let suspected = |turn: &&super::story::Turn| turn.to == Standing::Suspected;
        let suspicions = self.turns.iter().filter(suspected).count();
        Claim {
            name: TRUE,
            expected: "0 false verdicts".into(),
            seen: format!("{} false verdicts", self.false_alarms),
            detail: format!("{suspicions} suspicions in all"),
            holds: self.false_alarms == 0,
        }
    }

    /// All processes have ended when they were told to, and their files are gone.
    pub(super) fn clean(&self, is_folder_gone: bool) -> Claim {
        let (all, over) =
            (self.nodes.len(), self.nodes.iter().filter(|node| node.life.is_over()).count());
        let files = if is_folder_gone { "no file" } else { "files" };
        Claim {
            name: CLEAN,
            expected: "no process, no file".into(),
            seen: format!("{over} of {all} ended, {files}"),
            detail: String::new(),
            holds: over == all && is_folder_gone,
        }
    }
}

/// Names of moments at which the hub counts its bytes.
pub(super) const FIRST: &str = "first";
pub(super) const BEFORE: &str = "before";
pub(super) const BLOCKED: &str = "blocked";
pub(super) const AFTER: &str = "after";
pub(super) const LATER: &str = "later";

/// A time between two moments in microseconds.
pub(super) fn since(at: u64, from: u64) -> String {
    let span = Duration::from_micros(at.saturating_sub(from));
    match span < Duration::from_secs(1) {
        true => millis(span.as_micros() as u64),
        false => format!("{:.1} s", span.as_secs_f64()),
    }
}

fn millis(micros: u64) -> String {
    format!("{} ms", (micros + 500) / 1000)
}

fn none() -> String {
    "-".into()
}

/// The least of sorted numbers that is not below so many of a hundred.
fn quantile(sorted: &[u64], percent: usize) -> Option<u64> {
    let place = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(place - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::{
        chaos::Chaos,
        plan::{LEAST_SECONDS, Plan},
        said::{Said, What},
        story::Life,
    };

    /// A story of four nodes that are up and see each other.
    fn whole() -> Story {
        let plan = Plan::new(4, vec!["tcp", "udp"], Chaos::default(), LEAST_SECONDS);
        let mut story = Story::new(&plan);
        for at in 0..4 {
            story.start(at, 100 + at as u32);
            say(&mut story, at, 1, What::Ready { addrs: vec!["tcp://127.0.0.1:1".into()] });
        }
        for (by, of) in pairs() {
            turn(&mut story, by, of, 10, Standing::Alive);
        }
        story
    }

    fn pairs() -> impl Iterator<Item = (usize, usize)> {
        (0..4).flat_map(|by| (0..4).filter(move |of| *of != by).map(move |of| (by, of)))
    }

    fn say(story: &mut Story, by: usize, at: u64, what: What) {
        story.hear(by, Said { at, what });
    }

    fn turn(story: &mut Story, by: usize, of: usize, at: u64, to: Standing) {
        let node = story.nodes[of].name.into();
        say(story, by, at, What::Turned { node, to });
    }

    fn tell(story: &mut Story, by: usize, number: u64) {
        say(story, by, 100, What::Told { number, text: format!("{by} {number}") });
    }

    fn hear(story: &mut Story, by: usize, (origin, number): (usize, u64), text: &str) {
        let origin = story.nodes[origin].name.into();
        say(story, by, 150_100, What::Heard { origin, number, text: text.into() });
    }

    /// A story in which each of four nodes has told one thing, and all have heard it.
    fn told() -> Story {
        let mut story = whole();
        (0..4).for_each(|by| tell(&mut story, by, 1));
        pairs().for_each(|(by, of)| hear(&mut story, by, (of, 1), &format!("{of} 1")));
        story
    }

    #[test]
    fn a_member_that_somebody_does_not_see_is_missing() {
        let mut story = whole();
        assert!(story.whole(0).holds);
        turn(&mut story, 3, 1, 20, Standing::Suspected);
        let claim = story.whole(0);
        assert_eq!((claim.holds, &*claim.seen), (false, "11 of 12 views"));
    }

    #[test]
    fn a_broadcast_that_somebody_lacks_is_noticed() {
        let mut story = told();
        let claim = story.delivered(4);
        assert_eq!((claim.holds, &*claim.seen), (true, "12 of 12"));
        assert_eq!(claim.detail, "p50 150 ms, p99 150 ms");
        story.heard.remove(&(2, 1, 0));
        assert_eq!(story.delivered(4).seen, "11 of 12");
        assert!(!story.delivered(4).holds);
    }

    #[test]
    fn a_broadcast_that_was_never_told_is_noticed() {
        let story = told();
        assert!(!story.delivered(5).holds);
    }

    #[test]
    fn what_comes_twice_or_altered_or_is_lost_is_noticed() {
        let check = |change: fn(&mut Story), seen: &str| {
            let mut story = told();
            change(&mut story);
            let claim = story.delivered(4);
            assert_eq!((claim.holds, &*claim.seen), (false, seen));
        };
        check(|it| hear(it, 0, (1, 1), "1 1"), "12 of 12, 1 twice");
        check(|it| hear(it, 0, (1, 9), "forged"), "12 of 12, 1 altered");
        check(|it| say(it, 0, 200, What::Lost(2)), "12 of 12, 2 lost");
    }

    #[test]
    fn everybody_has_to_miss_who_was_killed() {
        let mut story = whole();
        story.nodes[VICTIM].life = Life::Killed;
        say(&mut story, VICTIM, 1_000_000, What::Ended);
        for by in [0, 1] {
            turn(&mut story, by, VICTIM, 1_500_000, Standing::Suspected);
            turn(&mut story, by, VICTIM, 4_000_000, Standing::Failed);
        }
        assert_eq!(story.missed(1_000_000).seen, "by 2 of 3");
        assert!(!story.missed(1_000_000).holds);
        turn(&mut story, 3, VICTIM, 5_000_000, Standing::Failed);
        let claim = story.missed(1_000_000);
        assert_eq!(claim.detail, "suspected after 500 ms, failed after 3.0 s to 4.0 s");
        assert!(claim.holds && story.no_false_alarm().holds);

        story.start(VICTIM, 7);
        assert!(!story.back(6_000_000).holds);
        for other in [0, 1, 3] {
            turn(&mut story, other, VICTIM, 6_100_000, Standing::Alive);
            turn(&mut story, VICTIM, other, 6_200_000, Standing::Alive);
        }
        assert!(story.back(6_000_000).holds);
    }

    #[test]
    fn a_verdict_on_somebody_who_lives_is_false() {
        let mut story = whole();
        turn(&mut story, 0, 1, 20, Standing::Failed);
        turn(&mut story, 0, 1, 30, Standing::Alive);
        assert!(!story.no_false_alarm().holds);
    }

    #[test]
    fn traffic_by_a_blocked_road_and_questions_without_an_answer_are_noticed() {
        let mut story = whole();
        let count = |story: &mut Story, when: &str, tcp, udp| {
            let bytes = vec![("tcp".into(), tcp), ("udp".into(), udp)];
            say(story, HUB, 1, What::Carried { when: when.into(), bytes });
        };
        assert!(!story.moved("tcp").holds, "nothing was counted");
        count(&mut story, BLOCKED, 10, 20);
        count(&mut story, AFTER, 10, 50);
        assert!(story.moved("tcp").holds);
        count(&mut story, AFTER, 11, 50);
        assert!(!story.moved("tcp").holds);

        say(&mut story, 1, 1, What::Answered { micros: 5000, times: 1 });
        assert!(!story.answered().holds, "more may come");
        say(&mut story, 1, 1, What::Hushed);
        assert!(story.answered().holds);
        say(&mut story, 1, 1, What::Unanswered("late".into()));
        assert_eq!((story.answered().holds, &*story.answered().seen), (false, "1 of 2"));
    }

    #[test]
    fn a_goodbye_has_to_be_known_as_one() {
        let mut story = whole();
        story.nodes[3].life = Life::Leaving;
        (0..2).for_each(|by| turn(&mut story, by, 3, 30, Standing::Left));
        assert!(!story.goodbye(3, 20).holds, "it has not said any");
        say(&mut story, 3, 40, What::Left { asked: 3, confirmed: 3 });
        assert_eq!(story.goodbye(3, 20).seen, "left for 2, failed for 0");
        turn(&mut story, 2, 3, 40, Standing::Failed);
        turn(&mut story, 2, 3, 50, Standing::Left);
        let claim = story.goodbye(3, 20);
        assert_eq!((claim.holds, &*claim.seen), (false, "left for 3, failed for 1"));
    }

    #[test]
    fn processes_and_files_that_are_left_are_noticed() {
        let mut story = whole();
        assert!(!story.clean(true).holds);
        story.nodes.iter_mut().for_each(|node| node.life = Life::Ending);
        (0..4).for_each(|at| say(&mut story, at, 60, What::Ended));
        assert!(story.clean(true).holds && !story.clean(false).holds);
    }

    #[test]
    fn an_unplanned_end_is_trouble() {
        let mut story = whole();
        say(&mut story, 1, 60, What::Ended);
        assert_eq!(story.trouble.as_deref(), Some("bob (process 101) has ended by itself"));
    }

    #[test]
    fn quantiles_are_of_those_that_are_there() {
        let sorted: Vec<u64> = (1..=200).collect();
        assert_eq!((quantile(&sorted, 50), quantile(&sorted, 99)), (Some(100), Some(198)));
        assert_eq!((quantile(&[7], 99), quantile(&[], 50)), (Some(7), None));
    }
}

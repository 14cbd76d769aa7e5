//! The acts of the play, in order.

use std::time::Duration;

use rumormill::gossip::Standing;

use super::{
    claims::{
        AFTER, ANSWERED, BACK, BEFORE, BLOCKED, FIRST, LATER, LEFT, MISSED, MOVED, TOLD, WHOLE,
        since,
    },
    happening::Happening,
    order::Order,
    plan::{ASKER, HUB, VICTIM},
    play::Play,
    said::now,
    story::{Life, Story},
};
use crate::cli::Result;

impl Play {
    /// One after the other, as long as all comes true; what did not get its turn did not come true.
    pub(super) async fn acts(&mut self) -> Result<()> {
        let _went_to_the_end = self.gather().await?
            && self.broadcast().await?
            && self.crash().await?
            && self.restart().await?
            && self.block().await?
            && self.leave().await?;
        self.claim_unseen(&[WHOLE, TOLD, MISSED, BACK])?;
        if self.can_move() {
            self.claim_unseen(&[MOVED, ANSWERED])?;
        }
        self.claim_unseen(&[LEFT])?;
        self.claim(self.story.no_false_alarm())
    }

    /// All start, and find each other.
    async fn gather(&mut self) -> Result<bool> {
        let nodes = self.story.nodes.len();
        let hub = self.name(HUB);
        self.act(
            "START",
            format!("each with a key of its own; {hub} has all transports, others one"),
        )?;
        (0..nodes).try_for_each(|at| self.start(at))?;
        let is_up = |story: &Story| story.nodes.iter().all(|node| node.life == Life::Up);
        self.until(SOON, is_up).await?;
        let join = Order::Join(self.story.nodes[HUB].addrs.clone());
        (1..nodes).for_each(|at| self.order(at, &join));
        self.until(SOON, |story| {
            is_whole(story) && story.nodes[1..].iter().all(|it| it.has_joined)
        })
        .await?;
        self.claim(self.story.whole(self.began))?;
        self.pause()
    }

    /// Everybody tells all others something, in turn.
    async fn broadcast(&mut self) -> Result<bool> {
        let (nodes, rounds) = (self.story.nodes.len(), self.plan.rounds());
        let wanted = nodes * rounds;
        self.act("TELL", format!("{wanted} broadcasts, each signed by whom it is from"))?;
        let pace = self.plan.telling.div_f64(wanted as f64);
        for (round, by) in (0..rounds).flat_map(|round| (0..nodes).map(move |by| (round, by))) {
            let text = format!("{} says: this is number {}", self.name(by), round + 1);
            self.order(by, &Order::Tell(text));
            if !self.watch(pace).await? {
                break;
            }
        }
        let all = wanted * (nodes - 1);
        self.until(SOON, |story| story.told.len() == wanted && story.heard.len() == all).await?;
        self.claim(self.story.delivered(wanted))?;
        self.pause()
    }

    /// One is killed, and all notice.
    async fn crash(&mut self) -> Result<bool> {
        let victim = self.name(VICTIM);
        let pid = self.story.nodes[VICTIM].pid;
        self.act("KILL", format!("{victim} is gone without a word: kill -9 {pid}"))?;
        let killed = self.kill(VICTIM);
        let is_missed = |story: &Story| {
            let all = story.others(VICTIM).all(|by| story.holds(by, VICTIM, Standing::Failed));
            all && story.nodes[VICTIM].life == Life::Dead
        };
        self.until(LATE, is_missed).await?;
        self.claim(self.story.missed(killed))?;
        self.pause()
    }

    /// It comes back, with its key.
    async fn restart(&mut self) -> Result<bool> {
        let victim = self.name(VICTIM);
        self.act("RETURN", format!("{victim} starts anew, with the key that it had"))?;
        let restarted = now();
        self.start(VICTIM)?;
        self.until(SOON, |story| story.nodes[VICTIM].life == Life::Up).await?;
        self.order(VICTIM, &Order::Join(self.story.nodes[HUB].addrs.clone()));
        self.until(SOON, is_whole).await?;
        self.claim(self.story.back(restarted))?;
        self.pause()
    }

    /// The road that most traffic takes is blocked, and the traffic takes another one.
    async fn block(&mut self) -> Result<bool> {
        let (hub, asker) = (self.name(HUB), self.name(ASKER));
        if !self.can_move() {
            self.act(
                "BLOCK",
                "not shown: traffic moves only where there are two transports".into(),
            )?;
            return self.pause();
        }
        self.act("BLOCK", format!("{asker} asks {hub}, whose busiest transport swallows all"))?;
        self.order(ASKER, &Order::Ask { whom: hub.into() });
        self.count_after(1, FIRST).await?;
        self.count_after(ANSWERS, BEFORE).await?;
        let busiest = self.story.came(FIRST, BEFORE).into_iter().max_by_key(|(_, bytes)| *bytes);
        let Some((busiest, _)) = busiest else { return self.pause() };
        self.note(format!("{hub} hears nothing by {busiest} any more, and nobody is told"))?;
        self.order(HUB, &Order::Block(busiest.clone()));
        self.story.nodes[HUB].blocked = Some(busiest.clone());
        self.until(SOON, |story| story.nodes[HUB].carried.contains_key(BLOCKED)).await?;
        self.count_after(ANSWERS, AFTER).await?;

        self.show_bytes(&busiest)?;
        self.claim(self.story.moved(&busiest))?;
        self.open(&busiest).await?;
        self.order(ASKER, &Order::Hush);
        self.until(LATE, |story| story.asking.is_over).await?;
        self.claim(self.story.answered())?;
        self.pause()
    }

    /// The road is open again. When the traffic returns depends on what else is as good, so nothing is
    /// claimed.
    async fn open(&mut self, road: &str) -> Result<()> {
        let opened = now();
        self.order(HUB, &Order::Open);
        self.story.nodes[HUB].blocked = None;
        let mut busiest = String::new();
        for _ in 0..LOOKS {
            if !self.count_after(ANSWERS / 4, LATER).await? {
                return Ok(());
            }
            let came = self.story.came(AFTER, LATER).into_iter();
            busiest = came.max_by_key(|(_, bytes)| *bytes).map_or(busiest, |(scheme, _)| scheme);
            if busiest == road {
                let took = since(now(), opened);
                return self.note(format!("{road} is open again, and most used after {took}"));
            }
            let carried = &mut self.story.nodes[HUB].carried;
            let later = carried.remove(LATER).unwrap_or_default();
            carried.insert(AFTER.into(), later);
        }
        self.note(format!("{road} is open again, but {busiest} serves as well"))
    }

    /// Has the hub count its bytes when so many more answers have come to whoever asks it; tells whether
    /// they have.
    async fn count_after(&mut self, answers: usize, when: &'static str) -> Result<bool> {
        let enough = self.story.asking.answered.len() + answers;
        let came = self.until(LATE, |story| enough <= story.asking.answered.len()).await?;
        self.order(HUB, &Order::Count(when.into()));
        let counted = self.until(SOON, |story| story.nodes[HUB].carried.contains_key(when)).await?;
        Ok(came && counted)
    }

    fn show_bytes(&mut self, blocked: &str) -> Result<()> {
        let spans = [(FIRST, BEFORE), (BLOCKED, AFTER)].map(|(from, to)| self.story.came(from, to));
        let [before, meanwhile] = spans;
        let schemes = before.iter().map(|(scheme, _)| scheme.clone());
        let is_used = |scheme: &String| self.plan.schemes.contains(&scheme.as_str());
        let schemes: Vec<String> = schemes.filter(is_used).collect();
        let row = |span: Vec<(String, u64)>| {
            let span = span.into_iter().filter(|(scheme, _)| is_used(scheme));
            span.map(|(_, bytes)| bytes).collect()
        };
        let names = ["before".to_owned(), format!("while {blocked} is blocked")];
        let spans = names.into_iter().zip([row(before), row(meanwhile)]).collect();
        self.tell(&Happening::Bytes { at: now(), node: self.name(HUB), schemes, spans })
    }

    /// One says goodbye.
    async fn leave(&mut self) -> Result<bool> {
        let leaver = self.plan.leaver();
        self.act("LEAVE", format!("{} says goodbye", self.name(leaver)))?;
        let from = now();
        self.story.nodes[leaver].life = Life::Leaving;
        self.order(leaver, &Order::Leave);
        let is_known = |story: &Story| {
            let all = story.others(leaver).all(|by| story.holds(by, leaver, Standing::Left));
            all && story.nodes[leaver].life == Life::Gone
        };
        self.until(LATE, is_known).await?;
        self.claim(self.story.goodbye(leaver, from))?;
        self.pause()
    }

    fn name(&self, at: usize) -> &'static str {
        self.story.nodes[at].name
    }
}

fn is_whole(story: &Story) -> bool {
    let (seen, all) = story.views();
    seen == all
}

/// For what takes a second, where nothing disturbs it.
const SOON: Duration = Duration::from_secs(10);
/// For what takes several.
const LATE: Duration = Duration::from_secs(30);
/// Answers in which roads are compared.
const ANSWERS: usize = 100;
/// How often it is looked whether a road is used again.
const LOOKS: usize = 12;

//! Rumors that pushing has not brought: telling what is there, asking for what is not, and serving.

use bytes::{Bytes, BytesMut};
use rand::Rng;
use rumormill_transport_api::NodeId;

use crate::{
    accusation::brief,
    message::{Body, PAGE, begin},
    output::Via,
    rumor::RumorId,
    rumors::words::{Line, Mark, Want, Word},
    signer::Signer,
    swim::{Swim, round::following},
    time::Time,
};

/// What comparing a digest costs, in bytes served.
const COMPARING: usize = 64 << 10;
/// What looking for a rumor costs, in bytes served, whether it is there or not.
const LOOKING: usize = 64;

impl<S: Signer> Swim<S> {
    /// When something has to be done for rumors. Where nothing was said lately, nothing has.
    pub(super) fn rumors_due(&self) -> Option<Time> {
        let has_peers = !self.prober.order().is_empty();
        let is_repairing = self.config.rumors.repair_interval.is_some() && self.mill.is_active();
        let due = [
            (has_peers && is_repairing).then_some(self.timers.repair),
            self.mill.next_due(),
            self.mill.pulls.next(),
            self.mill.marks.next().filter(|_| has_peers),
        ];
        due.into_iter().flatten().min()
    }

    pub(super) fn rumors_on(&mut self, now: Time, rng: &mut impl Rng) {
        let gaps = self.mill.give_up(now);
        self.tell_gaps(gaps);
        self.ask_for_rumors(now);
        self.ask_for_marks(now, rng);
        let Some(interval) = self.config.rumors.repair_interval else { return };
        if now < self.timers.repair || !self.mill.is_active() {
            return;
        }
        self.timers.repair = following(self.timers.repair, interval, now);
        self.mill.expire(now);
        if !self.mill.is_active() {
            return;
        }
        let lines = self.mill.lines(self.lines_max(), now, rng);
        for to in self.prober.some(1, self.node(), rng) {
            self.send(to, Via::Packet, &Body::Digest(lines.clone()));
        }
    }

    /// Lines that a packet has room for.
    fn lines_max(&self) -> usize {
        (self.room().saturating_sub(4) / Line::LEN).clamp(1, Line::MOST)
    }

    /// Asks for what one lacks of what another has heard; what this node knows more.
    pub(super) fn compare_rumors(
        &mut self,
        now: Time,
        from: NodeId,
        lines: &[Line],
        rng: &mut impl Rng,
    ) -> Option<Vec<Line>> {
        if self.table.get(from).is_none() || !self.mill.may_serve(from, COMPARING, now) {
            self.counters.rumors_unserved += 1;
            return None;
        }
        let mut more = Vec::new();
        for line in lines {
            let (own, origins) = (self.node(), self.origins(line.by));
            match brief(own) == line.by {
                true => more.push(self.mill.more_than(own, line, now)),
                false => self.counters.rumors_unknown += u64::from(origins.is_empty()),
            }
            for (origin, started) in origins {
                let lacks = self.mill.lacks(origin, line, started, rng);
                lacks.into_iter().for_each(|id| self.mill.pulls.offer(id, from, now));
                more.push(self.mill.more_than(origin, line, now));
            }
        }
        Some(more.into_iter().flatten().collect())
    }

    /// Tells what the sender of a digest may lack, also of origins that it would have named if it had heard
    /// of them.
    pub(super) fn tell_more(
        &mut self,
        now: Time,
        to: NodeId,
        told: &[Line],
        more: Option<Vec<Line>>,
        rng: &mut impl Rng,
    ) {
        let (Some(mut more), most) = (more, self.lines_max()) else { return };
        if told.len() < most {
            let is_untold = |line: &Line| told.iter().all(|told| told.by != line.by);
            more.extend(self.mill.lines(most, now, rng).into_iter().filter(is_untold));
        }
        more.truncate(most);
        if !more.is_empty() {
            self.send(to, Via::Packet, &Body::Heard(more));
        }
    }

    /// Asks for rumors whoever is to be asked now.
    pub(super) fn ask_for_rumors(&mut self, now: Time) {
        for (to, ids) in self.mill.pulls.asks(now) {
            for wants in Want::of(&ids).chunks(Want::MOST) {
                self.push(to, Via::Stream, begin(&Body::Fetch(wants.to_vec())).freeze());
            }
        }
    }

    /// Sends the rumors that are asked for, several to a page if they are short.
    pub(super) fn serve_rumors(&mut self, now: Time, from: NodeId, wants: &[Want]) {
        let (mut page, is_member) = (begin(&Body::Rumors), self.table.get(from).is_some());
        for id in wants.iter().flat_map(|want| self.asked(*want)).collect::<Vec<_>>() {
            let whole = self.mill.kept(id).map(|rumor| rumor.whole().clone());
            let cost = LOOKING + whole.as_ref().map_or(0, Bytes::len);
            if !is_member || !self.mill.may_serve(from, cost, now) {
                self.counters.rumors_unserved += 1;
                break;
            }
            self.add_to_page(&mut page, from, &whole.unwrap_or_default());
        }
        self.send_page(from, page);
    }

    /// Which rumors a question may mean.
    fn asked(&self, want: Want) -> Vec<RumorId> {
        let own = Some(self.node()).filter(|own| brief(*own) == want.by);
        let origins: Vec<NodeId> = own.into_iter().chain(self.table.called(want.by)).collect();
        let id = |number, origin| RumorId { origin, epoch: want.epoch, number };
        let ids = want.numbers().flat_map(|number| origins.iter().map(move |it| id(number, *it)));
        ids.collect()
    }

    fn add_to_page(&mut self, page: &mut BytesMut, to: NodeId, whole: &Bytes) {
        if PAGE < page.len() + whole.len() {
            let full = std::mem::replace(page, begin(&Body::Rumors));
            self.send_page(to, full);
        }
        page.extend_from_slice(whole);
    }

    fn send_page(&mut self, to: NodeId, page: BytesMut) {
        if begin(&Body::Rumors).len() < page.len() {
            self.push(to, Via::Stream, page.freeze());
        }
    }

    /// Somebody was reached: whoever comes new asks how far rumors have come, and whoever does not tells.
    pub(super) fn meet(&mut self, node: NodeId, now: Time) {
        let knows_nobody = self.table.iter().next().is_none();
        if knows_nobody && self.mill.is_fresh() {
            self.mill.marks.begin(now);
        }
        match (self.mill.marks.is_asking(), knows_nobody) {
            (true, _) => self.push(node, Via::Stream, begin(&Body::AskMarks).freeze()),
            (false, false) => self.tell_marks(now, node),
            (false, true) => (),
        }
    }

    fn ask_for_marks(&mut self, now: Time, rng: &mut impl Rng) {
        if self.prober.order().is_empty() || !self.mill.marks.is_due(now) {
            return;
        }
        if self.mill.marks.is_hopeless() {
            self.mill.end_marks(now);
            return;
        }
        for to in self.prober.some(1, self.node(), rng) {
            self.push(to, Via::Stream, begin(&Body::AskMarks).freeze());
        }
    }

    /// Whoever does not know where to begin cannot tell others.
    pub(super) fn tell_marks(&mut self, now: Time, to: NodeId) {
        if self.mill.marks.is_asking() || !self.may_serve(now) {
            return;
        }
        let marks = self.mill.all_marks();
        let mut pages: Vec<&[Mark]> = marks.chunks(Mark::MOST).collect();
        if pages.is_empty() {
            pages.push(&[]);
        }
        let lefts = (0..pages.len()).rev().map(|left| u16::try_from(left).unwrap_or(u16::MAX));
        let page = |(marks, left): (&[Mark], u16)| {
            begin(&Body::Marks { marks: marks.to_vec(), left }).freeze()
        };
        let pages = pages.into_iter().zip(lefts).map(page).collect();
        self.serve(to, pages);
    }

    /// How far rumors have come, if that is news: to one who has asked, or who was found by somebody.
    pub(super) fn take_marks(&mut self, now: Time, marks: Vec<Mark>, left: u16) {
        let was_found = self.table.iter().next().is_none() && self.mill.is_fresh();
        if !self.mill.marks.is_asking() && !was_found {
            self.counters.rumors_stale += 1;
            return;
        }
        self.mill.marks.begin(now);
        marks.into_iter().for_each(|mark| self.mill.marks.hear(mark));
        if left == 0 {
            self.mill.end_marks(now);
        }
    }
}

//! What all nodes have said so far, and what follows from it.

use std::collections::BTreeMap;

use rumormill::gossip::Standing;

use super::{
    happening::Happening,
    plan::Plan,
    said::{Said, What},
};

/// What all nodes have said so far. Nodes are numbers here, as in the plan.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) nodes: Vec<Node>,
    /// How anybody's view of anybody has changed, in the order in which it came in.
    pub(super) turns: Vec<Turn>,
    /// What was told to all, by origin and number.
    pub(super) told: BTreeMap<(usize, u64), Told>,
    /// What was heard, by origin, number and listener.
    pub(super) heard: BTreeMap<(usize, u64, usize), Heard>,
    /// What was told and is lost to somebody.
    pub(super) lost: u64,
    pub(super) asking: Asking,
    /// How many held somebody for failed who was there.
    pub(super) false_alarms: usize,
    /// What nobody has planned, and ends the play.
    pub(super) trouble: Option<String>,
}

/// A node, and how it sees the others.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) schemes: String,
    pub(super) life: Life,
    pub(super) pid: u32,
    pub(super) addrs: Vec<String>,
    /// What it holds each node for, itself included, as far as it knows it.
    pub(super) views: Vec<Option<Standing>>,
    pub(super) has_joined: bool,
    /// Which transport of it is blocked.
    pub(super) blocked: Option<String>,
    /// How many it has asked to confirm its goodbye, and how many have.
    pub(super) goodbye: Option<(usize, usize)>,
    /// Bytes that had come in by each transport, at moments with a name.
    pub(super) carried: BTreeMap<String, Vec<(String, u64)>>,
}

/// How far a node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Its process starts.
    Starting,
    /// It is there.
    Up,
    /// It was killed, and its output has not ended yet.
    Killed,
    /// It was killed.
    Dead,
    /// It says goodbye.
    Leaving,
    /// It has said goodbye, and has ended.
    Gone,
    /// It was told to end, as the play does.
    Ending,
    /// It has.
    Ended,
}

/// A change of how somebody sees somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) at: u64,
    pub(super) by: usize,
    pub(super) of: usize,
    pub(super) to: Standing,
}

#[derive(Debug)]
pub(super) struct Told {
    pub(super) at: u64,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct Heard {
    pub(super) at: u64,
    pub(super) text: String,
    pub(super) times: usize,
}

/// Questions and answers.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// How long each answer took, in microseconds.
    pub(super) answered: Vec<u64>,
    /// How many questions were asked once more.
    pub(super) repeated: u64,
    pub(super) unanswered: Vec<String>,
    pub(super) is_over: bool,
}

impl Life {
    /// Whether the process is no more.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Dead | Self::Gone | Self::Ended)
    }
}

impl Story {
    pub(super) fn new(plan: &Plan) -> Self {
        let node = |(at, part): (usize, &super::plan::Part)| Node {
            name: part.name,
            schemes: part.schemes.join(" "),
            life: Life::Starting,
            pid: 0,
            addrs: Vec::new(),
            views: blank(at, plan.cast.len()),
            has_joined: false,
            blocked: None,
            goodbye: None,
            carried: BTreeMap::new(),
        };
        Self {
            nodes: plan.cast.iter().enumerate().map(node).collect(),
            turns: Vec::new(),
            told: BTreeMap::new(),
            heard: BTreeMap::new(),
            lost: 0,
            asking: Asking::default(),
            false_alarms: 0,
            trouble: None,
        }
    }

    /// A process begins to be a node, perhaps in place of one that was killed.
    pub(super) fn start(&mut self, at: usize, pid: u32) {
        let all = self.nodes.len();
        let node = &mut self.nodes[at];
        (node.life, node.pid, node.has_joined) = (Life::Starting, pid, false);
        node.addrs.clear();
        node.views = blank(at, all);
    }

    /// Takes what a node has said; tells what of it is worth telling.
    pub(super) fn hear(&mut self, by: usize, said: Said) -> Option<Happening> {
        let Said { at, what } = said;
        match what {
            What::Answered { micros, times } => {
                self.asking.answered.push(micros);
                self.asking.repeated += times.saturating_sub(1);
            }
            What::Carried { when, bytes } => _ = self.nodes[by].carried.insert(when, bytes),
            What::Ended => self.end(by),
            What::Heard { origin, number, text } => {
                let origin = self.number(&origin)?;
                let heard = Heard { at, text, times: 0 };
                self.heard.entry((origin, number, by)).or_insert(heard).times += 1;
            }
            What::Hushed => self.asking.is_over = true,
            What::Joined => self.nodes[by].has_joined = true,
            What::Left { asked, confirmed } => self.nodes[by].goodbye = Some((asked, confirmed)),
            What::Lost(count) => self.lost += count,
            What::Ready { addrs } => return Some(self.ready(by, at, addrs)),
            What::Told { number, text } => _ = self.told.insert((by, number), Told { at, text }),
            What::Trouble(why) => {
                self.trouble = Some(format!("{}: {why}", self.nodes[by].name));
            }
            What::Turned { node, to } => {
                let of = self.number(&node)?;
                return self.turn(Turn { at, by, of, to });
            }
            What::Unanswered(why) => self.asking.unanswered.push(why),
        }
        None
    }

    fn number(&mut self, name: &str) -> Option<usize> {
        let number = self.nodes.iter().position(|node| node.name == name);
        if number.is_none() {
            self.trouble = Some(format!("nobody here is called '{}'", name.escape_debug()));
        }
        number
    }

    fn ready(&mut self, by: usize, at: u64, addrs: Vec<String>) -> Happening {
        let node = &mut self.nodes[by];
        (node.life, node.addrs) = (Life::Up, addrs.clone());
        Happening::Started { at, node: node.name, pid: node.pid, addrs }
    }

    fn end(&mut self, by: usize) {
        let node = &mut self.nodes[by];
        node.life = match node.life {
            Life::Killed | Life::Dead => Life::Dead,
            Life::Leaving | Life::Gone => Life::Gone,
            Life::Ending | Life::Ended => Life::Ended,
            Life::Starting | Life::Up => {
                let trouble = format!("{} (process {}) has ended by itself", node.name, node.pid);
                self.trouble.get_or_insert(trouble);
                Life::Dead
            }
        };
    }

    fn turn(&mut self, turn: Turn) -> Option<Happening> {
        let Turn { at, by, of, to } = turn;
        let was = self.nodes[by].views[of].replace(to);
        self.turns.push(turn);
        let is_there = !matches!(self.nodes[of].life, Life::Killed | Life::Dead);
        self.false_alarms += usize::from(to == Standing::Failed && is_there);
        let [by_name, of_name] = [by, of].map(|it| self.nodes[it].name);
        match was {
            // All of them together, since nobody wants to read each.
            None if self.sees_all(by) => {
                Some(Happening::SeesAll { at, by: by_name, others: self.others(by).count() })
            }
            None => None,
            Some(_) => Some(Happening::Turned { at, by: by_name, of: of_name, to }),
        }
    }

    /// Those who take part now.
    pub(super) fn present(&self) -> impl Iterator<Item = usize> {
        let is_up = |at: &usize| matches!(self.nodes[*at].life, Life::Starting | Life::Up);
        (0..self.nodes.len()).filter(is_up)
    }

    /// Those who take part now, but one.
    pub(super) fn others(&self, than: usize) -> impl Iterator<Item = usize> {
        self.present().filter(move |at| *at != than)
    }

    /// Whether a node holds another one for that.
    pub(super) fn holds(&self, by: usize, of: usize, standing: Standing) -> bool {
        self.nodes[by].views[of] == Some(standing)
    }

    /// Whether a node sees all others who take part.
    pub(super) fn sees_all(&self, by: usize) -> bool {
        self.others(by).all(|of| self.holds(by, of, Standing::Alive))
    }

    /// How many views there are of others who take part, and how many should be.
    pub(super) fn views(&self) -> (usize, usize) {
        let sees = |by| self.others(by).filter(|of| self.holds(by, *of, Standing::Alive)).count();
        let present = self.present().count();
        (self.present().map(sees).sum(), present * present.saturating_sub(1))
    }

    /// How many of those that were told by others a node has heard.
    pub(super) fn has_heard(&self, by: usize) -> (usize, usize) {
        let of_others = self.told.keys().filter(|(origin, _)| *origin != by);
        let (mut heard, mut all) = (0, 0);
        for (origin, number) in of_others {
            all += 1;
            heard += usize::from(self.heard.contains_key(&(*origin, *number, by)));
        }
        (heard, all)
    }
}

/// What is known of others at first: nothing.
fn blank(at: usize, all: usize) -> Vec<Option<Standing>> {
    (0..all).map(|other| (other == at).then_some(Standing::Alive)).collect()
}

//! What a node says to whoever has started it: a JSON object in each line.

use rumormill::{endpoint::SystemClock, gossip::Standing};
use serde_json::{Value, json};

/// Something that a node has said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    /// When it happened, in microseconds since 1970: all processes of a machine agree on them.
    pub(super) at: u64,
    pub(super) what: What,
}

/// What a node says. Others are named as people call them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Somebody has answered, over whatever way: how long that took, in microseconds, and how often it
    /// was asked.
    Answered { micros: u64, times: u64 },
    /// Bytes that have come in by each transport since the start, and what for they were counted.
    Carried { when: String, bytes: Vec<(String, u64)> },
    /// Its output has ended, and so has it. It never says that itself.
    Ended,
    /// It has heard what another one told all.
    Heard { origin: String, number: u64, text: String },
    /// It has stopped asking, and has all answers that come.
    Hushed,
    /// It has met a member.
    Joined,
    /// It has said goodbye.
    Left { asked: usize, confirmed: usize },
    /// What others told all is lost to it: so many.
    Lost(u64),
    /// It listens.
    Ready { addrs: Vec<String> },
    /// It has told all.
    Told { number: u64, text: String },
    /// It cannot go on.
    Trouble(String),
    /// It holds another one for something else than before.
    Turned { node: String, to: Standing },
    /// Nobody has answered.
    Unanswered(String),
}

impl Said {
    /// What is said now.
    pub(super) fn now(what: What) -> Self {
        Self { at: now(), what }
    }

    /// The line, without its end.
    pub(super) fn to_line(&self) -> String {
        let mut line = match &self.what {
            What::Answered { micros, times } => {
                json!({ "say": "answered", "micros": micros, "times": times })
            }
            What::Carried { when, bytes } => {
                json!({ "say": "carried", "when": when, "bytes": bytes })
            }
            What::Ended => json!({ "say": "ended" }),
            What::Heard { origin, number, text } => {
                json!({ "say": "heard", "origin": origin, "number": number, "text": text })
            }
            What::Hushed => json!({ "say": "hushed" }),
            What::Joined => json!({ "say": "joined" }),
            What::Left { asked, confirmed } => {
                json!({ "say": "left", "asked": asked, "confirmed": confirmed })
            }
            What::Lost(count) => json!({ "say": "lost", "count": count }),
            What::Ready { addrs } => json!({ "say": "ready", "addrs": addrs }),
            What::Told { number, text } => json!({ "say": "told", "number": number, "text": text }),
            What::Trouble(why) => json!({ "say": "trouble", "why": why }),
            What::Turned { node, to } => {
                json!({ "say": "turned", "node": node, "to": name(*to) })
            }
            What::Unanswered(why) => json!({ "say": "unanswered", "why": why }),
        };
        line["at"] = self.at.into();
        line.to_string()
    }

    /// What a line says, if anything.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let (number, text) = (|key: &str| line[key].as_u64(), |key: &str| text(&line[key]));
        let what = match line["say"].as_str()? {
            "answered" => What::Answered { micros: number("micros")?, times: number("times")? },
            "carried" => What::Carried { when: text("when")?, bytes: bytes(&line["bytes"])? },
            "heard" => What::Heard {
                origin: text("origin")?,
                number: number("number")?,
                text: text("text")?,
            },
            "hushed" => What::Hushed,
            "joined" => What::Joined,
            "left" => {
                What::Left { asked: count(&line["asked"])?, confirmed: count(&line["confirmed"])? }
            }
            "lost" => What::Lost(number("count")?),
            "ready" => What::Ready { addrs: texts(&line["addrs"])? },
            "told" => What::Told { number: number("number")?, text: text("text")? },
            "trouble" => What::Trouble(text("why")?),
            "turned" => What::Turned { node: text("node")?, to: standing(line["to"].as_str()?)? },
            "unanswered" => What::Unanswered(text("why")?),
            _ => return None,
        };
        Some(Self { at: number("at")?, what })
    }
}

/// Microseconds since 1970.
pub(super) fn now() -> u64 {
    SystemClock.nanos() / 1000
}

/// What somebody is held for, in a word.
pub(super) fn name(standing: Standing) -> &'static str {
    match standing {
        Standing::Alive => "alive",
        Standing::Suspected => "suspected",
        Standing::Failed => "failed",
        Standing::Left => "left",
    }
}

fn standing(name: &str) -> Option<Standing> {
    let all = [Standing::Alive, Standing::Suspected, Standing::Failed, Standing::Left];
    all.into_iter().find(|it| self::name(*it) == name)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(Into::into)
}

pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(text).collect()
}

fn count(value: &Value) -> Option<usize> {
    value.as_u64()?.try_into().ok()
}

fn bytes(value: &Value) -> Option<Vec<(String, u64)>> {
    let pair = |pair: &Value| Some((text(&pair[0])?, pair[1].as_u64()?));
    value.as_array()?.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let whats = [
            What::Answered { micros: 7, times: 1 },
            What::Carried { when: "before".into(), bytes: vec![("tcp".into(), 9)] },
            What::Heard { origin: "bob".into(), number: 3, text: "\"{\n".into() },
            What::Hushed,
            What::Joined,
            What::Left { asked: 5, confirmed: 4 },
            What::Lost(2),
            What::Ready { addrs: vec!["tcp://127.0.0.1:1".into()] },
            What::Told { number: 1, text: "hello".into() },
            What::Trouble("none".into()),
            What::Turned { node: "carol".into(), to: Standing::Suspected },
            What::Unanswered("late".into()),
        ];
        for (at, what) in (1..).zip(whats) {
            let said = Said { at, what };
            let line = said.to_line();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(Said::parse(&line), Some(said));
        }
    }

    #[test]
    fn what_makes_no_sense_says_nothing() {
        for line in ["", "{}", "hello", r#"{"at":1,"say":"sung"}"#, r#"{"say":"joined"}"#] {
            assert_eq!(Said::parse(line), None, "{line}");
        }
        assert_eq!(Said::parse(&Said { at: 1, what: What::Ended }.to_line()), None);
    }
}

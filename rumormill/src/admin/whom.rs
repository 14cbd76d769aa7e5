//! Who is meant by an id, the beginning of one, or a name.

use rumormill_gossip::MemberInfo;
use rumormill_transport_api::{NodeId, excerpt};

/// Why it is not clear who is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unclear {
    /// An id with a mistake in it.
    #[error("{problem}")]
    Mistyped { problem: String },
    /// This very node.
    #[error("'{text}' is this very node; choose another member")]
    Myself { text: String },
    /// Nobody.
    #[error(
        "no member is called '{text}', and no member's id begins so; `rumormill members` lists all"
    )]
    Nobody { text: String },
    /// The beginning of too many ids.
    #[error("write at least {LEAST} characters of an id behind {PREFIX}, or all of it")]
    Short,
    /// Several members.
    #[error("'{text}' may be any of {}; write an id", .which.join(", "))]
    Several { text: String, which: Vec<String> },
}

/// The member that is meant: by its id, whether known or not; by its name; or by the beginning of its id.
pub(super) fn find(
    text: &str,
    us: (NodeId, &str),
    others: &[MemberInfo],
) -> Result<NodeId, Unclear> {
    let shown = || excerpt(text);
    let is_id = text.len() == ID && text.to_ascii_lowercase().starts_with(PREFIX);
    let found = match is_id {
        true => text.parse().map_err(|error: rumormill_transport_api::Error| {
            Unclear::Mistyped { problem: error.to_string() }
        })?,
        false => one_of(&named(text, us, others), text)
            .or_else(|| begun(text, us.0, others).transpose())
            .unwrap_or_else(|| Err(Unclear::Nobody { text: shown() }))?,
    };
    match found == us.0 {
        true => Err(Unclear::Myself { text: shown() }),
        false => Ok(found),
    }
}

/// Who has the name, of those that are there; of the others, if nobody is.
fn named(name: &str, us: (NodeId, &str), others: &[MemberInfo]) -> Vec<NodeId> {
    let of = |is_here: bool| {
        let others = others.iter().filter(move |member| member.standing.is_here() == is_here);
        others.filter(|member| *member.name == *name).map(|member| member.node)
    };
    let mut here: Vec<_> = of(true).collect();
    here.extend((us.1 == name).then_some(us.0));
    if here.is_empty() { of(false).collect() } else { here }
}

fn begun(text: &str, us: NodeId, others: &[MemberInfo]) -> Result<Option<NodeId>, Unclear> {
    let text = text.to_ascii_lowercase();
    let Some(behind) = text.strip_prefix(PREFIX) else { return Ok(None) };
    if behind.len() < LEAST {
        return Err(Unclear::Short);
    }
    let all = others.iter().map(|member| member.node).chain([us]);
    let found: Vec<_> = all.filter(|node| node.to_string().starts_with(&text)).collect();
    one_of(&found, &text).transpose()
}

fn one_of(found: &[NodeId], text: &str) -> Option<Result<NodeId, Unclear>> {
    match found {
        [] => None,
        [one] => Some(Ok(*one)),
        several => {
            let which = several.iter().take(SHOWN).map(NodeId::to_string).collect();
            Some(Err(Unclear::Several { text: excerpt(text), which }))
        }
    }
}

const PREFIX: &str = "node1";
/// Characters of an id.
const ID: usize = 63;
/// Characters behind the prefix that tell members apart, but for those who look for the same.
const LEAST: usize = 8;
/// Of several that are meant, how many are told.
const SHOWN: usize = 4;

#[cfg(test)]
mod tests {
    use rumormill_gossip::{Standing, Version};

    use super::*;

    fn member(byte: u8, name: &str, standing: Standing) -> MemberInfo {
        MemberInfo {
            node: NodeId([byte; 32]),
            name: name.into(),
            addresses: Vec::new(),
            standing,
            metadata: None,
            version: Version { epoch: 1, n: 1 },
        }
    }

    #[test]
    fn an_id_a_name_and_the_beginning_of_an_id_are_clear() {
        let others = [
            member(1, "a", Standing::Alive),
            member(2, "b", Standing::Failed),
            member(3, "b", Standing::Alive),
            member(4, "c", Standing::Left),
            member(5, "twin", Standing::Alive),
            member(6, "twin", Standing::Suspected),
            member(7, "", Standing::Alive),
        ];
        let us = (NodeId([9; 32]), "us");
        let find = |text: &str| find(text, us, &others);
        let id = |byte| NodeId([byte; 32]);
        assert_eq!((find("a"), find("b"), find("c")), (Ok(id(1)), Ok(id(3)), Ok(id(4))));
        let (full, unknown) = (id(5).to_string(), id(77).to_string());
        assert_eq!((find(&full), find(&full.to_uppercase())), (Ok(id(5)), Ok(id(5))));
        assert_eq!((find(&full[..13]), find(&unknown)), (Ok(id(5)), Ok(id(77))));
        assert!(matches!(find("twin"), Err(Unclear::Several { which, .. }) if which.len() == 2));
        assert_eq!(find(&full[..12]), Err(Unclear::Short));
        assert!(matches!(find(&unknown[..20]), Err(Unclear::Nobody { .. })));
        assert!(matches!(find("nobody"), Err(Unclear::Nobody { .. })));
        assert!(matches!(find("us"), Err(Unclear::Myself { .. })));
        assert!(matches!(find(&us.0.to_string()), Err(Unclear::Myself { .. })));
        let mistyped = full.replace(&full[20..21], if &full[20..21] == "q" { "p" } else { "q" });
        assert!(matches!(find(&mistyped), Err(Unclear::Mistyped { .. })));
        let Err(unclear) = find("\u{1b}[2J") else { panic!() };
        assert!(!unclear.to_string().contains('\u{1b}'));
    }
}

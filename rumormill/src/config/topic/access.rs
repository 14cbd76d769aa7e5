//! Who may do something with a topic, as a list.

use std::collections::BTreeSet;

use rumormill_broker::{Access, Principal};

use crate::config::{
    rule::{Parsed, Rule, Wrong, node},
    value::Value,
    written::Written,
};

/// A list of those who may, or of anybody.
pub(super) struct Principals;

impl Rule for Principals {
    type Value = Access;

    fn takes(&self) -> String {
        format!(
            "[\"{ANYBODY}\"], or a list of up to {MOST} node ids, \"name:NAME\", \"uid:1000\" or \"gid:100\""
        )
    }

    fn read(&self, from: &Written, wrong: &mut Vec<Wrong>) -> Option<Access> {
        let Some(items) = from.list() else {
            wrong.push(Wrong::malformed(from, self));
            return None;
        };
        if let [only] = &*items
            && only.text() == Some(ANYBODY)
        {
            return Some(Access::Anybody);
        }
        if MOST < items.len() {
            wrong.push(Wrong::out_of_range(from, self));
            return None;
        }
        let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
        for item in &items {
            if item.text() == Some(ANYBODY) {
                wrong.push(Wrong::refused(item, "stands alone; leave the others out, or it"));
                continue;
            }
            let Some(principal) = PRINCIPAL.read(item, wrong) else { continue };
            match seen.insert(principal.clone()) {
                true => all.push(principal),
                false => wrong.push(Wrong::refused(item, "is listed twice; keep one of them")),
            }
        }
        Some(Access::Only(all))
    }

    fn show(&self, value: &Access) -> Option<Value> {
        Some(Value::List(match value {
            Access::Anybody => vec![Value::text(ANYBODY)],
            Access::Only(principals) => {
                principals.iter().filter_map(|it| PRINCIPAL.show(it)).collect()
            }
        }))
    }
}

fn parse(text: &str) -> Result<Principal, String> {
    let number = |text: &str| text.parse().map_err(|_| "has no number behind its colon".to_owned());
    match text.split_once(':') {
        Some(("name", "")) => Err("has no name behind its colon".into()),
        Some(("name", name)) => Ok(Principal::Name(name.into())),
        Some(("uid", uid)) => number(uid).map(Principal::Uid),
        Some(("gid", gid)) => number(gid).map(Principal::Gid),
        None if text.starts_with("node1") => (node().parse)(text).map(Principal::Node),
        Some(_) | None => {
            Err("is nobody; write a node id, \"name:NAME\", \"uid:1000\" or \"gid:100\"".into())
        }
    }
}

fn show(principal: &Principal) -> String {
    match principal {
        Principal::Node(node) => node.to_string(),
        Principal::Name(name) => format!("name:{name}"),
        Principal::Uid(uid) => format!("uid:{uid}"),
        Principal::Gid(gid) => format!("gid:{gid}"),
    }
}

const PRINCIPAL: Parsed<Principal> =
    Parsed { one: "somebody", many: "principals", example: "uid:1000", parse, show };
const ANYBODY: &str = "anybody";
const MOST: usize = 1_024;

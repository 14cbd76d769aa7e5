//! The table of members, as each of them sees the others.

use rumormill::gossip::Standing;
use serde_json::{Value, json};

use super::{
    paint::{Line, Paint},
    said::name,
    story::{Life, Node, Story},
};

/// A line for each node: whom it sees how, and what it has heard.
pub(super) fn table(story: &Story) -> Vec<Line> {
    let letters: String = story.nodes.iter().filter_map(|node| node.name.chars().next()).collect();
    let head = row("node", "process", "reached by", "heard");
    let mut lines =
        vec![Line::of(Paint::Dim, head.0).and(Paint::Dim, letters).and(Paint::Dim, head.1)];
    lines.extend((0..story.nodes.len()).map(|at| line(story, at)));
    lines
}

fn line(story: &Story, at: usize) -> Line {
    let node = &story.nodes[at];
    let (heard, all) = story.has_heard(at);
    let (process, paint) = process(node);
    let (left, right) = row(node.name, &process, &schemes(node), &format!("{heard}/{all}"));
    let mut line = Line::of(paint, left);
    for (of, view) in node.views.iter().enumerate() {
        let (sign, paint) = match (view, is_there(node)) {
            (_, false) => (' ', Paint::Plain),
            _ if of == at => ('=', Paint::Dim),
            (Some(view), true) => sign(*view),
            (None, true) => ('.', Paint::Dim),
        };
        line = line.and(paint, sign);
    }
    line.and(paint, if is_there(node) { right } else { String::new() })
}

/// What stands before, and behind, how a node sees the others.
fn row(node: &str, process: &str, schemes: &str, heard: &str) -> (String, String) {
    (format!(" {node:<7} {process:>7}  {schemes:<23}  "), format!("  {heard:>9}"))
}

fn process(node: &Node) -> (String, Paint) {
    match node.life {
        Life::Starting => ("starts".into(), Paint::Dim),
        Life::Up | Life::Leaving | Life::Ending | Life::Ended => {
            (node.pid.to_string(), Paint::Plain)
        }
        Life::Killed | Life::Dead => ("killed".into(), Paint::Bad),
        Life::Gone => ("left".into(), Paint::Dim),
    }
}

fn is_there(node: &Node) -> bool {
    // What it saw last stays to be read.
    matches!(node.life, Life::Up | Life::Leaving | Life::Ending | Life::Ended)
}

/// Its transports; one that is blocked is in brackets.
fn schemes(node: &Node) -> String {
    let shown =
        node.schemes.split(' ').map(|scheme| match node.blocked.as_deref() == Some(scheme) {
            true => format!("[{scheme}]"),
            false => scheme.into(),
        });
    shown.collect::<Vec<_>>().join(" ")
}

fn sign(standing: Standing) -> (char, Paint) {
    match standing {
        Standing::Alive => ('+', Paint::Good),
        Standing::Suspected => ('?', Paint::Odd),
        Standing::Failed => ('x', Paint::Bad),
        Standing::Left => ('-', Paint::Dim),
    }
}

/// The same for programs.
pub(super) fn to_value(story: &Story, at: f64) -> Value {
    let node = |node: &Node| {
        let sees = node.views.iter().zip(&story.nodes).filter_map(|(view, of)| {
            let is_other = of.name != node.name;
            view.filter(|_| is_other && is_there(node)).map(|view| (of.name, json!(name(view))))
        });
        json!({ "node": node.name, "there": is_there(node), "sees": sees.collect::<Value>() })
    };
    let nodes: Vec<_> = story.nodes.iter().map(node).collect();
    json!({ "what": "members", "at": at, "nodes": nodes })
}

/// What its signs mean.
pub(super) fn legend() -> Line {
    Line::of(Paint::Dim, LEGEND)
}

const LEGEND: &str = " how each sees the others: + there  ? suspected  x failed  - left  . unknown";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::{
        chaos::Chaos,
        paint::Colours,
        plan::{NAMES, Plan},
        said::{Said, What},
    };

    fn story(nodes: usize) -> Story {
        let schemes = vec!["quic", "tcp", "tls", "udp", "unix"];
        let mut story = Story::new(&Plan::new(nodes, schemes, Chaos::default(), 20));
        for at in 0..nodes {
            story.start(at, 4_194_304);
            story.hear(at, Said { at: 1, what: What::Ready { addrs: Vec::new() } });
        }
        story
    }

    fn texts(story: &Story) -> Vec<String> {
        let render = |line: Line| line.render(usize::MAX, Colours::None);
        table(story).into_iter().map(render).collect()
    }

    #[test]
    fn the_largest_cluster_fits_into_eighty_columns() {
        let mut story = story(NAMES.len());
        story.nodes[0].blocked = Some("unix".into());
        for number in 0..2000 {
            story.hear(1, Said { at: 1, what: What::Told { number, text: "a".into() } });
        }
        assert!(texts(&story).iter().all(|line| line.len() <= 80), "{:#?}", texts(&story));
    }

    #[test]
    fn each_row_is_how_one_sees_all() {
        let mut story = story(5);
        let turns = [(1, Standing::Alive), (2, Standing::Suspected), (3, Standing::Failed)];
        for (of, to) in turns {
            let node = NAMES[of].into();
            story.hear(0, Said { at: 2, what: What::Turned { node, to } });
        }
        let alice = texts(&story).swap_remove(1);
        assert_eq!(alice, " alice   4194304  quic tcp tls udp unix    =+?x.        0/0");
        story.nodes[3].life = Life::Dead;
        assert_eq!(texts(&story).swap_remove(4), " dave     killed  tls");
    }
}

//! Rules about pages in Markdown: links that lead somewhere, and words that must be there.

use crate::{Finding, tree::File};

/// The links of a page that lead to no file or no heading of this repository.
///
/// `text_of` gives the text at a path from the root, `None` if nothing is there; a folder has an
/// empty text. Links with a scheme lead elsewhere and are not looked at.
pub fn dead_links(page: &File, text_of: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let local =
        links(&page.text).filter(|(_, to)| !to.contains("://") && !to.starts_with("mailto:"));
    local.filter_map(|(line, to)| dead_link(page, line, &to, text_of)).collect()
}

/// The folders that a page does not name, as in `registry/`.
pub fn unnamed<'a>(page: &File, folders: impl IntoIterator<Item = &'a str>) -> Vec<Finding> {
    let missing = folders.into_iter().filter(|folder| !names(&page.text, folder));
    let finding = |folder| {
        let wrong = format!("`{folder}/` is not named");
        Finding::new(&page.path, 1, wrong, "say what lives there and what it must not know")
    };
    missing.map(finding).collect()
}

/// The page lacks a text that readers or tools look for.
pub fn lacks(page: &File, needle: &str, remedy: &str) -> Option<Finding> {
    let finding = || Finding::new(&page.path, 1, format!("`{needle}` does not appear"), remedy);
    (!page.text.contains(needle)).then(finding)
}

fn dead_link(
    page: &File,
    line: usize,
    to: &str,
    text_of: &dyn Fn(&str) -> Option<String>,
) -> Option<Finding> {
    let (path, anchor) = to.split_once('#').unwrap_or((to, ""));
    let finding = |wrong, remedy| Some(Finding::new(&page.path, line, wrong, remedy));
    let Some(text) = resolve(&page.path, path).and_then(|path| text_of(&path)) else {
        return finding(format!("the link `{to}` leads nowhere"), "correct it, or write the file");
    };
    let has_headings = path.is_empty() || path.ends_with(".md");
    if anchor.is_empty() || !has_headings || anchors(&text).iter().any(|found| found == anchor) {
        return None;
    }
    let remedy = "take the heading in lower case, hyphens for spaces, without punctuation";
    finding(format!("the link `{to}` leads to no heading"), remedy)
}

/// The path from the root that `to` means on page `from`; `None` if it leaves the repository.
fn resolve(from: &str, to: &str) -> Option<String> {
    if to.is_empty() {
        return Some(from.into());
    }
    let mut path: Vec<&str> = from.split('/').collect();
    path.pop();
    for part in to.split('/').filter(|part| *part != ".") {
        match part {
            ".." => drop(path.pop()?),
            "" if path.is_empty() || !to.ends_with('/') => return None,
            "" => (),
            _ => path.push(part),
        }
    }
    Some(path.join("/"))
}

/// Line and target of every link, `[text](target)` and `[name]: target` alike.
fn links(text: &str) -> impl Iterator<Item = (usize, String)> {
    prose(text).flat_map(|(line, text)| {
        let text = without_code(text);
        let inline = text.split("](").skip(1).map(target);
        let named = text.trim().strip_prefix('[').and_then(|text| text.split_once("]: "));
        let all = inline.chain(named.map(|(_, to)| target(to)));
        all.map(|to| (line, to)).collect::<Vec<_>>()
    })
}

fn target(text: &str) -> String {
    let end = text.find([')', ' ']).unwrap_or(text.len());
    text[..end].trim_matches(['<', '>']).into()
}

/// The anchors that headings make, numbered from the second of a kind on.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let anchor = slug(line.trim_start_matches('#').trim());
        let numbered = (1..).map(|n| format!("{anchor}-{n}"));
        let mut names = std::iter::once(anchor.clone()).chain(numbered);
        anchors.extend(names.find(|name| !anchors.contains(name)));
    }
    anchors
}

fn slug(heading: &str) -> String {
    let heading = heading.to_lowercase().replace(' ', "-");
    heading.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
}

/// The lines outside fenced blocks, counted from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fence && !fenced
    })
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

fn names(text: &str, folder: &str) -> bool {
    let is_name = |letter: char| letter.is_alphanumeric() || "-_/".contains(letter);
    let name = format!("{folder}/");
    text.match_indices(&name).any(|(at, _)| !text[..at].ends_with(is_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(path: &str) -> Option<String> {
        match path {
            "README.md" | "docs" => Some(String::new()),
            "docs/wire.md" => {
                Some("# Wire\n## The `Ack` frame, again\n## Wire\n```\n# no\n```\n".into())
            }
            _ => None,
        }
    }

    fn check(page: &str, text: &str, dead: &[(usize, &str)]) {
        let found = dead_links(&File::new(page, text), &text_of);
        let found: Vec<_> = found.iter().map(|finding| (finding.line, &*finding.wrong)).collect();
        assert_eq!(found, dead, "{text}");
    }

    #[test]
    fn live_links_pass() {
        check("README.md", "[a](docs/wire.md) [b](<docs/>) ![c](docs/wire.md \"C\")", &[]);
        check(
            "docs/a.md",
            "[a](../README.md), [`b`](wire.md), [c](./wire.md)\n\n[d]: wire.md",
            &[],
        );
        check("README.md", "[a](https://example.org/b) [c](mailto:d@example.org)", &[]);
    }

    #[test]
    fn dead_links_are_caught() {
        check("README.md", "a\n[b](docs/c.md)", &[(2, "the link `docs/c.md` leads nowhere")]);
        check("docs/a.md", "[b](docs/wire.md)", &[(1, "the link `docs/wire.md` leads nowhere")]);
        check("README.md", "[b](../README.md)", &[(1, "the link `../README.md` leads nowhere")]);
        check("docs/a.md", "[b](/README.md)", &[(1, "the link `/README.md` leads nowhere")]);
        check("README.md", "[b]: c.md", &[(1, "the link `c.md` leads nowhere")]);
    }

    #[test]
    fn anchors_are_headings() {
        check("README.md", "[a](docs/wire.md#the-ack-frame-again) [b](docs/wire.md#wire-1)", &[]);
        check(
            "README.md",
            "[a](docs/wire.md#no)",
            &[(1, "the link `docs/wire.md#no` leads to no heading")],
        );
        check("docs/wire.md", "[a](#wire)", &[]);
        check("docs/wire.md", "[a](#wires)", &[(1, "the link `#wires` leads to no heading")]);
    }

    #[test]
    fn code_holds_no_links() {
        check("README.md", "```\n[a](b)\n```\n`[c](d)`", &[]);
    }

    #[test]
    fn unnamed_folders_are_caught() {
        let page = File::new("ARCHITECTURE.md", "`transport-tcp/` is not registry.");
        let found = unnamed(&page, ["transport-tcp", "tcp", "registry"]);
        let found: Vec<_> = found.iter().map(|finding| &*finding.wrong).collect();
        assert_eq!(found, ["`tcp/` is not named", "`registry/` is not named"]);
    }

    #[test]
    fn a_missing_text_is_caught() {
        let page = File::new("README.md", "cargo test");
        assert_eq!(lacks(&page, "cargo test", "write it"), None);
        let found = lacks(&page, "cargo bench", "write it").expect("it is missing");
        assert_eq!(found.to_string(), "README.md:1: `cargo bench` does not appear: write it");
    }
}

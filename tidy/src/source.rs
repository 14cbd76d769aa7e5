//! A Rust file as the rules read it: without tripping over literals, and with test items known.

use std::ops::Range;

use crate::{lex, tree::File};

/// A Rust file taken apart; all its texts have the same lines.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path from the root of the repository.
    pub path: String,
    /// The code: comments and the contents of literals are blanked.
    pub code: String,
    /// The comments, slashes included: all else is blanked.
    pub comments: String,
    /// The code that is not under `#[cfg(test)]`: all else is blanked.
    pub shipped: String,
    /// How many lines the file has apart from its items under `#[cfg(test)]`.
    pub shipped_lines: usize,
}

impl Source {
    /// Takes a Rust file apart.
    pub fn new(file: &File) -> Self {
        let (code, comments) = lex::split(&file.text);
        let tests = test_items(&code);
        let test_lines: usize = tests.iter().map(|item| code[item.clone()].lines().count()).sum();
        Self {
            path: file.path.clone(),
            shipped: without(&code, &tests),
            shipped_lines: code.lines().count() - test_lines,
            code,
            comments,
        }
    }
}

fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (at, _) in code.match_indices(TEST_ONLY) {
        if items.last().is_none_or(|item| item.end <= at) {
            items.push(at..item_end(code, at));
        }
    }
    items
}

fn item_end(code: &str, at: usize) -> usize {
    let Some(len) = code[at..].find(['{', ';']) else { return code.len() };
    let body = at + len;
    if code[body..].starts_with(';') { body + 1 } else { lex::block_end(code, body) }
}

fn without(code: &str, items: &[Range<usize>]) -> String {
    let is_shipped = |at| !items.iter().any(|item| item.contains(&at));
    let keep = |(at, letter)| if letter == '\n' || is_shipped(at) { letter } else { ' ' };
    code.char_indices().map(keep).collect()
}

const TEST_ONLY: &str = "#[cfg(test)]";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shipped: &str, shipped_lines: usize) {
        let source = Source::new(&File::new("src/a.rs", text));
        assert_eq!(source.shipped.split_whitespace().collect::<String>(), shipped, "{text}");
        assert_eq!(source.shipped_lines, shipped_lines, "{text}");
    }

    #[test]
    fn test_items_are_not_shipped() {
        check("a();\n#[cfg(test)]\nmod tests {\n    b();\n}\nc();\n", "a();c();", 2);
        check("#[cfg(test)]\nuse a;\nb();\n", "b();", 1);
        check("#[cfg(test)]\nmod tests {\n#[cfg(test)]\nfn a() {}\n}\n", "", 0);
    }

    #[test]
    fn a_brace_in_a_literal_ends_no_item() {
        check("#[cfg(test)]\nmod tests {\n    b(\"}\");\n}\nc();\n", "c();", 1);
    }
}

//! How long functions are.

use crate::lex;

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, without path.
    pub name: String,
    /// Where its `fn` stands, counted from 1.
    pub line: usize,
    /// How many lines there are from its `fn` to its closing brace, both included.
    pub lines: usize,
}

/// The functions of a file whose comments and literals are blanked, in order of their start.
///
/// A function within a function counts twice, alone and as lines of the outer one.
pub fn functions(code: &str) -> Vec<Function> {
    let keywords = code.match_indices("fn ").map(|(at, _)| at);
    let whole = keywords.filter(|at| !code[..*at].ends_with(lex::is_word));
    whole.filter_map(|at| function(code, at)).collect()
}

/// The middle of the lengths, the upper of two middles; `None` without a function.
pub fn median_lines<'a>(functions: impl IntoIterator<Item = &'a Function>) -> Option<usize> {
    let mut lengths: Vec<usize> = functions.into_iter().map(|function| function.lines).collect();
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied()
}

fn function(code: &str, at: usize) -> Option<Function> {
    let name = code[at..].split_whitespace().nth(1)?;
    let name: String = name.chars().take_while(|letter| lex::is_word(*letter)).collect();
    let end = lex::block_end(code, body(code, at)?);
    let lines = code[at..end].lines().count();
    (!name.is_empty()).then(|| Function { name, line: lex::line_at(code, at), lines })
}

/// Where the body opens; a semicolon within brackets belongs to an array type of the signature.
fn body(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0;
    for (offset, letter) in code[at..].char_indices() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at + offset),
            ';' if depth == 0 => return None,
            _ => (),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: &[(&str, usize, usize)]) {
        let found = functions(code);
        let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
        assert_eq!(found, expected, "{code}");
    }

    #[test]
    fn a_function_spans_its_signature_and_its_body() {
        check("fn a() {}\n", &[("a", 1, 1)]);
        check("\npub async fn a(\n    b: [u8; 4],\n) -> [u8; 4] {\n    b\n}\n", &[("a", 2, 5)]);
        check("fn a() {\n    fn b() {\n    }\n}\n", &[("a", 1, 4), ("b", 2, 2)]);
    }

    #[test]
    fn declarations_pointers_and_patterns_are_no_functions() {
        check("fn a();\ntype B = fn(u8);\nlet my_fn = 1;\n($c:ident) => { fn $c() {} }", &[]);
    }

    #[test]
    fn the_median_is_the_upper_middle() {
        let of = |lines| Function { name: "a".into(), line: 1, lines };
        assert_eq!(median_lines(&[]), None);
        assert_eq!(median_lines(&[of(9), of(1), of(3)]), Some(3));
        assert_eq!(median_lines(&[of(9), of(1)]), Some(9));
    }
}

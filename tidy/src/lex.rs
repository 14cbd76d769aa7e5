//! Rust text split into code, comments and literals; it knows no more of the grammar than that.

/// The text twice: once with only its code, once with only its comments.
///
/// What is left out is blanked, line breaks excepted, so that line numbers agree.
pub(crate) fn split(text: &str) -> (String, String) {
    let (mut code, mut comments) = (String::new(), String::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (kind, len) = first_token(rest);
        let (token, tail) = rest.split_at(len);
        code += &keep_if(kind == Kind::Code, token);
        comments += &keep_if(kind == Kind::Comment, token);
        rest = tail;
    }
    (code, comments)
}

/// The end of the block that opens at `open`, or of the text if the block never ends.
pub(crate) fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, found) in code[open..].char_indices() {
        match found {
            '{' => depth += 1,
            '}' if depth == 1 => return open + at + 1,
            '}' => depth -= 1,
            _ => (),
        }
    }
    code.len()
}

/// Counted from 1.
pub(crate) fn line_at(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

pub(crate) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

fn keep_if(wanted: bool, token: &str) -> String {
    let blank = |letter| if letter == '\n' { '\n' } else { ' ' };
    if wanted { token.into() } else { token.chars().map(blank).collect() }
}

fn first_token(text: &str) -> (Kind, usize) {
    let first = text.chars().next().expect("invariant: the caller stops at the end");
    match first {
        '/' if text.starts_with("//") => (Kind::Comment, text.find('\n').unwrap_or(text.len())),
        '/' if text.starts_with("/*") => (Kind::Comment, block_comment(text)),
        '"' => (Kind::Literal, string(text)),
        '\'' => character_or_lifetime(text),
        _ if is_word(first) => word_or_raw_string(text),
        _ => (Kind::Code, first.len_utf8()),
    }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match text.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") if depth == 1 => return at + 2,
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return at + 1,
            '\\' => drop(letters.next()),
            _ => (),
        }
    }
    text.len()
}

fn character_or_lifetime(text: &str) -> (Kind, usize) {
    let inside = &text[1..];
    let first = inside.chars().next().map_or(0, char::len_utf8);
    let content = if inside.starts_with('\\') { 2 } else { first };
    match inside.get(content..).and_then(|tail| tail.find('\'')) {
        Some(0) => (Kind::Literal, content + 2),
        Some(more) if inside.starts_with('\\') => (Kind::Literal, content + more + 2),
        _ => (Kind::Code, 1),
    }
}

fn word_or_raw_string(text: &str) -> (Kind, usize) {
    let word = text.find(|letter| !is_word(letter)).unwrap_or(text.len());
    match raw_string(&text[..word], &text[word..]) {
        Some(len) => (Kind::Literal, word + len),
        None => (Kind::Code, word),
    }
}

fn raw_string(prefix: &str, tail: &str) -> Option<usize> {
    let quoted = tail.trim_start_matches('#');
    if !["r", "br", "cr"].contains(&prefix) || !quoted.starts_with('"') {
        return None;
    }
    let hashes = tail.len() - quoted.len();
    let end = format!("\"{}", "#".repeat(hashes));
    let len = quoted[1..].find(&end).map(|at| hashes + 1 + at + end.len());
    Some(len.unwrap_or(tail.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &str, comments: &str) {
        let (found_code, found_comments) = split(text);
        assert_eq!(found_code.split_whitespace().collect::<String>(), code, "code of {text}");
        assert_eq!(found_comments.trim(), comments, "comments of {text}");
        assert_eq!(found_code.lines().count(), text.lines().count(), "lines of {text}");
    }

    #[test]
    fn comments_and_code_come_apart() {
        check("a; // b\nc;", "a;c;", "// b");
        check("a; /* b /* c */\n d */ e;", "a;e;", "/* b /* c */\n d */");
        check("a / b", "a/b", "");
    }

    #[test]
    fn literals_are_neither() {
        check(r#"f("// no \" todo!", x)"#, "f(,x)", "");
        check(r##"f(r#"a " // b"#, br"c", x)"##, "f(,,x)", "");
        check(r"f('{', '\'', '\u{7b}', '/')", "f(,,,)", "");
        check("\"a\nb\"; c", ";c", "");
    }

    #[test]
    fn lifetimes_and_raw_names_are_code() {
        check("fn f<'a>(x: &'a str) {}", "fnf<'a>(x:&'astr){}", "");
        check("r#type + bar", "r#type+bar", "");
    }

    #[test]
    fn what_never_ends_reaches_to_the_end_of_the_text() {
        check("a \"b", "a", "");
        check("a /* b", "a", "/* b");
        check("a r#\"b\"", "a", "");
        assert_eq!(block_end("{ {", 0), 3);
    }

    #[test]
    fn a_block_ends_at_its_own_brace() {
        assert_eq!(block_end("a { { } } b", 2), 9);
    }
}

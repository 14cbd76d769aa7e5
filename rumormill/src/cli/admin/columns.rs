//! Text in columns of a terminal, with nothing in it that could steer one.

/// The width of what is printed for people.
pub(crate) const WIDTH: usize = 80;

/// The beginning of an id: enough to tell members apart, and to name one on the command line.
pub(crate) fn short(id: &str) -> String {
    match id.get(..SHORT) {
        Some(begin) if begin.len() < id.len() => format!("{begin}…"),
        _ => id.into(),
    }
}

/// Text in at most so many columns.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let text = plain(text);
    if columns_of(&text) <= columns {
        return text;
    }
    let (mut cut, mut used) = (String::new(), 1);
    for letter in text.chars() {
        used += columns_of_letter(letter);
        if columns < used {
            break;
        }
        cut.push(letter);
    }
    cut + "…"
}

/// Text in exactly so many columns, or in more if it is longer.
pub(crate) fn fill(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(columns_of(text));
    format!("{text}{}", " ".repeat(missing))
}

/// Text in one line of printable letters.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        match letter {
            '"' | '\'' | '\\' => plain.push(letter),
            _ => plain.extend(letter.escape_debug()),
        }
    }
    plain
}

pub(crate) fn columns_of(text: &str) -> usize {
    text.chars().map(columns_of_letter).sum()
}

/// Scripts of East Asia, and pictures, take two columns. A few letters beside them are taken for wide,
/// which only makes a column too wide.
fn columns_of_letter(letter: char) -> usize {
    match letter {
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{a960}'..='\u{a97f}' => 2,
        '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' => 2,
        '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f000}'..='\u{3ffff}' => 2,
        _ => 1,
    }
}

const SHORT: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fits_its_columns_and_steers_nothing() {
        assert_eq!((cut("abcdef", 6), cut("abcdefg", 6)), ("abcdef".into(), "abcde…".into()));
        assert_eq!((cut("日本語", 6), cut("日本語x", 6)), ("日本語".into(), "日本…".into()));
        assert_eq!(cut("\u{1b}[2J\n\u{202e}", 80), "\\u{1b}[2J\\n\\u{202e}");
        assert_eq!((fill("日", 4), fill("abcde", 4)), ("日  ".into(), "abcde".into()));
    }

    #[test]
    fn a_short_id_names_its_node() {
        let id = "node1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqsnp67e9";
        assert_eq!((short(id), short("me")), ("node1qyqszqgp…".into(), "me".into()));
    }
}

//! Rules about the shape of Rust files.

use crate::{
    Finding,
    function::{self, Function},
    lex,
    source::Source,
};

/// Everything that is wrong with one file, seen alone.
pub fn breaches(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(vague_name(source));
    findings.extend(missing_opening(source));
    findings.extend(over_the_cap(source));
    findings.extend(banned_code(source));
    findings.extend(loose_ends(source));
    findings.extend(banners(source));
    findings.extend(globs(source));
    findings
}

/// The files over 400 lines, if they are more than one in ten.
pub fn long_files(sources: &[Source]) -> Vec<Finding> {
    let long: Vec<_> = sources.iter().filter(|source| LONG < source.shipped_lines).collect();
    if long.len() * 10 <= sources.len() {
        return Vec::new();
    }
    long.into_iter().map(long_file).collect()
}

/// A median function of more than 8 lines, over everything in a `src` folder but its tests.
pub fn long_median(sources: &[Source]) -> Option<Finding> {
    let in_src = sources.iter().filter(|source| source.path.contains("/src/"));
    let functions: Vec<(&Source, Function)> = in_src.flat_map(with_functions).collect();
    let median = function::median_lines(functions.iter().map(|(_, function)| function))?;
    let (file, longest) = functions.iter().max_by_key(|(_, function)| function.lines)?;
    let wrong = format!(
        "the median function has {median} lines, {MEDIAN} are the limit, and `{}` here is the \
         longest with {}",
        longest.name, longest.lines
    );
    let remedy = "split functions where they decide, and keep the leaves straight";
    (MEDIAN < median).then(|| Finding::new(&file.path, longest.line, wrong, remedy))
}

fn with_functions(source: &Source) -> impl Iterator<Item = (&Source, Function)> {
    function::functions(&source.shipped).into_iter().map(move |function| (source, function))
}

fn long_file(source: &Source) -> Finding {
    let wrong =
        format!("{} lines without tests, as in over a tenth of files", source.shipped_lines);
    let remedy = "split the longest of them by idea, to 400 lines or fewer";
    Finding::new(&source.path, LONG + 1, wrong, remedy)
}

fn over_the_cap(source: &Source) -> Option<Finding> {
    let wrong = format!("{} lines without tests, {CAP} are the limit", source.shipped_lines);
    let finding = || Finding::new(&source.path, CAP + 1, wrong, "split the file by idea");
    (CAP < source.shipped_lines).then(finding)
}

fn vague_name(source: &Source) -> Option<Finding> {
    let is_vague = |part: &&str| VAGUE.contains(&part.trim_end_matches(".rs"));
    let vague = source.path.split('/').find(is_vague)?;
    let wrong = format!("`{vague}` says nothing about what is in it");
    Some(Finding::new(&source.path, 1, wrong, "name it by a noun, one idea per file"))
}

fn missing_opening(source: &Source) -> Option<Finding> {
    let remedy = "open it with `//!` and a sentence that says what lives here";
    let finding = || Finding::new(&source.path, 1, "the file has no opening line", remedy);
    (!source.comments.starts_with("//!")).then(finding)
}

fn banned_code(source: &Source) -> Vec<Finding> {
    BANNED.iter().flat_map(|(needle, remedy)| uses_of(source, needle, remedy)).collect()
}

fn uses_of(source: &Source, needle: &str, remedy: &str) -> Vec<Finding> {
    let wrong = format!("`{needle}` is not used here");
    let finding = |line| Finding::new(&source.path, line, wrong.as_str(), remedy);
    lines_with(&source.code, needle).map(finding).collect()
}

fn loose_ends(source: &Source) -> Vec<Finding> {
    LOOSE_ENDS.iter().flat_map(|word| notes_to_self(source, word)).collect()
}

fn notes_to_self(source: &Source, word: &str) -> Vec<Finding> {
    let wrong = format!("`{word}` is a note to oneself");
    let remedy = "do it now, or open an issue, and say here what holds today";
    let finding = |line| Finding::new(&source.path, line, wrong.as_str(), remedy);
    lines_with(&source.comments, word).map(finding).collect()
}

/// The lines where `needle` stands, not as part of a longer word.
fn lines_with(text: &str, needle: &str) -> impl Iterator<Item = usize> {
    let opens_word = needle.starts_with(lex::is_word);
    let closes_word = needle.ends_with(lex::is_word);
    let is_part = move |at: usize| {
        let (before, after) = (&text[..at], &text[at + needle.len()..]);
        (opens_word && before.ends_with(lex::is_word))
            || (closes_word && after.starts_with(lex::is_word))
    };
    let places = text.match_indices(needle).map(|(at, _)| at);
    places.filter(move |at| !is_part(*at)).map(|at| lex::line_at(text, at))
}

fn banners(source: &Source) -> Vec<Finding> {
    let remedy = "delete it; where a file needs chapters, it is several files";
    let finding = |line| Finding::new(&source.path, line, "a comment drawn as a banner", remedy);
    let lines = source.comments.lines().zip(1..);
    lines.filter(|(text, _)| is_banner(text)).map(|(_, line)| finding(line)).collect()
}

/// Doc comments may draw: they have tables and diagrams.
fn is_banner(line: &str) -> bool {
    let line = line.trim();
    let is_doc = line.starts_with("//!") || line.starts_with("///");
    let text = line.trim_start_matches(['/', '*', ' ']);
    line.starts_with("////") || (!is_doc && RULERS.iter().any(|ruler| text.starts_with(ruler)))
}

fn globs(source: &Source) -> Vec<Finding> {
    let remedy = "name what you import; only `use super::*` may take all";
    let finding = |line| Finding::new(&source.path, line, "an import by glob", remedy);
    let imports = lines_of_imports(&source.code);
    imports.filter(|(import, _)| is_glob(import)).map(|(_, line)| finding(line)).collect()
}

fn lines_of_imports(code: &str) -> impl Iterator<Item = (&str, usize)> {
    let keywords = code.match_indices("use ").map(|(at, _)| at);
    let whole = keywords.filter(|at| !code[..*at].ends_with(|before| !char::is_whitespace(before)));
    whole.map(|at| {
        let import = code[at..].split(';').next().unwrap_or_default();
        (import, lex::line_at(code, at))
    })
}

fn is_glob(import: &str) -> bool {
    import.contains("::*") && import != "use super::*"
        || import.split(['{', ',', '}']).any(|part| part.trim() == "*")
}

const CAP: usize = 600;
const LONG: usize = 400;
const MEDIAN: usize = 8;
const VAGUE: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];
const LOOSE_ENDS: &[&str] = &["FIXME", "TODO", "XXX"];
const RULERS: &[&str] = &["----", "====", "####", "~~~~"];
const BANNED: &[(&str, &str)] = &[
    ("#[ignore", "make the test run everywhere, or delete it"),
    ("#[allow(", "write #[expect(.., reason = \"..\")], which says why and ends with its cause"),
    ("#![allow(", "write #[expect(.., reason = \"..\")] where it is needed"),
    ("dbg!", "take it out, or trace an event"),
    ("todo!", "finish it"),
    ("unimplemented!", "finish it, or return an error that says what is missing"),
    ("unbounded_channel", "bound the queue, and document what happens when it is full"),
    ("UnboundedSender", "bound the queue, and document what happens when it is full"),
    ("mpsc::channel()", "take sync_channel: this queue of std has no bound"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::File;

    fn source(path: &str, text: &str) -> Source {
        Source::new(&File::new(path, text))
    }

    fn check(text: &str, expected: &[(usize, &str)]) {
        let found = breaches(&source("a/src/b.rs", &format!("//! A file.\n{text}")));
        let found: Vec<_> = found.iter().map(|finding| (finding.line, &*finding.wrong)).collect();
        assert_eq!(found, expected, "{text}");
    }

    fn check_path(path: &str, is_fine: bool) {
        assert_eq!(breaches(&source(path, "//! A file.")).is_empty(), is_fine, "{path}");
    }

    fn of_lines(lines: usize) -> Source {
        source("a/src/b.rs", &format!("//! A file.\n{}", "a();\n".repeat(lines - 1)))
    }

    #[test]
    fn an_orderly_file_passes() {
        check("use super::*;\n\n// Why.\nfn a<'b>(c: &'b str) -> impl Fn() + use<'b> {}\n", &[]);
        check("/// | ---- |\n/// ----> b\nuse a::{b, c as _};\n", &[]);
    }

    #[test]
    fn literals_are_not_code() {
        check("const A: &str = \"todo! // TODO ---- #[ignore] use a::*;\";\n", &[]);
    }

    #[test]
    fn banned_code_is_caught() {
        for (needle, _) in BANNED {
            check(&format!("a();\n{needle}\n"), &[(3, &format!("`{needle}` is not used here"))]);
        }
        check("#[ignore = \"slow\"]\n", &[(2, "`#[ignore` is not used here")]);
        check("my_todo!();\n", &[]);
    }

    #[test]
    fn notes_to_oneself_are_caught() {
        for word in LOOSE_ENDS {
            check(
                &format!("a(); // {word}: b\n"),
                &[(2, &format!("`{word}` is a note to oneself"))],
            );
        }
        check("// TODOS are lists.\n", &[]);
    }

    #[test]
    fn banners_are_caught() {
        for banner in ["// ----", "// ==== a ====", "//######", "/////////", "/* ~~~~ */"] {
            check(&format!("{banner}\n"), &[(2, "a comment drawn as a banner")]);
        }
    }

    #[test]
    fn globs_are_caught() {
        for import in ["use a::*;", "pub use a::{b, c::*};", "use a::{\n    b,\n    *,\n};"] {
            check(&format!("{import}\n"), &[(2, "an import by glob")]);
        }
        check("use super::super::*;\n", &[(2, "an import by glob")]);
    }

    #[test]
    fn vague_names_are_caught() {
        check_path("a/src/batch.rs", true);
        check_path("a/src/commonware.rs", true);
        check_path("a/src/utils.rs", false);
        check_path("a/tests/common/mod.rs", false);
    }

    #[test]
    fn a_file_without_an_opening_is_caught() {
        let found = breaches(&source("a/build.rs", "fn main() {}\n"));
        assert_eq!(found.len(), 1);
        assert!(found[0].remedy.contains("//!"), "{found:?}");
    }

    #[test]
    fn a_file_over_the_cap_is_caught() {
        assert_eq!(breaches(&of_lines(CAP)), []);
        assert_eq!(breaches(&of_lines(CAP + 1)).len(), 1);
    }

    #[test]
    fn one_file_in_ten_may_be_long() {
        let mut sources = vec![of_lines(LONG); 9];
        sources.push(of_lines(LONG + 1));
        assert_eq!(long_files(&sources), []);
        sources.push(of_lines(LONG + 1));
        assert_eq!(long_files(&sources).len(), 2);
    }

    #[test]
    fn a_long_median_names_the_longest_function() {
        let of_lines = |lines: usize| format!("fn a() {{\n{}}}\n", "b();\n".repeat(lines - 2));
        let short = source("a/src/b.rs", &of_lines(MEDIAN));
        let long = source("a/src/c.rs", &of_lines(MEDIAN + 1));
        let test = source("a/tests/d.rs", &of_lines(MEDIAN + 1));
        assert_eq!(long_median(&[short.clone(), test]), None);
        let found = long_median(&[short, long]).expect("the upper middle is too long");
        assert_eq!((found.file.as_str(), found.line), ("a/src/c.rs", 1));
        assert!(found.wrong.contains("9 lines") && found.wrong.contains("`a`"), "{found}");
    }
}

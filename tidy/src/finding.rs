//! What a rule found wrong, and how a test says so.

use std::fmt;

/// One breach of a rule: where it stands, what is wrong and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Path from the root of the repository.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, in words that name the offender.
    pub wrong: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// A breach at `line` of `file`.
    pub fn new(file: &str, line: usize, wrong: impl Into<String>, remedy: &str) -> Self {
        Self { file: file.into(), line, wrong: wrong.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.wrong, self.remedy)
    }
}

/// Fails the running test unless there is nothing to mend; each finding gets a line of its own.
#[track_caller]
pub fn assert_clean(findings: impl IntoIterator<Item = Finding>) {
    let lines: Vec<String> = findings.into_iter().map(|finding| finding.to_string()).collect();
    assert!(lines.is_empty(), "{} to mend:\n{}", lines.len(), lines.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_place_wrong_and_remedy() {
        let finding = Finding::new("a/b.rs", 7, "todo! is left", "finish it");
        assert_eq!(finding.to_string(), "a/b.rs:7: todo! is left: finish it");
    }

    #[test]
    #[should_panic(expected = "1 to mend:\na.rs:1: bad: mend")]
    fn a_test_with_a_finding_fails() {
        assert_clean([Finding::new("a.rs", 1, "bad", "mend")]);
    }
}

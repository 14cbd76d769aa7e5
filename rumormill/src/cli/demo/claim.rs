//! Something that the play shows, and whether it came true.

/// Something that the play shows, and whether it came true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// What is shown.
    pub(super) name: &'static str,
    /// What was to be seen.
    pub(super) expected: String,
    /// What was.
    pub(super) seen: String,
    /// How it went beyond that.
    pub(super) detail: String,
    /// Whether it came true.
    pub(super) holds: bool,
}

impl Claim {
    /// One that never got its turn, because of what went wrong before.
    pub(super) fn unseen(name: &'static str, why: &str) -> Self {
        let (expected, seen) = ("to be shown".into(), "nothing".into());
        Self { name, expected, seen, detail: why.into(), holds: false }
    }
}

/// Whether everything came true, and anything was shown.
pub(super) fn all_hold(claims: &[Claim]) -> bool {
    !claims.is_empty() && claims.iter().all(|claim| claim.holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_false_claim_is_enough_and_none_is_none() {
        let truth = Claim {
            name: "a",
            expected: "1".into(),
            seen: "1".into(),
            detail: "".into(),
            holds: true,
        };
        assert!(all_hold(&[truth.clone(), truth.clone()]));
        assert!(!all_hold(&[truth.clone(), Claim { holds: false, ..truth.clone() }]));
        assert!(!all_hold(&[truth, Claim::unseen("b", "no time")]));
        assert!(!all_hold(&[]));
    }
}

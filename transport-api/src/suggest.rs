//! The nearest known word, for errors that name the way out.

/// The one of `known` that `word` most likely meant, if any comes near.
///
/// Nearness is the Damerau–Levenshtein distance; at most a third of the word may differ.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if LONGEST < word.len() {
        return None;
    }
    let distance = |name: &&str| strsim::osa_distance(word, name);
    let best = known.iter().copied().min_by_key(distance)?;
    (distance(&best) <= word.len().max(3) / 3).then_some(best)
}

/// The distance takes time proportional to the word, which may be a stranger's.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["quic", "tcp", "udp", "unix"];
        assert_eq!(nearest("quik", &known), Some("quic"));
        assert_eq!(nearest("tpc", &known), Some("tcp"));
        assert_eq!(nearest("carrier-pigeon", &known), None);
        assert_eq!(nearest(&"t".repeat(100_000), &known), None);
        assert_eq!(nearest("x", &[]), None);
    }
}

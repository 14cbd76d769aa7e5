//! The name of a node: its Ed25519 public key.

use std::{
    fmt::{self, Display},
    str::FromStr,
};

use bech32::{Bech32m, Hrp, primitives::decode::CheckedHrpstring};

use crate::{Error, Result, excerpt};

/// The Ed25519 public key that a node is known by.
///
/// Here it is 32 bytes to compare and to write down; what signs with it or checks it is the
/// business of crates above. That the bytes are a key at all shows only there.
///
/// As text it is Bech32m (BIP 350) with the prefix `node`: 63 characters, all lower case or all
/// upper case, of which six are a checksum. Up to four wrong characters are always noticed, more
/// with a chance of one in a billion against it.
///
/// ```
/// use rumormill_transport_api::NodeId;
///
/// let text = "node1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqsnp67e9";
/// let id: NodeId = text.parse()?;
/// assert_eq!((id, id.to_string().as_str()), (NodeId([1; 32]), text));
/// # Ok::<(), rumormill_transport_api::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 32]);

impl Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, PREFIX, &self.0).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl FromStr for NodeId {
    type Err = Error;

    /// # Errors
    /// [`Error::Node`] for anything but what a node id is written as.
    fn from_str(text: &str) -> Result<Self> {
        let failed =
            |problem: &str| Error::Node { node: excerpt(text).into(), problem: problem.into() };
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with("node1") {
            return Err(failed("does not begin with node1; `rumormill id` prints one"));
        }
        if text.len() != LENGTH {
            return Err(failed("is not 63 characters long; a part is missing, or too much"));
        }
        let mistyped = |_| failed("is mistyped: its checksum is wrong; copy it again");
        let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(mistyped)?;
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(checked.byte_iter()).for_each(|(to, byte)| *to = byte);
        // The last character has bits to spare, so that several texts would mean the same id.
        match Self(bytes) {
            id if id.to_string() == lower => Ok(id),
            _ => Err(failed("is not as `rumormill id` prints it; copy it again")),
        }
    }
}

const PREFIX: Hrp = Hrp::parse_unchecked("node");
/// The prefix, `1`, 52 characters of five bits each, and six of checksum.
const LENGTH: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> NodeId {
        NodeId(std::array::from_fn(|at| at as u8 * 7))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = id().to_string();
        assert_eq!(text.len(), LENGTH);
        assert_eq!(text.parse::<NodeId>().unwrap(), id());
        assert_eq!(text.to_uppercase().parse::<NodeId>().unwrap(), id());
        assert_eq!(format!("{:?}", id()), text);
    }

    #[test]
    fn every_wrong_character_is_noticed() {
        let text = id().to_string();
        for at in 0..text.len() {
            for wrong in "q2x1éB ".chars().filter(|wrong| !text[at..].starts_with(*wrong)) {
                let mistyped = format!("{}{wrong}{}", &text[..at], &text[at + 1..]);
                assert!(mistyped.parse::<NodeId>().is_err(), "{mistyped}");
            }
        }
        for (at, _) in
            text.char_indices().skip(1).filter(|(at, _)| text[at - 1..*at] != text[*at..at + 1])
        {
            let swapped = format!(
                "{}{}{}{}",
                &text[..at - 1],
                &text[at..at + 1],
                &text[at - 1..at],
                &text[at + 1..]
            );
            assert!(swapped.parse::<NodeId>().is_err(), "{swapped}");
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        for (text, way_out) in [
            ("", "begin with node1"),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "begin with node1"),
            ("node1qqq", "63 characters"),
            (&id().to_string().replace('q', "p"), "copy it again"),
        ] {
            let error = text.parse::<NodeId>().unwrap_err();
            assert!(matches!(error, Error::Node { .. }) && !error.is_retryable());
            assert!(error.to_string().contains(way_out), "{error}");
        }
    }

    #[test]
    fn a_spare_bit_is_no_second_name() {
        let mut five_bits: Vec<bech32::Fe32> = {
            use bech32::ByteIterExt;
            id().0.iter().copied().bytes_to_fes().collect()
        };
        let last = five_bits.last_mut().unwrap();
        *last = bech32::Fe32::try_from(last.to_u8() | 1).unwrap();
        let text: String = {
            use bech32::Fe32IterExt;
            five_bits.into_iter().with_checksum::<Bech32m>(&PREFIX).chars().collect()
        };
        let error = text.parse::<NodeId>().unwrap_err();
        assert!(error.to_string().contains("as `rumormill id` prints it"), "{error}");
    }
}

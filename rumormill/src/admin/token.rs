//! Whether somebody knows the token.

use std::hint::black_box;

use crate::config::Token;

/// Whether this value of the header `Authorization` shows the token. How long it takes tells nothing of
/// the token but its length.
pub(super) fn is_of(shown: Option<&[u8]>, token: Option<&Token>) -> bool {
    let (Some(shown), Some(token)) = (shown, token) else { return false };
    let (scheme, shown) = shown.split_at_checked(BEARER.len()).unwrap_or_default();
    scheme.eq_ignore_ascii_case(BEARER) && are_equal(shown, token.reveal().as_bytes())
}

fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
    one.len() == other.len() && differences == 0
}

const BEARER: &[u8] = b"Bearer ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_of_it_is_the_token() {
        assert!(are_equal(b"0123456789abcdef", b"0123456789abcdef"));
        for wrong in
            [&b""[..], b"0", b"0123456789abcdeF", b"0123456789abcdef0", b"1123456789abcdef"]
        {
            assert!(!are_equal(wrong, b"0123456789abcdef"));
        }
        assert!(!is_of(None, None) && !is_of(Some(b"Bearer x"), None));
    }
}

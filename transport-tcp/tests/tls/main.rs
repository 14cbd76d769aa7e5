//! What is TLS's own: proofs, sessions, ends, and those who do not keep to it.

#![expect(clippy::unwrap_used, reason = "what fails outside of a test function fails its test too")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says why")]

mod node;
mod stranger;

mod crowd;
mod ends;
mod proofs;
mod refusals;
mod resumption;

mod names;
mod openssl;
mod rough;

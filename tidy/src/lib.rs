//! Checks of the repository itself: rules are pure functions over text, the tests apply them.

pub mod arrows;
pub mod function;
pub mod manifest;
pub mod markdown;
pub mod member;
pub mod shape;
pub mod source;
pub mod tree;

mod finding;
mod lex;

pub use crate::finding::{Finding, assert_clean};

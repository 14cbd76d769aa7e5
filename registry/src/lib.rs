//! Transports by name.
//!
//! A [`Registry`] knows the transports of a program by the schemes of their addresses, and builds
//! each of them once, when it is first asked for. It names no transport itself: each crate that
//! the program links registers its own
//! [`Factory`](rumormill_transport_api::Factory), or the program passes it in.
//!
//! # How a transport gets in
//!
//! | the program | [`Registry::linked`] finds the transport |
//! |---|---|
//! | lists its crate in Cargo.toml, and no more | no: a crate that nothing names is not linked |
//! | says `use my_transport as _;`, or links a library that says it | yes, in every profile |
//! | is C around a Rust `staticlib` that says it | only under fat LTO: the linker drops what nothing calls |
//! | is built for a platform without start-up code (some wasm targets) | no |
//!
//! A program as in the last two rows passes the factories by itself, with [`Registry::of`] or
//! [`Registry::register`], which works everywhere.
//!
//! ```
//! use rumormill_registry::{Error, Registry};
//!
//! let registry = Registry::linked()?.with_hints(&[("tcp", "tcp")]);
//! let error = registry.transport("tcp").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "no transport 'tcp' in this build; linked: none; \
//!      enable the cargo feature 'tcp' of rumormill"
//! );
//! # Ok::<(), Error>(())
//! ```

mod registry;

mod error;
mod slot;

pub use error::{Error, Result};
pub use registry::Registry;

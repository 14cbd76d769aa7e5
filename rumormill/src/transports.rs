//! The transports that this crate links: the one place that names them.
//!
//! These lines are what links them. Without its line, a transport is missing at run time although
//! Cargo.toml lists it.

#[cfg(feature = "mem")]
use rumormill_transport_mem as _;
#[cfg(feature = "quic")]
use rumormill_transport_quic as _;
// With the feature `tls` it brings both `tcp` and `tls`.
#[cfg(feature = "tcp")]
use rumormill_transport_tcp as _;
#[cfg(feature = "udp")]
use rumormill_transport_udp as _;
#[cfg(feature = "unix")]
use rumormill_transport_unix as _;

/// Every scheme, and the cargo feature that brings it.
pub(crate) const FEATURES: &[(&str, &str)] = &[
    ("mem", "mem"),
    ("quic", "quic"),
    ("tcp", "tcp"),
    ("tls", "tls"),
    ("udp", "udp"),
    ("unix", "unix"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_that_an_error_can_name_exists() {
        let manifest = include_str!("../Cargo.toml");
        for (scheme, feature) in FEATURES {
            let line = format!("\n{feature} = [");
            assert!(manifest.contains(&line), "{scheme}: no feature '{feature}'");
        }
    }
}

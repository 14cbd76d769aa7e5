//! Transports by name.

//! Messages over TCP.

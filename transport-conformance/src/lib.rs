//! The test kit of the transport contract: one macro runs all of it against any transport.

//! The whole contract, asked of lines.

use rumormill_transport_conformance::{Fixture, suite};
use transport_line::Line;

suite!(Fixture::new(Line::default(), "line://127.0.0.1:0"));

//! From the streams of a link to a conn.

use std::sync::Arc;

use quinn::{RecvStream, SendStream};
use rumormill_transport_api::{Addr, Conn, FrameReader, FrameWriter, Info, Proof};

use crate::{
    QuicConn, Settings,
    halves::{ByteReader, ByteWriter},
    link::Link,
};

/// The conn over a pair of streams of `link`, to a peer that has proven who it is.
pub(crate) fn conn(
    link: &Arc<Link>,
    (send, recv): (SendStream, RecvStream),
    remote: Addr,
    proof: Proof,
    settings: &Settings,
) -> QuicConn {
    let info = Info::new(link.local().clone(), remote, settings.caps());
    Conn {
        info: Info { proof: Some(proof), ..info },
        reader: FrameReader::new(ByteReader::new(recv, link.clone()), settings.framing),
        writer: FrameWriter::new(ByteWriter::new(send, link.clone()), settings.framing),
    }
}

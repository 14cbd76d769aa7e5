//! The whole contract, asked of Unix sockets.

use rumormill_transport_conformance::{Fixture, suite};
use rumormill_transport_unix::Unix;
use tokio::net::UnixStream;

suite!({
    let directory = tempfile::tempdir().expect("a directory, mode 0700");
    let listen = format!("unix://{}/socket", directory.path().display());
    Fixture::new(Unix::default(), &listen)
        .raw(|addr| async move { UnixStream::connect(addr.rest()).await })
        .keep(directory)
});

//! A client that knows nothing of us: `openssl s_client`, with a key and certificate of its own.

use std::{path::Path, process::Stdio};

use rumormill_identity::tls::node_of;
use rumormill_transport_api::{AnyConn, Error, Listener, Proof, Reader};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

use crate::node::{Node, accept, beside, close, recv_to_end, send, soon};

/// Makes an Ed25519 key and a certificate for it; tells whether there is such a program.
async fn made_a_key(directory: &Path) -> bool {
    let mut openssl = Command::new("openssl");
    openssl.current_dir(directory).args("req -x509 -nodes -newkey ed25519 -days 2".split(' '));
    openssl.args("-keyout key.pem -out cert.pem -subj /CN=stranger".split(' '));
    match soon("making a key", openssl.output()).await {
        Ok(made) if made.status.success() => true,
        Ok(made) => panic!("{}", String::from_utf8_lossy(&made.stderr)),
        Err(error) => {
            println!("skipped: `openssl` does not run: {error}");
            false
        }
    }
}

fn client(directory: &Path, to: &str, options: &str) -> Child {
    let mut openssl = Command::new("openssl");
    openssl.current_dir(directory).args(["s_client", "-connect", to, "-quiet"]);
    openssl.args(options.split_whitespace());
    openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    openssl.kill_on_drop(true).spawn().expect("a client")
}

const OPTIONS: &str = "-alpn rumormill/1 -key key.pem -cert cert.pem";

#[tokio::test]
async fn messages_go_both_ways() {
    let directory = tempfile::tempdir().unwrap();
    if !made_a_key(directory.path()).await {
        return;
    }
    let server = Node::new();
    let mut listener = server.listen().await;
    let to = listener.addr().rest().to_string();
    let mut openssl = client(directory.path(), &to, OPTIONS);
    let AnyConn { info, mut reader, mut writer } = accept(&mut listener).await;
    let certificate = CertificateDer::from_pem_file(directory.path().join("cert.pem")).unwrap();
    assert_eq!(info.proof, node_of(&certificate).map(Proof::Node));
    let (mut stdin, mut stdout) = (openssl.stdin.take().unwrap(), openssl.stdout.take().unwrap());
    stdin.write_all(b"\0\0\0\x05rumor\0\0\0\0\0\0\0\x01!").await.unwrap();
    stdin.flush().await.unwrap();
    let mut arrived = Vec::new();
    while arrived.len() < 3 {
        soon("receiving", reader.recv(&mut arrived)).await.unwrap();
    }
    assert_eq!(arrived, ["rumor", "", "!"]);
    send(&mut writer, "mill").await;
    let mut answer = [0; 8];
    soon("an answer", stdout.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"\0\0\0\x04mill");
    // It reads our farewell, and leaves with its own.
    close(&mut writer).await;
    let (rest, end) = recv_to_end(&mut reader).await;
    assert!(rest.is_empty() && matches!(end, Error::Closed), "{rest:?}, then {end:?}");
    soon("its end", openssl.wait()).await.unwrap();
}

#[tokio::test]
async fn who_speaks_otherwise_is_told_why() {
    let directory = tempfile::tempdir().unwrap();
    if !made_a_key(directory.path()).await {
        return;
    }
    let server = Node::new();
    let mut listener = server.listen().await;
    let to = listener.addr().rest().to_string();
    let own = "-key key.pem -cert cert.pem";
    for (options, told) in [
        (&*format!("{own} -alpn h2"), "no application protocol"),
        (&*format!("{OPTIONS} -tls1_2"), "protocol version"),
        ("-alpn rumormill/1", "certificate required"),
        (own, ""),
    ] {
        let client = client(directory.path(), &to, options);
        let output = beside(&mut listener, client.wait_with_output()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(told), "{options}: {said}");
    }
    beside(&mut listener, server.vanished(4)).await;
}

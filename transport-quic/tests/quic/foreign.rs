//! A client that shares no code with us: aioquic, in Python.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use rumormill_identity::SecretKey;
use rumormill_transport_api::{Error, Proof};
use rumormill_transport_quic::{Quic, Settings};

use crate::{
    support::context,
    talk::{accept, listen, recv, recv_to_end, send, soon},
};

fn has_aioquic() -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", "import aioquic"]).stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_python_talks_to_us() {
    if !has_aioquic() {
        let why = "skipped: python3 has no aioquic (pip install aioquic)";
        writeln!(std::io::stdout(), "{why}").expect("standard output");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let key = SecretKey::generate();
    let (key_file, certificate_file) = (dir.path().join("node.key"), dir.path().join("node.crt"));
    key.save(&key_file).unwrap();
    std::fs::write(&certificate_file, key.certificate_pem()).unwrap();
    let server = Quic::new(Settings::default(), &context()).unwrap();
    let mut listener = listen(&server, "").await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aioquic_client.py");
    let (host, port) =
        rumormill_transport_api::Listener::addr(&listener).rest().rsplit_once(':').expect("a port");
    let client = Command::new("python3")
        .arg(script)
        .args([host, port])
        .args([certificate_file, key_file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut conn = accept(&mut listener).await;
    assert_eq!(conn.info.proof, Some(Proof::Node(key.node())));
    let asked = recv(&mut conn.reader, 102).await;
    assert_eq!((&asked[0][..], asked[1].len(), asked[101].len()), (&b""[..], 1000, 100_000));
    send(&mut conn.writer, asked.into_iter().rev()).await;
    let (rest, end) = recv_to_end(&mut conn.reader).await;
    assert!(rest.is_empty() && matches!(end, Error::Closed), "{end:?}");
    soon("closing", rumormill_transport_api::Writer::close(&mut conn.writer)).await.unwrap();
    drop(conn);
    let ended = tokio::task::spawn_blocking(move || client.wait_with_output());
    let output = soon("the client to end", ended).await.unwrap().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.trim() == "all came back", "{out}\n{err}");
}

//! A client in another language, written from docs/wire.md alone: the program that stands there.

use std::{future::ready, process::Command};

use rumormill_transport_api::{Limits, Transport, serve};
use rumormill_transport_tcp::Tcp;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_python_client_of_the_docs_speaks_to_us() {
    let Ok(python) = Command::new("python3").arg("--version").output() else {
        return; // This machine has no Python.
    };
    assert!(python.status.success());
    let listener = Tcp::default().listen(&"tcp://127.0.0.1:0".parse().unwrap()).await.unwrap();
    let server = serve(listener, Limits::default(), |_, message| ready(Some(message)));
    let page = include_str!("../../docs/wire.md");
    let program =
        page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let port = server.addr().rest().rsplit(':').next().unwrap();
    let program = program.replace("7946", port);
    let run = || Command::new("python3").args(["-c", &program]).output();
    let output = tokio::task::block_in_place(run).unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(out.trim(), "b'rumor'", "{err}");
}

//! What the kit cannot ask: the bytes of this carrier.

use rumormill_transport_api::{Batch, Error, Listener, Reader, Transport, Writer, bytes::Bytes};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use transport_line::Line;

/// What is read of `text`, with messages of at most three bytes.
async fn read(text: &str) -> (Vec<Bytes>, Error) {
    let at = "line://127.0.0.1:0?max_message=3B".parse().unwrap();
    let mut listener = Line::default().listen(&at).await.unwrap();
    let mut stream = TcpStream::connect(listener.addr().rest()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let (mut conn, mut all) = (listener.accept().await.unwrap(), Vec::new());
    loop {
        if let Err(end) = conn.reader.recv(&mut all).await {
            return (all, end);
        }
    }
}

#[tokio::test]
async fn lines_are_messages() {
    let (messages, end) = read("00ff10\n\n61\n").await;
    assert_eq!(messages, [&b"\x00\xff\x10"[..], b"", b"a"]);
    assert!(matches!(end, Error::Closed), "{end:?}");
}

#[tokio::test]
async fn what_is_no_line_is_an_error() {
    for text in ["6\n", "6A\n", "61 62\n", "0x61\n"] {
        assert!(matches!(read(text).await.1, Error::Protocol { .. }), "{text:?}");
    }
    assert!(matches!(read("61626364\n").await.1, Error::TooLarge { max: 3, .. }));
    assert!(matches!(read("61\n6162").await.1, Error::Cut { .. }));
}

#[tokio::test]
async fn messages_are_lines() {
    let at = "line://127.0.0.1:0".parse().unwrap();
    let mut listener = Line::default().listen(&at).await.unwrap();
    let mut stream = TcpStream::connect(listener.addr().rest()).await.unwrap();
    let mut conn = listener.accept().await.unwrap();
    let mut batch: Batch = ["", "rumor"].into_iter().collect();
    batch.push_parts(["mi".into(), "ll".into()]);
    conn.writer.send(&mut batch).await.unwrap();
    conn.writer.close().await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "\n72756d6f72\n6d696c6c\n");
}

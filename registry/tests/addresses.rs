//! Malformed addresses: whatever is wrong with one, the error says what to write instead.

use rumormill_transport_api::{Addr, Error, HostPort};

/// What a user wrote, and what the error must say about the way out.
type Row = (&'static str, &'static str);

const NO_ADDRESS: &[Row] = &[
    ("", "write scheme://…, for example tcp://127.0.0.1:7946"),
    ("127.0.0.1:7946", "for example tcp://127.0.0.1:7946"),
    ("localhost:7946", "for example tcp://localhost:7946"),
    ("[::1]:7946", "for example tcp://[::1]:7946"),
    ("node-1.example.org:7946", "for example tcp://node-1.example.org:7946"),
    ("/run/app.sock", "write unix:///run/app.sock"),
    ("tcp:/host:1", "write scheme://…, as in tcp://127.0.0.1:7946"),
    ("unix:/run/a.sock", "or unix:///run/app.sock"),
    ("tcp:host:1", "write tcp://…"),
    ("tcp:127.0.0.1:1", "write tcp://…"),
    ("unix:a.sock", "write unix:///absolute/path"),
    ("tcp:", "write tcp://…"),
    ("tcp//host:1", "has no ':' behind its scheme; write tcp://…"),
    ("tcp;//host:1", "has no ':' behind its scheme; write tcp://…"),
    ("::1:7946", "write tcp://[…]:PORT"),
    (":7946", "write scheme://host:port, for example tcp://127.0.0.1:7946"),
    ("7946", "write scheme://host:port, for example tcp://127.0.0.1:7946"),
    ("host", "write scheme://host:port, for example tcp://127.0.0.1:7946"),
    ("./a.sock", "write unix:///absolute/path"),
    ("a.sock", "write unix:///absolute/path"),
    ("a\n[fake] log line", "without white space"),
    ("/x\u{1b}[2J", "without white space"),
    ("tcp://host:1\n", "white space ('\\n'); remove it"),
    ("tcp://host\u{7}:1", "remove it"),
    ("tcp://host:1?a=1&a=2", "keep one of them"),
    ("tcp://%ff", "percent-encode the bytes of UTF-8 text"),
    ("TCP://host:1", "write tcp://"),
    ("Quic://host:1", "write quic://"),
    ("://host:1", "begins with a lower-case letter"),
    ("9p://host:1", "begins with a lower-case letter"),
    ("+tcp://host:1", "begins with a lower-case letter"),
    (" tcp://host:1", "begins with a lower-case letter"),
    ("my_carrier://host:1", "goes on with lower-case letters, digits, '+', '-' or '.'"),
    ("my carrier://host:1", "goes on with lower-case letters, digits, '+', '-' or '.'"),
    ("träger://host:1", "goes on with lower-case letters, digits, '+', '-' or '.'"),
    ("tcp://my host:1", "write a space as %20"),
    ("unix:///run/my app.sock", "write a space as %20"),
    ("unix:///a?mode=06 60", "write a space as %20"),
    ("unix:///run/100%.sock", "write it as %25"),
    ("tcp://[fe80::1%eth0]:1", "write it as %25"),
    ("unix:///a?mode=%", "write it as %25"),
    ("unix:///a?mode=%0", "write it as %25"),
    ("tcp://host:1?", "write key=value, joined by '&'"),
    ("tcp://host:1?nodelay", "write key=value, joined by '&'"),
    ("tcp://host:1?a=1&", "write key=value, joined by '&'"),
    ("tcp://host:1?a=1&&b=2", "write key=value, joined by '&'"),
    ("tcp://host:1?=1", "names consist of lower-case letters"),
    ("tcp://host:1?NoDelay=1", "names consist of lower-case letters"),
    ("tcp://host:1?no delay=1", "names consist of lower-case letters"),
    ("tcp://host:1?a%62=1", "names consist of lower-case letters"),
];

const NO_HOST_AND_PORT: &[Row] = &[
    ("tcp://", "write tcp://host:port"),
    ("tcp://host", "write tcp://host:PORT"),
    ("udp://127.0.0.1", "write udp://127.0.0.1:PORT"),
    ("tcp://:7946", "0.0.0.0 or [::] listens on all interfaces"),
    ("tcp://::1", "write tcp://[…]:PORT"),
    ("udp://::1:7946", "write udp://[…]:PORT"),
    ("tcp://fe80::1%252:7946", "write tcp://[…]:PORT"),
    ("tcp://host:", "number from 0 to 65535"),
    ("tcp://host:http", "number from 0 to 65535"),
    ("tcp://host:65536", "number from 0 to 65535"),
    ("tcp://host:-1", "number from 0 to 65535"),
    ("tcp://host:+1", "number from 0 to 65535"),
    ("tcp://host:1/path", "number from 0 to 65535"),
    ("tcp://host:1#fragment", "number from 0 to 65535"),
    ("tcp://me@host:1", "names consist of ASCII letters, digits, '-', '_' and '.'"),
    ("tcp:///host:1", "one slash too many"),
    ("tcp://*:7946", "0.0.0.0 or [::] listens on all interfaces"),
    ("tcp://größe:1", "in their xn-- form"),
    ("tcp://0x7f.1:1", "neither an IPv4 address nor a name"),
    ("tcp://a..b:1", "neither an IPv4 address nor a name"),
    ("tcp://-:1", "neither an IPv4 address nor a name"),
    ("tcp://[::1]", "write tcp://[::1]:PORT"),
    ("tcp://[::1]7946", "write tcp://[::1]:PORT"),
    ("tcp://[::1:7946", "write tcp://[…]:PORT"),
    ("tcp://[::1]:http", "number from 0 to 65535"),
    ("tcp://[host]:1", "brackets are for IPv6 only"),
    ("tcp://[127.0.0.1]:1", "brackets are for IPv6 only"),
    ("tcp://[]:1", "brackets are for IPv6 only"),
    ("tcp://[fe80::1%25eth0]:1", "as in [fe80::1%252]"),
    ("tcp://u:p@h:1", "write tcp://host:port"),
    ("tcp://h:1:2", "write tcp://host:port"),
    ("tcp://ho\u{202e}st:1", "in their xn-- form"),
    ("tcp://a,b:1", "names consist of ASCII letters, digits, '-', '_' and '.'"),
    ("tcp://127.1:7946", "neither an IPv4 address nor a name"),
    ("tcp://256.0.0.1:7946", "neither an IPv4 address nor a name"),
    ("tcp://1.2.3.4.5:7946", "neither an IPv4 address nor a name"),
];

/// `parse` refuses `text`, in one line that is safe to log and holds `way_out`.
fn check(text: &str, way_out: &str, parse: impl Fn(&str) -> Result<(), Error>) {
    let error = parse(text).expect_err(text);
    assert!(matches!(error, Error::Address { .. }) && !error.is_retryable(), "{error:?}");
    let message = error.to_string();
    assert!(message.starts_with("address '") && message.contains(way_out), "{message}");
    assert!(!message.contains(char::is_control) && message.len() < 300, "{message}");
}

#[test]
fn what_is_no_address_leads_to_one() {
    for (text, way_out) in NO_ADDRESS {
        check(text, way_out, |text| text.parse::<Addr>().map(drop));
    }
}

#[test]
fn what_is_no_host_and_port_leads_to_one() {
    for (text, way_out) in NO_HOST_AND_PORT {
        let addr: Addr = text.parse().expect("it is an address of some transport");
        check(text, way_out, |_| HostPort::parse(&addr).map(drop));
        check(text, way_out, |_| HostPort::parse_to_dial(&addr).map(drop));
    }
}

#[test]
fn the_limit_is_named_and_the_text_is_not_repeated_whole() {
    let encoded = format!("mem://{}", "ß".repeat(Addr::MAX_LEN / 2 - 6));
    for text in ["tcp://".to_owned() + &"x".repeat(1 << 20), encoded] {
        check(&text, "the limit is 1024", |text| text.parse::<Addr>().map(drop));
    }
}

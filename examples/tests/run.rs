//! Each example runs, and says what its page and the README say.

use std::process::{Command, Output};

fn hello(addr: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hello")).arg(addr).output().expect("the example starts")
}

fn check(scheme: &str, addr: &str) {
    let output = hello(addr);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{err}");
    let greeting = r#" received [b"hello", b"world"] from "#;
    let (local, remote) = out.trim_end().split_once(greeting).unwrap_or_else(|| panic!("{out}"));
    assert!(local.starts_with(scheme) && remote.starts_with(scheme), "{out}");
}

#[cfg(feature = "mem")]
#[test]
fn hello_over_mem() {
    check("mem://", "mem://hello");
}

#[cfg(feature = "tcp")]
#[test]
fn hello_over_tcp() {
    check("tcp://", "tcp://127.0.0.1:0");
}

#[cfg(feature = "udp")]
#[test]
fn hello_over_udp() {
    check("udp://", "udp://127.0.0.1:0");
}

#[test]
fn the_readme_shows_this_program() {
    let (readme, program) = (include_str!("../../README.md"), include_str!("../src/bin/hello.rs"));
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown: Vec<&str> = shown.unwrap_or_default().lines().map(str::trim).collect();
    let lines: Vec<&str> = program.lines().map(str::trim).collect();
    assert!(
        10 < shown.len() && lines.windows(shown.len()).any(|window| window == shown),
        "{shown:?}"
    );
}

#[test]
fn hello_over_something_unknown() {
    let output = hello("carrier-pigeon://roof");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.starts_with("no transport 'carrier-pigeon'; linked: "), "{err}");
}

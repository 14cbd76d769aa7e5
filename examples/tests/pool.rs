//! The example `pool` runs over any stream, and says what its page says.

use std::process::{Command, Output};

fn pool(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pool")).args(args).output().expect("the example starts")
}

/// How many of a hundred checkouts needed no dial, and how often somebody waited in vain.
fn check(args: &[&str]) -> (f64, u32) {
    let output = pool(args);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{err}");
    let (answered, numbers) = out.trim_end().split_once('\n').unwrap_or_else(|| panic!("{out}"));
    assert!(answered.starts_with("100 clients had 10000 questions answered by "), "{out}");
    let numbers = numbers.split_once(" of one that was there: ").map(|(_, numbers)| numbers);
    let (rate, lost) = numbers.and_then(|rest| rest.split_once(" % reuse; ")).expect("numbers");
    let lost = lost.strip_suffix(" waits in vain").and_then(|lost| lost.parse().ok());
    (rate.parse().expect("a rate"), lost.expect("a number"))
}

fn check_reuse(addr: &str) {
    let (rate, lost) = check(&[addr]);
    assert!(95.0 < rate && lost == 0, "{addr}: {rate} %, {lost}");
}

#[cfg(feature = "tcp")]
#[test]
fn conns_are_reused_over_tcp() {
    check_reuse("tcp://127.0.0.1:0");
}

#[cfg(feature = "quic")]
#[test]
fn conns_are_reused_over_quic() {
    check_reuse("quic://127.0.0.1:0");
}

#[cfg(feature = "mem")]
#[test]
fn what_is_lost_is_asked_again() {
    let (rate, lost) = check(&["mem://echo", "--drop", "1", "--delay", "1ms"]);
    assert!(90.0 < rate && 0 < lost, "{rate} %, {lost}");
}

#[cfg(feature = "udp")]
#[test]
fn datagrams_are_refused() {
    let output = pool(&["udp://127.0.0.1:0"]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.stdout.is_empty() && err.contains("carries datagrams"), "{err}");
    assert_eq!(output.status.code(), Some(1));
}

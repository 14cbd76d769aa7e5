//! The examples about topics, and a client of a broker in another language.
#![cfg(all(feature = "mem", feature = "quic", feature = "tcp", feature = "tls"))]

use std::process::{Command, Output};

fn run(program: &str, args: &[&str]) -> Output {
    Command::new(program).args(args).output().expect("the example starts")
}

fn said(output: &Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.is_empty(), "{err}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const ADDRS: [&[&str]; 5] = [
    &["tcp://127.0.0.1:0"],
    &["mem://broker"],
    &["tls://127.0.0.1:0"],
    &["quic://127.0.0.1:0"],
    &["tcp://127.0.0.1:0", "--delay", "2ms"],
];

#[test]
fn a_late_subscriber_is_shown_a_gap() {
    for args in ADDRS {
        let out = said(&run(env!("CARGO_BIN_EXE_topics"), args));
        assert!(out.contains("message 1 was queued for 2 subscribers"), "{out}");
        let slow = out.split("the slow one begins:").nth(1).expect("it begins");
        assert!(slow.contains("are missing: they were dropped"), "{out}");
        let last: Vec<String> = (16..=20).map(|seq| format!("  {seq}: headline {seq}")).collect();
        assert!(slow.contains(&last.join("\n")), "{out}");
        assert!(out.trim_end().ends_with("the publisher leaves 0 unsent, 0 uncertain"), "{out}");
    }
}

#[test]
fn a_dead_workers_job_is_done_by_another() {
    for args in ADDRS {
        let out = said(&run(env!("CARGO_BIN_EXE_work-queue"), args));
        assert!(out.contains("a worker takes job 1, and dies"), "{out}");
        assert!(out.contains(" did job 1, which was taken before"), "{out}");
        assert!(out.trim_end().ends_with("all 10 jobs are done"), "{out}");
    }
}

#[test]
fn a_stream_that_loses_messages_is_refused() {
    for program in [env!("CARGO_BIN_EXE_topics"), env!("CARGO_BIN_EXE_work-queue")] {
        let output = run(program, &["--drop", "10"]);
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(err.contains("a broker's stream loses nothing"), "{err}");
    }
}

#[cfg(all(unix, feature = "unix"))]
mod python {
    use std::{
        io::{BufRead, BufReader, Read},
        process::{Child, Command, Stdio},
        sync::Arc,
        time::Duration,
    };

    use rumormill::broker::{Broker, Config, Routing, Topic};

    const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/broker_client.py");

    fn has_python() -> bool {
        let is_there = Command::new("python3").arg("--version").output().is_ok();
        if !is_there {
            eprintln!("skipped: there is no python3");
        }
        is_there
    }

    fn client(args: &[&str]) -> Child {
        let mut command = Command::new("python3");
        command.arg(CLIENT).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("python3 starts")
    }

    /// What it prints, to its end.
    fn output(child: Child) -> String {
        let output = child.wait_with_output().expect("it ends");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{err}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn check(addr: &str, topic: &str) {
        let mut subscriber = client(&[addr, "sub", topic, "3"]);
        let mut err = BufReader::new(subscriber.stderr.take().expect("it is piped"));
        let mut line = String::new();
        err.read_line(&mut line).expect("a line");
        assert_eq!(line.trim_end(), format!("subscribed to {topic}"));
        let published = output(client(&[addr, "pub", topic, "one", "", "three"]));
        assert_eq!(published, "1\n2\n3\n");
        assert_eq!(output(subscriber), "one\n\nthree\n");
        let mut rest = String::new();
        err.read_to_string(&mut rest).expect("text");
        assert_eq!(rest, "");
    }

    fn check_refused(addr: &str) {
        let output = client(&[addr, "pub", "unknown", "x"]).wait_with_output().expect("it ends");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && err.contains("refused: unknown topic unknown"),
            "{err}"
        );
    }

    #[tokio::test]
    async fn a_client_in_python_publishes_and_subscribes() {
        if !has_python() {
            return;
        }
        let topic = |routing| Topic { routing, ..Topic::default() };
        let topics = [("fan", Routing::Fanout), ("queue", Routing::Queue)];
        let topics = topics.map(|(name, routing)| (name.parse().unwrap(), topic(routing)));
        let registry = Arc::new(rumormill::registry().unwrap());
        let folder = tempfile::tempdir().unwrap();
        for addr in ["tcp://127.0.0.1:0".into(), format!("unix://{}/b", folder.path().display())] {
            let config = Config { topics: topics.clone().into(), ..Config::default() };
            let broker = Broker::start(Arc::clone(&registry), None, config).unwrap();
            let addr = broker.listen(&addr.parse().unwrap()).await.unwrap().to_string();
            let checks = tokio::task::spawn_blocking(move || {
                check(&addr, "fan");
                check(&addr, "queue");
                check_refused(&addr);
            });
            checks.await.unwrap();
            let queued = broker.stats().topics["queue"].queued.messages;
            assert_eq!(queued, 0, "all is settled");
            let report = broker.stop(Duration::from_secs(5)).await;
            drop(report);
        }
    }
}

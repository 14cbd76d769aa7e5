//! A broker's configuration is what its file says, and each mistake is told with its line.

use std::fs;

use rumormill_broker::{Access, Policy, Principal, Routing, Topic, TopicName};

use super::*;
use crate::config::{Change, Error, Setting, Sources, key, topic};

/// What issues and users have; it loads as it is.
const GIVEN: &str = include_str!("tests/given.toml");
/// Each key with a value that is not its default.
const VALUES: &str = include_str!("tests/values.txt");
/// Files with a mistake each, and what is said of it.
const WRONG: &str = include_str!("tests/wrong.txt");

fn registry() -> Registry {
    crate::registry().expect("transports")
}

fn load(text: &str) -> Result<Loaded, Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("broker.toml");
    fs::write(&file, text).expect("a file");
    Sources { file: Some(file), ..Sources::default() }.load_broker(&registry())
}

fn loaded(text: &str) -> Loaded {
    load(text).unwrap_or_else(|error| panic!("{error}\nof {text}"))
}

fn name(text: &str) -> TopicName {
    text.parse().expect("a name")
}

/// Whether the build has what these files name.
fn has_carriers() -> bool {
    ["mem", "quic", "tcp", "tls", "udp", "unix"].iter().all(|scheme| registry().contains(scheme))
}

#[test]
fn the_file_of_the_requirement_means_what_it_says() {
    if !has_carriers() {
        return;
    }
    let Loaded { config, .. } = loaded(GIVEN);
    let addrs = config.addresses().expect("addresses");
    let addrs: Vec<_> = addrs.iter().map(Addr::to_string).collect();
    assert_eq!(addrs, ["tcp://127.0.0.1:8080", "unix:///tmp/message_broker.sock"]);
    let limits = config.broker.limits;
    assert_eq!((limits.max_conns, limits.idle), (1_000, Duration::from_secs(30)));
    assert_eq!((limits.channel_capacity, limits.batch_size), (10_000, 100));
    assert_eq!(limits.flush_interval, Duration::from_millis(10));
    assert_eq!(config.worker_threads, Some(4));
    let events = Topic {
        routing: Routing::Fanout,
        max_messages: 10_000,
        max_message_size: 65_536,
        ..Topic::default()
    };
    let tasks = Topic { routing: Routing::Queue, max_messages: 1_000, ..Topic::default() };
    let topics = [(name("events"), events), (name("tasks"), tasks)];
    assert_eq!(config.broker.topics, topics.into());
}

#[test]
fn what_follows_from_what_is_said() {
    let text = |more: &str| format!("[[topics]]\nname = 'a'\nmax_message_size = '32MiB'\n{more}");
    let Loaded { config, .. } = loaded(&text(""));
    assert_eq!(config.broker.topics[&name("a")].max_bytes, 32 << 20);
    assert_eq!(config.broker.limits.publish_window, 32 << 20);
    let Loaded { config, .. } = loaded(&text("buffer_bytes = '1GiB'"));
    assert_eq!(config.broker.topics[&name("a")].max_bytes, 1 << 30);
    assert_eq!(config.addresses().unwrap(), [DEFAULT_ADDRESS.parse().unwrap()]);
}

#[test]
fn topics_come_from_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    fs::write(&file, "[[topics]]\nname = 'a'\n[[topics]]\nname = 'b'\n").unwrap();
    let variable = |name: &str, text: &str| (name.into(), text.into());
    let sources = Sources {
        file: Some(file),
        environment: vec![
            variable("RUMORMILL__TOPICS__1__POLICY", "Block"),
            variable("RUMORMILL__TOPICS__2__NAME", "c"),
            variable("RUMORMILL__TOPICS__2__PUBLISH", "uid:7,gid:8,name:it"),
        ],
        flags: vec!["topics=d:queue,e".into(), "topics[0].buffer_size=7".into()],
    };
    let loaded = sources.load_broker(&registry()).unwrap_or_else(|error| panic!("{error}"));
    let topics = &loaded.config.broker.topics;
    assert!(topics.keys().map(TopicName::as_str).eq(["a", "b", "c", "d", "e"]));
    assert_eq!(topics[&name("a")].max_messages, 7);
    assert_eq!(topics[&name("b")].policy, Policy::Block);
    let only = vec![Principal::Uid(7), Principal::Gid(8), Principal::Name("it".into())];
    assert_eq!(topics[&name("c")].publish, Access::Only(only));
    assert_eq!(topics[&name("d")].routing, Routing::Queue);
    let origin = |key: &str| {
        let settings = loaded.settings();
        settings.into_iter().find(|it| &*it.key == key).map(|it| it.origin.to_string())
    };
    assert_eq!(origin("topics[1].policy").as_deref(), Some("RUMORMILL__TOPICS__1__POLICY"));
    assert_eq!(origin("topics[3].routing").as_deref(), Some("--set"));
    assert_eq!(origin("topics[4].routing").as_deref(), Some("default"));
}

#[test]
fn every_key_can_be_set_by_file_environment_and_flag() {
    if !has_carriers() {
        return;
    }
    let rows: Vec<_> = VALUES.lines().filter_map(|line| line.split_once(" = ")).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    rumormill_identity::SecretKey::generate().save(path("key")).unwrap();
    rumormill_identity::SecretKey::generate().save(path("token")).unwrap();
    fs::write(path("token"), "0123456789abcdef").unwrap();
    let of_topics = topic::KEYS.iter().map(|key| format!("topics[1].{}", key.path));
    for key in key::all::<Draft>().map(|key| key.path.to_owned()).chain(of_topics) {
        let row = rows.iter().find(|(path, _)| *path == key);
        let (_, row) = row.unwrap_or_else(|| panic!("tests/values.txt lacks {key}"));
        let (value, with) = row.split_once(" | ").unwrap_or((row, ""));
        let [value, with] = [value, with].map(|it| it.replace("FOLDER", &path("")));
        let plain = value.trim_matches('"').to_owned();
        let variable = key.replace(['[', '.'], "__").replace(']', "").to_uppercase();
        let (environment, flag) = (format!("RUMORMILL__{variable}"), format!("{key}={plain}"));
        let with = with.replace("; ", "\n");
        for source in ["file", "environment", "flag"] {
            let set = match (source, key.strip_prefix("topics[1].")) {
                ("file", Some(name)) => format!("{name} = {value}\n"),
                _ => String::new(),
            };
            let top = match (source, set.is_empty()) {
                ("file", true) => format!("{key} = {value}\n"),
                _ => String::new(),
            };
            // What is named here is named otherwise there.
            let named =
                if key == "topics[1].name" && source == "file" { "" } else { "name = 'b'\n" };
            let (above, below) = with.split_once("TOPIC ").unwrap_or((&with, ""));
            let text =
                format!("{top}{above}\n[[topics]]\nname = 'a'\n[[topics]]\n{named}{set}{below}\n");
            fs::write(path("broker.toml"), &text).unwrap();
            let sources = Sources {
                file: Some(path("broker.toml").into()),
                environment: match source {
                    "environment" => vec![(environment.clone().into(), plain.clone().into())],
                    _ => Vec::new(),
                },
                flags: if source == "flag" { vec![flag.clone()] } else { Vec::new() },
            };
            let loaded = sources.load_broker(&registry());
            let loaded = loaded.unwrap_or_else(|it| panic!("{key} by {source}: {it}\n{text}"));
            let settings = loaded.settings();
            let setting = settings.iter().find(|it| *it.key == *key).expect("it is set");
            assert_eq!(setting.value.to_string(), value, "{key} by {source}");
            assert_ne!(setting.origin.to_string(), "default", "{key} by {source}");
        }
    }
}

#[test]
fn each_mistake_is_told_with_its_line() {
    if !has_carriers() {
        return;
    }
    let mut cases = 0;
    for case in WRONG.split("\n---\n") {
        let is_said = |line: &&str| line.starts_with("! ");
        let text: Vec<_> = case.lines().filter(|line| !is_said(line)).collect();
        let expected: Vec<_> = case.lines().filter_map(|line| line.strip_prefix("! ")).collect();
        let error = load(&text.join("\n")).expect_err(case).to_string();
        let told: Vec<_> = error.lines().map(without_folder).collect();
        assert_eq!(told, expected, "{case}");
        cases += 1;
    }
    assert!(30 < cases, "{cases}");
}

/// A line without the path of the file, whose folder is another one each time.
fn without_folder(line: &str) -> String {
    let words = line.split(' ');
    let words = words.map(|word| word.split_once("broker.toml:").map_or(word, |(_, rest)| rest));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_printed_can_be_read_again() {
    if !has_carriers() {
        return;
    }
    let first = loaded(GIVEN);
    let (mut printed, mut last) = (String::new(), "");
    let settings = first.settings();
    for Setting { key, value, .. } in &settings {
        match key.split_once("].") {
            Some((topic, name)) => {
                let head = if topic == last { "" } else { "[[topics]]\n" };
                last = topic;
                printed += &format!("{head}{name} = {value}\n");
            }
            None => printed += &format!("{key} = {value}\n"),
        }
    }
    assert_eq!(loaded(&printed).config, first.config);
    let again = Loaded::of(first.config.clone(), &registry()).unwrap();
    assert_eq!(again.config, first.config);
}

#[test]
fn the_sample_loads_as_it_is_and_with_all_of_it() {
    let text = sample();
    let mut expected = Config::default();
    expected.broker.topics.insert(name("events"), Topic::default());
    assert_eq!(loaded(&text).config, expected);
    let uncommented = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_alphabetic()) => rest,
        _ => line,
    });
    let uncommented: Vec<_> = uncommented.collect();
    assert_eq!(loaded(&uncommented.join("\n")).config, expected);
}

#[test]
fn a_reload_goes_by_the_names_of_topics() {
    let old = loaded("[[topics]]\nname = 'a'\n[[topics]]\nname = 'b'\n").config;
    let new = "[[topics]]\nname = 'c'\nrouting = 'queue'\n[[topics]]\nname = 'b'\nbuffer_size = 7\n\
               [server]\nmax_connections = 5";
    let change = Change::between_brokers(&old, &loaded(new).config);
    let told: Vec<_> = change
        .live
        .iter()
        .map(|it| {
            let [from, to] = [&it.from, &it.to]
                .map(|it| it.as_ref().map_or_else(|| "-".into(), ToString::to_string));
            format!("{} {from} {to}", it.key)
        })
        .collect();
    let expected = [
        "server.max_connections 1000 5",
        "topics.a \"fanout\" -",
        "topics.b.buffer_size 65536 7",
        "topics.c - \"queue\"",
    ];
    assert_eq!(told, expected);
    assert!(change.restart.is_empty());
    let new = loaded("[[topics]]\nname = 'a'\nrouting = 'queue'\n[[topics]]\nname = 'b'").config;
    let refused = Change::between_brokers(&old, &new).into_live().unwrap_err().to_string();
    assert_eq!(refused, "nothing was changed: topics.a.routing can change only with a restart");
}

#[test]
fn files_of_brokers_are_told_from_those_of_nodes() {
    let is_of_broker = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it.toml");
        fs::write(&file, text).unwrap();
        Sources { file: Some(file), ..Sources::default() }.is_of_broker()
    };
    assert!(is_of_broker(GIVEN) && is_of_broker(&sample()));
    assert!(is_of_broker("[[topics]]\nname = 'a'\n[log]\nlevel = 'off'"));
    assert!(!is_of_broker("[[topics]]\nname = 'a'\n[broker]\nlisten = []"));
    assert!(!is_of_broker("[node]\ncluster = 'c'") && !is_of_broker(""));
}

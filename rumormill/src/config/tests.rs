//! Sources become a configuration, and each value remembers where it comes from.

use std::{fmt::Debug, fs};

use super::*;
use crate::config::draft::Draft;

/// What a file with this text yields.
pub(super) fn load(text: &str) -> Result<Loaded, Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("node.toml");
    fs::write(&file, text).expect("a file");
    Sources { file: Some(file), ..Sources::default() }.load(&registry())
}

fn registry() -> Registry {
    crate::registry().expect("transports")
}

fn base() -> Config {
    Config::new("c", Admission::Open)
}

/// A configuration as `config print` shows it.
fn printed(loaded: &Loaded) -> String {
    let line = |it: &Setting| format!("{} = {}  # {}\n", it.key, it.value, it.origin);
    loaded.settings().iter().map(line).collect()
}

#[test]
fn what_is_printed_can_be_read_again() {
    let text = r#"
        advertise = ["udp://192.0.2.1:7946"]
        listen = ["udp://0.0.0.0:7946?recv_buffer=2MiB", "mem://it's%20a%20\"name\""]
        node.identity = "FOLDER/key"
        admission.nodes = ["node1af9xcclzn3fq40h42pa3xtk9lx25wa4wh6l8hyjzrm4xj9zx6gkqauwzv3"]
        gossip = { heal_interval = "off", packet = 0x500, suspicion_mult = 5 }
        node.cluster = "a\\b\"c \u202e é"
        node.metadata = "{\n}"
        node.preset = "wan"
        [reach]
        schemes = ["udp", "mem"]
        denied = []
        [transports.mem]
        backlog = 7
        delivery = "datagram"
    "#;
    // Where the transports are not in the build, the same without them.
    let text = match registry().contains("udp") && registry().contains("mem") {
        true => text,
        false => "node.cluster = 'c'\nadmission = 'open'\ngossip.packet = 0x500",
    };
    let folder = KeyFiles::new();
    let first = load(&folder.named(text)).unwrap_or_else(|error| panic!("{error}"));
    let again = load(&printed(&first)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(first.config, again.config);
    assert_eq!(first.config.gossip.packet, 1280);
}

#[test]
fn every_key_can_be_set_by_file_environment_and_flag() {
    let folder = KeyFiles::new();
    let rows: Vec<_> = VALUES.lines().filter_map(|line| line.split_once(" = ")).collect();
    for key in key::all::<Draft>() {
        let row = rows.iter().find(|(path, _)| *path == key.path);
        let (_, row) = row.unwrap_or_else(|| panic!("tests/values.txt lacks {}", key.path));
        if row.contains("mem") && !registry().contains("mem") {
            continue;
        }
        let row = folder.named(row);
        let (value, with) = row.split_once(" | ").expect("a row has two columns");
        for source in ["file", "environment", "flag"] {
            check(&folder, key.path, value, &with.replace(" | ", "\n"), source);
        }
    }
}

fn check(folder: &KeyFiles, key: &str, value: &str, with: &str, source: &str) {
    let plain = value.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(value);
    let (file, environment, flags, origin);
    let name = format!("RUMORMILL__{}", key.replace('.', "__").to_uppercase());
    match source {
        "file" => {
            file = format!("{key} = {value}\n{with}\n");
            (environment, flags) = (Vec::new(), Vec::new());
            origin = format!("{}:1", folder.path("node.toml"));
        }
        "environment" => {
            file = with.into();
            (environment, flags) = (vec![(name.clone().into(), plain.into())], Vec::new());
            origin = name;
        }
        _ => {
            file = with.into();
            (environment, flags) = (Vec::new(), vec![format!("{key}={plain}")]);
            origin = "--set".into();
        }
    }
    fs::write(folder.path("node.toml"), &file).expect("a file");
    let sources = Sources { file: Some(folder.path("node.toml").into()), environment, flags };
    let loaded = sources.load(&registry()).unwrap_or_else(|it| panic!("{key} by {source}: {it}"));
    let settings = loaded.settings();
    let setting = settings.iter().find(|it| &*it.key == key).expect("it is set");
    assert_eq!((setting.value.to_string(), setting.origin.to_string()), (value.into(), origin));
    // It is another configuration now, and that is all that is different.
    let default = key::find(key).and_then(|key| key.slot.show(&mut Draft::new(Preset::Lan)));
    assert_ne!(default.map(|it| it.to_string()), Some(value.into()), "{key} has its default");
}

/// Files that keys name.
struct KeyFiles(tempfile::TempDir);

impl KeyFiles {
    fn new() -> Self {
        use rumormill_endpoint::{Revocations, Ticket, seal::Cluster};
        use rumormill_identity::SecretKey;

        let (files, cluster) = (Self(tempfile::tempdir().expect("a folder")), Cluster::named("c"));
        let alice = SecretKey::from_bytes(&[7; 32]);
        let node = alice.node();
        alice.save(files.path("key")).expect("a key");
        // Only its owner can read what was a key.
        SecretKey::generate().save(files.path("token")).expect("a file");
        fs::write(files.path("token"), "0123456789abcdef").expect("a token");
        let ticket = Ticket { node, name: "a".into(), not_after: u64::MAX, serial: 1 };
        fs::write(files.path("ticket"), ticket.sign(&cluster, &alice)).expect("a ticket");
        let list = Revocations { issuer: node, version: 1, serials: [2].into() };
        fs::write(files.path("list"), list.sign(&cluster, &alice)).expect("a list");
        files
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("a path in UTF-8").into()
    }

    fn named(&self, text: &str) -> String {
        let text = text.replace("OPEN", "node.cluster = \"c\"\nadmission = \"open\"");
        let text = text.replace("FOLDER", self.0.path().to_str().expect("a path in UTF-8"));
        text.replace("ALICE", "node1af9xcclzn3fq40h42pa3xtk9lx25wa4wh6l8hyjzrm4xj9zx6gkqauwzv3")
    }
}

/// Each key with a value that is not its default, and behind it what else has to be set then.
const VALUES: &str = include_str!("tests/values.txt");

#[test]
fn flags_override_the_environment_and_that_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("node.toml");
    fs::write(&file, "node.cluster = 'c'\nadmission = 'open'\ngossip.packet = 1001")
        .expect("a file");
    let mut sources = Sources { file: Some(file), ..Sources::default() };
    let check = |sources: &Sources, packet: usize| {
        assert_eq!(sources.load(&registry()).unwrap().config.gossip.packet, packet);
    };
    check(&sources, 1001);
    sources.environment = vec![("RUMORMILL__GOSSIP__PACKET".into(), "1002".into())];
    check(&sources, 1002);
    sources.flags = vec!["gossip.packet=1003".into()];
    check(&sources, 1003);
}

#[test]
fn a_preset_of_any_source_gives_way_to_any_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("node.toml");
    fs::write(&file, "node.cluster = 'c'\nadmission = 'open'\ngossip.probe_timeout = '1s'")
        .unwrap();
    let flags = vec!["node.preset=satellite".into()];
    let sources = Sources { file: Some(file), flags, ..Sources::default() };
    let loaded = sources.load(&registry()).unwrap();
    let mut expected = Config::preset("c", Admission::Open, Preset::Satellite);
    expected.gossip.probe_timeout = Duration::from_secs(1);
    assert_eq!(loaded.config, expected);
    let origin = |key: &str| {
        let settings = loaded.settings();
        settings.into_iter().find(|it| &*it.key == key).map(|it| it.origin)
    };
    assert_eq!(origin("gossip.probe_interval"), Some(Origin::Preset(Preset::Satellite)));
    assert_eq!(origin("endpoint.timeouts.dial"), Some(Origin::Preset(Preset::Satellite)));
    assert_eq!(origin("gossip.packet"), Some(Origin::Default));
    assert_eq!(origin("node.preset"), Some(Origin::Flag));
}

#[test]
fn the_endpoint_is_told_what_the_configuration_says() {
    let loaded = load("node.cluster = 'c'\nadmission = 'open'").unwrap();
    let ours = loaded.config.endpoint(&loaded.files);
    let theirs = endpoint::Config::new("c", endpoint::Admission::Open);
    assert_eq!(shown(&ours), shown(&endpoint::Config { clock: ours.clock, ..theirs }));

    let folder = KeyFiles::new();
    let with = "node.cluster = 'c'\nnode.identity = 'FOLDER/key'\nnode.ticket = 'FOLDER/ticket'\n\
                admission.issuers = ['ALICE']\nadmission.revocations = ['FOLDER/list']\n\
                endpoint.max_conns = 7\nendpoint.retry.jitter = 'none'\nreach.names = true";
    let Loaded { config, files, .. } = load(&folder.named(with)).unwrap();
    let told = config.endpoint(&files);
    assert_eq!((told.max_conns, told.retry.jitter), (7, endpoint::Jitter::None));
    assert!(told.reach.names && !told.ticket.is_empty());
    let admitted = told.admission.admit(
        &endpoint::seal::Cluster::named("c"),
        files.key.node(),
        &told.ticket,
        1_000_000_000,
    );
    assert_eq!(admitted.map(|ticket| ticket.map(|ticket| ticket.serial)), Ok(Some(1)));
}

fn shown(it: &impl Debug) -> String {
    format!("{it:?}")
}

#[test]
fn transports_are_told_their_options() {
    let registry = registry();
    if !registry.contains("mem") {
        return;
    }
    let mut config = base();
    config.transports.insert("mem".into(), [("backlog", "none")].into_iter().collect());
    config.configure(&registry).expect("nothing is built yet");
    let refused = registry.transport("mem").expect_err("that is no number").to_string();
    assert!(refused.starts_with("option 'backlog' is 'none'"), "{refused}");
}

#[test]
fn a_reload_is_live_or_needs_a_restart() {
    let old = base();
    assert!(Change::between(&old, &old).is_empty());
    let mut new = base();
    new.node.name = "a".into();
    new.admission = Admission::Nodes([NodeId([1; 32])].into());
    let change = Change::between(&old, &new);
    let keys = |all: &[Difference]| all.iter().map(|it| it.key.to_string()).collect::<Vec<_>>();
    assert_eq!(keys(&change.live), ["admission", "node.name", "admission.nodes"]);
    assert_eq!(change.into_live().map(|live| live.len()), Ok(3));

    new.gossip.packet = 1000;
    let options = [("nodelay", "false")].into_iter().collect();
    new.transports.insert("tcp".into(), options);
    let change = Change::between(&old, &new);
    let refused = change.into_live().unwrap_err().to_string();
    let expected = "nothing was changed: gossip.packet, transports.tcp.nodelay can change only \
                    with a restart";
    assert_eq!(refused, expected);
}

#[test]
fn whatever_a_file_holds_it_is_refused_within_bounds() {
    let sample = sample("c", Preset::Lan);
    let mut state = 7_u64;
    let mut draw = |below: usize| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below as u64).expect("a small number")
    };
    for _ in 0..200 {
        let mut bytes: Vec<u8> = sample.bytes().collect();
        for _ in 0..=draw(4) {
            let at = draw(bytes.len());
            match draw(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, b"\"[]{}=.#,\n0\\"[draw(12)]),
                2 => bytes.retain(|byte| *byte != b'#'),
                _ => bytes.splice(at..at, sample.bytes().skip(draw(2000)).take(40)).for_each(drop),
            }
            bytes.push(b'\n');
        }
        if let Err(error) = load(&String::from_utf8_lossy(&bytes)) {
            assert!(!error.problems.is_empty() && error.to_string().len() < 100_000, "{error}");
            assert!(error.problems.iter().all(|it| !it.to_string().contains(char::is_control)));
        }
    }
}

#[test]
fn floods_of_mistakes_are_counted() {
    let distinct = |line: fn(usize) -> String| (0..20_000).map(line).collect::<String>();
    for (text, least) in [
        (distinct(|at| format!("gossip.k{at} = 1\n")), 19_900),
        (distinct(|_| "gossip.packet = 1\n".into()), 19_900),
        (distinct(|at| format!("transports.mem.k{at} = 1\n")), 1),
        (format!("listen = [{}]", "\"a\", ".repeat(20_000)), 0),
        (format!("admission.nodes = [{}]", "\"a\", ".repeat(16_000)), 16_000),
    ] {
        let error = load(&text).unwrap_err();
        assert!(
            least <= error.problems.len() + error.more,
            "{} {}",
            error.problems.len(),
            error.more
        );
        assert!(error.problems.len() <= 100 && error.to_string().len() < 50_000);
    }
    let deep = format!("{}a = 1", "a.".repeat(100_000));
    assert!(load(&deep).unwrap_err().to_string().ends_with("recursion limit"));
}

//! What `deploy/` holds: a unit that systemd takes, and a manifest whose parts fit together.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::{keys::Key, running::run};

const UNIT: &str = include_str!("../../../deploy/rumormill.service");
const BROKER: &str = include_str!("../../../deploy/rumormill-broker.service");
const MANIFEST: &str = include_str!("../../../deploy/kubernetes.yaml");

/// What a tool says, if this machine has it.
fn tool(command: &mut Command) -> Option<(bool, String)> {
    match command.output() {
        Ok(output) => {
            let told = [output.stdout, output.stderr].concat();
            Some((output.status.success(), String::from_utf8_lossy(&told).into_owned()))
        }
        Err(error) => {
            eprintln!("left out: {:?} cannot be run: {error}", command.get_program());
            None
        }
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Values of a setting, in order.
fn of_unit(key: &str) -> Vec<&str> {
    UNIT.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn systemd_takes_the_units() {
    check_unit(UNIT);
    check_unit(BROKER);
}

fn check_unit(unit: &str) {
    let version = tool(Command::new("systemd-analyze").arg("--version"));
    let Some((true, version)) = version else { return };
    let version = version.split_whitespace().nth(1).and_then(|it| it.parse::<u32>().ok());
    let folder = folder();
    let file = folder.path().join("rumormill.service");
    let mut unit = unit.replace("/usr/local/bin/rumormill", env!("CARGO_BIN_EXE_rumormill"));
    // As the unit says of itself.
    if version.is_none_or(|version| version < 253) {
        unit = unit.replace("\nType=notify-reload\n", "\nType=notify\n");
    }
    fs::write(&file, unit).expect("a file");
    let verified = tool(Command::new("systemd-analyze").arg("verify").arg(&file));
    let (is_valid, told) = verified.expect("it has just told its version");
    let ours: Vec<_> = told.lines().filter(|line| line.contains("rumormill.service")).collect();
    assert!(is_valid && ours.is_empty(), "{told}");
}

#[test]
fn the_unit_starts_what_the_program_understands() {
    let starts = of_unit("ExecStart");
    let [start] = &*starts else { panic!("{starts:?}") };
    let (folder, key) = (folder(), Key::generate());
    let config = folder.path().join("node.toml");
    let text = format!("admission = 'opne'\nnode.identity = '{}'\nnode.cluster = 'c'\n", key.file);
    fs::write(&config, text).unwrap();
    let start = start.replace("/etc/rumormill/node.toml", config.to_str().unwrap());
    let args: Vec<_> = start.split(' ').skip(1).collect();
    let finished = run(&args);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(
        finished.messages.contains(":1: admission is \"opne\"; write \"open\""),
        "{finished:?}"
    );
    // What the program keeps its promises by.
    assert_eq!(of_unit("RestartPreventExitStatus"), ["2"]);
    assert_eq!(of_unit("Type"), ["notify-reload"]);
}

#[test]
fn the_configuration_in_the_manifest_is_valid() {
    let folder = folder();
    let indented = MANIFEST.lines().skip_while(|line| line.trim() != "node.toml: |").skip(1);
    let config: Vec<_> =
        indented.take_while(|line| line.is_empty() || line.starts_with("    ")).collect();
    let key = Key::generate();
    let token = folder.path().join("token");
    fs::write(&token, "0123456789abcdef0123456789abcdef").unwrap();
    only_of_owner(&token);
    let config = config.join("\n").replace("/state/node.key", &key.file);
    let config = config.replace("/state/token", token.to_str().unwrap());
    let file = folder.path().join("node.toml");
    fs::write(&file, config).unwrap();
    let checked = run(&["config", "check", file.to_str().unwrap()]);
    assert_eq!((checked.code, &*checked.messages), (Some(0), "the configuration is valid\n"));
}

fn only_of_owner(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
}

#[test]
fn the_manifest_is_yaml_whose_parts_fit_together() {
    let script =
        "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/kubernetes.yaml");
    let has_yaml = tool(Command::new("python3").args(["-c", "import yaml"]));
    if has_yaml.is_none_or(|(has_it, _)| !has_it) {
        eprintln!("left out: there is no python3 with yaml");
        return;
    }
    let parsed = tool(Command::new("python3").args(["-c", script, path]));
    let (_, text) = parsed.expect("it could just be run");
    let parts: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    let part = |kind: &str| {
        let found = parts.iter().find(|part| part["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}"))
    };
    let set = &part("StatefulSet")["spec"];
    let pod = &set["template"]["spec"];
    let (labels, selector) = (&set["template"]["metadata"]["labels"], &set["selector"]);
    assert_eq!(labels, &selector["matchLabels"]);
    assert_eq!(labels, &part("Service")["spec"]["selector"]);
    assert_eq!(labels, &part("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]);
    assert_eq!(set["serviceName"], part("Service")["metadata"]["name"]);
    assert_eq!(part("Service")["spec"]["clusterIP"], "None");
    let names = |list: &Value| {
        let list = list.as_array().expect("a list").iter();
        list.map(|it| it["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let (node, volumes) = (&pod["containers"][0], names(&pod["volumes"]));
    for container in [node, &pod["initContainers"][0]] {
        for mount in names(&container["volumeMounts"]) {
            assert!(volumes.contains(&mount), "{mount}");
        }
    }
    let ports = names(&node["ports"]);
    assert_eq!(ports, names(&part("Service")["spec"]["ports"]));
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        let get = &node[probe]["httpGet"];
        assert_eq!((&get["path"], &get["port"]), (&path.into(), &"admin".into()), "{probe}");
    }
    assert_eq!(node["command"][0], "rumormill");
    assert_eq!(node["command"][1], "node");
}

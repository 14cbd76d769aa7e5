//! `tests/three-nodes.sh`: what the README promises of three files.

use std::process::Command;

#[test]
fn three_nodes_from_three_files_agree_and_hear_each_other() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/three-nodes.sh");
    let mut bash = Command::new("bash");
    bash.arg(script).arg(env!("CARGO_BIN_EXE_rumormill")).env_remove("RUMORMILL_CONFIG");
    let output = bash.output().expect("bash runs");
    let [told, wrong] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    assert!(output.status.success(), "{told}{wrong}");
    assert_eq!(told, "three nodes agreed, heard each other, and left\n");
}

//! A copy of the fixtures, and the tools to build and run what is in it.
//!
//! The copy has the lock file of this repository's workspace, which cargo cuts down to what is
//! needed. So it builds offline from what was fetched for the workspace, in the same versions, and
//! there is no second lock file to keep up to date.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Command, Output},
    sync::LazyLock,
};

/// The copied workspace, and where its programs are built.
pub(crate) struct Workshop {
    source: PathBuf,
    target: PathBuf,
}

impl Workshop {
    /// The one for all tests.
    pub(crate) fn open() -> &'static Self {
        static WORKSHOP: LazyLock<Workshop> = LazyLock::new(Workshop::new);
        &WORKSHOP
    }

    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let workshop = Self { source: folder.join("fixtures"), target: folder.join("built") };
        copy(Path::new(FIXTURES), &workshop.source, 0);
        workshop
    }

    /// Runs cargo in the workspace.
    pub(crate) fn build(&self, arguments: &[&str]) {
        let output = self.cargo(arguments, "");
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    /// Runs cargo in a folder where it refuses, and returns what it says.
    pub(crate) fn refusal(&self, arguments: &[&str], folder: &str) -> String {
        let output = self.cargo(arguments, folder);
        assert!(!output.status.success(), "cargo did not refuse");
        text(&output.stderr)
    }

    /// Links a static library into the program in C, and returns where that is.
    #[cfg(target_os = "linux")]
    pub(crate) fn link(&self, library: &str) -> String {
        let program = library.replace(".a", "-in-c");
        let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        cc.arg(self.source.join("main.c")).arg(self.target.join(library));
        cc.args(["-lpthread", "-ldl", "-lm", "-o"]).arg(self.target.join(&program));
        let output = cc.output().expect("there is a C compiler wherever Rust links");
        assert!(output.status.success(), "{}", text(&output.stderr));
        program
    }

    /// Runs a program, and returns what it says.
    pub(crate) fn run(&self, program: &str) -> String {
        let output = Command::new(self.target.join(program)).output().expect("it was built");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    fn cargo(&self, arguments: &[&str], folder: &str) -> Output {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(self.source.join(folder)).env("CARGO_TARGET_DIR", &self.target);
        // What the outer build is asked for is not what is tried here.
        for variable in ["CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"] {
            cargo.env_remove(variable);
        }
        let output = cargo.env("CARGO_NET_OFFLINE", "true").args(arguments).output();
        output.expect("cargo runs, since it runs this test")
    }
}

/// Copies a folder that is `depth` folders below the fixtures.
fn copy(from: &Path, to: &Path, depth: usize) {
    fs::create_dir_all(to).expect("the build's folder is writable");
    for entry in fs::read_dir(from).expect("the fixtures are there") {
        let from = entry.expect("the fixtures are readable").path();
        let to = to.join(from.file_name().expect("invariant: an entry of a folder has a name"));
        match (from.is_dir(), from.ends_with("Cargo.toml")) {
            (true, _) => copy(&from, &to, depth + 1),
            (false, true) => copy_manifest(&from, &to, depth),
            (false, false) => write(&to, &read(&from)),
        }
    }
}

fn copy_manifest(from: &Path, to: &Path, depth: usize) {
    let up = format!("\"{}", "../".repeat(depth + DEPTH));
    let root = format!("\"{}/", ROOT.replace('\\', "/"));
    let manifest = read(from).replace(&up, &root);
    if manifest.contains("[workspace]") {
        write(&to.with_file_name("Cargo.lock"), &read(&Path::new(ROOT).join("Cargo.lock")));
    }
    write(to, &manifest);
}

/// Writes a file in one step, for a cargo that reads it now; an unchanged one is not built again.
fn write(path: &Path, content: &str) {
    if fs::read_to_string(path).is_ok_and(|old| old == content) {
        return;
    }
    let new = path.with_extension(process::id().to_string());
    fs::write(&new, content).expect("the build's folder is writable");
    fs::rename(new, path).expect("the build's folder is writable");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the repository is readable")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
/// How many folders the fixtures are below the root.
const DEPTH: usize = 3;

//! The packages of the workspace, as cargo describes them.

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use crate::tree::{self, File};

/// A package of this workspace.
#[derive(Clone, Debug)]
pub struct Member {
    /// Where it lives, from the root of the repository.
    pub folder: String,
    /// The name that cargo knows it by.
    pub package: String,
    /// Its `Cargo.toml`.
    pub manifest: File,
    /// What it depends on, directly.
    pub dependencies: Vec<Dependency>,
}

/// A direct dependency of a member.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The name that cargo knows it by.
    pub package: String,
    /// Where it lives in this repository; `None` if it comes from elsewhere.
    pub folder: Option<String>,
    /// Who gets to see it.
    pub reach: Reach,
    /// Whether a feature decides if it is compiled.
    pub optional: bool,
}

/// Who gets to see a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Whoever builds the package: a normal or build dependency.
    All,
    /// The package's own tests, examples and benches.
    Tests,
}

/// The packages of this workspace, sorted by folder.
pub fn members() -> Vec<Member> {
    let manifest = tree::root().join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec();
    let metadata = metadata.expect("cargo describes the workspace that it tests");
    let mut members: Vec<_> = metadata.workspace_packages().into_iter().map(member).collect();
    members.sort_by(|a, b| a.folder.cmp(&b.folder));
    members
}

impl Member {
    /// Where its manifest names a dependency, counted from 1; the first line if it does not.
    pub fn line_of(&self, package: &str) -> usize {
        let names = |line: &str| {
            let tail = line.trim_start_matches(['"', '[']).strip_prefix(package);
            tail.is_some_and(|tail| tail.starts_with(['.', ' ', '=', '"']))
        };
        1 + self.manifest.text.lines().position(names).unwrap_or(0)
    }
}

fn member(package: &Package) -> Member {
    let path = tree::relative(package.manifest_path.as_std_path());
    Member {
        folder: path.trim_end_matches("/Cargo.toml").into(),
        package: package.name.to_string(),
        manifest: tree::file(&path).expect("cargo read the manifest a moment ago"),
        dependencies: package.dependencies.iter().map(dependency).collect(),
    }
}

fn dependency(from: &cargo_metadata::Dependency) -> Dependency {
    Dependency {
        package: from.name.clone(),
        folder: from.path.as_ref().map(|path| tree::relative(path.as_std_path())),
        reach: match from.kind {
            DependencyKind::Development => Reach::Tests,
            _ => Reach::All,
        },
        optional: from.optional,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_package_is_a_member_with_its_dependency() {
        let members = members();
        let tidy = members.iter().find(|member| member.folder == "tidy").expect("we are a member");
        assert_eq!(tidy.package, "rumormill-tidy");
        assert_eq!(tidy.dependencies[0].package, "cargo_metadata");
        assert_eq!(tidy.dependencies[0].reach, Reach::All);
        let line = tidy.line_of("cargo_metadata");
        let line = tidy.manifest.text.lines().nth(line - 1).expect("the line exists");
        assert!(line.starts_with("cargo_metadata"), "{line}");
    }
}

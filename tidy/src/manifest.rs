//! Rules about a package's manifest, and about the crates that come from elsewhere.

use crate::{
    Finding,
    member::{Dependency, Member, Reach},
    tree::File,
};

/// A name that is not the folder's, and settings that are not the workspace's.
pub fn breaches(member: &Member) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(misnamed(member));
    findings.extend(own_settings(member));
    findings
}

/// Dependencies from elsewhere that are on no list: `shipped` for all, `tests` for test code alone.
pub fn strangers(member: &Member, shipped: &[&str], tests: &[&str]) -> Vec<Finding> {
    let remedy = "do without, or add a row to a list and a sentence to docs/decisions.md";
    let is_allowed = |dependency: &Dependency| {
        let package = dependency.package.as_str();
        let in_tests = dependency.reach == Reach::Tests || TEST_FOLDERS.contains(&&*member.folder);
        shipped.contains(&package) || (in_tests && tests.contains(&package))
    };
    let finding = |dependency: &Dependency| {
        let wrong = format!("`{}` is not among the crates allowed here", dependency.package);
        Finding::new(&member.manifest.path, member.line_of(&dependency.package), wrong, remedy)
    };
    outside(member).filter(|found| !is_allowed(found)).map(finding).collect()
}

/// Dependencies from elsewhere that the page of decisions never mentions, founding ones excepted.
pub fn unexplained(member: &Member, founding: &[&str], decisions: &File) -> Vec<Finding> {
    let remedy = "write there in one sentence what it is for and what else was weighed";
    let is_explained =
        |package: &str| founding.contains(&package) || mentions(&decisions.text, package);
    let finding = |dependency: &Dependency| {
        let wrong = format!("`{}` is not mentioned in {}", dependency.package, decisions.path);
        Finding::new(&member.manifest.path, member.line_of(&dependency.package), wrong, remedy)
    };
    outside(member).filter(|found| !is_explained(&found.package)).map(finding).collect()
}

fn outside(member: &Member) -> impl Iterator<Item = &Dependency> {
    member.dependencies.iter().filter(|dependency| dependency.folder.is_none())
}

fn mentions(text: &str, package: &str) -> bool {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    text.split(|letter| !is_name(letter)).any(|word| word == package)
}

fn misnamed(member: &Member) -> Option<Finding> {
    let expected = match member.folder.as_str() {
        FACADE => FACADE.into(),
        folder => format!("{FACADE}-{folder}"),
    };
    let wrong = format!("the package in `{}` is called `{}`", member.folder, member.package);
    let remedy = format!("call it `{expected}`");
    let finding = || Finding::new(&member.manifest.path, member.line_of("name"), wrong, &remedy);
    (member.package != expected).then(finding)
}

fn own_settings(member: &Member) -> Vec<Finding> {
    let missing = INHERITED.iter().filter(|(section, setting)| {
        !settings(&member.manifest.text, section).any(|found| found == *setting)
    });
    let finding = |(section, setting): &(&str, &str)| {
        let wrong = format!("section [{section}] lacks `{setting}`");
        Finding::new(&member.manifest.path, 1, wrong, "add it: the workspace decides this for all")
    };
    missing.map(finding).collect()
}

fn settings<'a>(manifest: &'a str, section: &str) -> impl Iterator<Item = &'a str> {
    let header = format!("[{section}]");
    let lines = manifest.lines().map(str::trim).skip_while(move |line| *line != header);
    lines.skip(1).take_while(|line| !line.starts_with('['))
}

const FACADE: &str = "rumormill";
const TEST_FOLDERS: &[&str] = &["tidy", "transport-conformance"];
const INHERITED: &[(&str, &str)] = &[
    ("package", "version.workspace = true"),
    ("package", "edition.workspace = true"),
    ("package", "rust-version.workspace = true"),
    ("package", "license.workspace = true"),
    ("package", "publish.workspace = true"),
    ("lints", "workspace = true"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn member(folder: &str, package: &str, manifest: &str) -> Member {
        let manifest = File::new(&format!("{folder}/Cargo.toml"), manifest);
        let dependencies = ["tokio", "left-pad"].map(|package| Dependency {
            package: package.into(),
            folder: None,
            reach: Reach::Tests,
            optional: false,
        });
        Member {
            folder: folder.into(),
            package: package.into(),
            manifest,
            dependencies: dependencies.into(),
        }
    }

    fn orderly() -> String {
        let package = INHERITED.iter().filter(|(section, _)| *section == "package");
        let package: Vec<_> = package.map(|(_, setting)| *setting).collect();
        format!("[package]\n{}\n\n[lints]\nworkspace = true\n", package.join("\n"))
    }

    #[test]
    fn an_orderly_manifest_passes() {
        assert_eq!(breaches(&member("gossip", "rumormill-gossip", &orderly())), []);
        assert_eq!(breaches(&member("rumormill", "rumormill", &orderly())), []);
    }

    #[test]
    fn a_package_that_is_not_named_after_its_folder_is_caught() {
        let found = breaches(&member("gossip", "gossip", &orderly()));
        assert_eq!(found[0].remedy, "call it `rumormill-gossip`");
    }

    #[test]
    fn a_setting_of_its_own_is_caught_in_every_section() {
        for (section, setting) in INHERITED {
            let manifest = orderly().replace(&format!("{setting}\n"), "other = 1\n");
            let found = breaches(&member("gossip", "rumormill-gossip", &manifest));
            let wrong = format!("section [{section}] lacks `{setting}`");
            assert!(found.iter().any(|finding| finding.wrong == wrong), "{setting}: {found:?}");
        }
    }

    #[test]
    fn a_crate_that_is_on_no_list_is_caught() {
        let manifest = "[dependencies]\ntokio = \"1\"\nleft-pad = \"1\"\n";
        let found = strangers(&member("gossip", "rumormill-gossip", manifest), &["tokio"], &[]);
        let wrong = "`left-pad` is not among the crates allowed here";
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, &*found[0].wrong), (3, wrong));
    }

    #[test]
    fn a_crate_for_tests_is_for_tests() {
        let check = |folder, reach, caught| {
            let mut member = member(folder, "", "");
            member.dependencies[1].reach = reach;
            let found = strangers(&member, &["tokio"], &["left-pad"]);
            assert_eq!(found.len(), caught, "{folder} {reach:?}");
        };
        check("gossip", Reach::Tests, 0);
        check("gossip", Reach::All, 1);
        check("tidy", Reach::All, 0);
    }

    #[test]
    fn a_crate_without_a_reason_is_caught() {
        let gossip = member("gossip", "rumormill-gossip", "");
        let with = |text: &str| File::new("docs/decisions.md", text);
        let check = |text| unexplained(&gossip, &["tokio"], &with(text)).len();
        assert_eq!(check("We pad with `left-pad`."), 0);
        assert_eq!(check("We pad with `left-pad-2`."), 1);
    }
}

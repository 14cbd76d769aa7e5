//! Rules about who may depend on whom.
//!
//! The table of allowed arrows is the caller's. The rules beside it say what no row may allow.

use crate::{
    Finding,
    member::{Dependency, Member, Reach},
};

/// A folder and the folders that its package may show to whoever builds it.
pub type Row<'a> = (&'a str, &'a [&'a str]);

/// Every arrow of `member` that its row or a rule forbids.
pub fn breaches(member: &Member, rows: &[Row<'_>]) -> Vec<Finding> {
    let arrows = member.dependencies.iter().filter_map(|dependency| {
        let to = dependency.folder.as_deref()?;
        Some(Arrow { member, dependency, from: &member.folder, to })
    });
    arrows.filter_map(|arrow| arrow.breach(rows)).collect()
}

/// Members without a row, and rows without a member.
pub fn mismatches(members: &[Member], rows: &[Row<'_>], table: &str) -> Vec<Finding> {
    let has_row = |member: &&Member| rows.iter().any(|(folder, _)| *folder == member.folder);
    let has_member = |row: &&Row<'_>| members.iter().any(|member| member.folder == row.0);
    let new = members.iter().filter(|member| !has_row(member)).map(|member| {
        let wrong = format!("`{}` has no row in {table}", member.folder);
        Finding::new(&member.manifest.path, 1, wrong, "decide on which layer it stands and add one")
    });
    let stale = rows.iter().filter(|row| !has_member(row)).map(|(folder, _)| {
        let wrong = format!("the row `{folder}` has no member of the workspace");
        Finding::new(table, 1, wrong, "delete the row, or add the folder to the workspace")
    });
    new.chain(stale).collect()
}

struct Arrow<'a> {
    member: &'a Member,
    dependency: &'a Dependency,
    from: &'a str,
    to: &'a str,
}

impl Arrow<'_> {
    fn breach(&self, rows: &[Row<'_>]) -> Option<Finding> {
        let (wrong, remedy) = match self.dependency.reach {
            Reach::All => self.forbidden().or_else(|| self.unlisted(rows)),
            Reach::Tests => self.forbidden_in_tests(),
        }?;
        let line = self.member.line_of(&self.dependency.package);
        let wrong = format!("`{}` -> `{}`: {wrong}", self.from, self.to);
        Some(Finding::new(&self.member.manifest.path, line, wrong, remedy))
    }

    /// What no row of the table may allow.
    fn forbidden(&self) -> Option<Breach> {
        let is_top = TOP.contains(&self.from);
        if is_carrier(self.from) && !BELOW_CARRIERS.contains(&self.to) {
            return Some(CARRIER_UP);
        }
        match self.to {
            KIT if !is_top => Some(KIT_SHIPPED),
            to if is_carrier(to) && !is_top => Some(CARRIER_LINKED),
            to if is_carrier(to) && self.from == FACADE && !self.dependency.optional => {
                Some(ALWAYS_ON)
            }
            to if self.from == REGISTRY && to != CONTRACT => Some(REGISTRY_UP),
            _ => None,
        }
    }

    fn unlisted(&self, rows: &[Row<'_>]) -> Option<Breach> {
        let row = rows.iter().find(|(folder, _)| *folder == self.from)?;
        (!row.1.contains(&self.to)).then_some(UNLISTED)
    }

    fn forbidden_in_tests(&self) -> Option<Breach> {
        let is_fine = BELOW_CARRIERS.contains(&self.to) || BESIDE_CARRIERS.contains(&self.to);
        (is_carrier(self.from) && !is_fine).then_some(CARRIER_TESTS_UP)
    }
}

fn is_carrier(folder: &str) -> bool {
    folder.starts_with("transport-") && folder != CONTRACT && folder != KIT
}

/// What is wrong, and what to do about it.
type Breach = (&'static str, &'static str);

const CONTRACT: &str = "transport-api";
const FACADE: &str = "rumormill";
const KIT: &str = "transport-conformance";
const REGISTRY: &str = "registry";
const TOP: &[&str] = &[FACADE, "examples", "simulator"];
const BELOW_CARRIERS: &[&str] = &[CONTRACT, "identity", "socket-file"];
const BESIDE_CARRIERS: &[&str] = &[KIT, REGISTRY];

const UNLISTED: Breach = (
    "the table of arrows does not allow this",
    "go through a layer that it allows, or add the arrow in a commit of its own that says why",
);
const CARRIER_UP: Breach = (
    "a transport knows the contract, identity where it encrypts, socket-file where it has one, and \
     nothing else of ours",
    "move what is shared into transport-api",
);
const CARRIER_TESTS_UP: Breach = (
    "a transport is tested with the kit, without other transports and without what is above",
    "test the combination in rumormill or examples",
);
const CARRIER_LINKED: Breach = (
    "only rumormill, examples and the simulator link transports",
    "take an AnyTransport, and branch on Caps; in tests it may be a dev-dependency",
);
const KIT_SHIPPED: Breach = (
    "the test kit is for tests",
    "make it a dev-dependency; only rumormill and examples ship its faults",
);
const ALWAYS_ON: Breach = (
    "a transport that is switched off must not be compiled",
    "make the dependency optional, behind a feature named after the scheme",
);
const REGISTRY_UP: Breach = (
    "the registry knows the contract and nothing else of ours",
    "pass what it needs as an argument",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::File;

    fn member(folder: &str, dependencies: Vec<Dependency>) -> Member {
        let manifest = File::new(&format!("{folder}/Cargo.toml"), "");
        Member { folder: folder.into(), package: String::new(), manifest, dependencies }
    }

    fn on(folder: &str, reach: Reach) -> Dependency {
        Dependency { package: folder.into(), folder: Some(folder.into()), reach, optional: true }
    }

    fn check(from: &str, to: &str, reach: Reach, expected: Option<Breach>) {
        let everywhere = [(from, &[to][..])];
        let found = breaches(&member(from, vec![on(to, reach)]), &everywhere);
        let found = found.iter().map(|found| found.wrong.split(": ").last().unwrap_or_default());
        assert!(found.eq(expected.map(|(wrong, _)| wrong)), "{from} -> {to}");
    }

    #[test]
    fn a_transport_knows_the_contract_alone() {
        check("transport-tcp", "transport-api", Reach::All, None);
        check("transport-tcp", "identity", Reach::All, None);
        check("transport-unix", "socket-file", Reach::All, None);
        check("transport-tcp", "transport-udp", Reach::All, Some(CARRIER_UP));
        check("transport-tcp", "transport-conformance", Reach::All, Some(CARRIER_UP));
        check("transport-tcp", "registry", Reach::All, Some(CARRIER_UP));
    }

    #[test]
    fn a_transport_is_tested_alone() {
        check("transport-tcp", "transport-conformance", Reach::Tests, None);
        check("transport-tcp", "registry", Reach::Tests, None);
        check("transport-tcp", "transport-mem", Reach::Tests, Some(CARRIER_TESTS_UP));
        check("transport-tcp", "rumormill", Reach::Tests, Some(CARRIER_TESTS_UP));
    }

    #[test]
    fn only_the_top_links_transports() {
        check("examples", "transport-tcp", Reach::All, None);
        check("rumormill", "transport-tcp", Reach::All, None);
        check("gossip", "transport-tcp", Reach::All, Some(CARRIER_LINKED));
        check("gossip", "transport-mem", Reach::Tests, None);
        check("registry", "transport-tcp", Reach::All, Some(CARRIER_LINKED));
    }

    #[test]
    fn the_kit_is_for_tests_and_for_the_top() {
        check("rumormill", "transport-conformance", Reach::All, None);
        check("examples", "transport-conformance", Reach::All, None);
        check("endpoint", "transport-conformance", Reach::All, Some(KIT_SHIPPED));
    }

    #[test]
    fn the_registry_knows_the_contract_alone() {
        check("registry", "transport-api", Reach::All, None);
        check("registry", "identity", Reach::All, Some(REGISTRY_UP));
    }

    #[test]
    fn the_facade_links_transports_by_feature() {
        let always = Dependency { optional: false, ..on("transport-tcp", Reach::All) };
        let found = breaches(&member("rumormill", vec![always]), &[]);
        assert!(found[0].wrong.ends_with(ALWAYS_ON.0), "{found:?}");
    }

    #[test]
    fn an_arrow_outside_the_table_is_caught() {
        let gossip = member("gossip", vec![on("broker", Reach::All)]);
        let found = breaches(&gossip, &[("gossip", &["endpoint"])]);
        assert_eq!(
            found[0].to_string(),
            format!("gossip/Cargo.toml:1: `gossip` -> `broker`: {}: {}", UNLISTED.0, UNLISTED.1)
        );
    }

    #[test]
    fn members_and_rows_match() {
        let members = [member("gossip", vec![]), member("broker", vec![])];
        let found = mismatches(&members, &[("gossip", &[]), ("dust", &[])], "layers.rs");
        let files: Vec<_> = found.iter().map(|finding| finding.file.as_str()).collect();
        assert_eq!(files, ["broker/Cargo.toml", "layers.rs"]);
    }
}

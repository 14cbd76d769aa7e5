//! The pages lead where they say, and say what people look for first.

use rumormill_tidy::{Finding, assert_clean, markdown, member, tree};

#[test]
fn every_link_leads_somewhere() {
    let pages = tree::files("md");
    assert_clean(pages.iter().flat_map(|page| markdown::dead_links(page, &text_of)));
}

#[test]
fn the_readme_says_how_to_test() {
    let remedy = "show the one command that tests everything";
    assert_clean(lacks("README.md", "cargo test --workspace", remedy));
}

#[test]
fn the_changelog_has_room_for_what_comes() {
    let remedy = "open a section for what the next release brings";
    assert_clean(lacks("CHANGELOG.md", "\n## Unreleased\n", remedy));
}

#[test]
fn the_architecture_names_every_member() {
    let members = member::members();
    let folders = members.iter().map(|member| member.folder.as_str());
    let page = tree::file("ARCHITECTURE.md").ok_or_else(|| missing("ARCHITECTURE.md"));
    assert_clean(
        page.map_or_else(|missing| vec![missing], |page| markdown::unnamed(&page, folders)),
    );
}

fn lacks(path: &str, needle: &str, remedy: &str) -> Option<Finding> {
    match tree::file(path) {
        Some(page) => markdown::lacks(&page, needle, remedy),
        None => Some(missing(path)),
    }
}

fn missing(path: &str) -> Finding {
    Finding::new(path, 1, "the page is missing", "write it")
}

/// A folder, or a file that is no text, has an empty text.
fn text_of(path: &str) -> Option<String> {
    let exists = tree::root().join(path).exists();
    exists.then(|| tree::file(path).map_or_else(String::new, |file| file.text))
}

//! The ways in which registering at start-up goes wrong, in programs built as their users build
//! them.

mod workshop;

use workshop::Workshop;

#[test]
fn a_transport_that_is_only_listed_is_absent_and_the_error_says_why() {
    let workshop = Workshop::open();
    workshop.build(&["build", "--package", "listed"]);
    let expected = "schemes: []\n\
                    toy: no transport 'toy'; linked: none; a transport crate that only Cargo.toml \
                    lists is not linked: name it in code, as in `use my_transport as _;`, or pass \
                    its FACTORY to Registry::of or Registry::register\n";
    assert_eq!(workshop.run("debug/listed"), expected);
}

#[test]
fn a_transport_that_is_named_is_found_whatever_the_linker_optimises() {
    let workshop = Workshop::open();
    let expected = "schemes: [\"toy\"]\n\
                    toy: carrying messages in a toy is not supported; take a real transport\n";
    workshop.build(&["build", "--package", "named"]);
    assert_eq!(workshop.run("debug/named"), expected);
    // One profile for both kinds of LTO, so that what they depend on is compiled once.
    for lto in ["lto=fat", "lto=thin"] {
        workshop.build(&["rustc", "--package", "named", "--profile", "fat", "--", "-C", lto]);
        assert_eq!(workshop.run("fat/named"), expected, "{lto}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_static_library_in_a_c_program_has_the_transports_that_are_passed_in() {
    let workshop = Workshop::open();
    for (profile, folder) in [("fat", "fat"), ("dev", "debug")] {
        workshop.build(&["build", "--package", "embedded-given", "--profile", profile]);
        let program = workshop.link(&format!("{folder}/libembedded_given.a"));
        assert_eq!(workshop.run(&program), "1\n", "{profile}");
    }
}

/// Under fat LTO it is found, since then there is one object with everything in it. A program that
/// works in that build only is the trap.
#[test]
#[cfg(target_os = "linux")]
fn a_static_library_in_a_c_program_loses_what_registers_itself() {
    let workshop = Workshop::open();
    workshop.build(&["build", "--package", "embedded-named"]);
    let program = workshop.link("debug/libembedded_named.a");
    assert_eq!(workshop.run(&program), "0\n", "nothing is lost: correct the page of the crate");
}

#[test]
fn two_versions_of_the_contract_are_refused() {
    let error = Workshop::open().refusal(&["metadata", "--format-version", "1"], "clash");
    assert!(error.contains("links to the native library `rumormill-transport-api`"), "{error}");
    assert!(error.contains("rumormill-transport-api v0.0.1"), "{error}");
}

//! `rumormill transports`.

use serde_json::Value;

use crate::running::run;

#[test]
fn every_transport_has_a_row_and_its_options() {
    let listed = run(&["transports"]);
    assert_eq!((listed.code, &*listed.messages), (Some(0), ""));
    assert!(listed.lines[0].starts_with("SCHEME "), "{listed:?}");
    for factory in rumormill::registry().unwrap().factories() {
        let is_row = |line: &&String| {
            line.starts_with(&format!("{} ", factory.scheme)) && line.ends_with(factory.provider)
        };
        assert_eq!(listed.lines.iter().filter(is_row).count(), 1, "{listed:?}");
        for spec in factory.options {
            let is_option = |line: &String| {
                line.trim_start().starts_with(spec.name) && line.ends_with(spec.doc)
            };
            assert!(listed.lines.iter().any(is_option), "{}: {listed:?}", spec.name);
        }
    }
}

#[test]
fn json_tells_what_the_table_tells() {
    let listed = run(&["transports", "--json"]);
    assert_eq!((listed.code, listed.lines.len()), (Some(0), 1), "{listed:?}");
    let transports: Vec<Value> = serde_json::from_str(&listed.lines[0]).unwrap();
    let registry = rumormill::registry().unwrap();
    assert_eq!(transports.len(), registry.factories().count());
    for (value, factory) in transports.iter().zip(registry.factories()) {
        assert_eq!(
            (&value["scheme"], &value["provider"]),
            (&factory.scheme.into(), &factory.provider.into())
        );
        assert_eq!(value["max_message_bytes"], factory.caps.max_message);
        assert_eq!(value["local_only"], factory.caps.local_only);
        let names = value["options"].as_array().unwrap().iter().map(|option| &option["name"]);
        assert!(names.eq(factory.options.iter().map(|spec| spec.name)), "{value}");
    }
}

#[test]
fn why_says_who_provides_a_name_that_is_there() {
    for factory in rumormill::registry().unwrap().factories() {
        let why = run(&["transports", "--why", factory.scheme]);
        assert_eq!((why.code, &*why.messages), (Some(0), ""));
        assert_eq!(why.lines, [format!("{} provides {}://", factory.provider, factory.scheme)]);
    }
}

#[test]
fn why_says_what_the_registry_says_of_a_name_that_is_not_there() {
    let expected = rumormill::registry().unwrap().transport("upd").unwrap_err().to_string();
    let why = run(&["transports", "--why", "upd"]);
    assert_eq!((why.code, &*why.messages), (Some(1), ""));
    assert_eq!(why.lines.concat(), expected);

    let why = run(&["transports", "--why", "upd", "--json"]);
    let value: Value = serde_json::from_str(&why.lines[0]).unwrap();
    assert_eq!(why.code, Some(1));
    assert_eq!((&value["linked"], &value["why"]), (&false.into(), &expected.into()));
}

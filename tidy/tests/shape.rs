//! Rust files keep the shape that makes them quick to read.

use rumormill_tidy::{assert_clean, shape, source::Source, tree};

#[test]
fn every_file_keeps_the_rules() {
    assert_clean(sources().iter().flat_map(shape::breaches));
}

#[test]
fn nine_files_in_ten_are_short() {
    assert_clean(shape::long_files(&sources()));
}

#[test]
fn the_median_function_is_short() {
    assert_clean(shape::long_median(&sources()));
}

fn sources() -> Vec<Source> {
    tree::files("rs").iter().map(Source::new).collect()
}

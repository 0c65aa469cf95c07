//! Where the reference data lies, and how it is read.

use std::path::PathBuf;

/// A file of the shared data: `$ORRERY_SHARED`, or `../shared/data` beside the repository.
pub(crate) fn read(path: &str) -> String {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let root = std::env::var("ORRERY_SHARED").map_or_else(|_| beside(), PathBuf::from);
    let path = root.join(path);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; set ORRERY_SHARED", path.display()))
}

/// The rows of a table with a header and commas.
pub(crate) fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect()
}

/// The line with the checksum it should have: some published sets were edited by hand.
pub(crate) fn with_checksum(line: &str) -> String {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'-' => 1,
        _ => 0,
    };
    let sum: u32 = line.bytes().take(68).map(value).sum();
    format!("{}{}", &line[..68], sum % 10)
}

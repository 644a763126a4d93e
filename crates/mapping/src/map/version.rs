//! A map's version: one for one text, whatever folder it lies in and whichever line ends it has.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axon_model::MapVersion;
use sha2::{Digest, Sha256};

use crate::place::normal;

/// The SHA-256 of the files, in order, and of variables that were set from outside. Each part goes in behind its length,
/// so that no two maps give the same bytes.
pub(super) fn version(files: &[&(&str, &str)], vars: &BTreeMap<String, String>) -> MapVersion {
    let mut hash = Sha256::new();
    hash.update(b"axon role map 1\0");
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    for (name, text) in files {
        part(name.rsplit(['/', '\\']).next().unwrap_or(name));
        part(&normal(text));
    }
    for (name, value) in vars {
        part(name);
        part(value);
    }
    let mut hex = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    MapVersion(hex.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_makes_the_version_and_nothing_else_does() {
        let of = |name: &str, text: &str| version(&[&(name, text)], &BTreeMap::new());
        assert_eq!(of("a/m.yaml", "x: 1\n"), of("/b/m.yaml", "\u{feff}x: 1\r\n"));
        assert_ne!(of("m.yaml", "x: 1\n"), of("m.yaml", "x: 2\n"));
        let set = BTreeMap::from([("env".to_owned(), "test".to_owned())]);
        assert_ne!(of("m.yaml", "x: 1\n"), version(&[&("m.yaml", "x: 1\n")], &set));
        assert_eq!(of("m.yaml", "").0.len(), 64);
    }
}

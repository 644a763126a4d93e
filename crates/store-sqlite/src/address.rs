//! `sqlite:axon.db`: how the configuration names a file.

use std::path::{Path, PathBuf};

use axon_store::StoreError;

/// A file that holds a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    file: PathBuf,
}

impl Address {
    /// The file of `sqlite:PATH`, `sqlite://PATH` or `sqlite:///PATH`; a relative path is taken from `base`, the folder of
    /// the configuration.
    pub fn parse(text: &str, base: &Path) -> Result<Self, StoreError> {
        let refuse =
            |reason: &str| StoreError::Address { address: text.to_owned(), reason: reason.to_owned() };
        let rest = text.strip_prefix("sqlite:").ok_or_else(|| refuse("write sqlite:FILE"))?;
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() {
            return Err(refuse("the file is missing; write sqlite:FILE"));
        }
        if path.contains('?') || path.contains(":memory:") {
            return Err(refuse("parameters and memory stores are not taken; write sqlite:FILE"));
        }
        if path.contains('\0') {
            return Err(refuse("a path cannot hold U+0000"));
        }
        Ok(Self { file: base.join(path) })
    }

    /// The store in this file.
    pub fn of_file(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into() }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Option<PathBuf> {
        Address::parse(text, Path::new("/etc/axon")).ok().map(|a| a.file)
    }

    #[test]
    fn relative_paths_start_at_the_configuration() {
        assert_eq!(file("sqlite:axon.db"), Some("/etc/axon/axon.db".into()));
        assert_eq!(file("sqlite://data/axon.db"), Some("/etc/axon/data/axon.db".into()));
        assert_eq!(file("sqlite:/var/axon.db"), Some("/var/axon.db".into()));
        assert_eq!(file("sqlite:///var/axon.db"), Some("/var/axon.db".into()));
    }

    #[test]
    fn other_addresses_are_refused_with_the_right_form() {
        for bad in [
            "axon.db",
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            "sqlite:a?mode=ro",
            "postgres://x",
            "sqlite:a\0",
        ] {
            let error = Address::parse(bad, Path::new("/")).unwrap_err();
            assert!(matches!(error, StoreError::Address { .. }), "{bad}");
        }
    }
}

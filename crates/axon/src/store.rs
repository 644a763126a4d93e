//! The store that the configuration names: a file or a database.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use axon_store::{Store, StoreError};
use axon_store_postgres::{PostgresServer, PostgresStore};
use axon_store_sql::Raw;
use axon_store_sqlite::SqliteStore;

/// Where a store is.
#[derive(Debug, Clone)]
pub enum StorePlace {
    /// A file.
    Sqlite(axon_store_sqlite::Address),
    /// A database.
    Postgres(Box<axon_store_postgres::Options>),
}

/// A store that was opened: as what it does, and as its rows.
pub struct OpenStore {
    /// What it does.
    pub store: Arc<dyn Store>,
    /// Its rows.
    pub raw: Arc<dyn Raw>,
}

impl StorePlace {
    /// The place that a text names, its `${env:NAME}` and `${file:PATH}` filled in.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        if is_postgres(text) {
            let address = axon_store_postgres::Address::parse(&filled(text)?)?;
            return Ok(Self::Postgres(Box::new(axon_store_postgres::Options::new(address))));
        }
        if !text.starts_with("sqlite:") {
            let reason = "write sqlite:FILE or postgres://USER@HOST/DATABASE".to_owned();
            return Err(StoreError::Address { address: shown(text), reason }.into());
        }
        Ok(Self::Sqlite(axon_store_sqlite::Address::parse(text, Path::new("."))?))
    }

    /// A folder for what is kept beside a store that is a file.
    pub fn beside(text: &str) -> Option<PathBuf> {
        Self::folder(text, "-spool")
    }

    /// The folder of Axon's own secrets beside a store that is a file.
    pub fn secrets_beside(text: &str) -> Option<PathBuf> {
        Self::folder(text, "-secrets")
    }

    fn folder(text: &str, end: &str) -> Option<PathBuf> {
        let Ok(Self::Sqlite(address)) = Self::parse(text) else { return None };
        let mut folder = address.file().as_os_str().to_owned();
        folder.push(end);
        Some(folder.into())
    }

    /// What is wrong with a text, without looking at the secrets that it names.
    pub fn check(text: &str) -> Result<(), String> {
        let plain =
            references(text).into_iter().fold(text.to_owned(), |text, found| text.replace(&found, "x"));
        match Self::parse(&plain) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string().trim_start_matches("store: ").to_owned()),
        }
    }

    /// As it may be shown: without a password.
    pub fn shown(&self) -> String {
        match self {
            Self::Sqlite(address) => format!("sqlite:{}", address.file().display()),
            Self::Postgres(options) => options.address.shown().to_owned(),
        }
    }

    /// The versions of the schema that are applied, or none where there is no store. Changes nothing.
    pub async fn applied(&self) -> anyhow::Result<Option<Vec<i64>>> {
        let applied = match self {
            Self::Sqlite(address) if !address.file().exists() => return Ok(None),
            Self::Sqlite(address) => axon_store_sqlite::applied(address).await?,
            Self::Postgres(options) => PostgresServer::applied(options).await?,
        };
        Ok(Some(applied).filter(|versions| !versions.is_empty()))
    }

    /// Whether there is a store.
    pub async fn exists(&self) -> anyhow::Result<bool> {
        match self {
            Self::Sqlite(address) => Ok(address.file().exists()),
            Self::Postgres(_) => Ok(self.applied().await?.is_some()),
        }
    }

    /// Opens it, making it where it is not there.
    pub async fn open(&self) -> anyhow::Result<OpenStore> {
        match self {
            Self::Sqlite(address) => {
                let opened = SqliteStore::open(axon_store_sqlite::Options::new(address.clone())).await;
                let store = opened.with_context(|| {
                    format!(
                        "`store` is {}: its folder must be there and writable, and the file a store of Axon's",
                        self.shown()
                    )
                })?;
                Ok(OpenStore { store: Arc::new(store.clone()), raw: Arc::new(store) })
            }
            Self::Postgres(options) => {
                let store = PostgresStore::open(options.as_ref().clone()).await?;
                Ok(OpenStore { store: Arc::new(store.clone()), raw: Arc::new(store) })
            }
        }
    }
}

/// Whether a text names a database.
pub fn is_postgres(text: &str) -> bool {
    text.starts_with("postgres:") || text.starts_with("postgresql:")
}

/// A text as it may be shown: without a password.
pub fn shown(text: &str) -> String {
    if text.starts_with("sqlite:") { text.to_owned() } else { axon_store_postgres::without_password(text) }
}

/// `${…}` in a text, each once.
fn references(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        let Some(length) = rest[begin..].find('}') else { break };
        let reference = rest[begin..=begin + length].to_owned();
        rest = &rest[begin + length + 1..];
        if !found.contains(&reference) {
            found.push(reference);
        }
    }
    found
}

/// A text with its secrets in place, written as an address wants them.
fn filled(text: &str) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for reference in references(&text) {
        let inside = &reference[2..reference.len() - 1];
        let secret = if let Some(name) = inside.strip_prefix("env:") {
            std::env::var(name).with_context(|| {
                format!("`store` names ${{env:{name}}}, which the environment does not have")
            })?
        } else if let Some(path) = inside.strip_prefix("file:") {
            let path = PathBuf::from(path);
            let secret = std::fs::read_to_string(&path)
                .with_context(|| format!("`store` names {}, which cannot be read", path.display()))?;
            secret.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            anyhow::bail!("`store`: {reference} is neither ${{env:NAME}} nor ${{file:PATH}}");
        };
        text = text.replace(&reference, &percent_encoded(&secret));
    }
    Ok(text)
}

fn percent_encoded(secret: &str) -> String {
    let mut out = String::with_capacity(secret.len());
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// For the effective configuration: an address without its password.
pub fn serialize_shown<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shown(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_filled_in_and_never_shown() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "p@ss:w/rd?\n").unwrap();
        let text = format!("postgres://axon:${{file:{}}}@db.acme.com/axon?sslmode=require", file.display());
        assert_eq!(
            filled(&text).unwrap(),
            "postgres://axon:p%40ss%3Aw%2Frd%3F@db.acme.com/axon?sslmode=require"
        );
        let place = StorePlace::parse(&text).unwrap();
        assert!(!format!("{place:?} {}", place.shown()).contains("ss:w"), "{place:?}");
        assert_eq!(shown("postgres://axon:secret@db/axon"), "postgres://axon:…@db/axon");
        let missing = filled("postgres://axon:${env:AXON_TEST_NO_SUCH}@db/axon").unwrap_err().to_string();
        assert!(missing.contains("${env:AXON_TEST_NO_SUCH}"), "{missing}");
    }

    #[test]
    fn a_configuration_is_checked_without_its_secrets() {
        assert_eq!(StorePlace::check("postgres://axon:${env:AXON_TEST_NO_SUCH}@db/axon"), Ok(()));
        assert_eq!(StorePlace::check("sqlite:axon.db"), Ok(()));
        for bad in ["axon.db", "sqlite:", "postgres://db", "postgres://a@b/c?sslmod=x", "mysql://a/b"] {
            assert!(StorePlace::check(bad).is_err(), "{bad}");
        }
    }
}

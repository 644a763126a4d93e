//! A test's own folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{self, Said};
use crate::pool::ENTRA_ADMIN;
use crate::postgres::Postgres;

/// A folder with configuration, role map, store and logs, removed at the end.
pub struct Place {
    folder: TempDir,
    /// What stands for `sqlite:axon.db` in its configuration.
    store: Option<String>,
}

impl Place {
    /// A folder whose fake Entra directory knows these people (and the administrator that Axon enters as).
    /// Its store is a file in it, or with `AXON_TEST_STORE=postgres` a database of the cluster that this process's tests share.
    pub fn new(people: impl IntoIterator<Item = impl AsRef<str>>) -> anyhow::Result<Self> {
        let store = match std::env::var("AXON_TEST_STORE").as_deref() {
            Ok("postgres") => Some(Postgres::shared()?.database()?),
            Ok("sqlite") | Err(_) => None,
            Ok(other) => bail!("AXON_TEST_STORE is sqlite or postgres, not {other}"),
        };
        Self::with_store(people, store)
    }

    /// The same with this store, which may be another place's as well.
    pub fn with_store(
        people: impl IntoIterator<Item = impl AsRef<str>>,
        store: Option<String>,
    ) -> anyhow::Result<Self> {
        let mut folder = tempfile::Builder::new().prefix("axon-test-").tempdir()?;
        if std::env::var_os("AXON_TEST_KEEP").is_some() {
            folder.disable_cleanup(true);
        }
        let place = Self { folder, store };
        let known = |n: usize, upn: &str| json!({ "upn": upn, "objectId": object_id(n) });
        let mut users = vec![known(0, ENTRA_ADMIN)];
        users.extend(people.into_iter().enumerate().map(|(n, upn)| known(n + 1, upn.as_ref())));
        let directory = json!({ "users": users, "groups": [], "apps": [] });
        place.write("directory.json", &directory.to_string())?;
        Ok(place)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Whether its store is a file in it.
    pub fn has_its_store(&self) -> bool {
        self.store.is_none()
    }

    /// The address of its store, where that is a database.
    pub fn database(&self) -> Option<&str> {
        self.store.as_deref()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file; in the configuration, the store of this place takes the place of the usual one.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let text = match &self.store {
            Some(store) if name == "axon.yaml" => text.replace("sqlite:axon.db", store),
            _ => text.to_owned(),
        };
        std::fs::write(self.file(name), text).with_context(|| format!("cannot write {name}"))
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> anyhow::Result<String> {
        std::fs::read_to_string(self.file(name)).with_context(|| format!("cannot read {name}"))
    }

    /// Runs `axon …` here.
    pub async fn axon(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        binary::run(self.path(), arguments, &[]).await
    }

    /// Makes a token for a source.
    pub async fn token(&self, source: &str) -> anyhow::Result<String> {
        let said = self.axon(&["token", "create", "--source", source]).await?.exits(0)?;
        Ok(said.out.trim().to_owned())
    }

    /// `axon status --json`.
    pub async fn status(&self) -> anyhow::Result<Value> {
        self.axon(&["status", "--json"]).await?.exits(0)?.json()
    }

    /// The summary that the last tick left of the target.
    pub async fn summary(&self) -> anyhow::Result<Value> {
        Ok(self.status().await?["targets"]["warehouse"]["summary"].clone())
    }

    /// The journal's head: how many records it holds.
    pub async fn head(&self) -> anyhow::Result<u64> {
        self.status().await?["journal"].as_u64().context("status shows the journal's head")
    }
}

fn object_id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012x}")
}

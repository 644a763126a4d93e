//! Whether a version in the store is the one that was accepted: a row of a database file can be changed by whoever holds
//! the file, so the text is held against its hash, and the hash against the journal's record of it.

use axon_audit::payload::{MapVersionAdopted, Payload};
use axon_mapping::RoleMap;
use axon_model::MapVersion;
use axon_store::maps::{MapFiles, StoredMap};
use axon_store::{Store, StoreError};

/// Why a version of the store is not believed.
#[derive(Debug)]
pub enum Altered {
    /// Its text has another hash than the one that it is kept under.
    Text {
        /// What it is kept under.
        version: MapVersion,
        /// What its text has.
        found: MapVersion,
    },
    /// The journal has no whole record by which this version came into force.
    Record {
        /// What it is kept under.
        version: MapVersion,
        /// The number of the record.
        record: u64,
    },
    /// The store cannot be asked.
    Store(StoreError),
}

impl std::fmt::Display for Altered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text { version, found } => write!(
                f,
                "the store keeps role map {version}, and the text of that row has hash {found}: somebody changed the \
                 store by hand; find out who, and push or revert to a version that you know"
            ),
            Self::Record { version, record } => write!(
                f,
                "the store keeps role map {version}, and record {record} of the journal does not say that it came into \
                 force: somebody changed the store by hand; look with `axon audit verify`, and push or revert to a \
                 version that you know"
            ),
            Self::Store(error) => write!(f, "the store cannot be asked: {error}"),
        }
    }
}

impl std::error::Error for Altered {}

impl From<StoreError> for Altered {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The version, where its text and its record are those of the version that was accepted.
pub async fn accepted(store: &dyn Store, stored: StoredMap) -> Result<StoredMap, Altered> {
    let version = &stored.head.version;
    is_of(&stored.files, version)?;
    let entry = store.records(stored.head.record, 1).await?.into_iter().next();
    let told = entry.as_ref().is_some_and(|entry| {
        let record = &entry.record;
        record.seq == stored.head.record
            && record.kind == MapVersionAdopted::KIND
            && record.digest().is_ok_and(|digest| digest == record.hash)
            && record.facts["version"] == *version.0
    });
    if !told {
        return Err(Altered::Record { version: version.clone(), record: stored.head.record.0 });
    }
    Ok(stored)
}

/// The version in force, likewise.
pub async fn current(store: &dyn Store) -> Result<Option<StoredMap>, Altered> {
    match store.current_map().await? {
        Some(stored) => accepted(store, stored).await.map(Some),
        None => Ok(None),
    }
}

/// The version that a map of these files has.
pub fn version_of(files: &MapFiles) -> MapVersion {
    let borrowed: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    RoleMap::version_of(&borrowed)
}

/// Whether a text has the hash that it is kept under.
pub fn is_of(files: &MapFiles, version: &MapVersion) -> Result<(), Altered> {
    let found = version_of(files);
    if found == *version { Ok(()) } else { Err(Altered::Text { version: version.clone(), found }) }
}

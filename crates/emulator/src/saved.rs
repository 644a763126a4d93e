//! The state file: everything that the emulator holds, as JSON. It holds passwords and secrets as they are: those of a test.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::catalog::saved::{SavedCatalog, Unfit};
use crate::cloud::Cloud;
use crate::cloud::state::CloudState;
use crate::directory::Directory;
use crate::pool::{Pool, Power};

/// The form that is written.
const FORM: u32 = 1;

/// What is kept of a pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPool {
    /// Whether it runs.
    pub power: Power,
    /// Its database.
    pub own: SavedCatalog,
    /// Databases beside it on a serverless endpoint.
    #[serde(default)]
    pub beside: Vec<SavedCatalog>,
    /// `master`
    pub master: SavedCatalog,
    /// The tenant.
    pub directory: Directory,
    /// Names that look-ups do not find before a second since 1970.
    pub hidden_until: Vec<(String, i64)>,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedState {
    form: u32,
    /// The pool.
    pub pool: SavedPool,
    /// The neighbours, where they are served.
    #[serde(default)]
    pub cloud: Option<CloudState>,
}

/// Why a state is not loaded or kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error("the state file {path}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is no state.
    #[error("what is given as a state is none")]
    Form(#[from] serde_json::Error),
    /// Another release wrote it.
    #[error("the state has the form {0}; form {FORM} is read")]
    OtherForm(u32),
    /// Its parts contradict each other.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

impl SavedState {
    /// What is there now. Rows that open transactions have written are in it.
    pub fn of(pool: &Pool, cloud: Option<&Cloud>) -> Self {
        Self { form: FORM, pool: pool.save(), cloud: cloud.map(Cloud::state) }
    }

    /// Puts it in place of what is there. What it says of neighbours that are not served is left out.
    pub fn restore(self, pool: &Pool, cloud: Option<&Cloud>) -> Result<(), StateError> {
        if self.form != FORM {
            return Err(StateError::OtherForm(self.form));
        }
        pool.load(self.pool)?;
        if let (Some(cloud), Some(state)) = (cloud, self.cloud) {
            cloud.replace(state);
        }
        Ok(())
    }

    /// Reads a file; none where there is no file.
    pub fn read(path: &Path) -> Result<Option<Self>, StateError> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::File { path: path.display().to_string(), source }),
        }
    }

    /// Writes a file: whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), StateError> {
        let bytes = serde_json::to_vec(self)?;
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let written = fs::File::create(&name)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&name, path));
        written.map_err(|source| StateError::File { path: path.display().to_string(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{members, ok, pool, sa};

    #[test]
    fn a_pool_goes_on_from_its_file() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("state.json");
        assert!(SavedState::read(&file).unwrap().is_none());
        let first = pool();
        ok(
            &mut sa(&first),
            &["CREATE USER u WITHOUT LOGIN", "CREATE ROLE r", "EXEC sp_addrolemember 'r', 'u'"],
        );
        SavedState::of(&first, None).write(&file).unwrap();
        let second = pool();
        SavedState::read(&file).unwrap().unwrap().restore(&second, None).unwrap();
        assert_eq!(members(&second, "r"), ["u"]);
        ok(&mut sa(&second), &["CREATE USER v WITHOUT LOGIN"]);
        std::fs::write(&file, "{").unwrap();
        assert!(matches!(SavedState::read(&file), Err(StateError::Form(_))));
    }
}

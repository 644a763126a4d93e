//! The key that signs the journal: a file in the folder of Axon's own secrets.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::Context;
use axon_audit::SigningKey;

const FILE: &str = "journal.key";

/// The key in the folder. One that is not there is made.
pub fn in_folder(folder: &Path) -> anyhow::Result<SigningKey> {
    let file = folder.join(FILE);
    if !file.exists() {
        make(folder, &file).with_context(|| file.display().to_string())?;
    }
    let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
    SigningKey::from_pkcs8(&bytes).with_context(|| file.display().to_string())
}

fn make(folder: &Path, file: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Another process may make one now: it gets its name when it is whole, and the first one stays.
    let mine = folder.join(format!("{FILE}.{}", std::process::id()));
    drop(fs::remove_file(&mine));
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&mine)?;
    out.write_all(&SigningKey::draw()?)?;
    out.sync_all()?;
    let linked = fs::hard_link(&mine, file);
    fs::remove_file(&mine)?;
    match linked {
        Err(error) if !file.exists() => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_journal_has_one_key_which_is_its_owner_s_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("kept");
        let public = || in_folder(&folder).unwrap().public();
        assert_eq!(public(), public());
        let file = folder.join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::write(&file, "x").unwrap();
        assert!(in_folder(&folder).unwrap_err().to_string().contains("journal.key"));
    }
}

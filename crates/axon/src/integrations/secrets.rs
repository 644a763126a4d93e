//! Secrets of Axon's own accounts: a file each, which nobody else of the machine may read.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use secrecy::{ExposeSecret as _, SecretString};

/// The folder, where there is one.
#[derive(Debug, Clone)]
pub struct Secrets(pub Option<PathBuf>);

/// The largest secret, bytes.
const LARGEST: u64 = 64 * 1024;

impl Secrets {
    /// Where a secret lies.
    pub fn file(&self, id: u64) -> anyhow::Result<PathBuf> {
        let folder = self.0.as_ref().context(
            "this server keeps no secrets: name a folder as integrations.secrets in the configuration, or enter with an identity of Entra",
        )?;
        Ok(folder.join(format!("{id}.secret")))
    }

    /// Whether one could be written now: a folder is named, and takes a file. What was tried is taken away.
    pub fn can_be_kept(&self) -> anyhow::Result<()> {
        static TRIALS: AtomicU64 = AtomicU64::new(0);
        // Another replica, or another request, may try at the same time.
        let trial = format!("trial-{}-{}", std::process::id(), TRIALS.fetch_add(1, Ordering::Relaxed));
        let file = self.file(0)?.with_extension(trial);
        write(&file, &String::new().into())?;
        fs::remove_file(&file).context("the folder of secrets")
    }

    /// Writes one beside the one that counts. [`Secrets::take`] lets it count.
    pub fn prepare(&self, id: u64, secret: &SecretString) -> anyhow::Result<()> {
        let next = self.file(id)?.with_extension("next");
        drop(fs::remove_file(&next));
        write(&next, secret)
    }

    /// Puts what was prepared in the place of what counted.
    pub fn take(&self, id: u64) -> anyhow::Result<PathBuf> {
        let file = self.file(id)?;
        fs::rename(file.with_extension("next"), &file).context("a secret's file")?;
        Ok(file)
    }

    /// Forgets what was prepared.
    pub fn drop_prepared(&self, id: u64) {
        if let Ok(file) = self.file(id) {
            // What is not there is forgotten.
            drop(fs::remove_file(file.with_extension("next")));
        }
    }

    /// Reads one.
    pub fn read(&self, id: u64) -> anyhow::Result<SecretString> {
        let file = self.file(id)?;
        if fs::metadata(&file).context("a secret's file")?.len() > LARGEST {
            bail!("a secret's file is over {LARGEST} bytes");
        }
        Ok(fs::read_to_string(&file).context("a secret's file")?.into())
    }

    /// Forgets one.
    pub fn forget(&self, id: u64) {
        self.drop_prepared(id);
        if let Ok(file) = self.file(id)
            && let Err(error) = fs::remove_file(file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, integration.id = id, "a secret that is needed no more stays in its file");
        }
    }
}

/// A new file in the folder, which is made where it is not there.
fn write(file: &Path, secret: &SecretString) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.context("the folder of secrets (integrations.secrets)")?;
    }
    let mut open = OpenOptions::new();
    let mut out = open.write(true).create_new(true).mode(0o600).open(file).context("a secret's file")?;
    out.write_all(secret.expose_secret().as_bytes()).context("a secret's file")?;
    out.sync_all().context("a secret's file")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_its_owner_s_alone_and_counts_when_it_is_taken() {
        let place = tempfile::tempdir().unwrap();
        let secrets = Secrets(Some(place.path().join("kept")));
        assert!(secrets.read(7).is_err());
        secrets.can_be_kept().unwrap();
        assert_eq!(fs::read_dir(place.path().join("kept")).unwrap().count(), 0);
        secrets.prepare(7, &"one".to_owned().into()).unwrap();
        assert!(secrets.read(7).is_err());
        let file = secrets.take(7).unwrap();
        assert_eq!(secrets.read(7).unwrap().expose_secret(), "one");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        secrets.prepare(7, &"two".to_owned().into()).unwrap();
        secrets.drop_prepared(7);
        assert!(secrets.take(7).is_err());
        assert_eq!(secrets.read(7).unwrap().expose_secret(), "one");
        secrets.forget(7);
        assert!(secrets.read(7).is_err());
        assert!(Secrets(Some(place.path().join("kept/nothing\0"))).can_be_kept().is_err());
        assert!(Secrets(None).file(7).unwrap_err().to_string().contains("integrations.secrets"));
    }
}

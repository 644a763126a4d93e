//! Secrets of Axon's own accounts: a file each, which nobody else of the machine may read.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

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

    /// Writes one beside the one that counts. [`Secrets::take`] lets it count.
    pub fn prepare(&self, id: u64, secret: &SecretString) -> anyhow::Result<()> {
        let file = self.file(id)?;
        if let Some(folder) = file.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .context("the folder of secrets")?;
        }
        let next = file.with_extension("next");
        drop(fs::remove_file(&next));
        let mut out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&next)
            .context("a secret's file")?;
        out.write_all(secret.expose_secret().as_bytes()).context("a secret's file")?;
        out.sync_all().context("a secret's file")?;
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_its_owner_s_alone_and_counts_when_it_is_taken() {
        let place = tempfile::tempdir().unwrap();
        let secrets = Secrets(Some(place.path().join("kept")));
        assert!(secrets.read(7).is_err());
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
        assert!(Secrets(None).file(7).unwrap_err().to_string().contains("integrations.secrets"));
    }
}

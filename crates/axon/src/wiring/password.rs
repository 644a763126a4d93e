//! The password of a SQL login that lies in a file: read anew for each login, so that a new one counts from the next login on.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use axon_reconcile::target::{TokenError, TokenSource};
use secrecy::SecretString;

/// The largest password's file, bytes.
const LARGEST: u64 = 64 * 1024;

/// The file.
#[derive(Debug)]
pub struct PasswordFile(pub PathBuf);

#[async_trait::async_trait]
impl TokenSource for PasswordFile {
    async fn token(&self) -> Result<SecretString, TokenError> {
        let path = self.0.clone();
        // A file system may hang; what is in the file is never part of an error.
        tokio::task::spawn_blocking(move || read(&path))
            .await
            .map_err(|error| TokenError(error.to_string()))?
            .map_err(|error| TokenError(format!("{error:#}")))
    }
}

/// What is in the file, without its line end.
pub fn read(path: &Path) -> anyhow::Result<SecretString> {
    let failed = || format!("cannot read the secret file {}, which the role map refers to", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(failed)?;
    file.take(LARGEST + 1).read_to_string(&mut text).with_context(failed)?;
    anyhow::ensure!(text.len() as u64 <= LARGEST, "{}: it is over {LARGEST} bytes", failed());
    Ok(text.trim_end_matches(['\r', '\n']).to_owned().into())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[tokio::test]
    async fn a_new_password_counts_from_the_next_login_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.secret");
        let source = PasswordFile(path.clone());
        assert!(source.token().await.unwrap_err().to_string().contains("1.secret"));
        for password in ["first", "another\r\n"] {
            std::fs::write(&path, password).unwrap();
            assert_eq!(source.token().await.unwrap().expose_secret(), password.trim_end());
        }
        std::fs::write(&path, "x".repeat(64 * 1024 + 1)).unwrap();
        let said = source.token().await.unwrap_err().to_string();
        assert!(said.contains("it is over 65536 bytes"), "{said}");
    }
}

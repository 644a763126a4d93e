//! TLS in the process.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The certificate that clients are shown. The files are read again when they change.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// A PEM file: the server's certificate, then those between it and the authority.
    pub certificate: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
}

impl Tls {
    /// Takes relative paths from the configuration's own folder.
    pub(super) fn anchor(&mut self, folder: &Path) {
        self.certificate = folder.join(&self.certificate);
        self.key = folder.join(&self.key);
    }
}

//! Recording of sessions.

use std::collections::BTreeSet;
use std::path::PathBuf;

use axon_model::SourceId;
use serde::{Deserialize, Serialize};

/// What connectors send and are answered, written into a file for `axon scim replay`. Secrets are masked; names are not.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The file; it is continued where it exists. A relative path is taken from the configuration's folder.
    pub file: PathBuf,
    /// The recording ends before the file is larger than this.
    #[serde(default = "default_max_bytes")]
    pub max_bytes: u64,
    /// Only these sources; all, if left out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sources: BTreeSet<SourceId>,
}

fn default_max_bytes() -> u64 {
    64 * 1024 * 1024
}

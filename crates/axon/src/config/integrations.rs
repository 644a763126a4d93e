//! `integrations`: which servers may be set up over the API, and where Axon's own secrets for them lie.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The integrations API. All of it may be left out.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Integrations {
    /// The servers that may be entered: names, or `*.` and what they end in.
    pub hosts: Vec<String>,
    /// The folder of Axon's own secrets; beside the store, if left out and the store is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<PathBuf>,
    /// How often those in use are looked at.
    pub look_every_seconds: u64,
    /// How many requests of one caller are answered a second.
    pub requests_per_second: u32,
}

impl Default for Integrations {
    fn default() -> Self {
        let hosts = ["*.sql.azuresynapse.net", "*.database.windows.net"].map(str::to_owned).to_vec();
        Self { hosts, secrets: None, look_every_seconds: 3_600, requests_per_second: 20 }
    }
}

impl Integrations {
    /// Takes a relative folder from the configuration's own.
    pub(super) fn anchor(&mut self, folder: &Path) {
        if let Some(secrets) = &mut self.secrets {
            *secrets = folder.join(&*secrets);
        }
    }

    /// What cannot be meant, as the key and the reason.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.look_every_seconds == 0 || self.requests_per_second == 0 {
            let why = "look_every_seconds and requests_per_second must be at least 1";
            return Err(("integrations", why.into()));
        }
        let bad = self.hosts.iter().find(|host| {
            let name = host.strip_prefix("*.").unwrap_or(host);
            name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c))
        });
        bad.map_or(Ok(()), |host| {
            Err(("integrations", format!("hosts: {host:?} is no server's name, nor *. and an end")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_a_whole_part_alone() {
        let with = |host: &str| Integrations { hosts: vec![host.into()], ..Integrations::default() }.check();
        assert!(Integrations::default().check().is_ok());
        for good in ["127.0.0.1", "acme.example", "*.acme.example"] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in ["", "*", "*acme", "a*b", "*.", "a b", "https://x"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}

//! Who Axon is, and what the platform gives it to prove it.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

use super::certificate::Certificate;
use crate::cloud::{BadBase, Base};

/// Who Axon is. `Debug` shows no secret.
pub enum Identity {
    /// The identity that the machine has in Azure.
    Managed {
        /// Which one, where the machine has several: its client id.
        client_id: Option<String>,
    },
    /// A token of the cluster or the CI, exchanged for one of Entra. The file is read again each time, since it is rotated.
    Federated {
        /// The tenant.
        tenant: String,
        /// The application.
        client_id: String,
        /// The file.
        token_file: PathBuf,
    },
    /// An application's secret.
    Secret {
        /// The tenant.
        tenant: String,
        /// The application.
        client_id: String,
        /// The secret.
        secret: SecretString,
    },
    /// An application's certificate.
    Certificate {
        /// The tenant.
        tenant: String,
        /// The application.
        client_id: String,
        /// Certificate and key.
        certificate: Box<Certificate>,
    },
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string())
    }
}

impl fmt::Display for Identity {
    /// In words for people; nothing in it is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = axon_model::name::shown;
        match self {
            Self::Managed { client_id: None } => f.write_str("the machine's managed identity"),
            Self::Managed { client_id: Some(id) } => write!(f, "the managed identity {}", shown(id)),
            Self::Federated { tenant, client_id, .. } => {
                write!(f, "application {} of tenant {} (workload identity)", shown(client_id), shown(tenant))
            }
            Self::Secret { tenant, client_id, .. } => {
                write!(f, "application {} of tenant {} (secret)", shown(client_id), shown(tenant))
            }
            Self::Certificate { tenant, client_id, .. } => {
                write!(f, "application {} of tenant {} (certificate)", shown(client_id), shown(tenant))
            }
        }
    }
}

/// What the platform says of itself. Read anew at every start: the platform changes it.
#[derive(Clone, Default)]
pub struct Platform {
    pub(super) service: Option<(Base, SecretString)>,
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("service", &self.service.as_ref().map(|(at, _)| at)).finish()
    }
}

impl Platform {
    /// Reads `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`, which App Service, Functions and Container Apps set. Without both of them
    /// the machine is a VM or a cluster's node, and is asked at its metadata address.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadBase> {
        let (endpoint, header) = (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER"));
        let service = match (endpoint, header) {
            (Some(endpoint), Some(header)) if !endpoint.is_empty() && !header.is_empty() => {
                Some((Base::parse(&endpoint)?, SecretString::from(header)))
            }
            _ => None,
        };
        Ok(Self { service })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let identity = Identity::Secret {
            tenant: "t".into(),
            client_id: "c".into(),
            secret: SecretString::from("s3cret"),
        };
        let platform = Platform::read(|name| {
            Some(if name == "IDENTITY_HEADER" { "s3cret" } else { "http://127.0.0.1:41/msi/token" }.into())
        })
        .unwrap();
        let text = format!("{identity} {identity:?} {platform:?}");
        assert!(text.contains("application c of tenant t") && text.contains("/msi/token"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn a_platform_needs_both_variables_and_a_safe_address() {
        assert!(Platform::read(|_| None).unwrap().service.is_none());
        let only = |wanted: &'static str| move |name: &str| (name == wanted).then(|| "x".to_owned());
        assert!(Platform::read(only("IDENTITY_ENDPOINT")).unwrap().service.is_none());
        assert!(Platform::read(|_| Some("http://10.1.2.3/msi".into())).is_err());
    }
}

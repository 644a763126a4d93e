//! How somebody enters a database, as a payload says it.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::payload::Fields;

/// The word of `authenticationType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A SQL login.
    UserPassword,
    /// The identity that this server has in Azure.
    ManagedIdentity,
    /// A token of the cluster that this server runs in.
    WorkloadIdentity,
    /// An application's secret.
    ClientSecret,
    /// An application's certificate.
    Certificate,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::UserPassword,
        Self::ManagedIdentity,
        Self::WorkloadIdentity,
        Self::ClientSecret,
        Self::Certificate,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserPassword => "userPassword",
            Self::ManagedIdentity => "managedIdentity",
            Self::WorkloadIdentity => "workloadIdentity",
            Self::ClientSecret => "clientSecret",
            Self::Certificate => "certificate",
        }
    }
}

/// How somebody enters.
#[derive(Clone)]
pub enum Login {
    /// With a SQL login.
    Sql {
        /// Its name.
        user: String,
        /// Its password.
        password: SecretString,
    },
    /// As the identity that this server has in Azure.
    ManagedIdentity {
        /// Which one, where there are several.
        client_id: Option<String>,
    },
    /// With a token of the cluster; where it lies, the platform says.
    WorkloadIdentity {
        /// The tenant.
        tenant_id: String,
        /// The application.
        client_id: String,
    },
    /// With an application's secret.
    ClientSecret {
        /// The tenant.
        tenant_id: String,
        /// The application.
        client_id: String,
        /// The secret.
        secret: SecretString,
    },
    /// With an application's certificate.
    Certificate {
        /// The tenant.
        tenant_id: String,
        /// The application.
        client_id: String,
        /// Certificate and key, PEM.
        pem: SecretString,
    },
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().as_str())
    }
}

/// The keys that say how somebody enters, beside `username`.
pub(super) const KEYS: [&str; 6] =
    ["authenticationType", "password", "tenantId", "clientId", "clientSecret", "certificate"];

impl Login {
    /// Which kind it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Sql { .. } => Kind::UserPassword,
            Self::ManagedIdentity { .. } => Kind::ManagedIdentity,
            Self::WorkloadIdentity { .. } => Kind::WorkloadIdentity,
            Self::ClientSecret { .. } => Kind::ClientSecret,
            Self::Certificate { .. } => Kind::Certificate,
        }
    }

    /// Whether something of it is secret, and would have to be kept.
    pub(super) const fn has_secret(&self) -> bool {
        !matches!(self, Self::ManagedIdentity { .. } | Self::WorkloadIdentity { .. })
    }

    /// Reads it from the fields of an object.
    pub(super) fn of(fields: &Fields<'_>) -> Result<Self, Fault> {
        let kind = kind(fields)?;
        let used: &[&str] = match kind {
            Kind::UserPassword => &["password"],
            Kind::ManagedIdentity => &["clientId"],
            Kind::WorkloadIdentity => &["tenantId", "clientId"],
            Kind::ClientSecret => &["tenantId", "clientId", "clientSecret"],
            Kind::Certificate => &["tenantId", "clientId", "certificate"],
        };
        for key in &KEYS[1..] {
            if fields.has(key) && !used.contains(key) {
                let message =
                    format!("`{}{key}` says nothing with authenticationType {}", fields.path, kind.as_str());
                return Err(Fault::bad(message));
            }
        }
        // A name says nothing of these, and is a text nevertheless.
        fields.text("username")?;
        let application = || Ok::<_, Fault>((fields.needed("tenantId")?, fields.needed("clientId")?));
        Ok(match kind {
            Kind::UserPassword => {
                Self::Sql { user: fields.needed("username")?, password: fields.secret("password")? }
            }
            Kind::ManagedIdentity => Self::ManagedIdentity { client_id: fields.text("clientId")? },
            Kind::WorkloadIdentity => {
                let (tenant_id, client_id) = application()?;
                Self::WorkloadIdentity { tenant_id, client_id }
            }
            Kind::ClientSecret => {
                let (tenant_id, client_id) = application()?;
                Self::ClientSecret { tenant_id, client_id, secret: fields.secret("clientSecret")? }
            }
            Kind::Certificate => {
                let (tenant_id, client_id) = application()?;
                Self::Certificate { tenant_id, client_id, pem: fields.secret("certificate")? }
            }
        })
    }
}

/// The word of `authenticationType`; a SQL login where nothing is said.
pub(super) fn kind(fields: &Fields<'_>) -> Result<Kind, Fault> {
    let Some(word) = fields.text("authenticationType")? else { return Ok(Kind::UserPassword) };
    Kind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| {
        let known = Kind::ALL.map(Kind::as_str).join(", ");
        Fault::bad(format!("`{}authenticationType` must be one of {known}", fields.path))
    })
}

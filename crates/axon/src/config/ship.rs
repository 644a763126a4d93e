//! `audit.ship`: where the journal is sent beside the store.

use std::path::Path;

use axon_azure::{Base, check_stream};
use axon_mapping::{Auth, SecretRef};
use serde::{Deserialize, Serialize};

/// What becomes of the journal beside the store.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Where it is sent; nowhere, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ship: Option<Ship>,
}

/// A stream of Azure Monitor.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ship {
    /// What kind of sink it is.
    pub kind: ShipKind,
    /// The address of log ingestion: the rule's own, or that of its data collection endpoint.
    pub endpoint: String,
    /// The immutable id of the data collection rule, such as `dcr-0123456789abcdef0123456789abcdef`.
    pub rule_id: String,
    /// The stream that the rule declares.
    #[serde(default = "default_stream")]
    pub stream: String,
    /// How Axon proves who it is there; as `auth` of a target.
    #[serde(default)]
    pub auth: ShipAuth,
    /// Whether names, documents and statements are sent, too. What was sent cannot be erased by Axon.
    #[serde(default)]
    pub names: bool,
}

fn default_stream() -> String {
    "Custom-Axon_CL".into()
}

/// What kind of sink it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShipKind {
    /// Log ingestion of Azure Monitor.
    AzureMonitor,
}

/// How Axon proves who it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(
    untagged,
    expecting = "`auth` is `managed-identity` or one of {managed-identity: {client_id}}, {workload-identity: {tenant_id, \
                 client_id, token_file}}, {client-secret: {tenant_id, client_id, secret}}, {client-certificate: {tenant_id, \
                 client_id, certificate}}, {token-file: FILE}, {token-command: [PROGRAM, …]}"
)]
pub enum ShipAuth {
    /// The machine's only identity.
    Word(Word),
    /// Any other way.
    Way(Way),
}

/// The way that needs no word more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// The machine's only identity.
    #[default]
    ManagedIdentity,
}

/// A way to authenticate, with what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case", deny_unknown_fields)]
pub enum Way {
    /// One of several identities of the machine.
    ManagedIdentity {
        /// Which one.
        client_id: String,
    },
    /// A token that is exchanged.
    WorkloadIdentity {
        /// The tenant.
        tenant_id: String,
        /// The application.
        client_id: String,
        /// The file that holds the token to exchange.
        token_file: String,
    },
    /// An application's secret.
    ClientSecret {
        /// The tenant.
        tenant_id: String,
        /// The application.
        client_id: String,
        /// `${env:NAME}` or `${file:PATH}`.
        secret: String,
    },
    /// An application's certificate.
    ClientCertificate {
        /// The tenant.
        tenant_id: String,
        /// The application.
        client_id: String,
        /// `${file:PATH}` of certificate and key in PEM.
        certificate: String,
    },
    /// A file that holds an access token.
    TokenFile(String),
    /// A program that prints an access token.
    TokenCommand(Vec<String>),
}

impl Default for ShipAuth {
    fn default() -> Self {
        Self::Word(Word::ManagedIdentity)
    }
}

type Bad = (&'static str, String);

fn reference(text: &str, key: &'static str) -> Result<SecretRef, Bad> {
    let inside = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match inside.and_then(|inside| inside.split_once(':')) {
        Some(("env", name)) if !name.is_empty() => Ok(SecretRef::Env(name.to_owned())),
        Some(("file", path)) if !path.is_empty() => Ok(SecretRef::File(path.to_owned())),
        // What was written is a secret, perhaps: it is not repeated.
        _ => Err((
            key,
            "must be a reference, ${env:NAME} or ${file:PATH}: a secret is never written here".into(),
        )),
    }
}

/// The same reference with its file taken from a folder.
fn anchored(text: &str, folder: &Path) -> String {
    match text.strip_prefix("${file:").and_then(|rest| rest.strip_suffix('}')) {
        Some(file) => format!("${{file:{}}}", folder.join(file).display()),
        None => text.to_owned(),
    }
}

impl Ship {
    /// Takes relative paths from the configuration's own folder.
    pub(super) fn anchor(&mut self, folder: &Path) {
        let ShipAuth::Way(way) = &mut self.auth else { return };
        match way {
            Way::WorkloadIdentity { token_file: file, .. } | Way::TokenFile(file) => {
                *file = folder.join(&*file).display().to_string();
            }
            Way::ClientSecret { secret, .. } => *secret = anchored(secret, folder),
            Way::ClientCertificate { certificate, .. } => *certificate = anchored(certificate, folder),
            Way::ManagedIdentity { .. } | Way::TokenCommand(_) => {}
        }
    }

    /// The address; an error names the key and what is wrong with it.
    pub fn base(&self) -> Result<Base, Bad> {
        Base::parse(&self.endpoint).map_err(|error| ("audit.ship.endpoint", error.to_string()))
    }

    /// Checks what can be checked without asking anybody.
    pub fn check(&self) -> Result<(), Bad> {
        self.base()?;
        check_stream(&self.rule_id, &self.stream).map_err(|error| ("audit.ship", error.to_string()))?;
        self.auth().map(|_| ())
    }

    /// How Axon proves who it is, in the role map's terms.
    pub fn auth(&self) -> Result<Auth, Bad> {
        Ok(match self.auth.clone() {
            ShipAuth::Word(Word::ManagedIdentity) => Auth::ManagedIdentity { client_id: None },
            ShipAuth::Way(way) => match way {
                Way::ManagedIdentity { client_id } => Auth::ManagedIdentity { client_id: Some(client_id) },
                Way::WorkloadIdentity { tenant_id, client_id, token_file } => {
                    Auth::WorkloadIdentity { tenant_id, client_id, token_file }
                }
                Way::ClientSecret { tenant_id, client_id, secret } => {
                    let secret = reference(&secret, "audit.ship.auth.client-secret.secret")?;
                    Auth::ClientSecret { tenant_id, client_id, secret }
                }
                Way::ClientCertificate { tenant_id, client_id, certificate } => {
                    let key = "audit.ship.auth.client-certificate.certificate";
                    let certificate = reference(&certificate, key)?;
                    Auth::ClientCertificate { tenant_id, client_id, certificate }
                }
                Way::TokenFile(file) => Auth::TokenFile(file),
                Way::TokenCommand(argv) if argv.is_empty() => {
                    return Err(("audit.ship.auth.token-command", "names no program".into()));
                }
                Way::TokenCommand(argv) => Auth::TokenCommand(argv),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "dcr-0123456789abcdef0123456789abcdef";

    fn ship(rest: &str) -> Result<Ship, String> {
        let yaml = format!(
            "{{kind: azure-monitor, endpoint: 'https://x.ingest.monitor.azure.com', rule_id: {RULE}{rest}}}"
        );
        serde_saphyr::from_str(&yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn the_least_takes_the_machine_s_identity_and_leaves_names_here() {
        let ship = ship("").unwrap();
        assert_eq!((ship.stream.as_str(), ship.names), ("Custom-Axon_CL", false));
        assert_eq!(ship.auth(), Ok(Auth::ManagedIdentity { client_id: None }));
        assert_eq!(ship.check(), Ok(()));
    }

    #[test]
    fn each_way_of_a_target_is_one_here_with_paths_from_the_configuration_s_folder() {
        let ids = "tenant_id: t, client_id: c";
        for (auth, expected) in [
            ("managed-identity".to_owned(), Auth::ManagedIdentity { client_id: None }),
            (
                "{managed-identity: {client_id: c}}".into(),
                Auth::ManagedIdentity { client_id: Some("c".into()) },
            ),
            (
                format!("{{workload-identity: {{{ids}, token_file: t.jwt}}}}"),
                Auth::WorkloadIdentity {
                    tenant_id: "t".into(),
                    client_id: "c".into(),
                    token_file: "/etc/axon/t.jwt".into(),
                },
            ),
            (
                format!("{{client-secret: {{{ids}, secret: '${{file:s}}'}}}}"),
                Auth::ClientSecret {
                    tenant_id: "t".into(),
                    client_id: "c".into(),
                    secret: SecretRef::File("/etc/axon/s".into()),
                },
            ),
            (
                format!("{{client-certificate: {{{ids}, certificate: '${{env:PEM}}'}}}}"),
                Auth::ClientCertificate {
                    tenant_id: "t".into(),
                    client_id: "c".into(),
                    certificate: SecretRef::Env("PEM".into()),
                },
            ),
            ("{token-file: token}".into(), Auth::TokenFile("/etc/axon/token".into())),
            (
                "{token-command: [az, account]}".into(),
                Auth::TokenCommand(vec!["az".into(), "account".into()]),
            ),
        ] {
            let mut ship = ship(&format!(", auth: {auth}")).unwrap();
            ship.anchor(Path::new("/etc/axon"));
            assert_eq!(ship.auth(), Ok(expected), "{auth}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_and_a_secret_in_clear_is_not_repeated() {
        let written = ship(", auth: {client-secret: {tenant_id: t, client_id: c, secret: hunter2}}").unwrap();
        let (key, why) = written.check().unwrap_err();
        assert!(key.ends_with("secret") && why.contains("${env:NAME}") && !why.contains("hunter2"), "{why}");
        let said = ship(", auth: kerberos").unwrap_err();
        assert!(said.contains("managed-identity"), "{said}");
        for (from, to, word) in
            [(RULE, "my-rule", "dcr-"), ("https://x.ingest.monitor.azure.com", "http://x.example", "https")]
        {
            let mut ship = ship("").unwrap();
            ship.endpoint = ship.endpoint.replace(from, to);
            ship.rule_id = ship.rule_id.replace(from, to);
            assert!(ship.check().unwrap_err().1.contains(word));
        }
        let mut other = ship("").unwrap();
        other.stream = "Syslog".into();
        assert!(other.check().unwrap_err().1.contains("Custom-"));
    }
}

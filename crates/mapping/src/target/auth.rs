//! `auth` and `tls`: how Axon gets in. No line of `auth` is ever quoted in a fault.

use super::{SecretRef, Tls};
use crate::diagnostic::{Diagnostic, Fault};
use crate::place::Span;
use crate::read::Reader;
use crate::yaml::{Node, Scalar, Value, shown};

/// How Axon authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// A SQL login.
    Sql {
        /// Its name.
        user: String,
        /// Where its password is.
        password: SecretRef,
    },
    /// A file that holds an access token, read anew for each connection.
    TokenFile(String),
    /// A program and its arguments that print an access token.
    TokenCommand(Vec<String>),
    /// The identity that the machine has in Azure.
    ManagedIdentity {
        /// Which one, where the machine has several.
        client_id: Option<String>,
    },
    /// A token of the cluster or the CI, exchanged for one of Entra.
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
        /// Where the secret is.
        secret: SecretRef,
    },
    /// An application's certificate.
    ClientCertificate {
        /// The tenant.
        tenant_id: String,
        /// The application.
        client_id: String,
        /// Where certificate and key are.
        certificate: SecretRef,
    },
}

impl Auth {
    /// The word in the map.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sql { .. } => "sql",
            Self::TokenFile(_) => "token-file",
            Self::TokenCommand(_) => "token-command",
            Self::ManagedIdentity { .. } => "managed-identity",
            Self::WorkloadIdentity { .. } => "workload-identity",
            Self::ClientSecret { .. } => "client-secret",
            Self::ClientCertificate { .. } => "client-certificate",
        }
    }

    /// Whether this version can get in so. The others are read and checked.
    pub fn is_carried_out(&self) -> bool {
        match self {
            Self::Sql { .. }
            | Self::TokenFile(_)
            | Self::TokenCommand(_)
            | Self::ManagedIdentity { .. }
            | Self::WorkloadIdentity { .. }
            | Self::ClientSecret { .. }
            | Self::ClientCertificate { .. } => true,
        }
    }
}

pub(super) fn tls(reader: &Reader<'_>, node: &Node, host: &str) -> Option<Tls> {
    if let Value::Text(_) = &node.value {
        reader.word(node, "`tls`", &[("off", ())])?;
        if !is_loopback(host) {
            let message = "`tls: off` is for this machine itself only";
            reader.fault_help(
                Fault::Invalid,
                node.span,
                message,
                "leave `tls` out, or name the authority: tls: {ca: FILE}",
            );
            return None;
        }
        return Some(Tls::Off);
    }
    let fields = reader.fields(node, "`tls`", &["ca"], &[])?;
    let ca = fields.need(reader, "ca")?;
    Some(Tls::Ca(reader.text(ca, "`tls.ca`")?.text))
}

pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

const KNOWN: &str = "one of: managed-identity, {managed-identity: {client_id: …}}, {workload-identity: …}, {client-secret: …}, \
     {client-certificate: …}, {token-file: PATH}, {token-command: [PROGRAM, …]}, {sql: {user: …, password: …}}";

/// Tells faults without their lines: a mistyped key must not show a secret.
struct Quiet<'r, 'f>(&'r Reader<'f>);

impl Quiet<'_, '_> {
    fn fault(&self, kind: Fault, span: Span, message: impl Into<String>, help: &str) {
        self.0.push(Diagnostic::new(self.0.files, kind, span, message).unquoted().help(help));
    }

    /// The entries of a way's keys, all known and all needed ones there.
    fn keys<'n>(
        &self,
        node: &'n Node,
        way: &str,
        known: &[&str],
        form: &str,
    ) -> Option<&'n [(Scalar, Node)]> {
        let Value::Map(entries) = &node.value else {
            let needs: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
            self.fault(Fault::Invalid, node.span, format!("`{way}` needs {}", needs.join(" and ")), form);
            return None;
        };
        for (key, _) in entries.iter().filter(|(k, _)| !known.contains(&k.text.as_str())) {
            self.fault(Fault::Unknown, key.span, format!("`{way}` has no key `{}`", shown(&key.text)), form);
        }
        Some(entries)
    }

    fn need<'n>(
        &self,
        entries: &'n [(Scalar, Node)],
        span: Span,
        way: &str,
        key: &str,
        form: &str,
    ) -> Option<&'n Node> {
        let found = entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node);
        if found.is_none() {
            self.fault(Fault::Missing, span, format!("`{way}` needs the key `{key}`"), form);
        }
        found
    }

    fn text(&self, node: &Node, what: &str, form: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) if !text.text.is_empty() && !text.text.contains("${") => {
                Some(text.text.clone())
            }
            _ => {
                self.fault(Fault::Invalid, node.span, format!("`{what}` must be plain text"), form);
                None
            }
        }
    }

    /// A reference to a secret: the only place of the language where `${env:…}` and `${file:…}` stand.
    fn secret(&self, node: &Node, what: &str, form: &str) -> Option<SecretRef> {
        let Value::Text(text) = &node.value else {
            self.fault(Fault::Invalid, node.span, format!("`{what}` must be a reference"), form);
            return None;
        };
        let reference =
            text.text.strip_prefix("${").and_then(|t| t.strip_suffix('}')).and_then(|t| t.split_once(':'));
        match reference {
            Some(("env", name)) if !name.is_empty() => Some(SecretRef::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Some(SecretRef::File(path.to_owned())),
            _ => {
                self.fault(Fault::Invalid, text.span, format!("a {what} is never written in the map"), form);
                None
            }
        }
    }
}

/// Reads `auth`.
pub(super) fn auth(reader: &Reader<'_>, node: &Node) -> Option<Auth> {
    let quiet = Quiet(reader);
    let (key, value) = match &node.value {
        Value::Text(t) if t.text == "managed-identity" => {
            return Some(Auth::ManagedIdentity { client_id: None });
        }
        Value::Map(entries) if entries.len() == 1 => &entries[0],
        _ => {
            quiet.fault(Fault::Invalid, node.span, "`auth` names one way to authenticate", KNOWN);
            return None;
        }
    };
    match key.text.as_str() {
        "token-file" => Some(Auth::TokenFile(reader.text(value, "`token-file`")?.text)),
        "token-command" => command(reader, value),
        "sql" => {
            let form = "write {user: NAME, password: \"${env:NAME}\"} or \"${file:PATH}\"";
            let entries = quiet.keys(value, "sql", &["user", "password"], form)?;
            let user = quiet.need(entries, value.span, "sql", "user", form);
            let password = quiet.need(entries, value.span, "sql", "password", form);
            let (user, password) = (
                quiet.text(user?, "user", form),
                password.and_then(|node| quiet.secret(node, "password", form)),
            );
            Some(Auth::Sql { user: user?, password: password? })
        }
        "managed-identity" => {
            let form = "write managed-identity, or {managed-identity: {client_id: …}}";
            let entries = quiet.keys(value, "managed-identity", &["client_id"], form)?;
            let client = quiet.need(entries, value.span, "managed-identity", "client_id", form)?;
            Some(Auth::ManagedIdentity { client_id: Some(quiet.text(client, "client_id", form)?) })
        }
        way @ ("workload-identity" | "client-secret" | "client-certificate") => {
            application(&quiet, way, value)
        }
        other => {
            quiet.fault(Fault::Unknown, key.span, format!("`auth` has no way `{}`", shown(other)), KNOWN);
            None
        }
    }
}

fn command(reader: &Reader<'_>, value: &Node) -> Option<Auth> {
    let items = reader.list(value, "`token-command`");
    let words: Vec<String> =
        items.iter().filter_map(|n| Some(reader.text(n, "`token-command`")?.text)).collect();
    if items.is_empty() && matches!(value.value, Value::List(_)) {
        let message = "`token-command` names a program and its arguments";
        Quiet(reader).fault(Fault::Invalid, value.span, message, KNOWN);
    }
    (!words.is_empty() && words.len() == items.len()).then_some(Auth::TokenCommand(words))
}

/// The three ways of an application registered in a tenant.
fn application(quiet: &Quiet<'_, '_>, way: &str, node: &Node) -> Option<Auth> {
    let (last, form) = match way {
        "workload-identity" => ("token_file", "write {tenant_id: …, client_id: …, token_file: PATH}"),
        "client-secret" => ("secret", "write {tenant_id: …, client_id: …, secret: \"${env:NAME}\"}"),
        _ => ("certificate", "write {tenant_id: …, client_id: …, certificate: \"${file:PATH}\"}"),
    };
    let entries = quiet.keys(node, way, &["tenant_id", "client_id", last], form)?;
    let need = |key| quiet.need(entries, node.span, way, key, form);
    let (tenant, client, last_node) = (need("tenant_id"), need("client_id"), need(last));
    let text = |node: Option<&Node>, what| node.and_then(|n| quiet.text(n, what, form));
    let (tenant_id, client_id) = (text(tenant, "tenant_id"), text(client, "client_id"));
    Some(match way {
        "workload-identity" => {
            let token_file = text(last_node, "token_file");
            Auth::WorkloadIdentity { tenant_id: tenant_id?, client_id: client_id?, token_file: token_file? }
        }
        "client-secret" => {
            let secret = last_node.and_then(|n| quiet.secret(n, "secret", form));
            Auth::ClientSecret { tenant_id: tenant_id?, client_id: client_id?, secret: secret? }
        }
        _ => {
            let certificate = last_node.and_then(|n| quiet.secret(n, "certificate", form));
            Auth::ClientCertificate {
                tenant_id: tenant_id?,
                client_id: client_id?,
                certificate: certificate?,
            }
        }
    })
}

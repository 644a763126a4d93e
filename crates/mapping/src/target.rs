//! `targets`: where access is enforced, how Axon gets in, and what it may touch there.

mod auth;

use std::fmt;

use axon_model::SqlName;
use axon_reconcile::{Glob, Mode};

use crate::diagnostic::Fault;
use crate::names::{RoleName, TargetName};
use crate::place::{Place, Span};
use crate::read::{Fields, Reader};
use crate::template::{Holes, Template};
use crate::yaml::{Node, Scalar, Value, shown};

/// What kind of place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// A dedicated SQL pool.
    SynapseDedicated,
}

/// How people get in: one principal each, or one for a whole group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// One database user for each person.
    Person,
    /// The Entra group is one principal.
    Group,
}

/// A reference to a secret, which the binary resolves. `Debug` says nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `${env:NAME}`
    Env(String),
    /// `${file:PATH}`
    File(String),
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretRef(..)")
    }
}

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
}

/// How the connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// The system's certificate authorities.
    System,
    /// The authorities in this file.
    Ca(String),
    /// None: only on this machine itself.
    Off,
}

/// What Axon may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manage {
    /// Roles that it creates, fills, empties, drops.
    pub roles: Vec<Glob>,
    /// Schemas whose objects are Axon's own.
    pub schemas: Vec<Glob>,
    /// Whether every Entra user is managed, or those that the directory knows or knew.
    pub every_external: bool,
}

/// A target of the map.
#[derive(Debug, Clone)]
pub struct TargetSpec {
    /// Its name in the map.
    pub name: TargetName,
    /// Where it is declared.
    pub place: Place,
    /// What it is.
    pub kind: TargetKind,
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// How Axon authenticates.
    pub auth: Auth,
    /// How the connection is protected.
    pub tls: Tls,
    /// Where a person's Entra object id is known from.
    pub object_id: Option<Template>,
    /// How far Axon may go.
    pub mode: Mode,
    /// How people get in, where the mapping does not say it.
    pub via: Via,
    /// How a person is named there.
    pub principal: Template,
    /// How a role is named there.
    pub role_name: Template,
    /// What may be touched.
    pub manage: Manage,
}

impl TargetSpec {
    /// The name of a role of the map in this target.
    pub fn role(&self, role: &RoleName) -> Result<SqlName, String> {
        let text =
            self.role_name.fill(|_| Some(role.as_str().into())).map_err(|hole| format!("no {{{hole}}}"))?;
        SqlName::parse(&text).map_err(|e| e.to_string())
    }
}

const KEYS: &[&str] = &[
    "kind",
    "host",
    "port",
    "database",
    "auth",
    "tls",
    "object_id",
    "mode",
    "via",
    "principal",
    "role_name",
    "manage",
];
/// Keys of other kinds of target.
const LATER: &[&str] = &["endpoint", "scope", "dialect", "out"];

/// Reads one target.
pub(crate) fn read(reader: &Reader<'_>, name: &Scalar, node: &Node) -> Option<TargetSpec> {
    let what = format!("target `{}`", shown(&name.text));
    let target: Option<TargetName> = name.text.parse().ok();
    if target.is_none() {
        let message = format!("`{}` cannot be a target's name", shown(&name.text));
        reader.fault_help(Fault::Invalid, name.span, message, crate::names::BadName.to_string());
    }
    // A kind that cannot be built has keys of its own: its other faults would be noise.
    let kinds: &[(&str, Option<TargetKind>)] = &[
        ("synapse-dedicated", Some(TargetKind::SynapseDedicated)),
        ("synapse-serverless", None),
        ("synapse-workspace", None),
        ("azure-rbac", None),
        ("script", None),
    ];
    if let Value::Map(entries) = &node.value
        && let Some((_, kind)) = entries.iter().find(|(k, _)| k.text == "kind")
        && let Some(None) = reader.word(kind, &format!("`kind` of {what}"), kinds)
    {
        let text = reader.text(kind, "kind").map(|t| t.text).unwrap_or_default();
        reader.not_yet(kind.span, &format!("a target of kind `{text}`"));
        return None;
    }
    let fields = reader.fields(node, &what, KEYS, LATER)?;
    let kind = fields.need(reader, "kind");
    let text = |key: &str| fields.get(key).and_then(|n| reader.text(n, &format!("`{key}` of {what}")));
    let (host, database) = (
        fields.need(reader, "host").and(text("host")),
        fields.need(reader, "database").and(text("database")),
    );
    let host_text = host.as_ref().map(|t| t.text.clone()).unwrap_or_default();
    let port =
        fields.get("port").map_or(Some(1433), |n| reader.number(n, &format!("`port` of {what}"), 1..=65_535));
    let auth_node = fields.need(reader, "auth");
    let auth = auth_node.and_then(|n| auth::auth(reader, n));
    let tls = fields.get("tls").map_or(Some(Tls::System), |n| auth::tls(reader, n, &host_text));
    let modes =
        [("observe", Mode::Observe), ("additive", Mode::Additive), ("authoritative", Mode::Authoritative)];
    let mode = fields
        .get("mode")
        .map_or(Some(Mode::Observe), |n| reader.word(n, &format!("`mode` of {what}"), &modes));
    let via =
        fields.get("via").map_or(Some(Via::Person), |n| read_via(reader, n, &format!("`via` of {what}")));
    let object_id = match fields.get("object_id") {
        Some(node) => Some(template(reader, node, "`object_id`", Holes::User)?),
        None => None,
    };
    let principal = or_default(reader, &fields, "principal", "{userName}", Holes::User);
    let role_name = or_default(reader, &fields, "role_name", "axon_{role}", Holes::Names(&["role"]));
    if let (Some(template), Some(node)) = (&role_name, fields.get("role_name"))
        && template.holes().next().is_none()
    {
        reader.fault(Fault::Invalid, node.span, "`role_name` without `{role}` gives all roles one name");
    }
    if let (Some(template), Some(node)) = (&principal, fields.get("principal"))
        && template.holes().next().is_none()
    {
        reader.fault(Fault::Invalid, node.span, "`principal` without a path gives all people one name");
    }
    let manage = manage(reader, &fields, &what, role_name.as_ref());
    if let (Some(Auth::Sql { .. }), Some(Mode::Additive | Mode::Authoritative), Some(node)) =
        (&auth, mode, auth_node)
    {
        needs_entra(reader, node.span, &what);
    }
    kind?;
    Some(TargetSpec {
        name: target?,
        place: reader.place(name.span),
        kind: TargetKind::SynapseDedicated,
        host: host?.text,
        port: u16::try_from(port?).unwrap_or(1433),
        database: database?.text,
        auth: auth?,
        tls: tls?,
        object_id,
        mode: mode?,
        via: via?,
        principal: principal?,
        role_name: role_name?,
        manage: manage?,
    })
}

/// Decision 20: a session of a SQL login cannot create Entra users (33159), so the map is refused before anybody waits.
fn needs_entra(reader: &Reader<'_>, span: Span, what: &str) {
    let message = format!("{what} creates Entra users, which a SQL login cannot do (error 33159)");
    let fault = crate::diagnostic::Diagnostic::new(reader.files, Fault::Invalid, span, message).unquoted();
    reader.push(fault.help("use `token-file` or `token-command`, or leave the target in `mode: observe`"));
}

pub(crate) fn read_via(reader: &Reader<'_>, node: &Node, what: &str) -> Option<Via> {
    reader.word(node, what, &[("person", Via::Person), ("group", Via::Group)])
}

fn or_default(
    reader: &Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    default: &str,
    holes: Holes<'_>,
) -> Option<Template> {
    match fields.get(key) {
        Some(node) => template(reader, node, &format!("`{key}`"), holes),
        None => Template::parse(default, holes).ok(),
    }
}

pub(crate) fn template(reader: &Reader<'_>, node: &Node, what: &str, holes: Holes<'_>) -> Option<Template> {
    let text = reader.text(node, what)?;
    match Template::parse(&text.text, holes) {
        Ok(template) => Some(template),
        Err(e) => {
            reader.fault(Fault::Invalid, text.part(e.from, e.to), format!("{what}: {}", e.message));
            None
        }
    }
}

fn globs(reader: &Reader<'_>, node: &Node, what: &str) -> Vec<Glob> {
    reader.list(node, what).iter().filter_map(|n| reader.text(n, what)).map(|t| Glob::new(&t.text)).collect()
}

fn manage(
    reader: &Reader<'_>,
    target: &Fields<'_>,
    what: &str,
    role_name: Option<&Template>,
) -> Option<Manage> {
    // What `role_name` can give is what is managed, where the map does not say it.
    let by_name = role_name?.fill(|_| Some("*".into())).ok()?;
    let mut manage = Manage { roles: vec![Glob::new(&by_name)], schemas: Vec::new(), every_external: false };
    let Some(node) = target.get("manage") else { return Some(manage) };
    let fields =
        reader.fields(node, &format!("`manage` of {what}"), &["roles", "schemas", "principals"], &[])?;
    if let Some(node) = fields.get("roles") {
        manage.roles = globs(reader, node, "`manage.roles`");
    }
    if let Some(node) = fields.get("schemas") {
        manage.schemas = globs(reader, node, "`manage.schemas`");
    }
    if let Some(node) = fields.get("principals") {
        manage.every_external =
            reader.word(node, "`manage.principals`", &[("mapped", false), ("external", true)])?;
    }
    Some(manage)
}

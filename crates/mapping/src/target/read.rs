//! Reading a target.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{Glob, Mode};

use super::auth::{self, Auth, is_loopback};
use super::{Endpoint, Manage, ScriptPlace, ScriptSeen, SqlServer, TargetKind, TargetSpec, Tls, Via, Words};
use crate::diagnostic::Fault;
use crate::grant::assigned::{folded, of_workspace};
use crate::names::TargetName;
use crate::place::Span;
use crate::read::{Fields, Reader};
use crate::template::{Holes, Template};
use crate::yaml::{Node, Scalar, Value, shown};

/// Keys of a database that Axon enters.
pub(crate) const SQL_KEYS: &[&str] = &[
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
    "metadata",
];
/// Keys of a workspace.
pub(crate) const WORKSPACE_KEYS: &[&str] =
    &["kind", "endpoint", "workspace", "auth", "object_id", "mode", "via", "principal", "manage"];
/// Keys of a scope of Azure.
pub(crate) const AZURE_KEYS: &[&str] =
    &["kind", "scope", "auth", "object_id", "mode", "via", "principal", "manage"];
/// Keys of a script.
pub(crate) const SCRIPT_KEYS: &[&str] = &[
    "kind",
    "dialect",
    "database",
    "out",
    "catalog",
    "host",
    "port",
    "tls",
    "auth",
    "object_id",
    "mode",
    "via",
    "principal",
    "role_name",
    "manage",
];
/// Keys of `manage`.
pub(crate) const MANAGE_KEYS: &[&str] = &["roles", "except", "schemas", "principals"];

fn keys(kind: TargetKind) -> &'static [&'static str] {
    match kind {
        TargetKind::SynapseDedicated | TargetKind::SynapseServerless => SQL_KEYS,
        TargetKind::SynapseWorkspace => WORKSPACE_KEYS,
        TargetKind::AzureRbac => AZURE_KEYS,
        TargetKind::Script => SCRIPT_KEYS,
    }
}

/// Reads one target.
pub(crate) fn read(reader: &Reader<'_>, name: &Scalar, node: &Node) -> Option<TargetSpec> {
    let what = format!("target `{}`", shown(&name.text));
    let target: Option<TargetName> = name.text.parse().ok();
    if target.is_none() {
        let message = format!("`{}` cannot be a target's name", shown(&name.text));
        reader.fault_help(Fault::Invalid, name.span, message, crate::names::BadName.to_string());
    }
    let kinds: Vec<(&str, TargetKind)> = TargetKind::ALL.iter().map(|k| (k.name(), *k)).collect();
    let kind_node = match &node.value {
        Value::Map(entries) => entries.iter().find(|(k, _)| k.text == "kind").map(|(_, node)| node),
        _ => None,
    };
    let kind = match kind_node {
        Some(node) => reader.word(node, &format!("`kind` of {what}"), &kinds),
        None => None,
    };
    // Of an unknown kind nothing more can be said: its other faults would be noise.
    if kind_node.is_some() && kind.is_none() {
        return None;
    }
    let fields = reader.fields(node, &what, kind.map_or(SQL_KEYS, keys), &[])?;
    fields.need(reader, "kind");
    let kind = kind?;
    let endpoint = endpoint(reader, &fields, &what, kind);
    // A script needs a way in only where it says which server is read.
    let enters = kind != TargetKind::Script || fields.get("host").is_some();
    let auth_node = if enters { fields.need(reader, "auth") } else { fields.get("auth") };
    let idle = if enters { &[][..] } else { &["auth", "port", "tls"] };
    for (key, node) in idle.iter().filter_map(|key| Some((key, fields.get(key)?))) {
        let message = format!("`{key}` of {what} says nothing without a `host`");
        reader.fault_help(Fault::Invalid, node.span, message, "say which server is read, or leave it out");
    }
    let auth = auth_node.and_then(|n| auth::auth(reader, n));
    let modes =
        [("observe", Mode::Observe), ("additive", Mode::Additive), ("authoritative", Mode::Authoritative)];
    let mode = fields
        .get("mode")
        .map_or(Some(Mode::Observe), |n| reader.word(n, &format!("`mode` of {what}"), &modes));
    // Role assignments of Azure are counted against a limit of the subscription: groups are the rule there.
    let usual = if kind == TargetKind::AzureRbac { Via::Group } else { Via::Person };
    let via = fields.get("via").map_or(Some(usual), |n| read_via(reader, n, &format!("`via` of {what}")));
    let workspace = fields.get("workspace").map(|n| workspace(reader, n, &what));
    let object_id = fields.get("object_id").map(|n| template(reader, n, "`object_id`", Holes::User));
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
    let manage = manage(reader, &fields, &what, kind, role_name.as_ref());
    let metadata = super::metadata::read(reader, fields.get("metadata"), &what);
    let accept_groups = super::metadata::accept_groups(reader, fields.get("metadata"));
    if let (Some(Auth::Sql { .. }), Some(node)) = (&auth, auth_node) {
        if kind.words() == Words::Roles {
            let message = format!("{what} is no database: a SQL login opens nothing there");
            let fault = crate::diagnostic::Diagnostic::new(reader.files, Fault::Invalid, node.span, message);
            reader.push(fault.unquoted().help("use `managed-identity`, or another identity of Entra"));
        } else if kind != TargetKind::Script
            && matches!(mode, Some(Mode::Additive | Mode::Authoritative))
            && manage.as_ref().is_none_or(|manage| !manage.only_existing)
        {
            needs_entra(reader, node.span, &what);
        }
    }
    let auth = if enters { Some(auth?) } else { None };
    let workspace = match workspace {
        Some(read) => Some(read?),
        None => None,
    };
    let object_id = match object_id {
        Some(read) => Some(read?),
        None => None,
    };
    Some(TargetSpec {
        name: target?,
        place: reader.place(name.span),
        kind,
        endpoint: endpoint?,
        workspace,
        auth,
        object_id,
        mode: mode?,
        via: via?,
        principal: principal?,
        role_name: role_name?,
        manage: manage?,
        metadata: metadata?,
        accept_groups,
    })
}

fn endpoint(reader: &Reader<'_>, fields: &Fields<'_>, what: &str, kind: TargetKind) -> Option<Endpoint> {
    let need =
        |key: &str| fields.need(reader, key).and_then(|n| reader.text(n, &format!("`{key}` of {what}")));
    match kind {
        TargetKind::SynapseDedicated | TargetKind::SynapseServerless => {
            let (host, database) = (need("host"), database(reader, fields, what));
            server(reader, fields, what, host, database).map(Endpoint::Sql)
        }
        TargetKind::SynapseWorkspace => {
            let text = need("endpoint")?;
            let address = text.text.trim_end_matches('/');
            let host = address.strip_prefix("https://").or_else(|| {
                address
                    .strip_prefix("http://")
                    .filter(|rest| is_loopback(rest.rsplit_once(':').map_or(*rest, |(host, _)| host)))
            });
            let plain = host.is_some_and(|h| {
                !h.is_empty() && h.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
            });
            if !plain {
                let message = format!("`endpoint` of {what} must be an https address without a path");
                let help = "write it like https://acme.dev.azuresynapse.net";
                reader.fault_help(Fault::Invalid, text.span, message, help);
                return None;
            }
            Some(Endpoint::Workspace(address.to_owned()))
        }
        TargetKind::AzureRbac => {
            let text = need("scope")?;
            let plain = text.text.starts_with('/')
                && !text.text.contains("//")
                && !text.text.contains("/../")
                && !text.text.contains(['?', '#', '\\', '%', ' '])
                && !text.text.chars().any(char::is_control);
            if !plain {
                let message = format!("`scope` of {what} must be a scope of Azure Resource Manager");
                let help = "write it like /subscriptions/ID/resourceGroups/NAME, without a query";
                reader.fault_help(Fault::Invalid, text.span, message, help);
                return None;
            }
            Some(Endpoint::Azure(text.text.trim_end_matches('/').to_owned()))
        }
        TargetKind::Script => {
            let dialects = [
                ("synapse-dedicated", TargetKind::SynapseDedicated),
                ("synapse-serverless", TargetKind::SynapseServerless),
                ("dedicated", TargetKind::SynapseDedicated),
                ("serverless", TargetKind::SynapseServerless),
            ];
            let dialect = fields
                .need(reader, "dialect")
                .and_then(|n| reader.word(n, &format!("`dialect` of {what}"), &dialects));
            // Left out, it is the one that the map's other targets name: see `script`.
            let database = match (fields.get("database"), fields.get("host")) {
                (None, None) => Some(String::new()),
                _ => database(reader, fields, what),
            };
            let out = need("out");
            if let (Some(TargetKind::SynapseServerless), Some("master"), Some(node)) =
                (dialect, database.as_deref().map(str::to_ascii_lowercase).as_deref(), fields.get("database"))
            {
                let message = format!("`database` of {what}: logins of a server are not written into files");
                reader.fault_help(
                    Fault::Invalid,
                    node.span,
                    message,
                    "use a target of kind synapse-serverless",
                );
            }
            let catalog = fields.get("catalog").map(|n| reader.text(n, &format!("`catalog` of {what}")));
            let seen = match (catalog, fields.get("host")) {
                (Some(_), Some(host)) => {
                    let message = format!("{what} is seen in a file or on a server, not in both");
                    reader.fault_help(Fault::Invalid, host.span, message, "leave out `catalog` or `host`");
                    None
                }
                (Some(file), None) => Some(ScriptSeen::Catalog(file?.text)),
                (None, Some(_)) => {
                    server(reader, fields, what, need("host"), database.clone()).map(ScriptSeen::Pool)
                }
                (None, None) => Some(ScriptSeen::Confirmed),
            };
            let (dialect, database) = (dialect?, database?);
            Some(Endpoint::Script(ScriptPlace { dialect, database, out: out?.text, seen: seen? }))
        }
    }
}

fn database(reader: &Reader<'_>, fields: &Fields<'_>, what: &str) -> Option<String> {
    let database = reader.text(fields.need(reader, "database")?, &format!("`database` of {what}"))?;
    if let Err(e) = SqlName::parse(&database.text) {
        reader.fault(Fault::Invalid, database.span, format!("`database` of {what}: {e}"));
    }
    Some(database.text)
}

fn server(
    reader: &Reader<'_>,
    fields: &Fields<'_>,
    what: &str,
    host: Option<Scalar>,
    database: Option<String>,
) -> Option<SqlServer> {
    let host_text = host.as_ref().map(|t| t.text.clone()).unwrap_or_default();
    if let Some(host) = &host {
        plain_host(reader, host);
    }
    let port =
        fields.get("port").map_or(Some(1433), |n| reader.number(n, &format!("`port` of {what}"), 1..=65_535));
    let tls = fields.get("tls").map_or(Some(Tls::System), |n| auth::tls(reader, n, &host_text));
    Some(SqlServer {
        host: host?.text,
        port: u16::try_from(port?).unwrap_or(1433),
        database: database?,
        tls: tls?,
    })
}

/// The name of a workspace (letters and digits; hyphens are taken, too).
fn workspace(reader: &Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let text = reader.text(node, &format!("`workspace` of {what}"))?;
    let plain = text.text.len() <= 50
        && !text.text.is_empty()
        && text.text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !plain {
        let message = format!("`{}` is no workspace's name", shown(&text.text));
        reader.fault(Fault::Invalid, text.span, message);
    }
    plain.then_some(text.text)
}

/// A host's name holds nothing that a connection string or an address could take for more.
fn plain_host(reader: &Reader<'_>, host: &Scalar) {
    let plain = host.text.len() <= 255
        && host.text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c));
    if !plain {
        let message = format!("`{}` is no host's name", shown(&host.text));
        reader.fault_help(Fault::Invalid, host.span, message, "the port has a key of its own: `port`");
    }
}

/// Decision 20: a session of a SQL login cannot create Entra users (33159), so the map is refused before anybody waits.
fn needs_entra(reader: &Reader<'_>, span: Span, what: &str) {
    let message = format!("{what} creates Entra users, which a SQL login cannot do (error 33159)");
    let fault = crate::diagnostic::Diagnostic::new(reader.files, Fault::Invalid, span, message).unquoted();
    reader.push(fault.help(
        "use an identity of Entra, leave people without a user to wait (`manage: { principals: existing }`), or leave the target in \
         `mode: observe`",
    ));
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
        None => Template::parse_in(default, holes, &reader.registry).ok(),
    }
}

pub(crate) fn template(reader: &Reader<'_>, node: &Node, what: &str, holes: Holes<'_>) -> Option<Template> {
    let text = reader.text(node, what)?;
    match Template::parse_in(&text.text, holes, &reader.registry) {
        Ok(template) => Some(template),
        Err(e) => {
            let span = text.part(e.from, e.to);
            let message = format!("{what}: {}", e.message);
            match e.help {
                Some(help) => reader.fault_help(Fault::Invalid, span, message, help),
                None => reader.fault(Fault::Invalid, span, message),
            }
            None
        }
    }
}

fn globs(reader: &Reader<'_>, node: &Node, what: &str) -> Vec<Glob> {
    reader.list(node, what).iter().filter_map(|n| reader.text(n, what)).map(|t| Glob::new(&t.text)).collect()
}

/// A role that is left to people: one by one, so that nobody leaves out more than was meant.
fn excepted(reader: &Reader<'_>, node: &Node, what: &str) -> Option<SqlName> {
    let text = reader.text(node, what)?;
    match SqlName::parse(&text.text) {
        Ok(_) if text.text.contains('*') => {
            let message = format!("{what} takes names of roles, and no patterns");
            reader.fault_help(Fault::Invalid, text.span, message, "name each role");
            None
        }
        Ok(name) => Some(name),
        Err(e) => {
            reader.fault(Fault::Invalid, text.span, format!("{what}: {e}"));
            None
        }
    }
}

/// Which principals Axon has to do with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Mapped,
    External,
    Existing,
}

fn manage(
    reader: &Reader<'_>,
    target: &Fields<'_>,
    what: &str,
    kind: TargetKind,
    role_name: Option<&Template>,
) -> Option<Manage> {
    // What `role_name` can give is what is managed, where the map does not say it. Roles that are only assigned are
    // managed where a line names them.
    let roles = match kind.words() {
        Words::Sql => vec![Glob::new(&role_name?.fill(|_| Some("*".into())).ok()?)],
        Words::Roles => Vec::new(),
    };
    let mut manage = Manage {
        roles,
        except: BTreeSet::new(),
        schemas: Vec::new(),
        every_external: false,
        only_existing: false,
    };
    let Some(node) = target.get("manage") else { return Some(manage) };
    let known = if kind.words() == Words::Sql { MANAGE_KEYS } else { &["roles", "except", "principals"] };
    let fields = reader.fields(node, &format!("`manage` of {what}"), known, &[])?;
    if let Some(node) = fields.get("roles") {
        manage.roles = globs(reader, node, "`manage.roles`");
        if kind == TargetKind::SynapseWorkspace {
            // The service's own names are compared; what holds a star stands for what it says.
            manage.roles = manage.roles.iter().map(|glob| Glob::new(&folded(&glob.to_string()))).collect();
        }
    }
    if let Some(node) = fields.get("except") {
        let what = "`manage.except`";
        let names = reader.list(node, what).iter().filter_map(|node| excepted(reader, node, what));
        manage.except = match kind {
            TargetKind::SynapseWorkspace => names.map(of_workspace).collect(),
            _ => names.collect(),
        };
    }
    if let Some(node) = fields.get("schemas") {
        manage.schemas = globs(reader, node, "`manage.schemas`");
    }
    if let Some(node) = fields.get("principals") {
        let words = [("mapped", Whose::Mapped), ("external", Whose::External), ("existing", Whose::Existing)];
        // Nobody is made a principal of Azure by Axon: there is nothing to leave to others.
        let words = if kind.words() == Words::Sql { &words[..] } else { &words[..2] };
        let whose = reader.word(node, "`manage.principals`", words)?;
        manage.every_external = whose == Whose::External;
        manage.only_existing = whose == Whose::Existing;
    }
    Some(manage)
}

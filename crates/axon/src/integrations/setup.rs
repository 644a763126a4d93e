//! From what an integration is asked to be, to what is made in its database, and to the target of a role map.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use axon_api::integrations::{AccountKind, Config};
use axon_mapping::RoleMap;
use axon_mapping::target::{Endpoint, TargetSpec};
use axon_model::SqlName;
use axon_reconcile::Metadata;
use axon_synapse::bootstrap::{Account, Setup};
use serde_json::Value;

/// Axon's schema in every database, and the owner of what it keeps there: as the role map has them where it says nothing.
const MANAGED: &str = "axon";
const OWNER: &str = "axon_owner";

/// What is made.
pub fn setup(config: &Config) -> anyhow::Result<Setup> {
    let name = |text: &str| SqlName::parse(text).with_context(|| format!("{text:?}"));
    let impersonation = config.impersonation.as_deref().map(name).transpose()?;
    Ok(Setup {
        database: name(&config.database)?,
        views: name(&config.schema)?,
        metadata: Metadata {
            schema: name(MANAGED)?,
            owner: name(OWNER)?,
            delimiters: config.marks.and_then(axon_api::integrations::Marks::delimiters),
            impersonation,
            by_session: false,
        },
        impersonation,
        account: Account {
            name: name(&config.account)?,
            is_entra: config.account_kind == AccountKind::Entra,
        },
    })
}

/// Whether a target is this database.
pub fn is_here(spec: &TargetSpec, config: &Config) -> bool {
    match &spec.endpoint {
        Endpoint::Sql(server) => {
            server.host.eq_ignore_ascii_case(&config.host)
                && server.port == config.port
                && server.database.eq_ignore_ascii_case(&config.database)
        }
        _ => false,
    }
}

/// The target of a map that is this database.
fn here<'m>(map: &'m RoleMap, config: &Config) -> Option<&'m TargetSpec> {
    map.targets.values().find(|spec| is_here(spec, config))
}

/// Whether views of that target filter its tables.
pub fn filters_tables(map: &RoleMap, config: &Config) -> bool {
    let Some(spec) = here(map, config) else { return false };
    map.views.iter().any(|view| view.native.is_some() && view.targets.contains(&spec.name))
}

/// The target of a map that is this database, with what of it differs from what was made.
pub fn target_of(map: &RoleMap, config: &Config) -> Option<(String, Option<String>)> {
    let spec = here(map, config)?;
    let made = setup(config).ok()?.metadata;
    let views = SqlName::parse(&config.schema).ok()?;
    let differs = if spec.metadata.schema != made.schema || spec.metadata.owner != made.owner {
        Some(format!(
            "its `metadata` names {} and {}, not {} and {}",
            spec.metadata.schema, spec.metadata.owner, made.schema, made.owner
        ))
    } else if spec.metadata.delimiters != made.delimiters {
        Some("the delimiters of its `metadata` are not the integration's".to_owned())
    } else if let Some(role) = spec.metadata.impersonation.filter(|role| made.impersonation != Some(*role)) {
        // None is said where no role of the map lets anybody act as another.
        let made = made.impersonation.map_or_else(|| "none".to_owned(), |role| role.to_string());
        Some(format!("its `metadata.impersonation` is {role}, and the integration's role is {made}"))
    } else if !spec.manage.schemas.iter().any(|glob| glob.matches(views)) {
        Some(format!("its `manage.schemas` do not name {views}, the integration's schema of views"))
    } else if filters_tables(map, config) {
        Some("views of it are `enforce: native`, and show nothing while the integration stands".to_owned())
    } else {
        None
    };
    Some((spec.name.to_string(), differs))
}

/// The entry of a role map's `targets` for an integration, in YAML.
pub fn target_entry(
    name: &str,
    config: &Config,
    login: &Value,
    secret: Option<&Path>,
) -> anyhow::Result<String> {
    let text = |key: &str| login[key].as_str().map(str::to_owned);
    let application = || -> anyhow::Result<String> {
        let tenant = text("tenantId").context("a tenant")?;
        let client = text("clientId").context("a client id")?;
        Ok(format!("tenant_id: {}, client_id: {}", quoted(&tenant), quoted(&client)))
    };
    let file =
        || secret.map(|file| quoted(&format!("${{file:{}}}", file.display()))).context("no secret is kept");
    let auth = match login["kind"].as_str().unwrap_or_default() {
        "userPassword" => format!("sql: {{ user: {}, password: {} }}", quoted(&config.account), file()?),
        "managedIdentity" => match text("clientId") {
            Some(client) => format!("managed-identity: {{ client_id: {} }}", quoted(&client)),
            None => "managed-identity: {}".to_owned(),
        },
        "workloadIdentity" => {
            let token = std::env::var("AZURE_FEDERATED_TOKEN_FILE").context("AZURE_FEDERATED_TOKEN_FILE")?;
            format!("workload-identity: {{ {}, token_file: {} }}", application()?, quoted(&token))
        }
        "clientSecret" => format!("client-secret: {{ {}, secret: {} }}", application()?, file()?),
        "certificate" => format!("client-certificate: {{ {}, certificate: {} }}", application()?, file()?),
        _ => anyhow::bail!("it is not known how Axon enters: the integration is not in use"),
    };
    let mut entry = format!(
        "targets:\n  {name}:\n    kind: synapse-dedicated\n    host: {}\n    port: {}\n    database: {}\n    auth: {{ {auth} }}\n",
        quoted(&config.host),
        config.port,
        quoted(&config.database),
    );
    if config.plain {
        entry.push_str("    tls: off\n");
    }
    // Users of the directory need an identity of Entra (33159): with a SQL login whoever has none waits, and all else is kept.
    let principals = if config.account_kind == AccountKind::Entra { "mapped" } else { "existing" };
    // Writing to a String cannot fail.
    let _ = write!(
        entry,
        "    mode: authoritative\n    manage: {{ roles: [\"axon_*\"], schemas: [{}], principals: {principals} }}\n",
        quoted(&config.schema)
    );
    let mut metadata = Vec::new();
    if let Some(marks) = config.marks {
        let mark = |c: char| quoted(&c.to_string());
        metadata.push(format!(
            "delimiters: {{ hash: {}, hash_key: {}, array: {} }}",
            mark(marks.hash_delimiter),
            mark(marks.hash_key_delimiter),
            mark(marks.array_delimiter)
        ));
    }
    metadata.extend(config.impersonation.as_deref().map(|role| format!("impersonation: {}", quoted(role))));
    if !metadata.is_empty() {
        let _ = writeln!(entry, "    metadata: {{ {} }}", metadata.join(", "));
    }
    Ok(entry)
}

/// A text as YAML: JSON's double quotes are YAML's.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

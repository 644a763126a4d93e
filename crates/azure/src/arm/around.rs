//! Who can reach a pool's data around SQL, by what Azure says at one scope: rows there and above, whose roles name the administrator
//! of a workspace or read its files; and what a workspace says of its own administrators.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::name::shown;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{ArmParts, BadScope, definitions, meaning, plain_scope, rows};
use crate::assigned::Allows;
use crate::entra::Entry;
use crate::guid::Guid;
use crate::service::{Service, ServiceFault};
use crate::wire::Call;

/// Of workspaces; general knowledge, not tried.
const SYNAPSE: &str = "api-version=2021-06-01";
const WORKSPACES: &str = "/providers/microsoft.synapse/workspaces/";

/// What somebody can do beside SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    /// Name another administrator of the workspace's SQL, or set the SQL administrator's password.
    NameAdministrator,
    /// Give roles of Azure, also to themselves.
    GiveRoles,
    /// Read the account's keys, and with them every file.
    ReadKeys,
    /// Read files.
    ReadFiles,
}

impl Power {
    const ALL: [Self; 4] = [Self::NameAdministrator, Self::GiveRoles, Self::ReadKeys, Self::ReadFiles];

    /// The actions that give it, and whether they are on content.
    fn actions(self) -> (&'static [&'static str], bool) {
        match self {
            Self::NameAdministrator => (
                &[
                    "Microsoft.Synapse/workspaces/write",
                    "Microsoft.Synapse/workspaces/administrators/write",
                    "Microsoft.Synapse/workspaces/sqlAdministrators/write",
                    "Microsoft.Sql/servers/administrators/write",
                    "Microsoft.Sql/servers/write",
                ],
                false,
            ),
            Self::GiveRoles => (&["Microsoft.Authorization/roleAssignments/write"], false),
            Self::ReadKeys => (&["Microsoft.Storage/storageAccounts/listKeys/action"], false),
            Self::ReadFiles => {
                (&["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"], true)
            }
        }
    }

    /// Whether a scope may hold what it is a power over.
    fn concerns(self, scope: &str) -> bool {
        let provider = |name: &str| scope.contains(&format!("/providers/{name}/"));
        let sql = provider("microsoft.synapse") || provider("microsoft.sql");
        let files = provider("microsoft.storage");
        let wide = !scope.contains("/providers/") || scope.starts_with("/providers/microsoft.management/");
        match self {
            Self::NameAdministrator => sql || wide,
            Self::ReadKeys | Self::ReadFiles => files || wide,
            Self::GiveRoles => sql || files || wide,
        }
    }

    fn is_given_by(self, allows: &Allows) -> bool {
        let (actions, on_content) = self.actions();
        let (given, not) = if on_content {
            (&allows.data_actions, &allows.not_data_actions)
        } else {
            (&allows.actions, &allows.not_actions)
        };
        let any = |patterns: &[String], action: &str| patterns.iter().any(|pattern| fits(pattern, action));
        actions.iter().any(|action| any(given, action) && !any(not, action))
    }
}

/// Whether an action fits a pattern in which `*` stands for anything; letter case is apart.
fn fits(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts: Vec<&str> = pattern.split('*').collect();
    let Some(tail) = parts.pop() else { return false };
    if parts.is_empty() {
        return tail == action;
    }
    let Some(mut rest) = action.strip_prefix(parts.remove(0)) else { return false };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(tail)
}

/// Somebody who holds a role at the scope or above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// By name where Graph tells it, else by object id.
    pub who: String,
    /// The object id.
    pub id: Guid,
    /// The role, by name where it is known.
    pub role: String,
    /// The scope of the row.
    pub scope: String,
    /// Whether the row holds under a condition only, which is not judged.
    pub conditional: bool,
    /// What the role gives.
    pub powers: BTreeSet<Power>,
}

/// What a workspace says of the administrators of its SQL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlSide {
    /// The Entra administrator of the dedicated pools, as its login is written.
    pub entra_administrator: Option<String>,
    /// That of the serverless pool, where it is another one.
    pub serverless_administrator: Option<String>,
    /// The SQL login that administers, where SQL logins are taken at all.
    pub sql_administrator: Option<String>,
    /// The workspace's own identity.
    pub identity: Option<Guid>,
    /// Whether that identity has CONTROL on the pools; none where it is not told.
    pub identity_controls_sql: Option<bool>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// Those whose roles give a power, Axon left out.
    pub holders: Vec<Holder>,
    /// Where the scope is a Synapse workspace.
    pub workspace: Option<SqlSide>,
    /// What could not be looked at, in sentences.
    pub unseen: Vec<String>,
}

#[derive(Deserialize)]
struct Resource<P> {
    #[serde(default)]
    identity: Option<Own>,
    properties: P,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Own {
    principal_id: Option<Guid>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Workspace {
    sql_administrator_login: Option<String>,
    // The service's own spelling.
    #[serde(rename = "azureADOnlyAuthentication")]
    entra_only: Option<bool>,
}

#[derive(Deserialize)]
struct Administrator {
    login: Option<String>,
    sid: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Control {
    grant_sql_control_to_managed_identity: Option<States>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct States {
    actual_state: Option<String>,
}

/// Looks at a scope. Reads only.
pub async fn around(parts: ArmParts) -> Result<Around, BadScope> {
    let ArmParts { arm, scope, bearer, wire, clock, entra, .. } = parts;
    let path = plain_scope(&scope)?;
    let service = Service::new("Azure Resource Manager", arm, wire, bearer, clock, meaning::told_apart);
    let mut around = Around::default();
    match holders(&service, &path).await {
        Ok(holders) => around.holders = holders,
        Err(fault) => around.unseen.push(format!("who holds roles at {path} is not known: {fault}")),
    }
    if let Some(entra) = entra {
        let ids: BTreeSet<Guid> = around.holders.iter().map(|holder| holder.id).collect();
        match entra.by_ids(&ids).await {
            Ok(entries) => around.holders.iter_mut().for_each(|holder| name(holder, &entries)),
            Err(fault) => around.unseen.push(format!("who holds roles is known by object id only: {fault}")),
        }
    }
    if is_workspace(&path) {
        let (side, unseen) = sql_side(&service, &path).await;
        around.workspace = Some(side);
        around.unseen.extend(unseen);
    }
    Ok(around)
}

fn name(holder: &mut Holder, entries: &BTreeMap<Guid, Option<Entry>>) {
    match entries.get(&holder.id) {
        Some(Some(entry)) => holder.who = shown(&entry.name),
        Some(None) => holder.who = format!("{} (deleted)", holder.id),
        None => {}
    }
}

async fn holders(service: &Service, path: &str) -> Result<Vec<Holder>, ServiceFault> {
    let lower = path.to_ascii_lowercase();
    let concerned: Vec<Power> = Power::ALL.into_iter().filter(|power| power.concerns(&lower)).collect();
    if concerned.is_empty() {
        return Ok(Vec::new());
    }
    let (definitions, _) = definitions::list(service, path).await?;
    let own = |id: Guid| service.own() == Some(id);
    let mut holders = Vec::new();
    for row in rows::holding(service, path).await?.into_iter().filter(|row| !own(row.principal)) {
        let Some(role) = definitions.of(row.role) else { continue };
        let powers: BTreeSet<Power> =
            concerned.iter().copied().filter(|power| power.is_given_by(&role.allows)).collect();
        if !powers.is_empty() {
            let scope = if row.scope.is_empty() { "/".to_owned() } else { row.scope };
            let (who, role, conditional) = (row.principal.to_string(), shown(&role.name), row.conditional);
            holders.push(Holder { who, id: row.principal, role, scope, conditional, powers });
        }
    }
    Ok(holders)
}

/// Whether a scope is a workspace itself, and nothing in it.
fn is_workspace(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    lower.split_once(WORKSPACES).is_some_and(|(_, name)| !name.is_empty() && !name.contains('/'))
}

async fn sql_side(service: &Service, path: &str) -> (SqlSide, Vec<String>) {
    let (mut side, mut unseen) = (SqlSide::default(), Vec::new());
    let mut note = |what: &str, fault: &ServiceFault| unseen.push(format!("{what} is not known: {fault}"));
    match read::<Resource<Workspace>>(service, path, "").await {
        Ok(Some(Resource { identity, properties: own })) => {
            side.identity = identity.and_then(|identity| identity.principal_id);
            let takes_sql_logins = own.entra_only != Some(true);
            side.sql_administrator =
                own.sql_administrator_login.filter(|_| takes_sql_logins).map(|login| shown(&login));
        }
        Ok(None) => unseen.push(format!("there is no workspace at {path}")),
        Err(fault) => note("which SQL login administers the workspace", &fault),
    }
    let mut unseen_too = Vec::new();
    for (kind, place) in [
        ("administrators", &mut side.entra_administrator),
        ("sqlAdministrators", &mut side.serverless_administrator),
    ] {
        match read::<Resource<Administrator>>(service, path, &format!("/{kind}/activeDirectory")).await {
            Ok(found) => {
                let own = found.map(|resource| resource.properties);
                *place = own.and_then(|own| own.login.or(own.sid)).map(|login| shown(&login));
            }
            Err(fault) => unseen_too.push(format!("the Entra administrator ({kind}) is not known: {fault}")),
        }
    }
    match read::<Resource<Control>>(service, path, "/managedIdentitySqlControlSettings/default").await {
        Ok(found) => {
            let state = found.and_then(|r| r.properties.grant_sql_control_to_managed_identity);
            let state = state.and_then(|states| states.actual_state);
            side.identity_controls_sql = state.map(|state| state.eq_ignore_ascii_case("enabled"));
        }
        Err(fault) => {
            unseen_too
                .push(format!("whether the workspace's identity has SQL control is not known: {fault}"));
        }
    }
    if side.serverless_administrator == side.entra_administrator {
        side.serverless_administrator = None;
    }
    unseen.extend(unseen_too);
    (side, unseen)
}

/// A part of the workspace; none where it is not there.
async fn read<T: DeserializeOwned>(
    service: &Service,
    path: &str,
    below: &str,
) -> Result<Option<T>, ServiceFault> {
    let call = Call::get(service.base.at(&format!("{path}{below}?{SYNAPSE}")));
    match service.call(call).await {
        Ok(answer) => answer.json().map(Some).map_err(ServiceFault::Unreadable),
        Err(ServiceFault::Refused { problem, .. }) if problem.status == 404 => Ok(None),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Request, Server, Static, clock};

    const WORKSPACE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Synapse/workspaces/acme";

    /// A workspace whose SQL somebody administers, with an Owner above it.
    fn answers(request: &Request) -> Reply {
        let path = request.path();
        if path.ends_with("/roleDefinitions") {
            return Reply::ok(
                r#"{"value":[{"name":"8e3af657-a8ff-443c-a75c-2fe8c4bcb635","properties":{"roleName":"Owner","type":"BuiltInRole","permissions":[{"actions":["*"]}]}}]}"#,
            );
        }
        if path.ends_with("/roleAssignments") {
            return Reply::ok(
                r#"{"value":[{"id":"/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/55555555-5555-5555-5555-555555555555","properties":{"roleDefinitionId":"/x/8e3af657-a8ff-443c-a75c-2fe8c4bcb635","principalId":"11111111-1111-1111-1111-111111111111","scope":"/subscriptions/s"}}]}"#,
            );
        }
        match path.strip_prefix(WORKSPACE) {
            Some("") => Reply::ok(
                r#"{"properties":{"sqlAdministratorLogin":"root","azureADOnlyAuthentication":true}}"#,
            ),
            Some("/administrators/activeDirectory") => {
                Reply::ok(r#"{"properties":{"login":"dba@acme.com","sid":"x"}}"#)
            }
            Some("/managedIdentitySqlControlSettings/default") => Reply::status(503, ""),
            _ => Reply::status(404, r#"{"error":{"code":"ResourceNotFound","message":""}}"#),
        }
    }

    #[tokio::test]
    async fn a_workspace_is_asked_for_its_rows_and_its_administrators_and_what_it_does_not_say_is_said() {
        let server = Server::start(answers).await;
        let parts = ArmParts {
            arm: server.base().clone(),
            scope: WORKSPACE.into(),
            custom: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            bearer: Static::bearer(),
            wire: crate::wire::Wire::new().unwrap(),
            clock: clock(time::macros::datetime!(2026-11-22 10:00 UTC)),
            entra: None,
        };
        let around = around(parts).await.unwrap();
        let asked: BTreeSet<String> = server.seen().iter().map(|r| r.path().to_owned()).collect();
        assert_eq!(asked.len(), 6, "the requests stand in tests/golden/ways: {asked:?}");
        assert_eq!((around.holders.len(), around.holders[0].scope.as_str()), (1, "/subscriptions/s"));
        let side = around.workspace.unwrap();
        assert_eq!(side.entra_administrator.as_deref(), Some("dba@acme.com"));
        assert_eq!(side.sql_administrator, None, "SQL logins are off");
        assert_eq!((side.identity_controls_sql, side.serverless_administrator), (None, None));
        assert!(around.unseen.len() == 1 && around.unseen[0].contains("503"), "{:?}", around.unseen);
    }

    fn allows(actions: &[&str], not: &[&str], data: &[&str]) -> Allows {
        let list = |from: &[&str]| from.iter().map(|text| (*text).to_owned()).collect();
        Allows {
            actions: list(actions),
            not_actions: list(not),
            data_actions: list(data),
            not_data_actions: Vec::new(),
        }
    }

    #[test]
    fn powers_are_read_from_what_a_role_allows_not_from_its_name() {
        use Power::{GiveRoles, NameAdministrator, ReadFiles, ReadKeys};
        let powers = |allows: &Allows| -> Vec<Power> {
            Power::ALL.into_iter().filter(|power| power.is_given_by(allows)).collect()
        };
        assert_eq!(powers(&allows(&["*"], &[], &[])), [NameAdministrator, GiveRoles, ReadKeys]);
        let contributor = allows(&["*"], &["Microsoft.Authorization/*/Write"], &[]);
        assert_eq!(powers(&contributor), [NameAdministrator, ReadKeys]);
        assert_eq!(powers(&allows(&["*/read"], &[], &[])), []);
        assert_eq!(powers(&allows(&["Microsoft.Synapse/workspaces/*"], &[], &[])), [NameAdministrator]);
        let files = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*";
        assert_eq!(powers(&allows(&[], &[], &[files])), [ReadFiles]);
        assert_eq!(powers(&allows(&[files], &[], &[])), [], "an action on content is a data action");
    }

    #[test]
    fn a_power_concerns_scopes_that_may_hold_what_it_is_over() {
        let factory = "/subscriptions/s/resourcegroups/g/providers/microsoft.datafactory/factories/acme";
        let storage = "/subscriptions/s/resourcegroups/g/providers/microsoft.storage/storageaccounts/lake";
        let group = "/subscriptions/s/resourcegroups/g";
        let concerned = |scope: &str| Power::ALL.into_iter().filter(|power| power.concerns(scope)).count();
        assert_eq!((concerned(factory), concerned(storage), concerned(group)), (0, 3, 4));
        assert!(is_workspace("/subscriptions/s/providers/Microsoft.Synapse/workspaces/acme"));
        assert!(!is_workspace("/subscriptions/s/providers/Microsoft.Synapse/workspaces/acme/sqlPools/dw"));
        assert!(!is_workspace(storage));
    }

    #[test]
    fn patterns_hold_anything_between() {
        for (pattern, action, yes) in [
            ("*", "A/b", true),
            ("*/read", "a/b/READ", true),
            ("a/*/write", "a/write", false),
            ("a/*/b/*", "a/x/b/c", true),
            ("a", "ab", false),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, action), yes, "{pattern} {action}");
        }
    }
}

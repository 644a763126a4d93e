//! A small Azure for tests: Graph, a workspace's roles, role assignments of Resource Manager, on one loopback address.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axon_model::{ManualClock, SqlName};
use axon_reconcile::{Connect, Graph, Membership, Principal, PrincipalKind, Sid};
use serde_json::{Value, json};

use super::{Reply, Request, Server, Static};
use crate::entra::Entra;
use crate::wire::Wire;

/// What Azure holds.
#[derive(Default)]
pub(crate) struct State {
    /// (id, userPrincipalName)
    pub(crate) users: Vec<(String, String)>,
    /// (id, displayName)
    pub(crate) groups: Vec<(String, String)>,
    /// (id, client id, displayName)
    pub(crate) services: Vec<(String, String, String)>,
    /// Rows of the workspace.
    pub(crate) rows: Vec<Value>,
    /// Roles of the workspace: (id, name).
    pub(crate) roles: Vec<(String, String)>,
    /// Rows of Resource Manager.
    pub(crate) assignments: Vec<Value>,
    /// Definitions of Resource Manager.
    pub(crate) definitions: Vec<Value>,
    /// Rows of one page.
    pub(crate) page: usize,
    /// Whether what is assigned has effect.
    pub(crate) effective: bool,
    /// Answers that come instead, by a part of method and target.
    pub(crate) faults: Vec<(&'static str, Reply)>,
}

/// The server with its state.
pub(crate) struct Fake {
    pub(crate) server: Server,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub(crate) async fn start(state: State) -> Self {
        let state = Arc::new(Mutex::new(state));
        let held = state.clone();
        let server = Server::start(move |request| {
            let mut state = held.lock().unwrap_or_else(PoisonError::into_inner);
            let line = format!("{} {}", request.method, request.target);
            match state.faults.iter().find(|(part, _)| line.contains(part)) {
                Some((_, reply)) => reply.clone(),
                None => answer(&mut state, request),
            }
        })
        .await;
        Self { server, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn entra(&self, clock: Arc<ManualClock>) -> Arc<Entra> {
        Arc::new(Entra::new(self.server.base(), Wire::new().unwrap(), Static::bearer(), clock))
    }

    /// The requests since they were forgotten last, one a line.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.server.seen().iter().map(|r| format!("{} {}", r.method, r.target)).collect()
    }
}

fn refused(status: u16, code: &str, message: &str) -> Reply {
    Reply::status(status, &json!({"error": {"code": code, "message": message}}).to_string())
}

fn answer(state: &mut State, request: &Request) -> Reply {
    let path = request.path().to_owned();
    if path.starts_with("/v1.0/") {
        return graph(state, request);
    }
    if path.starts_with("/role") || path.starts_with("/check") {
        return synapse(state, request);
    }
    arm(state, request)
}

fn graph(state: &State, request: &Request) -> Reply {
    let user = |(id, upn): &(String, String)| json!({"@odata.type": "#microsoft.graph.user", "id": id, "userPrincipalName": upn, "accountEnabled": true});
    let group = |(id, name): &(String, String)| json!({"@odata.type": "#microsoft.graph.group", "id": id, "displayName": name, "securityEnabled": true});
    let service = |(id, client, name): &(String, String, String)| json!({"@odata.type": "#microsoft.graph.servicePrincipal", "id": id, "appId": client, "displayName": name});
    let path = request.path().replace("%40", "@");
    let filter = request.query("$filter").unwrap_or_default();
    let quoted = filter.split('\'').nth(1).unwrap_or_default().to_owned();
    let list = |value: Vec<Value>| Reply::ok(&json!({"value": value}).to_string());
    let missing = || refused(404, "Request_ResourceNotFound", "Resource does not exist");
    if path == "/v1.0/directoryObjects/getByIds" {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let asked: Vec<&str> =
            body["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let has = |id: &String| asked.contains(&id.as_str());
        let mut all: Vec<Value> = state.users.iter().filter(|u| has(&u.0)).map(user).collect();
        all.extend(state.groups.iter().filter(|g| has(&g.0)).map(group));
        all.extend(state.services.iter().filter(|s| has(&s.0)).map(service));
        return list(all);
    }
    if path == "/v1.0/groups" {
        return list(state.groups.iter().filter(|g| g.1 == quoted).map(group).collect());
    }
    if path == "/v1.0/servicePrincipals" {
        return list(state.services.iter().filter(|s| s.2 == quoted).map(service).collect());
    }
    if path == "/v1.0/users" {
        return list(Vec::new());
    }
    if let Some(client) = path.strip_prefix("/v1.0/servicePrincipals(appId='") {
        let found = state.services.iter().find(|s| client.starts_with(&s.1));
        return found.map_or_else(missing, |s| Reply::ok(&service(s).to_string()));
    }
    let upn = path.strip_prefix("/v1.0/users/").unwrap_or_default();
    let found = state.users.iter().find(|u| u.1 == upn);
    found.map_or_else(missing, |u| Reply::ok(&user(u).to_string()))
}

fn synapse(state: &mut State, request: &Request) -> Reply {
    let path = request.path().to_owned();
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    if path == "/roleDefinitions" {
        let all: Vec<Value> = state
            .roles
            .iter()
            .map(|(id, name)| {
                json!({"id": id, "name": name, "isBuiltIn": true, "scopes": ["workspaces/{workspaceName}"],
                "permissions": [{"actions": [], "dataActions": ["Microsoft.Synapse/workspaces/read"]}]})
            })
            .collect();
        return Reply::ok(&Value::from(all).to_string());
    }
    if path == "/checkAccessSynapseRbac" {
        let decision = if state.effective { "Allowed" } else { "Denied" };
        let action = &body["actions"][0]["id"];
        let answer = json!({"AccessDecisions": [{"accessDecision": decision, "actionId": action}]});
        return Reply::ok(&answer.to_string());
    }
    if path == "/roleAssignments" {
        let of = request.query("principalId");
        let rows: Vec<&Value> =
            state.rows.iter().filter(|r| of.as_deref().is_none_or(|id| r["principalId"] == id)).collect();
        let from: usize = request.header("x-ms-continuation").and_then(|m| m.parse().ok()).unwrap_or(0);
        let page = if state.page == 0 { usize::MAX } else { state.page };
        let shown: Vec<&&Value> = rows.iter().skip(from).take(page).collect();
        let reply = Reply::ok(&json!({"count": shown.len(), "value": shown}).to_string());
        let next = from.saturating_add(page);
        return if next < rows.len() { reply.header("x-ms-continuation", &next.to_string()) } else { reply };
    }
    let id = path.rsplit('/').next().unwrap_or_default().to_owned();
    match request.method.as_str() {
        "PUT" => {
            let same = |r: &&Value| {
                r["roleDefinitionId"] == body["roleId"]
                    && r["principalId"] == body["principalId"]
                    && r["scope"] == body["scope"]
            };
            if state.rows.iter().any(|r| same(&r)) {
                return refused(409, "RoleAssignmentAlreadyExists", "Role Assignment already exists.");
            }
            let row = json!({"id": id, "roleDefinitionId": body["roleId"], "principalId": body["principalId"],
                "scope": body["scope"], "principalType": body["principalType"]});
            state.rows.push(row.clone());
            Reply::ok(&row.to_string())
        }
        "DELETE" => {
            let before = state.rows.len();
            state.rows.retain(|r| r["id"] != id.as_str());
            if state.rows.len() < before { Reply::ok("{}") } else { Reply::status(204, "") }
        }
        _ => refused(404, "NotFound", "no such thing"),
    }
}

fn arm(state: &mut State, request: &Request) -> Reply {
    let path = request.path().to_owned();
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let host = request.header("host").unwrap_or_default();
    if let Some((scope, rest)) = path.split_once("/providers/Microsoft.Authorization/roleDefinitions") {
        if request.method == "PUT" {
            let id = rest.trim_start_matches('/').to_owned();
            state.definitions.retain(|d| d["name"] != id.as_str());
            let made = json!({"name": id, "id": format!("{scope}{rest}"), "properties": body["properties"]});
            state.definitions.push(made.clone());
            return Reply::status(201, &made.to_string());
        }
        if request.method == "DELETE" {
            let id = rest.trim_start_matches('/').to_owned();
            state.definitions.retain(|d| d["name"] != id.as_str());
            return Reply::ok("{}");
        }
        return Reply::ok(&json!({"value": state.definitions}).to_string());
    }
    let Some((scope, rest)) = path.split_once("/providers/Microsoft.Authorization/roleAssignments") else {
        return refused(404, "NotFound", "no such thing");
    };
    let id = rest.trim_start_matches('/');
    match request.method.as_str() {
        "GET" => {
            let filter = request.query("$filter").unwrap_or_default();
            let of = filter.strip_prefix("principalId eq '").map(|rest| rest.trim_end_matches('\''));
            let lower = scope.to_ascii_lowercase();
            let seen = |row: &&Value| {
                let at = row["properties"]["scope"].as_str().unwrap_or_default().to_ascii_lowercase();
                let above = lower.starts_with(&at) || (filter.is_empty() && at.starts_with(&lower));
                above && of.is_none_or(|id| row["properties"]["principalId"] == id)
            };
            let rows: Vec<&Value> = state.assignments.iter().filter(seen).collect();
            let from: usize = request.query("$skiptoken").and_then(|m| m.parse().ok()).unwrap_or(0);
            let page = if state.page == 0 { usize::MAX } else { state.page };
            let shown: Vec<&&Value> = rows.iter().skip(from).take(page).collect();
            let next = from.saturating_add(page);
            let link = (next < rows.len()).then(|| {
                format!(
                    "http://{host}{path}?api-version=2022-04-01&$filter={}&$skiptoken={next}",
                    crate::wire::encoded(&filter)
                )
            });
            Reply::ok(&json!({"value": shown, "nextLink": link}).to_string())
        }
        "PUT" => {
            let wanted = &body["properties"];
            let role = |v: &Value| {
                v["roleDefinitionId"].as_str().map(|r| r.rsplit('/').next().unwrap_or(r).to_owned())
            };
            let at =
                |r: &Value| r["properties"]["scope"].as_str().is_some_and(|s| s.eq_ignore_ascii_case(scope));
            let same = |r: &&Value| {
                at(r)
                    && role(&r["properties"]) == role(wanted)
                    && r["properties"]["principalId"] == wanted["principalId"]
            };
            if state.assignments.iter().any(|r| same(&r)) {
                return refused(409, "RoleAssignmentExists", "The role assignment already exists.");
            }
            if state.assignments.iter().any(|r| r["name"] == id) {
                return refused(
                    400,
                    "RoleAssignmentUpdateNotPermitted",
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                );
            }
            let mut properties = wanted.clone();
            properties["scope"] = scope.into();
            let row = json!({"name": id, "id": path, "properties": properties});
            state.assignments.push(row.clone());
            Reply::status(201, &row.to_string())
        }
        "DELETE" => {
            let before = state.assignments.len();
            state.assignments.retain(|r| !r["id"].as_str().is_some_and(|i| i.eq_ignore_ascii_case(&path)));
            if state.assignments.len() < before { Reply::ok("{}") } else { Reply::status(204, "") }
        }
        _ => refused(404, "NotFound", "no such thing"),
    }
}

/// An object id of a kind (`a` people, `b` groups, `c` services, `d` client ids) and number.
pub(crate) fn id(kind: char, n: u32) -> String {
    let head: String = std::iter::repeat_n(kind, 8).collect();
    format!("{head}-0000-0000-0000-{n:012}")
}

pub(crate) fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

/// A desired side: people (with `@`), groups (with `SG-`) and services, by name and object id, and their roles.
pub(crate) fn desired(people: &[(&str, Option<&str>)], members: &[(&str, &str)]) -> Graph {
    let mut graph = Graph::default();
    for (who, pin) in people {
        let kind =
            if who.starts_with("SG-") { PrincipalKind::ExternalGroup } else { PrincipalKind::External };
        let sid = pin.and_then(Sid::from_object_id);
        let principal = Principal { kind, sid, connect: Connect::Granted, created: None };
        graph.principals.insert(name(who), principal);
    }
    for (role, member) in members {
        graph.members.insert(Membership { role: name(role), member: name(member) });
    }
    graph
}

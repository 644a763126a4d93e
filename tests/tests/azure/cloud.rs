//! The least of Azure that the suite needs: a token endpoint, groups in Graph, roles of a workspace, role assignments. Written
//! apart from the product, from its reference.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub const TENANT: &str = "11111111-1111-1111-1111-111111111111";
pub const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
pub const OWN: &str = "33333333-3333-3333-3333-333333333333";
pub const SECRET: &str = "s3cret-value";
const ADMINISTRATOR: &str = "6e4bf58a-b8e1-4cc3-bbf9-d73143322b78";
const USER: &str = "2a385764-43e8-416c-9825-7b18d05a2c4b";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";

#[derive(Default)]
pub struct State {
    /// (object id, displayName)
    pub groups: Vec<(String, String)>,
    /// (role name, principal) of the workspace.
    pub workspace: Vec<Value>,
    /// Rows of Resource Manager.
    pub assignments: Vec<Value>,
    pub definitions: Vec<Value>,
    pub tokens: usize,
    /// Every PUT and POST of a row answers so.
    pub refuses: Option<(u16, String)>,
}

pub struct Cloud {
    pub address: String,
    state: Arc<Mutex<State>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Cloud {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let state: Arc<Mutex<State>> = Arc::default();
        state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .workspace
            .push(json!({"id": "44444444-4444-4444-4444-444444444444",
            "roleDefinitionId": ADMINISTRATOR, "principalId": OWN, "scope": "workspaces/acme"}));
        let serving = tokio::spawn({
            let state = state.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, state.clone()));
                }
            }
        });
        Ok(Self { address, state, serving })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is a Synapse User on the workspace or its items: scope and principal.
    pub fn users(&self) -> Vec<(String, String)> {
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let state = self.state();
        let users = state.workspace.iter().filter(|r| r["roleDefinitionId"] == USER);
        users.map(|r| (text(&r["scope"]), text(&r["principalId"]))).collect()
    }

    /// Who has which role of Resource Manager: the definition's last part and the principal.
    pub fn assigned(&self) -> Vec<(String, String)> {
        let last =
            |v: &Value| v.as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
        let state = self.state();
        let rows = state.assignments.iter().map(|r| &r["properties"]);
        rows.map(|p| (last(&p["roleDefinitionId"]), last(&p["principalId"]))).collect()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 8192]);
    loop {
        if let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
            let length = text
                .lines()
                .filter_map(|l| l.split_once(": "))
                .find(|(n, _)| n.eq_ignore_ascii_case("content-length"));
            let end = head + 4 + length.and_then(|(_, n)| n.parse::<usize>().ok()).unwrap_or(0);
            if bytes.len() >= end {
                let body = String::from_utf8_lossy(&bytes[head + 4..end]).into_owned();
                bytes.drain(..end);
                let (status, answer) =
                    answer(&mut state.lock().unwrap_or_else(PoisonError::into_inner), &text, &body);
                let text = if status == 204 { String::new() } else { answer.to_string() };
                let out = format!(
                    "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
                    text.len()
                );
                if stream.write_all(out.as_bytes()).await.is_err() {
                    return;
                }
                continue;
            }
        }
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return,
        }
    }
}

fn answer(state: &mut State, head: &str, body: &str) -> (u16, Value) {
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let json_body: Value = serde_json::from_str(body).unwrap_or_default();
    if path.ends_with("/oauth2/v2.0/token") {
        let right = path.contains(TENANT) && body.contains(SECRET) && body.contains(CLIENT);
        if !right {
            return (
                401,
                json!({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret", "error_codes": [7_000_215]}),
            );
        }
        state.tokens += 1;
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!({"oid": OWN}).to_string());
        return (
            200,
            json!({"token_type": "Bearer", "expires_in": 3599, "access_token": format!("e30.{claims}.sig")}),
        );
    }
    if !head.to_ascii_lowercase().contains("authorization: bearer e30.") {
        return (401, json!({"error": {"code": "InvalidAuthenticationToken", "message": "no token"}}));
    }
    if let Some((status, code)) = state.refuses.clone().filter(|_| method == "PUT") {
        return (status, json!({"error": {"code": code, "message": "as the test wants it"}}));
    }
    if path.starts_with("/v1.0/") {
        return graph(state, path, target, &json_body);
    }
    if path == "/roleDefinitions" {
        let role =
            |id: &str, name: &str| json!({"id": id, "name": name, "isBuiltIn": true, "permissions": []});
        return (200, json!([role(ADMINISTRATOR, "Synapse Administrator"), role(USER, "Synapse User")]));
    }
    if let Some(rest) = path.strip_prefix("/roleAssignments") {
        return workspace(state, method, rest.trim_start_matches('/'), &json_body);
    }
    resource_manager(state, method, path, &json_body)
}

fn graph(state: &State, path: &str, target: &str, body: &Value) -> (u16, Value) {
    let group = |(id, name): &(String, String)| json!({"@odata.type": "#microsoft.graph.group", "id": id, "displayName": name, "securityEnabled": true});
    let wanted = |(id, name): &&(String, String)| {
        let ids = body["ids"].as_array().into_iter().flatten();
        target.contains(&format!("%27{name}%27")) || ids.into_iter().any(|asked| asked == id)
    };
    if path == "/v1.0/groups" || path == "/v1.0/directoryObjects/getByIds" {
        let mut found: Vec<Value> = state.groups.iter().filter(wanted).map(group).collect();
        if body["ids"].as_array().is_some_and(|ids| ids.iter().any(|id| id == OWN)) {
            found.push(json!({"@odata.type": "#microsoft.graph.servicePrincipal", "id": OWN, "appId": CLIENT, "displayName": "axon"}));
        }
        return (200, json!({"value": found}));
    }
    (404, json!({"error": {"code": "Request_ResourceNotFound", "message": ""}}))
}

fn workspace(state: &mut State, method: &str, id: &str, body: &Value) -> (u16, Value) {
    match method {
        "PUT" => {
            let row = json!({"id": id, "roleDefinitionId": body["roleId"], "principalId": body["principalId"],
                "scope": body["scope"], "principalType": body["principalType"]});
            state.workspace.push(row.clone());
            (200, row)
        }
        "DELETE" => {
            state.workspace.retain(|row| row["id"] != id);
            (204, Value::Null)
        }
        _ => (200, json!({"count": state.workspace.len(), "value": state.workspace})),
    }
}

fn resource_manager(state: &mut State, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    if path.contains("/roleDefinitions") {
        if method == "PUT" {
            state.definitions.retain(|d| d["name"] != name.as_str());
            state.definitions.push(json!({"name": name, "properties": body["properties"]}));
            return (201, json!({"name": name, "properties": body["properties"]}));
        }
        let mut all = state.definitions.clone();
        all.push(json!({"name": READER, "properties": {"roleName": "Reader", "type": "BuiltInRole", "permissions": []}}));
        return (200, json!({"value": all}));
    }
    let Some((scope, _)) = path.split_once("/providers/Microsoft.Authorization/roleAssignments") else {
        return (404, json!({"error": {"code": "NotFound", "message": path}}));
    };
    match method {
        "PUT" => {
            let mut properties = body["properties"].clone();
            properties["scope"] = scope.into();
            let row = json!({"name": name, "id": path, "properties": properties});
            state.assignments.push(row.clone());
            (201, row)
        }
        "DELETE" => {
            state.assignments.retain(|row| row["id"] != path);
            (200, json!({}))
        }
        _ => {
            let at = |row: &&Value| row["properties"]["scope"].as_str().is_some_and(|s| s.starts_with(scope));
            let rows: Vec<&Value> = state.assignments.iter().filter(at).collect();
            (200, json!({"value": rows}))
        }
    }
}

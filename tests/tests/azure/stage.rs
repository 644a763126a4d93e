//! A workspace, a factory and their tenant as the emulator's neighbours show them, and `axon serve` between a source and them.

use axon_tests::{Place, Pool, SOON, Scim, Serve, until};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub const TENANT: &str = "11111111-1111-1111-1111-111111111111";
pub const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
pub const OWN: &str = "33333333-3333-3333-3333-333333333333";
pub const SECRET: &str = "right-secret";
pub const DATA: &str = "aaaaaaaa-0000-0000-0000-000000000001";
pub const OPERATORS: &str = "aaaaaaaa-0000-0000-0000-000000000002";
pub const USER: &str = "2a385764-43e8-416c-9825-7b18d05a2c4b";
pub const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
/// The role that lets Axon give roles, and nothing else.
pub const RBAC_ADMINISTRATOR: &str = "f58310d9-a9f6-439a-9e8d-f62e7b41a168";
pub const FACTORY: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/acme";

const MAP: &str = r#"
axon: 1
targets:
  workspace: { kind: synapse-workspace, endpoint: "CLOUD", workspace: acme, auth: AUTH, mode: authoritative, via: group }
  factory:   { kind: azure-rbac, scope: FACTORY, auth: AUTH, mode: authoritative, object_id: "{externalId}" }
roles:
  reader:
    grants: { workspace: [Synapse User], factory: [Reader] }
mappings:
  - groups: { any: [SG-Data] }
    source: entra
    roles: [reader]
"#;

const CONFIG: &str = "\
listen: 127.0.0.1:0
store: sqlite:axon.db
role_map: role-map.yaml
sources:
  entra: { kind: entra }
reconcile: { inspect_every_seconds: 2, retry_seconds: 1 }
azure: { authority: \"CLOUD\", resource_manager: \"CLOUD\", graph: \"CLOUD\" }
";

/// What a story changes of the usual.
pub struct Script {
    pub map: String,
    pub config: String,
    pub tenant: String,
    pub auth: Option<String>,
    pub app: Value,
    pub files: Vec<(&'static str, String)>,
    /// Axon's own role of Azure, and where.
    pub right: (&'static str, &'static str),
}

impl Default for Script {
    fn default() -> Self {
        Self {
            map: MAP.to_owned(),
            config: CONFIG.to_owned(),
            tenant: TENANT.to_owned(),
            auth: None,
            app: json!({"secrets": [{"value": SECRET}]}),
            files: Vec::new(),
            right: ("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "/subscriptions/s"),
        }
    }
}

/// The emulator and a folder with a configuration; nothing serves yet.
pub struct Scene {
    pub pool: Pool,
    pub place: Place,
    pub token: String,
}

/// The same with a server, and its source.
pub struct Stage {
    pub pool: Pool,
    pub place: Place,
    pub serve: Serve,
    pub scim: Scim,
}

/// A token of a CI system for our application. Its signature is not looked at by the fake.
pub fn federated(until: i64) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"iss": "https://ci.example", "sub": "job-1", "aud": "api://AzureADTokenExchange",
        "iat": until - 3600, "nbf": until - 3600, "exp": until});
    format!("{}.{}.{}", part(json!({"alg": "RS256"})), part(claims), URL_SAFE_NO_PAD.encode("x"))
}

impl Script {
    pub fn map(mut self, from: &str, to: &str) -> Self {
        assert!(self.map.contains(from), "the map has no {from}");
        self.map = self.map.replace(from, to);
        self
    }

    pub fn config(mut self, more: &str) -> Self {
        self.config.push_str(more);
        self
    }

    /// The emulator with its tenant, and the files.
    pub async fn set(self) -> anyhow::Result<Scene> {
        let place = Place::new(Vec::<String>::new())?;
        let cloud = json!({
            "tenantId": TENANT, "subscriptions": ["s"],
            "workspaces": [{"name": "acme", "assignments": [{"id": "44444444-4444-4444-4444-444444444444",
                "roleDefinitionId": "6e4bf58a-b8e1-4cc3-bbf9-d73143322b78", "principalId": OWN, "scope": "workspaces/acme"}]}],
            "assignments": [{"name": "55555555-5555-5555-5555-555555555555", "scope": self.right.1,
                "role": self.right.0, "principalId": OWN, "principalType": "ServicePrincipal"}],
        });
        place.write("cloud.json", &cloud.to_string())?;
        let file = place.file("cloud.json").display().to_string();
        let pool = Pool::start_empty(&place, 0, &["--rest-listen", "127.0.0.1:0", "--cloud", &file]).await?;
        let base = pool.rest()?;
        let mut app = json!({"displayName": "axon", "appId": CLIENT, "objectId": OWN});
        for (key, value) in self.app.as_object().into_iter().flatten() {
            app[key] = value.clone();
        }
        let tenant = json!({
            "groups": [{"displayName": "SG-Data", "objectId": DATA}, {"displayName": "SG-Operators", "objectId": OPERATORS}],
            "apps": [app],
        });
        pool.ask("POST", "/directory", Some(tenant)).await?;
        let auth = self.auth.unwrap_or_else(|| {
            format!(
                r#"{{ client-secret: {{ tenant_id: {}, client_id: {CLIENT}, secret: "${{file:secret}}" }} }}"#,
                self.tenant
            )
        });
        let map = self.map.replace("CLOUD", &base).replace("AUTH", &auth).replace("FACTORY", FACTORY);
        place.write("role-map.yaml", &map)?;
        place.write("axon.yaml", &self.config.replace("CLOUD", &base))?;
        place.write("secret", SECRET)?;
        for (name, text) in &self.files {
            place.write(name, text)?;
        }
        let token = place.token("entra").await?;
        Ok(Scene { pool, place, token })
    }

    pub async fn play(self) -> anyhow::Result<Stage> {
        self.set().await?.serve().await
    }
}

impl Scene {
    pub async fn serve(self) -> anyhow::Result<Stage> {
        self.serve_in(&[]).await
    }

    /// The same, with variables that a platform sets.
    pub async fn serve_in(self, variables: &[(&str, &str)]) -> anyhow::Result<Stage> {
        let serve = Serve::start_in(&self.place, variables).await?;
        let scim = serve.scim(&self.token);
        Ok(Stage { pool: self.pool, place: self.place, serve, scim })
    }
}

impl Stage {
    /// Pushes the group that the map names.
    pub async fn push(&self) -> anyhow::Result<String> {
        self.push_group("SG-Data", DATA).await
    }

    pub async fn push_group(&self, name: &str, external: &str) -> anyhow::Result<String> {
        let schema = "urn:ietf:params:scim:schemas:core:2.0:Group";
        let group = json!({"schemas": [schema], "displayName": name, "externalId": external});
        self.scim.post("/Groups", &group).await?.is(201)?.id()
    }

    /// The rows that are not Axon's own: of the workspace and of Resource Manager.
    pub async fn rows(&self) -> anyhow::Result<(Vec<Value>, Vec<Value>)> {
        let cloud = self.pool.ask("GET", "/cloud", None).await?;
        let others = |rows: &Value| -> Vec<Value> {
            rows.as_array().into_iter().flatten().filter(|row| row["principalId"] != OWN).cloned().collect()
        };
        Ok((others(&cloud["workspaces"][0]["assignments"]), others(&cloud["assignments"])))
    }

    /// Waits until both targets have the group.
    pub async fn given(&self) -> anyhow::Result<()> {
        let given = until("the group has both roles", SOON, async || {
            let (workspace, factory) = self.rows().await?;
            Ok((workspace.len() == 1 && factory.len() == 1).then_some(()))
        })
        .await;
        match given {
            Ok(()) => Ok(()),
            Err(late) => {
                let asked = self.requests().await?;
                let line =
                    |r: &Value| format!("{} {} {} {}", r["service"], r["method"], r["path"], r["status"]);
                let lines: Vec<String> = asked.iter().map(line).collect();
                Err(late.context(format!("{lines:#?} {}", self.place.status().await?["targets"])))
            }
        }
    }

    pub async fn settled(&self) -> anyhow::Result<()> {
        until("both are converged", SOON, async || {
            let ready = self.serve.ready().await?;
            let all = ["workspace", "factory"].iter().all(|target| ready["targets"][*target] == "converged");
            Ok(all.then_some(()))
        })
        .await
    }

    /// Waits until the status of a target says all of these words.
    pub async fn says(&self, target: &str, words: &[&str]) -> anyhow::Result<String> {
        let said = async || anyhow::Ok(self.place.status().await?["targets"][target]["summary"].to_string());
        let found = until("the status says it", SOON, async || {
            let text = said().await?;
            Ok(words.iter().all(|word| text.contains(word)).then_some(text))
        })
        .await;
        match found {
            Ok(text) => Ok(text),
            Err(late) => Err(late.context(format!("{words:?}: {}", said().await?))),
        }
    }

    /// What the neighbours received.
    pub async fn requests(&self) -> anyhow::Result<Vec<Value>> {
        let asked = self.pool.ask("GET", "/cloud/requests", None).await?;
        Ok(asked["requests"].as_array().cloned().unwrap_or_default())
    }

    pub async fn fault(&self, fault: Value) -> anyhow::Result<()> {
        self.pool.ask("POST", "/cloud/faults", Some(fault)).await.map(drop)
    }
}

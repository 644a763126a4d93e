//! A small tenant, its services and levers, and a client.

use std::sync::Arc;

use axon_emulator::clock::MovableClock;
use axon_emulator::cloud::Cloud;
use axon_emulator::control::{Control, Levers};
use axon_emulator::http::Neighbours;
use axon_emulator::{Directory, Pool, PoolConfig};
use serde_json::{Value, json};

pub const TENANT: &str = "11111111-1111-1111-1111-111111111111";
pub const AXON: &str = "22222222-2222-2222-2222-222222222222";
pub const AXON_OBJECT: &str = "33333333-3333-3333-3333-333333333333";
pub const JOB: &str = "22222222-2222-2222-2222-222222222223";
pub const REGISTRATION: &str = "33333333-3333-3333-3333-333333333399";
pub const ANN: &str = "aaaaaaaa-0000-0000-0000-000000000001";
pub const DATA: &str = "bbbbbbbb-0000-0000-0000-000000000001";
pub const SECRET: &str = "right";
pub const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
pub const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
pub const SYNAPSE_ADMINISTRATOR: &str = "6e4bf58a-b8e1-4cc3-bbf9-d73143322b78";
pub const SYNAPSE_USER: &str = "2a385764-43e8-416c-9825-7b18d05a2c4b";

pub const SYNAPSE: &str = "https://dev.azuresynapse.net";
pub const GRAPH: &str = "https://graph.microsoft.com";
pub const ARM: &str = "https://management.azure.com";
pub const MONITOR: &str = "https://monitor.azure.com";

pub struct Stage {
    pub base: String,
    pub control: String,
    pub client: reqwest::Client,
    pub pool: Arc<Pool>,
    _neighbours: Neighbours,
    _control: Control,
}

/// Status, headers and body of an answer.
pub struct Got {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Got {
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// `error.code` of an error in the common form.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub fn directory() -> Value {
    json!({
        "users": [{"upn": "ann@x.org", "objectId": ANN, "displayName": "Ann O'Neil"},
                  {"upn": "guest_y.org#EXT#@x.org", "objectId": "aaaaaaaa-0000-0000-0000-000000000002", "userType": "Guest", "accountEnabled": false}],
        "groups": [{"displayName": "Data", "objectId": DATA, "members": ["ann@x.org", "Inner"]},
                   {"displayName": "Inner", "objectId": "bbbbbbbb-0000-0000-0000-000000000002", "members": ["guest_y.org#EXT#@x.org", "job"]},
                   {"displayName": "twin", "objectId": "bbbbbbbb-0000-0000-0000-000000000003"},
                   {"displayName": "twin", "objectId": "bbbbbbbb-0000-0000-0000-000000000004"}],
        "apps": [{"displayName": "axon", "appId": AXON, "objectId": AXON_OBJECT, "registrationId": REGISTRATION,
                  "secrets": [{"value": SECRET}, {"value": "old", "expires": 1}],
                  "federated": [{"name": "ci", "issuer": "https://ci.example", "subject": "repo:Main", "audiences": ["api://AzureADTokenExchange"]}]},
                 {"displayName": "job", "appId": JOB, "objectId": "33333333-3333-3333-3333-333333333334", "readsDirectory": false,
                  "secrets": [{"value": SECRET}]}],
    })
}

pub fn seed() -> Value {
    json!({
        "tenantId": TENANT, "managedIdentities": [AXON], "identityHeader": "header-of-the-app",
        "subscriptions": ["s"],
        "workspaces": [{"name": "acme", "assignments": [
            {"id": "44444444-4444-4444-4444-444444444444", "roleDefinitionId": SYNAPSE_ADMINISTRATOR, "principalId": AXON_OBJECT, "scope": "workspaces/acme"}]}],
        "assignments": [{"name": "55555555-5555-5555-5555-555555555555", "scope": "/subscriptions/s", "role": OWNER,
            "principalId": AXON_OBJECT, "principalType": "ServicePrincipal"}],
        "rules": [{"immutableId": "dcr-0123", "resourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/dataCollectionRules/axon", "streams": ["Custom-Axon_CL"]}],
    })
}

impl Stage {
    pub async fn start() -> Self {
        let clock = Arc::new(MovableClock::default());
        let mut config = PoolConfig::new("sa", "secret");
        config.clock = clock.clone();
        config.entra_admin = Some("ann@x.org".into());
        config.directory = Directory::parse(&directory().to_string()).unwrap();
        let pool = Pool::new(config);
        let cloud = Cloud::new(pool.clone(), serde_json::from_value(seed()).unwrap());
        let any = "127.0.0.1:0".parse().unwrap();
        let neighbours = Neighbours::start(any, cloud.clone()).await.unwrap();
        let levers = Levers { pool: pool.clone(), cloud: Some(cloud), clock: Some(clock), file: None };
        let control = Control::start(any, levers).await.unwrap();
        Self {
            base: format!("http://{}", neighbours.address()),
            control: format!("http://{}", control.address()),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            pool,
            _neighbours: neighbours,
            _control: control,
        }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Got {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        Got { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// The answer of the token endpoint to a form.
    pub async fn exchange(&self, form: &[(&str, &str)]) -> Got {
        let url = format!("{}/{TENANT}/oauth2/v2.0/token", self.base);
        let body = form.iter().map(|(name, value)| format!("{name}={}", value.replace('/', "%2F")));
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(body.collect::<Vec<_>>().join("&"))).await
    }

    pub async fn token_of(&self, client: &str, audience: &str) -> String {
        let scope = format!("{audience}/.default");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("scope", &scope),
            ("client_secret", SECRET),
        ];
        let got = self.exchange(&form).await.is(200);
        got.body["access_token"].as_str().unwrap().to_owned()
    }

    /// A request of Axon's with a token for this audience.
    pub async fn call(&self, audience: &str, method: &str, target: &str, body: Option<Value>) -> Got {
        self.call_as(AXON, audience, method, target, body).await
    }

    pub async fn call_as(
        &self,
        client: &str,
        audience: &str,
        method: &str,
        target: &str,
        body: Option<Value>,
    ) -> Got {
        let url =
            if target.starts_with("http") { target.to_owned() } else { format!("{}{target}", self.base) };
        let mut request = self
            .client
            .request(method.parse().unwrap(), url)
            .bearer_auth(self.token_of(client, audience).await);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.send(request).await
    }

    /// Moves a lever.
    pub async fn lever(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let mut request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.control));
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.send(request).await.is(200).body
    }
}

/// The names or ids of a list.
pub fn each<'v>(list: &'v Value, key: &str) -> Vec<&'v str> {
    list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap()).collect()
}

//! A server without a socket, clients of its sources, and what they get.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axon_api::Gate;
use axon_api::auth::{AuthSettings, Trusts};
use axon_api::{Api, ApiParts, Limits, Readiness, router};
use axon_model::{Actor, Clock, IdSource, ManualClock};
use axon_scim::{Profile, ProfileKind, Registry};
use axon_store::{Act, JournalStore as _, NewToken, Token, TokenHash, TokenStore as _};
use axon_store_sqlite::{Address, Options, SqliteStore};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// An id in the right form that nobody has.
pub const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

/// A router over a store in a folder of its own.
pub struct Server {
    pub router: Gate,
    pub api: Api,
    pub store: Arc<SqliteStore>,
    pub clock: Arc<ManualClock>,
    pub folder: tempfile::TempDir,
}

struct NoTargets;

impl Readiness for NoTargets {
    fn targets(&self) -> BTreeMap<String, &'static str> {
        BTreeMap::new()
    }
}

pub const LIMITS: Limits = Limits {
    body_bytes: 8 * 1024 * 1024,
    header_bytes: 32 * 1024,
    request_time: Duration::from_secs(30),
    concurrent_requests: 64,
};

impl Server {
    pub async fn start() -> Self {
        Self::with(LIMITS, |_| {}).await
    }

    /// With other limits, and whatever else is to be other.
    pub async fn with(limits: Limits, change: impl FnOnce(&mut ApiParts)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = Address::parse("sqlite:axon.db", folder.path()).expect("an address");
        let store = Arc::new(SqliteStore::open(Options::new(address)).await.expect("a store"));
        let clock = Arc::new(ManualClock::at(time::macros::datetime!(2026-11-22 08:00 UTC)));
        let source = |name: &str, profile| (name.parse().expect("a name"), profile);
        let mut parts = ApiParts {
            store: store.clone(),
            registry: Arc::new(Registry::standard()),
            sources: BTreeMap::from([
                source("entra", Profile::new(ProfileKind::Entra)),
                source("okta", Profile::new(ProfileKind::Okta)),
                source("generic", Profile::new(ProfileKind::Generic)),
            ]),
            trusts: Trusts::new(AuthSettings::default(), clock.clone()).expect("no issuers"),
            clock: clock.clone(),
            ids: Arc::new(IdSource::Random),
            public_url: Some("https://axon.test/".to_owned()),
            integrations: None,
            operators: None,
            readiness: Arc::new(NoTargets),
            care: axon_api::care::CareSettings::default(),
            render_metrics: Arc::new(String::new),
        };
        change(&mut parts);
        let api = Api::new(parts);
        let server = Self { router: router(api.clone(), limits), api, store, clock, folder };
        for source in ["entra", "okta", "generic"] {
            server.give_token(source, &format!("secret-of-{source}"), None).await;
        }
        server
    }

    pub fn act(&self) -> Act {
        Act { actor: Actor::Axon, request: None, now: self.clock.now(), ids: Arc::new(IdSource::Random) }
    }

    pub async fn give_token(
        &self,
        source: &str,
        secret: &str,
        expires: Option<time::OffsetDateTime>,
    ) -> Token {
        let source = source.parse().expect("a name");
        let token = NewToken { expires, ..NewToken::bearer(source, TokenHash::of(secret), "test") };
        self.store.add_token(token, self.act()).await.expect("a token")
    }

    pub fn entra(&self) -> Client<'_> {
        self.client("entra")
    }

    pub fn okta(&self) -> Client<'_> {
        self.client("okta")
    }

    pub fn generic(&self) -> Client<'_> {
        self.client("generic")
    }

    fn client(&self, source: &str) -> Client<'_> {
        self.bearer(&format!("secret-of-{source}"))
    }

    /// A client that shows this token.
    pub fn bearer(&self, token: &str) -> Client<'_> {
        Client { server: self, authorization: Some(format!("Bearer {token}")) }
    }

    /// A client that shows none.
    pub fn nobody(&self) -> Client<'_> {
        Client { server: self, authorization: None }
    }

    /// Where the journal stands: a refused write leaves it there.
    pub async fn head(&self) -> u64 {
        self.store.head().await.expect("a head").seq.0
    }

    pub fn later(&self) {
        self.clock.advance(time::Duration::minutes(1));
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("a router never fails");
        let (parts, body) = response.into_parts();
        let text = to_bytes(body, usize::MAX).await.expect("a whole body");
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_slice(&text).unwrap_or(Value::Null) };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body, text: text.to_vec() }
    }
}

/// One who calls.
pub struct Client<'a> {
    server: &'a Server,
    authorization: Option<String>,
}

impl Client<'_> {
    /// A request to a path below `/scim/v2`, or to a whole path that begins with two slashes.
    pub fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let path = match path.strip_prefix("//") {
            Some(whole) => format!("/{whole}"),
            None => format!("/scim/v2{path}"),
        };
        let mut request = Request::builder().method(method).uri(path).header("host", "axon.test");
        if let Some(value) = &self.authorization {
            request = request.header("authorization", value);
        }
        request
    }

    pub async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request =
            self.request(method, path).header("content-type", "application/scim+json; charset=utf-8");
        self.server.send(request.body(body.into()).expect("a request")).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.server.send(self.request("GET", path).body(Body::empty()).expect("a request")).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.server.send(self.request("DELETE", path).body(Body::empty()).expect("a request")).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, body.to_string()).await
    }

    pub async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body =
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
        self.send("PATCH", path, body.to_string()).await
    }

    /// A new user's address and id.
    pub async fn user(&self, name: &str) -> Made {
        Made::of("Users", &self.post("/Users", json!({"schemas": [USER], "userName": name})).await)
    }

    /// A new group's address and id.
    pub async fn group(&self, name: &str, members: &[&Made]) -> Made {
        let members: Vec<Value> = members.iter().map(|m| json!({"value": m.id})).collect();
        Made::of("Groups", &self.post("/Groups", json!({"displayName": name, "members": members})).await)
    }

    /// A list by a filter, as a client encodes it.
    pub async fn find(&self, path: &str, filter: &str) -> Answer {
        self.get(&format!("{path}?filter={}", encoded(filter))).await
    }
}

/// A resource that was made.
pub struct Made {
    pub id: String,
    pub path: String,
}

impl Made {
    fn of(endpoint: &str, answer: &Answer) -> Self {
        assert_eq!(answer.status, 201, "{}", answer.body);
        let id = answer.body["id"].as_str().expect("an id").to_owned();
        Self { path: format!("/{endpoint}/{id}"), id }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// Checks that this is a SCIM Error of a status and, where one is given, a scimType; gives its detail.
    #[track_caller]
    pub fn refused(&self, status: u16, scim_type: &str) -> &str {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.header("content-type").starts_with("application/scim+json"), "{:?}", self.headers);
        assert_eq!(self.body["schemas"], json!([ERROR]));
        assert_eq!(self.body["status"], status.to_string(), "a text, not a number");
        assert_eq!(self.body["scimType"].as_str().unwrap_or_default(), scim_type, "{}", self.body);
        assert!(StatusCode::from_u16(status).is_ok());
        assert!(!self.header("x-request-id").is_empty());
        self.body["detail"].as_str().filter(|detail| !detail.is_empty()).expect("a detail")
    }

    #[track_caller]
    pub fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Checks that this is a ListResponse; gives the total.
    #[track_caller]
    pub fn total(&self) -> u64 {
        assert_eq!(self.status, 200, "{}", self.body);
        assert!(self.body["Resources"].is_array(), "{}", self.body);
        self.body["totalResults"].as_u64().expect("a number")
    }

    /// The ids of `members`, in order.
    pub fn members(&self) -> Vec<String> {
        let list = self.body["members"].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|m| m["value"].as_str().expect("an id").to_owned()).collect()
    }
}

/// Form encoding, as clients do it: spaces as `+`, all that is not plain as `%XX`.
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("text takes all"),
        }
    }
    out
}

//! A SCIM client: sends what it is told, also what is wrong.

use std::io::Read as _;

use anyhow::{Context, bail, ensure};
use flate2::read::GzDecoder;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

/// A connector with its token.
#[derive(Clone)]
pub struct Scim {
    client: reqwest::Client,
    base: String,
    token: String,
    headers: HeaderMap,
    flag: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; null where there is none.
    pub body: Value,
    /// `X-Request-Id`.
    pub request: String,
    /// All headers.
    pub headers: HeaderMap,
}

impl Answer {
    /// Insists on a status.
    pub fn is(self, status: u16) -> anyhow::Result<Self> {
        ensure!(self.status == status, "answered {} instead of {status}: {}", self.status, self.body);
        Ok(self)
    }

    /// Insists on a SCIM Error of this status and keyword (empty: none) whose detail has these words.
    pub fn refuses(self, status: u16, keyword: &str, words: &[&str]) -> anyhow::Result<Self> {
        let answer = self.is(status)?;
        let detail = answer.body["detail"].as_str().context("an error has a detail")?;
        ensure!(
            answer.body["schemas"] == json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
            "{}",
            answer.body
        );
        ensure!(answer.body["status"] == *status.to_string(), "{}", answer.body);
        ensure!(answer.body["scimType"].as_str().unwrap_or_default() == keyword, "{}", answer.body);
        for word in words {
            ensure!(detail.contains(word), "the detail lacks {word:?}: {detail}");
        }
        Ok(answer)
    }

    /// A header; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// `Resources` of a list.
    pub fn resources(&self) -> anyhow::Result<&[Value]> {
        Ok(self.body["Resources"].as_array().context("a list has its Resources")?)
    }

    /// `totalResults` of a list, which is a number.
    pub fn total(&self) -> anyhow::Result<u64> {
        self.body["totalResults"].as_u64().context("totalResults is a number")
    }

    /// The id of what was made.
    pub fn id(&self) -> anyhow::Result<String> {
        Ok(self.body["id"].as_str().context("a resource has an id")?.to_owned())
    }
}

impl Scim {
    /// A connector to `base` (…/scim/v2).
    pub fn new(base: &str, token: &str) -> Self {
        Self {
            client: reqwest::Client::new(),
            base: base.to_owned(),
            token: token.to_owned(),
            headers: HeaderMap::new(),
            flag: None,
        }
    }

    /// The same with a new connection for each request: a server that ends idle ones soon may do so in the moment in which
    /// one is used again, and a request that is lost then is the client's to repeat.
    pub fn anew(mut self) -> anyhow::Result<Self> {
        self.client = reqwest::Client::builder().pool_max_idle_per_host(0).build()?;
        Ok(self)
    }

    /// The same, sending these headers with every request.
    #[must_use]
    pub fn with_headers(&self, headers: &[(&'static str, &'static str)]) -> Self {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Self { headers: headers.iter().map(pair).collect(), ..self.clone() }
    }

    /// The same, with a flag in the query of every address, as in `https://host/scim/v2/?aadOptscim062020`.
    #[must_use]
    pub fn with_flag(&self, flag: &str) -> Self {
        Self { flag: Some(flag.to_owned()), ..self.clone() }
    }

    /// The address of a path, the flag included.
    pub fn address(&self, path: &str) -> String {
        let Self { base, flag, .. } = self;
        match flag {
            Some(flag) if path.contains('?') => format!("{base}{path}&{flag}"),
            Some(flag) => format!("{base}{path}?{flag}"),
            None => format!("{base}{path}"),
        }
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same, with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// Sends these bytes as `application/scim+json`.
    pub async fn raw(&self, method: Method, path: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
        let mut request = self.client.request(method, self.address(path)).headers(self.headers.clone());
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !body.is_empty() {
            if !self.headers.contains_key("content-type") {
                request = request.header("Content-Type", "application/scim+json");
            }
            request = request.body(body);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let header =
            |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let (kind, request) = (header("content-type"), header("x-request-id"));
        let bytes = unpacked(answer.bytes().await?.to_vec(), &header("content-encoding"))?;
        ensure!(
            bytes.is_empty() || kind.starts_with("application/scim+json"),
            "answered in {kind:?}: {bytes:?}"
        );
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        Ok(Answer { status, body, request, headers })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.raw(Method::GET, path, Vec::new()).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.raw(Method::POST, path, serde_json::to_vec(body)?).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.raw(Method::PUT, path, serde_json::to_vec(body)?).await
    }

    /// PATCH with these operations.
    pub async fn patch(&self, path: &str, operations: &Value) -> anyhow::Result<Answer> {
        let body =
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
        self.raw(Method::PATCH, path, serde_json::to_vec(&body)?).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.raw(Method::DELETE, path, Vec::new()).await
    }

    /// Creates a user, which must work; gives the id.
    pub async fn person(&self, user_name: &str) -> anyhow::Result<String> {
        self.post("/Users", &user(user_name)).await?.is(201).with_context(|| user_name.to_owned())?.id()
    }

    /// Creates a group with these members, which must work; gives the id.
    pub async fn group(&self, name: &str, members: &[&str]) -> anyhow::Result<String> {
        self.post("/Groups", &group(name, members)).await?.is(201).with_context(|| name.to_owned())?.id()
    }

    /// Puts a member into a group.
    pub async fn join(&self, group: &str, member: &str) -> anyhow::Result<()> {
        let add = json!([{ "op": "Add", "path": "members", "value": [{ "value": member }] }]);
        let answer = self.patch(&format!("/Groups/{group}"), &add).await?;
        ensure!(matches!(answer.status, 200 | 204), "answered {}: {}", answer.status, answer.body);
        Ok(())
    }

    /// Takes a member out of a group.
    pub async fn part(&self, group: &str, member: &str) -> anyhow::Result<()> {
        let remove = json!([{ "op": "Remove", "path": format!("members[value eq \"{member}\"]") }]);
        let answer = self.patch(&format!("/Groups/{group}"), &remove).await?;
        ensure!(matches!(answer.status, 200 | 204), "answered {}: {}", answer.status, answer.body);
        Ok(())
    }

    /// Sets `active` as Entra does.
    pub async fn activate(&self, user: &str, active: &str) -> anyhow::Result<()> {
        let set = json!([{ "op": "Replace", "path": "active", "value": active }]);
        self.patch(&format!("/Users/{user}"), &set).await?.is(200).map(drop)
    }
}

/// The body of an answer that may be compressed, where the connector said that it takes that.
fn unpacked(bytes: Vec<u8>, coding: &str) -> anyhow::Result<Vec<u8>> {
    match coding {
        "" => Ok(bytes),
        "gzip" => {
            let mut plain = Vec::new();
            GzDecoder::new(&bytes[..]).read_to_end(&mut plain)?;
            Ok(plain)
        }
        _ => bail!("compressed as {coding}"),
    }
}

/// A user as a connector creates one.
pub fn user(user_name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": user_name, "externalId": format!("x-{user_name}"), "active": true,
    })
}

/// A group as a connector creates one.
pub fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name, "externalId": format!("g-{name}"), "members": members,
    })
}

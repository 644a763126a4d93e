//! The one HTTP client: bounded in size and time, without redirects, with bodies and tokens that no log sees.

mod answer;

use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};

pub(crate) use answer::{Answer, Problem};

/// The largest answer that is read, bytes. A page of a thousand role assignments has about one million.
pub(crate) const MOST_BYTES: usize = 8 * 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(30);

/// Why a request has no answer. Never holds a query, a header or a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No connection, so nothing was sent.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// The host.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The connection broke after something was sent: it may have been done or not.
    #[error("{host} did not finish its answer: {reason}")]
    Broken {
        /// The host.
        host: String,
        /// What happened.
        reason: String,
    },
    /// More than is read.
    #[error(
        "{host} answered more than {MOST_BYTES} bytes; nothing is concluded from it (if it stays so, look whether a proxy answers \
         in its place)"
    )]
    TooLarge {
        /// The host.
        host: String,
    },
    /// The request cannot be made.
    #[error("a request to {host} cannot be made: {reason}")]
    Unsendable {
        /// The host.
        host: String,
        /// What is wrong.
        reason: String,
    },
}

/// What a request carries.
pub(crate) enum Content {
    /// Nothing.
    Empty,
    /// A form, which may hold a secret.
    Form(SecretString),
    /// JSON.
    Json(String),
    /// JSON as gzip.
    Packed(Vec<u8>),
}

/// One request.
pub(crate) struct Call<'a> {
    method: Method,
    url: String,
    headers: Vec<(&'static str, String)>,
    secret_header: Option<(&'static str, &'a SecretString)>,
    bearer: Option<&'a SecretString>,
    content: Content,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, url: String) -> Self {
        Self { method, url, headers: Vec::new(), secret_header: None, bearer: None, content: Content::Empty }
    }

    pub(crate) fn get(url: String) -> Self {
        Self::new(Method::GET, url)
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn secret_header(mut self, name: &'static str, value: &'a SecretString) -> Self {
        self.secret_header = Some((name, value));
        self
    }

    pub(crate) fn bearer(mut self, token: &'a SecretString) -> Self {
        self.bearer = Some(token);
        self
    }

    pub(crate) fn content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    /// The request line as people read it in a record: no query that a server made, no header, no body.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.url)
    }
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Wire {
    /// To Azure: a proxy of the environment is used.
    outside: reqwest::Client,
    /// To the machine's own metadata, which no proxy may see.
    inside: reqwest::Client,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    /// A client.
    pub fn new() -> Result<Self, WireError> {
        Self::within(WHOLE)
    }

    fn within(whole: Duration) -> Result<Self, WireError> {
        let builder = || {
            reqwest::Client::builder()
                .redirect(Policy::none())
                .connect_timeout(CONNECT)
                .timeout(whole)
                .pool_max_idle_per_host(8)
                .referer(false)
                .user_agent(concat!("axon/", env!("CARGO_PKG_VERSION")))
        };
        let built = |client: reqwest::Result<reqwest::Client>| {
            client.map_err(|e| WireError::Unsendable { host: "Azure".into(), reason: told(e) })
        };
        Ok(Self { outside: built(builder().build())?, inside: built(builder().no_proxy().build())? })
    }

    /// Sends a request to Azure.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Answer, WireError> {
        send(&self.outside, call).await
    }

    /// Sends a request to the machine's own metadata.
    pub(crate) async fn send_inside(&self, call: Call<'_>) -> Result<Answer, WireError> {
        send(&self.inside, call).await
    }
}

async fn send(client: &reqwest::Client, call: Call<'_>) -> Result<Answer, WireError> {
    let url = Url::parse(&call.url)
        .map_err(|e| WireError::Unsendable { host: "an address".into(), reason: e.to_string() })?;
    let host = url.host_str().unwrap_or("an address").to_owned();
    let unsendable = |reason: &str| WireError::Unsendable { host: host.clone(), reason: reason.to_owned() };
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    for (name, value) in &call.headers {
        let value = HeaderValue::from_str(value).map_err(|_| unsendable("a header's value is not text"))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    let sensitive = |text: String| -> Result<HeaderValue, WireError> {
        let mut value = HeaderValue::try_from(text).map_err(|_| unsendable("a secret is not plain text"))?;
        value.set_sensitive(true);
        Ok(value)
    };
    if let Some((name, value)) = call.secret_header {
        headers.insert(HeaderName::from_static(name), sensitive(value.expose_secret().to_owned())?);
    }
    if let Some(token) = call.bearer {
        headers.insert(AUTHORIZATION, sensitive(format!("Bearer {}", token.expose_secret()))?);
    }
    let request = client.request(call.method, url);
    let request = match call.content {
        Content::Empty => request,
        Content::Form(form) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            request.body(form.expose_secret().to_owned())
        }
        Content::Json(text) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request.body(text)
        }
        Content::Packed(bytes) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            request.body(bytes)
        }
    };
    let lost = |error: reqwest::Error| {
        let (host, nothing_sent) = (host.clone(), error.is_connect() || error.is_builder());
        let reason = told(error);
        if nothing_sent {
            WireError::Unreachable { host, reason }
        } else {
            WireError::Broken { host, reason }
        }
    };
    let mut response = request.headers(headers).send().await.map_err(lost)?;
    let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(WireError::TooLarge { host });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer::new(host, status, headers, body))
}

/// An error with its causes, without the address, whose query may say too much.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text.chars().take(400).collect()
}

/// Text in a path or query (RFC 3986, section 2.3: only the unreserved characters stay).
pub(crate) fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Server};

    #[test]
    fn nothing_of_a_name_means_anything_in_an_address() {
        assert_eq!(encoded("a b/c?d#e&f='g%"), "a%20b%2Fc%3Fd%23e%26f%3D%27g%25");
        assert_eq!(encoded("bob_x.com#EXT#@t.onmicrosoft.com"), "bob_x.com%23EXT%23%40t.onmicrosoft.com");
        assert_eq!(encoded("\u{e9}"), "%C3%A9");
    }

    #[tokio::test]
    async fn a_body_without_end_is_cut_and_a_redirect_is_not_followed() {
        let server = Server::start(|request| match request.path() {
            "/big" => Reply::ok(&"x".repeat(50 * 1024 * 1024)),
            _ => Reply::status(302, "").header("location", "/big"),
        })
        .await;
        let wire = Wire::new().unwrap();
        let big = wire.send(Call::get(server.base().at("/big"))).await.unwrap_err();
        assert!(matches!(big, WireError::TooLarge { .. }), "{big}");
        assert_eq!(wire.send(Call::get(server.base().at("/"))).await.unwrap().status(), 302);
    }

    #[tokio::test]
    async fn a_service_that_never_answers_is_given_up_and_what_it_did_is_not_known() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/?sig=s3cret", silent.local_addr().unwrap());
        // Connections wait in the listener's queue: taken by the system, answered by nobody.
        let wire = Wire::within(Duration::from_millis(500)).unwrap();
        let late = wire.send(Call::new(Method::PUT, url)).await.unwrap_err();
        assert!(matches!(late, WireError::Broken { .. }), "{late}");
        assert!(!late.to_string().contains("s3cret"), "{late}");
        drop(silent);
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_unknown_and_a_closed_port_is_not_sent() {
        let server = Server::start(|_| Reply::ok(r#"{"value":[1,2"#).promising(1000)).await;
        let wire = Wire::new().unwrap();
        let half = wire.send(Call::get(server.base().at("/?sig=s3cret"))).await.unwrap_err();
        assert!(matches!(half, WireError::Broken { .. }), "{half}");
        assert!(!half.to_string().contains("s3cret"), "{half}");
        let gone = wire.send(Call::get("http://127.0.0.1:1/?sig=s3cret".into())).await.unwrap_err();
        assert!(matches!(gone, WireError::Unreachable { .. }), "{gone}");
        assert!(!gone.to_string().contains("s3cret"), "{gone}");
    }
}

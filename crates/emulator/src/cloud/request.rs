//! A request as it came, and the pieces of it that handlers ask for.

use serde::de::DeserializeOwned;

/// One HTTP request, read whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// In capitals.
    pub method: String,
    /// The path as it was sent, without the query.
    pub path: String,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body as it was sent.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { method: method.into(), path: path.into(), query: query.into(), ..Self::default() }
    }

    /// A header by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query, decoded. Names compare without case, as the services do it.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    }

    /// A field of a form, decoded.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(&self.body).find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
    }

    /// The path, decoded. What is no UTF-8 is replaced.
    pub(crate) fn decoded_path(&self) -> String {
        decode(&self.path)
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The address at which a client reached the server, for links.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.header("host").unwrap_or("localhost"))
    }
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        let decoded = pair.filter(|_| *byte == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok());
        if let Some(decoded) = decoded {
            out.push(decoded);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_once() {
        let request = Request::new("GET", "/v1.0/users/a%23b%2540x%zz?%24filter=a+eq+%27b%27");
        assert_eq!(request.decoded_path(), "/v1.0/users/a#b%40x%zz");
        assert_eq!(request.parameter("$FILTER").as_deref(), Some("a eq 'b'"));
        assert_eq!(request.parameter("$top"), None);
    }
}

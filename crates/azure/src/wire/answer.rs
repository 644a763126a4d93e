//! What came back: a status, some headers, a bounded body; and what a server says is wrong.

use std::time::Duration;

use axon_model::name::shown;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::scrub::Scrub;

/// The longest text of a server that is kept.
const MOST_TEXT: usize = 600;
/// The longest wait that a server is believed.
const LONGEST: Duration = Duration::from_mins(15);

/// What a server says is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The server's code, such as `AuthorizationFailed`; empty where it gives none.
    pub code: String,
    /// The server's text, cut and with hidden marks spelled out. May hold names and ids.
    pub message: String,
}

/// An answer.
pub(crate) struct Answer {
    host: String,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    /// The body may hold a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({} from {}, {} bytes)", self.status, self.host, self.body.len())
    }
}

#[derive(Deserialize)]
struct Envelope {
    error: Option<Inner>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Inner {
    Object { code: Option<String>, message: Option<String> },
    Word(String),
}

impl Answer {
    pub(crate) fn new(host: String, status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self { host, status, headers, body }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// A header's value, where it is plain text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Each link of the `Link` headers (RFC 8288): its address, `>`, its parameters.
    pub(crate) fn links(&self) -> impl Iterator<Item = &str> {
        let lines = self.headers.get_all("link").iter().filter_map(|line| line.to_str().ok());
        // A comma may stand in an address, but not before the next `<`.
        lines.flat_map(|line| line.split(", <")).map(|link| link.trim_start_matches('<'))
    }

    /// The body as this type, or why it is none. Nothing of the body is told.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|e| {
            format!(
                "{} answered {} with something else than was asked for: {:?} error at byte {} of {}; nothing is concluded from it, and \
                 it is asked again (if it stays so, look whether a proxy answers in its place)",
                self.host,
                self.status,
                e.classify(),
                e.column(),
                self.body.len()
            )
        })
    }

    /// What is wrong: the status says so, or the body does under a status that says all is well. What was shown to the server is
    /// not in it.
    pub(crate) fn problem(&self, scrub: &Scrub<'_>) -> Option<Problem> {
        // A list of one would read as an envelope, too.
        let object = self.body.trim_ascii_start().first() == Some(&b'{');
        let parsed = object.then(|| serde_json::from_slice::<Envelope>(&self.body).ok()).flatten();
        let envelope = parsed.and_then(|e| e.error);
        let fine = (200..300).contains(&self.status);
        if fine && envelope.is_none() {
            return None;
        }
        let (code, message) = match envelope {
            Some(Inner::Object { code, message }) => (code.unwrap_or_default(), message.unwrap_or_default()),
            Some(Inner::Word(word)) => (word, String::new()),
            None => Default::default(),
        };
        let cut =
            |text: &str, most: usize| shown(&scrub.text(text, most)).chars().take(most).collect::<String>();
        Some(Problem { status: self.status, code: cut(&code, 120), message: cut(&message, MOST_TEXT) })
    }

    /// How long the server wants to be left alone (RFC 9110, section 10.2.3), if it says so.
    pub(crate) fn retry_after(&self, now: OffsetDateTime) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        let wait = if let Ok(seconds) = text.parse::<u64>() {
            Duration::from_secs(seconds)
        } else {
            let at = OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822).ok()?;
            Duration::try_from(at - now).unwrap_or_default()
        };
        Some(wait.min(LONGEST))
    }

    /// How far this machine's clock is ahead of the server's, where the answer is dated.
    pub(crate) fn ahead(&self, now: OffsetDateTime) -> Option<time::Duration> {
        let date = self.header("date")?.replace("GMT", "+0000");
        OffsetDateTime::parse(&date, &Rfc2822).ok().map(|date| now - date)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        Answer::new("h".into(), status, map, body.into())
    }

    #[test]
    fn an_error_is_seen_under_a_200_and_a_bare_status_is_one_too() {
        let nothing = Scrub::of(None);
        let inside = answer(200, &[], r#"{"error":{"code":"Throttled","message":"slow\u202e"}}"#);
        let problem = inside.problem(&nothing).unwrap();
        assert_eq!((problem.status, problem.code.as_str()), (200, "Throttled"));
        assert!(problem.message.is_ascii(), "{}", problem.message);
        assert_eq!(answer(503, &[], "<html>").problem(&nothing).unwrap().code, "");
        assert_eq!(
            answer(400, &[], r#"{"error":"invalid_client"}"#).problem(&nothing).unwrap().code,
            "invalid_client"
        );
        assert_eq!(answer(204, &[], "").problem(&nothing), None);
        assert_eq!(answer(200, &[], r#"[{"id":"1"}]"#).problem(&nothing), None, "a list of one is a list");
        assert_eq!(answer(200, &[], r#"{"value":[],"error":null}"#).problem(&nothing), None);
    }

    #[test]
    fn a_wait_is_seconds_or_a_date_and_never_for_ever() {
        let now = time::macros::datetime!(2026-11-22 10:00 UTC);
        let wait = |text: &str| answer(429, &[("retry-after", text)], "").retry_after(now);
        assert_eq!(wait("17"), Some(Duration::from_secs(17)));
        assert_eq!(wait("Sun, 22 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wait("Sun, 22 Nov 2026 09:00:30 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("999999999"), Some(LONGEST));
        assert_eq!(wait("soon"), None);
        let dated = answer(200, &[("date", "Sun, 22 Nov 2026 09:50:00 GMT")], "");
        assert_eq!(dated.ahead(now), Some(time::Duration::minutes(10)));
    }
}

//! What was received: the last requests, without their secrets, for comparisons with golden files.

use std::collections::VecDeque;

use serde::Serialize;

use super::request::Request;
use super::service::Service;

/// The most requests that are kept.
const MOST: usize = 2_000;
/// The longest body that is kept.
const MOST_BODY: usize = 16 * 1024;
/// Form fields and headers whose values are not kept.
const SECRET: [&str; 4] = ["client_secret", "client_assertion", "x-identity-header", "cookie"];

/// A request that was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// Who answered.
    pub service: Service,
    /// Method.
    pub method: String,
    /// Path as sent.
    pub path: String,
    /// Query as sent.
    pub query: String,
    /// Headers in order of their names; secrets are replaced.
    pub headers: Vec<(String, String)>,
    /// Body as text; secrets are replaced, a long one is cut.
    pub body: String,
    /// Status of the answer; 0 where there was none.
    pub status: u16,
}

/// The last requests.
#[derive(Debug, Default)]
pub(super) struct Records {
    kept: VecDeque<Recorded>,
}

impl Records {
    pub(super) fn keep(&mut self, service: Service, request: &Request, status: u16, audience: Option<&str>) {
        if self.kept.len() >= MOST {
            self.kept.pop_front();
        }
        let mut headers: Vec<(String, String)> = request
            .headers
            .iter()
            .map(|(name, value)| {
                let shown = match name.as_str() {
                    "authorization" => format!("Bearer <token for {}>", audience.unwrap_or("nothing")),
                    name if SECRET.contains(&name) => "<secret>".to_owned(),
                    _ => value.clone(),
                };
                (name.clone(), shown)
            })
            .collect();
        headers.sort();
        self.kept.push_back(Recorded {
            service,
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers,
            body: body(request),
            status,
        });
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Recorded> {
        self.kept.iter()
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }
}

fn body(request: &Request) -> String {
    let form = request.header("content-type").is_some_and(|kind| kind.contains("form-urlencoded"));
    if form {
        let pairs = form_urlencoded::parse(&request.body).map(|(name, value)| {
            let hidden = SECRET.contains(&name.as_ref());
            format!("{name}={}", if hidden { "<secret>" } else { value.as_ref() })
        });
        return pairs.collect::<Vec<_>>().join("&");
    }
    let part = &request.body[..request.body.len().min(MOST_BODY)];
    match std::str::from_utf8(part) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("<{} bytes>", request.body.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept_and_old_requests_go() {
        let mut records = Records::default();
        let mut request = Request::new("POST", "/t/oauth2/v2.0/token");
        request.headers = vec![
            ("content-type".into(), "application/x-www-form-urlencoded".into()),
            ("authorization".into(), "Bearer a.b.c".into()),
        ];
        request.body = b"grant_type=client_credentials&client_secret=hush".to_vec();
        for _ in 0..=MOST {
            records.keep(Service::Authority, &request, 200, None);
        }
        assert_eq!(records.all().count(), MOST);
        let kept = format!("{:?}", records.all().next().unwrap());
        assert!(!kept.contains("hush") && !kept.contains("a.b.c"), "{kept}");
        assert!(kept.contains("client_secret=<secret>"), "{kept}");
    }
}

//! What tells one kind of request from others: everything but who and what it is about.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::Request;

/// A kind of request: the name of its file, and all that is the same in each request of that kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: String,
    pub(super) shape: String,
}

impl Kind {
    pub(super) fn of(request: &Request) -> Self {
        let words = words(request.path());
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        let asked = pairs.iter().filter_map(|(key, value)| match key.as_str() {
            "api-version" | "resource" => None,
            "$filter" => Some(expression(value)).filter(|e| !e.is_empty()).map(|e| format!("filter-{e}")),
            "$select" => Some(format!("select-{}", value.replace(',', "-"))),
            key => Some(key.trim_start_matches('$').to_owned()),
        });
        let continued = request.header("x-ms-continuation").map(|_| "continued".to_owned());
        let proof = request.form("grant_type").map(|_| {
            let known = ["client_secret", "client_assertion"];
            known.into_iter().find(|key| request.form(key).is_some()).unwrap_or("plain").to_owned()
        });
        // For whom a token is.
        let scope = request.form("scope").or_else(|| request.query("resource"));
        let whom = scope.and_then(|scope| Some(scope.split("//").nth(1)?.split('/').next()?.to_owned()));
        let empty = (request.body == "[]").then(|| "without_rows".to_owned());
        let last = words[words.len().saturating_sub(3)..].iter().cloned();
        let all = last.chain(asked).chain(continued).chain(proof).chain(whom).chain(empty);
        let name = std::iter::once(request.method.clone()).chain(all).collect::<Vec<_>>().join("_");
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        Self { name: name.chars().map(plain).collect(), shape: shape(request, &words, &pairs) }
    }
}

/// The words of a path; what names somebody or something stands as what it is.
fn words(path: &str) -> Vec<String> {
    let segments = path.split('/').map(decoded);
    let words = segments.flat_map(|segment| match segment.split_once('(') {
        // One of a collection by a key of its own: `users('…')`, `applications(appId='…')`.
        Some((collection, key)) => {
            let (attribute, value) = key.split_once("='").unwrap_or(("quoted", key.trim_start_matches('\'')));
            vec![collection.to_owned(), attribute.to_owned(), masked(value.trim_end_matches("')"))]
        }
        None => vec![masked(&segment)],
    });
    words.filter(|word| !word.is_empty() && word.len() < 48).collect()
}

fn decoded(segment: &str) -> String {
    let pair = format!("x={}", segment.replace('+', "%2B"));
    form_urlencoded::parse(pair.as_bytes()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}

fn masked(word: &str) -> String {
    let id = word.len() >= 30 && word.chars().filter(|c| *c == '-').count() >= 4;
    let of_okta = word.len() == 4 && word.starts_with("00");
    match word {
        _ if id || of_okta => "id".to_owned(),
        _ if word.contains('@') => "name".to_owned(),
        word => word.to_owned(),
    }
}

/// The attributes and operators of a filter without what they are compared with.
fn expression(filter: &str) -> String {
    let outside = filter.split('\'').step_by(2).collect::<Vec<_>>().join(" ");
    let words = outside.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn shape(request: &Request, words: &[String], pairs: &[(String, String)]) -> String {
    let query: Vec<String> = pairs
        .iter()
        .map(|(key, value)| match key.as_str() {
            "$filter" => format!("{key}={}", expression(value)),
            "$select" | "api-version" => format!("{key}={value}"),
            key => key.to_owned(),
        })
        .collect();
    let headers: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    let mut keys = BTreeSet::new();
    match serde_json::from_str::<Value>(&request.body) {
        Ok(body) => keys_of(&body, "", &mut keys),
        Err(_) => {
            keys.extend(form_urlencoded::parse(request.body.as_bytes()).map(|(key, _)| key.into_owned()));
        }
    }
    format!("{} {}?{}\n{}\n{keys:?}", request.method, words.join("/"), query.join("&"), headers.join(" "))
}

/// The keys of a body, whatever stands there.
fn keys_of(value: &Value, at: &str, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let at = format!("{at}.{key}");
                keys.insert(at.clone());
                keys_of(value, &at, keys);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys_of(value, at, keys)),
        _ => {}
    }
}

#[test]
fn what_is_asked_for_tells_kinds_apart_and_whom_it_is_about_does_not() {
    let kind = |target: &str| {
        let (method, target) = ("GET".to_owned(), target.to_owned());
        Kind::of(&Request { method, target, headers: Vec::new(), body: String::new() })
    };
    let id = |n: u32| format!("aaaaaaaa-0000-0000-0000-{n:012}");
    let one = [
        format!("/v1.0/users/{}?$select=id", id(1)),
        format!("/v1.0/users/{}?$select=id,mail", id(1)),
        "/v1.0/users/kim%40acme.com?$select=id".to_owned(),
        "/v1.0/users('%24odd%40acme.com')".to_owned(),
        "/v1.0/users?$filter=mail%20eq%20%27a%40acme.com%27".to_owned(),
        "/v1.0/users?$filter=mail%20in%20%28%27a%40acme.com%27%29".to_owned(),
        "/v1.0/users?$filter=mail%20in%20%28%27a%40acme.com%27%29&$top=9".to_owned(),
        "/msi/token?resource=https%3A%2F%2Fgraph.microsoft.com".to_owned(),
        "/msi/token?resource=https%3A%2F%2Fgraph.microsoft.com&client_id=x".to_owned(),
    ];
    let names: BTreeSet<String> = one.iter().map(|target| kind(target).name).collect();
    assert_eq!(names.len(), one.len(), "{names:#?}");
    let other = [
        "aaaaaaaa-0000-0000-0000-000000000002",
        "o%27neil%40else.com",
        "mail%20in%20%28%27x%27%2C%27o%27%27y%27%29",
    ];
    assert_eq!(kind(&one[0]), kind(&one[0].replace(&id(1), other[0])));
    assert_eq!(kind(&one[2]), kind(&one[2].replace("kim%40acme.com", other[1])));
    assert_eq!(kind(&one[5]), kind(&format!("/v1.0/users?$filter={}", other[2])));
}

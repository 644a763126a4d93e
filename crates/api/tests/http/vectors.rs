//! The numbered vectors and the defects that were reported of other servers as fixtures, each over the whole router on a store of
//! its own: users A to D and U, and a group G of A, B and C. What needs more than steps names its test.

use std::collections::BTreeMap;
use std::path::Path;

use axon_scim::Profile;
use axum::body::Body;
use serde_json::{Map, Value, json};

use crate::kit::{Answer, Client, LIMITS, Server, encoded};

const VECTORS: &str = include_str!("vectors/numbered.json");
const DEFECTS: &str = include_str!("vectors/defects.json");

fn fixtures(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

struct Play<'a> {
    server: &'a Server,
    source: &'a str,
    name: &'a str,
    saved: BTreeMap<String, Value>,
}

impl Play<'_> {
    fn client(&self, who: Option<&str>) -> Client<'_> {
        match who.unwrap_or(self.source) {
            "nobody" => self.server.nobody(),
            who => self.server.bearer(&format!("secret-of-{who}")),
        }
    }

    /// Puts what was saved in the places of `{names}`; a text that is one name becomes what was saved.
    fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let whole = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                if let Some(saved) = whole.and_then(|name| self.saved.get(name)) {
                    return saved.clone();
                }
                let put = |text: String, (name, saved): (&String, &Value)| match saved {
                    Value::String(saved) => text.replace(&format!("{{{name}}}"), saved),
                    _ => text,
                };
                Value::String(self.saved.iter().fold(text.clone(), put))
            }
            Value::Array(list) => list.iter().map(|item| self.fill(item)).collect(),
            Value::Object(map) => {
                map.iter().map(|(k, v)| (k.clone(), self.fill(v))).collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    async fn send(&self, step: &Value) -> Answer {
        let (method, path) = step["do"].as_str().unwrap().split_once(' ').unwrap();
        let path = match step["filter"].as_str() {
            Some(filter) => format!("{path}?filter={}", encoded(filter)),
            None => path.to_owned(),
        };
        let mut request = self.client(step["as"].as_str()).request(method, &path);
        for (name, value) in step["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap());
        }
        let body = match (&step["ops"], &step["body"]) {
            (Value::Null, Value::Null) => None,
            (Value::Null, body) => Some(body.clone()),
            (ops, _) => Some(json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": ops
            })),
        };
        let request = match body {
            Some(body) => {
                request.header("content-type", "application/scim+json").body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        };
        self.server.send(request.unwrap()).await
    }

    async fn step(&mut self, step: &Value) {
        let step = self.fill(step);
        let told = format!("{}: {}", self.name, step["do"]);
        self.server.later();
        let head = self.server.head().await;
        let answer = self.send(&step).await;
        let status = u16::try_from(step["status"].as_u64().unwrap()).unwrap();
        assert_eq!(answer.status, status, "{told}: {}", answer.body);
        if status >= 400 {
            answer.refused(status, step["type"].as_str().unwrap_or_default());
        }
        if step["unchanged"] == true {
            assert_eq!(self.server.head().await, head, "{told}: nothing is written");
        }
        if let Some(expected) = step.get("has") {
            assert!(covers(&answer.body, expected), "{told}: {expected} is not in {}", answer.body);
        }
        if let Some(expected) = step.get("exact") {
            assert_eq!(&answer.body, expected, "{told}");
        }
        for pointer in step["lacks"].as_array().into_iter().flatten() {
            let found = answer.body.pointer(pointer.as_str().unwrap());
            assert_eq!(found, None, "{told}: {pointer}");
        }
        for (name, pointer) in step["save"].as_object().into_iter().flatten() {
            let found = answer.body.pointer(pointer.as_str().unwrap());
            self.saved.insert(name.clone(), found.unwrap_or_else(|| panic!("{told}: {pointer}")).clone());
        }
    }
}

/// Whether `expected` is in `found`: of an object each key that is named, of a list each element and no more.
fn covers(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|f| covers(f, value)))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| covers(f, e))
        }
        (found, expected) => found == expected,
    }
}

async fn play(vector: &Value) {
    let name = vector["name"].as_str().unwrap();
    let Some(steps) = vector["steps"].as_array() else { return };
    let server = Server::with(LIMITS, |parts| {
        parts.sources.insert("strict".parse().unwrap(), Profile::strict());
        let unpack = Profile { unpack_roles: true, ..Profile::entra() };
        parts.sources.insert("unpack".parse().unwrap(), unpack);
    })
    .await;
    for source in ["strict", "unpack"] {
        server.give_token(source, &format!("secret-of-{source}"), None).await;
    }
    let source = vector["source"].as_str().unwrap();
    let mut play = Play { server: &server, source, name, saved: BTreeMap::new() };
    for person in ["A", "B", "C", "D", "U"] {
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": person});
        let made = play.client(None).post("/Users", body).await;
        assert_eq!(made.status, 201, "{name}: {}", made.body);
        play.saved.insert(person.to_owned(), made.body["id"].clone());
    }
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "G",
        "members": [{"value": "{A}"}, {"value": "{B}"}, {"value": "{C}"}]});
    let made = play.client(None).post("/Groups", play.fill(&group)).await;
    assert_eq!(made.status, 201, "{name}: {}", made.body);
    play.saved.insert("G".to_owned(), made.body["id"].clone());
    for step in steps {
        play.step(step).await;
    }
}

#[tokio::test]
async fn every_vector_holds() {
    for vector in fixtures(VECTORS) {
        play(&vector).await;
    }
}

#[tokio::test]
async fn no_defect_of_other_servers_is_here() {
    for defect in fixtures(DEFECTS) {
        play(&defect).await;
    }
}

#[test]
fn each_number_is_there_and_what_names_a_test_names_one_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (text, letter, last) in [(VECTORS, 'V', 47), (DEFECTS, 'D', 63)] {
        let fixtures = fixtures(text);
        for number in 1..=last {
            let head = format!("{letter}{number} ");
            assert!(
                fixtures.iter().any(|v| v["name"].as_str().unwrap().starts_with(&head)),
                "{head}is missing"
            );
        }
        for fixture in fixtures.iter().filter(|v| v.get("steps").is_none()) {
            let (file, name) = fixture["shown_by"].as_str().unwrap().split_once("::").unwrap();
            let source = std::fs::read_to_string(root.join(file)).unwrap();
            assert!(source.contains(&format!("fn {name}(")), "{fixture}");
        }
    }
}

/// Each defect has its line in the documentation, under the same number.
#[test]
fn the_documentation_names_each_defect() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SCIM.md")).unwrap();
    for number in 1..=63 {
        assert!(text.contains(&format!("\n| {number} | ")), "defect {number} has no line");
    }
}

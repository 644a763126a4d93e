//! The ids and entity tags of a recording in the words of the server that it is replayed to.

use std::collections::HashMap;

use axon_api::care::{Exchange, Recorded};
use serde_json::Value;

/// The length of a UUID in text: an id of the server that was recorded.
const ID: usize = 36;

/// What is called otherwise on the other server.
#[derive(Debug, Default)]
pub struct Names {
    ids: HashMap<String, String>,
    /// By the recorded address and tag.
    tags: HashMap<(String, String), String>,
}

impl Names {
    /// Learns from the answers to one request on both servers.
    pub fn learn(&mut self, exchange: &Exchange, seen: &Recorded) {
        let recorded = &exchange.response;
        if let (Some(recorded), Some(seen)) = (&recorded.body, &seen.body) {
            self.pair(recorded, seen);
        }
        let of = |answer: &Recorded, name: &str| answer.headers.get(name).cloned();
        if let (Some(old), Some(new)) = (of(recorded, "location"), of(seen, "location")) {
            self.pair_last_segments(&old, &new);
        }
        if let (Some(old), Some(new)) = (of(recorded, "etag"), of(seen, "etag")) {
            let address = recorded.body.as_ref().and_then(|body| body["id"].as_str()).map_or_else(
                || without_query(&exchange.path).to_owned(),
                |id| format!("{}/{id}", endpoint(&exchange.path)),
            );
            self.tags.insert((address, old), new);
        }
    }

    /// Two answers in the same places: what has an id has another one there.
    fn pair(&mut self, recorded: &Value, seen: &Value) {
        match (recorded, seen) {
            (Value::Object(recorded), Value::Object(seen)) => {
                if let (Some(Value::String(old)), Some(Value::String(new))) =
                    (recorded.get("id"), seen.get("id"))
                {
                    self.name(old, new);
                }
                for (key, value) in recorded {
                    let Some(other) = seen.get(key) else { continue };
                    match (key.as_str(), value, other) {
                        // The address of an operation of a bulk answer.
                        ("location", Value::String(old), Value::String(new)) => {
                            self.pair_last_segments(old, new);
                        }
                        ("Resources" | "Operations", ..) => self.pair(value, other),
                        _ => {}
                    }
                }
            }
            (Value::Array(recorded), Value::Array(seen)) => {
                recorded.iter().zip(seen).for_each(|(recorded, seen)| self.pair(recorded, seen));
            }
            _ => {}
        }
    }

    fn pair_last_segments(&mut self, old: &str, new: &str) {
        if let (Some((_, old)), Some((_, new))) = (old.rsplit_once('/'), new.rsplit_once('/')) {
            self.name(old, new);
        }
    }

    /// The first meeting counts: a list in another order must not mix two people up.
    fn name(&mut self, old: &str, new: &str) {
        if old.len() == ID && !new.is_empty() {
            self.ids.entry(old.to_owned()).or_insert_with(|| new.to_owned());
        }
    }

    /// A text with the other server's ids in it.
    pub fn put_into(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            // An id has a hyphen at its ninth place: all else is passed over quickly.
            let new = (rest.as_bytes().get(8) == Some(&b'-'))
                .then(|| rest.get(..ID))
                .flatten()
                .and_then(|id| self.ids.get(id));
            if let Some(new) = new {
                out.push_str(new);
                rest = &rest[ID..];
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }

    /// A body with the other server's ids in it.
    pub fn put_into_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.put_into(text),
            Value::Array(list) => list.iter_mut().for_each(|item| self.put_into_value(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.put_into_value(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The value of `If-Match` or `If-None-Match` with the other server's tags in it.
    pub fn tags_of(&self, path: &str, value: &str) -> String {
        let address = without_query(path);
        let tag = |tag: &str| {
            let key = (address.to_owned(), tag.trim().to_owned());
            self.tags.get(&key).cloned().unwrap_or_else(|| tag.trim().to_owned())
        };
        value.split(',').map(tag).collect::<Vec<_>>().join(", ")
    }
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

/// `/Users` of `/Users/7?x`.
fn endpoint(path: &str) -> &str {
    let path = without_query(path);
    match path.get(1..).and_then(|rest| rest.find('/')) {
        Some(end) => &path[..=end],
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OLD: &str = "01890000-0000-7000-8000-000000000001";
    const OTHER: &str = "01890000-0000-7000-8000-000000000002";

    fn answer(body: Value, tag: &str) -> Recorded {
        Recorded { headers: [("etag".to_owned(), tag.to_owned())].into(), body: Some(body), left_out: None }
    }

    fn exchange(path: &str, response: Recorded) -> Exchange {
        Exchange {
            source: "entra".parse().unwrap(),
            method: "POST".into(),
            path: path.into(),
            request: Recorded::default(),
            status: 201,
            response,
        }
    }

    #[test]
    fn what_was_made_is_found_under_its_new_name() {
        let mut names = Names::default();
        names.learn(
            &exchange("/Users?x=1", answer(json!({"id": OLD}), "W/\"1\"")),
            &answer(json!({"id": "new"}), "W/\"9\""),
        );
        let list = |id: &str| json!({"Resources": [{"id": id}], "totalResults": 1});
        names.learn(&exchange("/Groups", answer(list(OTHER), "")), &answer(list("group"), ""));
        assert_eq!(names.put_into(&format!("/Groups/{OTHER}?é={OLD}-")), "/Groups/group?é=new-");
        let mut body = json!({"value": [{"value": OLD}, format!("members[value eq \"{OTHER}\"]"), 7]});
        names.put_into_value(&mut body);
        assert_eq!(body, json!({"value": [{"value": "new"}, "members[value eq \"group\"]", 7]}));
        assert_eq!(names.tags_of(&format!("/Users/{OLD}?y"), "W/\"1\", \"x\""), "W/\"9\", \"x\"");
        assert_eq!(names.tags_of("/Users/else", "W/\"1\""), "W/\"1\"");
    }

    #[test]
    fn a_bulk_answer_names_what_it_made() {
        let mut names = Names::default();
        let bulk = |id: &str| json!({"Operations": [{"location": format!("https://x/Users/{id}"), "status": "201"}]});
        names.learn(&exchange("/Bulk", answer(bulk(OLD), "")), &answer(bulk("new"), ""));
        assert_eq!(names.put_into(OLD), "new");
    }

    #[test]
    fn the_first_meeting_counts() {
        let mut names = Names::default();
        names.learn(&exchange("/Users", answer(json!({"id": OLD}), "")), &answer(json!({"id": "new"}), ""));
        names.learn(&exchange("/Users", answer(json!({"id": OLD}), "")), &answer(json!({"id": "else"}), ""));
        assert_eq!(names.put_into(OLD), "new");
    }
}

//! The two ways in which Entra words a PATCH today.

use axon_tests::Scim;
use serde_json::{Map, Value, json};

use super::path::Place;

/// How a PATCH is worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// What most tenants send: capitalised operations, booleans as text, `value` lists on removal.
    Standing,
    /// With `aadOptscim062020` in the tenant URL: lower case, booleans, filters on removal.
    Flagged,
}

impl Dialect {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Standing, Self::Flagged];

    /// The connector as this dialect is configured.
    pub fn of(self, scim: &Scim) -> Scim {
        let headers = [("content-type", "application/scim+json; charset=utf-8"), ("user-agent", "")];
        let scim = scim.with_headers(&headers);
        match self {
            Self::Standing => scim,
            Self::Flagged => scim.with_flag("aadOptscim062020"),
        }
    }

    /// Are booleans sent as text?
    pub fn text_booleans(self) -> bool {
        self == Self::Standing
    }

    /// A boolean.
    pub fn boolean(self, value: bool) -> Value {
        match (self, value) {
            (Self::Flagged, _) => json!(value),
            (Self::Standing, true) => json!("True"),
            (Self::Standing, false) => json!("False"),
        }
    }

    /// An operation's name.
    pub fn op(self, lower: &str) -> String {
        match self {
            Self::Flagged => lower.to_owned(),
            Self::Standing => lower[..1].to_uppercase() + &lower[1..],
        }
    }

    /// One operation for each path.
    pub fn verbose(self, op: &str, values: &[(String, Value)]) -> Value {
        let op = self.op(op);
        values.iter().map(|(path, value)| json!({ "op": op, "path": path, "value": value })).collect()
    }

    /// One operation without a path; the flagged dialect keeps paths with a filter apart.
    pub fn folded(self, op: &str, values: &[(String, Value)]) -> Value {
        let op = self.op(op);
        let apart = |path: &str| self == Self::Flagged && Place::parse(path).is_filtered();
        let folded: Map<String, Value> = values.iter().filter(|(path, _)| !apart(path)).cloned().collect();
        let mut operations: Vec<Value> = values
            .iter()
            .filter(|(path, _)| apart(path))
            .map(|(path, value)| json!({ "op": op, "path": path, "value": value }))
            .collect();
        operations.push(json!({ "op": op, "value": folded }));
        Value::Array(operations)
    }

    /// Members who come.
    pub fn add_members(self, ids: &[&str]) -> Value {
        let element = |id: &&str| match self {
            Self::Standing => json!({ "$ref": null, "value": id }),
            Self::Flagged => json!({ "value": id }),
        };
        let value: Vec<Value> = ids.iter().map(element).collect();
        json!({ "op": self.op("add"), "path": "members", "value": value })
    }

    /// A member who goes.
    pub fn remove_member(self, id: &str) -> Value {
        match self {
            Self::Standing => {
                json!({ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": id }] })
            }
            Self::Flagged => json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }),
        }
    }
}

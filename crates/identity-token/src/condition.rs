//! What a claim must say.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::claims::Claims;

/// A claim and the values of which it must have one. A claim that is a list must hold one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The claim's name; a dot leads into an object.
    pub claim: String,
    /// The values. Compared whole and with case; numbers and truth values by their JSON text.
    pub one_of: Vec<String>,
}

impl Condition {
    /// Conditions from a map of claim to values.
    pub fn all(map: &BTreeMap<String, Vec<String>>) -> Vec<Self> {
        map.iter().map(|(claim, one_of)| Self { claim: claim.clone(), one_of: one_of.clone() }).collect()
    }

    /// Whether the claims meet it. A claim that is not there meets nothing.
    pub fn holds(&self, claims: &Claims) -> bool {
        match claims.get(&self.claim) {
            Some(Value::Array(list)) => list.iter().any(|one| self.is_one(one)),
            Some(value) => self.is_one(value),
            None => false,
        }
    }

    fn is_one(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.one_of.iter().any(|wanted| wanted == text),
            Value::Number(number) => self.one_of.contains(&number.to_string()),
            Value::Bool(truth) => self.one_of.contains(&truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_is_met_by_the_whole_value_alone() {
        let condition =
            Condition { claim: "scp".into(), one_of: vec!["scim".into(), "7".into(), "true".into()] };
        for (value, holds) in [
            (json!("scim"), true),
            (json!(["a", "scim"]), true),
            (json!(7), true),
            (json!(true), true),
            (json!("scim.read"), false),
            (json!("SCIM"), false),
            (json!(null), false),
            (json!([["scim"]]), false),
            (json!({"scim": "scim"}), false),
        ] {
            let Value::Object(map) = json!({ "scp": value }) else { unreachable!() };
            assert_eq!(condition.holds(&Claims::new(map)), holds, "{value}");
        }
    }
}

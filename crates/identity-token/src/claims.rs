//! What a token says, once its signature holds.

use serde_json::{Map, Value};
use time::OffsetDateTime;

/// The claims of a verified token.
#[derive(Clone, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    pub(crate) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// A claim. A dot leads into an object, where no claim has the whole name: `act.sub`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(name) {
            return Some(value);
        }
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(self.0.get(first)?, |value, key| value.as_object()?.get(key))
    }

    /// A claim that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// A NumericDate (RFC 7519 section 2). Outside of what a clock can show it is none.
    pub fn instant(&self, name: &str) -> Option<OffsetDateTime> {
        let value = self.get(name)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a fraction of a second is cut, a huge number saturates"
        )]
        let seconds =
            value.as_i64().or_else(|| value.as_f64().filter(|n| n.is_finite()).map(|n| n as i64))?;
        OffsetDateTime::from_unix_timestamp(seconds).ok()
    }

    /// Whether the claim is there at all, be it null.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether `aud`, one text or a list, names one of these.
    pub fn is_for(&self, audiences: &[String]) -> bool {
        let named = |value: &Value| value.as_str().is_some_and(|one| audiences.iter().any(|a| a == one));
        match self.0.get("aud") {
            Some(Value::Array(list)) => list.iter().any(named),
            Some(one) => named(one),
            None => false,
        }
    }
}

impl std::fmt::Debug for Claims {
    /// Names only: values name people and machines.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        let Value::Object(map) = value else { panic!("an object") };
        Claims::new(map)
    }

    #[test]
    fn an_audience_is_a_text_or_a_list() {
        let wanted = ["api://axon".to_owned()];
        for (aud, fits) in [
            (json!("api://axon"), true),
            (json!(["x", "api://axon"]), true),
            (json!("api://axon/"), false),
            (json!(["x"]), false),
            (json!([]), false),
            (json!({"0": "api://axon"}), false),
            (json!(null), false),
        ] {
            assert_eq!(claims(json!({ "aud": aud })).is_for(&wanted), fits, "{aud}");
        }
        assert!(!claims(json!({})).is_for(&wanted));
    }

    #[test]
    fn a_claim_with_a_dot_in_its_name_wins_over_a_way_into_an_object() {
        let claims = claims(json!({"oidc.circleci.com/project-id": "p", "act": {"sub": "s"}}));
        assert_eq!(claims.text("oidc.circleci.com/project-id"), Some("p"));
        assert_eq!(claims.text("act.sub"), Some("s"));
        assert_eq!(claims.text("act.sub.x"), None);
    }

    #[test]
    fn times_are_numbers_within_reason() {
        let claims = claims(json!({"a": 1_700_000_000, "b": 1.7e9, "c": "1700000000", "d": 1e300, "e": -1}));
        assert_eq!(claims.instant("a"), claims.instant("b"));
        assert!(claims.instant("c").is_none() && claims.instant("d").is_none());
        assert!(claims.instant("e").is_some());
    }
}

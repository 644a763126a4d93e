//! `when`: a SCIM filter over the user, three-valued. Unknown never gives anything.

use std::fmt;

use axon_model::UserEntry;
use axon_scim::filter::{Filter, FilterError, Truth, Verdict};
use axon_scim::profile::Profile;
use axon_scim::resource::Resource;
use axon_scim::schema::{AttrPath, Registry, ResourceKind};

/// A condition on a user.
#[derive(Clone, PartialEq)]
pub struct Condition {
    text: String,
    filter: Filter,
}

impl Condition {
    /// Reads a SCIM filter over users, strictly.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let filter = Filter::parse(text, &Registry::standard(), ResourceKind::User, &Profile::strict())?;
        if let Some(path) = filter.attributes().into_iter().find(is_outside_document) {
            let reason = match path.attribute.name.as_str() {
                "groups" => {
                    "`groups` cannot be asked here: name the groups under `groups` of the mapping".to_owned()
                }
                _ => format!("`{path}` is no attribute of the person that a source pushed"),
            };
            return Err(FilterError { column: 1, reason, sensitive: false });
        }
        Ok(Self { text: text.to_owned(), filter })
    }

    /// Whether it holds for this user, and the values that were seen.
    pub fn over(&self, user: &UserEntry) -> Verdict {
        // A document that does not read as an object is empty: everything in it is unknown.
        let document = serde_json::from_str(&user.document).unwrap_or_default();
        self.filter.evaluate(&Resource::from_document(ResourceKind::User, document))
    }

    /// Whether it certainly holds for this user.
    pub fn holds(&self, user: &UserEntry) -> bool {
        self.over(user).truth == Truth::True
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether the stored document never has it, so that the condition would be unknown for everybody.
fn is_outside_document(path: &AttrPath) -> bool {
    path.extension.is_none() && matches!(path.attribute.name.as_str(), "groups" | "id" | "meta" | "schemas")
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({:?})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(document: &str) -> UserEntry {
        UserEntry {
            id: "018f3a00-0000-7000-8000-000000000001".parse().unwrap(),
            source: "entra".parse().unwrap(),
            user_name: "kim@acme.com".into(),
            external_id: None,
            active: true,
            document: document.into(),
        }
    }

    #[test]
    fn unknown_never_holds_also_behind_not() {
        let employee = user(r#"{"userType":"Employee"}"#);
        for (text, holds) in [
            ("userType eq \"employee\"", true),
            ("userType ne \"Guest\"", true),
            ("title ne \"Guest\"", false),
            ("not (title eq \"Guest\")", false),
            ("title eq \"x\" or userType eq \"Employee\"", true),
        ] {
            assert_eq!(Condition::parse(text).unwrap().holds(&employee), holds, "{text}");
            assert!(!Condition::parse(text).unwrap().holds(&user("[]")), "{text}");
        }
    }

    #[test]
    fn what_a_document_never_has_is_refused() {
        for text in [
            "groups.display eq \"x\"",
            "id eq \"x\"",
            "not (meta.location pr)",
            "userTyp eq \"x\"",
            "userType eq",
        ] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
    }
}

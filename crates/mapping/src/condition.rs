//! `when`: a SCIM filter over the user, three-valued. Unknown never gives anything.

use std::fmt;

use axon_model::UserEntry;
use axon_scim::filter::{Filter, FilterError, Truth, Verdict};
use axon_scim::profile::Profile;
use axon_scim::resource::Resource;
use axon_scim::schema::{AttrPath, Registry, ResourceKind};

use crate::nearest::nearest;

/// A condition on a user.
#[derive(Clone, PartialEq)]
pub struct Condition {
    text: String,
    filter: Filter,
    /// The attributes that it looks at, each with what tells whether it is there.
    uses: Vec<(String, Present)>,
}

/// Whether somebody has an attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Present(Filter);

impl Present {
    /// Whether this user has it.
    pub fn holds(&self, user: &UserEntry) -> bool {
        self.0.evaluate(&resource(user)).truth == Truth::True
    }
}

/// Why a text is no condition, and which characters of it say so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ConditionError {
    /// The first character that could not be taken, counted from 1.
    pub column: usize,
    /// What is wrong with it.
    pub reason: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ConditionError {
    fn at(column: usize, reason: impl Into<String>) -> Self {
        Self { column, reason: reason.into(), help: None }
    }
}

/// The longest condition, in bytes.
const LONGEST: usize = 8_192;
/// The most comparisons of one condition: what judging one person costs at most.
const MOST_TERMS: usize = 100;

impl Condition {
    /// Reads a SCIM filter over users of the standard schemas, strictly.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        Self::parse_in(text, &Registry::standard())
    }

    /// Reads a SCIM filter over users of these schemas, strictly.
    pub fn parse_in(text: &str, registry: &Registry) -> Result<Self, ConditionError> {
        if text.len() > LONGEST {
            let reason = format!("the condition has {} bytes; at most {LONGEST} are read", text.len());
            return Err(ConditionError::at(1, reason));
        }
        let filter = Filter::parse(text, registry, ResourceKind::User, &Profile::strict())
            .map_err(|e| refused(text, &e, registry))?;
        if filter.terms() > MOST_TERMS {
            let reason =
                format!("the condition has {} comparisons; at most {MOST_TERMS} are read", filter.terms());
            return Err(ConditionError::at(1, reason));
        }
        for path in filter.attributes() {
            let column = column_of(text, &path.attribute.name);
            if is_outside_document(&path) {
                let reason = match path.attribute.name.as_str() {
                    "groups" => {
                        "`groups` cannot be asked here: name the groups under `groups` of the mapping"
                            .to_owned()
                    }
                    _ => format!("`{path}` is no attribute of the person that a source pushed"),
                };
                return Err(ConditionError::at(column, reason));
            }
        }
        let present = |path: AttrPath| {
            let name = path.to_string();
            let asks = format!("{name} pr");
            let filter = Filter::parse(&asks, registry, ResourceKind::User, &Profile::strict()).ok()?;
            Some((name, Present(filter)))
        };
        let uses = filter.attributes().into_iter().filter_map(present).collect();
        Ok(Self { text: text.to_owned(), filter, uses })
    }

    /// The attributes that it looks at.
    pub fn uses(&self) -> impl Iterator<Item = (&String, &Present)> {
        self.uses.iter().map(|(name, present)| (name, present))
    }

    /// Whether it holds for this user, and the values that were seen.
    pub fn over(&self, user: &UserEntry) -> Verdict {
        self.over_resource(&resource(user))
    }

    /// Whether it holds for a document that was read before, and the values that were seen.
    pub(crate) fn over_resource(&self, user: &Resource) -> Verdict {
        self.filter.evaluate(user)
    }

    /// Whether it certainly holds for this user.
    pub fn holds(&self, user: &UserEntry) -> bool {
        self.over(user).truth == Truth::True
    }

    /// Whether it holds for anybody at all: for people of whom nothing is known but that they are there.
    pub(crate) fn says_nothing(&self) -> bool {
        ["a", "z9@acme.example"].into_iter().all(|name| {
            let mut document = serde_json::Map::new();
            document.insert("userName".to_owned(), name.into());
            document.insert("active".to_owned(), true.into());
            let nobody = Resource::from_document(ResourceKind::User, document);
            self.over_resource(&nobody).truth == Truth::True
        })
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A user's document as conditions look at it. What does not read as an object is empty: everything in it is unknown.
pub(crate) fn resource(user: &UserEntry) -> Resource {
    Resource::from_document(ResourceKind::User, serde_json::from_str(&user.document).unwrap_or_default())
}

fn refused(text: &str, error: &FilterError, registry: &Registry) -> ConditionError {
    let word: String = text
        .chars()
        .skip(error.column.saturating_sub(1))
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '_' | '-' | '$'))
        .collect();
    let known = registry.attr_path(ResourceKind::User, &word).is_ok();
    let help = if word.is_empty() {
        None
    } else if let Some(outer) = bracketed(text, error.column) {
        near_part(&outer, &word, registry)
    } else if known {
        None
    } else {
        near_attribute(&word, registry)
    };
    ConditionError { column: error.column, reason: error.reason.clone(), help }
}

/// The attribute in whose value filter, `emails[…]`, a column is, if it is in one.
fn bracketed(text: &str, column: usize) -> Option<String> {
    let before: String = text.chars().take(column.saturating_sub(1)).collect();
    let mut open = None;
    let mut quoted = false;
    for (at, c) in before.char_indices() {
        match c {
            '"' if !before[..at].ends_with('\\') => quoted = !quoted,
            '[' if !quoted => open = Some(at),
            ']' if !quoted => open = None,
            _ => {}
        }
    }
    let outer = &before[..open?];
    let begins = outer.rfind([' ', '(']).map_or(0, |at| at + 1);
    Some(outer[begins..].to_owned())
}

/// The part of an attribute that a mistyped name in its value filter most likely meant, as help.
fn near_part(outer: &str, word: &str, registry: &Registry) -> Option<String> {
    let path = registry.attr_path(ResourceKind::User, outer).ok()?;
    let parts = path.attribute.sub_attributes.iter().map(|sub| sub.name.as_str());
    let near = nearest(word, parts).filter(|near| !near.eq_ignore_ascii_case(word))?;
    Some(format!("did you mean `{near}`?"))
}

/// The attribute of a user that a mistyped name most likely meant, as help.
pub(crate) fn near_attribute(word: &str, registry: &Registry) -> Option<String> {
    let (urn, short) = match word.rfind(':') {
        Some(at) => word.split_at(at + 1),
        None => ("", word),
    };
    // The URN itself may be what is mistyped.
    let schema = urn.trim_end_matches(':');
    if !schema.is_empty() && registry.schema(schema).is_none() {
        let urns = registry.schemas().map(|schema| &*schema.id);
        let near = nearest(schema, urns)?;
        return Some(format!("did you mean `{near}:{short}`?"));
    }
    let mut names: Vec<String> = Vec::new();
    let extensions = registry.extensions(ResourceKind::User).flat_map(|schema| &schema.attributes);
    for attribute in registry.core_attributes(ResourceKind::User).chain(extensions) {
        names.push(attribute.name.clone());
        names.extend(attribute.sub_attributes.iter().map(|sub| format!("{}.{}", attribute.name, sub.name)));
    }
    // A name that is there is not mistyped: what is wrong with it is said otherwise.
    let near = nearest(short, names.iter().map(String::as_str)).filter(|n| !n.eq_ignore_ascii_case(short))?;
    Some(format!("did you mean `{urn}{near}`?"))
}

/// Where a name stands in the text, counted from 1.
fn column_of(text: &str, name: &str) -> usize {
    let at = text.to_ascii_lowercase().find(&name.to_ascii_lowercase()).unwrap_or(0);
    text.get(..at).map_or(1, |before| before.chars().count() + 1)
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

    #[test]
    fn a_mistyped_attribute_is_told_its_nearest_name() {
        let help = |text: &str| Condition::parse(text).unwrap_err().help;
        assert_eq!(help("departmnt eq \"x\"").unwrap(), "did you mean `department`?");
        assert_eq!(help("name.famlyName eq \"x\"").unwrap(), "did you mean `name.familyName`?");
        assert_eq!(help("userType eq"), None);
        assert_eq!(help("emails[valu eq \"x\"]").unwrap(), "did you mean `value`?");
        assert_eq!(
            help("title pr and (emails[type eq \"[\" and valu eq \"x\"])").unwrap(),
            "did you mean `value`?"
        );
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let mistyped = urn.replace("enterprise", "enterprize");
        assert_eq!(
            help(&format!("{mistyped}:department eq \"x\"")).unwrap(),
            format!("did you mean `{urn}:department`?")
        );
    }

    #[test]
    fn a_short_name_of_two_extensions_must_be_written_whole() {
        let mut registry = Registry::standard();
        let extension = |urn: &str| axon_scim::schema::Schema {
            id: urn.into(),
            name: "x".into(),
            description: "x".into(),
            attributes: registry
                .extension(ResourceKind::User, axon_scim::schema::ENTERPRISE_URN)
                .unwrap()
                .attributes
                .clone(),
        };
        let acme = extension("urn:acme:2.0:User");
        registry.add_extension(ResourceKind::User, acme, false).unwrap();
        let short = Condition::parse_in("title pr and Department eq \"x\"", &registry).unwrap_err();
        assert_eq!(short.column, 14);
        assert!(short.reason.contains("several schemas have an attribute"), "{short}");
        for text in ["urn:acme:2.0:User:department eq \"x\"", "urn:ACME:2.0:User:Department pr"] {
            assert!(Condition::parse_in(text, &registry).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_holds_for_anybody_says_nothing() {
        for (text, nothing) in [
            ("userName pr", true),
            ("not (userName eq \"kim\")", true),
            ("title pr or active eq true", true),
            ("userName co \"\"", true),
            ("userType eq \"Employee\"", false),
            ("userName ew \"@acme.com\"", false),
            ("title pr", false),
        ] {
            let nothing_said = Condition::parse(text).is_ok_and(|condition| condition.says_nothing());
            assert_eq!(nothing_said, nothing, "{text}");
        }
    }

    #[test]
    fn length_depth_and_breadth_are_bounded() {
        let long = format!("title eq \"{}\"", "x".repeat(LONGEST));
        let wide = vec!["title pr"; MOST_TERMS + 1].join(" and ");
        for text in [long, wide, "(".repeat(4_000)] {
            assert!(Condition::parse(&text).is_err());
        }
    }
}

//! What one source may say: whom it may name, and what tells that its people are those of another source.

use std::sync::Arc;

use axon_model::name::fold;
use axon_model::{SqlName, UserEntry};
use axon_reconcile::Glob;

use crate::template::{Holes, Template, TemplateError};

/// The most patterns of one source.
const MOST: usize = 1_000;
/// The longest pattern, in bytes.
const LONGEST: usize = 512;

/// What is said where no attribute is named.
const NO_ATTRIBUTE: &str = "names no attribute: write one such as externalId";

/// What one source may say.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceClaims {
    /// The names of principals that it may speak for; none: all.
    may_name: Option<Vec<Glob>>,
    /// The attribute that has the same value in every source for one person.
    join: Option<Template>,
}

/// Why a source's claims cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {reason}")]
pub struct BadClaim {
    /// The key of the configuration.
    pub key: &'static str,
    /// What is wrong, and what to write.
    pub reason: String,
}

impl SourceClaims {
    /// Reads what the configuration says of a source: patterns over principals' names, and the joining attribute, such as
    /// `externalId` or `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber.lower()`.
    pub fn read(may_name: Option<&[String]>, join: Option<&str>) -> Result<Self, BadClaim> {
        let bad = |key, reason: &str| BadClaim { key, reason: reason.to_owned() };
        let may_name = match may_name {
            None => None,
            Some([]) => {
                return Err(bad(
                    "may_name",
                    "is empty: the source could name nobody; write patterns such as '*@acme.com'",
                ));
            }
            Some(patterns) if patterns.len() > MOST => {
                return Err(bad(
                    "may_name",
                    "has over 1000 patterns: put those that are alike into one with `*`",
                ));
            }
            Some(patterns) => {
                let mut globs = Vec::with_capacity(patterns.len());
                for pattern in patterns {
                    // A pattern of which nothing is left would fit no name, or hide what it fits.
                    let blank =
                        pattern.split('*').all(|part| fold(part).is_empty()) && !pattern.contains('*');
                    if blank || pattern.len() > LONGEST || pattern.chars().any(char::is_control) {
                        let reason = format!(
                            "{:?} is no pattern: write a name with `*` for any run of characters, such as '*@acme.com', of at most \
                             {LONGEST} bytes and without control characters",
                            pattern.chars().take(80).collect::<String>()
                        );
                        return Err(BadClaim { key: "may_name", reason });
                    }
                    globs.push(Glob::new(pattern));
                }
                Some(globs)
            }
        };
        let join = match join {
            None => None,
            Some(text) => {
                if text.trim().is_empty() {
                    return Err(bad("join", NO_ATTRIBUTE));
                }
                let template = if text.contains('{') { text.to_owned() } else { format!("{{{text}}}") };
                let read = Template::parse(&template, Holes::User)
                    .map_err(|e| BadClaim { key: "join", reason: with_help(e) })?;
                if read.holes().next().is_none() {
                    return Err(bad("join", NO_ATTRIBUTE));
                }
                Some(read)
            }
        };
        Ok(Self { may_name, join })
    }

    /// Whether it may speak for the principal of this name. Compares as a pool's collation may.
    pub fn may_name(&self, name: SqlName) -> bool {
        self.may_name.as_ref().is_none_or(|globs| globs.iter().any(|glob| glob.matches(name)))
    }

    /// Whether it says whom it may name.
    pub fn is_limited(&self) -> bool {
        self.may_name.is_some()
    }

    /// The value of the joining attribute, where there is one and the user has it. Compares letter for letter.
    pub(crate) fn join_key(&self, user: &UserEntry) -> Option<Arc<str>> {
        let value = self.join.as_ref()?.over_user(user).ok()?;
        (!value.trim().is_empty()).then(|| value.into())
    }
}

fn with_help(TemplateError { message, help, .. }: TemplateError) -> String {
    format!("{message}; {}", help.as_deref().unwrap_or("for example: externalId.lower()"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(may_name: &[&str]) -> SourceClaims {
        let patterns: Vec<String> = may_name.iter().map(ToString::to_string).collect();
        SourceClaims::read(Some(&patterns), None).unwrap()
    }

    fn may(claims: &SourceClaims, name: &str) -> bool {
        claims.may_name(SqlName::parse(name).unwrap())
    }

    #[test]
    fn a_look_alike_is_outside_and_another_case_or_width_is_inside() {
        let acme = claims(&["*@acme.com"]);
        for inside in [
            "kim@acme.com",
            "KIM@ACME.COM",
            "kim\u{ff20}acme.com",
            "kim@ac\u{200b}me.com",
            "\u{212a}im@acme.com",
        ] {
            assert!(may(&acme, inside), "{inside:?} is {:?} in a pool", fold(inside));
        }
        for outside in [
            "kim@\u{430}cme.com",
            "kim@acme.com.evil.example",
            "kim@evil-acme.com.example",
            "kim@xacme.com",
            "acme.com",
            "kim@acme\u{3002}com",
            "kim@acm\u{e9}.com",
        ] {
            assert!(!may(&acme, outside), "{outside:?}");
        }
    }

    #[test]
    fn several_patterns_and_the_wide_one() {
        let two = claims(&["*@acme.com", "svc-*"]);
        assert!(may(&two, "svc-load") && may(&two, "ana@acme.com") && !may(&two, "ana@other.com"));
        assert!(may(&claims(&["*"]), "anybody"));
    }

    #[test]
    fn claims_that_say_nothing_are_refused() {
        let read = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            SourceClaims::read(Some(&patterns), None)
        };
        for bad in [&[][..], &[""], &["\u{200b}"], &["*@acme.com\n"], &["  "]] {
            assert_eq!(read(bad).unwrap_err().key, "may_name", "{bad:?}");
        }
        for bad in ["", "no such attribute", "emails.value", "{externalId", "plain}"] {
            let error = SourceClaims::read(None, Some(bad)).unwrap_err();
            assert_eq!(error.key, "join", "{bad:?}");
        }
    }

    #[test]
    fn the_joining_attribute_is_read_from_the_person() {
        let user = UserEntry {
            id: "018f3a00-0000-7000-8000-000000000001".parse().unwrap(),
            source: "okta".parse().unwrap(),
            user_name: "kim@acme.com".into(),
            external_id: Some("00U1".into()),
            active: true,
            document:
                r#"{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"4711"}}"#
                    .into(),
        };
        let key = |join: &str| SourceClaims::read(None, Some(join)).unwrap().join_key(&user);
        assert_eq!(key("externalId.lower()").as_deref(), Some("00u1"));
        assert_eq!(
            key("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber").as_deref(),
            Some("4711")
        );
        assert_eq!(key("nickName"), None, "who has no value is joined with nobody");
    }
}

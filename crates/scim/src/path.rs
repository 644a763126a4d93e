//! PATCH paths (RFC 7644 section 3.5.2): `name.givenName`, `emails[type eq "work"].value`,
//! `URN:department`, a URN alone.

use std::fmt;
use std::sync::Arc;

use crate::error::ScimError;
use crate::filter::{Filter, parse_value_path};
use crate::profile::Profile;
use crate::schema::{AttrPath, Named, Registry, ResourceKind, Schema, Unresolved};

/// Longest path, in bytes.
const MAX_LENGTH: usize = crate::filter::MAX_FILTER_LENGTH;

/// What a PATCH path points at.
#[derive(Clone, Debug, PartialEq)]
pub enum Path {
    /// The resource itself: the URN of its base schema alone.
    Whole,
    /// All of an extension.
    Extension(Arc<Schema>),
    /// An attribute, or a part of it.
    Attribute(AttrPath),
    /// The elements of a complex attribute that meet a condition, or a part of each.
    Elements {
        /// The attribute; `sub` is the part after the brackets.
        path: AttrPath,
        /// The condition in the brackets.
        condition: Filter,
    },
}

/// Why a text is not a path: the unknown is told apart, since some of it may be dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathError {
    /// It names what no schema has.
    Unknown(Unresolved),
    /// It is malformed.
    Malformed(String),
}

impl From<PathError> for ScimError {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Unknown(why) => Self::invalid_path(why.to_string()),
            PathError::Malformed(why) => Self::invalid_path(why),
        }
    }
}

impl Path {
    /// Reads a path over resources of a kind.
    pub fn parse(
        text: &str,
        registry: &Registry,
        kind: ResourceKind,
        profile: &Profile,
    ) -> Result<Self, ScimError> {
        Ok(Self::read(text, registry, kind, profile)?)
    }

    /// The path without the condition in its brackets, whose literals may be personal.
    pub(crate) fn shape(&self) -> String {
        match self {
            Self::Elements { path, condition: _ } => match &path.sub {
                Some(sub) => format!("{}[…].{}", path.whole(), sub.name),
                None => format!("{}[…]", path.whole()),
            },
            other => other.to_string(),
        }
    }

    pub(crate) fn read(
        text: &str,
        registry: &Registry,
        kind: ResourceKind,
        profile: &Profile,
    ) -> Result<Self, PathError> {
        let text = text.trim();
        if text.len() > MAX_LENGTH {
            return Err(PathError::Malformed(format!("the path is longer than {MAX_LENGTH} bytes")));
        }
        let Some(open) = text.find('[') else {
            return match registry.resolve(kind, text) {
                Ok(Named::Attribute(path)) => Ok(Self::Attribute(path)),
                Ok(Named::Core(_)) => Ok(Self::Whole),
                Ok(Named::Extension(schema)) => Ok(Self::Extension(schema)),
                Err(Unresolved::Malformed(name)) => {
                    Err(PathError::Malformed(Unresolved::Malformed(name).to_string()))
                }
                Err(why) => Err(PathError::Unknown(why)),
            };
        };
        let head = text.get(..open).unwrap_or_default();
        let path = registry.attr_path(kind, head.trim_end()).map_err(PathError::Unknown)?;
        if path.sub.is_some() || !path.attribute.is_complex() {
            let name = path.leaf().name.clone();
            return Err(PathError::Malformed(format!(
                "{name} is not complex and takes no filter in brackets"
            )));
        }
        let (expr, end) = parse_value_path(text, open, &path, registry, kind, profile)
            .map_err(|e| PathError::Malformed(e.to_string()))?;
        let sub = match text.get(end..).unwrap_or_default() {
            "" => None,
            tail => Some(part(&path, tail)?),
        };
        Ok(Self::Elements { path: AttrPath { sub, ..path }, condition: Filter { expr } })
    }
}

fn part(path: &AttrPath, tail: &str) -> Result<Arc<crate::schema::Attribute>, PathError> {
    let name = tail
        .strip_prefix('.')
        .ok_or_else(|| PathError::Malformed("expected '.' and a part, or the end, after ']'".to_owned()))?;
    path.attribute
        .sub(name)
        .cloned()
        .ok_or_else(|| PathError::Unknown(Unresolved::Attribute(format!("{}.{name}", path.attribute.name))))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Extension(schema) => f.write_str(&schema.id),
            Self::Attribute(path) => path.fmt(f),
            Self::Elements { path, condition } => {
                write!(f, "{}[{condition}]", path.whole())?;
                match &path.sub {
                    Some(sub) => write!(f, ".{}", sub.name),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_URN, USER_URN};

    fn print(text: &str) -> Result<String, String> {
        Path::parse(text, &Registry::standard(), ResourceKind::User, &Profile::entra())
            .map(|p| p.to_string())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn paths_get_canonical_text() {
        for (text, canonical) in [
            ("Name.GivenName", "name.givenName".to_owned()),
            (&format!("{USER_URN}:active"), "active".to_owned()),
            (&format!("{ENTERPRISE_URN}:Manager.Value"), format!("{ENTERPRISE_URN}:manager.value")),
            (ENTERPRISE_URN, ENTERPRISE_URN.to_owned()),
            ("department", format!("{ENTERPRISE_URN}:department")),
            (r#"emails[Type EQ "work"].Value"#, r#"emails[type eq "work"].value"#.to_owned()),
            (r#"roles[primary eq "True"].value"#, "roles[primary eq true].value".to_owned()),
            (r#"emails[value eq "a]b[\".x"]"#, r#"emails[value eq "a]b[\".x"]"#.to_owned()),
            (&format!(r#"{USER_URN}:emails[type eq "work"]"#), r#"emails[type eq "work"]"#.to_owned()),
        ] {
            assert_eq!(print(text), Ok(canonical.clone()), "{text}");
            assert_eq!(print(&canonical), Ok(canonical));
        }
    }

    #[test]
    fn what_is_no_path_is_invalid_path() {
        for text in [
            "nope",
            "name.nope",
            "emails[",
            "emails[type eq \"work\"",
            "emails[type eq \"work\"]x",
            "userName[a eq 1]",
            "emails[nope eq 1]",
            "emails[type eq \"a\"].value.x",
            "urn:x:2.0:User:a",
            "a b",
            "emails[]",
            "[x]",
            ".",
        ] {
            let error = print(text).unwrap_err();
            assert!(error.starts_with("400 invalidPath"), "{text}: {error}");
        }
    }
}

//! All schemas that are served, and the one place where a name in a filter, a path, a projection or a
//! body is looked up.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{Attribute, DataType, ResourceKind, ResourceType, Schema, core};

/// The schemas that are served. Built once at start-up and shared.
#[derive(Clone, Debug)]
pub struct Registry {
    types: Vec<ResourceType>,
    common: Vec<Arc<Attribute>>,
}

/// Why an extension cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schema {urn}: {reason}")]
pub struct RegistryError {
    /// The URN of the extension.
    pub urn: String,
    /// What is wrong with it.
    pub reason: String,
}

/// An attribute or one of its parts, in schema spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttrPath {
    /// The URN of the extension; none for core and common attributes.
    pub extension: Option<Arc<str>>,
    /// The attribute.
    pub attribute: Arc<Attribute>,
    /// The part of a complex attribute.
    pub sub: Option<Arc<Attribute>>,
}

impl AttrPath {
    /// The attribute at the end of the path.
    pub fn leaf(&self) -> &Arc<Attribute> {
        self.sub.as_ref().unwrap_or(&self.attribute)
    }

    /// The path without its part.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self { sub: None, ..self.clone() }
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.extension {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{}", sub.name),
            None => Ok(()),
        }
    }
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// An attribute or a part of one.
    Attribute(AttrPath),
    /// The base schema itself, given by its URN alone.
    Core(Arc<Schema>),
    /// A whole extension, given by its URN alone.
    Extension(Arc<Schema>),
}

/// Why a name stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// It is not a name at all.
    Malformed(String),
    /// It starts with a URN that is not served for this kind.
    Schema(String),
    /// No schema of this kind has it.
    Attribute(String),
    /// Several extensions have it, so the URN must say which.
    Ambiguous(String),
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::error::quoted;
        match self {
            Self::Malformed(text) => write!(f, "{} is not an attribute name", quoted(text)),
            Self::Schema(text) => write!(f, "{} names no schema that is served here", quoted(text)),
            Self::Attribute(text) => write!(f, "no schema has an attribute {}", quoted(text)),
            Self::Ambiguous(text) => {
                write!(f, "several schemas have an attribute {}: put the URN before it", quoted(text))
            }
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::standard()
    }
}

impl Registry {
    /// User with the enterprise extension, and Group.
    pub fn standard() -> Self {
        Self { types: core::resource_types(), common: core::common_attributes() }
    }

    /// Adds an extension of one kind, as configuration describes it.
    pub fn add_extension(
        &mut self,
        kind: ResourceKind,
        schema: Schema,
        required: bool,
    ) -> Result<(), RegistryError> {
        let refuse =
            |reason: &str| Err(RegistryError { urn: schema.id.to_string(), reason: reason.to_owned() });
        if !schema.id.contains(':') || !schema.id.is_ascii() {
            return refuse("the id of an extension is a URN in ASCII");
        }
        if self.schema(&schema.id).is_some() {
            return refuse("the id is in use");
        }
        if let Err(reason) = check(&schema) {
            return refuse(&reason);
        }
        for of in &mut self.types {
            if of.kind == kind {
                of.extensions.push((Arc::new(schema), required));
                break;
            }
        }
        Ok(())
    }

    /// The resource types, in the order in which they are shown.
    pub fn resource_types(&self) -> &[ResourceType] {
        &self.types
    }

    /// The resource type of a kind.
    pub fn resource_type(&self, kind: ResourceKind) -> &ResourceType {
        self.types
            .iter()
            .find(|t| t.kind == kind)
            .expect("both kinds are put in by `standard` and none is ever taken out")
    }

    /// Every schema, in the order in which they are shown.
    pub fn schemas(&self) -> impl Iterator<Item = &Arc<Schema>> {
        self.types.iter().flat_map(|t| std::iter::once(&t.schema).chain(t.extensions.iter().map(|(s, _)| s)))
    }

    /// The schema of a URN, whatever its case.
    pub fn schema(&self, urn: &str) -> Option<&Arc<Schema>> {
        self.schemas().find(|s| s.id.eq_ignore_ascii_case(urn))
    }

    /// The extension of a kind with this URN, whatever its case.
    pub fn extension(&self, kind: ResourceKind, urn: &str) -> Option<&Arc<Schema>> {
        self.extensions(kind).find(|s| s.id.eq_ignore_ascii_case(urn))
    }

    /// The extensions of a kind.
    pub fn extensions(&self, kind: ResourceKind) -> impl Iterator<Item = &Arc<Schema>> {
        self.resource_type(kind).extensions.iter().map(|(s, _)| s)
    }

    /// A common attribute, or one of the base schema, whatever its case.
    pub fn core_attribute(&self, kind: ResourceKind, name: &str) -> Option<&Arc<Attribute>> {
        self.common
            .iter()
            .find(|a| a.name.eq_ignore_ascii_case(name))
            .or_else(|| self.resource_type(kind).schema.attribute(name))
    }

    /// The common attributes, then those of the base schema.
    pub fn core_attributes(&self, kind: ResourceKind) -> impl Iterator<Item = &Arc<Attribute>> {
        self.common.iter().chain(&self.resource_type(kind).schema.attributes)
    }

    /// Looks a name up: `userName`, `name.givenName`, `URN:department`, `department`, a URN alone.
    pub fn resolve(&self, kind: ResourceKind, text: &str) -> Result<Named, Unresolved> {
        if !text.contains(':') {
            return self.resolve_plain(kind, text);
        }
        // A URN holds dots and colons itself, so the longest known one is taken off first.
        let base = &self.resource_type(kind).schema;
        let longest = std::iter::once(base)
            .chain(self.extensions(kind))
            .filter(|s| is_urn_prefix(&s.id, text))
            .max_by_key(|s| s.id.len());
        let Some(schema) = longest else {
            return Err(Unresolved::Schema(text.to_owned()));
        };
        let is_base = Arc::ptr_eq(schema, base);
        let Some(rest) = text.get(schema.id.len() + 1..) else {
            return Ok(if is_base { Named::Core(schema.clone()) } else { Named::Extension(schema.clone()) });
        };
        let (name, sub) = split(rest)?;
        let attribute = if is_base { self.core_attribute(kind, name) } else { schema.attribute(name) };
        let extension = (!is_base).then(|| schema.id.clone());
        finish(extension, attribute, sub, text)
    }

    fn resolve_plain(&self, kind: ResourceKind, text: &str) -> Result<Named, Unresolved> {
        let (name, sub) = split(text)?;
        if let Some(attribute) = self.core_attribute(kind, name) {
            return finish(None, Some(attribute), sub, text);
        }
        let mut found = self.extensions(kind).filter_map(|s| Some((s, s.attribute(name)?)));
        match (found.next(), found.next()) {
            (Some((schema, attribute)), None) => finish(Some(schema.id.clone()), Some(attribute), sub, text),
            (Some(_), Some(_)) => Err(Unresolved::Ambiguous(text.to_owned())),
            (None, _) => Err(Unresolved::Attribute(text.to_owned())),
        }
    }

    /// Looks up a name that must be an attribute or a part of one.
    pub fn attr_path(&self, kind: ResourceKind, text: &str) -> Result<AttrPath, Unresolved> {
        match self.resolve(kind, text)? {
            Named::Attribute(path) => Ok(path),
            Named::Core(_) | Named::Extension(_) => Err(Unresolved::Attribute(text.to_owned())),
        }
    }
}

fn is_urn_prefix(urn: &str, text: &str) -> bool {
    text.get(..urn.len()).is_some_and(|head| head.eq_ignore_ascii_case(urn))
        && matches!(text.as_bytes().get(urn.len()), None | Some(b':'))
}

pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '$' | '-' | '_'))
}

fn split(text: &str) -> Result<(&str, Option<&str>), Unresolved> {
    let (name, sub) = match text.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (text, None),
    };
    if is_name(name) && sub.is_none_or(is_name) {
        Ok((name, sub))
    } else {
        Err(Unresolved::Malformed(text.to_owned()))
    }
}

fn finish(
    extension: Option<Arc<str>>,
    attribute: Option<&Arc<Attribute>>,
    sub: Option<&str>,
    text: &str,
) -> Result<Named, Unresolved> {
    let unknown = || Unresolved::Attribute(text.to_owned());
    let attribute = attribute.ok_or_else(unknown)?;
    let sub = match sub {
        Some(name) => Some(attribute.sub(name).ok_or_else(unknown)?.clone()),
        None => None,
    };
    Ok(Named::Attribute(AttrPath { extension, attribute: attribute.clone(), sub }))
}

/// The rules that the rest of the crate relies on.
fn check(schema: &Schema) -> Result<(), String> {
    fn names(attributes: &[Arc<Attribute>], nested: bool) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for attribute in attributes {
            let name = &attribute.name;
            if !is_name(name) {
                return Err(format!("{name:?} is not an attribute name"));
            }
            if !seen.insert(name.to_ascii_lowercase()) {
                return Err(format!("attribute {name} is given twice"));
            }
            let complex = attribute.data_type == DataType::Complex;
            if nested && (complex || attribute.multi_valued) {
                return Err(format!("part {name} of a complex attribute is a single simple value"));
            }
            if complex == attribute.sub_attributes.is_empty() {
                return Err(format!("attribute {name}: complex attributes, and only they, have parts"));
            }
            names(&attribute.sub_attributes, true)?;
        }
        Ok(())
    }
    names(&schema.attributes, false)
}

#[cfg(test)]
mod tests {
    use super::super::{ENTERPRISE_URN, USER_URN};
    use super::*;

    fn path(text: &str) -> String {
        Registry::standard()
            .attr_path(ResourceKind::User, text)
            .map_or_else(|e| e.to_string(), |p| p.to_string())
    }

    #[test]
    fn names_get_schema_spelling() {
        assert_eq!(path("USERNAME"), "userName");
        assert_eq!(path("Name.GivenName"), "name.givenName");
        assert_eq!(path(&format!("{}:active", USER_URN.to_uppercase())), "active");
        assert_eq!(path("department"), format!("{ENTERPRISE_URN}:department"));
        assert_eq!(
            path(&format!("{ENTERPRISE_URN}:manager.VALUE")),
            format!("{ENTERPRISE_URN}:manager.value")
        );
        assert_eq!(path("emails.$ref"), "no schema has an attribute 'emails.$ref'");
        assert_eq!(path("groups.$REF"), "groups.$ref");
    }

    #[test]
    fn a_urn_is_not_split_at_its_dot() {
        let registry = Registry::standard();
        let whole = registry.resolve(ResourceKind::User, ENTERPRISE_URN).unwrap();
        assert!(matches!(whole, Named::Extension(s) if &*s.id == ENTERPRISE_URN));
        let unknown = registry.resolve(ResourceKind::User, "urn:x:2.0:User:a");
        assert!(matches!(unknown, Err(Unresolved::Schema(_))));
        let glued = registry.resolve(ResourceKind::User, &format!("{USER_URN}name"));
        assert!(matches!(glued, Err(Unresolved::Schema(_))));
        assert!(registry.resolve(ResourceKind::Group, ENTERPRISE_URN).is_err());
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for text in ["", ".", "a.b.c", "name.", ".x", "1a", "a b", "ü", "urn:é:x", &format!("{USER_URN}:")]
        {
            assert!(Registry::standard().resolve(ResourceKind::User, text).is_err(), "{text}");
        }
    }

    #[test]
    fn extensions_are_checked_and_then_found() {
        let mut registry = Registry::standard();
        let urn = "urn:example:2.0:Extra";
        let schema = |attributes: Vec<Attribute>| Schema {
            id: Arc::from(urn),
            name: "Extra".into(),
            description: String::new(),
            attributes: attributes.into_iter().map(Arc::new).collect(),
        };
        let nested = Attribute::complex("a", "", [Attribute::string("b", "").multi()]);
        assert!(registry.add_extension(ResourceKind::User, schema(vec![nested]), false).is_err());
        let twice = vec![Attribute::string("a", ""), Attribute::string("A", "")];
        assert!(registry.add_extension(ResourceKind::User, schema(twice), false).is_err());
        let good = schema(vec![Attribute::new("level", DataType::Integer, "")]);
        registry.add_extension(ResourceKind::User, good.clone(), false).unwrap();
        assert!(registry.add_extension(ResourceKind::User, good, false).is_err());
        let found = registry.attr_path(ResourceKind::User, "URN:EXAMPLE:2.0:EXTRA:LEVEL").unwrap();
        assert_eq!(found.to_string(), format!("{urn}:level"));
        assert!(registry.attr_path(ResourceKind::Group, "level").is_err());
        let other =
            Schema { id: Arc::from("urn:example:2.0:Other"), ..schema(vec![Attribute::string("level", "")]) };
        registry.add_extension(ResourceKind::User, other, false).unwrap();
        let twice = registry.attr_path(ResourceKind::User, "level").unwrap_err();
        assert_eq!(twice, Unresolved::Ambiguous("level".to_owned()));
        assert!(registry.attr_path(ResourceKind::User, &format!("{urn}:level")).is_ok());
    }
}

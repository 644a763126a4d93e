//! Templates: text with `{…}` in it. Over a person: SCIM paths with `lower()`, `upper()`, `before('@')` behind them.
//! Over a role's name or a group's captures: plain names.

use std::collections::BTreeMap;
use std::fmt;

use axon_model::{GroupEntry, UserEntry};
use axon_scim::schema::{AttrPath, Registry, ResourceKind};
use serde_json::{Map, Value};

/// What stands behind a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Function {
    Lower,
    Upper,
    Before(String),
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Hole { name: String, functions: Vec<Function>, path: Option<AttrPath> },
}

/// A parsed template.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

/// Why a text is no template, and which bytes of it say so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// First byte.
    pub from: usize,
    /// One past the last byte.
    pub to: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What a template's holes name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holes<'a> {
    /// Paths of a SCIM user, one value each.
    User,
    /// One of these names.
    Names(&'a [&'a str]),
}

/// The longest text that a template gives, in bytes: what is longer is no name anywhere.
const LONGEST: usize = 4_096;

impl Template {
    /// Reads a template; paths are those of the standard schemas.
    pub fn parse(text: &str, holes: Holes<'_>) -> Result<Self, TemplateError> {
        Self::parse_in(text, holes, &Registry::standard())
    }

    /// Reads a template over these schemas.
    pub fn parse_in(text: &str, holes: Holes<'_>, registry: &Registry) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '{' if chars.next_if(|(_, c)| *c == '{').is_some() => literal.push('{'),
                '}' if chars.next_if(|(_, c)| *c == '}').is_some() => literal.push('}'),
                '}' => return Err(fault(at, at + 1, "`}` has no `{` (a literal one is written `}}`)")),
                '{' => {
                    let Some(length) = text[at..].find('}') else {
                        return Err(fault(at, text.len(), "`{` has no `}` (a literal one is written `{{`)"));
                    };
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(hole(&text[at + 1..at + length], at + 1, holes, registry)?);
                    while chars.next_if(|(i, _)| *i <= at + length).is_some() {}
                }
                c => literal.push(c),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { text: text.into(), parts })
    }

    /// The text that it was read from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names in its holes, in order.
    pub fn holes(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Hole { name, .. } => Some(name.as_str()),
        })
    }

    /// The text with holes filled by `value`; the name of the hole that has no value else.
    pub fn fill<'v>(
        &self,
        mut value: impl FnMut(&str) -> Option<std::borrow::Cow<'v, str>>,
    ) -> Result<String, &str> {
        self.fill_parts(|name, _| value(name))
    }

    /// What its holes may hold so that the text is this one: the first `most` ways, shortest values first. Only values that the
    /// functions behind a hole leave as they are count.
    pub(crate) fn ways_to<'t>(&'t self, text: &'t str, most: usize) -> Vec<BTreeMap<&'t str, &'t str>> {
        let mut ways = Ways { most, looks: LOOKS, holding: BTreeMap::new(), found: Vec::new() };
        ways.look(&self.parts, text);
        ways.found
    }

    fn fill_parts<'v>(
        &self,
        mut value: impl FnMut(&str, Option<&AttrPath>) -> Option<std::borrow::Cow<'v, str>>,
    ) -> Result<String, &str> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Hole { name, functions, path } => {
                    let mut text = value(name, path.as_ref()).ok_or(name.as_str())?.into_owned();
                    text = functions.iter().fold(text, |text, function| apply(&text, function));
                    out.push_str(&text);
                }
            }
            if out.len() > LONGEST {
                out.truncate(out.floor_char_boundary(LONGEST));
                break;
            }
        }
        Ok(out)
    }

    /// The text over a user; the path that the user has no value for else.
    pub fn over_user(&self, user: &UserEntry) -> Result<String, &str> {
        self.over(&user.document, |path| match path.attribute.name.as_str() {
            "userName" => Some(Some(&user.user_name)),
            "externalId" => Some(user.external_id.as_deref()),
            _ => None,
        })
    }

    /// The text over a group, whose paths are taken as they are named; only `externalId` and `displayName` can be there.
    pub fn over_group(&self, group: &GroupEntry) -> Result<String, &str> {
        self.fill(|name| match name {
            "externalId" => group.external_id.as_deref().map(Into::into),
            "displayName" => Some((&*group.display_name).into()),
            _ => None,
        })
    }

    fn over<'u>(
        &self,
        document: &str,
        quick: impl Fn(&AttrPath) -> Option<Option<&'u str>>,
    ) -> Result<String, &str> {
        // Most templates need no look into the document.
        let mut parsed: Option<Map<String, Value>> = None;
        self.fill_parts(|_, path| {
            let path = path?;
            if path.extension.is_none()
                && path.sub.is_none()
                && let Some(known) = quick(path)
            {
                return known.map(Into::into);
            }
            let map = parsed.get_or_insert_with(|| serde_json::from_str(document).unwrap_or_default());
            value_at(map, path).map(Into::into)
        })
    }
}

/// How many splits of a text are looked at.
const LOOKS: usize = 4_096;

/// A search for what holes may hold.
struct Ways<'t> {
    most: usize,
    looks: usize,
    holding: BTreeMap<&'t str, &'t str>,
    found: Vec<BTreeMap<&'t str, &'t str>>,
}

impl<'t> Ways<'t> {
    fn look(&mut self, parts: &'t [Part], text: &'t str) {
        if self.looks == 0 || self.found.len() >= self.most {
            return;
        }
        self.looks -= 1;
        let Some((first, others)) = parts.split_first() else {
            if text.is_empty() {
                self.found.push(self.holding.clone());
            }
            return;
        };
        match first {
            Part::Literal(literal) => {
                if let Some(rest) = text.strip_prefix(literal.as_str()) {
                    self.look(others, rest);
                }
            }
            Part::Hole { name, functions, .. } => {
                if let Some(held) = self.holding.get(name.as_str()) {
                    let again = functions.iter().fold((*held).to_owned(), |text, f| apply(&text, f));
                    if let Some(rest) = text.strip_prefix(again.as_str()) {
                        self.look(others, rest);
                    }
                    return;
                }
                let ends = text.char_indices().map(|(at, _)| at).skip(1).chain([text.len()]);
                for end in ends {
                    let (value, rest) = text.split_at(end);
                    if functions.iter().fold(value.to_owned(), |text, f| apply(&text, f)) == value {
                        self.holding.insert(name, value);
                        self.look(others, rest);
                        self.holding.remove(name.as_str());
                    }
                }
            }
        }
    }
}

fn fault(from: usize, to: usize, message: impl Into<String>) -> TemplateError {
    TemplateError { from, to, message: message.into(), help: None }
}

fn apply(text: &str, function: &Function) -> String {
    match function {
        Function::Lower => text.to_lowercase(),
        Function::Upper => text.to_uppercase(),
        Function::Before(mark) => text.split(mark.as_str()).next().unwrap_or_default().to_owned(),
    }
}

/// Reads `userName.before('@').lower()`: a name, then functions.
fn hole(text: &str, at: usize, holes: Holes<'_>, registry: &Registry) -> Result<Part, TemplateError> {
    let end = at + text.len();
    let mut name = text.trim();
    let mut functions = Vec::new();
    while let Some(open) = name.ends_with(')').then(|| name.rfind('(')).flatten() {
        let Some(dot) = name[..open].rfind('.') else {
            return Err(fault(
                at,
                end,
                format!("`{}` is no path: functions stand behind it, like {{userName.lower()}}", shown(text)),
            ));
        };
        let argument = &name[open + 1..name.len() - 1];
        let quoted = argument.strip_prefix('\'').and_then(|a| a.strip_suffix('\''));
        let function = match (&name[dot + 1..open], argument, quoted) {
            ("lower", "", _) => Function::Lower,
            ("upper", "", _) => Function::Upper,
            ("before", _, Some(mark)) if !mark.is_empty() && !mark.contains('\'') => {
                Function::Before(mark.into())
            }
            _ => {
                let known = "lower(), upper(), before('@')";
                return Err(fault(
                    at,
                    end,
                    format!("no function `{}`; there are {known}", shown(&name[dot + 1..])),
                ));
            }
        };
        functions.push(function);
        name = &name[..dot];
    }
    functions.reverse();
    let path = match holes {
        Holes::User => Some(user_path(name, registry).map_err(|message| TemplateError {
            help: crate::condition::near_attribute(name, registry),
            ..fault(at, end, message)
        })?),
        Holes::Names(names) if names.contains(&name) => None,
        Holes::Names(names) => {
            let known = names.iter().map(|n| format!("{{{n}}}")).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none".to_owned() } else { known };
            return Err(fault(
                at,
                end,
                format!("`{{{}}}` names nothing here; there is {known}", shown(name)),
            ));
        }
    };
    Ok(Part::Hole { name: name.to_owned(), functions, path })
}

fn user_path(name: &str, registry: &Registry) -> Result<AttrPath, String> {
    let path = registry.attr_path(ResourceKind::User, name).map_err(|e| e.to_string())?;
    if path.attribute.multi_valued {
        return Err(format!("`{path}` may have several values; a template takes paths with one"));
    }
    if path.leaf().is_complex() {
        let parts = &path.attribute.sub_attributes;
        let parts: Vec<String> = parts.iter().map(|sub| format!("{path}.{}", sub.name)).collect();
        return Err(format!("`{path}` has parts; name one of them: {}", parts.join(", ")));
    }
    if path.extension.is_none()
        && matches!(path.attribute.name.as_str(), "id" | "meta" | "schemas" | "password")
    {
        return Err(format!("`{path}` cannot be used in a template"));
    }
    Ok(path)
}

fn shown(text: &str) -> String {
    crate::yaml::shown(text)
}

/// The plain value at a path of a user's document, if there is one.
pub(crate) fn value_at(document: &Map<String, Value>, path: &AttrPath) -> Option<String> {
    let container = match &path.extension {
        Some(urn) => document.get(&**urn)?.as_object()?,
        None => document,
    };
    let whole = container.get(&path.attribute.name)?;
    let value = match &path.sub {
        Some(sub) => whole.as_object()?.get(&sub.name)?,
        None => whole,
    };
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.text)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(document: &str) -> UserEntry {
        UserEntry {
            id: "018f3a00-0000-7000-8000-000000000001".parse().unwrap(),
            source: "entra".parse().unwrap(),
            user_name: "Kim@Acme.com".into(),
            external_id: None,
            active: true,
            document: document.into(),
        }
    }

    fn over(text: &str, document: &str) -> Result<String, String> {
        let template = Template::parse(text, Holes::User).map_err(|e| e.to_string())?;
        template.over_user(&user(document)).map_err(|hole| format!("no {hole}"))
    }

    #[test]
    fn paths_and_functions_are_filled_in() {
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let document =
            format!(r#"{{"name":{{"familyName":"Lee"}},"{urn}":{{"department":"Data"}},"title":""}}"#);
        for (text, filled) in [
            ("{userName}", Ok("Kim@Acme.com")),
            ("{username.before('@').lower()}", Ok("kim")),
            ("{userName.upper()}!", Ok("KIM@ACME.COM!")),
            ("a{{b}}{name.familyName}", Ok("a{b}Lee")),
            ("{department}-{ name.familyName }", Ok("Data-Lee")),
            ("{externalId}", Err("no externalId")),
            ("{title}", Err("no title")),
            ("{name.givenName}", Err("no name.givenName")),
        ] {
            assert_eq!(over(text, &document), filled.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in [
            "{",
            "}",
            "{}",
            "{userNam}",
            "{emails}",
            "{emails.value}",
            "{name}",
            "{id}",
            "{password}",
            "{userName.trim()}",
            "{lower(userName)}",
            "{userName.before()}",
            "{userName.before('')}",
            "{userName.before(@)}",
        ] {
            assert!(Template::parse(bad, Holes::User).is_err(), "{bad}");
        }
        assert!(Template::parse("axon_{rol}", Holes::Names(&["role"])).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            if let Ok(template) = Template::parse(&text, Holes::User) {
                let _ = template.over_user(&user("{}"));
            }
        }
    }
}

//! From one operation as sent to typed operations: path-less values are spread to one operation per
//! attribute, quirks of the dialects are taken off, values are checked against the schema.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::request::RawOp;
use super::{AttributeOp, Op, Verb, members};
use crate::error::ScimError;
use crate::filter::Filter;
use crate::path::{Path, PathError};
use crate::profile::Profile;
use crate::resource::{Notice, Notices, Wire, normalise};
use crate::schema::{AttrPath, Attribute, Mutability, Registry, ResourceKind, Returned, Schema, Unresolved};

/// Most changes of attributes of one request, once path-less values are spread. Members do not count.
const MAX_ATTRIBUTE_OPS: usize = 2_000;

pub(super) struct Expander<'a> {
    pub registry: &'a Registry,
    pub kind: ResourceKind,
    pub profile: &'a Profile,
    pub notices: Notices,
    pub ops: Vec<Op>,
    pub attribute_ops: usize,
}

impl Expander<'_> {
    pub(super) fn operation(&mut self, op: RawOp) -> Result<(), ScimError> {
        let Some(text) = op.path else {
            return self.pathless(op.verb, op.value);
        };
        let path = match Path::read(&text, self.registry, self.kind, self.profile) {
            Err(PathError::Unknown(Unresolved::Schema(urn))) if self.profile.drop_unknown_urns => {
                self.notices.note(Notice::UnknownSchema, &urn);
                return Ok(());
            }
            read => read?,
        };
        match path {
            Path::Whole => self.pathless(op.verb, op.value),
            Path::Extension(schema) => self.extension(op.verb, &schema, op.value),
            Path::Attribute(path) => self.attribute(op.verb, path, op.value),
            Path::Elements { path, condition } => self.elements(op.verb, path, condition, op.value),
        }
    }

    fn pathless(&mut self, verb: Verb, value: Option<Value>) -> Result<(), ScimError> {
        if verb == Verb::Remove {
            return Err(ScimError::no_target("remove has no 'path'"));
        }
        for (key, value) in object(verb, value)? {
            self.key(verb, &key, value)?;
        }
        Ok(())
    }

    /// One key of a path-less value: a name, and in the dialects a path.
    fn key(&mut self, verb: Verb, key: &str, value: Value) -> Result<(), ScimError> {
        if key.eq_ignore_ascii_case("schemas") {
            // Recomputed by the server whatever a client says.
            return Ok(());
        }
        let plain = !key.contains(['.', '[', ':']) || self.registry.extension(self.kind, key).is_some();
        if !plain && !self.profile.parse_keys {
            return Err(ScimError::invalid_path(format!(
                "{} is not the name of an attribute",
                crate::error::quoted(key)
            )));
        }
        let path = match Path::read(key, self.registry, self.kind, self.profile) {
            Ok(path) => path,
            Err(PathError::Unknown(why)) if self.profile.drop_unknown => {
                let of_schema = matches!(why, Unresolved::Schema(_));
                self.notices
                    .note(if of_schema { Notice::UnknownSchema } else { Notice::UnknownAttribute }, key);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        match path {
            Path::Whole => match value {
                Value::Object(map) => {
                    map.into_iter().try_for_each(|(key, value)| self.key(verb, &key, value))
                }
                _ => Err(ScimError::invalid_value(format!("{} takes an object", self.kind.urn()))),
            },
            Path::Extension(schema) => self.extension(verb, &schema, Some(value)),
            // A null beside a rename is no wish to empty the group.
            Path::Attribute(path) if value.is_null() && self.is_members(&path) => Ok(()),
            // `add` of nothing adds nothing.
            Path::Attribute(_) | Path::Elements { .. } if verb == Verb::Add && value.is_null() => Ok(()),
            Path::Attribute(path) => self.attribute(verb, path, Some(value)),
            Path::Elements { path, condition } => self.elements(verb, path, condition, Some(value)),
        }
    }

    fn extension(&mut self, verb: Verb, schema: &Arc<Schema>, value: Option<Value>) -> Result<(), ScimError> {
        if verb == Verb::Remove || (verb == Verb::Replace && value.as_ref().is_some_and(Value::is_null)) {
            for attribute in &schema.attributes {
                if attribute.mutability != Mutability::ReadOnly {
                    self.attribute(Verb::Remove, whole(Some(schema), attribute), None)?;
                }
            }
            return Ok(());
        }
        for (key, value) in object(verb, value)? {
            // Keys of the object may repeat the URN, and may be dotted.
            let name = if key.contains(':') { key } else { format!("{}:{key}", schema.id) };
            self.key(verb, &name, value)?;
        }
        Ok(())
    }

    fn attribute(&mut self, verb: Verb, path: AttrPath, value: Option<Value>) -> Result<(), ScimError> {
        if self.is_members(&path) {
            let op = match &path.sub {
                Some(sub) => return self.member_part(verb, sub),
                None => members::whole(verb, value, self.profile)?,
            };
            self.ops.push(op);
            return Ok(());
        }
        if self.never_stored(&path) {
            return Ok(());
        }
        if path.attribute.name == "schemas" && path.extension.is_none() && self.profile.drop_unknown {
            self.notices.note(Notice::ReadOnly, "schemas");
            return Ok(());
        }
        let attribute = &path.attribute;
        let read_only =
            attribute.mutability == Mutability::ReadOnly || path.leaf().mutability == Mutability::ReadOnly;
        if !read_only
            && path.sub.is_none()
            && attribute.is_complex()
            && !attribute.multi_valued
            && verb != Verb::Remove
        {
            return self.parts(verb, path, value);
        }
        let value = match value {
            Some(Value::Object(listed))
                if verb == Verb::Remove && has_parts_only(&path) && !listed.is_empty() =>
            {
                return self.remove_parts(&path, listed);
            }
            value => value,
        };
        let holds_list = path.sub.is_none() && attribute.multi_valued;
        self.push(verb, Path::Attribute(path), value, holds_list)
    }

    /// A single complex attribute is merged: one operation for each part (RFC 7644 section 3.5.2.3).
    fn parts(&mut self, verb: Verb, path: AttrPath, value: Option<Value>) -> Result<(), ScimError> {
        let value = value.ok_or_else(|| no_value(verb))?;
        let raw = match unwrap_single(value, self.profile) {
            Value::Object(map) => map,
            value => return self.push(verb, Path::Attribute(path), Some(value), false),
        };
        if clears(&raw) {
            // `{"value": ""}` clears a manager.
            return self.push(Verb::Remove, Path::Attribute(path), None, false);
        }
        for (key, value) in raw {
            let name = format!("{}.{key}", path.attribute.name);
            let Some(sub) = path.attribute.sub(&key).cloned() else {
                if !self.profile.drop_unknown {
                    return Err(ScimError::invalid_path(format!(
                        "no schema has an attribute {}",
                        crate::error::quoted(&name)
                    )));
                }
                self.notices.note(Notice::UnknownAttribute, &name);
                continue;
            };
            if sub.mutability == Mutability::ReadOnly {
                self.notices.note(Notice::ReadOnly, &name);
                continue;
            }
            if value.is_null() && verb == Verb::Add {
                continue;
            }
            let path = AttrPath { sub: Some(sub), ..path.clone() };
            self.push(verb, Path::Attribute(path), Some(value), false)?;
        }
        Ok(())
    }

    /// Parts of a name are removed one by one, if they are what is listed; the others stay.
    fn remove_parts(&mut self, path: &AttrPath, listed: Map<String, Value>) -> Result<(), ScimError> {
        for (key, value) in listed {
            let Some(sub) = path.attribute.sub(&key).cloned() else { continue };
            let path = AttrPath { sub: Some(sub), ..path.clone() };
            self.push(Verb::Remove, Path::Attribute(path), Some(value), false)?;
        }
        Ok(())
    }

    fn elements(
        &mut self,
        verb: Verb,
        path: AttrPath,
        condition: Filter,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        if self.is_members(&path) {
            let op = match &path.sub {
                Some(sub) => return self.member_part(verb, sub),
                None => members::selected(verb, condition, value, self.profile)?,
            };
            self.ops.push(op);
            return Ok(());
        }
        if self.never_stored(&path) {
            return Ok(());
        }
        self.push(verb, Path::Elements { path, condition }, value, false)
    }

    fn member_part(&mut self, verb: Verb, sub: &Attribute) -> Result<(), ScimError> {
        if sub.mutability == Mutability::ReadOnly && verb != Verb::Remove {
            self.notices.note(Notice::ReadOnly, &format!("members.{}", sub.name));
            return Ok(());
        }
        Err(members::part(sub))
    }

    /// Checks the value and keeps the operation. Nothing left of a value means: take it away.
    fn push(&mut self, verb: Verb, path: Path, value: Option<Value>, list: bool) -> Result<(), ScimError> {
        let (Path::Attribute(at) | Path::Elements { path: at, .. }) = &path else {
            return Ok(());
        };
        let leaf = at.leaf();
        if verb == Verb::Remove {
            let value = match value.filter(says_something) {
                None => None,
                Some(_) if !self.profile.remove_listed => {
                    return Err(ScimError::invalid_value(
                        "remove takes no 'value'; name the target in the path",
                    ));
                }
                Some(value) => self.listed(leaf, list, value)?,
            };
            return self.keep(AttributeOp { verb, path, value });
        }
        let value = value.ok_or_else(|| no_value(verb))?;
        let text = value.as_str().is_some_and(|t| t.trim().is_empty());
        let empty_list = value.as_array().is_some_and(Vec::is_empty);
        if leaf.required && text {
            return Err(ScimError::invalid_value(format!("{} is required and cannot be blank", leaf.name)));
        }
        let value = if list { self.value(leaf, value)? } else { self.element(leaf, value)? };
        let op = match value {
            Some(value) => AttributeOp { verb, path, value: Some(value) },
            // Adding nothing changes nothing; replacing by nothing clears; so does "" for a manager.
            None if verb == Verb::Add && (empty_list || !text) => return Ok(()),
            None => AttributeOp { verb: Verb::Remove, path, value: None },
        };
        self.keep(op)
    }

    fn keep(&mut self, op: AttributeOp) -> Result<(), ScimError> {
        self.attribute_ops += 1;
        if self.attribute_ops > MAX_ATTRIBUTE_OPS {
            let text = format!("more than {MAX_ATTRIBUTE_OPS} changes of attributes in one request");
            return Err(ScimError::payload_too_large(text));
        }
        self.ops.push(Op::Attribute(op));
        Ok(())
    }

    /// The values of a `remove`. A value that cannot be there removes nothing, so it is kept as it is.
    fn listed(&mut self, leaf: &Attribute, list: bool, value: Value) -> Result<Option<Value>, ScimError> {
        let checked = if list { self.value(leaf, value) } else { self.element(leaf, value) }?;
        Ok(Some(checked.unwrap_or(Value::Array(Vec::new()))))
    }

    fn value(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        normalise(attribute, value, Wire::Patch, self.profile, &mut self.notices)
    }

    /// One element of a list, or the value of an attribute that is none.
    fn element(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        if !attribute.multi_valued {
            return self.value(attribute, value);
        }
        match self.value(attribute, value)? {
            None => Ok(None),
            Some(Value::Array(mut list)) if list.len() == 1 => Ok(list.pop()),
            Some(_) => {
                Err(ScimError::invalid_value(format!("one element of {} takes one value", attribute.name)))
            }
        }
    }

    fn is_members(&self, path: &AttrPath) -> bool {
        self.kind == ResourceKind::Group && path.extension.is_none() && path.attribute.name == "members"
    }

    /// `password` is accepted and forgotten.
    fn never_stored(&mut self, path: &AttrPath) -> bool {
        let leaf = path.leaf();
        let never = leaf.returned == Returned::Never || leaf.mutability == Mutability::WriteOnly;
        if never {
            self.notices.note(Notice::NeverStored, &path.to_string());
        }
        never
    }
}

/// A single complex attribute that has no `value` to stand for it.
fn has_parts_only(path: &AttrPath) -> bool {
    let attribute = &path.attribute;
    path.sub.is_none()
        && attribute.is_complex()
        && !attribute.multi_valued
        && attribute.sub("value").is_none()
}

fn whole(schema: Option<&Arc<Schema>>, attribute: &Arc<Attribute>) -> AttrPath {
    AttrPath { extension: schema.map(|s| s.id.clone()), attribute: attribute.clone(), sub: None }
}

fn no_value(verb: Verb) -> ScimError {
    ScimError::invalid_value(format!("{} has no 'value'", verb.as_str()))
}

/// The object of a path-less operation, which some clients put into a list.
fn object(verb: Verb, value: Option<Value>) -> Result<Map<String, Value>, ScimError> {
    match value {
        Some(Value::Object(map)) => Ok(map),
        Some(Value::Array(mut list)) if list.len() == 1 => object(verb, list.pop()),
        None => Err(no_value(verb)),
        Some(_) => Err(ScimError::invalid_value(format!("{} without 'path' takes an object", verb.as_str()))),
    }
}

/// `[x]` for a single-valued target.
fn unwrap_single(value: Value, profile: &Profile) -> Value {
    match value {
        Value::Array(mut list) if list.len() == 1 && profile.coerce => list.pop().unwrap_or(Value::Null),
        value => value,
    }
}

/// An object whose `value` is there and empty, and which says nothing else.
fn clears(map: &Map<String, Value>) -> bool {
    let empty = |v: &Value| v.is_null() || v.as_str() == Some("");
    map.keys().any(|k| k.eq_ignore_ascii_case("value")) && map.values().all(empty)
}

/// A `remove` that lists null or nothing lists no values; an empty list does.
fn says_something(value: &Value) -> bool {
    !(value.is_null() || value.as_str() == Some(""))
}

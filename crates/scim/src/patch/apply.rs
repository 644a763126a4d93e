//! The engine: typed operations over one document, in order, all or nothing (RFC 7644 section 3.5.2).

use serde_json::{Map, Value};

use super::elements::{self, Elements};
use super::{AttributeOp, Op, Verb};
use crate::error::ScimError;
use crate::path::Path;
use crate::profile::Profile;
use crate::resource::{Resource, is_hollow};
use crate::schema::{AttrPath, Mutability};

/// Applies the operations on attributes, in order; those on members are left to the store. True when
/// the document is another one afterwards. On an error nothing has changed.
///
/// Put `id`, `meta` and `groups` on the resource first ([`Resource::decorate`]): clients echo them, and
/// an echo is told from a write by comparing.
pub fn apply(ops: &[Op], resource: &mut Resource, profile: &Profile) -> Result<bool, ScimError> {
    let ops = || ops.iter().filter_map(|op| if let Op::Attribute(op) = op { Some(op) } else { None });
    if ops().next().is_none() {
        return Ok(false);
    }
    let mut next = resource.clone();
    for op in ops() {
        one(next.map_mut(), op, profile)?;
    }
    // Only now, since an operation may complete what an earlier one began.
    for op in ops() {
        if let Path::Attribute(path) | Path::Elements { path, .. } = &op.path {
            prune(next.map_mut(), path);
        }
    }
    next.tidy();
    let changed = next != *resource;
    *resource = next;
    Ok(changed)
}

fn one(map: &mut Map<String, Value>, op: &AttributeOp, profile: &Profile) -> Result<(), ScimError> {
    let (path, condition) = match &op.path {
        Path::Attribute(path) => (path, None),
        Path::Elements { path, condition } => (path, Some(condition)),
        // These are spread to attributes when the request is read.
        Path::Whole | Path::Extension(_) => return Ok(()),
    };
    if !may_write(map, op, path, profile)? {
        return Ok(());
    }
    if op.verb == Verb::Remove && path.leaf().required && (path.sub.is_none() || condition.is_none()) {
        return Err(ScimError::mutability(format!("{path} is required and cannot be removed")));
    }
    let Some(holder) = holder(map, path, op.verb) else { return Ok(()) };
    let attribute = &path.attribute;
    match (condition, &path.sub) {
        (None, None) if !attribute.multi_valued => single(holder, op, path),
        (None, None) => list(holder, op, path)?,
        (None, Some(sub)) if !attribute.multi_valued => {
            let entry = holder.entry(attribute.name.as_str()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(parts) = entry {
                set_or_remove(parts, op, sub);
                if parts.is_empty() {
                    holder.remove(&attribute.name);
                }
            }
        }
        (condition, _) => {
            let mut found = Elements::take(holder, attribute);
            found.change(op, path, condition, profile)?;
            found.put_back(holder);
        }
    }
    Ok(())
}

/// The object that holds the attribute; made for a write into an extension that is not there yet.
fn holder<'a>(
    map: &'a mut Map<String, Value>,
    path: &AttrPath,
    verb: Verb,
) -> Option<&'a mut Map<String, Value>> {
    let Some(urn) = &path.extension else { return Some(map) };
    if verb == Verb::Remove {
        return map.get_mut(&**urn).and_then(Value::as_object_mut);
    }
    map.entry(&**urn).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

/// False when the operation echoes a readOnly value and is to be ignored.
fn may_write(
    map: &Map<String, Value>,
    op: &AttributeOp,
    path: &AttrPath,
    profile: &Profile,
) -> Result<bool, ScimError> {
    let either = |m: Mutability| path.attribute.mutability == m || path.leaf().mutability == m;
    let read_only = either(Mutability::ReadOnly);
    if !read_only && !either(Mutability::Immutable) {
        return Ok(true);
    }
    let plain = matches!(op.path, Path::Attribute(_));
    let stored = if plain { stored(map, path) } else { None };
    let echo = op.verb != Verb::Remove && plain && stored.is_some() && stored == op.value.as_ref();
    if echo && (!read_only || profile.ignore_read_only_echo) {
        return Ok(false);
    }
    if read_only {
        return Err(ScimError::mutability(format!("{path} is readOnly")));
    }
    match (op.verb, stored) {
        (Verb::Add | Verb::Replace, None) if plain => Ok(true),
        (Verb::Remove, None) if plain => Ok(false),
        _ => Err(ScimError::mutability(format!("{path} is immutable and has a value already"))),
    }
}

fn stored<'a>(map: &'a Map<String, Value>, path: &AttrPath) -> Option<&'a Value> {
    let holder = match &path.extension {
        Some(urn) => map.get(&**urn)?.as_object()?,
        None => map,
    };
    let value = holder.get(&path.attribute.name)?;
    match &path.sub {
        Some(sub) => value.get(&sub.name),
        None => Some(value),
    }
}

/// A single value. Complex ones come here only to be removed: writes are spread to their parts.
fn single(holder: &mut Map<String, Value>, op: &AttributeOp, path: &AttrPath) {
    let attribute = &path.attribute;
    match (&op.value, holder.get_mut(&attribute.name)) {
        (Some(Value::Object(new)), Some(Value::Object(old))) if op.verb != Verb::Remove => {
            old.extend(new.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        _ => set_or_remove(holder, op, attribute),
    }
}

pub(super) fn set_or_remove(
    holder: &mut Map<String, Value>,
    op: &AttributeOp,
    attribute: &crate::schema::Attribute,
) {
    match (op.verb, &op.value) {
        (Verb::Add | Verb::Replace, Some(value)) => {
            holder.insert(attribute.name.clone(), value.clone());
        }
        (Verb::Remove, Some(value)) => {
            // A value that is not there removes nothing.
            if holder.get(&attribute.name).is_some_and(|old| elements::covers(attribute, old, value)) {
                holder.remove(&attribute.name);
            }
        }
        (_, None) => {
            holder.remove(&attribute.name);
        }
    }
}

/// A whole list.
fn list(holder: &mut Map<String, Value>, op: &AttributeOp, path: &AttrPath) -> Result<(), ScimError> {
    let attribute = &path.attribute;
    let given = match &op.value {
        Some(Value::Array(list)) => Some(list.as_slice()),
        _ => None,
    };
    match (op.verb, given) {
        (Verb::Remove, None) | (Verb::Replace, Some([]) | None) => {
            holder.remove(&attribute.name);
        }
        (Verb::Replace, Some(list)) => {
            let mut found = Elements::empty(attribute);
            found.append(list)?;
            found.put_back(holder);
        }
        (Verb::Add, Some(list)) => {
            let mut found = Elements::take(holder, attribute);
            found.append(list)?;
            found.put_back(holder);
        }
        (Verb::Remove, Some(list)) => {
            let mut found = Elements::take(holder, attribute);
            found.remove_listed(list)?;
            found.put_back(holder);
        }
        (Verb::Add, None) => {}
    }
    Ok(())
}

/// Takes away elements that say nothing by themselves, and then an empty list.
fn prune(map: &mut Map<String, Value>, path: &AttrPath) {
    let Some(holder) = holder(map, path, Verb::Remove) else { return };
    let name = path.attribute.name.as_str();
    if let Some(Value::Array(list)) = holder.get_mut(name) {
        list.retain(|element| !is_hollow(element));
        if list.is_empty() {
            holder.remove(name);
        }
    }
}

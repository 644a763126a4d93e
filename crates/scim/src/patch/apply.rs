//! The engine: typed operations over one document, in order, all or nothing (RFC 7644 section 3.5.2).

use serde_json::{Map, Value};

use super::elements::{self, Elements};
use super::{AttributeOp, Op, Verb};
use crate::error::ScimError;
use crate::filter::Filter;
use crate::path::Path;
use crate::profile::Profile;
use crate::resource::{Resource, is_hollow};
use crate::schema::{AttrPath, Mutability};

/// Most comparisons of elements with filters in one request.
const MAX_WORK: usize = 2_000_000;

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
    let mut work = 0;
    for op in ops() {
        one(next.map_mut(), op, profile, &mut work)?;
    }
    // Only now, since an operation may complete what an earlier one began.
    for op in ops() {
        if let Path::Attribute(path) | Path::Elements { path, .. } = &op.path {
            prune(next.map_mut(), path);
            if path.attribute.required && stored(next.as_map(), &path.whole()).is_none() {
                return Err(ScimError::mutability(format!(
                    "{} is required and cannot be removed",
                    path.whole()
                )));
            }
        }
    }
    next.tidy();
    let changed = next != *resource;
    *resource = next;
    Ok(changed)
}

fn one(
    map: &mut Map<String, Value>,
    op: &AttributeOp,
    profile: &Profile,
    work: &mut usize,
) -> Result<(), ScimError> {
    let (path, condition) = match &op.path {
        Path::Attribute(path) => (path, None),
        Path::Elements { path, condition } => (path, Some(condition)),
        // These are spread to attributes when the request is read.
        Path::Whole | Path::Extension(_) => return Ok(()),
    };
    if !may_write(map, op, path, profile)? {
        return Ok(());
    }
    if op.verb == Verb::Remove && path.leaf().required && (path.sub.is_some() || condition.is_none()) {
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
            *work += found.len() * condition.map_or(1, Filter::terms);
            if *work > MAX_WORK {
                return Err(ScimError::payload_too_large("the filters of this request compare too much"));
            }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::patch::PatchRequest;
    use crate::resource::{MAX_ELEMENTS, parse_new};
    use crate::schema::{Attribute, DataType, Registry, ResourceKind, Schema};

    const URN: &str = "urn:example:2.0:Badge";

    /// A registry with every characteristic that the core schemas do not have.
    fn registry() -> Registry {
        let tags = Attribute::complex(
            "tags",
            "",
            [Attribute::string("value", "").required(), Attribute::string("note", "")],
        );
        let attributes = [
            Attribute::string("serial", "").mutability(Mutability::Immutable),
            Attribute::new("level", DataType::Integer, ""),
            Attribute::string("words", "").multi(),
            tags.multi().required(),
        ];
        let schema = Schema {
            id: Arc::from(URN),
            name: "Badge".into(),
            description: String::new(),
            attributes: attributes.into_iter().map(Arc::new).collect(),
        };
        let mut registry = Registry::standard();
        registry.add_extension(ResourceKind::User, schema, false).unwrap();
        registry
    }

    fn kim(registry: &Registry) -> Resource {
        let body = json!({"userName": "kim", URN: {"words": ["a"], "tags": [{"value": "x", "note": "n"}, {"value": "y"}]}});
        parse_new(registry, ResourceKind::User, body, &Profile::generic()).unwrap().resource
    }

    fn run(resource: &mut Resource, registry: &Registry, ops: Value) -> Result<bool, ScimError> {
        let profile = Profile::generic();
        let body = Value::Object(Map::from_iter([("Operations".to_owned(), ops)]));
        let request = PatchRequest::parse(body, registry, ResourceKind::User, &profile)?;
        apply(&request.ops, resource, &profile)
    }

    fn badge(ops: Value) -> Result<Value, String> {
        let registry = registry();
        let mut kim = kim(&registry);
        run(&mut kim, &registry, ops).map_err(|e| e.to_string())?;
        Ok(kim.as_map()[URN].clone())
    }

    #[test]
    fn an_immutable_attribute_is_set_once() {
        let set = |value: &str| json!({"op": "replace", "path": format!("{URN}:serial"), "value": value});
        assert_eq!(badge(json!([set("1")])).unwrap()["serial"], "1");
        assert_eq!(badge(json!([set("1"), set("1")])).unwrap()["serial"], "1");
        let refused = [json!([set("1"), set("2")]), json!([set("1"), {"op": "remove", "path": "serial"}])];
        for ops in refused {
            assert!(badge(ops).unwrap_err().starts_with("400 mutability"));
        }
        assert!(badge(json!([{"op": "remove", "path": "serial"}])).is_ok());
    }

    #[test]
    fn simple_lists_take_each_value_once() {
        let add = json!([{"op": "add", "path": "words", "value": ["A", "b", "B", "c"]}]);
        assert_eq!(badge(add).unwrap()["words"], json!(["a", "b", "c"]));
        let remove = json!([{"op": "add", "path": "words", "value": "b"}, {"op": "remove", "path": "words", "value": ["A", "z"]}]);
        assert_eq!(badge(remove).unwrap()["words"], json!(["b"]));
    }

    #[test]
    fn text_numbers_become_numbers() {
        assert_eq!(badge(json!([{"op": "add", "path": "level", "value": "7"}])).unwrap()["level"], json!(7));
        assert!(badge(json!([{"op": "add", "path": "level", "value": "seven"}])).is_err());
    }

    #[test]
    fn a_required_list_keeps_an_element_and_an_element_its_required_part() {
        let one = badge(json!([{"op": "remove", "path": "tags[value eq \"x\"]"}])).unwrap();
        assert_eq!(one["tags"], json!([{"value": "y"}]));
        for ops in [
            json!([{"op": "remove", "path": "tags"}]),
            json!([{"op": "remove", "path": "tags[value pr]"}]),
            json!([{"op": "remove", "path": "tags", "value": ["x", "y"]}]),
            json!([{"op": "replace", "path": "tags", "value": []}]),
            json!([{"op": "remove", "path": "tags[value eq \"x\"].value"}]),
            json!([{"op": "remove", "path": "tags.value"}]),
        ] {
            assert!(badge(ops.clone()).unwrap_err().starts_with("400 mutability"), "{ops}");
        }
    }

    #[test]
    fn lists_and_work_are_bounded() {
        let registry = registry();
        let mut kim = kim(&registry);
        let emails = |from: usize, to: usize| {
            (from..to).map(|n| json!({"value": format!("{n}@x")})).collect::<Vec<_>>()
        };
        run(&mut kim, &registry, json!([{"op": "add", "path": "emails", "value": emails(0, MAX_ELEMENTS)}]))
            .unwrap();
        let full = kim.clone();
        let more = run(
            &mut kim,
            &registry,
            json!([{"op": "add", "path": "emails", "value": emails(MAX_ELEMENTS, MAX_ELEMENTS + 1)}]),
        );
        assert_eq!(more.unwrap_err().status, 400);
        let filter = vec!["value co \"q\""; 100].join(" or ");
        let op = json!({"op": "remove", "path": format!("emails[{filter}]")});
        assert_eq!(run(&mut kim, &registry, json!(vec![op; 100])).unwrap_err().status, 413);
        let op = json!({"op": "replace", "path": "title", "value": "t"});
        assert_eq!(run(&mut kim, &registry, json!(vec![op; 2_001])).unwrap_err().status, 413);
        assert_eq!(kim, full);
    }
}

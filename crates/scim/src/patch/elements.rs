//! The elements of a list under PATCH: append without doubles, select, make on absence, one primary.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::apply::set_or_remove;
use super::{AttributeOp, Verb};
use crate::compare;
use crate::error::ScimError;
use crate::filter::{CompareOp, Expr, Filter, Literal};
use crate::profile::Profile;
use crate::resource::MAX_ELEMENTS;
use crate::schema::{AttrPath, Attribute};

/// Most listed values of a `remove` where elements have no `value` to find them by.
const MAX_UNKEYED: usize = 32;

/// The elements of one attribute, taken out of the document while they change. A single complex value
/// is a list of one, so that a filter on it works too.
pub(super) struct Elements<'a> {
    attribute: &'a Arc<Attribute>,
    list: Vec<Value>,
}

impl<'a> Elements<'a> {
    pub(super) fn empty(attribute: &'a Arc<Attribute>) -> Self {
        Self { attribute, list: Vec::new() }
    }

    pub(super) fn take(holder: &mut Map<String, Value>, attribute: &'a Arc<Attribute>) -> Self {
        let list = match holder.remove(&attribute.name) {
            Some(Value::Array(list)) => list,
            Some(one) => vec![one],
            None => Vec::new(),
        };
        Self { attribute, list }
    }

    pub(super) fn put_back(mut self, holder: &mut Map<String, Value>) {
        self.list.retain(|e| !e.as_object().is_some_and(Map::is_empty));
        let value = if self.attribute.multi_valued {
            (!self.list.is_empty()).then_some(Value::Array(self.list))
        } else {
            self.list.pop()
        };
        if let Some(value) = value {
            holder.insert(self.attribute.name.clone(), value);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds elements; one that is there already takes what is new about it.
    pub(super) fn append(&mut self, new: &[Value]) -> Result<(), ScimError> {
        let mut places: HashMap<String, usize> =
            self.list.iter().enumerate().map(|(n, e)| (identity(self.attribute, e), n)).collect();
        for element in new {
            let place = *places.entry(identity(self.attribute, element)).or_insert(self.list.len());
            match (self.list.get_mut(place), element) {
                (Some(Value::Object(old)), Value::Object(new)) => {
                    old.extend(new.iter().map(|(k, v)| (k.clone(), v.clone())));
                }
                (Some(_), _) => {}
                (None, _) => self.list.push(element.clone()),
            }
            if is_primary(element) {
                self.sole_primary(place);
            }
        }
        self.check_size()
    }

    /// Takes away the elements that are listed, by `value` (and `type` where it is given).
    pub(super) fn remove_listed(&mut self, listed: &[Value]) -> Result<(), ScimError> {
        let attribute = self.attribute;
        let mut keyed: HashMap<String, Vec<&Value>> = HashMap::new();
        let mut unkeyed = Vec::new();
        for value in listed {
            match value_key(attribute, value) {
                Some(key) => keyed.entry(key).or_default().push(value),
                None => unkeyed.push(value),
            }
        }
        if unkeyed.len() > MAX_UNKEYED {
            let text = format!(
                "remove lists more than {MAX_UNKEYED} elements of {} without 'value'",
                attribute.name
            );
            return Err(ScimError::invalid_value(text));
        }
        self.list.retain(|element| {
            let by_key = value_key(attribute, element).and_then(|key| keyed.get(&key));
            let hit = by_key.is_some_and(|listed| listed.iter().any(|l| same_type(attribute, element, l)));
            !hit && !unkeyed.iter().any(|l| covers(attribute, element, l))
        });
        Ok(())
    }

    /// Changes the elements that a condition selects, or all of them.
    pub(super) fn change(
        &mut self,
        op: &AttributeOp,
        path: &AttrPath,
        condition: Option<&Filter>,
        profile: &Profile,
    ) -> Result<(), ScimError> {
        let hit = |e: &Value| match (condition, e) {
            (None, _) => true,
            (Some(condition), Value::Object(map)) => condition.matches_element(map),
            (Some(_), _) => false,
        };
        let mut places: Vec<usize> = (0..self.list.len()).filter(|&n| hit(&self.list[n])).collect();
        if op.verb == Verb::Remove {
            self.remove_at(&places, op, path);
            return Ok(());
        }
        if places.is_empty() {
            places.push(self.create(path, condition, profile)?);
        }
        for &place in &places {
            self.write(place, op, path, condition, profile);
        }
        let primary = match (&path.sub, &op.value) {
            (Some(sub), Some(value)) => sub.name == "primary" && *value == Value::Bool(true),
            (None, Some(value)) => is_primary(value),
            (_, None) => false,
        };
        if primary && places.len() > 1 {
            let text = format!("{path} would make {} elements primary, at most one can be", places.len());
            return Err(ScimError::invalid_value(text));
        }
        if let Some(&place) = places.iter().find(|&&n| is_primary(&self.list[n])) {
            self.sole_primary(place);
        }
        self.check_size()
    }

    fn remove_at(&mut self, places: &[usize], op: &AttributeOp, path: &AttrPath) {
        if let Some(sub) = &path.sub {
            for &place in places {
                if let Some(Value::Object(parts)) = self.list.get_mut(place) {
                    set_or_remove(parts, op, sub);
                }
            }
            return;
        }
        let mut places = places.iter().copied().peekable();
        let mut at = 0;
        self.list.retain(|element| {
            let hit = places.next_if_eq(&at).is_some();
            at += 1;
            !(hit && op.value.as_ref().is_none_or(|listed| covers(self.attribute, element, listed)))
        });
    }

    /// Makes the element that the condition describes; the place of it.
    fn create(
        &mut self,
        path: &AttrPath,
        condition: Option<&Filter>,
        profile: &Profile,
    ) -> Result<usize, ScimError> {
        let full = !self.attribute.multi_valued && !self.list.is_empty();
        let seed = condition.map_or_else(|| Some(Map::new()), |c| seed(&c.expr));
        match seed {
            Some(seed) if profile.create_on_absent && !full => {
                self.list.push(Value::Object(seed));
                Ok(self.list.len() - 1)
            }
            _ => Err(ScimError::no_target(format!("the filter selects no element of {}", path.whole()))),
        }
    }

    fn write(
        &mut self,
        place: usize,
        op: &AttributeOp,
        path: &AttrPath,
        condition: Option<&Filter>,
        profile: &Profile,
    ) {
        let Some(Value::Object(parts)) = self.list.get_mut(place) else { return };
        match (&path.sub, &op.value) {
            (Some(sub), _) => set_or_remove(parts, op, sub),
            (None, Some(Value::Object(new))) => {
                if op.verb == Verb::Replace {
                    // What selected the element stays true of it, or the next operation would miss it.
                    let keep = condition.filter(|_| profile.create_on_absent).and_then(|c| seed(&c.expr));
                    *parts = keep.unwrap_or_default();
                }
                parts.extend(new.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
            (None, _) => {}
        }
    }

    /// RFC 7644 section 3.5.2: a new primary takes the mark from the others.
    fn sole_primary(&mut self, place: usize) {
        for (n, element) in self.list.iter_mut().enumerate() {
            if n != place && is_primary(element) {
                element["primary"] = Value::Bool(false);
            }
        }
    }

    fn check_size(&self) -> Result<(), ScimError> {
        if self.list.len() > MAX_ELEMENTS {
            let text = format!("{} would have more than {MAX_ELEMENTS} elements", self.attribute.name);
            return Err(ScimError::invalid_value(text));
        }
        Ok(())
    }
}

fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// What a new element starts with: the `eq` terms of the condition, joined by `and` only.
fn seed(expr: &Expr) -> Option<Map<String, Value>> {
    match expr {
        Expr::And(terms) => {
            terms.iter().map(seed).collect::<Option<Vec<_>>>().map(|all| all.into_iter().flatten().collect())
        }
        Expr::Compare { path, op: CompareOp::Eq, literal } => {
            let value = match literal {
                Literal::Text { text, .. } | Literal::Instant { text, .. } => Value::from(text.as_str()),
                Literal::Number(number) => Value::Number(number.clone()),
                Literal::Boolean(value) => Value::Bool(*value),
                Literal::Null => return Some(Map::new()),
            };
            Some(Map::from_iter([(path.attribute.name.clone(), value)]))
        }
        _ => None,
    }
}

/// What makes two elements the same: `value` and `type` as they compare, else everything.
fn identity(attribute: &Attribute, element: &Value) -> String {
    match value_key(attribute, element) {
        Some(value) => format!("{:?} {value}", type_key(attribute, element)),
        None => element.to_string(),
    }
}

/// The comparison key of a simple value, or of the `value` of an element.
fn value_key(attribute: &Attribute, element: &Value) -> Option<String> {
    let (attribute, value) = match element {
        Value::Object(map) => (attribute.sub("value")?.as_ref(), map.get("value")?),
        simple => (attribute, simple),
    };
    Some(match value {
        Value::String(text) => compare::key(text, attribute.case_exact).into_owned(),
        other => other.to_string(),
    })
}

fn type_key(attribute: &Attribute, element: &Value) -> Option<String> {
    let exact = attribute.sub("type")?.case_exact;
    Some(compare::key(element.get("type")?.as_str()?, exact).into_owned())
}

fn same_type(attribute: &Attribute, element: &Value, listed: &Value) -> bool {
    listed.get("type").is_none() || type_key(attribute, element) == type_key(attribute, listed)
}

/// Is everything that is listed also in the value?
pub(super) fn covers(attribute: &Attribute, value: &Value, listed: &Value) -> bool {
    match (value, listed) {
        (Value::Object(have), Value::Object(want)) => want.iter().all(|(name, want)| {
            let part = attribute.sub(name);
            have.get(name).is_some_and(|have| part.is_some_and(|part| covers(part, have, want)))
        }),
        (Value::String(have), Value::String(want)) => compare::same(have, want, attribute.case_exact),
        (have, want) => have == want,
    }
}

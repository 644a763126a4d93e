//! Schemas, objects and columns: what permissions are on.

use std::collections::{BTreeSet, HashMap};

use axon_model::SqlName;
use axon_reconcile::{ObjectFacts, ObjectKind, ObjectName, Shape};

use super::predefined;
use super::rows::{RawColumn, RawObject, RawSchema, Spelled};

/// What ids of schemas, objects and columns stand for. Things whose name cannot be used, or cannot be told apart from that
/// of an elder one, are not in it; if something is permitted on them, that is a note.
#[derive(Default)]
pub(super) struct Places {
    pub(super) schemas: HashMap<i32, SqlName>,
    pub(super) objects: HashMap<i32, ObjectName>,
    pub(super) columns: HashMap<(i32, i32), SqlName>,
    pub(super) credentials: HashMap<i32, SqlName>,
}

impl Places {
    /// Takes in the names of credentials, and gives those that can be used.
    pub(super) fn credentials(&mut self, rows: Option<Vec<(i32, Spelled)>>) -> Option<BTreeSet<SqlName>> {
        let mut found = BTreeSet::new();
        for (id, name) in rows? {
            if let Ok(name) = name
                && found.insert(name)
            {
                self.credentials.insert(id, name);
            }
        }
        Some(found)
    }
}

/// The shape of the user schemas, and the names of all ids. `who` names the owners.
pub(super) fn shape(
    schemas: Vec<RawSchema>,
    objects: Vec<RawObject>,
    mut columns: Vec<RawColumn>,
    who: &HashMap<i32, SqlName>,
) -> (Shape, Places) {
    let (mut shape, mut places) = (Shape::default(), Places::default());
    let named = |id: Option<i32>| id.and_then(|id| who.get(&id).copied());
    for row in schemas {
        let Ok(name) = row.name else { continue };
        if shape.schemas.contains_key(&name) {
            continue;
        }
        places.schemas.insert(row.id, name);
        if !predefined::is_system_schema(name) {
            shape.schemas.insert(name, named(row.owner));
        }
    }
    for row in objects {
        let Some(schema) = places.schemas.get(&row.schema).copied() else { continue };
        let Ok(name) = row.name else { continue };
        let object = ObjectName { schema, name };
        if shape.objects.contains_key(&object) {
            continue;
        }
        places.objects.insert(row.id, object);
        if predefined::is_system_schema(schema) {
            continue;
        }
        let kind = match &row.code {
            b"U " => ObjectKind::Table,
            b"V " => ObjectKind::View,
            b"P " => ObjectKind::Procedure,
            b"FN" | b"IF" | b"TF" => ObjectKind::Function,
            _ => ObjectKind::Other,
        };
        let owner = named(row.owner).or_else(|| shape.schemas.get(&schema).copied().flatten());
        shape.objects.insert(object, ObjectFacts { kind, owner, columns: Vec::new() });
    }
    columns.sort_by_key(|row| (row.object, row.id));
    for row in columns {
        let Some(object) = places.objects.get(&row.object).copied() else { continue };
        let Ok(name) = row.name else { continue };
        let Some(facts) = shape.objects.get_mut(&object) else { continue };
        if facts.columns.contains(&name) {
            continue;
        }
        facts.columns.push(name);
        places.columns.insert((row.object, row.id), name);
    }
    (shape, places)
}

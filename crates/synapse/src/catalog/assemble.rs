//! From rows with ids to graph and shape. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axon_model::SqlName;
use axon_model::name::{fold, shown};
use axon_reconcile::{
    Connect, Grant, GrantKey, GrantState, Graph, Membership, ObjectFacts, ObjectKind, ObjectName, Permission,
    Principal, PrincipalKind, Role, Securable, Shape, Sid, TargetFacts,
};

use super::notes::Notes;
use super::rows::{RawCatalog, RawColumn, RawObject, RawPermission, RawPrincipal, RawSchema};
use super::{predefined, reach};
use crate::statement::Dialect;

/// What a read by name takes over from the last read of everything.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Who may administer.
    pub(crate) administrators: BTreeSet<SqlName>,
    /// Why our principal does not see all, if so.
    pub(crate) blind: Option<String>,
}

impl Known {
    /// What holds before anything was read: `dbo` administers, and absence proves nothing.
    pub(crate) fn nothing() -> Self {
        let administrators = SqlName::parse("dbo").into_iter().collect();
        Self { administrators, blind: Some("nothing was read yet".into()) }
    }
}

/// What rows mean.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) graph: Graph,
    pub(crate) shape: Shape,
    pub(crate) facts: TargetFacts,
    pub(crate) known: Known,
    pub(crate) unseen: Vec<String>,
}

/// Makes graph and shape of rows. `known` is what an earlier read of everything told; without it these rows are everything.
pub(crate) fn assemble(
    raw: RawCatalog,
    database: SqlName,
    dialect: Dialect,
    known: Option<Known>,
) -> Result<Picture, String> {
    let facts = raw.facts.ok_or("no row that says who we are")?;
    if fold(&facts.database) != database.folded() {
        return Err(format!("this is database {:?}, not {database}", shown(&facts.database)));
    }
    if Dialect::of_edition(facts.edition).is_some_and(|found| found != dialect) {
        return Err(format!("EngineEdition {} is not {}", facts.edition, dialect.name()));
    }
    let own = SqlName::parse(&facts.own).map_err(|e| format!("our own name there: {e}"))?;

    let mut notes = Notes::default();
    let mut graph = Graph::default();
    let who = principals(&raw.principals, dialect, &mut graph, &mut notes);
    for (role, member) in raw.members {
        if let (Some(role), Some(member)) = (who.get(&role), who.get(&member))
            && graph.roles.contains_key(role)
            && (graph.principals.contains_key(member) || graph.roles.contains_key(member))
        {
            graph.members.insert(Membership { role: *role, member: *member });
        }
    }
    let (shape, places) = shape(raw.schemas, raw.objects, raw.columns, &who);

    let administrators = match &known {
        Some(known) => known.administrators.clone(),
        None => reach::administrators(&graph),
    };
    let acts_as = if administrators.contains(&own) { SqlName::parse("dbo").ok() } else { Some(own) };
    permissions(&raw.permissions, &Names { who, places }, acts_as, &mut graph, &mut notes);

    let blind = match known {
        Some(known) => known.blind,
        None => reach::blind(&graph, own, &administrators),
    };
    let mut unseen = notes.into_lines();
    unseen.extend(blind.clone());
    let facts = TargetFacts {
        version: facts.version,
        engine_edition: facts.edition,
        own_principal: own,
        administrators: administrators.iter().copied().collect(),
    };
    Ok(Picture { graph, shape, facts, known: Known { administrators, blind }, unseen })
}

/// Puts users and roles into the graph and gives the names of all ids, system principals included.
fn principals(
    rows: &[RawPrincipal],
    dialect: Dialect,
    graph: &mut Graph,
    notes: &mut Notes,
) -> HashMap<i32, SqlName> {
    let mut order: Vec<&RawPrincipal> = rows.iter().collect();
    order.sort_by_key(|row| row.id);
    let mut by_id: HashMap<i32, SqlName> = HashMap::with_capacity(rows.len());
    let mut taken: HashMap<SqlName, SqlName> = HashMap::with_capacity(rows.len());
    for row in &order {
        let name = match &row.name {
            Ok(name) => *name,
            Err((text, reason)) => {
                notes.add(|| format!("principal {:?} is left out: {reason}", shown(text)));
                continue;
            }
        };
        if let Some(first) = taken.get(&name) {
            // The elder one stays, with its own rows only. What the other holds must not be taken for what it holds.
            notes.add(|| {
                format!(
                    "principals {:?} and {:?} cannot be told apart: rename or drop one",
                    shown(first.as_str()),
                    shown(name.as_str())
                )
            });
            continue;
        }
        taken.insert(name, name);
        by_id.insert(row.id, name);
    }
    for row in order {
        let Some(name) = by_id.get(&row.id).copied() else { continue };
        if row.code == 'R' {
            let fixed = row.fixed || predefined::is_predefined_role(name, dialect);
            let owner = row.owner.and_then(|id| by_id.get(&id).copied());
            graph.roles.insert(name, Role { fixed, owner });
        } else if !predefined::is_system_user(name) {
            let kind = match row.code {
                'E' => PrincipalKind::External,
                'X' => PrincipalKind::ExternalGroup,
                // `S`, and what Synapse is not expected to hold. Axon makes none of them.
                _ => PrincipalKind::Sql,
            };
            let sid = row.sid.as_deref().filter(|bytes| !bytes.is_empty()).map(Sid::from_bytes);
            let created = row.created.map(time::PrimitiveDateTime::assume_utc);
            graph.principals.insert(name, Principal { kind, sid, connect: Connect::Absent, created });
        }
    }
    by_id
}

/// What ids of schemas, objects and columns stand for. Things whose name cannot be used, or cannot be told apart from that
/// of an elder one, are not in it; if something is permitted on them, that is a note.
#[derive(Default)]
struct Places {
    schemas: HashMap<i32, SqlName>,
    objects: HashMap<i32, ObjectName>,
    columns: HashMap<(i32, i32), SqlName>,
}

fn shape(
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

/// What all ids stand for.
struct Names {
    who: HashMap<i32, SqlName>,
    places: Places,
}

fn permissions(
    rows: &[RawPermission],
    names: &Names,
    acts_as: Option<SqlName>,
    graph: &mut Graph,
    notes: &mut Notes,
) {
    let mut exceptions: BTreeMap<ObjectName, usize> = BTreeMap::new();
    let mut nowhere: BTreeMap<SqlName, usize> = BTreeMap::new();
    let who = &names.who;
    for row in rows {
        let Some(grantee) = who.get(&row.grantee).copied() else { continue };
        let securable = match names.place(row) {
            Place::On(securable) => securable,
            Place::Unknown => {
                *nowhere.entry(grantee).or_default() += 1;
                continue;
            }
            Place::Untold => continue,
        };
        let state = match row.state {
            'G' => GrantState::Grant,
            'W' => GrantState::GrantWithOption,
            'D' => GrantState::Deny,
            // R: a column that an object-level permission does not cover. See the crate's plain limits.
            _ => {
                if let Securable::Column(object, _) = securable {
                    *exceptions.entry(object).or_default() += 1;
                }
                continue;
            }
        };
        if row.permission == Permission::Connect
            && securable == Securable::Database
            && let Some(principal) = graph.principals.get_mut(&grantee)
        {
            if state == GrantState::Deny || principal.connect == Connect::Absent {
                principal.connect =
                    if state == GrantState::Deny { Connect::Denied } else { Connect::Granted };
            }
            continue;
        }
        if !graph.principals.contains_key(&grantee) && !graph.roles.contains_key(&grantee) {
            continue;
        }
        let own = acts_as.is_some() && who.get(&row.grantor).copied() == acts_as;
        let key = GrantKey { grantee, securable, permission: row.permission };
        let grant =
            graph.grants.entry(key).or_insert(Grant { state, foreign_grantors: Vec::new(), own_row: false });
        // The order of the states is their strength.
        grant.state = grant.state.max(state);
        grant.own_row |= own;
        if !own && let Some(grantor) = who.get(&row.grantor).copied() {
            grant.foreign_grantors.push(grantor);
        }
    }
    for (grantee, count) in nowhere {
        notes.add(|| {
            format!("{count} permissions of {grantee} are on things whose names cannot be read or told apart: look at them by hand")
        });
    }
    for (object, count) in exceptions {
        tracing::warn!(%object, count, "columns are taken out of an object-level permission; it is read as covering them");
    }
}

enum Place {
    On(Securable),
    /// On something that was not read, or whose name cannot be used.
    Unknown,
    /// On a class that the graph does not tell of (types, certificates, credentials).
    Untold,
}

impl Names {
    fn place(&self, row: &RawPermission) -> Place {
        let places = &self.places;
        let securable = match row.class {
            0 => Some(Securable::Database),
            1 if row.minor == 0 => places.objects.get(&row.major).copied().map(Securable::Object),
            1 => places.objects.get(&row.major).and_then(|object| {
                let column = places.columns.get(&(row.major, row.minor))?;
                Some(Securable::Column(*object, *column))
            }),
            3 => places.schemas.get(&row.major).copied().map(Securable::Schema),
            4 => self.who.get(&row.major).copied().map(Securable::Principal),
            _ => return Place::Untold,
        };
        securable.map_or(Place::Unknown, Place::On)
    }
}

#[cfg(test)]
mod tests;

//! Permission rows, of which several may say one thing.

use std::collections::{BTreeMap, HashMap};

use axon_model::SqlName;
use axon_reconcile::unseen::ON_THE_UNNAMED;
use axon_reconcile::{
    Connect, Grant, GrantKey, GrantState, Graph, ObjectName, OtherThing, Permission, Securable,
};

use super::notes::Notes;
use super::places::Places;
use super::rows::RawPermission;
use crate::statement::Dialect;

/// So many columns are named that a permission leaves out.
const MOST_COLUMNS: usize = 10;

/// What all ids stand for.
pub(super) struct Names {
    pub(super) who: HashMap<i32, SqlName>,
    pub(super) places: Places,
    pub(super) dialect: Dialect,
}

/// Puts permissions into the graph. `acts_as` is the grantor of what our own statements give: rows of others are out of the
/// reach of a plain REVOKE.
pub(super) fn permissions(
    rows: &[RawPermission],
    names: &Names,
    acts_as: Option<SqlName>,
    graph: &mut Graph,
    notes: &mut Notes,
) {
    let mut exceptions: BTreeMap<(SqlName, Permission, ObjectName), Vec<SqlName>> = BTreeMap::new();
    let mut nowhere: BTreeMap<SqlName, usize> = BTreeMap::new();
    // What our own statement left out of our own row: the next one mends it.
    let mut pierced = Vec::new();
    let who = &names.who;
    for row in rows {
        let Some(grantee) = who.get(&row.grantee).copied() else { continue };
        let securable = match names.place(row) {
            Place::On(securable) => securable,
            Place::Unknown => {
                *nowhere.entry(grantee).or_default() += 1;
                continue;
            }
        };
        let state = match row.state {
            'G' => GrantState::Grant,
            'W' => GrantState::GrantWithOption,
            'D' => GrantState::Deny,
            // R: a column that an object-level permission does not cover.
            _ => {
                if let Securable::Column(object, column) = securable {
                    if acts_as.is_some() && who.get(&row.grantor).copied() == acts_as {
                        let securable = Securable::Object(object);
                        pierced.push(GrantKey { grantee, securable, permission: row.permission });
                        continue;
                    }
                    exceptions.entry((grantee, row.permission, object)).or_default().push(column);
                }
                continue;
            }
        };
        let enters = matches!(
            (row.permission, securable),
            (Permission::Connect, Securable::Database) | (Permission::ConnectSql, Securable::Server)
        );
        if enters && let Some(principal) = graph.principals.get_mut(&grantee) {
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
        let grant = graph.grants.entry(key).or_insert(Grant { own_row: false, ..Grant::wanted(state) });
        // The order of the states is their strength.
        grant.state = grant.state.max(state);
        grant.own_row |= own;
        if !own && let Some(grantor) = who.get(&row.grantor).copied() {
            grant.foreign_grantors.push(grantor);
        }
    }
    for key in pierced {
        if let Some(grant) = graph.grants.get_mut(&key) {
            grant.leaves_out = grant.own_row;
        }
    }
    for (grantee, count) in nowhere {
        notes.add(|| format!("{count} permissions of {grantee} {ON_THE_UNNAMED}"));
    }
    for ((grantee, permission, object), mut columns) in exceptions {
        columns.sort();
        let listed: Vec<String> = columns.iter().take(MOST_COLUMNS).map(ToString::to_string).collect();
        let more = columns.len().saturating_sub(MOST_COLUMNS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.add_as_whole(|| {
            format!(
                "{permission} of {grantee} on {object} leaves out {}{more} by a REVOKE of columns, and is read as the whole",
                listed.join(", ")
            )
        });
    }
}

enum Place {
    On(Securable),
    /// On something that was not read, or whose name cannot be used.
    Unknown,
}

impl Names {
    fn place(&self, row: &RawPermission) -> Place {
        let places = &self.places;
        let securable = match row.class {
            0 if self.dialect == Dialect::Server => Some(Securable::Server),
            0 => Some(Securable::Database),
            32 if self.dialect != Dialect::Dedicated => {
                places.credentials.get(&row.major).copied().map(Securable::Credential)
            }
            1 if row.minor == 0 => places.objects.get(&row.major).copied().map(Securable::Object),
            1 => places.objects.get(&row.major).and_then(|object| {
                let column = places.columns.get(&(row.major, row.minor))?;
                Some(Securable::Column(*object, *column))
            }),
            3 => places.schemas.get(&row.major).copied().map(Securable::Schema),
            4 => self.who.get(&row.major).copied().map(Securable::Principal),
            class => Some(Securable::Other(OtherThing { class, id: row.major })),
        };
        securable.map_or(Place::Unknown, Place::On)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::sample::{self, name};
    use crate::catalog::{Picture, RawCatalog, assemble};

    const ORDERS: (u8, i32, i32) = (1, 100, 0);
    const REGION: (u8, i32, i32) = (1, 100, 2);

    fn picture(raw: RawCatalog) -> Picture {
        assemble(raw, name("dw"), Dialect::Dedicated, None).unwrap()
    }

    fn base() -> RawCatalog {
        let mut raw = sample::pool();
        sample::user(&mut raw, 10, "kim", 'E');
        sample::role(&mut raw, 20, "r");
        raw
    }

    fn key(permission: Permission, securable: Securable) -> GrantKey {
        GrantKey { grantee: name("r"), securable, permission }
    }

    fn orders() -> ObjectName {
        ObjectName { schema: name("sales"), name: name("orders") }
    }

    #[test]
    fn every_class_finds_its_securable() {
        let mut raw = base();
        for at in [(0, 0, 0), ORDERS, REGION, (3, 5, 0), (4, 10, 0), (6, 7, 0), (25, 257, 0), (77, 1, 0)] {
            sample::permission(&mut raw, 20, 1, "CONTROL", 'G', at);
        }
        let graph = picture(raw).graph;
        let on: Vec<Securable> = graph.grants.keys().map(|key| key.securable).collect();
        assert_eq!(
            on,
            [
                Securable::Database,
                Securable::Schema(name("sales")),
                Securable::Object(orders()),
                Securable::Column(orders(), name("region")),
                Securable::Principal(name("kim")),
                Securable::Other(OtherThing { class: 6, id: 7 }),
                Securable::Other(OtherThing { class: 25, id: 257 }),
                Securable::Other(OtherThing { class: 77, id: 1 }),
            ]
        );
        let words: Vec<String> = on.iter().skip(5).map(ToString::to_string).collect();
        assert_eq!(words, ["type with id 7", "certificate with id 257", "thing with id 1 of class 77"]);
    }

    #[test]
    fn two_grantors_make_one_grant_that_remembers_both() {
        let mut raw = base();
        sample::permission(&mut raw, 20, 1, "SELECT", 'G', ORDERS);
        sample::permission(&mut raw, 20, 10, "SELECT", 'D', ORDERS);
        sample::permission(&mut raw, 20, 10, "INSERT", 'W', ORDERS);
        let graph = picture(raw.clone()).graph;
        let select = &graph.grants[&key(Permission::Select, Securable::Object(orders()))];
        assert_eq!((select.state, select.own_row), (GrantState::Deny, true));
        assert_eq!(select.foreign_grantors, [name("kim")]);
        let insert = &graph.grants[&key(Permission::Insert, Securable::Object(orders()))];
        assert_eq!((insert.state, insert.own_row), (GrantState::GrantWithOption, false));

        // The same rows, seen by the one who gave the others.
        raw.facts.as_mut().unwrap().own = "kim".into();
        let graph = picture(raw).graph;
        let select = &graph.grants[&key(Permission::Select, Securable::Object(orders()))];
        assert!(select.own_row);
        assert_eq!(select.foreign_grantors, [name("dbo")]);
    }

    #[test]
    fn an_exception_to_an_object_level_grant_leaves_the_grant() {
        let mut raw = base();
        sample::permission(&mut raw, 20, 1, "SELECT", 'G', ORDERS);
        sample::permission(&mut raw, 20, 1, "SELECT", 'R', REGION);
        let Picture { graph, unseen, .. } = picture(raw);
        assert_eq!(graph.grants.len(), 1);
        let grant = &graph.grants[&key(Permission::Select, Securable::Object(orders()))];
        assert!(grant.leaves_out && grant.own_row);
        assert_eq!(unseen, Vec::<String>::new(), "a plan mends it");

        let mut raw = base();
        sample::permission(&mut raw, 20, 10, "SELECT", 'G', ORDERS);
        sample::permission(&mut raw, 20, 10, "SELECT", 'R', REGION);
        let Picture { graph, unseen, .. } = picture(raw);
        assert!(!graph.grants[&key(Permission::Select, Securable::Object(orders()))].leaves_out);
        assert_eq!(
            unseen,
            [
                "SELECT of r on sales.orders leaves out region by a REVOKE of columns, and is read as the whole: \
              GRANT or REVOKE it on the object to have it whole or gone"
            ]
        );
    }

    #[test]
    fn what_is_on_a_thing_that_cannot_be_named_is_told() {
        let mut raw = base();
        sample::permission(&mut raw, 20, 1, "SELECT", 'G', (1, 4711, 0));
        sample::permission(&mut raw, 20, 1, "SELECT", 'G', (1, 100, 99));
        let picture = picture(raw);
        assert!(picture.graph.grants.is_empty());
        assert!(picture.unseen[0].starts_with("2 permissions of r are on things"), "{:?}", picture.unseen);
    }

    #[test]
    fn connect_of_two_grantors_is_denied_if_one_denies_whatever_the_order() {
        for states in [['G', 'D'], ['D', 'G']] {
            let mut raw = base();
            sample::permission(&mut raw, 10, 1, "CONNECT", states[0], (0, 0, 0));
            sample::permission(&mut raw, 10, 20, "CONNECT", states[1], (0, 0, 0));
            assert_eq!(picture(raw).graph.principals[&name("kim")].connect, Connect::Denied);
        }
        // A role's CONNECT is a grant: a DENY of it keeps every member out.
        let mut raw = base();
        sample::permission(&mut raw, 20, 1, "CONNECT", 'D', (0, 0, 0));
        assert!(picture(raw).graph.grants.contains_key(&key(Permission::Connect, Securable::Database)));
    }

    #[test]
    fn system_users_hold_nothing_in_the_graph() {
        let mut raw = base();
        sample::permission(&mut raw, 2, 1, "SELECT", 'G', ORDERS);
        sample::permission(&mut raw, 0, 1, "SELECT", 'G', ORDERS);
        let grantees: Vec<_> = picture(raw).graph.grants.keys().map(|key| key.grantee).collect();
        assert_eq!(grantees, [name("public")]);
    }
}

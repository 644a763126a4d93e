//! Permissions of a catalog as lines of the map, and why some are none.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{Grant, GrantKey, GrantState, Graph, ObjectName, Permission, Securable, Shape};

use crate::grant::GrantLine;

/// One permission, without its grantee.
pub(super) type Line = (Securable, Permission, GrantState);

/// The permission as a line can say it, or why none can.
pub(super) fn line_of(actual: &Graph, shape: &Shape, key: &GrantKey, grant: &Grant) -> Result<Line, String> {
    if grant.state == GrantState::GrantWithOption {
        return Err("WITH GRANT OPTION is never given by a map".to_owned());
    }
    if grant.leaves_out {
        return Err("columns were taken out of it by a REVOKE, which no line says".to_owned());
    }
    if let Securable::Principal(_) = key.securable {
        return Err("a map gives no permission on users and roles".to_owned());
    }
    if let Securable::Other(thing) = key.securable {
        let class = thing
            .word()
            .map_or_else(|| format!("things of class {}", thing.class), |word| format!("a {word}"));
        return Err(format!("a map gives nothing on {class}, and Axon sends no statement about it"));
    }
    if !shape.holds(&key.securable) {
        return Err("what it is on is not among what grants can name".to_owned());
    }
    if let Securable::Column(object, _) = key.securable {
        let whole = GrantKey { securable: Securable::Object(object), ..*key };
        if actual.grants.get(&whole).is_some_and(|whole| whole.state == grant.state) {
            return Err("it says again for one column what stands on the whole object".to_owned());
        }
    }
    let said = said((key.securable, key.permission, grant.state));
    match GrantLine::parse(&said.to_string()) {
        Ok(read) if read == said => Ok((key.securable, key.permission, grant.state)),
        read => {
            let why = read.err().map(|error| format!(": {}", error.message)).unwrap_or_default();
            Err(format!("no line of a map says it{why}"))
        }
    }
}

fn said((securable, permission, state): Line) -> GrantLine {
    let (on, columns) = match securable {
        Securable::Column(object, column) => (Securable::Object(object), vec![column]),
        other => (other, Vec::new()),
    };
    GrantLine::Permissions { state, permissions: vec![permission], on, columns }
}

/// Whether people can be put into this role of the pool by a line.
pub(super) fn member_of(role: SqlName) -> Option<GrantLine> {
    let line = GrantLine::MemberOf(role);
    GrantLine::parse(&line.to_string()).is_ok_and(|read| read == line).then_some(line)
}

/// The lines that say all of these, as few as are easily read: what stands on one thing in one line.
pub(super) fn lines(of: impl IntoIterator<Item = Line>, shape: &Shape) -> Vec<GrantLine> {
    let mut whole: BTreeMap<(Securable, GrantState), BTreeSet<Permission>> = BTreeMap::new();
    let mut columns: BTreeMap<(ObjectName, GrantState, Permission), BTreeSet<SqlName>> = BTreeMap::new();
    for (securable, permission, state) in of {
        match securable {
            Securable::Column(object, column) => {
                columns.entry((object, state, permission)).or_default().insert(column);
            }
            other => {
                whole.entry((other, state)).or_default().insert(permission);
            }
        }
    }
    let mut by_columns: BTreeMap<(ObjectName, GrantState, BTreeSet<SqlName>), BTreeSet<Permission>> =
        BTreeMap::new();
    for ((object, state, permission), names) in columns {
        by_columns.entry((object, state, names)).or_default().insert(permission);
    }
    let mut said: Vec<(Securable, GrantLine)> = Vec::new();
    for ((on, state), permissions) in whole {
        let permissions = permissions.into_iter().collect();
        said.push((on, GrantLine::Permissions { state, permissions, on, columns: Vec::new() }));
    }
    for ((object, state, names), permissions) in by_columns {
        // In the order of the table, as people know it.
        let order = shape.objects.get(&object).map_or(&[][..], |facts| &facts.columns);
        let columns: Vec<SqlName> = order.iter().copied().filter(|name| names.contains(name)).collect();
        let first = columns.first().copied();
        let permissions = permissions.into_iter().collect();
        let on = Securable::Object(object);
        let place = first.map_or(on, |column| Securable::Column(object, column));
        said.push((place, GrantLine::Permissions { state, permissions, on, columns }));
    }
    // Grants before denials, each by what it is on.
    said.sort_by(|(a, line), (b, other)| (denies(line), a).cmp(&(denies(other), b)));
    said.into_iter().map(|(_, line)| line).collect()
}

fn denies(line: &GrantLine) -> bool {
    matches!(line, GrantLine::Permissions { state: GrantState::Deny, .. })
}

#[cfg(test)]
mod tests {
    use axon_reconcile::{ObjectFacts, ObjectKind, OtherThing};

    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn orders() -> ObjectName {
        ObjectName { schema: name("sales"), name: name("orders") }
    }

    fn shape() -> Shape {
        let mut shape = Shape::default();
        let columns = ["id", "region", "amount"].map(name).to_vec();
        shape.objects.insert(orders(), ObjectFacts { kind: ObjectKind::Table, owner: None, columns });
        shape
    }

    fn key(permission: Permission, securable: Securable) -> GrantKey {
        GrantKey { grantee: name("r"), securable, permission }
    }

    #[test]
    fn what_stands_on_one_thing_is_one_line_and_columns_are_in_the_table_s_order() {
        let column = |c: &str| Securable::Column(orders(), name(c));
        let said = lines(
            [
                (column("region"), Permission::Select, GrantState::Grant),
                (column("id"), Permission::Select, GrantState::Grant),
                (Securable::Object(orders()), Permission::Insert, GrantState::Grant),
                (Securable::Object(orders()), Permission::Delete, GrantState::Grant),
                (Securable::Database, Permission::Select, GrantState::Deny),
                (Securable::Database, Permission::ViewDefinition, GrantState::Grant),
            ],
            &shape(),
        );
        let texts: Vec<String> = said.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "view definition on database",
                "insert, delete on sales.orders",
                "select on sales.orders (id, region)",
                "deny select on database",
            ]
        );
    }

    #[test]
    fn what_no_line_can_say_is_told_with_its_reason() {
        let mut actual = Graph::default();
        let object = Securable::Object(orders());
        actual.grants.insert(key(Permission::Select, object), Grant::wanted(GrantState::Grant));
        for (permission, on, state, why) in [
            (Permission::Insert, object, GrantState::GrantWithOption, "WITH GRANT OPTION"),
            (Permission::Alter, Securable::Principal(name("x")), GrantState::Grant, "users and roles"),
            (Permission::Select, Securable::Schema(name("gone")), GrantState::Grant, "not among"),
            (
                Permission::Control,
                Securable::Other(OtherThing { class: 25, id: 257 }),
                GrantState::Grant,
                "a map gives nothing on a certificate",
            ),
            (Permission::Select, Securable::Column(orders(), name("id")), GrantState::Grant, "says again"),
            (Permission::Connect, Securable::Database, GrantState::Deny, "CONNECT"),
            (Permission::Other(name("FLY")), Securable::Database, GrantState::Grant, "no permission"),
        ] {
            let told = line_of(&actual, &shape(), &key(permission, on), &Grant::wanted(state)).unwrap_err();
            assert!(told.contains(why), "{permission}: {told}");
        }
        let column = key(Permission::Select, Securable::Column(orders(), name("id")));
        assert!(line_of(&actual, &shape(), &column, &Grant::wanted(GrantState::Deny)).is_ok());
        assert!(member_of(name("public")).is_none() && member_of(name("a ] b")).is_some());
    }
}

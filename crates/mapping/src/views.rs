//! From `views` of the map and the catalog's columns to what each view shows: typed, checked, without a choice left.
//!
//! ```text
//!  SecureView ┐            columns ──mask──> ShownColumn ┐
//!  tables     ├─ compile ─┤                               ├─> ViewBody ──(synapse renders)──> CREATE VIEW
//!  roles, tags┘            rows ──────────> Rows          ┘       │
//!                                                                 └──needs──> rows of the profile, person by person
//! ```
//!
//! A view that cannot be compiled gives faults and no body: what stands in the pool then is
//! [closed](axon_reconcile::ViewBody::closed), and never more open than the policy.

mod all;
mod columns;
mod fault;
mod mask;
mod name;
mod native;
mod profile;
mod rows;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::ObjectName;
use axon_reconcile::view_body::{ViewBody, Who};

use crate::names::RoleName;
use crate::secure_view::SecureView;

pub use all::{Compiled, asked, of_target};
pub use axon_reconcile::secure::{BaseTable, Delimiters, ProfileRow};
pub use fault::ViewFault;
pub(crate) use name::of_table;
pub use name::{NamesCollide, of_tables};
pub(crate) use profile::as_in_line;
pub use profile::{
    Beyond, LeftOut, Needs, Person, Profile, ProfileDelta, Unwritable, delta, in_one_line, out_of_line,
    profile_of,
};

/// The attribute under which a profile holds roles of the map. No SCIM attribute begins so.
pub const ROLES: &str = "@role";
/// The attribute under which a profile holds the names of groups.
pub const GROUPS: &str = "@group";
/// The attribute under which the whole profile stands, where it is one string.
pub use axon_reconcile::secure::LINE;

/// What views are compiled against.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The tables of the target.
    pub tables: &'a BTreeMap<ObjectName, BaseTable>,
    /// Owners of the schemas of the target.
    pub schemas: &'a BTreeMap<SqlName, Option<SqlName>>,
    /// The roles of the pool of which one is had by whoever has a role of the map: its own, and those that include it. A role that
    /// is not here is looked up in the profile.
    pub roles: &'a BTreeMap<RoleName, BTreeSet<SqlName>>,
    /// Columns by tag.
    pub tags: &'a BTreeMap<String, BTreeSet<(ObjectName, SqlName)>>,
}

impl Surroundings<'_> {
    fn who(&self, role: &RoleName) -> BTreeSet<Who> {
        match self.roles.get(role) {
            Some(names) => names.iter().copied().map(Who::Role).collect(),
            None => {
                BTreeSet::from([Who::Has { attribute: ROLES.to_owned(), value: role.as_str().to_owned() }])
            }
        }
    }
}

/// The body of one view, or everything that keeps it from having one.
pub fn compile(view: &SecureView, within: &Surroundings<'_>) -> Result<ViewBody, Vec<ViewFault>> {
    let mut faults = Vec::new();
    let Some(table) = within.tables.get(&view.from) else {
        let message = format!("table {} is not in the target", view.from);
        return Err(vec![ViewFault::new(view, &view.place, message, "name a table that is there")]);
    };
    let owner = within.schemas.get(&view.name.schema).copied().flatten();
    if owner.is_none() || owner != table.owner {
        let message = format!("{} and schema {} have different owners", view.from, view.name.schema);
        let help =
            "give both schemas one owner without a login: else no reader of the view reaches the table";
        faults.push(ViewFault::new(view, &view.place, message, help));
    }
    let columns = columns::of(view, table, within, &mut faults);
    let rows = rows::of(view, table, within, &mut faults);
    if columns.is_empty() && faults.is_empty() {
        faults.push(ViewFault::new(view, &view.place, "it shows no column", "show or mask one"));
    }
    if faults.is_empty() {
        Ok(ViewBody { name: view.name, from: view.from, columns, rows })
    } else {
        Err(faults)
    }
}

/// All views of a target: the bodies of those that have one, and all faults.
pub fn compile_all<'v>(
    views: impl IntoIterator<Item = &'v SecureView>,
    within: &Surroundings<'_>,
) -> (Vec<ViewBody>, Vec<ViewFault>) {
    let views: Vec<&SecureView> = views.into_iter().collect();
    let mut first: BTreeMap<ObjectName, &SecureView> = BTreeMap::new();
    let mut twice: BTreeSet<ObjectName> = BTreeSet::new();
    let (mut bodies, mut faults) = (Vec::new(), Vec::new());
    for view in &views {
        if let Some(other) = first.insert(view.name, view) {
            let message = format!("it has the name of {} at {}", other.name, other.place);
            let help = "a pool compares names without case: rename one";
            faults.push(ViewFault::new(view, &view.place, message, help));
            twice.insert(view.name);
        }
    }
    for view in views {
        if first.contains_key(&view.from) {
            let message = format!("{} is a secure view itself", view.from);
            faults.push(ViewFault::new(view, &view.place, message, "name the table itself under `from`"));
        } else if !twice.contains(&view.name) {
            match compile(view, within) {
                Ok(body) => bodies.push(body),
                Err(more) => faults.extend(more),
            }
        }
    }
    (bodies, faults)
}

#[cfg(test)]
mod tests {
    use axon_reconcile::ColumnType;
    use axon_reconcile::view_body::{Cell, Rows, TypedMask};

    use super::*;
    use crate::place::Place;
    use crate::secure_view::{Comparison, Mask, Operand, RowLine, RowOp, Shown, ViewColumn};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn object(schema: &str, table: &str) -> ObjectName {
        ObjectName { schema: name(schema), name: name(table) }
    }

    fn place() -> Place {
        Place { file: "map.yaml".into(), line: 7, column: 3 }
    }

    fn view(columns: &[(&str, Shown)]) -> SecureView {
        let column = |(text, shown): &(&str, Shown)| ViewColumn {
            name: name(text),
            shown: shown.clone(),
            place: place(),
        };
        SecureView {
            name: object("secure", "orders"),
            place: place(),
            targets: Vec::new(),
            from: object("sales", "orders"),
            pattern: None,
            columns: columns.iter().map(column).collect(),
            rows: Vec::new(),
            readers: Vec::new(),
            native: None,
        }
    }

    fn masked(mask: Mask) -> Shown {
        Shown::Masked { mask, unless: Vec::new(), to: Vec::new() }
    }

    /// Compiles beside a table whose owner is this, with columns `id int, mail, phone_home, phone_work nvarchar(40)`.
    fn with<T>(owner: &str, of: impl FnOnce(&Surroundings<'_>) -> T) -> T {
        let text = ColumnType::Text { national: true, fixed: false, length: Some(40) };
        let texts = ["mail", "phone_home", "phone_work"].map(|column| (name(column), text));
        let columns = [(name("id"), ColumnType::Int)].into_iter().chain(texts).collect();
        let table = BaseTable { owner: Some(name(owner)), columns };
        let from = object("sales", "orders");
        of(&Surroundings {
            tables: &BTreeMap::from([(from, table)]),
            schemas: &BTreeMap::from([(name("secure"), Some(name("axon_owner")))]),
            roles: &BTreeMap::new(),
            tags: &BTreeMap::from([("pii".to_owned(), BTreeSet::from([(from, name("mail"))]))]),
        })
    }

    fn compiled(view: &SecureView) -> Result<ViewBody, String> {
        with("axon_owner", |within| compile(view, within))
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn a_pattern_and_a_tag_mask_what_they_fit_and_nothing_unknown_is_shown() {
        let body = compiled(&view(&[
            ("tag:pii", masked(Mask::Email)),
            ("PHONE_*", masked(Mask::Digits)),
            ("phone_work", Shown::Clear),
            ("gone", Shown::Hidden),
        ]));
        let found: Vec<(&str, bool)> =
            body.unwrap().columns.iter().map(|c| (c.name.as_str(), c.cell == Cell::Clear)).collect();
        // `id` is named by nothing: it is not there.
        assert_eq!(found, [("phone_work", true), ("mail", false), ("phone_home", false)]);
        let body = compiled(&view(&[("id", Shown::Clear), ("*", Shown::Hidden)])).unwrap();
        assert_eq!(body.columns.len(), 1);
        let body = compiled(&view(&[("*", masked(Mask::Null)), ("tag:pii", Shown::Hidden)])).unwrap();
        assert_eq!(body.columns.len(), 3);
        assert!(body.columns.iter().all(|c| matches!(c.cell, Cell::Masked { mask: TypedMask::Null, .. })));
    }

    #[test]
    fn what_cannot_be_carried_out_is_said_with_place_and_remedy() {
        for (columns, says) in [
            (vec![("*", Shown::Clear)], "nobody has named"),
            (vec![("tag:secret", masked(Mask::Null))], "no tag is named"),
            (vec![("gone", Shown::Clear)], "has no column gone"),
            (vec![("id", masked(Mask::Email))], "mask email cannot stand in column id of type int"),
            (vec![("mail*", masked(Mask::Null)), ("tag:pii", masked(Mask::Email))], "masked in two ways"),
            (vec![("id", Shown::Hidden)], "shows no column"),
        ] {
            let found = compiled(&view(&columns)).unwrap_err();
            assert!(found.starts_with("map.yaml:7:3: view secure.orders shows nothing"), "{found}");
            assert!(found.contains(says) && found.contains("\n    = "), "{found}");
        }
        let of_dbo = with("dbo", |within| compile(&view(&[("id", Shown::Clear)]), within));
        assert!(of_dbo.unwrap_err()[0].message.contains("different owners"));
    }

    #[test]
    fn a_comparison_that_its_column_cannot_bear_is_refused() {
        for (column, op, operand) in [
            ("gone", RowOp::Eq, Operand::Number("1".into())),
            ("id", RowOp::Eq, Operand::Text("x".into())),
            ("id", RowOp::Eq, Operand::Number("1.5".into())),
            ("id", RowOp::Eq, Operand::Number("99999999999".into())),
            ("id", RowOp::Ne, Operand::User("level".into())),
            ("id", RowOp::Last, Operand::Number("90".into())),
            ("mail", RowOp::Gt, Operand::Text("m".into())),
            ("mail", RowOp::Eq, Operand::Text("a\0b".into())),
        ] {
            let mut view = view(&[("id", Shown::Clear)]);
            let all = vec![Comparison { column: name(column), op, operand }];
            view.rows = vec![RowLine::Where {
                text: String::new(),
                all: all.clone(),
                to: Vec::new(),
                place: place(),
            }];
            assert!(compiled(&view).is_err(), "{all:?}");
        }
        let mut view = view(&[("id", Shown::Clear)]);
        assert_eq!(compiled(&view).unwrap().rows, Rows::All);
        view.rows = vec![RowLine::Role("finance".parse().unwrap())];
        // A role without a role in the pool is looked up in the profile.
        let needs = Needs::of([&compiled(&view).unwrap()]);
        assert_eq!(needs.values, BTreeSet::from([(ROLES.to_owned(), "finance".to_owned())]));
    }

    #[test]
    fn one_name_twice_and_a_view_of_a_view_have_no_body() {
        let one = view(&[("id", Shown::Clear)]);
        let mut other = one.clone();
        other.name = object("SECURE", "Orders");
        let mut nested = one.clone();
        (nested.name, nested.from) = (object("secure", "more"), one.name);
        let (bodies, faults) = with("axon_owner", |within| compile_all([&one, &other, &nested], within));
        assert_eq!(bodies, []);
        let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(said[0].contains("it has the name of secure.orders"), "{said:?}");
        assert!(said[1].contains("is a secure view itself"), "{said:?}");
    }
}

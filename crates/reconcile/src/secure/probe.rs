//! What a probe of secure views asks as whom, and what came of it: one reader for each class of readers, read through the real view.
//!
//! ```text
//!  people ──standing──> what each view shows them ──classes──> one reader of each ──target──> ProbeAnswer
//! ```
//!
//! A class is all readers of a view to whom it shows the same columns clear, masked or empty, and for whom the same lines of
//! `rows` count. Nothing that a row holds leaves the target: counts and sums of digests are compared there.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use serde::{Deserialize, Serialize};

use super::ProfileRow;
use crate::graph::Graph;
use crate::shape::ObjectName;
use crate::view_body::{Cell, RowRule, Rows, Test, ViewBody, Who};

/// What a person is, as far as views ask for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// Roles of the pool, those of roles too.
    pub roles: BTreeSet<SqlName>,
    /// Values of the profile by attribute.
    pub has: BTreeMap<String, BTreeSet<String>>,
}

/// What a person sees of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sees {
    /// The value.
    Clear,
    /// The mask.
    Mask,
    /// NULL.
    Nothing,
}

impl Standing {
    /// What these rows and memberships say of a person.
    pub fn of<'r>(
        name: SqlName,
        memberships: &Memberships,
        profile: impl IntoIterator<Item = &'r ProfileRow>,
    ) -> Self {
        let mut standing = Self { roles: memberships.roles_of(name), has: BTreeMap::new() };
        for row in profile {
            standing.has.entry(row.attribute.clone()).or_default().insert(row.value.clone());
        }
        standing
    }

    /// Whether the person is that.
    pub fn is(&self, who: &Who) -> bool {
        match who {
            Who::Role(name) => self.roles.contains(name),
            Who::Has { attribute, value } => {
                self.has.get(attribute).is_some_and(|values| values.contains(value))
            }
        }
    }

    /// What the person sees of a column.
    pub fn sees(&self, cell: &Cell) -> Sees {
        match cell {
            Cell::Clear => Sees::Clear,
            Cell::Masked { unless, .. } if unless.iter().any(|who| self.is(who)) => Sees::Clear,
            Cell::Masked { to, .. } if to.is_empty() || to.iter().any(|who| self.is(who)) => Sees::Mask,
            Cell::Masked { .. } => Sees::Nothing,
        }
    }

    /// Whether a line can let rows through for the person.
    pub fn counts(&self, rule: &RowRule) -> bool {
        match rule {
            RowRule::To(who) => self.is(who),
            RowRule::All(tests) => {
                !tests.is_empty()
                    && tests.iter().all(|test| match test {
                        Test::Is(whom) => whom.iter().any(|who| self.is(who)),
                        Test::Attribute { attribute, .. } => {
                            self.has.get(attribute).is_some_and(|values| !values.is_empty())
                        }
                        Test::Compare { .. } | Test::In { .. } | Test::LastDays { .. } => true,
                    })
            }
        }
    }

    /// Which class of the view's readers the person is of, in few letters: how each column is seen, and which lines count.
    pub fn class_of(&self, body: &ViewBody) -> String {
        let (columns, rows) = self.shown(body);
        let columns = columns.into_iter().map(|sees| match sees {
            Sees::Clear => 'c',
            Sees::Mask => 'm',
            Sees::Nothing => 'n',
        });
        let rows = rows.into_iter().map(|counts| if counts { '1' } else { '0' });
        columns.chain(['/']).chain(rows).collect()
    }

    fn shown(&self, body: &ViewBody) -> (Vec<Sees>, Vec<bool>) {
        let columns = body.columns.iter().map(|column| self.sees(&column.cell)).collect();
        let rows = match &body.rows {
            Rows::Any(rules) => rules.iter().map(|rule| self.counts(rule)).collect(),
            Rows::All | Rows::Nothing => Vec::new(),
        };
        (columns, rows)
    }
}

/// The memberships of a graph by who is the member.
#[derive(Debug, Clone, Default)]
pub struct Memberships(BTreeMap<SqlName, Vec<SqlName>>);

impl Memberships {
    /// Those of this graph.
    pub fn of(graph: &Graph) -> Self {
        let mut by_member: BTreeMap<SqlName, Vec<SqlName>> = BTreeMap::new();
        for membership in &graph.members {
            by_member.entry(membership.member).or_default().push(membership.role);
        }
        Self(by_member)
    }

    /// The roles that a principal is in, by roles too.
    pub fn roles_of(&self, name: SqlName) -> BTreeSet<SqlName> {
        let mut found = BTreeSet::new();
        let mut open = vec![name];
        while let Some(next) = open.pop() {
            let roles = self.0.get(&next).map_or(&[][..], Vec::as_slice);
            open.extend(roles.iter().copied().filter(|role| found.insert(*role)));
        }
        found
    }
}

/// How a reader can be tried. Of a class the first in this order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Footing {
    /// A user who can be put on.
    Person,
    /// The same, with a fixed role besides.
    FixedRole,
    /// A group that is one principal: nobody can be put on by its name.
    Group,
    /// Somebody from whom no view keeps anything.
    Administers,
    /// The target does not hold yet what the map gives that one.
    NotYet,
}

/// A reader, as far as views ask, and how that one can be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownReader {
    /// What views ask for.
    pub standing: Standing,
    /// How the reader can be tried.
    pub footing: Footing,
}

/// As whom a probe reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeReader {
    /// A user of the target.
    User(SqlName),
    /// A user without a login that is there while it is probed and no longer: it has these roles and nothing else.
    Canary(BTreeSet<SqlName>),
}

/// One class of readers of one view, as one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderClass {
    /// The view, by its place among those that were given.
    pub view: usize,
    /// Who reads it.
    pub reader: SqlName,
    /// How that one can be tried.
    pub footing: Footing,
    /// What that one is.
    pub standing: Standing,
    /// How many readers are of the class.
    pub readers: usize,
}

/// The classes of the readers of each view. `readers` tells who reads a view; whoever is not known stands for nobody.
pub fn classes(
    bodies: &[ViewBody],
    readers: &dyn Fn(ObjectName) -> BTreeSet<SqlName>,
    known: &BTreeMap<SqlName, KnownReader>,
) -> Vec<ReaderClass> {
    // Many people stand alike: each standing is looked at once for a view.
    let mut alike: BTreeMap<(&Standing, Footing), usize> = BTreeMap::new();
    let numbers: BTreeMap<SqlName, usize> = known
        .iter()
        .map(|(name, known)| {
            let next = alike.len();
            (*name, *alike.entry((&known.standing, known.footing)).or_insert(next))
        })
        .collect();
    let mut found = Vec::new();
    for (view, body) in bodies.iter().enumerate() {
        let mut by_number: BTreeMap<usize, (SqlName, usize)> = BTreeMap::new();
        for name in readers(body.name) {
            if let Some(number) = numbers.get(&name) {
                by_number.entry(*number).or_insert((name, 0)).1 += 1;
            }
        }
        let mut by_sight: BTreeMap<(Vec<Sees>, Vec<bool>), ReaderClass> = BTreeMap::new();
        for (name, count) in by_number.into_values() {
            let Some(KnownReader { standing, footing }) = known.get(&name) else { continue };
            let footing = *footing;
            let new = ReaderClass { view, reader: name, footing, standing: standing.clone(), readers: count };
            match by_sight.entry(standing.shown(body)) {
                Entry::Vacant(place) => {
                    place.insert(new);
                }
                Entry::Occupied(mut place) => {
                    let class = place.get_mut();
                    let readers = class.readers + count;
                    if (footing, name) < (class.footing, class.reader) {
                        *class = new;
                    }
                    class.readers = readers;
                }
            }
        }
        found.extend(by_sight.into_values());
    }
    found
}

/// What is asked of one view as one reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeCase {
    /// The view as the map says it is.
    pub body: ViewBody,
    /// What the reader is; none, where the reader is nobody to whom the view is open: all of it must be refused.
    pub standing: Option<Standing>,
    /// A column of the table that the view does not have.
    pub hidden: Option<SqlName>,
    /// Somebody else, by whose name a key of the session is set.
    pub other: Option<SqlName>,
    /// What stands on the table itself, where its rows are filtered.
    pub native: Option<NativeCase>,
}

/// A table that readers of a view may read themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeCase {
    /// The columns that the reader may read there.
    pub open: BTreeSet<SqlName>,
    /// Roles of the pool whose members see every row.
    pub unfiltered: BTreeSet<SqlName>,
}

/// What came of one case. Words hold names of columns and tables, never a value of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// How many rows were seen.
    pub rows: Option<u64>,
    /// What is otherwise than the policy says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// What a hostile question told although the policy hides it: no view alone keeps that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaks: Vec<String>,
    /// What could not be tried, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untried: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column_type::ColumnType;
    use crate::graph::Membership;
    use crate::view_body::{ShownColumn, TypedMask};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn body() -> ViewBody {
        let role = |text| BTreeSet::from([Who::Role(name(text))]);
        let cell = Cell::Masked { mask: TypedMask::Null, unless: role("boss"), to: role("clerk") };
        let column = ShownColumn { name: name("c"), ty: ColumnType::Int, cell };
        let test = Test::Attribute { column: name("c"), ty: ColumnType::Int, attribute: "level".into() };
        ViewBody {
            name: ObjectName { schema: name("s"), name: name("v") },
            from: ObjectName { schema: name("b"), name: name("t") },
            columns: vec![column],
            rows: Rows::Any(vec![RowRule::To(Who::Role(name("boss"))), RowRule::All(vec![test])]),
        }
    }

    fn person(roles: &[&str], level: Option<&str>) -> KnownReader {
        KnownReader { standing: standing(roles, level), footing: Footing::Person }
    }

    fn standing(roles: &[&str], level: Option<&str>) -> Standing {
        let has = level.map(|level| ("level".to_owned(), BTreeSet::from([level.to_owned()])));
        Standing { roles: roles.iter().map(|role| name(role)).collect(), has: has.into_iter().collect() }
    }

    #[test]
    fn readers_to_whom_a_view_shows_the_same_are_one_class() {
        let people = BTreeMap::from([
            (name("ann"), person(&["clerk"], Some("1"))),
            (name("bob"), person(&["clerk", "other"], Some("2"))),
            (name("cy"), person(&["clerk"], None)),
            (name("dee"), person(&["boss", "clerk"], None)),
            (name("eve"), person(&[], Some("1"))),
        ]);
        let all: BTreeSet<SqlName> = people.keys().copied().chain([name("unknown")]).collect();
        let found = classes(&[body()], &|_| all.clone(), &people);
        let told: BTreeSet<(&str, usize)> = found.iter().map(|c| (c.reader.as_str(), c.readers)).collect();
        assert_eq!(told, BTreeSet::from([("ann", 2), ("cy", 1), ("dee", 1), ("eve", 1)]));
        let sees = |who: &str| people[&name(who)].standing.sees(&body().columns[0].cell);
        assert_eq!((sees("ann"), sees("dee"), sees("eve")), (Sees::Mask, Sees::Clear, Sees::Nothing));
    }

    #[test]
    fn of_a_class_whoever_can_be_tried_best_is() {
        let of = |footing| KnownReader { standing: standing(&["boss"], None), footing };
        let mut people = BTreeMap::from([
            (name("a-leads"), of(Footing::Administers)),
            (name("b-group"), of(Footing::Group)),
            (name("c-fixed"), of(Footing::FixedRole)),
            (name("d-person"), of(Footing::Person)),
            (name("e-person"), of(Footing::Person)),
            (name("0-later"), of(Footing::NotYet)),
        ]);
        // What stands otherwise and shows the same is of the class, too.
        people.insert(
            name("f-other"),
            KnownReader { standing: standing(&["boss", "x"], None), footing: Footing::Group },
        );
        let mut order = Vec::new();
        for left in (2..=7).rev() {
            let all: BTreeSet<SqlName> = people.keys().copied().collect();
            let found = classes(&[body()], &|_| all.clone(), &people);
            assert_eq!((found.len(), found[0].readers), (1, left));
            order.push(found[0].reader.to_string());
            people.remove(&found[0].reader);
        }
        assert_eq!(order, ["d-person", "e-person", "c-fixed", "b-group", "f-other", "a-leads"]);
    }

    #[test]
    fn roles_of_roles_count() {
        let mut graph = Graph::default();
        graph.members.insert(Membership { role: name("inner"), member: name("ann") });
        graph.members.insert(Membership { role: name("outer"), member: name("inner") });
        graph.members.insert(Membership { role: name("inner"), member: name("outer") });
        let row = ProfileRow { principal: name("ann"), attribute: "level".into(), value: "1".into() };
        let found = Standing::of(name("ann"), &Memberships::of(&graph), [&row]);
        assert_eq!(found, standing(&["inner", "outer"], Some("1")));
    }
}

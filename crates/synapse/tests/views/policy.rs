//! Random policies, rows and people.

use std::collections::{BTreeMap, BTreeSet};

use axon_mapping::RoleName;
use axon_mapping::place::Place;
use axon_mapping::secure_view::{
    Comparison, Mask, Operand, RowGroup, RowLine, RowOp, SecureView, Shown, ViewColumn,
};
use axon_mapping::views::{Delimiters, Person};
use axon_model::SqlName;
use axon_reconcile::{ColumnType, ObjectName};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use time::Date;
use time::macros::date;

pub const OWNER: &str = "axon_owner";
/// Whoever is in it may read as another person.
pub const ACTING: &str = "AXON_IMPERSONATION";
pub const ROLES: [&str; 3] = ["finance", "global", "audit"];
/// Each is another one: another source's of one name, too.
const GROUPS: [(&str, &str); 4] =
    [("entra", "Sales"), ("entra", "Sales "), ("okta", "Sales"), ("entra", "O'Neill")];
const TEXTS: [&str; 17] = [
    "EU,US",
    "a|b",
    "k:v",
    "EU",
    "eu",
    "EU ",
    "US",
    "",
    " ",
    "O'Brien",
    "a@b.com",
    "kim@acme.co.uk",
    "x.y@z",
    "+49 (30) 12-9",
    "é1",
    "١٢",
    "a]b%_[c]",
];

/// A value of the table.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    Null,
    Int(i64),
    /// Hundredths.
    Cents(i64),
    Text(String),
    Day(Date),
}

pub type Row = Vec<Datum>;

#[derive(Debug, Clone)]
pub struct Reader {
    pub person: Person,
    /// Roles of the map that he has.
    pub roles: BTreeSet<&'static str>,
}

#[derive(Debug, Clone)]
pub struct Case {
    pub view: SecureView,
    pub rows: Vec<Row>,
    pub people: Vec<Reader>,
    pub delimiters: Option<Delimiters>,
    /// Whether views know of reading as another person.
    pub acting: bool,
}

impl Reader {
    /// The pool has no profile of them: what hangs on one is not theirs.
    pub fn forget(&mut self) {
        self.person.attributes.values_mut().for_each(Vec::clear);
        self.person.groups.clear();
        self.roles.retain(|role| ROLES[..2].contains(role));
    }
}

pub fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn role(text: &str) -> RoleName {
    text.parse().unwrap()
}

pub fn pool_roles() -> BTreeMap<RoleName, BTreeSet<SqlName>> {
    ROLES[..2].iter().map(|r| (role(r), BTreeSet::from([name(&format!("axon_{r}"))]))).collect()
}

pub fn columns() -> Vec<(SqlName, ColumnType)> {
    let text = |national, fixed, length| ColumnType::Text { national, fixed, length: Some(length) };
    vec![
        (name("qty"), ColumnType::SmallInt),
        (name("amount"), ColumnType::Decimal(6, 2)),
        (name("region"), text(true, false, 20)),
        (name("email"), text(false, false, 30)),
        (name("co]de"), text(false, true, 6)),
        (name("placed"), ColumnType::Date),
    ]
}

fn datum(column: usize) -> BoxedStrategy<Datum> {
    let value = match column {
        0 => prop_oneof![Just(-32_768), Just(32_767), -25..25_i64, -5..5_i64].prop_map(Datum::Int).boxed(),
        1 => prop_oneof![Just(-999_999), Just(999_999), -2_500..2_500_i64].prop_map(Datum::Cents).boxed(),
        2 => prop_oneof![select(&TEXTS[..]).prop_map(str::to_owned), "[a-cA-C@. 0-9]{0,12}"]
            .prop_map(Datum::Text)
            .boxed(),
        3 => prop_oneof![select(&TEXTS[..14]).prop_map(str::to_owned), "[a-c]{0,2}@[a-c.]{0,14}"]
            .prop_map(Datum::Text)
            .boxed(),
        4 => "[A-C0-9 ]{0,6}".prop_map(Datum::Text).boxed(),
        _ => select(vec![
            date!(1753 - 01 - 01),
            date!(1600 - 05 - 31),
            date!(2024 - 02 - 17),
            date!(2024 - 05 - 10),
            date!(2024 - 05 - 18),
            date!(9999 - 12 - 31),
        ])
        .prop_map(Datum::Day)
        .boxed(),
    };
    prop_oneof![1 => Just(Datum::Null), 7 => value].boxed()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    vec((datum(0), datum(1), datum(2), datum(3), datum(4), datum(5)), 0..8)
        .prop_map(|rows| rows.into_iter().map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f]).collect())
}

fn mask(column: usize) -> BoxedStrategy<Mask> {
    let any = [Mask::Null, Mask::Redact];
    let own = match column {
        0 => vec![Mask::Round(10), Mask::Bucket(10), Mask::Bucket(50_000), Mask::Constant("-7".into())],
        1 => vec![Mask::Round(10), Mask::Bucket(7), Mask::Bucket(100_000), Mask::Constant("1.5".into())],
        2 | 3 => vec![
            Mask::Hash,
            Mask::Email,
            Mask::Last(2),
            Mask::First(3),
            Mask::Digits,
            Mask::Constant("it's".into()),
        ],
        4 => vec![Mask::Last(3), Mask::First(1), Mask::Digits],
        _ => vec![Mask::Year, Mask::Month, Mask::Constant("2020-02-29".into())],
    };
    select(any.into_iter().chain(own).collect::<Vec<_>>()).boxed()
}

fn group((source, name): (&str, &str)) -> RowGroup {
    RowGroup { name: name.to_owned(), source: source.parse().unwrap(), place: place() }
}

fn place() -> Place {
    Place { file: "map.yaml".into(), line: 1, column: 1 }
}

/// Often none.
fn some_roles() -> impl Strategy<Value = Vec<RoleName>> {
    let some = btree_set(select(&ROLES[..]), 0..3).prop_map(|all| all.into_iter().map(role).collect());
    prop_oneof![1 => Just(Vec::new()), 2 => some]
}

fn column(number: usize) -> impl Strategy<Value = ViewColumn> {
    let masked = (mask(number), some_roles(), some_roles()).prop_map(|(mask, unless, to)| Shown::Masked {
        mask,
        unless,
        to,
    });
    prop_oneof![2 => Just(Shown::Clear), 1 => Just(Shown::Hidden), 4 => masked]
        .prop_map(move |shown| ViewColumn { name: columns()[number].0, shown, place: place() })
}

fn comparison() -> impl Strategy<Value = Comparison> {
    let of = |column: &'static str, op, operand| Comparison { column: name(column), op, operand };
    let order = || select(vec![RowOp::Eq, RowOp::Ne, RowOp::Gt, RowOp::Ge, RowOp::Lt, RowOp::Le]);
    let text = || select(&TEXTS[..]).prop_map(|t| Operand::Text(t.to_owned()));
    prop_oneof![
        (order(), -5..5_i64).prop_map(move |(op, n)| of("qty", op, Operand::Number(n.to_string()))),
        (order(), -9..9_i64).prop_map(move |(op, n)| of("amount", op, Operand::Number(format!("{n}.5")))),
        (select(vec![RowOp::Eq, RowOp::Ne]), text()).prop_map(move |(op, t)| of("region", op, t)),
        vec(text(), 1..4).prop_map(move |all| of("email", RowOp::In, Operand::List(all))),
        order().prop_map(move |op| of("placed", op, Operand::Text("2024-05-10".into()))),
        select(vec![1, 7, 90]).prop_map(move |n: u32| of(
            "placed",
            RowOp::Last,
            Operand::Number(n.to_string())
        )),
        select(vec![("region", "region"), ("email", "region"), ("qty", "level"), ("co]de", "region")])
            .prop_map(move |(column, path)| of(column, RowOp::In, Operand::User(path.into()))),
    ]
}

fn line() -> impl Strategy<Value = RowLine> {
    prop_oneof![
        2 => select(&ROLES[..]).prop_map(|r| RowLine::Role(role(r))),
        1 => select(&GROUPS[..]).prop_map(|g| RowLine::Group(group(g))),
        5 => (vec(comparison(), 1..3), some_roles())
            .prop_map(|(all, to)| RowLine::Where { text: String::new(), all, to, place: place() }),
    ]
}

fn person(number: usize) -> impl Strategy<Value = Reader> {
    let regions = vec(select(&TEXTS[..]).prop_map(str::to_owned), 0..4);
    let levels = vec((-5..5_i64).prop_map(|n| n.to_string()), 0..4);
    (regions, levels, btree_set(select(&GROUPS[..]), 0..3), btree_set(select(&ROLES[..]), 0..3)).prop_map(
        move |(regions, levels, groups, roles)| Reader {
            person: Person {
                principal: name(&format!("reader{number}")),
                attributes: BTreeMap::from([("region".into(), regions), ("level".into(), levels)]),
                groups: groups.into_iter().map(|g| group(g).value()).collect(),
                roles: roles.iter().map(|&r| r.to_owned()).collect(),
            },
            roles,
        },
    )
}

pub fn case() -> impl Strategy<Value = Case> {
    let columns = (column(0), column(1), column(2), column(3), column(4), column(5));
    let delimiters = select(vec![None, Delimiters::new('|', ':', ','), Delimiters::new('&', '=', '+')]);
    let acting = proptest::bool::ANY;
    (columns, vec(line(), 0..4), rows(), (person(0), person(1), person(2)), delimiters, acting).prop_map(
        |((a, b, c, d, e, f), lines, rows, (x, y, z), delimiters, acting)| {
            let object = |schema: &str| ObjectName { schema: name(schema), name: name("orders") };
            let view = SecureView {
                name: object("secure"),
                place: place(),
                targets: Vec::new(),
                from: object("sales"),
                pattern: None,
                columns: vec![a, b, c, d, e, f],
                rows: lines,
                readers: Vec::new(),
                native: None,
            };
            Case { view, rows, people: vec![x, y, z], delimiters, acting }
        },
    )
}

//! What a policy means, said without SQL and without the compiler: which views there are, which of them show nothing since they
//! cannot be carried out, and what each person reads.

use std::collections::{BTreeMap, BTreeSet};

use axon_reconcile::ColumnType;
use sha2::{Digest as _, Sha256};
use time::macros::date;
use time::{Duration, Month, PrimitiveDateTime};

use super::judge;
use super::kind::{self, Datum, in_column, plain};
use super::policy::{
    Column, Comparison, Entry, INCLUDES, Key, Line, Mask, Op, Operand, Person, Policy, Shown, Source, Table,
};
use crate::interpreter::{sha256, trimmed};
use crate::pool::NOW;

/// A view that a policy speaks of.
#[derive(Debug)]
pub struct Meant<'p> {
    pub schema: &'static str,
    pub name: String,
    pub table: &'p Table,
    pub entry: &'p Entry,
    /// By the place of the column in the table, in the names' order; none where the view cannot be carried out.
    pub columns: Option<Vec<(usize, &'p Shown)>>,
}

/// Compares names as a pool does, as far as these names go.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Whether a pattern with stars fits a name.
fn fits(glob: &str, name: &str) -> bool {
    fn go(glob: &[u8], name: &[u8]) -> bool {
        match glob.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|from| go(rest, &name[from..])),
            Some((byte, rest)) => {
                name.split_first().is_some_and(|(first, name)| first == byte && go(rest, name))
            }
        }
    }
    go(glob.to_ascii_lowercase().as_bytes(), name.to_ascii_lowercase().as_bytes())
}

fn tagged(policy: &Policy, tag: &str, table: &Table, column: &str) -> bool {
    let (_, patterns) = policy.tags.iter().find(|(name, _)| *name == tag).unwrap();
    patterns.iter().any(|(s, t, c)| fits(s, table.schema) && fits(t, &table.name) && fits(c, column))
}

fn says(policy: &Policy, key: &Key, table: &Table, column: &str) -> bool {
    match key {
        Key::Name(name) => same(name, column),
        Key::Pattern(glob) => fits(glob, column),
        Key::Tag(tag) => tagged(policy, tag, table, column),
    }
}

/// The views of a policy.
pub fn views(policy: &Policy) -> Vec<Meant<'_>> {
    let mut all = Vec::new();
    for entry in &policy.entries {
        let tables: Vec<&Table> = match &entry.from {
            Source::Table(at) => vec![&policy.tables[*at]],
            Source::Pattern(schema, name) => {
                policy.tables.iter().filter(|t| fits(schema, t.schema) && fits(name, &t.name)).collect()
            }
            Source::Tag(tag) => policy
                .tables
                .iter()
                .filter(|t| t.columns.iter().any(|c| tagged(policy, tag, t, &c.name)))
                .collect(),
        };
        for table in tables {
            let name = entry.name.map_or_else(|| format!("{}_{}", table.schema, table.name), str::to_owned);
            let columns = columns(policy, entry, table);
            all.push(Meant { schema: entry.schema, name, table, entry, columns });
        }
    }
    all
}

fn columns<'p>(policy: &Policy, entry: &'p Entry, table: &Table) -> Option<Vec<(usize, &'p Shown)>> {
    let one_of_many = entry.name.is_none();
    let find = |name: &str| table.columns.iter().find(|c| same(&c.name, name));
    let mut out = Vec::new();
    for (key, shown) in &entry.columns {
        match key {
            // A line of a pattern's entry may speak of what only some tables have.
            Key::Name(name) if find(name).is_none() && *shown != Shown::Hidden && !one_of_many => {
                return None;
            }
            Key::Pattern(_) | Key::Tag(_) if *shown == Shown::Clear => return None,
            Key::Name(_) | Key::Pattern(_) | Key::Tag(_) => {}
        }
    }
    for (at, column) in table.columns.iter().enumerate() {
        let own =
            entry.columns.iter().find(|(key, _)| matches!(key, Key::Name(name) if same(name, &column.name)));
        let shown = if let Some((_, shown)) = own {
            shown
        } else {
            let mut wide = entry
                .columns
                .iter()
                .filter(|(key, _)| !matches!(key, Key::Name(_)) && says(policy, key, table, &column.name))
                .map(|(_, shown)| shown);
            let Some(first) = wide.clone().next() else { continue };
            if wide.clone().any(|shown| *shown == Shown::Hidden) {
                continue;
            }
            if wide.any(|shown| shown != first) {
                return None;
            }
            first
        };
        match shown {
            Shown::Hidden => {}
            Shown::Masked { mask, .. } if !judge::mask_fits(mask, column.ty) => return None,
            Shown::Clear | Shown::Masked { .. } => out.push((at, shown)),
        }
    }
    for line in &entry.rows {
        let Line::Where { all, .. } = line else { continue };
        for one in all {
            if !judge::comparison_fits(one, find(&one.column)?.ty) {
                return None;
            }
        }
    }
    out.sort_by_key(|(at, _)| table.columns[*at].name.clone());
    (!out.is_empty()).then_some(out)
}

/// Somebody as a view sees them: what is written of them may be less than what they are.
pub struct Reader<'p> {
    person: &'p Person,
    roles: BTreeSet<&'static str>,
    /// Whether a profile could be written.
    known: bool,
}

impl<'p> Reader<'p> {
    pub fn new(person: &'p Person, known: bool) -> Self {
        let mut roles: BTreeSet<&'static str> = person.roles.iter().copied().collect();
        for (of, other) in INCLUDES {
            if roles.contains(of) {
                roles.insert(other);
            }
        }
        Self { person, roles, known }
    }

    fn has_one(&self, roles: &[&str]) -> bool {
        roles.iter().any(|role| self.roles.contains(role))
    }

    fn values(&self, path: &str) -> Vec<&str> {
        let all = self.person.attributes.iter().filter(|(name, _)| *name == path && self.known);
        all.flat_map(|(_, values)| values).map(String::as_str).collect()
    }
}

/// What came to pass how often.
pub type Counts = BTreeMap<String, usize>;

pub fn count(counts: &mut Counts, what: impl Into<String>) {
    *counts.entry(what.into()).or_default() += 1;
}

/// The key of a column's hashes.
pub fn key(table: &Table, column: &str) -> String {
    let digest = Sha256::digest(format!("{} {} {column}", table.schema, table.name));
    digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The rows that a person sees.
pub fn seen(
    view: &Meant<'_>,
    shown: &[(usize, &Shown)],
    reader: &Reader<'_>,
    counts: &mut Counts,
) -> Vec<Vec<Option<String>>> {
    let mut out = Vec::new();
    for row in &view.table.rows {
        let through = view.entry.rows.is_empty()
            || view.entry.rows.iter().filter(|line| lets(line, view.table, row, reader, counts)).count() > 0;
        if !view.entry.rows.is_empty() {
            count(counts, if through { "a row that is seen" } else { "a row that is not" });
        }
        if through {
            out.push(
                shown.iter().map(|(at, how)| cell(how, view.table, *at, &row[*at], reader, counts)).collect(),
            );
        }
    }
    out
}

fn lets(line: &Line, table: &Table, row: &[Datum], reader: &Reader<'_>, counts: &mut Counts) -> bool {
    match line {
        Line::Role(role) => {
            let has = reader.roles.contains(role);
            count(counts, format!("a line for a role, {}", if has { "had" } else { "not had" }));
            has
        }
        Line::Group(group) => {
            let is = reader.known && reader.person.groups.contains(group);
            count(counts, format!("a line for a group, {}", if is { "in it" } else { "not in it" }));
            is
        }
        Line::Where { all, to } => {
            if !to.is_empty() {
                let has = reader.has_one(to);
                count(counts, format!("for beside where, {}", if has { "had" } else { "not had" }));
                if !has {
                    return false;
                }
            }
            // Each is asked, so that each is counted.
            all.iter().filter(|one| !holds(one, table, row, reader, counts)).count() == 0
        }
    }
}

fn holds(one: &Comparison, table: &Table, row: &[Datum], reader: &Reader<'_>, counts: &mut Counts) -> bool {
    let at = table.columns.iter().position(|c| same(&c.name, &one.column)).unwrap();
    let (value, ty) = (&row[at], table.columns[at].ty);
    let what = match (&one.operand, one.op) {
        (_, Op::Last) => "last days".to_owned(),
        (Operand::User(path), _) => match reader.values(path).len() {
            0 => "an attribute without a value".to_owned(),
            1 => "an attribute of one value".to_owned(),
            _ => "an attribute of many values".to_owned(),
        },
        (Operand::List(_), _) => "a list".to_owned(),
        _ => "a literal".to_owned(),
    };
    let answer = *value != Datum::Null && compare(one, value, ty, reader);
    count(counts, format!("{what}, {answer}"));
    count(
        counts,
        format!("{} compared in {}", what.split(' ').take(2).collect::<Vec<_>>().join(" "), kind::word(ty)),
    );
    answer
}

fn compare(one: &Comparison, value: &Datum, ty: ColumnType, reader: &Reader<'_>) -> bool {
    match (&one.operand, one.op) {
        (Operand::Number(days), Op::Last) => {
            let Datum::Moment(at) = value else { panic!("{value:?} has no days") };
            at.assume_utc() >= NOW - Duration::days(days.parse().unwrap())
        }
        (Operand::User(path), _) => {
            reader.values(path).iter().filter(|v| !trimmed(v).is_empty()).any(|v| match value {
                Datum::Text(text) => trimmed(text) == trimmed(v),
                Datum::Int(n) => n.to_string() == *v,
                other => panic!("{other:?} is compared with no attribute"),
            })
        }
        (Operand::List(all), _) => all.iter().any(|other| order(value, other, ty).is_eq()),
        (other, op) => {
            let order = order(value, other, ty);
            match op {
                Op::Eq => order.is_eq(),
                Op::Ne => order.is_ne(),
                Op::Gt => order.is_gt(),
                Op::Ge => order.is_ge(),
                Op::Lt => order.is_lt(),
                Op::Le => order.is_le(),
                Op::In | Op::Last => panic!("not with one value"),
            }
        }
    }
}

fn order(value: &Datum, other: &Operand, ty: ColumnType) -> std::cmp::Ordering {
    match (value, other) {
        (Datum::Text(text), Operand::Text(other)) => trimmed(text).cmp(trimmed(other)),
        (Datum::Guid(id), Operand::Text(other)) => id.cmp(uuid::Uuid::parse_str(other).unwrap().as_bytes()),
        (Datum::Moment(at), Operand::Text(other)) => {
            at.cmp(&PrimitiveDateTime::new(judge::day(other).unwrap(), time::Time::MIDNIGHT))
        }
        (Datum::Bool(yes), Operand::Bool(other)) => yes.cmp(other),
        (Datum::Bool(yes), Operand::Number(other)) => yes.cmp(&(other == "1")),
        (Datum::Int(n), Operand::Number(other)) => i128::from(*n).cmp(&judge::units(other, ty).unwrap()),
        (Datum::Exact(n), Operand::Number(other)) => n.cmp(&judge::units(other, ty).unwrap()),
        _ => panic!("{value:?} {other:?}"),
    }
}

fn cell(
    shown: &Shown,
    table: &Table,
    at: usize,
    value: &Datum,
    reader: &Reader<'_>,
    counts: &mut Counts,
) -> Option<String> {
    let column = &table.columns[at];
    let word = kind::word(column.ty);
    match shown {
        Shown::Hidden => panic!("{} is not in the view", column.name),
        Shown::Clear => {
            count(counts, format!("{word} clear{}", if *value == Datum::Null { ", NULL" } else { "" }));
            plain(value, column.ty)
        }
        Shown::Masked { unless, .. } if reader.has_one(unless) => {
            count(counts, format!("{word} clear by unless"));
            plain(value, column.ty)
        }
        Shown::Masked { to, .. } if !to.is_empty() && !reader.has_one(to) => {
            count(counts, format!("{word} NULL by for"));
            None
        }
        Shown::Masked { mask, .. } => {
            count(counts, format!("{word} masked by {}", mask.word()));
            masked(mask, value, column, table)
        }
    }
}

fn masked(mask: &Mask, value: &Datum, column: &Column, table: &Table) -> Option<String> {
    let ty = column.ty;
    match mask {
        Mask::Null => return None,
        Mask::Redact => return plain(&redacted(ty), ty),
        Mask::Constant(text) => return plain(&constant(text, ty), ty),
        _ => {}
    }
    let new = match value {
        Datum::Null => return None,
        Datum::Int(n) => Datum::Int(i64::try_from(number(mask, (*n).into(), ty)).unwrap()),
        Datum::Exact(n) => Datum::Exact(number(mask, *n, ty)),
        Datum::Text(text) => Datum::Text(in_column(&characters(mask, text, column, table), ty)),
        Datum::Moment(at) => {
            let first = at.date().replace_day(1).unwrap();
            let first =
                if *mask == Mask::Year { first.replace_month(Month::January).unwrap() } else { first };
            Datum::Moment(first.midnight())
        }
        other => panic!("{mask} does not mask {other:?}"),
    };
    plain(&new, ty)
}

fn redacted(ty: ColumnType) -> Datum {
    match ty {
        ColumnType::Bit => Datum::Bool(false),
        ColumnType::Real | ColumnType::Float => Datum::Float(0.0),
        ColumnType::UniqueIdentifier => Datum::Guid([0; 16]),
        ColumnType::Binary { fixed: true, length } => Datum::Bytes(vec![0; length.unwrap().into()]),
        ColumnType::Binary { .. } => Datum::Bytes(vec![0]),
        ColumnType::Text { length, .. } => {
            Datum::Text(in_column(&"*".repeat(length.unwrap_or(3).min(3).into()), ty))
        }
        _ if kind::is_dated(ty) => Datum::Moment(date!(1900 - 01 - 01).midnight()),
        _ if kind::is_whole(ty) => Datum::Int(0),
        _ => Datum::Exact(0),
    }
}

fn constant(text: &str, ty: ColumnType) -> Datum {
    match ty {
        ColumnType::Text { .. } => Datum::Text(in_column(text, ty)),
        ColumnType::Bit => Datum::Bool(text == "1"),
        _ if kind::is_dated(ty) => Datum::Moment(judge::day(text).unwrap().midnight()),
        _ => match judge::units(text, ty).unwrap() {
            n if kind::is_whole(ty) => Datum::Int(i64::try_from(n).unwrap()),
            n => Datum::Exact(n),
        },
    }
}

/// In units of the last digit.
fn number(mask: &Mask, n: i128, ty: ColumnType) -> i128 {
    let one = 10_i128.pow(kind::scale(ty));
    match mask {
        Mask::Round(width) => {
            let width = i128::from(*width) * one;
            n / width * width
        }
        Mask::Bucket(width) => {
            let (lowest, _) = kind::ends(ty).unwrap();
            let width = i128::from(*width) * one;
            (n.div_euclid(width) * width).max(lowest)
        }
        _ => panic!("{mask} masks no number"),
    }
}

fn characters(mask: &Mask, text: &str, column: &Column, table: &Table) -> String {
    let short = trimmed(text);
    let all: Vec<char> = short.chars().collect();
    let hidden = || "***".to_owned();
    let part = |n: u32| Some(usize::try_from(n).unwrap()).filter(|n| all.len() > *n);
    match mask {
        Mask::Hash => {
            let ColumnType::Text { length: Some(length), .. } = column.ty else { panic!("not of max") };
            let key = key(table, &column.name);
            sha256(&format!("{key}{}", sha256(&format!("{key}{text}"))))[..usize::from(length).min(64)]
                .to_owned()
        }
        Mask::Last(n) => part(*n)
            .map_or_else(hidden, |n| format!("***{}", all[all.len() - n..].iter().collect::<String>())),
        Mask::First(n) => {
            part(*n).map_or_else(hidden, |n| format!("{}***", all[..n].iter().collect::<String>()))
        }
        Mask::Digits if text.chars().any(|c| !(' '..='~').contains(&c)) => hidden(),
        Mask::Digits => text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect(),
        Mask::Email => {
            let Some((name, domain)) = short.split_once('@') else { return hidden() };
            match domain.rsplit_once('.') {
                Some((_, end)) if !name.is_empty() && end.chars().count() < 12 => {
                    format!("{}***@***.{end}", name.chars().next().unwrap())
                }
                _ => hidden(),
            }
        }
        _ => panic!("{mask} masks no text"),
    }
}

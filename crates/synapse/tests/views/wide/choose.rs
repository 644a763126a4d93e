//! Random policies. Each turn has its own pairs of a type with a mask and with a comparison, so that all of them come by turns;
//! all the rest is chosen by dice.

use axon_reconcile::ColumnType;

use super::dice::Dice;
use super::judge::{comparison_fits, mask_fits};
use super::kind::{self, SHORT, TYPES, datum, is_dated, is_whole, literal};
use super::policy::{
    Column, Comparison, Entry, GROUPS, Key, Line, Mask, Op, Operand, Person, Policy, ROLES, Shown, Source,
    Table, TagPatterns,
};

/// Attributes of people: texts and numbers, and by turns one value of them and many.
pub const TEXTS: &str = "addresses.region";
pub const NUMBERS: &str = "entitlements.value";
const SHARED: [&str; 3] = ["shared region", "shared_at", "shared_n"];
const STEMS: [&str; 4] = ["pii_", "amt_", "Free ", "x]y'"];
const GLOBS: [&str; 8] = ["pii_*", "AMT_*", "*", "*1", "*]y*", "Pii_*", "*e*", "shared*"];
pub const MASKS: usize = 12;
/// How many comparisons are tried with each type.
pub const COMPARISONS: usize = 4;
/// How many pairs of a type and a mask have their turn at once.
const AT_ONCE: usize = 3;

/// How many turns it takes until each pair of a type with a mask has come.
pub fn all_turns() -> usize {
    (TYPES.len() * MASKS).div_ceil(AT_ONCE)
}

fn mask(dice: &mut Dice, number: usize, ty: ColumnType) -> Mask {
    match number {
        0 => Mask::Null,
        1 => Mask::Redact,
        2 => Mask::Constant(constant(dice, ty)),
        3 => Mask::Hash,
        4 => Mask::Email,
        5 => Mask::Last(dice.of(&[1, 2, 4])),
        6 => Mask::First(dice.of(&[1, 3])),
        7 => Mask::Digits,
        8 => Mask::Round(dice.of(&[1, 7, 10, 10, 50_000])),
        9 => Mask::Bucket(dice.of(&[1, 7, 10, 10, 50_000])),
        10 => Mask::Year,
        _ => Mask::Month,
    }
}

/// A mask of this kind, of the smallest size, that asks as little of the type as it can.
pub fn a_mask(dice: &mut Dice, number: usize, ty: ColumnType) -> Mask {
    match number {
        2 if is_dated(ty) => Mask::Constant("2020-02-29".to_owned()),
        2 => Mask::Constant("0".to_owned()),
        5 => Mask::Last(1),
        6 => Mask::First(1),
        8 => Mask::Round(1),
        9 => Mask::Bucket(1),
        _ => mask(dice, number, ty),
    }
}

/// Mostly one that the type holds.
fn constant(dice: &mut Dice, ty: ColumnType) -> String {
    let all: &[&str] = match ty {
        _ if dice.one_in(12) => {
            &["2020-02-30", "1.23456", "é and more of it, up to the end of any column of these", "1e3"]
        }
        ColumnType::Text { .. } => &["x", "", "i'", "'"],
        ColumnType::Bit => &["0", "1"],
        _ if is_dated(ty) => &["2020-02-29", "1900-01-01", "2078-12-31"],
        ColumnType::TinyInt | ColumnType::Decimal(9, 9) => &["0", "0.0", "-0"],
        _ => &["-7", "1", "12", "0.5"],
    };
    dice.of(all).to_owned()
}

fn roles(dice: &mut Dice) -> Vec<&'static str> {
    if dice.one_in(2) { Vec::new() } else { dice.some(&ROLES, 1, 2) }
}

fn masked(dice: &mut Dice, mask: Mask) -> Shown {
    let (unless, to) = (roles(dice), roles(dice));
    Shown::Masked { mask, unless, to }
}

/// A mask that fits all of these types, if dice find one.
fn fitting(dice: &mut Dice, types: &[ColumnType]) -> Mask {
    for _ in 0..8 {
        let of = types.first().copied().unwrap_or(ColumnType::Int);
        let number = dice.below(MASKS);
        let found = mask(dice, number, of);
        if types.iter().all(|ty| mask_fits(&found, *ty)) {
            return found;
        }
    }
    Mask::Null
}

fn value(dice: &mut Dice, ty: ColumnType) -> Operand {
    match ty {
        ColumnType::Text { .. } => Operand::Text(dice.of(&SHORT).to_owned()),
        ColumnType::Bit if dice.one_in(2) => Operand::Bool(dice.one_in(2)),
        ColumnType::Bit => Operand::Number(dice.of(&["0", "1"]).to_owned()),
        ColumnType::UniqueIdentifier => loop {
            let id = datum(dice, ty);
            if let Some(text) = kind::plain(&id, ty) {
                return Operand::Text(if dice.one_in(2) { text.to_ascii_uppercase() } else { text });
            }
        },
        _ if is_dated(ty) => {
            Operand::Text(dice.of(&["2024-05-10", "2024-02-17", "1900-01-01", "2078-12-31"]).to_owned())
        }
        _ if kind::ends(ty).is_some() => {
            // In the type's own digits, so that it can be equal to what stands there.
            loop {
                let found = datum(dice, ty);
                if found != (kind::Datum::Null) {
                    return Operand::Number(literal(&found, ty));
                }
            }
        }
        _ => dice.of(&[Operand::Number("1".to_owned()), Operand::Text("EU".to_owned()), Operand::Bool(true)]),
    }
}

fn comparison(dice: &mut Dice, number: usize, column: &Column) -> Comparison {
    let (op, operand) = match number {
        0 => (Op::Last, Operand::Number(dice.of(&["1", "7", "90", "36500"]).to_owned())),
        1 => {
            let path = if is_whole(column.ty) || dice.one_in(8) { NUMBERS } else { TEXTS };
            (dice.of(&[Op::Eq, Op::In]), Operand::User(path))
        }
        2 => {
            let count = 1 + dice.below(3);
            (Op::In, Operand::List((0..count).map(|_| value(dice, column.ty)).collect()))
        }
        _ => (dice.of(&[Op::Eq, Op::Ne, Op::Gt, Op::Ge, Op::Lt, Op::Le]), value(dice, column.ty)),
    };
    // A column is found however it is written.
    let column = if dice.one_in(5) { column.name.to_ascii_uppercase() } else { column.name.clone() };
    Comparison { column, op, operand }
}

/// Lines about some of these columns that their types allow.
fn rows(dice: &mut Dice, columns: &[Column]) -> Vec<Line> {
    if dice.one_in(5) {
        return Vec::new();
    }
    let mut out = Vec::new();
    for _ in 0..=dice.below(4) {
        out.push(match dice.below(10) {
            0 | 1 => Line::Role(dice.of(&ROLES)),
            2 => Line::Group(dice.of(&GROUPS)),
            _ => {
                let mut all = Vec::new();
                while all.is_empty() || dice.one_in(3) {
                    let column = dice.of(columns);
                    let number = dice.below(COMPARISONS);
                    let one = comparison(dice, number, &column);
                    if comparison_fits(&one, column.ty) {
                        all.push(one);
                    }
                }
                Line::Where { all, to: roles(dice) }
            }
        });
    }
    out
}

fn table(dice: &mut Dice, number: usize, first: &[ColumnType]) -> Table {
    let shared = [
        TYPES[dice.of(&[17, 18, 19, 20])][1],
        {
            let types = dice.of(&[TYPES[10], TYPES[11], TYPES[12], TYPES[13]]);
            dice.of(types)
        },
        dice.of(&[ColumnType::TinyInt, ColumnType::SmallInt, ColumnType::Int, ColumnType::BigInt]),
    ];
    let mut columns: Vec<Column> =
        SHARED.iter().zip(shared).map(|(name, ty)| Column { name: (*name).to_owned(), ty }).collect();
    for ty in first {
        columns.push(Column { name: format!("f{}", columns.len()), ty: *ty });
    }
    for at in 0..=dice.below(6) {
        let types = dice.of(TYPES);
        columns.push(Column { name: format!("{}{at}", dice.of(&STEMS)), ty: dice.of(types) });
    }
    let least = usize::from(number == 0);
    let rows =
        (0..least + dice.below(6)).map(|_| columns.iter().map(|c| datum(dice, c.ty)).collect()).collect();
    let schema = if number == 0 { "sales" } else { dice.of(&["sales", "hr"]) };
    Table { schema, name: format!("t{number}"), columns, rows }
}

/// Lines by name for some columns, and by patterns and tags for what they fit.
fn lines(dice: &mut Dice, tables: &[&Table], tags: &[&'static str]) -> Vec<(Key, Shown)> {
    let mut out: Vec<(Key, Shown)> = Vec::new();
    // What no type of these refuses, nearly always.
    let careless = dice.one_in(12);
    let table = tables[0];
    for column in &table.columns {
        if dice.one_in(2) {
            continue;
        }
        let shown = match dice.below(8) {
            0 => Shown::Hidden,
            1..=3 => Shown::Clear,
            _ => {
                let like = |c: &&Column| c.name.eq_ignore_ascii_case(&column.name);
                let types: Vec<ColumnType> =
                    tables.iter().flat_map(|t| t.columns.iter().filter(like)).map(|c| c.ty).collect();
                let found = fitting(dice, if careless { &[] } else { &types });
                masked(dice, found)
            }
        };
        let name = if dice.one_in(4) { column.name.to_ascii_uppercase() } else { column.name.clone() };
        out.push((Key::Name(name), shown));
    }
    let mut keys: Vec<Key> = dice.some(&GLOBS, 0, 2).into_iter().map(Key::Pattern).collect();
    // One pattern in two ways of writing would be one key twice.
    keys.dedup_by(|a, b| match (a, b) {
        (Key::Pattern(a), Key::Pattern(b)) => a.eq_ignore_ascii_case(b),
        _ => false,
    });
    keys.extend(dice.some(tags, 0, 2).into_iter().map(Key::Tag));
    let types: Vec<ColumnType> = tables.iter().flat_map(|t| &t.columns).map(|c| c.ty).collect();
    // One mask on two of them is no contradiction.
    let found = fitting(dice, if careless { &[] } else { &types });
    let one = masked(dice, found);
    for key in keys {
        let shown = match dice.below(16) {
            0 if careless => Shown::Clear,
            1..=3 => Shown::Hidden,
            4 => masked(dice, Mask::Null),
            _ => one.clone(),
        };
        out.push((key, shown));
    }
    // A map that shows no column is refused when it is read.
    if out.iter().all(|(_, shown)| *shown == Shown::Hidden) {
        out.retain(|(key, _)| !matches!(key, Key::Name(name) if name.eq_ignore_ascii_case(SHARED[2])));
        out.push((Key::Name(SHARED[2].to_owned()), Shown::Clear));
    }
    out
}

/// Columns with what is shown of them.
type Columns = Vec<(Key, Shown)>;

/// The pairs of a turn, each as a column of the table with a mask on it and a comparison.
fn by_turns(dice: &mut Dice, turn: usize, table: &Table) -> (Columns, Vec<Line>, Columns, Vec<Line>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for (at, column) in table.columns[SHARED.len()..SHARED.len() + AT_ONCE].iter().enumerate() {
        let pair = turn * AT_ONCE + at;
        let found = mask(dice, pair / TYPES.len() % MASKS, column.ty);
        let into = if mask_fits(&found, column.ty) { &mut good } else { &mut bad };
        into.push((Key::Name(column.name.clone()), masked(dice, found)));
        let one = comparison(dice, (pair / TYPES.len() + turn / all_turns()) % COMPARISONS, column);
        let into = if comparison_fits(&one, column.ty) { &mut rows } else { &mut wrong };
        into.push(Line::Where { all: vec![one], to: roles(dice) });
    }
    (good, rows, bad, wrong)
}

fn person(dice: &mut Dice, number: usize) -> Person {
    let texts = (0..dice.below(4)).map(|_| dice.of(&SHORT).to_owned()).collect();
    let numbers = (0..dice.below(4)).map(|_| dice.between(-3, 3).to_string()).collect();
    Person {
        name: format!("reader{number}"),
        roles: dice.some(&ROLES, 0, 2),
        groups: dice.some(&GROUPS, 0, 2),
        attributes: vec![(TEXTS, texts), (NUMBERS, numbers)],
    }
}

pub fn policy(turn: usize, seed: u64) -> Policy {
    let dice = &mut Dice::new(seed);
    // Lengths and scales of a type come by rounds.
    let of_round = |all: &[ColumnType]| all[turn / all_turns() % all.len()];
    let first: Vec<ColumnType> =
        (0..AT_ONCE).map(|at| of_round(TYPES[(turn * AT_ONCE + at) % TYPES.len()])).collect();
    let mut tables = vec![table(dice, 0, &first), table(dice, 1, &[])];
    if dice.one_in(2) {
        tables.push(table(dice, 2, &[]));
    }
    let all: [(&str, &str, &str); 5] = [
        ("*", "*", "pii_*"),
        ("sales", "*", "amt_*"),
        ("*", "t1", "*1"),
        ("h*", "T*", "shared*"),
        ("*", "*", "f3"),
    ];
    let patterns = |dice: &mut Dice| -> TagPatterns { dice.some(&all, 1, 2) };
    let tags = vec![("secret", patterns(dice)), ("odd", patterns(dice))];
    let names = ["secret", "odd"];

    let (good, mut rows_of_first, bad, wrong) = by_turns(dice, turn, &tables[0]);
    rows_of_first.extend(rows(dice, &tables[0].columns).into_iter().take(1));
    let mut columns = good;
    columns.push((Key::Name(SHARED[0].to_owned()), Shown::Clear));
    let entry = |name, columns, rows| Entry {
        schema: "secure",
        name: Some(name),
        from: Source::Table(0),
        columns,
        rows,
    };
    let mut entries =
        vec![entry("first", columns.clone(), Vec::new()), entry("compared", columns, rows_of_first)];
    for (name, line) in ["wrong0", "wrong1", "wrong2"].into_iter().zip(bad) {
        entries.push(entry(name, vec![line, (Key::Name(SHARED[0].to_owned()), Shown::Clear)], Vec::new()));
    }
    for (name, line) in ["unequal0", "unequal1", "unequal2"].into_iter().zip(wrong) {
        entries.push(entry(name, vec![(Key::Name(SHARED[0].to_owned()), Shown::Clear)], vec![line]));
    }
    let second = &tables[1];
    entries.push(Entry {
        schema: "secure",
        name: Some("second"),
        from: Source::Table(1),
        columns: lines(dice, &[second], &names),
        rows: rows(dice, &second.columns),
    });
    // Rows of many tables speak of what all of them have.
    let all: Vec<&Table> = tables.iter().collect();
    let mut shared: Vec<Column> = Vec::new();
    for (at, name) in SHARED.iter().enumerate() {
        let ty = tables[0].columns[at].ty;
        shared.push(Column { name: (*name).to_owned(), ty });
    }
    let from = dice.of(&[
        Source::Pattern("sales", "*"),
        Source::Pattern("*", "t*"),
        Source::Pattern("s*", "T1"),
        Source::Tag("secret"),
        Source::Tag("odd"),
    ]);
    let columns = lines(dice, &all, &names);
    entries.push(Entry { schema: "open", name: None, from, columns, rows: rows(dice, &shared) });
    let people = (0..3).map(|number| person(dice, number)).collect();
    let delimiters = dice.of(&[None, Some(('|', ':', ',')), Some(('&', '=', '+'))]);
    Policy { tables, tags, entries, people, delimiters }
}

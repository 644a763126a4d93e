//! What a policy means, said a second time and without SQL.

use axon_mapping::RoleName;
use axon_mapping::secure_view::{Comparison, Mask, Operand, RowLine, RowOp, SecureView, Shown};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use time::Duration;
use time::macros::date;

use crate::policy::{Datum, Reader, Row, columns};
use crate::pool::{KEY, NOW};

/// Hundredths as a decimal.
pub fn cents(n: i64) -> String {
    format!("{}{}.{:02}", if n < 0 { "-" } else { "" }, n.abs() / 100, n.abs() % 100)
}

/// The rows that a person sees.
pub fn seen(view: &SecureView, rows: &[Row], reader: &Reader) -> Vec<Vec<Option<String>>> {
    let through = |row: &&Row| view.rows.is_empty() || view.rows.iter().any(|line| lets(line, row, reader));
    rows.iter().filter(through).map(|row| shown(view, row, reader)).collect()
}

fn lets(line: &RowLine, row: &Row, reader: &Reader) -> bool {
    match line {
        RowLine::Role(role) => reader.roles.contains(role.as_str()),
        RowLine::Group(group) => reader.person.groups.contains(&group.value()),
        RowLine::Where { all, to, .. } => {
            (to.is_empty() || has_one(to, reader)) && all.iter().all(|one| holds(one, row, reader))
        }
    }
}

fn has_one(roles: &[RoleName], reader: &Reader) -> bool {
    roles.iter().any(|role| reader.roles.contains(role.as_str()))
}

pub fn trimmed(text: &str) -> &str {
    text.trim_end_matches(' ')
}

fn holds(one: &Comparison, row: &Row, reader: &Reader) -> bool {
    let at = columns().iter().position(|(name, _)| *name == one.column).unwrap();
    let value = &row[at];
    if *value == Datum::Null {
        return false;
    }
    match (&one.operand, one.op) {
        (Operand::Number(days), RowOp::Last) => {
            let Datum::Day(day) = value else { panic!("no date") };
            day.midnight().assume_utc() >= NOW - Duration::days(days.parse().unwrap())
        }
        (Operand::User(path), _) => {
            let has = &reader.person.attributes[path];
            has.iter().filter(|v| !trimmed(v).is_empty()).any(|v| match value {
                Datum::Text(text) => trimmed(text) == trimmed(v),
                Datum::Int(n) => n.to_string() == *v,
                _ => false,
            })
        }
        (Operand::List(all), _) => all.iter().any(|other| order(value, other) == Ordering::Equal),
        (other, op) => {
            let order = order(value, other);
            match op {
                RowOp::Eq => order.is_eq(),
                RowOp::Ne => order.is_ne(),
                RowOp::Gt => order.is_gt(),
                RowOp::Ge => order.is_ge(),
                RowOp::Lt => order.is_lt(),
                RowOp::Le => order.is_le(),
                RowOp::In | RowOp::Last => panic!("not with one value"),
            }
        }
    }
}

fn order(value: &Datum, other: &Operand) -> Ordering {
    match (value, other) {
        (Datum::Text(text), Operand::Text(other)) => trimmed(text).cmp(trimmed(other)),
        (Datum::Int(n), Operand::Number(other)) => n.cmp(&other.parse().unwrap()),
        (Datum::Cents(n), Operand::Number(other)) => {
            let other: f64 = other.parse().unwrap();
            #[expect(clippy::cast_possible_truncation, reason = "a small number of hundredths")]
            let other = (other * 100.0).round() as i64;
            n.cmp(&other)
        }
        (Datum::Day(day), Operand::Text(_)) => day.cmp(&date!(2024 - 05 - 10)),
        _ => panic!("{value:?} {other:?}"),
    }
}

fn shown(view: &SecureView, row: &Row, reader: &Reader) -> Vec<Option<String>> {
    let mut out = Vec::new();
    for (number, column) in view.columns.iter().enumerate() {
        let text = match &column.shown {
            Shown::Hidden => continue,
            Shown::Clear => plain(&row[number]),
            Shown::Masked { unless, .. } if has_one(unless, reader) => plain(&row[number]),
            Shown::Masked { to, .. } if !to.is_empty() && !has_one(to, reader) => None,
            Shown::Masked { mask, .. } => masked(mask, &row[number], number),
        };
        // The fifth column is of fixed length.
        out.push(if number == 4 { text.map(|t| format!("{t:<6}")) } else { text });
    }
    out
}

fn plain(value: &Datum) -> Option<String> {
    Some(match value {
        Datum::Null => return None,
        Datum::Int(n) => n.to_string(),
        Datum::Cents(n) => cents(*n),
        Datum::Text(text) => text.clone(),
        Datum::Day(day) => day.to_string(),
    })
}

fn masked(mask: &Mask, value: &Datum, column: usize) -> Option<String> {
    match (mask, column) {
        (Mask::Null, _) => return None,
        (Mask::Redact, 0) => return Some("0".into()),
        (Mask::Redact, 1) => return Some("0.00".into()),
        (Mask::Redact, 5) => return Some("1900-01-01".into()),
        (Mask::Redact, _) => return Some("***".into()),
        (Mask::Constant(text), 1) => return Some(format!("{text}0")),
        (Mask::Constant(text), _) => return Some(text.clone()),
        _ => {}
    }
    Some(match value {
        Datum::Null => return None,
        Datum::Int(n) => number(mask, *n, 1, i16::MIN.into()).to_string(),
        Datum::Cents(n) => cents(number(mask, *n, 100, -999_999)),
        Datum::Text(text) => characters(mask, text, if column == 2 { 20 } else { 30 }),
        Datum::Day(day) if *mask == Mask::Year => {
            day.replace_day(1).unwrap().replace_month(time::Month::January).unwrap().to_string()
        }
        Datum::Day(day) => day.replace_day(1).unwrap().to_string(),
    })
}

fn number(mask: &Mask, n: i64, unit: i64, lowest: i64) -> i64 {
    match mask {
        Mask::Round(width) => n / (i64::from(*width) * unit) * (i64::from(*width) * unit),
        Mask::Bucket(width) => {
            let width = i64::from(*width) * unit;
            (n.div_euclid(width) * width).max(lowest)
        }
        _ => panic!("{mask} masks no number"),
    }
}

pub fn sha256(text: &str) -> String {
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"))
}

fn characters(mask: &Mask, text: &str, length: usize) -> String {
    let short = trimmed(text);
    let all: Vec<char> = short.chars().collect();
    let hidden = || "***".to_owned();
    let part = |n: u32| Some(usize::try_from(n).unwrap()).filter(|n| all.len() > *n);
    match mask {
        Mask::Hash => sha256(&format!("{KEY}{}", sha256(&format!("{KEY}{text}"))))[..length].to_owned(),
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

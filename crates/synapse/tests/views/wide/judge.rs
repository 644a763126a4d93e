//! Which masks and comparisons a type allows, as docs/VIEWS.md says it and apart from the compiler.

use axon_reconcile::ColumnType;

use super::kind::{ends, is_dated, is_whole, scale};
use super::policy::{Comparison, Mask, Op, Operand};

pub fn mask_fits(mask: &Mask, ty: ColumnType) -> bool {
    // How many characters there is room for; a `max` column holds what anybody asks for.
    let room = match ty {
        ColumnType::Text { length, .. } => Some(length.map_or(8_000, u32::from)),
        _ => None,
    };
    let longer_than = |least: u32| room.is_some_and(|room| room >= least);
    match mask {
        Mask::Null => true,
        Mask::Redact => !matches!(ty, ColumnType::Time(_) | ColumnType::DateTimeOffset(_)),
        Mask::Constant(text) => match ty {
            ColumnType::Text { national, .. } => {
                longer_than(u32::try_from(text.encode_utf16().count()).unwrap())
                    && (national || text.is_ascii())
            }
            _ => is_value(text, ty),
        },
        Mask::Hash => room.is_some_and(|room| (16..=3_936).contains(&room)),
        Mask::Email => longer_than(12),
        Mask::Last(n) | Mask::First(n) => longer_than(n + 3),
        Mask::Digits => room.is_some(),
        Mask::Round(_) | Mask::Bucket(_) => ends(ty).is_some(),
        Mask::Year | Mask::Month => is_dated(ty),
    }
}

/// Whether a type that is no text's holds what is written so.
fn is_value(text: &str, ty: ColumnType) -> bool {
    if is_dated(ty) {
        return day(text).is_some();
    }
    match ty {
        ColumnType::Bit => matches!(text, "0" | "1"),
        _ => units(text, ty).is_some(),
    }
}

/// A day from 1900 to 2078.
pub fn day(text: &str) -> Option<time::Date> {
    let form = time::macros::format_description!("[year]-[month]-[day]");
    time::Date::parse(text, form).ok().filter(|day| (1900..=2078).contains(&day.year()))
}

/// A number in units of the last digit of an exact number's type, if that holds it.
pub fn units(text: &str, ty: ColumnType) -> Option<i128> {
    let (lowest, highest) = ends(ty)?;
    let digits = usize::try_from(scale(ty)).unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let plain = whole.strip_prefix('-').unwrap_or(whole);
    let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if plain.is_empty() || !all_digits(plain) || !all_digits(part) || part.len() > digits {
        return None;
    }
    let value: i128 = format!("{whole}{part:0<digits$}").parse().ok()?;
    (lowest..=highest).contains(&value).then_some(value)
}

pub fn comparison_fits(one: &Comparison, ty: ColumnType) -> bool {
    let equal = matches!(one.op, Op::Eq | Op::Ne | Op::In);
    match (&one.operand, one.op) {
        (_, Op::Last) => is_dated(ty),
        (Operand::User(_), op) => {
            matches!(op, Op::Eq | Op::In) && (is_whole(ty) || matches!(ty, ColumnType::Text { .. }))
        }
        (Operand::List(all), _) => all.iter().all(|value| value_fits(value, ty)),
        (value, _) => {
            let unordered = matches!(ty, ColumnType::Text { .. } | ColumnType::UniqueIdentifier);
            value_fits(value, ty) && (equal || !unordered)
        }
    }
}

fn value_fits(value: &Operand, ty: ColumnType) -> bool {
    match (value, ty) {
        (Operand::Text(_), ColumnType::Text { .. }) => true,
        (Operand::Text(text), ColumnType::UniqueIdentifier) => uuid::Uuid::parse_str(text).is_ok(),
        (Operand::Text(text), _) => day(text).is_some() && is_dated(ty),
        (Operand::Bool(_), _) => ty == ColumnType::Bit,
        (Operand::Number(text), ColumnType::Bit) => matches!(text.as_str(), "0" | "1"),
        (Operand::Number(text), _) => units(text, ty).is_some(),
        (Operand::User(_) | Operand::List(_), _) => false,
    }
}

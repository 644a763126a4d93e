//! Conversions between types, implicit and explicit.

pub(crate) mod code_page;
pub(crate) mod from_text;
pub(crate) mod moment;
pub(crate) mod to_text;

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType, Value};
use crate::query::cell::{self, guid_in, guid_out, hold, release, stored};
use crate::query::types::{Family, as_decimal, family, implicit, is_money, length, scale};
use crate::query::{decimal, error};

/// Converts a value for an assignment (`SET @x = …`, a parameter, a DEFAULT). Text that is too long is cut, as the
/// server does for variables.
pub fn convert(value: &Value, from: SqlType, to: SqlType) -> Result<Value, ServerError> {
    if *value == Value::Null {
        return Ok(Value::Null);
    }
    if !implicit(from, to) {
        return Err(error::clash(error::type_name(from), error::type_name(to)));
    }
    release(cast(&hold(value, from)?, from, to, None)?, to)
}

/// Whether CAST knows the way at all; 529 if not.
pub(crate) fn check_explicit(from: SqlType, to: SqlType) -> Result<(), ServerError> {
    use Family::{Binary, Bit, Decimal, Float, Guid, Integer, Moment, Text};
    let known = implicit(from, to)
        || match (family(from), family(to)) {
            (Text | Guid | Bit | Integer, Binary) | (Binary, Text | Bit | Integer | Guid) => true,
            (Moment, Bit | Integer | Float | Decimal) => {
                matches!(from, SqlType::DateTime | SqlType::SmallDateTime)
            }
            _ => false,
        };
    if known {
        Ok(())
    } else {
        Err(error::explicit_not_allowed(error::type_name(from), error::type_name(to)))
    }
}

/// Converts what SQLite holds of one type to another.
pub(crate) fn cast(cell: &Cell, from: SqlType, to: SqlType, style: Option<i64>) -> Result<Cell, ServerError> {
    match cast_as_wide(cell, from, to, style)? {
        Cell::Integer(units) if is_money(to) => of_money(units, to),
        other => Ok(other),
    }
}

/// Units of money, if the type holds so many: `smallmoney` has four bytes, which are fewer than its ten digits.
pub(crate) fn of_money(units: i64, to: SqlType) -> Result<Cell, ServerError> {
    match (to, i32::try_from(units)) {
        (SqlType::SmallMoney, Err(_)) => Err(error::expression_overflow("smallmoney")),
        _ => Ok(Cell::Integer(units)),
    }
}

fn cast_as_wide(cell: &Cell, from: SqlType, to: SqlType, style: Option<i64>) -> Result<Cell, ServerError> {
    if *cell == Cell::Null {
        return Ok(Cell::Null);
    }
    if from == to && style.is_none() {
        return Ok(cell.clone());
    }
    match (cell, family(from), family(to)) {
        (Cell::Text(text), Family::Text, Family::Text) => to_text::fit(text.clone(), to),
        (Cell::Text(text), Family::Text, _) => from_text::cast(text, from, to, style),
        (_, _, Family::Text) => to_text::cast(cell, from, to, style),
        (Cell::Blob(bytes), Family::Binary, Family::Binary) => Ok(Cell::Blob(fit_binary(bytes.clone(), to))),
        (Cell::Blob(bytes), Family::Binary, Family::Guid) => {
            let mut guid = [0; 16];
            for (place, byte) in bytes.iter().take(16).enumerate() {
                guid[stored(place)] = *byte;
            }
            Ok(Cell::Blob(guid_in(guid)))
        }
        (Cell::Blob(held), Family::Guid, Family::Binary) => {
            let guid = guid_out(held);
            Ok(Cell::Blob(fit_binary((0..16).map(|place| guid[stored(place)]).collect(), to)))
        }
        (Cell::Blob(bytes), Family::Binary, Family::Integer | Family::Bit) => Ok(from_binary(bytes, to)),
        (Cell::Integer(number), Family::Bit | Family::Integer, Family::Binary) => {
            Ok(Cell::Blob(number_bytes(*number, from, to)))
        }
        (Cell::Integer(number), Family::Bit | Family::Integer, _) => from_whole(*number, from, to),
        (Cell::Integer(number), Family::Decimal, _) => from_decimal(*number, from, to),
        (Cell::Real(number), Family::Float, _) => from_float(*number, from, to),
        (Cell::Integer(ticks), Family::Moment, Family::Moment) => {
            moment::cast(*ticks, from, to).map(Cell::Integer)
        }
        (Cell::Integer(ticks), Family::Moment, _) => from_moment(*ticks, from, to),
        _ => Err(error::explicit_not_allowed(error::type_name(from), error::type_name(to))),
    }
}

/// Cuts or pads bytes to a binary type.
fn fit_binary(mut bytes: Vec<u8>, to: SqlType) -> Vec<u8> {
    let width = usize::from(length(to));
    if width > 0 {
        bytes.truncate(width);
    }
    if matches!(to, SqlType::Binary(_)) {
        bytes.resize(width, 0);
    }
    bytes
}

/// The last bytes, read big-endian, in the width of the type.
fn from_binary(bytes: &[u8], to: SqlType) -> Cell {
    let width = width_of(to);
    let tail = &bytes[bytes.len().saturating_sub(width)..];
    let raw = tail.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let short = tail.len() < width;
    Cell::Integer(match to {
        SqlType::Bit => i64::from(raw != 0),
        SqlType::SmallInt if !short => i64::from(u16::try_from(raw).unwrap_or(0).cast_signed()),
        SqlType::Int if !short => i64::from(u32::try_from(raw).unwrap_or(0).cast_signed()),
        _ => raw.cast_signed(),
    })
}

fn width_of(ty: SqlType) -> usize {
    match ty {
        SqlType::Bit | SqlType::TinyInt => 1,
        SqlType::SmallInt => 2,
        SqlType::Int => 4,
        _ => 8,
    }
}

/// An integer big-endian in its own width, cut or padded on the left.
fn number_bytes(number: i64, from: SqlType, to: SqlType) -> Vec<u8> {
    let all = number.to_be_bytes();
    let own = &all[8 - width_of(from)..];
    let want = usize::from(length(to));
    match to {
        SqlType::Binary(_) if want > own.len() => {
            let mut padded = vec![0; want - own.len()];
            padded.extend_from_slice(own);
            padded
        }
        _ if want > 0 && want < own.len() => own[own.len() - want..].to_vec(),
        _ => own.to_vec(),
    }
}

/// Checks an integer against the range of its type.
pub(crate) fn in_range(number: i128, to: SqlType) -> Option<i64> {
    let (low, high): (i128, i128) = match to {
        SqlType::TinyInt => (0, 255),
        SqlType::SmallInt => (i128::from(i16::MIN), i128::from(i16::MAX)),
        SqlType::Int => (i128::from(i32::MIN), i128::from(i32::MAX)),
        _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
    };
    (low..=high).contains(&number).then(|| i64::try_from(number).ok()).flatten()
}

fn whole(number: i128, from: SqlType, to: SqlType) -> Result<Cell, ServerError> {
    if to == SqlType::Bit {
        return Ok(Cell::Integer(i64::from(number != 0)));
    }
    in_range(number, to).map(Cell::Integer).ok_or_else(|| match to {
        SqlType::TinyInt | SqlType::SmallInt if family(from) == Family::Integer => {
            error::value_overflow(error::type_name(to), &number.to_string())
        }
        _ => error::overflow(error::type_name(from), error::type_name(to)),
    })
}

#[expect(clippy::cast_precision_loss, reason = "that is what converting to float means")]
fn from_whole(number: i64, from: SqlType, to: SqlType) -> Result<Cell, ServerError> {
    match family(to) {
        Family::Float => Ok(Cell::Real(number as f64)),
        Family::Decimal => {
            let (precision, scale) = as_decimal(to);
            decimal::rescale(i128::from(number), 0, scale, precision).map(Cell::Integer)
        }
        Family::Moment => moment::from_days(number, to).map(Cell::Integer),
        _ => whole(i128::from(number), from, to),
    }
}

#[expect(clippy::cast_precision_loss, reason = "that is what converting to float means")]
fn from_decimal(number: i64, from: SqlType, to: SqlType) -> Result<Cell, ServerError> {
    let own = scale(from);
    match family(to) {
        Family::Float => Ok(Cell::Real(number as f64 / 10f64.powi(i32::from(own)))),
        Family::Decimal => {
            let (precision, scale) = as_decimal(to);
            decimal::rescale(i128::from(number), own, scale, precision).map(Cell::Integer)
        }
        Family::Bit => Ok(Cell::Integer(i64::from(number != 0))),
        Family::Integer => {
            let unit = decimal::unit(u32::from(own)).ok_or_else(|| error::expression_overflow("numeric"))?;
            // Money rounds, decimals are cut.
            let value = if is_money(from) {
                decimal::round_div(i128::from(number), unit)
            } else {
                i128::from(number) / unit
            };
            whole(value, from, to)
        }
        _ => Err(error::explicit_not_allowed(error::type_name(from), error::type_name(to))),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked against the range first, and cut on purpose")]
fn from_float(number: f64, from: SqlType, to: SqlType) -> Result<Cell, ServerError> {
    let overflow = || error::overflow(error::type_name(from), error::type_name(to));
    match family(to) {
        Family::Float if to == SqlType::Real => Ok(Cell::Real(f64::from(number as f32))),
        Family::Float => Ok(Cell::Real(number)),
        Family::Bit => Ok(Cell::Integer(i64::from(number != 0.0))),
        Family::Integer => {
            if number.abs() >= 9.3e18 {
                return Err(overflow());
            }
            in_range(number as i128, to).map(Cell::Integer).ok_or_else(overflow)
        }
        Family::Decimal => {
            let (precision, scale) = as_decimal(to);
            let shifted = number * 10f64.powi(i32::from(scale));
            if !shifted.is_finite() || shifted.abs() >= 9.2e18 {
                return Err(overflow());
            }
            decimal::rescale(shifted.round() as i128, scale, scale, precision).map(Cell::Integer)
        }
        _ => Err(error::explicit_not_allowed(error::type_name(from), error::type_name(to))),
    }
}

/// Days since 1900, with their fraction.
#[expect(clippy::cast_precision_loss, reason = "that is what converting to float means")]
fn from_moment(ticks: i64, from: SqlType, to: SqlType) -> Result<Cell, ServerError> {
    let since = ticks - moment::BASE;
    match family(to) {
        Family::Float => Ok(Cell::Real(since as f64 / cell::DAY as f64)),
        Family::Integer => whole(decimal::round_div(i128::from(since), i128::from(cell::DAY)), from, to),
        _ => Err(error::explicit_not_allowed(error::type_name(from), error::type_name(to))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(value: i64, to: SqlType) -> Result<Value, ServerError> {
        convert(&Value::Int(value), SqlType::Int, to)
    }

    #[test]
    fn integers_are_checked_against_their_range() {
        assert_eq!(int(255, SqlType::TinyInt).unwrap(), Value::Int(255));
        assert_eq!(int(256, SqlType::TinyInt).unwrap_err().number, 220);
        assert_eq!(convert(&Value::Int(1 << 40), SqlType::BigInt, SqlType::Int).unwrap_err().number, 8115);
        assert_eq!(int(7, SqlType::Bit).unwrap(), Value::Bool(true));
    }

    #[test]
    fn binary_and_integers_are_big_endian() {
        let bytes = cast(&Cell::Integer(258), SqlType::Int, SqlType::VarBinary(8), None).unwrap();
        assert_eq!(bytes, Cell::Blob(vec![0, 0, 1, 2]));
        assert_eq!(cast(&bytes, SqlType::VarBinary(8), SqlType::Int, None).unwrap(), Cell::Integer(258));
        let minus = cast(&Cell::Blob(vec![0xff; 4]), SqlType::VarBinary(4), SqlType::Int, None).unwrap();
        assert_eq!(minus, Cell::Integer(-1));
    }

    #[test]
    fn decimals_are_cut_to_integers_and_rounded_to_decimals() {
        let from = SqlType::Decimal { precision: 5, scale: 2 };
        assert_eq!(convert(&Value::Decimal("-1.99".into()), from, SqlType::Int).unwrap(), Value::Int(-1));
        let to = SqlType::Decimal { precision: 5, scale: 1 };
        assert_eq!(convert(&Value::Decimal("1.95".into()), from, to).unwrap(), Value::Decimal("2.0".into()));
    }

    #[test]
    fn small_money_has_four_bytes() {
        let to = |text: &str| {
            let from = SqlType::Decimal { precision: 12, scale: 4 };
            convert(&Value::Decimal(text.into()), from, SqlType::SmallMoney)
        };
        assert_eq!(to("-214748.3648").unwrap(), Value::Decimal("-214748.3648".into()));
        // Ten digits, as the type says of itself, and yet too many.
        assert_eq!(to("214748.3648").unwrap_err().number, 8115);
    }

    #[test]
    fn a_guid_as_bytes_has_its_first_groups_turned_around() {
        let guid = Value::Guid([
            0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
        ]);
        let held = hold(&guid, SqlType::UniqueIdentifier).unwrap();
        let bytes = cast(&held, SqlType::UniqueIdentifier, SqlType::VarBinary(16), None).unwrap();
        let Cell::Blob(bytes) = &bytes else { panic!("no bytes") };
        assert_eq!(bytes[..8], [0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd]);
        let back = cast(&Cell::Blob(bytes.clone()), SqlType::VarBinary(16), SqlType::UniqueIdentifier, None)
            .unwrap();
        assert_eq!(release(back, SqlType::UniqueIdentifier).unwrap(), guid);
    }
}

//! How values are held inside SQLite.
//!
//! | family | held as |
//! |---|---|
//! | bit, integers | INTEGER |
//! | real, float | REAL |
//! | decimal(p, s), money | INTEGER, in units of 10^-s |
//! | text | TEXT, always compared through a collation of [`crate::query::collation`] |
//! | binary | BLOB |
//! | uniqueidentifier | BLOB of 16 bytes, in the order in which the engine compares them |
//! | dates and times | INTEGER, in units of 100 ns since 0001-01-01 (time: since midnight) |
//!
//! So SQLite's own comparison, grouping and sorting give the engine's answer for every family.

use rusqlite::types::Value as Cell;
use time::{Date, Duration, PrimitiveDateTime, Time};

use crate::answer::{ServerError, SqlType, Value};
use crate::query::error;
use crate::query::types::{Family, family, scale};

/// Units in a day.
pub(crate) const DAY: i64 = 864_000_000_000;
/// Units in a second.
pub(crate) const SECOND: i64 = 10_000_000;
/// The first instant.
const EPOCH: PrimitiveDateTime = PrimitiveDateTime::new(time::macros::date!(0001 - 01 - 01), Time::MIDNIGHT);

/// The order in which the engine compares a uniqueidentifier, as places in its text form: the last group first, then
/// the one before it, then the first three groups from their end to their start.
const GUID_ORDER: [usize; 16] = [10, 11, 12, 13, 14, 15, 8, 9, 7, 6, 5, 4, 3, 2, 1, 0];

/// Bytes in text order to bytes in comparison order.
pub(crate) fn guid_in(guid: [u8; 16]) -> Vec<u8> {
    GUID_ORDER.iter().map(|place| guid[*place]).collect()
}

/// Bytes in comparison order to bytes in text order.
pub(crate) fn guid_out(held: &[u8]) -> [u8; 16] {
    let mut guid = [0; 16];
    for (place, byte) in GUID_ORDER.iter().zip(held) {
        guid[*place] = *byte;
    }
    guid
}

/// The place in the text form of a byte of the stored form, whose first three groups are little-endian.
pub(crate) fn stored(place: usize) -> usize {
    match place {
        0..=3 => 3 - place,
        4 | 5 => 9 - place,
        6 | 7 => 13 - place,
        other => other,
    }
}

/// An instant in units of 100 ns.
pub(crate) fn ticks(moment: PrimitiveDateTime) -> i64 {
    let since = moment - EPOCH;
    since.whole_seconds() * SECOND + i64::from(since.subsec_nanoseconds()) / 100
}

/// The instant at these ticks; `None` outside the years 1 to 9999.
pub(crate) fn moment(ticks: i64) -> Option<PrimitiveDateTime> {
    let since = Duration::new(ticks.div_euclid(SECOND), i32::try_from(ticks.rem_euclid(SECOND) * 100).ok()?);
    EPOCH.checked_add(since).filter(|moment| (1..=9999).contains(&moment.year()))
}

/// A value as SQLite holds it.
pub(crate) fn hold(value: &Value, ty: SqlType) -> Result<Cell, ServerError> {
    let wrong = || error::converting("value", error::type_name(ty));
    Ok(match (value, family(ty)) {
        (Value::Null, _) => Cell::Null,
        (Value::Bool(bit), Family::Bit | Family::Integer) => Cell::Integer(i64::from(*bit)),
        (Value::Int(number), Family::Bit | Family::Integer) => Cell::Integer(*number),
        (Value::Int(number), Family::Decimal) => {
            let unit = 10i64.checked_pow(u32::from(scale(ty))).ok_or_else(wrong)?;
            Cell::Integer(number.checked_mul(unit).ok_or_else(wrong)?)
        }
        #[expect(clippy::cast_precision_loss, reason = "that is what converting to float means")]
        (Value::Int(number), Family::Float) => Cell::Real(*number as f64),
        (Value::Float(number), Family::Float) => Cell::Real(*number),
        (Value::Decimal(text), Family::Decimal) => {
            Cell::Integer(crate::query::decimal::parse(text, scale(ty)).ok_or_else(wrong)?)
        }
        (Value::Text(text), Family::Text) => Cell::Text(text.clone()),
        (Value::Bytes(bytes), Family::Binary) => Cell::Blob(bytes.clone()),
        (Value::Guid(guid), Family::Guid) => Cell::Blob(guid_in(*guid)),
        (Value::DateTime(moment), Family::Moment) => Cell::Integer(match ty {
            SqlType::Time(_) => ticks(*moment).rem_euclid(DAY),
            _ => ticks(*moment),
        }),
        _ => return Err(wrong()),
    })
}

/// What SQLite holds as a value.
pub(crate) fn release(cell: Cell, ty: SqlType) -> Result<Value, ServerError> {
    let wrong = || error::converting("cell", error::type_name(ty));
    Ok(match (cell, family(ty)) {
        (Cell::Null, _) => Value::Null,
        (Cell::Integer(number), Family::Bit) => Value::Bool(number != 0),
        (Cell::Integer(number), Family::Integer) => Value::Int(number),
        (Cell::Integer(number), Family::Decimal) => {
            Value::Decimal(crate::query::decimal::print(number, scale(ty)))
        }
        (Cell::Real(number), Family::Float) => Value::Float(number),
        (Cell::Text(text), Family::Text) => Value::Text(text),
        (Cell::Blob(bytes), Family::Binary) => Value::Bytes(bytes),
        (Cell::Blob(bytes), Family::Guid) => Value::Guid(guid_out(&bytes)),
        (Cell::Integer(number), Family::Moment) => match ty {
            SqlType::Time(_) => {
                let day = Date::from_calendar_date(1900, time::Month::January, 1).map_err(|_| wrong())?;
                let time = moment(number.rem_euclid(DAY)).ok_or_else(wrong)?.time();
                Value::DateTime(PrimitiveDateTime::new(day, time))
            }
            _ => Value::DateTime(moment(number).ok_or_else(wrong)?),
        },
        _ => return Err(wrong()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn instants_come_back() {
        for instant in
            [datetime!(0001-01-01 0:00), datetime!(1899-12-31 23:59:59.997), datetime!(9999-12-31 23:59)]
        {
            assert_eq!(moment(ticks(instant)), Some(instant));
        }
        assert_eq!(moment(-1), None);
    }

    #[test]
    fn guids_come_back_and_order_by_their_last_group() {
        let low: [u8; 16] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let high: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
        assert!(guid_in(low) < guid_in(high));
        assert_eq!(guid_out(&guid_in(low)), low);
    }
}

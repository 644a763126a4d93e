//! Date and time functions. The present instant is the context's, the same in a whole statement.

use rusqlite::types::Value as Cell;
use time::{Date, Month, PrimitiveDateTime};

use crate::answer::{ServerError, SqlType};
use crate::query::ast::{Call, Expr};
use crate::query::bind::expression::literal;
use crate::query::bind::{Binder, Typed};
use crate::query::cell::{DAY, SECOND, moment, ticks};
use crate::query::convert::moment::{BASE, cast};
use crate::query::error;
use crate::query::functions::{Answered, int};
use crate::query::types::{Family, family, is_text};

type Bound = Result<Typed, ServerError>;

pub(super) fn bind(binder: &mut Binder<'_>, name: &str, call: &Call) -> Answered {
    Some(match name {
        "GETDATE" | "GETUTCDATE" | "CURRENT_TIMESTAMP" => now(binder, call, SqlType::DateTime),
        "SYSDATETIME" | "SYSUTCDATETIME" => now(binder, call, SqlType::DateTime2(7)),
        "DATEADD" => add(binder, call),
        "DATEDIFF" | "DATEDIFF_BIG" => difference(binder, call, name == "DATEDIFF_BIG"),
        "DATEPART" => part_of(binder, call, None),
        "DATENAME" => name_of(binder, call),
        "YEAR" => part_of(binder, call, Some(Part::Year)),
        "MONTH" => part_of(binder, call, Some(Part::Month)),
        "DAY" => part_of(binder, call, Some(Part::Day)),
        "EOMONTH" => end_of_month(binder, call),
        "DATEFROMPARTS" => from_parts(binder, call),
        _ => return None,
    })
}

fn now(binder: &mut Binder<'_>, call: &Call, ty: SqlType) -> Bound {
    binder.arguments(call, 0, 0)?;
    let held = cast(ticks(binder.ctx.session.now), SqlType::DateTime2(7), ty)?;
    Ok(Typed::new(literal(&Cell::Integer(held)), ty, false))
}

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Quarter,
    Month,
    DayOfYear,
    Day,
    Week,
    IsoWeek,
    WeekDay,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

fn part(expr: &Expr, function: &str) -> Result<Part, ServerError> {
    let Expr::Column { name, line } = expr else { return Err(error::outside(1, function)) };
    let word = name.join(".");
    Ok(match word.to_ascii_lowercase().as_str() {
        "year" | "yy" | "yyyy" => Part::Year,
        "quarter" | "qq" | "q" => Part::Quarter,
        "month" | "mm" | "m" => Part::Month,
        "dayofyear" | "dy" | "y" => Part::DayOfYear,
        "day" | "dd" | "d" => Part::Day,
        "week" | "wk" | "ww" => Part::Week,
        "iso_week" | "isowk" | "isoww" => Part::IsoWeek,
        "weekday" | "dw" | "w" => Part::WeekDay,
        "hour" | "hh" => Part::Hour,
        "minute" | "mi" | "n" => Part::Minute,
        "second" | "ss" | "s" => Part::Second,
        "millisecond" | "ms" => Part::Millisecond,
        "microsecond" | "mcs" => Part::Microsecond,
        "nanosecond" | "ns" => Part::Nanosecond,
        _ => return Err(error::bad_date_part(&word, function).at_line(*line)),
    })
}

/// A date argument; text is read as datetime2, numbers as days.
fn date(binder: &mut Binder<'_>, value: &Typed) -> Bound {
    match family(value.ty) {
        _ if value.null => Ok(Typed { ty: SqlType::DateTime, ..value.clone() }),
        Family::Moment => Ok(value.clone()),
        Family::Text => binder.coerce(value, SqlType::DateTime2(7)),
        _ => binder.coerce(value, SqlType::DateTime),
    }
}

fn check_part(part: Part, ty: SqlType, function: &str) -> Result<(), ServerError> {
    let of_time = matches!(
        part,
        Part::Hour | Part::Minute | Part::Second | Part::Millisecond | Part::Microsecond | Part::Nanosecond
    );
    let wrong = match ty {
        SqlType::Date => of_time,
        SqlType::Time(_) => !of_time,
        _ => false,
    };
    if wrong {
        let name = format!("{part:?}").to_lowercase();
        return Err(error::part_not_supported(&name, function, error::type_name(ty)));
    }
    Ok(())
}

fn add(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let [which, number, value] = call.args.as_slice() else { return Err(error::wrong_count("dateadd", 3)) };
    let part = part(which, "dateadd")?;
    if matches!(part, Part::IsoWeek) {
        return Err(error::bad_date_part("iso_week", "dateadd"));
    }
    let number = binder.value(number)?;
    let number = binder.cast_to_int(&number)?;
    let value = binder.value(value)?;
    // Text stands for a datetime here.
    let value =
        if is_text(value.ty) { binder.coerce(&value, SqlType::DateTime)? } else { date(binder, &value)? };
    let ty = value.ty;
    check_part(part, ty, "dateadd")?;
    Ok(binder.strict(&format!("dateadd {part:?} {ty:?}"), &[&number, &value], ty, move |cells| {
        let (number, held) = (int(&cells[0])?, int(&cells[1])?);
        let overflow = || error::moment_added(error::type_name(ty));
        let moved = match part {
            Part::Year => add_months(held, number.checked_mul(12).ok_or_else(overflow)?),
            Part::Quarter => add_months(held, number.checked_mul(3).ok_or_else(overflow)?),
            Part::Month => add_months(held, number),
            _ => unit(part).checked_mul(number).and_then(|step| held.checked_add(step)),
        };
        let moved = match (part, moved) {
            (Part::Nanosecond, _) => held.checked_add(number / 100),
            (_, moved) => moved,
        };
        let moved = moved.ok_or_else(overflow)?;
        if matches!(ty, SqlType::Time(_)) {
            return Ok(Cell::Integer(moved.rem_euclid(DAY)));
        }
        cast(moved, SqlType::DateTime2(7), ty).map(Cell::Integer).map_err(|_| overflow())
    }))
}

/// Ticks of a part of fixed length.
fn unit(part: Part) -> i64 {
    match part {
        Part::Week | Part::IsoWeek => 7 * DAY,
        Part::Hour => 3600 * SECOND,
        Part::Minute => 60 * SECOND,
        Part::Second => SECOND,
        Part::Millisecond => SECOND / 1_000,
        Part::Microsecond => SECOND / 1_000_000,
        _ => DAY,
    }
}

/// Months keep the day, or take the last of the month.
fn add_months(held: i64, months: i64) -> Option<i64> {
    let at = moment(held)?;
    let count = i64::from(at.year()) * 12 + i64::from(u8::from(at.month())) - 1;
    let count = count.checked_add(months)?;
    let year = i32::try_from(count.div_euclid(12)).ok()?;
    if !(1..=9999).contains(&year) {
        return None;
    }
    let month = Month::try_from(u8::try_from(count.rem_euclid(12) + 1).ok()?).ok()?;
    let day = at.day().min(month.length(year));
    Some(ticks(PrimitiveDateTime::new(Date::from_calendar_date(year, month, day).ok()?, at.time())))
}

fn difference(binder: &mut Binder<'_>, call: &Call, big: bool) -> Bound {
    let function = if big { "datediff_big" } else { "datediff" };
    let [which, from, to] = call.args.as_slice() else { return Err(error::wrong_count(function, 3)) };
    let part = part(which, function)?;
    if part == Part::IsoWeek {
        return Err(error::outside(call.line, "iso_week"));
    }
    let (from, to) = (binder.value(from)?, binder.value(to)?);
    let (from, to) = (date(binder, &from)?, date(binder, &to)?);
    let lift = |ty| if matches!(ty, SqlType::Time(_)) { BASE } else { 0 };
    let (lift_from, lift_to) = (lift(from.ty), lift(to.ty));
    let ty = if big { SqlType::BigInt } else { SqlType::Int };
    let key = format!("{function} {part:?} {lift_from} {lift_to}");
    let mut typed = binder.strict(&key, &[&from, &to], ty, move |cells| {
        let (from, to) = (int(&cells[0])? + lift_from, int(&cells[1])? + lift_to);
        let value = count(part, to)? - count(part, from)?;
        if !big && i32::try_from(value).is_err() {
            return Err(error::difference_overflow());
        }
        Ok(Cell::Integer(value))
    });
    typed.digits = None;
    Ok(typed)
}

/// How many boundaries of a part lie before an instant.
fn count(part: Part, held: i64) -> Result<i64, ServerError> {
    let at = moment(held).ok_or_else(error::bad_moment)?;
    let months = i64::from(at.year()) * 12 + i64::from(u8::from(at.month())) - 1;
    Ok(match part {
        Part::Year => i64::from(at.year()),
        Part::Quarter => months.div_euclid(3),
        Part::Month => months,
        // Weeks begin on Sunday whatever DATEFIRST says; 0001-01-01 was a Monday.
        Part::Week | Part::IsoWeek => (held.div_euclid(DAY) + 1).div_euclid(7),
        Part::Nanosecond => held.checked_mul(100).ok_or_else(error::difference_overflow)?,
        _ => held.div_euclid(unit(part)),
    })
}

fn part_of(binder: &mut Binder<'_>, call: &Call, fixed: Option<Part>) -> Bound {
    let (part, value) = match (fixed, call.args.as_slice()) {
        (Some(part), [value]) => (part, value),
        (None, [which, value]) => (part(which, "datepart")?, value),
        _ => {
            return Err(error::wrong_count(
                &call.name[0].to_lowercase(),
                if fixed.is_some() { 1 } else { 2 },
            ));
        }
    };
    let value = binder.value(value)?;
    let value = date(binder, &value)?;
    check_part(part, value.ty, "datepart")?;
    Ok(binder.strict(&format!("datepart {part:?}"), &[&value], SqlType::Int, move |cells| {
        number(part, int(&cells[0])?).map(Cell::Integer)
    }))
}

fn number(part: Part, held: i64) -> Result<i64, ServerError> {
    let at = moment(held).ok_or_else(error::bad_moment)?;
    let fraction = held.rem_euclid(SECOND);
    Ok(match part {
        Part::Year => i64::from(at.year()),
        Part::Quarter => i64::from((u8::from(at.month()) - 1) / 3 + 1),
        Part::Month => i64::from(u8::from(at.month())),
        Part::DayOfYear => i64::from(at.ordinal()),
        Part::Day => i64::from(at.day()),
        // DATEFIRST is 7: weeks begin on Sunday, and the first holds 1 January.
        Part::Week => {
            let first = Date::from_ordinal_date(at.year(), 1).map_err(|_| error::bad_moment())?;
            let offset = i64::from(first.weekday().number_days_from_sunday());
            (i64::from(at.ordinal()) - 1 + offset) / 7 + 1
        }
        Part::IsoWeek => i64::from(at.iso_week()),
        Part::WeekDay => i64::from(at.weekday().number_from_sunday()),
        Part::Hour => i64::from(at.hour()),
        Part::Minute => i64::from(at.minute()),
        Part::Second => i64::from(at.second()),
        // A datetime is shown in rounded milliseconds.
        Part::Millisecond => (fraction + 3_000) / 10_000 % 1_000,
        Part::Microsecond => fraction / 10,
        Part::Nanosecond => fraction * 100,
    })
}

fn name_of(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let [which, value] = call.args.as_slice() else { return Err(error::wrong_count("datename", 2)) };
    let part = part(which, "datename")?;
    let value = binder.value(value)?;
    let value = date(binder, &value)?;
    check_part(part, value.ty, "datename")?;
    Ok(binder.strict(&format!("datename {part:?}"), &[&value], SqlType::NVarChar(30), move |cells| {
        let held = int(&cells[0])?;
        let at = moment(held).ok_or_else(error::bad_moment)?;
        Ok(Cell::Text(match part {
            Part::Month => at.month().to_string(),
            Part::WeekDay => at.weekday().to_string(),
            other => number(other, held)?.to_string(),
        }))
    }))
}

fn end_of_month(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 2)?;
    let value = date(binder, &args[0])?;
    let zero = Typed::new("0".to_owned(), SqlType::Int, false);
    let months = match args.get(1) {
        Some(months) => binder.cast_to_int(months)?,
        None => zero,
    };
    Ok(binder.strict("eomonth", &[&value, &months], SqlType::Date, |cells| {
        let overflow = || error::moment_added("date");
        let held = add_months(int(&cells[0])?, int(&cells[1])?).ok_or_else(overflow)?;
        let at = moment(held).ok_or_else(overflow)?;
        let last = at.replace_day(at.month().length(at.year())).map_err(|_| overflow())?;
        Ok(Cell::Integer(ticks(last) - ticks(last).rem_euclid(DAY)))
    }))
}

fn from_parts(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 3, 3)?;
    let parts = args.iter().map(|arg| binder.cast_to_int(arg)).collect::<Result<Vec<_>, _>>()?;
    Ok(binder.strict("datefromparts", &[&parts[0], &parts[1], &parts[2]], SqlType::Date, |cells| {
        let wrong = || {
            ServerError::new(
                289,
                "Cannot construct data type date, some of the arguments have values which are not valid.",
            )
        };
        let part = |place: usize| int(&cells[place]);
        let year = i32::try_from(part(0)?).ok().filter(|year| (1..=9999).contains(year)).ok_or_else(wrong)?;
        let month =
            u8::try_from(part(1)?).ok().and_then(|month| Month::try_from(month).ok()).ok_or_else(wrong)?;
        let day = u8::try_from(part(2)?).map_err(|_| wrong())?;
        let date = Date::from_calendar_date(year, month, day).map_err(|_| wrong())?;
        Ok(Cell::Integer(ticks(date.midnight())))
    }))
}

impl Binder<'_> {
    /// An argument that the function takes as int; decimals are cut.
    pub(crate) fn cast_to_int(&mut self, value: &Typed) -> Bound {
        self.coerce(value, SqlType::Int)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn months_end_where_they_must() {
        let held = ticks(datetime!(2024-01-31 10:00));
        assert_eq!(moment(add_months(held, 1).unwrap()), Some(datetime!(2024-02-29 10:00)));
        assert_eq!(moment(add_months(held, -11).unwrap()), Some(datetime!(2023-02-28 10:00)));
        assert_eq!(add_months(held, 12 * 9000), None);
    }

    #[test]
    fn parts_and_boundaries() {
        let saturday = ticks(datetime!(2024-03-02 23:59:59));
        let sunday = ticks(datetime!(2024-03-03 0:00));
        assert_eq!(count(Part::Week, sunday).unwrap() - count(Part::Week, saturday).unwrap(), 1);
        assert_eq!(number(Part::WeekDay, sunday).unwrap(), 1);
        assert_eq!(number(Part::Week, ticks(datetime!(2024-01-01 0:00))).unwrap(), 1);
        assert_eq!(number(Part::Quarter, sunday).unwrap(), 1);
    }
}

//! Dates and times: their text forms, their ranges, their precision.

use time::{Date, Month, PrimitiveDateTime, Time};

use crate::answer::{ServerError, SqlType};
use crate::query::cell::{DAY, SECOND, moment, ticks};
use crate::query::{decimal, error};

/// 1900-01-01 in ticks, the zero of `datetime`.
pub(crate) const BASE: i64 = 693_595 * DAY;
/// 1753-01-01 in ticks, the first `datetime`.
const FIRST: i64 = 639_905 * DAY;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// One date or time type to another.
pub(crate) fn cast(held: i64, from: SqlType, to: SqlType) -> Result<i64, ServerError> {
    let full =
        if matches!(from, SqlType::Time(_)) && !matches!(to, SqlType::Time(_)) { held + BASE } else { held };
    fit(full, to, || error::moment_range(error::type_name(from), error::type_name(to)))
}

/// Rounds an instant to the precision of its type and checks its range.
fn fit(held: i64, to: SqlType, wrong: impl Fn() -> ServerError) -> Result<i64, ServerError> {
    let rounded = match to {
        SqlType::Date => held - held.rem_euclid(DAY),
        SqlType::Time(scale) => round_to(held.rem_euclid(DAY), scale)? % DAY,
        SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale) => round_to(held, scale)?,
        SqlType::DateTime => thirds(held),
        SqlType::SmallDateTime => {
            let minute = 60 * SECOND;
            // Rounded from the value in thirds of a hundredth, as the engine does: 29.998 s is down, 29.999 s is up.
            let near = thirds(held);
            (near + minute / 2).div_euclid(minute) * minute
        }
        other => return Err(error::converting("cell", error::type_name(other))),
    };
    let classic = matches!(to, SqlType::DateTime | SqlType::SmallDateTime);
    let low = if to == SqlType::SmallDateTime { BASE } else { FIRST };
    if (classic && rounded < low) || moment(rounded).is_none() {
        return Err(wrong());
    }
    // Two bytes of days: the last is 2079-06-06.
    if to == SqlType::SmallDateTime && rounded >= BASE + 65_536 * DAY {
        return Err(wrong());
    }
    Ok(rounded)
}

fn round_to(held: i64, scale: u8) -> Result<i64, ServerError> {
    let unit = 10i64.checked_pow(7u32.saturating_sub(u32::from(scale))).ok_or_else(error::bad_moment)?;
    Ok((held + unit / 2).div_euclid(unit) * unit)
}

/// `datetime` counts three-hundredths of a second.
fn thirds(held: i64) -> i64 {
    let (day, within) = (held - held.rem_euclid(DAY), held.rem_euclid(DAY));
    let count = decimal::round_div(i128::from(within) * 300, i128::from(SECOND));
    day + i64::try_from(decimal::round_div(count * i128::from(SECOND), 300)).unwrap_or(0)
}

/// Days since 1900 to an instant.
pub(crate) fn from_days(days: i64, to: SqlType) -> Result<i64, ServerError> {
    let wrong = || error::expression_overflow(error::type_name(to));
    let held = days.checked_mul(DAY).and_then(|ticks| ticks.checked_add(BASE)).ok_or_else(wrong)?;
    fit(held, to, wrong)
}

/// Reads a date or time. Only forms that mean the same in every language are read: `yyyymmdd`, `yyyy-mm-dd`, with an
/// optional time after a blank or `T`, or a time alone. Other forms are refused as outside the subset, not as wrong.
pub(crate) fn parse(text: &str, to: SqlType, style: Option<i64>) -> Result<i64, ServerError> {
    if !matches!(style.unwrap_or(0), 0 | 20 | 21 | 23 | 112 | 120 | 121 | 126 | 127) {
        return Err(error::outside(1, "style of a date"));
    }
    let text = text.trim_matches(' ');
    if text.is_empty() {
        return fit(BASE, to, error::bad_moment);
    }
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(error::bad_moment());
    }
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (Some(date), Some(time.trim_start_matches(' '))),
        None if text.contains(':') => (None, Some(text)),
        None => (Some(text), None),
    };
    let day = match date {
        Some(date) => day(date)?,
        None => BASE,
    };
    let within = match time {
        Some(time) => within(in_utc(time)?)?,
        None => 0,
    };
    fit(day + within, to, || match to {
        SqlType::DateTime | SqlType::SmallDateTime => error::moment_range("varchar", error::type_name(to)),
        _ => error::bad_moment(),
    })
}

/// The time of a text without its offset. What another offset was is not kept, so it is not read.
fn in_utc(text: &str) -> Result<&str, ServerError> {
    let plain =
        text.strip_suffix("+00:00").or_else(|| text.strip_suffix('Z')).unwrap_or(text).trim_end_matches(' ');
    if plain.contains(['+', '-']) { Err(error::outside(1, "offset of a datetimeoffset")) } else { Ok(plain) }
}

fn number<T: std::str::FromStr>(digits: &str) -> Result<T, ServerError> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error::outside(1, "form of a date"));
    }
    digits.parse().map_err(|_| error::bad_moment())
}

fn day(text: &str) -> Result<i64, ServerError> {
    let (year, month, day) = match text.split('-').collect::<Vec<_>>()[..] {
        [year, month, day] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => (year, month, day),
        [whole] if whole.len() == 8 && whole.is_ascii() => (&whole[..4], &whole[4..6], &whole[6..]),
        _ => return Err(error::outside(1, "form of a date")),
    };
    let month = Month::try_from(number::<u8>(month)?).map_err(|_| error::bad_moment())?;
    let date = Date::from_calendar_date(number::<i32>(year)?, month, number::<u8>(day)?)
        .map_err(|_| error::bad_moment())?;
    if date.year() < 1 {
        return Err(error::bad_moment());
    }
    Ok(ticks(PrimitiveDateTime::new(date, Time::MIDNIGHT)))
}

fn within(text: &str) -> Result<i64, ServerError> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (hour, minute, second) = match clock.split(':').collect::<Vec<_>>()[..] {
        [hour, minute] => (hour, minute, "0"),
        [hour, minute, second] => (hour, minute, second),
        _ => return Err(error::outside(1, "form of a time")),
    };
    let time =
        Time::from_hms(number(hour)?, number(minute)?, number(second)?).map_err(|_| error::bad_moment())?;
    if fraction.len() > 7 {
        return Err(error::bad_moment());
    }
    let fraction: i64 = if fraction.is_empty() { 0 } else { number(&format!("{fraction:0<7}"))? };
    Ok(ticks(PrimitiveDateTime::new(Date::from_ordinal_date(1, 1).map_err(|_| error::bad_moment())?, time))
        + fraction)
}

/// Writes a date or time in a style.
pub(crate) fn print(
    held: i64,
    from: SqlType,
    to: SqlType,
    style: Option<i64>,
) -> Result<String, ServerError> {
    let classic = matches!(from, SqlType::DateTime | SqlType::SmallDateTime);
    let style = style.unwrap_or(if classic { 0 } else { 121 });
    let now = moment(held).ok_or_else(error::bad_moment)?;
    let has_date = !matches!(from, SqlType::Time(_));
    let has_time = from != SqlType::Date;
    let date_part = |form: String| if has_date { form } else { String::new() };
    let (y, m, d) = (now.year(), u8::from(now.month()), now.day());
    let month = MONTHS[usize::from(m - 1)];
    let (hour, minute, second) = now.time().as_hms();
    let iso = date_part(format!("{y:04}-{m:02}-{d:02}"));
    let seconds = format!("{hour:02}:{minute:02}:{second:02}");
    let fraction = match from {
        SqlType::DateTimeOffset(_) => format!("{} +00:00", fraction(held, from)),
        _ => fraction(held, from),
    };
    let join = |date: String, time: String, between: &str| match (has_date, has_time) {
        (true, true) => format!("{date}{between}{time}"),
        (true, false) => date,
        _ => time,
    };
    let twelve = format!("{:>2}:{minute:02}{}", (hour + 11) % 12 + 1, if hour < 12 { "AM" } else { "PM" });
    let wrong = || Err(error::bad_style(style, error::type_name(from), error::type_name(to)));
    Ok(match style {
        0 | 100 => join(format!("{month} {d:>2} {y:04}"), twelve, " "),
        101 if has_date => format!("{m:02}/{d:02}/{y:04}"),
        102 if has_date => format!("{y:04}.{m:02}.{d:02}"),
        103 if has_date => format!("{d:02}/{m:02}/{y:04}"),
        104 if has_date => format!("{d:02}.{m:02}.{y:04}"),
        105 if has_date => format!("{d:02}-{m:02}-{y:04}"),
        106 if has_date => format!("{d:02} {month} {y:04}"),
        107 if has_date => format!("{month} {d:02}, {y:04}"),
        110 if has_date => format!("{m:02}-{d:02}-{y:04}"),
        111 if has_date => format!("{y:04}/{m:02}/{d:02}"),
        112 if has_date => format!("{y:04}{m:02}{d:02}"),
        23 if has_date => iso,
        8 | 24 | 108 if has_time => seconds,
        14 | 114 if has_time => format!("{seconds}:{}", &fraction.get(1..).unwrap_or("")),
        20 | 120 => join(iso, seconds, " "),
        21 | 25 | 121 => join(iso, format!("{seconds}{fraction}"), " "),
        // A datetime on a whole second has no fraction in these two.
        126 | 127 if classic && fraction == ".000" => join(iso, seconds, "T"),
        126 | 127 => join(iso, format!("{seconds}{fraction}"), "T"),
        _ => return wrong(),
    })
}

/// The fraction of a second as the type shows it, with its point.
fn fraction(held: i64, from: SqlType) -> String {
    let part = held.rem_euclid(SECOND);
    match from {
        SqlType::DateTime => format!(".{:03}", (part + 5_000) / 10_000),
        SqlType::SmallDateTime => ".000".to_owned(),
        SqlType::DateTime2(0) | SqlType::DateTimeOffset(0) | SqlType::Time(0) | SqlType::Date => {
            String::new()
        }
        SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale) | SqlType::Time(scale) => {
            let digits = format!("{part:07}");
            format!(".{}", &digits[..usize::from(scale.min(7))])
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str, ty: SqlType, style: i64) -> String {
        print(parse(text, ty, None).unwrap(), ty, SqlType::VarChar(40), Some(style)).unwrap()
    }

    #[test]
    fn constants_name_the_days_that_they_say() {
        assert_eq!(again("1900-01-01", SqlType::Date, 23), "1900-01-01");
        assert_eq!(parse("1900-01-01", SqlType::Date, None).unwrap(), BASE);
        assert_eq!(parse("1753-01-01", SqlType::Date, None).unwrap(), FIRST);
    }

    #[test]
    fn styles() {
        let ty = SqlType::DateTime;
        let at = "2024-03-05 14:07:09.123";
        for (style, expected) in [
            (0, "Mar  5 2024  2:07PM"),
            (101, "03/05/2024"),
            (112, "20240305"),
            (120, "2024-03-05 14:07:09"),
            (121, "2024-03-05 14:07:09.123"),
            (126, "2024-03-05T14:07:09.123"),
            (108, "14:07:09"),
        ] {
            assert_eq!(again(at, ty, style), expected);
        }
        assert_eq!(again("2024-03-05 14:07:09", ty, 126), "2024-03-05T14:07:09");
        assert_eq!(again("20240305", SqlType::DateTime2(3), 121), "2024-03-05 00:00:00.000");
    }

    #[test]
    fn datetime_is_rounded_to_thirds() {
        assert_eq!(again("2024-03-05T14:07:09.999", SqlType::DateTime, 121), "2024-03-05 14:07:10.000");
        assert_eq!(again("2024-03-05T14:07:09.996", SqlType::DateTime, 121), "2024-03-05 14:07:09.997");
    }

    #[test]
    fn the_last_smalldatetime_is_in_2079() {
        assert_eq!(again("2079-06-06 23:59", SqlType::SmallDateTime, 120), "2079-06-06 23:59:00");
        assert_eq!(parse("2079-06-07", SqlType::SmallDateTime, None).unwrap_err().number, 242);
    }

    #[test]
    fn a_datetimeoffset_is_in_utc() {
        let ty = SqlType::DateTimeOffset(3);
        for text in
            ["2024-03-05 14:07:09.1234 +00:00", "2024-03-05T14:07:09.1231Z", "2024-03-05 14:07:09.123"]
        {
            assert_eq!(again(text, ty, 121), "2024-03-05 14:07:09.123 +00:00");
        }
        assert_eq!(parse("2024-03-05 14:07 +02:00", ty, None).unwrap_err().number, 103_010);
        let held = parse("2024-03-05 14:07:09.123", SqlType::DateTime2(7), None).unwrap();
        assert_eq!(cast(held, ty, SqlType::DateTime2(7)).unwrap(), held);
    }

    #[test]
    fn wrong_dates_and_unknown_forms_differ() {
        assert_eq!(parse("2024-02-30", SqlType::Date, None).unwrap_err().number, 241);
        assert_eq!(parse("abc", SqlType::Date, None).unwrap_err().number, 241);
        assert_eq!(parse("5 March 2024", SqlType::Date, None).unwrap_err().number, 103_010);
        assert_eq!(parse("1700-01-01", SqlType::DateTime, None).unwrap_err().number, 242);
    }
}

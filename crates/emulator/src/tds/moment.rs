//! Dates and times as days and ticks (2.2.5.5.1.7 to 2.2.5.5.1.10).

use time::{Date, Duration, PrimitiveDateTime, Time};

use super::reader::{Malformed, Reader};

/// Julian day of 0001-01-01, where the new types start.
const YEAR_ONE: i32 = 1_721_426;
/// Julian day of 1900-01-01, where the old types start.
const YEAR_1900: i32 = 2_415_021;
const NANOS_PER_DAY: u64 = 86_400_000_000_000;
const TICKS_PER_DAY: u64 = 300 * 86_400;

/// Bytes of a time of day with `scale` decimals.
pub fn time_length(scale: u8) -> u8 {
    match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    }
}

/// A moment rounded to `scale` decimals of a second, as (days since 0001-01-01, units in the day).
fn rounded(moment: PrimitiveDateTime, scale: u8) -> (u32, u64) {
    let unit = 10_u64.pow(9 - u32::from(scale.min(7)));
    let units = (nanos(moment.time()) + unit / 2) / unit;
    let days = u32::try_from(moment.date().to_julian_day() - YEAR_ONE).unwrap_or(0);
    let per_day = NANOS_PER_DAY / unit;
    if units == per_day { (days + 1, 0) } else { (days, units) }
}

fn nanos(time: Time) -> u64 {
    let (hour, minute, second, nano) = time.as_hms_nano();
    (u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second)) * 1_000_000_000 + u64::from(nano)
}

/// `date`
pub fn put_date(out: &mut Vec<u8>, moment: PrimitiveDateTime) {
    let days = u32::try_from(moment.date().to_julian_day() - YEAR_ONE).unwrap_or(0);
    out.extend_from_slice(&days.to_le_bytes()[..3]);
}

/// `time(scale)`. What rounds up to midnight stays one unit before it, for there is no next day.
pub fn put_time(out: &mut Vec<u8>, moment: PrimitiveDateTime, scale: u8) {
    let (days, mut units) = rounded(moment, scale);
    if days != rounded(PrimitiveDateTime::new(moment.date(), Time::MIDNIGHT), scale).0 {
        units = NANOS_PER_DAY / 10_u64.pow(9 - u32::from(scale.min(7))) - 1;
    }
    out.extend_from_slice(&units.to_le_bytes()[..usize::from(time_length(scale))]);
}

/// `datetime2(scale)`
pub fn put_datetime2(out: &mut Vec<u8>, moment: PrimitiveDateTime, scale: u8) {
    let (days, units) = rounded(moment, scale);
    out.extend_from_slice(&units.to_le_bytes()[..usize::from(time_length(scale))]);
    out.extend_from_slice(&days.to_le_bytes()[..3]);
}

/// `datetime`: days since 1900 and three-hundredths of a second.
pub fn put_datetime(out: &mut Vec<u8>, moment: PrimitiveDateTime) {
    let mut days = moment.date().to_julian_day() - YEAR_1900;
    let mut ticks = (nanos(moment.time()) * 300 + 500_000_000) / 1_000_000_000;
    if ticks == TICKS_PER_DAY {
        days += 1;
        ticks = 0;
    }
    out.extend_from_slice(&days.to_le_bytes());
    out.extend_from_slice(&u32::try_from(ticks).unwrap_or(0).to_le_bytes());
}

/// `smalldatetime`: days since 1900 and minutes, rounded at 30 seconds.
pub fn put_smalldatetime(out: &mut Vec<u8>, moment: PrimitiveDateTime) {
    let rounded = moment.checked_add(Duration::seconds(30)).unwrap_or(moment);
    let days = u16::try_from(rounded.date().to_julian_day() - YEAR_1900).unwrap_or(0);
    let minutes = u16::from(rounded.hour()) * 60 + u16::from(rounded.minute());
    out.extend_from_slice(&days.to_le_bytes());
    out.extend_from_slice(&minutes.to_le_bytes());
}

fn date_from(days: i64, origin: i32) -> Result<Date, Malformed> {
    i32::try_from(days + i64::from(origin))
        .ok()
        .and_then(|day| Date::from_julian_day(day).ok())
        .filter(|date| (1..=9999).contains(&date.year()))
        .ok_or(Malformed("date out of range"))
}

fn time_from(nanos: u64) -> Result<Time, Malformed> {
    if nanos >= NANOS_PER_DAY {
        return Err(Malformed("time out of range"));
    }
    Ok(Time::MIDNIGHT + Duration::nanoseconds(i64::try_from(nanos).unwrap_or(0)))
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// Read a `date`.
pub fn date(reader: &mut Reader<'_>) -> Result<Date, Malformed> {
    let days = little(reader.take(3)?);
    date_from(i64::try_from(days).unwrap_or(0), YEAR_ONE)
}

/// Read a time of day of `length` bytes.
pub fn time(reader: &mut Reader<'_>, length: usize, scale: u8) -> Result<Time, Malformed> {
    if scale > 7 || length != usize::from(time_length(scale)) {
        return Err(Malformed("length of a time"));
    }
    let units = little(reader.take(length)?);
    time_from(units.saturating_mul(10_u64.pow(9 - u32::from(scale))))
}

/// Read a `datetimeoffset` whose time has `length` bytes. The wire has UTC; the offset only says how to show it.
pub fn datetimeoffset(
    reader: &mut Reader<'_>,
    length: usize,
    scale: u8,
) -> Result<PrimitiveDateTime, Malformed> {
    let time = time(reader, length, scale)?;
    let date = date(reader)?;
    reader.u16()?;
    Ok(PrimitiveDateTime::new(date, time))
}

/// Read a `datetime`.
pub fn datetime(reader: &mut Reader<'_>) -> Result<PrimitiveDateTime, Malformed> {
    let days = i32::from_le_bytes(reader.array()?);
    let ticks = u64::from(reader.u32()?);
    // Thirds of a hundredth are shown as .000, .003 and .007.
    let millis = (ticks * 10 + 1) / 3;
    Ok(PrimitiveDateTime::new(date_from(i64::from(days), YEAR_1900)?, time_from(millis * 1_000_000)?))
}

/// Read a `smalldatetime`.
pub fn smalldatetime(reader: &mut Reader<'_>) -> Result<PrimitiveDateTime, Malformed> {
    let days = reader.u16()?;
    let minutes = u64::from(reader.u16()?);
    Ok(PrimitiveDateTime::new(date_from(i64::from(days), YEAR_1900)?, time_from(minutes * 60_000_000_000)?))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime as at;

    use super::*;

    #[test]
    fn datetime2_reads_back_at_every_scale() {
        let moment = at!(2024-02-29 23:59:58.1234567);
        for scale in 0..=7 {
            let mut out = Vec::new();
            put_datetime2(&mut out, moment, scale);
            let mut reader = Reader::new(&out);
            let time = time(&mut reader, usize::from(time_length(scale)), scale).unwrap();
            let date = date(&mut reader).unwrap();
            assert!(reader.is_empty());
            let difference = (PrimitiveDateTime::new(date, time) - moment).abs();
            assert!(
                difference * 2 <= Duration::nanoseconds(10_i64.pow(9 - u32::from(scale))),
                "scale {scale}"
            );
        }
    }

    #[test]
    fn rounding_reaches_the_next_day_where_there_is_one() {
        let late = at!(2024-12-31 23:59:59.999999);
        let mut out = Vec::new();
        put_datetime2(&mut out, late, 0);
        let mut reader = Reader::new(&out);
        assert_eq!(time(&mut reader, 3, 0), Ok(Time::MIDNIGHT));
        assert_eq!(date(&mut reader).unwrap().to_string(), "2025-01-01");

        let mut out = Vec::new();
        put_time(&mut out, late, 0);
        assert_eq!(time(&mut Reader::new(&out), 3, 0).unwrap().as_hms(), (23, 59, 59));

        let mut out = Vec::new();
        put_datetime(&mut out, late);
        assert_eq!(datetime(&mut Reader::new(&out)), Ok(at!(2025-01-01 0:00)));
    }

    #[test]
    fn the_old_types_read_back() {
        for moment in [at!(1900-01-01 0:00), at!(1753-01-01 0:00), at!(2079-06-06 12:34:56.007)] {
            let mut out = Vec::new();
            put_datetime(&mut out, moment);
            assert_eq!(datetime(&mut Reader::new(&out)), Ok(moment));
        }
        let mut out = Vec::new();
        put_smalldatetime(&mut out, at!(2024-05-01 10:10:30));
        assert_eq!(smalldatetime(&mut Reader::new(&out)), Ok(at!(2024-05-01 10:11)));
    }

    #[test]
    fn impossible_moments_are_errors() {
        assert!(date(&mut Reader::new(&[0xFF, 0xFF, 0xFF])).is_err());
        assert!(time(&mut Reader::new(&[0xFF; 5]), 5, 7).is_err());
        assert!(time(&mut Reader::new(&[0; 5]), 5, 8).is_err());
        assert!(datetime(&mut Reader::new(&[0xFF, 0xFF, 0xFF, 0x7F, 0, 0, 0, 0])).is_err());
        assert!(datetime(&mut Reader::new(&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF])).is_err());
    }
}

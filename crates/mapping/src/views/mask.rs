//! Whether a mask fits a column's type. A mask gives values of that type, or is refused with what would do.

use axon_reconcile::ColumnType;
use axon_reconcile::view_body::{Literal, TypedMask};

use super::rows::date;
use crate::secure_view::Mask;

/// What is wrong, and what to do about it.
type Refused = (String, String);

/// The digits of a hash: fewer would be equal for values that are not.
const FEWEST_DIGITS: u16 = 16;
/// Digits of SHA-256 in hexadecimal.
const ALL_DIGITS: u16 = 64;
/// The longest text that is hashed: with the key before it, it is a text of 4,000 characters, of which a pool cuts all that is more.
const LONGEST_HASHED: u16 = 4_000 - 64;
/// The longest text that is masked by its parts; longer columns are `max`.
const LONGEST: u16 = 8_000;

/// How dates are written.
pub(super) const DATE: &str = "write a date from 1900 to 2078 as 2020-12-31";

fn no<T>(why: impl Into<String>, help: impl Into<String>) -> Result<T, Refused> {
    Err((why.into(), help.into()))
}

/// The length of a text column, or that it is none.
fn length(ty: ColumnType) -> Result<u16, Refused> {
    match ty {
        ColumnType::Text { length, .. } => Ok(length.unwrap_or(LONGEST)),
        _ => no("it masks texts", "use null, redact or constant"),
    }
}

fn dated(ty: ColumnType) -> bool {
    matches!(
        ty,
        ColumnType::Date | ColumnType::DateTime | ColumnType::SmallDateTime | ColumnType::DateTime2(_)
    )
}

/// The mask for a column of this type, whose key in the managed schema would be `key`.
pub(super) fn typed(mask: &Mask, ty: ColumnType, key: &str) -> Result<TypedMask, Refused> {
    if ty == ColumnType::Other {
        return no("a mask gives values of the column's type", "hide the column");
    }
    Ok(match mask {
        Mask::Null => TypedMask::Null,
        Mask::Redact => TypedMask::Fixed(redacted(ty)?),
        Mask::Constant(text) => TypedMask::Fixed(constant(text, ty)?),
        Mask::Hash => {
            if matches!(ty, ColumnType::Text { length, .. } if length.is_none_or(|n| n > LONGEST_HASHED)) {
                return no("a pool hashes no text of that length", "use null or redact");
            }
            let digits = length(ty)?.min(ALL_DIGITS);
            if digits < FEWEST_DIGITS {
                let help = format!("a hash needs {FEWEST_DIGITS} characters: use null, redact or digits");
                return no("the column is too short", help);
            }
            TypedMask::Hash { key: key.to_owned(), digits }
        }
        Mask::Email => {
            if length(ty)? < 12 {
                return no(
                    "the column is too short",
                    "an email mask needs 12 characters: use null or redact",
                );
            }
            TypedMask::Email
        }
        Mask::Last(n) | Mask::First(n) => {
            let room = length(ty)?.saturating_sub(3);
            let Some(n) = u16::try_from(*n).ok().filter(|n| *n <= room) else {
                let help = match room {
                    0 => "`***` leaves no room: use null or redact".to_owned(),
                    _ => {
                        format!("beside `***` there is room for {room}: show no more, or use null or redact")
                    }
                };
                return no("the column is too short", help);
            };
            if matches!(mask, Mask::Last(_)) { TypedMask::Last(n) } else { TypedMask::First(n) }
        }
        Mask::Digits => {
            length(ty)?;
            TypedMask::Digits
        }
        Mask::Round(n) => {
            lowest(ty)?;
            TypedMask::Round(*n)
        }
        Mask::Bucket(n) => {
            let (lowest, scale) = lowest(ty)?;
            let Some(width) = i128::from(*n).checked_mul(10_i128.pow(scale)) else {
                return no("a bucket is wider than all values of the type", "use a smaller number");
            };
            // Below its lowest range that begins within the type there is only the lowest value itself.
            let safe = lowest - lowest % width;
            TypedMask::Bucket { width: *n, lowest: units(lowest, scale), safe: units(safe, scale) }
        }
        Mask::Year | Mask::Month if !dated(ty) => {
            return no("it masks dates", "use null, redact or constant");
        }
        Mask::Year => TypedMask::Year,
        Mask::Month => TypedMask::Month,
    })
}

/// The lowest value of a number's type in units of its last digit, and how many digits follow the point.
fn lowest(ty: ColumnType) -> Result<(i128, u32), Refused> {
    Ok(match ty {
        ColumnType::TinyInt => (0, 0),
        ColumnType::SmallInt => (i16::MIN.into(), 0),
        ColumnType::Int => (i32::MIN.into(), 0),
        ColumnType::BigInt => (i64::MIN.into(), 0),
        ColumnType::Money => (i64::MIN.into(), 4),
        ColumnType::SmallMoney => (i32::MIN.into(), 4),
        ColumnType::Decimal(precision, scale) if precision <= 38 && scale <= precision => {
            (1 - 10_i128.pow(precision.into()), scale.into())
        }
        _ => return no("it masks exact numbers", "use null, redact or constant"),
    })
}

/// A number from units of its last digit.
fn units(value: i128, scale: u32) -> String {
    let one = 10_u128.pow(scale);
    let (whole, part) = (value.unsigned_abs() / one, value.unsigned_abs() % one);
    let sign = if value < 0 { "-" } else { "" };
    match usize::try_from(scale) {
        Ok(0) | Err(_) => format!("{sign}{whole}"),
        Ok(digits) => format!("{sign}{whole}.{part:0digits$}"),
    }
}

fn redacted(ty: ColumnType) -> Result<Literal, Refused> {
    Ok(match ty {
        ColumnType::Text { length, .. } => Literal::Text("*".repeat(length.unwrap_or(3).min(3).into())),
        ColumnType::Binary { .. } => Literal::Bytes,
        ColumnType::UniqueIdentifier => Literal::Text("00000000-0000-0000-0000-000000000000".into()),
        _ if dated(ty) => Literal::Text("19000101".into()),
        ColumnType::Time(_) | ColumnType::DateTimeOffset(_) | ColumnType::Other => {
            return no("no value of this type stands for what is hidden", "use null");
        }
        _ => Literal::Number("0".into()),
    })
}

fn constant(text: &str, ty: ColumnType) -> Result<Literal, Refused> {
    if let ColumnType::Text { national, length, .. } = ty {
        if length.is_some_and(|length| text.encode_utf16().count() > length.into()) {
            return no("the constant is longer than the column", "use a shorter one");
        }
        if !national && !text.is_ascii() {
            return no("the column may not hold all of its characters", "use a constant of plain ASCII");
        }
        return Ok(Literal::Text(text.to_owned()));
    }
    if dated(ty) {
        return match date(text) {
            Some(date) => Ok(Literal::Text(date)),
            None => no("the constant is no date", DATE),
        };
    }
    let wrong = || ("the constant is no value of that type".to_owned(), "use null or redact".to_owned());
    number(text, ty).map(Literal::Number).ok_or_else(wrong)
}

/// A number that a column of this type can hold, in one spelling.
pub(super) fn number(text: &str, ty: ColumnType) -> Option<String> {
    if ty == ColumnType::Bit {
        return matches!(text, "0" | "1").then(|| text.to_owned());
    }
    let (lowest, scale) = lowest(ty).ok()?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |t: &str| t.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(part) || part.len() > usize::try_from(scale).ok()? {
        return None;
    }
    let padded = format!("{whole}{part:0<width$}", width = usize::try_from(scale).ok()?);
    let value = padded.parse::<i128>().ok()? * sign;
    let highest = match ty {
        ColumnType::TinyInt => 255,
        ColumnType::Decimal(..) => -lowest,
        _ => -(lowest + 1),
    };
    (lowest..=highest).contains(&value).then(|| units(value, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: ColumnType = ColumnType::Text { national: true, fixed: false, length: Some(20) };
    const CODE: ColumnType = ColumnType::Text { national: false, fixed: true, length: Some(4) };
    const BODY: ColumnType = ColumnType::Text { national: true, fixed: false, length: None };

    fn fits(mask: &str, ty: ColumnType) -> Option<TypedMask> {
        typed(&crate::secure_view::Mask::parse(mask).unwrap(), ty, "k").ok()
    }

    #[test]
    fn a_mask_gives_the_columns_type_or_is_refused() {
        for (mask, ty) in [
            ("null", ColumnType::Time(7)),
            ("redact", ColumnType::Int),
            ("redact", ColumnType::Binary { fixed: true, length: Some(4) }),
            ("constant('-12.50')", ColumnType::Decimal(4, 2)),
            ("constant('2020-02-29')", ColumnType::Date),
            ("hash", NAME),
            ("hash", ColumnType::Text { national: false, fixed: false, length: Some(3_936) }),
            ("last(17)", NAME),
            ("first(1)", CODE),
            ("digits", BODY),
            ("round(10)", ColumnType::Money),
            ("constant('214748.3647')", ColumnType::SmallMoney),
            ("bucket(10)", ColumnType::Decimal(38, 2)),
            ("year", ColumnType::DateTime2(7)),
        ] {
            assert!(fits(mask, ty).is_some(), "{mask} {ty}");
        }
        for (mask, ty) in [
            ("null", ColumnType::Other),
            ("redact", ColumnType::Time(7)),
            ("constant('-123.50')", ColumnType::Decimal(4, 2)),
            ("constant('256')", ColumnType::TinyInt),
            ("constant('214748.3648')", ColumnType::SmallMoney),
            ("constant('2021-02-29')", ColumnType::Date),
            ("constant('ü')", CODE),
            ("constant('too long')", CODE),
            ("hash", CODE),
            ("hash", BODY),
            ("hash", ColumnType::Text { national: false, fixed: false, length: Some(3_937) }),
            ("hash", ColumnType::Int),
            ("last(18)", NAME),
            ("first(2)", CODE),
            ("email", CODE),
            ("round(10)", ColumnType::Float),
            ("round(10)", NAME),
            ("bucket(1000)", ColumnType::Decimal(38, 38)),
            ("year", ColumnType::Time(0)),
            ("month", ColumnType::DateTimeOffset(7)),
        ] {
            assert!(fits(mask, ty).is_none(), "{mask} {ty}");
        }
        let bucket = fits("bucket(10)", ColumnType::Decimal(4, 2)).unwrap();
        let ends = TypedMask::Bucket { width: 10, lowest: "-99.99".into(), safe: "-90.00".into() };
        assert_eq!(bucket, ends);
    }
}

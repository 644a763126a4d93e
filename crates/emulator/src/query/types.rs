//! Families of types and how two types become one.

use crate::answer::{ServerError, SqlType};
use crate::query::error::{clash, type_name};

/// How values of a type are held while a query runs; see [`crate::query::cell`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Bit,
    Integer,
    Float,
    /// Held as a whole number of units of 10 to the minus scale.
    Decimal,
    Text,
    Binary,
    Guid,
    /// Dates and times.
    Moment,
}

/// The family of a type.
pub(crate) fn family(ty: SqlType) -> Family {
    match ty {
        SqlType::Bit => Family::Bit,
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => Family::Integer,
        SqlType::Real | SqlType::Float => Family::Float,
        SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney => Family::Decimal,
        SqlType::NVarChar(_) | SqlType::NChar(_) | SqlType::VarChar(_) | SqlType::Char(_) => Family::Text,
        SqlType::VarBinary(_) | SqlType::Binary(_) => Family::Binary,
        SqlType::UniqueIdentifier => Family::Guid,
        SqlType::DateTime
        | SqlType::SmallDateTime
        | SqlType::DateTime2(_)
        | SqlType::DateTimeOffset(_)
        | SqlType::Date
        | SqlType::Time(_) => Family::Moment,
    }
}

/// Whether values are character strings.
pub(crate) fn is_text(ty: SqlType) -> bool {
    family(ty) == Family::Text
}

/// Whether arithmetic is defined on it.
pub(crate) fn is_number(ty: SqlType) -> bool {
    matches!(family(ty), Family::Bit | Family::Integer | Family::Float | Family::Decimal)
}

/// Whether a character type holds UTF-16.
pub(crate) fn is_national(ty: SqlType) -> bool {
    matches!(ty, SqlType::NVarChar(_) | SqlType::NChar(_))
}

/// Length of a character or binary type in its units; 0 is `max`.
pub(crate) fn length(ty: SqlType) -> u16 {
    match ty {
        SqlType::NVarChar(n)
        | SqlType::NChar(n)
        | SqlType::VarChar(n)
        | SqlType::Char(n)
        | SqlType::VarBinary(n)
        | SqlType::Binary(n) => n,
        _ => 0,
    }
}

/// A varying character type of this width; `units` beyond the limit of a type are cut to it, 0 is `max`.
pub(crate) fn text_type(national: bool, units: u32) -> SqlType {
    let limit = if national { 4000 } else { 8000 };
    let units = u16::try_from(units.min(limit)).unwrap_or(8000);
    if national { SqlType::NVarChar(units) } else { SqlType::VarChar(units) }
}

/// Precision and scale of a number as a decimal.
pub(crate) fn as_decimal(ty: SqlType) -> (u8, u8) {
    match ty {
        SqlType::Decimal { precision, scale } => (precision, scale),
        SqlType::Money => (19, 4),
        SqlType::SmallMoney => (10, 4),
        SqlType::Bit => (1, 0),
        SqlType::TinyInt => (3, 0),
        SqlType::SmallInt => (5, 0),
        SqlType::BigInt => (19, 0),
        _ => (10, 0),
    }
}

/// Whether it is one of the two types of money, whose arithmetic keeps four decimals.
pub(crate) fn is_money(ty: SqlType) -> bool {
    matches!(ty, SqlType::Money | SqlType::SmallMoney)
}

/// Scale of a decimal or money type.
pub(crate) fn scale(ty: SqlType) -> u8 {
    as_decimal(ty).1
}

/// Place in the order of type precedence; the higher type wins.
fn rank(ty: SqlType) -> u8 {
    match ty {
        SqlType::Binary(_) => 0,
        SqlType::VarBinary(_) => 1,
        SqlType::Char(_) => 2,
        SqlType::VarChar(_) => 3,
        SqlType::NChar(_) => 4,
        SqlType::NVarChar(_) => 5,
        SqlType::UniqueIdentifier => 6,
        SqlType::Bit => 7,
        SqlType::TinyInt => 8,
        SqlType::SmallInt => 9,
        SqlType::Int => 10,
        SqlType::BigInt => 11,
        SqlType::SmallMoney => 12,
        SqlType::Money => 13,
        SqlType::Decimal { .. } => 14,
        SqlType::Real => 15,
        SqlType::Float => 16,
        SqlType::Time(_) => 17,
        SqlType::Date => 18,
        SqlType::SmallDateTime => 19,
        SqlType::DateTime => 20,
        SqlType::DateTime2(_) => 21,
        SqlType::DateTimeOffset(_) => 22,
    }
}

/// The type that holds values of both (CASE, UNION, comparisons), or 206 where none does.
pub(crate) fn unify(left: SqlType, right: SqlType) -> Result<SqlType, ServerError> {
    let (low, high) = if rank(left) <= rank(right) { (left, right) } else { (right, left) };
    if !implicit(low, high) {
        return Err(clash(type_name(left), type_name(right)));
    }
    let widest = |a: u16, b: u16| if a == 0 || b == 0 { 0 } else { a.max(b) };
    Ok(match high {
        SqlType::NVarChar(n) => SqlType::NVarChar(widest(n, length(low))),
        SqlType::VarChar(n) => SqlType::VarChar(widest(n, length(low))),
        SqlType::NChar(n) => match low {
            SqlType::VarChar(m) => SqlType::NVarChar(widest(n, m)),
            _ => SqlType::NChar(n.max(length(low))),
        },
        SqlType::Char(n) => SqlType::Char(n.max(length(low))),
        SqlType::VarBinary(n) => SqlType::VarBinary(widest(n, length(low))),
        SqlType::Binary(n) => SqlType::Binary(n.max(length(low))),
        SqlType::Decimal { precision, scale } if is_number(low) => {
            let (p, s) = as_decimal(low);
            let scale_of_both = scale.max(s);
            let whole = (precision - scale).max(p - s);
            decimal(u32::from(whole) + u32::from(scale_of_both), u32::from(scale_of_both))
        }
        SqlType::DateTime2(n) => match low {
            SqlType::DateTime2(m) | SqlType::Time(m) => SqlType::DateTime2(n.max(m)),
            SqlType::DateTime => SqlType::DateTime2(n.max(7)),
            _ => SqlType::DateTime2(n),
        },
        SqlType::DateTimeOffset(n) => match low {
            SqlType::DateTimeOffset(m) | SqlType::DateTime2(m) | SqlType::Time(m) => {
                SqlType::DateTimeOffset(n.max(m))
            }
            _ => SqlType::DateTimeOffset(n),
        },
        SqlType::Time(n) => match low {
            SqlType::Time(m) => SqlType::Time(n.max(m)),
            _ => SqlType::Time(n),
        },
        other => other,
    })
}

/// A decimal type, narrowed to 38 digits as the engine does: scale gives way, but not below 6.
pub(crate) fn decimal(precision: u32, scale: u32) -> SqlType {
    let (mut precision, mut scale) = (precision.max(1), scale);
    if precision > 38 {
        let whole = precision - scale;
        scale = scale.min(38u32.saturating_sub(whole).max(scale.min(6)));
        precision = 38;
    }
    SqlType::Decimal {
        precision: u8::try_from(precision).unwrap_or(38),
        scale: u8::try_from(scale).unwrap_or(38),
    }
}

/// Whether `from` becomes `to` without CAST.
pub(crate) fn implicit(from: SqlType, to: SqlType) -> bool {
    use Family::{Binary, Bit, Decimal, Float, Guid, Integer, Moment, Text};
    let classic = matches!(to, SqlType::DateTime | SqlType::SmallDateTime);
    match (family(from), family(to)) {
        (Bit | Integer | Decimal | Float, Bit | Integer | Decimal | Float)
        | (Text, Bit | Integer | Decimal | Float | Text | Guid | Moment)
        | (Bit | Integer | Float | Decimal | Guid | Moment, Text)
        | (Binary, Binary)
        | (Guid, Guid) => true,
        // time and date share no instant; text is read as either.
        (Moment, Moment) => {
            !matches!((from, to), (SqlType::Time(_), SqlType::Date) | (SqlType::Date, SqlType::Time(_)))
        }
        (Bit | Integer | Decimal | Float, Moment) => classic,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_higher_type_wins_and_widens() {
        assert_eq!(unify(SqlType::Int, SqlType::NVarChar(5)).unwrap(), SqlType::Int);
        assert_eq!(unify(SqlType::VarChar(9), SqlType::NVarChar(5)).unwrap(), SqlType::NVarChar(9));
        assert_eq!(unify(SqlType::VarChar(0), SqlType::NVarChar(5)).unwrap(), SqlType::NVarChar(0));
        assert_eq!(
            unify(SqlType::Int, SqlType::Decimal { precision: 5, scale: 2 }).unwrap(),
            SqlType::Decimal { precision: 12, scale: 2 }
        );
        assert_eq!(unify(SqlType::Int, SqlType::Date).unwrap_err().number, 206);
        assert_eq!(unify(SqlType::VarBinary(4), SqlType::VarChar(4)).unwrap_err().number, 206);
    }

    #[test]
    fn wide_decimals_lose_scale_but_keep_six() {
        assert_eq!(decimal(48, 20), SqlType::Decimal { precision: 38, scale: 10 });
        assert_eq!(decimal(77, 10), SqlType::Decimal { precision: 38, scale: 6 });
    }
}

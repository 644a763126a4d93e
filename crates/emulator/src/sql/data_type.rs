//! Type names of declarations (`nvarchar(20)`, `decimal(10, 2)`) and their facts in `sys.types` and `sys.columns`.

use crate::answer::{ServerError, SqlType};
use crate::sql::cursor::Cursor;

/// Parses a type name with its length, or fails with 103010 at the first token that cannot belong to one.
///
/// Types that dedicated pools do not have (`xml`, `text`, `geography`, `sql_variant` …) are refused the same way.
pub fn parse(cursor: &mut Cursor<'_>) -> Result<SqlType, ServerError> {
    let at = cursor.mark();
    let name = cursor.expect_identifier()?.to_ascii_lowercase();
    let ty = match name.as_str() {
        "bit" => SqlType::Bit,
        "tinyint" => SqlType::TinyInt,
        "smallint" => SqlType::SmallInt,
        "int" | "integer" => SqlType::Int,
        "bigint" => SqlType::BigInt,
        "real" => SqlType::Real,
        "float" => match optional_number(cursor, 1, 53)? {
            Some(bits) if bits <= 24 => SqlType::Real,
            _ => SqlType::Float,
        },
        "decimal" | "numeric" | "dec" => decimal(cursor)?,
        "money" => SqlType::Money,
        "smallmoney" => SqlType::SmallMoney,
        "sysname" => SqlType::NVarChar(128),
        "nvarchar" => SqlType::NVarChar(length(cursor, 4000, true)?),
        "varchar" => SqlType::VarChar(length(cursor, 8000, true)?),
        "varbinary" => SqlType::VarBinary(length(cursor, 8000, true)?),
        "nchar" => SqlType::NChar(length(cursor, 4000, false)?),
        "char" | "character" => SqlType::Char(length(cursor, 8000, false)?),
        "binary" => SqlType::Binary(length(cursor, 8000, false)?),
        "uniqueidentifier" => SqlType::UniqueIdentifier,
        "datetime" => SqlType::DateTime,
        "smalldatetime" => SqlType::SmallDateTime,
        "date" => SqlType::Date,
        "time" => SqlType::Time(scale(cursor)?),
        "datetime2" => SqlType::DateTime2(scale(cursor)?),
        "datetimeoffset" => SqlType::DateTimeOffset(scale(cursor)?),
        _ => {
            cursor.rewind(at);
            return Err(cursor.unexpected());
        }
    };
    Ok(ty)
}

fn optional_number(cursor: &mut Cursor<'_>, least: u16, most: u16) -> Result<Option<u16>, ServerError> {
    if !cursor.eat_symbol("(") {
        return Ok(None);
    }
    let value = bounded(cursor, least, most)?;
    cursor.expect_symbol(")")?;
    Ok(Some(value))
}

fn bounded(cursor: &mut Cursor<'_>, least: u16, most: u16) -> Result<u16, ServerError> {
    let token = cursor.peek();
    let value: u16 = cursor.expect_integer()?;
    if (least..=most).contains(&value) { Ok(value) } else { Err(cursor.unexpected_at(token)) }
}

/// A length in parentheses; without one 1, as in declarations. `max` is 0.
fn length(cursor: &mut Cursor<'_>, most: u16, max_allowed: bool) -> Result<u16, ServerError> {
    if max_allowed && cursor.peek().is_symbol("(") && cursor.peek_at(1).is_word("max") {
        cursor.advance();
        cursor.advance();
        cursor.expect_symbol(")")?;
        return Ok(0);
    }
    Ok(optional_number(cursor, 1, most)?.unwrap_or(1))
}

fn scale(cursor: &mut Cursor<'_>) -> Result<u8, ServerError> {
    Ok(optional_number(cursor, 0, 7)?.map_or(7, |scale| u8::try_from(scale).unwrap_or(7)))
}

fn decimal(cursor: &mut Cursor<'_>) -> Result<SqlType, ServerError> {
    if !cursor.eat_symbol("(") {
        return Ok(SqlType::Decimal { precision: 18, scale: 0 });
    }
    let precision = bounded(cursor, 1, 38)?;
    let scale = if cursor.eat_symbol(",") { bounded(cursor, 0, precision)? } else { 0 };
    cursor.expect_symbol(")")?;
    Ok(SqlType::Decimal {
        precision: u8::try_from(precision).unwrap_or(38),
        scale: u8::try_from(scale).unwrap_or(0),
    })
}

/// What `sys.types` and `sys.columns` say of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeFacts {
    /// Name in `sys.types`.
    pub name: &'static str,
    /// `system_type_id` (and `user_type_id`, which is the same for these types).
    pub id: u8,
    /// `max_length` in bytes, -1 for `max`.
    pub max_length: i16,
    /// `precision`
    pub precision: u8,
    /// `scale`
    pub scale: u8,
    /// Whether it has a collation.
    pub textual: bool,
}

/// The facts of `ty`.
pub fn facts(ty: SqlType) -> TypeFacts {
    let fixed = |name, id, max_length, precision, scale| TypeFacts {
        name,
        id,
        max_length,
        precision,
        scale,
        textual: false,
    };
    let sized = |name, id, units: u16, width: i16, textual| TypeFacts {
        name,
        id,
        max_length: if units == 0 {
            -1
        } else {
            i16::try_from(units).unwrap_or(i16::MAX).saturating_mul(width)
        },
        precision: 0,
        scale: 0,
        textual,
    };
    match ty {
        SqlType::Bit => fixed("bit", 104, 1, 1, 0),
        SqlType::TinyInt => fixed("tinyint", 48, 1, 3, 0),
        SqlType::SmallInt => fixed("smallint", 52, 2, 5, 0),
        SqlType::Int => fixed("int", 56, 4, 10, 0),
        SqlType::BigInt => fixed("bigint", 127, 8, 19, 0),
        SqlType::Real => fixed("real", 59, 4, 24, 0),
        SqlType::Float => fixed("float", 62, 8, 53, 0),
        SqlType::Decimal { precision, scale } => {
            let bytes = match precision {
                0..=9 => 5,
                10..=19 => 9,
                20..=28 => 13,
                _ => 17,
            };
            fixed("decimal", 106, bytes, precision, scale)
        }
        SqlType::Money => fixed("money", 60, 8, 19, 4),
        SqlType::SmallMoney => fixed("smallmoney", 122, 4, 10, 4),
        SqlType::NVarChar(units) => sized("nvarchar", 231, units, 2, true),
        SqlType::NChar(units) => sized("nchar", 239, units, 2, true),
        SqlType::VarChar(units) => sized("varchar", 167, units, 1, true),
        SqlType::Char(units) => sized("char", 175, units, 1, true),
        SqlType::VarBinary(units) => sized("varbinary", 165, units, 1, false),
        SqlType::Binary(units) => sized("binary", 173, units, 1, false),
        SqlType::UniqueIdentifier => fixed("uniqueidentifier", 36, 16, 0, 0),
        SqlType::DateTime => fixed("datetime", 61, 8, 23, 3),
        SqlType::SmallDateTime => fixed("smalldatetime", 58, 4, 16, 0),
        SqlType::DateTime2(scale) => fixed("datetime2", 42, 6 + fraction_bytes(scale), 20 + scale, scale),
        SqlType::DateTimeOffset(scale) => {
            fixed("datetimeoffset", 43, 8 + fraction_bytes(scale), 27 + scale, scale)
        }
        SqlType::Date => fixed("date", 40, 3, 10, 0),
        SqlType::Time(scale) => fixed("time", 41, 3 + fraction_bytes(scale), 9 + scale, scale),
    }
}

/// Bytes that the fraction of a second adds.
fn fraction_bytes(scale: u8) -> i16 {
    match scale {
        0..=2 => 0,
        3 | 4 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lexer::lex;

    fn parsed(source: &str) -> Result<SqlType, ServerError> {
        let tokens = lex(source).unwrap();
        parse(&mut Cursor::new(source, &tokens))
    }

    #[test]
    fn lengths_and_defaults() {
        assert_eq!(parsed("NVARCHAR(20)").unwrap(), SqlType::NVarChar(20));
        assert_eq!(parsed("varchar").unwrap(), SqlType::VarChar(1));
        assert_eq!(parsed("varbinary(max)").unwrap(), SqlType::VarBinary(0));
        assert_eq!(parsed("[int]").unwrap(), SqlType::Int);
        assert_eq!(parsed("decimal(10, 2)").unwrap(), SqlType::Decimal { precision: 10, scale: 2 });
        assert_eq!(parsed("datetime2").unwrap(), SqlType::DateTime2(7));
        assert_eq!(parsed("float(24)").unwrap(), SqlType::Real);
    }

    #[test]
    fn what_the_pool_lacks_is_a_parse_error() {
        for source in ["xml", "sql_variant", "nvarchar(4001)", "char(max)", "decimal(5, 6)", "time(8)"] {
            assert_eq!(parsed(source).unwrap_err().number, 103_010, "{source}");
        }
    }

    #[test]
    fn facts_are_bytes() {
        assert_eq!(facts(SqlType::NVarChar(128)).max_length, 256);
        assert_eq!(facts(SqlType::NVarChar(0)).max_length, -1);
        assert_eq!(facts(SqlType::DateTime2(7)).max_length, 8);
    }
}

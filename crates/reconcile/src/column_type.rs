//! Types of columns, as the catalog gives them and as a cast names them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The type of a column. Lengths are characters (bytes for binary); `None` is `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is its word in T-SQL")]
pub enum ColumnType {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Real,
    Float,
    Money,
    SmallMoney,
    Date,
    SmallDateTime,
    DateTime,
    UniqueIdentifier,
    /// Digits in all, digits after the point.
    Decimal(u8, u8),
    /// Digits of a second.
    DateTime2(u8),
    /// Digits of a second.
    DateTimeOffset(u8),
    /// Digits of a second.
    Time(u8),
    /// `char`, `varchar`, `nchar`, `nvarchar`.
    Text {
        national: bool,
        fixed: bool,
        length: Option<u16>,
    },
    /// `binary`, `varbinary`.
    Binary {
        fixed: bool,
        length: Option<u16>,
    },
    /// A type that nothing is known of: shown or hidden, never masked.
    Other,
}

impl ColumnType {
    /// The type of a row of `sys.columns`, by its name in `sys.types` and its `max_length`, `precision` and `scale`.
    pub fn from_catalog(name: &str, max_length: i16, precision: u8, scale: u8) -> Self {
        let length = |unit: i16| u16::try_from(max_length / unit).ok();
        let text = |national, fixed| Self::Text { national, fixed, length: length(1 + i16::from(national)) };
        match name.to_ascii_lowercase().as_str() {
            "bit" => Self::Bit,
            "tinyint" => Self::TinyInt,
            "smallint" => Self::SmallInt,
            "int" => Self::Int,
            "bigint" => Self::BigInt,
            "real" => Self::Real,
            "float" => Self::Float,
            "money" => Self::Money,
            "smallmoney" => Self::SmallMoney,
            "decimal" | "numeric" => Self::Decimal(precision, scale),
            "date" => Self::Date,
            "smalldatetime" => Self::SmallDateTime,
            "datetime" => Self::DateTime,
            "datetime2" => Self::DateTime2(scale),
            "datetimeoffset" => Self::DateTimeOffset(scale),
            "time" => Self::Time(scale),
            "uniqueidentifier" => Self::UniqueIdentifier,
            // A length of -1 is `max`: it divides to a negative number or to zero.
            "char" | "varchar" | "nchar" | "nvarchar" if max_length == -1 => {
                Self::Text { national: name.starts_with(['n', 'N']), fixed: false, length: None }
            }
            "char" => text(false, true),
            "varchar" => text(false, false),
            "nchar" => text(true, true),
            "nvarchar" => text(true, false),
            "binary" => Self::Binary { fixed: true, length: length(1) },
            "varbinary" => Self::Binary { fixed: false, length: length(1) },
            _ => Self::Other,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sized = |f: &mut fmt::Formatter<'_>, word: &str, length: &Option<u16>| match length {
            Some(length) => write!(f, "{word}({length})"),
            None => write!(f, "{word}(max)"),
        };
        match self {
            Self::Bit => f.write_str("bit"),
            Self::TinyInt => f.write_str("tinyint"),
            Self::SmallInt => f.write_str("smallint"),
            Self::Int => f.write_str("int"),
            Self::BigInt => f.write_str("bigint"),
            Self::Real => f.write_str("real"),
            Self::Float => f.write_str("float"),
            Self::Money => f.write_str("money"),
            Self::SmallMoney => f.write_str("smallmoney"),
            Self::Date => f.write_str("date"),
            Self::SmallDateTime => f.write_str("smalldatetime"),
            Self::DateTime => f.write_str("datetime"),
            Self::UniqueIdentifier => f.write_str("uniqueidentifier"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision}, {scale})"),
            Self::DateTime2(scale) => write!(f, "datetime2({scale})"),
            Self::DateTimeOffset(scale) => write!(f, "datetimeoffset({scale})"),
            Self::Time(scale) => write!(f, "time({scale})"),
            Self::Text { national, fixed, length } => {
                let word = match (national, fixed) {
                    (true, true) => "nchar",
                    (true, false) => "nvarchar",
                    (false, true) => "char",
                    (false, false) => "varchar",
                };
                sized(f, word, length)
            }
            Self::Binary { fixed, length } => sized(f, if *fixed { "binary" } else { "varbinary" }, length),
            Self::Other => f.write_str("a type that Axon does not know"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_catalog_says_is_what_a_cast_names() {
        for (name, length, precision, scale, shown) in [
            ("nvarchar", 100, 0, 0, "nvarchar(50)"),
            ("nvarchar", -1, 0, 0, "nvarchar(max)"),
            ("char", 2, 0, 0, "char(2)"),
            ("varbinary", -1, 0, 0, "varbinary(max)"),
            ("numeric", 9, 10, 2, "decimal(10, 2)"),
            ("datetime2", 8, 27, 7, "datetime2(7)"),
            ("int", 4, 10, 0, "int"),
        ] {
            assert_eq!(ColumnType::from_catalog(name, length, precision, scale).to_string(), shown);
        }
        assert_eq!(ColumnType::from_catalog("geography", -1, 0, 0), ColumnType::Other);
    }
}

//! TYPE_INFO (2.2.5.6): how a column's type is announced.

use crate::answer::SqlType;

use super::charset::COLLATION;
use super::decimal;
use super::version::TdsVersion;

/// Longest `nvarchar(n)`, `varchar(n)` and `varbinary(n)` in bytes.
const MAX_BYTES: u16 = 8000;
/// Marks a `max` type.
const PLP: u16 = 0xFFFF;

/// How the values of a column are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One byte of length, 0 for NULL
    Short,
    /// Two bytes of length, 0xFFFF for NULL
    Long,
    /// Chunks (`max` types)
    Chunked,
    /// Pointer, stamp, four bytes of length (`text`, `ntext`, `image`)
    Pointed,
}

/// The type that a client of `version` gets for `ty`: older clients do not
/// know the newer types and get text, as from a real server.
pub fn shown(ty: SqlType, version: TdsVersion) -> SqlType {
    match ty {
        _ if version.has_new_dates() => ty,
        SqlType::Date => SqlType::NVarChar(10),
        SqlType::Time(_) => SqlType::NVarChar(16),
        SqlType::DateTime2(_) => SqlType::NVarChar(27),
        SqlType::DateTimeOffset(_) => SqlType::NVarChar(34),
        other => other,
    }
}

/// Layout of the values of a type after [`shown`].
pub fn layout(ty: SqlType, version: TdsVersion) -> Layout {
    match ty {
        SqlType::NVarChar(_) | SqlType::VarChar(_) | SqlType::VarBinary(_) if is_max(ty) => {
            if version.has_wide_counts() { Layout::Chunked } else { Layout::Pointed }
        }
        SqlType::NVarChar(_)
        | SqlType::NChar(_)
        | SqlType::VarChar(_)
        | SqlType::Char(_)
        | SqlType::VarBinary(_)
        | SqlType::Binary(_) => Layout::Long,
        _ => Layout::Short,
    }
}

/// Whether a type is a `max` type. Lengths beyond what `n` may be count as such.
fn is_max(ty: SqlType) -> bool {
    match ty {
        SqlType::NVarChar(n) => n == 0 || n > MAX_BYTES / 2,
        SqlType::VarChar(n) | SqlType::VarBinary(n) => n == 0 || n > MAX_BYTES,
        _ => false,
    }
}

/// Most bytes that a value of a length-limited type may have.
pub fn byte_limit(ty: SqlType) -> Option<usize> {
    if is_max(ty) {
        return None;
    }
    match ty {
        SqlType::NVarChar(n) | SqlType::NChar(n) => Some(usize::from(n) * 2),
        SqlType::VarChar(n) | SqlType::Char(n) | SqlType::VarBinary(n) | SqlType::Binary(n) => {
            Some(usize::from(n))
        }
        _ => None,
    }
}

/// Write the TYPE_INFO of a type after [`shown`].
pub fn put(out: &mut Vec<u8>, ty: SqlType, version: TdsVersion) {
    match ty {
        SqlType::Bit => out.extend([0x68, 1]),
        SqlType::TinyInt => out.extend([0x26, 1]),
        SqlType::SmallInt => out.extend([0x26, 2]),
        SqlType::Int => out.extend([0x26, 4]),
        SqlType::BigInt => out.extend([0x26, 8]),
        SqlType::Real => out.extend([0x6D, 4]),
        SqlType::Float => out.extend([0x6D, 8]),
        SqlType::Decimal { precision, scale } => {
            out.extend([0x6C, decimal::length(precision), precision, scale]);
        }
        SqlType::Money => out.extend([0x6E, 8]),
        SqlType::SmallMoney => out.extend([0x6E, 4]),
        SqlType::UniqueIdentifier => out.extend([0x24, 16]),
        SqlType::DateTime => out.extend([0x6F, 8]),
        SqlType::SmallDateTime => out.extend([0x6F, 4]),
        SqlType::Date => out.push(0x28),
        SqlType::Time(scale) => out.extend([0x29, scale.min(7)]),
        SqlType::DateTime2(scale) => out.extend([0x2A, scale.min(7)]),
        SqlType::DateTimeOffset(scale) => out.extend([0x2B, scale.min(7)]),
        SqlType::NVarChar(n) => put_text(out, 0xE7, 0x63, n.saturating_mul(2), layout(ty, version)),
        SqlType::NChar(n) => put_text(out, 0xEF, 0x63, n.saturating_mul(2), Layout::Long),
        SqlType::VarChar(n) => put_text(out, 0xA7, 0x23, n, layout(ty, version)),
        SqlType::Char(n) => put_text(out, 0xAF, 0x23, n, Layout::Long),
        SqlType::VarBinary(n) => put_sized(out, 0xA5, 0x22, n, layout(ty, version)),
        SqlType::Binary(n) => put_sized(out, 0xAD, 0x22, n, Layout::Long),
    }
}

fn put_sized(out: &mut Vec<u8>, number: u8, old_number: u8, bytes: u16, layout: Layout) {
    match layout {
        Layout::Pointed => {
            out.push(old_number);
            out.extend_from_slice(&0x7FFF_FFFF_u32.to_le_bytes());
        }
        Layout::Chunked => {
            out.push(number);
            out.extend_from_slice(&PLP.to_le_bytes());
        }
        Layout::Long | Layout::Short => {
            out.push(number);
            out.extend_from_slice(&bytes.clamp(1, MAX_BYTES).to_le_bytes());
        }
    }
}

fn put_text(out: &mut Vec<u8>, number: u8, old_number: u8, bytes: u16, layout: Layout) {
    put_sized(out, number, old_number, bytes, layout);
    out.extend_from_slice(&COLLATION);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_clients_get_types_that_they_know() {
        assert_eq!(shown(SqlType::DateTime2(7), TdsVersion::V7_2), SqlType::NVarChar(27));
        assert_eq!(shown(SqlType::DateTime2(7), TdsVersion::V7_3A), SqlType::DateTime2(7));
        assert_eq!(layout(SqlType::NVarChar(0), TdsVersion::V7_1), Layout::Pointed);
        assert_eq!(layout(SqlType::NVarChar(0), TdsVersion::V7_2), Layout::Chunked);
    }

    #[test]
    fn text_carries_its_collation() {
        let mut out = Vec::new();
        put(&mut out, SqlType::NVarChar(128), TdsVersion::V7_4);
        assert_eq!(out, [0xE7, 0, 1, 0x09, 0x04, 0xD0, 0x00, 0x34]);
        let mut out = Vec::new();
        put(&mut out, SqlType::VarBinary(0), TdsVersion::V7_4);
        assert_eq!(out, [0xA5, 0xFF, 0xFF]);
    }

    #[test]
    fn lengths_beyond_the_limit_are_max() {
        assert_eq!(layout(SqlType::NVarChar(4001), TdsVersion::V7_4), Layout::Chunked);
        assert_eq!(byte_limit(SqlType::NVarChar(4000)), Some(8000));
        assert_eq!(byte_limit(SqlType::NVarChar(0)), None);
    }
}

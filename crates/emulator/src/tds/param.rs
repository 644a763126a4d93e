//! Parameters of RPCs: TYPE_INFO and value as clients send them.

use time::{Date, PrimitiveDateTime, Time};

use crate::answer::{SqlType, Value};

use super::coerce::wire_guid;
use super::reader::{Malformed, Reader, utf16};
use super::{charset, decimal, moment};

/// Marks a `max` type.
const PLP: u16 = 0xFFFF;
const PLP_NULL: u64 = u64::MAX;
/// Date that a lone time gets.
const EPOCH: Date = time::macros::date!(1900 - 01 - 01);

/// Why a parameter could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamFault {
    /// The bytes are wrong.
    Malformed(Malformed),
    /// The type is not supported (table values, `sql_variant`, CLR types).
    Unsupported(u8),
}

impl From<Malformed> for ParamFault {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Read TYPE_INFO and the value after it.
pub fn typed_value(reader: &mut Reader<'_>) -> Result<(SqlType, Value), ParamFault> {
    let number = reader.u8()?;
    match number {
        // Fixed-length types have no length and no NULL.
        0x1F => Ok((SqlType::NVarChar(1), Value::Null)),
        0x30 => Ok((SqlType::TinyInt, integer(reader.take(1)?))),
        0x32 => Ok((SqlType::Bit, Value::Bool(reader.u8()? != 0))),
        0x34 => Ok((SqlType::SmallInt, integer(reader.take(2)?))),
        0x38 => Ok((SqlType::Int, integer(reader.take(4)?))),
        0x7F => Ok((SqlType::BigInt, integer(reader.take(8)?))),
        0x3B => Ok((SqlType::Real, float(reader.take(4)?)?)),
        0x3E => Ok((SqlType::Float, float(reader.take(8)?)?)),
        0x3C => Ok((SqlType::Money, money(reader.take(8)?)?)),
        0x7A => Ok((SqlType::SmallMoney, money(reader.take(4)?)?)),
        0x3D => Ok((SqlType::DateTime, Value::DateTime(moment::datetime(reader)?))),
        0x3A => Ok((SqlType::SmallDateTime, Value::DateTime(moment::smalldatetime(reader)?))),
        0x24 | 0x26 | 0x68 | 0x6D | 0x6E | 0x6F => short(number, reader),
        0x6A | 0x6C | 0x37 | 0x3F => exact(reader),
        0x28..=0x2B => date_or_time(number, reader),
        0xE7 | 0xEF | 0xA7 | 0xAF | 0xA5 | 0xAD => long(number, reader),
        0x2F | 0x27 | 0x2D | 0x25 => old_short(number, reader),
        0x23 | 0x63 | 0x22 => old_large(number, reader),
        0xF1 => xml(reader),
        other => Err(ParamFault::Unsupported(other)),
    }
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// `tinyint` has no sign, the others do.
fn integer(bytes: &[u8]) -> Value {
    match bytes {
        [byte] => Value::Int((*byte).into()),
        _ => Value::Int(integer_from(bytes)),
    }
}

/// A signed integer of two, four or eight bytes.
fn integer_from(bytes: &[u8]) -> i64 {
    let spare = 64 - 8 * u32::try_from(bytes.len()).unwrap_or(8);
    (little(bytes).cast_signed() << spare) >> spare
}

fn float(bytes: &[u8]) -> Result<Value, Malformed> {
    if let Ok(bytes) = bytes.try_into() {
        return Ok(Value::Float(f64::from_le_bytes(bytes)));
    }
    let bytes = bytes.try_into().map_err(|_| Malformed("length of a float"))?;
    Ok(Value::Float(f64::from(f32::from_le_bytes(bytes))))
}

fn money(bytes: &[u8]) -> Result<Value, Malformed> {
    let amount = match bytes {
        [_, _, _, _] => integer_from(bytes),
        // The high half comes first.
        [_, _, _, _, _, _, _, _] => integer_from(&[&bytes[4..], &bytes[..4]].concat()),
        _ => return Err(Malformed("length of money")),
    };
    let number = decimal::Scaled { negative: amount < 0, magnitude: u128::from(amount.unsigned_abs()) };
    Ok(Value::Decimal(decimal::print(number, 4)))
}

/// Types with a byte of maximum length and a byte of length, 0 for NULL.
fn short(number: u8, reader: &mut Reader<'_>) -> Result<(SqlType, Value), ParamFault> {
    let width = reader.u8()?;
    let length = reader.u8()?;
    let bytes = reader.take(usize::from(length))?;
    let ty = match (number, width) {
        (0x24, _) => SqlType::UniqueIdentifier,
        (0x26, 1) => SqlType::TinyInt,
        (0x26, 2) => SqlType::SmallInt,
        (0x26, 4) => SqlType::Int,
        (0x26, 8) => SqlType::BigInt,
        (0x68, _) => SqlType::Bit,
        (0x6D, 4) => SqlType::Real,
        (0x6D, _) => SqlType::Float,
        (0x6E, 4) => SqlType::SmallMoney,
        (0x6E, _) => SqlType::Money,
        (0x6F, 4) => SqlType::SmallDateTime,
        (0x6F, _) => SqlType::DateTime,
        _ => return Err(Malformed("width of a parameter type").into()),
    };
    if length == 0 {
        return Ok((ty, Value::Null));
    }
    let value = match (number, bytes) {
        (0x24, bytes) => {
            Value::Guid(wire_guid(bytes.try_into().map_err(|_| Malformed("length of a uniqueidentifier"))?))
        }
        (0x26, [_] | [_, _] | [_, _, _, _] | [_, _, _, _, _, _, _, _]) => integer(bytes),
        (0x68, [flag]) => Value::Bool(*flag != 0),
        (0x6D, bytes) => float(bytes)?,
        (0x6E, bytes) => money(bytes)?,
        (0x6F, [_, _, _, _]) => Value::DateTime(moment::smalldatetime(&mut Reader::new(bytes))?),
        (0x6F, bytes) => Value::DateTime(moment::datetime(&mut Reader::new(bytes))?),
        _ => return Err(Malformed("length of a parameter").into()),
    };
    Ok((ty, value))
}

fn exact(reader: &mut Reader<'_>) -> Result<(SqlType, Value), ParamFault> {
    let [_, precision, scale, length] = reader.array()?;
    if precision == 0 || precision > decimal::MAX_PRECISION || scale > precision {
        return Err(Malformed("precision of a decimal").into());
    }
    let ty = SqlType::Decimal { precision, scale };
    match reader.take(usize::from(length))? {
        [] => Ok((ty, Value::Null)),
        [sign, digits @ ..] if digits.len() <= 16 => {
            let magnitude = digits.iter().rev().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
            let number = decimal::Scaled { negative: *sign == 0 && magnitude != 0, magnitude };
            Ok((ty, Value::Decimal(decimal::print(number, scale))))
        }
        _ => Err(Malformed("length of a decimal").into()),
    }
}

fn date_or_time(number: u8, reader: &mut Reader<'_>) -> Result<(SqlType, Value), ParamFault> {
    let scale = if number == 0x28 { 0 } else { reader.u8()? };
    let ty = match number {
        0x28 => SqlType::Date,
        0x29 => SqlType::Time(scale),
        0x2A => SqlType::DateTime2(scale),
        _ => SqlType::DateTimeOffset(scale),
    };
    let length = usize::from(reader.u8()?);
    let mut bytes = Reader::new(reader.take(length)?);
    if length == 0 {
        return Ok((ty, Value::Null));
    }
    let value = match number {
        0x28 => PrimitiveDateTime::new(moment::date(&mut bytes)?, Time::MIDNIGHT),
        0x29 => PrimitiveDateTime::new(EPOCH, moment::time(&mut bytes, length, scale)?),
        0x2A => {
            let time = moment::time(&mut bytes, length.saturating_sub(3), scale)?;
            PrimitiveDateTime::new(moment::date(&mut bytes)?, time)
        }
        _ => moment::datetimeoffset(&mut bytes, length.saturating_sub(5), scale)?,
    };
    Ok((ty, Value::DateTime(value)))
}

/// Types with two bytes of maximum length; 0xFFFF makes them `max` types in chunks.
fn long(number: u8, reader: &mut Reader<'_>) -> Result<(SqlType, Value), ParamFault> {
    let width = reader.u16()?;
    let is_text = !matches!(number, 0xA5 | 0xAD);
    let collation = if is_text { reader.array()? } else { [0; 5] };
    let bytes = if width == PLP { chunks(reader)? } else { sized(reader)? };
    let n = if width == PLP { 0 } else { width };
    let ty = match number {
        0xE7 => SqlType::NVarChar(n / 2),
        0xEF => SqlType::NChar(n / 2),
        0xA7 => SqlType::VarChar(n),
        0xAF => SqlType::Char(n),
        0xA5 => SqlType::VarBinary(n),
        _ => SqlType::Binary(n),
    };
    let Some(bytes) = bytes else { return Ok((ty, Value::Null)) };
    let value = match number {
        0xE7 | 0xEF => Value::Text(utf16(&bytes)?),
        0xA7 | 0xAF => Value::Text(charset::decode(&bytes, collation)),
        _ => Value::Bytes(bytes),
    };
    Ok((ty, value))
}

fn sized(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    match reader.u16()? {
        u16::MAX => Ok(None),
        length => Ok(Some(reader.take(usize::from(length))?.to_vec())),
    }
}

/// Chunks until an empty one (2.2.5.2.3). The total before them is only a hint.
fn chunks(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    if reader.u64()? == PLP_NULL {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    loop {
        match reader.length32()? {
            0 => return Ok(Some(bytes)),
            length => bytes.extend_from_slice(reader.take(length)?),
        }
    }
}

/// `char`, `varchar`, `binary` and `varbinary` of the first versions: one byte of length, 0 for NULL.
fn old_short(number: u8, reader: &mut Reader<'_>) -> Result<(SqlType, Value), ParamFault> {
    let width = u16::from(reader.u8()?);
    let length = usize::from(reader.u8()?);
    let bytes = reader.take(length)?;
    let is_text = matches!(number, 0x2F | 0x27);
    let ty = if is_text { SqlType::VarChar(width.max(1)) } else { SqlType::VarBinary(width.max(1)) };
    let value = match (length, is_text) {
        (0, _) => Value::Null,
        (_, true) => Value::Text(charset::decode(bytes, charset::COLLATION)),
        (_, false) => Value::Bytes(bytes.to_vec()),
    };
    Ok((ty, value))
}

/// `text`, `ntext`, `image`: four bytes of length, all ones for NULL.
fn old_large(number: u8, reader: &mut Reader<'_>) -> Result<(SqlType, Value), ParamFault> {
    reader.u32()?;
    let collation = if number == 0x22 { [0; 5] } else { reader.array()? };
    let ty = match number {
        0x22 => SqlType::VarBinary(0),
        0x23 => SqlType::VarChar(0),
        _ => SqlType::NVarChar(0),
    };
    let length = reader.u32()?;
    if length == u32::MAX {
        return Ok((ty, Value::Null));
    }
    let bytes = reader.take(usize::try_from(length).map_err(|_| Malformed("length"))?)?;
    let value = match number {
        0x22 => Value::Bytes(bytes.to_vec()),
        0x23 => Value::Text(charset::decode(bytes, collation)),
        _ => Value::Text(utf16(bytes)?),
    };
    Ok((ty, value))
}

/// `xml` is taken as text. A schema may be named before it.
fn xml(reader: &mut Reader<'_>) -> Result<(SqlType, Value), ParamFault> {
    if reader.u8()? != 0 {
        reader.b_varchar()?;
        reader.b_varchar()?;
        reader.us_varchar()?;
    }
    let value = match chunks(reader)? {
        None => Value::Null,
        Some(bytes) => Value::Text(utf16(&bytes)?),
    };
    Ok((SqlType::NVarChar(0), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tds::type_info;
    use crate::tds::value::put;
    use crate::tds::version::TdsVersion;

    /// What the server writes, a client would send alike.
    #[test]
    fn written_values_read_back() {
        let moment = Value::DateTime(time::macros::datetime!(2024-05-01 10:20:30.123));
        let cases = [
            (SqlType::Bit, Value::Bool(true)),
            (SqlType::TinyInt, Value::Int(255)),
            (SqlType::SmallInt, Value::Int(-3)),
            (SqlType::Int, Value::Int(i64::from(i32::MIN))),
            (SqlType::BigInt, Value::Int(i64::MIN)),
            (SqlType::Real, Value::Float(0.5)),
            (SqlType::Float, Value::Float(-1e300)),
            (
                SqlType::Decimal { precision: 38, scale: 10 },
                Value::Decimal("-1234567890123.0123456789".into()),
            ),
            (SqlType::Money, Value::Decimal("-922337203685477.5808".into())),
            (SqlType::SmallMoney, Value::Decimal("-214748.3648".into())),
            (SqlType::NVarChar(20), Value::Text("żółw 😀".into())),
            (SqlType::NVarChar(0), Value::Text("x".repeat(10_000))),
            (SqlType::VarChar(20), Value::Text("Größe €".into())),
            (SqlType::VarBinary(0), Value::Bytes(vec![0; 9000])),
            (SqlType::Binary(2), Value::Bytes(vec![1, 2])),
            (SqlType::UniqueIdentifier, Value::Guid(*b"0123456789abcdef")),
            (SqlType::DateTime2(7), moment.clone()),
            (SqlType::DateTimeOffset(3), moment.clone()),
            (SqlType::DateTime, moment),
        ];
        for (ty, value) in cases {
            for value in [value, Value::Null] {
                let mut out = Vec::new();
                type_info::put(&mut out, ty, TdsVersion::V7_4);
                put(&mut out, value.clone(), ty, TdsVersion::V7_4).unwrap();
                let mut reader = Reader::new(&out);
                assert_eq!(typed_value(&mut reader), Ok((ty, value)), "{ty:?}");
                assert!(reader.is_empty());
            }
        }
    }

    #[test]
    fn every_cut_is_an_error_and_no_panic() {
        let mut out = Vec::new();
        let ty = SqlType::NVarChar(0);
        type_info::put(&mut out, ty, TdsVersion::V7_4);
        put(&mut out, Value::Text("abc".into()), ty, TdsVersion::V7_4).unwrap();
        for cut in 0..out.len() {
            assert!(typed_value(&mut Reader::new(&out[..cut])).is_err());
        }
    }

    #[test]
    fn table_values_are_named_as_unsupported() {
        assert_eq!(typed_value(&mut Reader::new(&[0xF3])), Err(ParamFault::Unsupported(0xF3)));
    }
}

//! Values of rows and return values (2.2.5.5).

use crate::answer::{ServerError, SqlType, Value};

use super::coerce::{coerce, wire_guid};
use super::type_info::{Layout, byte_limit, layout, shown};
use super::version::TdsVersion;
use super::{charset, decimal, moment};

/// Write a value of a column of type `ty`. On error nothing was written.
pub fn put(out: &mut Vec<u8>, value: Value, ty: SqlType, version: TdsVersion) -> Result<(), ServerError> {
    let ty = shown(ty, version);
    let layout = layout(ty, version);
    match coerce(value, ty)? {
        Value::Null => put_null(out, layout),
        Value::Text(text) => put_bytes(out, &text_bytes(&text, ty), ty, layout)?,
        Value::Bytes(bytes) => {
            let bytes = padded(bytes, ty, 0);
            put_bytes(out, &bytes, ty, layout)?;
        }
        other => put_short(out, &other, ty)?,
    }
    Ok(())
}

fn put_null(out: &mut Vec<u8>, layout: Layout) {
    match layout {
        Layout::Short | Layout::Pointed => out.push(0),
        Layout::Long => out.extend_from_slice(&u16::MAX.to_le_bytes()),
        Layout::Chunked => out.extend_from_slice(&u64::MAX.to_le_bytes()),
    }
}

fn text_bytes(text: &str, ty: SqlType) -> Vec<u8> {
    match ty {
        SqlType::VarChar(_) => charset::encode(text),
        SqlType::Char(_) => padded(charset::encode(text), ty, b' '),
        SqlType::NChar(n) => {
            let mut units: Vec<u16> = text.encode_utf16().collect();
            units.resize(units.len().max(usize::from(n)), u16::from(b' '));
            units.into_iter().flat_map(u16::to_le_bytes).collect()
        }
        _ => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
    }
}

/// Fixed-length types are filled up.
fn padded(mut bytes: Vec<u8>, ty: SqlType, fill: u8) -> Vec<u8> {
    if let SqlType::Char(n) | SqlType::Binary(n) = ty {
        bytes.resize(bytes.len().max(usize::from(n)), fill);
    }
    bytes
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8], ty: SqlType, layout: Layout) -> Result<(), ServerError> {
    if byte_limit(ty).is_some_and(|limit| bytes.len() > limit) {
        return Err(ServerError::new(8152, "String or binary data would be truncated."));
    }
    let too_long = || ServerError::new(8152, "String or binary data would be truncated.");
    match layout {
        Layout::Chunked => {
            let length = u32::try_from(bytes.len()).map_err(|_| too_long())?;
            out.extend_from_slice(&u64::from(length).to_le_bytes());
            if length > 0 {
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(bytes);
            }
            out.extend_from_slice(&0_u32.to_le_bytes());
        }
        Layout::Pointed => {
            let length = u32::try_from(bytes.len()).map_err(|_| too_long())?;
            // A text pointer and a time stamp, which clients only pass back.
            out.push(16);
            out.extend_from_slice(&[0; 24]);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(bytes);
        }
        Layout::Long | Layout::Short => {
            let length = u16::try_from(bytes.len()).map_err(|_| too_long())?;
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(bytes);
        }
    }
    Ok(())
}

/// Values with one byte of length. `value` went through [`coerce`].
fn put_short(out: &mut Vec<u8>, value: &Value, ty: SqlType) -> Result<(), ServerError> {
    let at = out.len();
    out.push(0);
    match (value, ty) {
        (Value::Bool(flag), _) => out.push(u8::from(*flag)),
        (Value::Int(number), SqlType::TinyInt) => out.extend_from_slice(&number.to_le_bytes()[..1]),
        (Value::Int(number), SqlType::SmallInt) => out.extend_from_slice(&number.to_le_bytes()[..2]),
        (Value::Int(number), SqlType::Int) => out.extend_from_slice(&number.to_le_bytes()[..4]),
        (Value::Int(number), _) => out.extend_from_slice(&number.to_le_bytes()),
        #[expect(clippy::cast_possible_truncation, reason = "real is the narrow float")]
        (Value::Float(number), SqlType::Real) => out.extend_from_slice(&(*number as f32).to_le_bytes()),
        (Value::Float(number), _) => out.extend_from_slice(&number.to_le_bytes()),
        (Value::Decimal(text), SqlType::Money) => put_money(out, text),
        (Value::Decimal(text), SqlType::SmallMoney) => put_smallmoney(out, text),
        (Value::Decimal(text), SqlType::Decimal { precision, scale }) => {
            put_decimal(out, text, precision, scale);
        }
        (Value::Guid(bytes), _) => out.extend_from_slice(&wire_guid(*bytes)),
        (Value::DateTime(at), SqlType::DateTime) => moment::put_datetime(out, *at),
        (Value::DateTime(at), SqlType::SmallDateTime) => moment::put_smalldatetime(out, *at),
        (Value::DateTime(at), SqlType::Date) => moment::put_date(out, *at),
        (Value::DateTime(at), SqlType::Time(scale)) => moment::put_time(out, *at, scale.min(7)),
        (Value::DateTime(at), SqlType::DateTimeOffset(scale)) => {
            moment::put_datetime2(out, *at, scale.min(7));
            out.extend_from_slice(&0_i16.to_le_bytes());
        }
        (Value::DateTime(at), SqlType::DateTime2(scale)) => moment::put_datetime2(out, *at, scale.min(7)),
        (value, ty) => {
            out.truncate(at);
            return Err(ServerError::new(8114, format!("Error converting {value:?} to {ty:?}.")));
        }
    }
    out[at] = u8::try_from(out.len() - at - 1).unwrap_or(0);
    Ok(())
}

fn put_decimal(out: &mut Vec<u8>, text: &str, precision: u8, scale: u8) {
    let Some(number) = decimal::parse(text, precision, scale) else { return };
    out.push(u8::from(!number.negative));
    let digits = usize::from(decimal::length(precision)) - 1;
    out.extend_from_slice(&number.magnitude.to_le_bytes()[..digits]);
}

/// `money`: eight bytes, the high half first.
fn put_money(out: &mut Vec<u8>, text: &str) {
    let Some(number) = decimal::parse(text, 19, 4) else { return };
    let magnitude = number.magnitude.cast_signed();
    let signed = if number.negative { -magnitude } else { magnitude };
    let limit = if number.negative { i64::MIN } else { i64::MAX };
    let bytes = i64::try_from(signed).unwrap_or(limit).to_le_bytes();
    out.extend_from_slice(&bytes[4..]);
    out.extend_from_slice(&bytes[..4]);
}

/// `smallmoney`: four bytes.
fn put_smallmoney(out: &mut Vec<u8>, text: &str) {
    let Some(number) = decimal::parse(text, 10, 4) else { return };
    let magnitude = number.magnitude.cast_signed();
    let (signed, limit) = if number.negative { (-magnitude, i32::MIN) } else { (magnitude, i32::MAX) };
    out.extend_from_slice(&i32::try_from(signed).unwrap_or(limit).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: Value, ty: SqlType) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, value, ty, TdsVersion::V7_4).unwrap();
        out
    }

    #[test]
    fn nulls_are_as_wide_as_their_layout() {
        assert_eq!(bytes(Value::Null, SqlType::Int), [0]);
        assert_eq!(bytes(Value::Null, SqlType::NVarChar(10)), [0xFF, 0xFF]);
        assert_eq!(bytes(Value::Null, SqlType::NVarChar(0)), [0xFF; 8]);
    }

    #[test]
    fn empty_text_is_not_null() {
        assert_eq!(bytes(Value::Text(String::new()), SqlType::NVarChar(10)), [0, 0]);
        assert_eq!(bytes(Value::Text(String::new()), SqlType::NVarChar(0)), [0; 12]);
    }

    #[test]
    fn fixed_lengths_are_filled_up() {
        assert_eq!(bytes(Value::Text("a".into()), SqlType::Char(3)), [3, 0, b'a', b' ', b' ']);
        assert_eq!(bytes(Value::Text("a".into()), SqlType::NChar(2)), [4, 0, b'a', 0, b' ', 0]);
        assert_eq!(bytes(Value::Bytes(vec![1]), SqlType::Binary(2)), [2, 0, 1, 0]);
    }

    #[test]
    fn numbers_have_the_width_of_their_type() {
        assert_eq!(bytes(Value::Int(-2), SqlType::SmallInt), [2, 0xFE, 0xFF]);
        assert_eq!(
            bytes(Value::Decimal("-1.5".into()), SqlType::Decimal { precision: 5, scale: 2 }),
            [5, 0, 150, 0, 0, 0]
        );
        assert_eq!(bytes(Value::Decimal("1".into()), SqlType::Money), [8, 0, 0, 0, 0, 0x10, 0x27, 0, 0]);
        assert_eq!(bytes(Value::Float(1.5), SqlType::Real), [4, 0, 0, 0xC0, 0x3F]);
    }

    #[test]
    fn text_longer_than_its_column_is_an_error_that_writes_nothing() {
        let mut out = vec![9];
        let error =
            put(&mut out, Value::Text("abc".into()), SqlType::NVarChar(2), TdsVersion::V7_4).unwrap_err();
        assert_eq!((error.number, out), (8152, vec![9]));
    }
}

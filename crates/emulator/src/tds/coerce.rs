//! Brings a value into the variant that its type uses on the wire.

use time::macros::format_description;
use time::{Date, PrimitiveDateTime, Time};

use crate::answer::{ServerError, SqlType, Value};

use super::decimal;

/// The value as the type's own variant, or error 8114 or 8115.
pub fn coerce(value: Value, ty: SqlType) -> Result<Value, ServerError> {
    if matches!(value, Value::Null) {
        return Ok(Value::Null);
    }
    let converted = match ty {
        SqlType::Bit => bit(&value),
        SqlType::TinyInt => return integer(&value, ty, 0, i64::from(u8::MAX)),
        SqlType::SmallInt => return integer(&value, ty, i64::from(i16::MIN), i64::from(i16::MAX)),
        SqlType::Int => return integer(&value, ty, i64::from(i32::MIN), i64::from(i32::MAX)),
        SqlType::BigInt => return integer(&value, ty, i64::MIN, i64::MAX),
        SqlType::Real | SqlType::Float => float(&value),
        SqlType::Decimal { precision, scale } => return exact(&value, ty, precision, scale),
        SqlType::Money => return exact(&value, ty, 19, 4),
        SqlType::SmallMoney => return exact(&value, ty, 10, 4),
        SqlType::NVarChar(_) | SqlType::NChar(_) | SqlType::VarChar(_) | SqlType::Char(_) => text(&value),
        SqlType::VarBinary(_) | SqlType::Binary(_) => match value {
            Value::Bytes(_) => return Ok(value),
            Value::Guid(bytes) => Some(Value::Bytes(wire_guid(bytes).to_vec())),
            _ => None,
        },
        SqlType::UniqueIdentifier => guid(&value),
        SqlType::DateTime
        | SqlType::SmallDateTime
        | SqlType::DateTime2(_)
        | SqlType::DateTimeOffset(_)
        | SqlType::Date
        | SqlType::Time(_) => moment(&value),
    };
    converted.ok_or_else(|| cannot_convert(&value, ty))
}

/// A GUID in the order of the wire: the first three groups are little-endian (2.2.5.5.1).
pub fn wire_guid(text_order: [u8; 16]) -> [u8; 16] {
    let mut wire = text_order;
    wire[..4].reverse();
    wire[4..6].reverse();
    wire[6..8].reverse();
    wire
}

fn bit(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => Some(value.clone()),
        Value::Int(number) => Some(Value::Bool(*number != 0)),
        Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "1" | "true" => Some(Value::Bool(true)),
            "0" | "false" => Some(Value::Bool(false)),
            _ => None,
        },
        _ => None,
    }
}

fn integer(value: &Value, ty: SqlType, low: i64, high: i64) -> Result<Value, ServerError> {
    let number = match value {
        Value::Int(number) => Some(*number),
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Decimal(text) => text.split('.').next().and_then(|whole| whole.parse().ok()),
        Value::Float(number) => format!("{:.0}", number.trunc()).parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if (low..=high).contains(&number) => Ok(Value::Int(number)),
        Some(_) => Err(overflow(value, ty)),
        None => Err(cannot_convert(value, ty)),
    }
}

fn float(value: &Value) -> Option<Value> {
    match value {
        Value::Float(_) => Some(value.clone()),
        #[expect(clippy::cast_precision_loss, reason = "float holds what it can, as in the server")]
        Value::Int(number) => Some(Value::Float(*number as f64)),
        Value::Bool(flag) => Some(Value::Float(f64::from(u8::from(*flag)))),
        Value::Decimal(text) | Value::Text(text) => text.trim().parse().ok().map(Value::Float),
        _ => None,
    }
}

fn exact(value: &Value, ty: SqlType, precision: u8, scale: u8) -> Result<Value, ServerError> {
    let text = match value {
        Value::Decimal(text) | Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Bool(flag) => u8::from(*flag).to_string(),
        Value::Float(number) if number.is_finite() => format!("{number:.9}"),
        _ => return Err(cannot_convert(value, ty)),
    };
    match decimal::parse(&text, precision, scale) {
        Some(number) => Ok(Value::Decimal(decimal::print(number, scale))),
        None if decimal::parse(&text, decimal::MAX_PRECISION, 0).is_some() => Err(overflow(value, ty)),
        None => Err(cannot_convert(value, ty)),
    }
}

fn text(value: &Value) -> Option<Value> {
    let text = match value {
        Value::Text(_) => return Some(value.clone()),
        Value::Bool(flag) => u8::from(*flag).to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Decimal(text) => text.clone(),
        Value::Guid(bytes) => print_guid(*bytes),
        Value::DateTime(moment) => print_moment(*moment),
        Value::Bytes(_) | Value::Null => return None,
    };
    Some(Value::Text(text))
}

/// `XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX`, capital letters as the server prints them.
fn print_guid(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&index) {
            text.push('-');
        }
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase());
        }
    }
    text
}

fn guid(value: &Value) -> Option<Value> {
    match value {
        Value::Guid(_) => Some(value.clone()),
        Value::Bytes(bytes) => Some(Value::Guid(wire_guid(bytes.as_slice().try_into().ok()?))),
        Value::Text(text) => {
            let text = text.trim().trim_start_matches('{').trim_end_matches('}');
            if text.len() != 36 || [8, 13, 18, 23].iter().any(|at| text.as_bytes()[*at] != b'-') {
                return None;
            }
            let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
            let mut bytes = [0; 16];
            for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
                let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
                *byte = u8::try_from(high? * 16 + low?).ok()?;
            }
            (digits.len() == 32).then_some(Value::Guid(bytes))
        }
        _ => None,
    }
}

/// `2024-05-01 10:20:30.1234567`, the form of `datetime2`.
fn print_moment(moment: PrimitiveDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:7]");
    moment.format(form).unwrap_or_default()
}

fn moment(value: &Value) -> Option<Value> {
    match value {
        Value::DateTime(_) => Some(value.clone()),
        Value::Text(text) => parse_moment(text).map(Value::DateTime),
        _ => None,
    }
}

/// ISO forms of a date, a time, or both with a blank or `T` between and an optional `Z`.
fn parse_moment(text: &str) -> Option<PrimitiveDateTime> {
    let text = text.trim().trim_end_matches(['Z', 'z']);
    let (date, clock) = match text.split_once(['T', ' ']) {
        Some((date, clock)) => (date, clock.trim()),
        None if text.contains(':') => ("1900-01-01", text),
        None => (text, "00:00:00"),
    };
    let date = Date::parse(date, format_description!("[year]-[month]-[day]"))
        .or_else(|_| Date::parse(date, format_description!("[year][month][day]")))
        .ok()?;
    let clock = Time::parse(clock, format_description!("[hour]:[minute]:[second].[subsecond]"))
        .or_else(|_| Time::parse(clock, format_description!("[hour]:[minute]:[second]")))
        .or_else(|_| Time::parse(clock, format_description!("[hour]:[minute]")))
        .ok()?;
    Some(PrimitiveDateTime::new(date, clock))
}

fn cannot_convert(value: &Value, ty: SqlType) -> ServerError {
    let message = format!("Error converting data type {} to {}.", variant_name(value), type_name(ty));
    ServerError::new(8114, message).with_state(5)
}

fn overflow(value: &Value, ty: SqlType) -> ServerError {
    let message = format!(
        "Arithmetic overflow error converting {} to data type {}.",
        variant_name(value),
        type_name(ty)
    );
    ServerError::new(8115, message).with_state(2)
}

fn variant_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL",
        Value::Bool(_) => "bit",
        Value::Int(_) => "bigint",
        Value::Float(_) => "float",
        Value::Decimal(_) => "numeric",
        Value::Text(_) => "nvarchar",
        Value::Bytes(_) => "varbinary",
        Value::Guid(_) => "uniqueidentifier",
        Value::DateTime(_) => "datetime2",
    }
}

/// Name of a type without its length.
pub fn type_name(ty: SqlType) -> &'static str {
    match ty {
        SqlType::Bit => "bit",
        SqlType::TinyInt => "tinyint",
        SqlType::SmallInt => "smallint",
        SqlType::Int => "int",
        SqlType::BigInt => "bigint",
        SqlType::Real => "real",
        SqlType::Float => "float",
        SqlType::Decimal { .. } => "numeric",
        SqlType::Money => "money",
        SqlType::SmallMoney => "smallmoney",
        SqlType::NVarChar(_) => "nvarchar",
        SqlType::NChar(_) => "nchar",
        SqlType::VarChar(_) => "varchar",
        SqlType::Char(_) => "char",
        SqlType::VarBinary(_) => "varbinary",
        SqlType::Binary(_) => "binary",
        SqlType::UniqueIdentifier => "uniqueidentifier",
        SqlType::DateTime => "datetime",
        SqlType::SmallDateTime => "smalldatetime",
        SqlType::DateTime2(_) => "datetime2",
        SqlType::DateTimeOffset(_) => "datetimeoffset",
        SqlType::Date => "date",
        SqlType::Time(_) => "time",
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn text_becomes_what_its_column_says() {
        let decimal = SqlType::Decimal { precision: 5, scale: 2 };
        for (given, ty, wanted) in [
            (text("42"), SqlType::Int, Value::Int(42)),
            (text("true"), SqlType::Bit, Value::Bool(true)),
            (text("1.005"), decimal, Value::Decimal("1.01".into())),
            (text("1.5"), SqlType::Float, Value::Float(1.5)),
            (text("2024-05-01"), SqlType::Date, Value::DateTime(datetime!(2024-05-01 0:00))),
            (
                text("2024-05-01T10:20:30.5Z"),
                SqlType::DateTime2(7),
                Value::DateTime(datetime!(2024-05-01 10:20:30.5)),
            ),
            (Value::Int(1), SqlType::Bit, Value::Bool(true)),
            (Value::Bool(true), SqlType::Int, Value::Int(1)),
            (Value::Int(7), decimal, Value::Decimal("7.00".into())),
            (Value::Int(7), SqlType::NVarChar(0), text("7")),
        ] {
            assert_eq!(coerce(given.clone(), ty).unwrap(), wanted, "{given:?} as {ty:?}");
        }
    }

    #[test]
    fn guids_read_back() {
        let printed = "6F9619FF-8B86-D011-B42D-00C04FC964FF";
        let guid = coerce(text(printed), SqlType::UniqueIdentifier).unwrap();
        assert_eq!(coerce(guid.clone(), SqlType::NVarChar(36)).unwrap(), text(printed));
        let bytes = coerce(guid.clone(), SqlType::VarBinary(16)).unwrap();
        assert_eq!(coerce(bytes, SqlType::UniqueIdentifier).unwrap(), guid);
        for wrong in [
            "",
            "6F9619FF-8B86-D011-B42D-00C04FC964F",
            "6F9619FF-8B86-D011-B42D-00C04FC964FZ",
            &"é".repeat(18),
        ] {
            assert_eq!(coerce(text(wrong), SqlType::UniqueIdentifier).unwrap_err().number, 8114, "{wrong}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_overflow_and_what_is_no_number_a_conversion_error() {
        assert_eq!(coerce(Value::Int(256), SqlType::TinyInt).unwrap_err().number, 8115);
        assert_eq!(coerce(Value::Float(1e300), SqlType::BigInt).unwrap_err().number, 8114);
        assert_eq!(coerce(text("x"), SqlType::Int).unwrap_err().number, 8114);
        let decimal = SqlType::Decimal { precision: 3, scale: 0 };
        assert_eq!(coerce(text("1000"), decimal).unwrap_err().number, 8115);
        assert_eq!(coerce(Value::Bytes(vec![1]), SqlType::Int).unwrap_err().number, 8114);
        assert_eq!(coerce(text("2024-13-01"), SqlType::Date).unwrap_err().number, 8114);
    }
}

//! Text to other types.

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::query::cell::guid_in;
use crate::query::convert::{code_page, fit_binary, in_range, moment};
use crate::query::types::{Family, as_decimal, family, is_national};
use crate::query::{decimal, error};

/// Text to anything but text.
pub(crate) fn cast(text: &str, from: SqlType, to: SqlType, style: Option<i64>) -> Result<Cell, ServerError> {
    let (from_name, to_name) = (error::type_name(from), error::type_name(to));
    match family(to) {
        Family::Bit => bit(text).ok_or_else(|| error::conversion_failed(from_name, text, to_name)),
        Family::Integer => {
            let number = whole(text).ok_or_else(|| error::conversion_failed(from_name, text, to_name))?;
            in_range(number, to).map(Cell::Integer).ok_or_else(|| match to {
                SqlType::BigInt => error::overflow(from_name, to_name),
                _ => error::text_overflow(text.trim_matches(' '), to_name),
            })
        }
        Family::Float => float(text).map(Cell::Real).ok_or_else(|| error::converting(from_name, to_name)),
        Family::Decimal => {
            let (precision, scale) = as_decimal(to);
            let plain = text.trim_matches(' ');
            if !is_decimal(plain) {
                return Err(error::converting(from_name, to_name));
            }
            let value = decimal::parse(plain, scale).ok_or_else(|| error::overflow(from_name, to_name))?;
            decimal::rescale(i128::from(value), scale, scale, precision)
                .map(Cell::Integer)
                .map_err(|_| error::overflow(from_name, to_name))
        }
        Family::Guid => guid(text).map(|guid| Cell::Blob(guid_in(guid))).ok_or_else(error::bad_guid),
        Family::Binary => binary(text, from, to, style),
        Family::Moment => moment::parse(text, to, style).map(Cell::Integer),
        Family::Text => Err(error::explicit_not_allowed(from_name, to_name)),
    }
}

fn bit(text: &str) -> Option<Cell> {
    let text = text.trim_matches(' ');
    if text.eq_ignore_ascii_case("true") {
        return Some(Cell::Integer(1));
    }
    if text.eq_ignore_ascii_case("false") {
        return Some(Cell::Integer(0));
    }
    whole(text).map(|number| Cell::Integer(i64::from(number != 0)))
}

/// An integer with an optional sign; nothing at all is 0.
pub(crate) fn whole(text: &str) -> Option<i128> {
    let text = text.trim_matches(' ');
    if text.is_empty() {
        return Some(0);
    }
    let (negative, digits) = match text.as_bytes()[0] {
        b'-' => (true, text[1..].trim_start_matches(' ')),
        b'+' => (false, text[1..].trim_start_matches(' ')),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    // Longer numbers overflow every type alike.
    let value: i128 = if digits.len() > 30 { i128::MAX } else { digits.parse().unwrap_or(0) };
    Some(if negative { -value } else { value })
}

/// A floating number; nothing at all is 0.
pub(crate) fn float(text: &str) -> Option<f64> {
    let text = text.trim_matches(' ');
    if text.is_empty() {
        return Some(0.0);
    }
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    if !plain {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Sign, digits and a point.
pub(crate) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1
}

/// 36 characters, braces allowed; what follows them does not count.
fn guid(text: &str) -> Option<[u8; 16]> {
    let inner = match text.strip_prefix('{') {
        Some(rest) if rest.as_bytes().get(36) == Some(&b'}') => rest,
        Some(_) => return None,
        None => text,
    };
    let inner = inner.get(..36)?;
    let mut guid = [0; 16];
    let mut nibbles = 0;
    for (place, c) in inner.chars().enumerate() {
        if matches!(place, 8 | 13 | 18 | 23) {
            if c != '-' {
                return None;
            }
            continue;
        }
        let digit = u8::try_from(c.to_digit(16)?).ok()?;
        guid[nibbles / 2] = guid[nibbles / 2] << 4 | digit;
        nibbles += 1;
    }
    Some(guid)
}

fn binary(text: &str, from: SqlType, to: SqlType, style: Option<i64>) -> Result<Cell, ServerError> {
    let failed = || error::converting(error::type_name(from), error::type_name(to));
    let bytes = match style.unwrap_or(0) {
        0 => raw(text, is_national(from)),
        1 => hex(text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).ok_or_else(failed)?)
            .ok_or_else(failed)?,
        2 => hex(text).ok_or_else(failed)?,
        other => return Err(error::bad_style(other, error::type_name(from), error::type_name(to))),
    };
    Ok(Cell::Blob(fit_binary(bytes, to)))
}

/// The bytes in which the engine stores a text.
pub(crate) fn raw(text: &str, national: bool) -> Vec<u8> {
    if national {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    } else {
        text.chars().map(|c| code_page::byte(c).unwrap_or(b'?')).collect()
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digits: Option<Vec<u8>> =
        digits.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    Some(digits?.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_from_text() {
        let int = |text| cast(text, SqlType::VarChar(20), SqlType::Int, None);
        assert_eq!(int(" -12 ").unwrap(), Cell::Integer(-12));
        assert_eq!(int("").unwrap(), Cell::Integer(0));
        assert_eq!(int("1.0").unwrap_err().number, 245);
        assert_eq!(int("3000000000").unwrap_err().number, 248);
    }

    #[test]
    fn other_types_from_text() {
        let to = |text, ty| cast(text, SqlType::NVarChar(60), ty, None);
        assert_eq!(to("1e2", SqlType::Float).unwrap(), Cell::Real(100.0));
        assert_eq!(to("nan", SqlType::Float).unwrap_err().number, 8114);
        assert_eq!(to("TRUE", SqlType::Bit).unwrap(), Cell::Integer(1));
        assert_eq!(to("", SqlType::Decimal { precision: 5, scale: 2 }).unwrap_err().number, 8114);
        assert_eq!(to("zz", SqlType::UniqueIdentifier).unwrap_err().number, 8169);
        assert_eq!(to("ab", SqlType::VarBinary(9)).unwrap(), Cell::Blob(vec![b'a', 0, b'b', 0]));
    }

    #[test]
    fn hexadecimal_styles() {
        let bytes = |text, style| cast(text, SqlType::VarChar(60), SqlType::VarBinary(0), Some(style));
        assert_eq!(bytes("0x0aFF", 1).unwrap(), Cell::Blob(vec![10, 255]));
        assert_eq!(bytes("0aFF", 2).unwrap(), Cell::Blob(vec![10, 255]));
        assert_eq!(bytes("0aFF", 1).unwrap_err().number, 8114);
        assert_eq!(bytes("abc", 2).unwrap_err().number, 8114);
    }
}

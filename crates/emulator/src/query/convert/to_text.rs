//! Other types to text.

use std::fmt::Write as _;

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::query::cell::guid_out;
use crate::query::convert::{code_page, moment};
use crate::query::types::{Family, family, is_money, is_national, length, scale};
use crate::query::{decimal, error};

/// Anything but text to text.
pub(crate) fn cast(cell: &Cell, from: SqlType, to: SqlType, style: Option<i64>) -> Result<Cell, ServerError> {
    let text = match (cell, family(from)) {
        (Cell::Integer(number), Family::Bit | Family::Integer) => {
            return number_text(&number.to_string(), from, to);
        }
        (Cell::Integer(number), Family::Decimal) if is_money(from) => money(*number, from, to, style)?,
        (Cell::Integer(number), Family::Decimal) => {
            let text = decimal::print(*number, scale(from));
            return if fits(&text, to) {
                fit(text, to)
            } else {
                Err(error::overflow("numeric", error::type_name(to)))
            };
        }
        (Cell::Real(number), Family::Float) => {
            if !matches!(style.unwrap_or(0), 0) {
                return Err(error::outside(1, "style of a float"));
            }
            let text = general(*number);
            return if fits(&text, to) {
                fit(text, to)
            } else {
                Err(error::overflow("float", error::type_name(to)))
            };
        }
        (Cell::Blob(bytes), Family::Binary) => return binary(bytes, from, to, style),
        (Cell::Blob(held), Family::Guid) => {
            let text = guid_text(guid_out(held));
            if !fits(&text, to) {
                // 8170
                return Err(ServerError::new(
                    8170,
                    "Insufficient result space to convert uniqueidentifier value to char.",
                ));
            }
            text
        }
        (Cell::Integer(ticks), Family::Moment) => moment::print(*ticks, from, to, style)?,
        _ => return Err(error::explicit_not_allowed(error::type_name(from), error::type_name(to))),
    };
    fit(text, to)
}

fn fits(text: &str, to: SqlType) -> bool {
    length(to) == 0 || text.len() <= usize::from(length(to))
}

/// An integer that does not fit is `*` in a narrow string and an error in a wide one.
fn number_text(text: &str, from: SqlType, to: SqlType) -> Result<Cell, ServerError> {
    if fits(text, to) {
        return fit(text.to_owned(), to);
    }
    let starred = matches!(from, SqlType::TinyInt | SqlType::SmallInt | SqlType::Int) && !is_national(to);
    if starred { fit("*".to_owned(), to) } else { Err(error::overflow("expression", error::type_name(to))) }
}

fn money(number: i64, from: SqlType, to: SqlType, style: Option<i64>) -> Result<String, ServerError> {
    match style.unwrap_or(0) {
        0 => {
            let cents = decimal::round_div(i128::from(number), 100);
            Ok(decimal::print(i64::try_from(cents).unwrap_or(i64::MAX), 2))
        }
        2 => Ok(decimal::print(number, 4)),
        other => Err(error::bad_style(other, error::type_name(from), error::type_name(to))),
    }
}

/// Six significant digits, as style 0 prints a float.
pub(crate) fn general(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{number:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let short = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if (-5..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        short(&format!("{number:.decimals$}"))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:03}", short(mantissa), exponent.abs())
    }
}

fn binary(bytes: &[u8], from: SqlType, to: SqlType, style: Option<i64>) -> Result<Cell, ServerError> {
    match style.unwrap_or(0) {
        0 => {
            let text = if is_national(to) {
                let mut padded = bytes.to_vec();
                if !padded.len().is_multiple_of(2) {
                    padded.push(0);
                }
                let units: Vec<u16> =
                    padded.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
                String::from_utf16(&units).map_err(|_| error::outside(1, "half of a surrogate pair"))?
            } else {
                bytes.iter().map(|byte| code_page::character(*byte)).collect()
            };
            fit(text, to)
        }
        style @ (1 | 2) => {
            let mut text = String::with_capacity(bytes.len() * 2 + 2);
            if style == 1 {
                text.push_str("0x");
            }
            for byte in bytes {
                let _ = write!(text, "{byte:02X}");
            }
            if !fits(&text, to) {
                // Whole bytes only.
                text.truncate(usize::from(length(to)) / 2 * 2);
            }
            fit(text, to)
        }
        other => Err(error::bad_style(other, error::type_name(from), error::type_name(to))),
    }
}

/// The text form of a uniqueidentifier.
pub(crate) fn guid_text(guid: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in guid.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// Text cut, padded and narrowed to a character type.
pub(crate) fn fit(text: String, to: SqlType) -> Result<Cell, ServerError> {
    let mut text = if is_national(to) { text } else { code_page::narrow(text)? };
    let width = usize::from(length(to));
    if width > 0 && text.len() > width {
        text = cut(text, width)?;
    }
    if matches!(to, SqlType::Char(_) | SqlType::NChar(_)) {
        let units = text.encode_utf16().count();
        text.extend(std::iter::repeat_n(' ', width.saturating_sub(units)));
    }
    Ok(Cell::Text(text))
}

/// The first `width` UTF-16 units. Half a surrogate pair cannot be held and is refused.
fn cut(text: String, width: usize) -> Result<String, ServerError> {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        if units == width {
            return Ok(text[..at].to_owned());
        }
        units += c.len_utf16();
        if units > width {
            return Err(error::outside(1, "half of a surrogate pair"));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(cell: &Cell, from: SqlType, to: SqlType, style: Option<i64>) -> String {
        match cast(cell, from, to, style).unwrap() {
            Cell::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(text(&Cell::Integer(12345), SqlType::Int, SqlType::VarChar(3), None), "*");
        assert_eq!(
            cast(&Cell::Integer(12345), SqlType::Int, SqlType::NVarChar(3), None).unwrap_err().number,
            8115
        );
        assert_eq!(text(&Cell::Integer(1_234_567), SqlType::Money, SqlType::VarChar(30), None), "123.46");
        for (number, expected) in
            [(1e10, "1e+010"), (0.1, "0.1"), (123_456.0, "123456"), (1_234_567.0, "1.23457e+006")]
        {
            assert_eq!(general(number), expected);
        }
    }

    #[test]
    fn bytes() {
        let blob = Cell::Blob(vec![0x0a, 0xff]);
        let from = SqlType::VarBinary(8);
        assert_eq!(text(&blob, from, SqlType::VarChar(20), Some(1)), "0x0AFF");
        assert_eq!(text(&blob, from, SqlType::VarChar(20), Some(2)), "0AFF");
        assert_eq!(text(&Cell::Blob(b"ab".to_vec()), from, SqlType::VarChar(20), None), "ab");
    }

    #[test]
    fn text_is_cut_and_padded() {
        assert_eq!(fit("abc".into(), SqlType::NChar(5)).unwrap(), Cell::Text("abc  ".into()));
        assert_eq!(fit("abc".into(), SqlType::VarChar(2)).unwrap(), Cell::Text("ab".into()));
        assert_eq!(fit("a\u{1f600}".into(), SqlType::NVarChar(2)).unwrap_err().number, 103_010);
    }
}

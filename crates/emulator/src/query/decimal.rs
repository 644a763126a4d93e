//! Decimals as whole numbers of units of 10 to the minus scale.
//!
//! A value that needs more than 18 digits does not fit and is refused as an overflow, where the engine goes to 38.

use crate::answer::ServerError;
use crate::query::error;

/// Ten to the power of `exponent`, for the scales that fit.
pub(crate) fn unit(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

/// Reads digits with sign and point; more decimals than `scale` are rounded half away from zero.
pub(crate) fn parse(text: &str, scale: u8) -> Option<i64> {
    let text = text.trim_matches(' ');
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    let mut taken = 0;
    for (place, byte) in whole.bytes().chain(fraction.bytes()).enumerate() {
        if !byte.is_ascii_digit() {
            return None;
        }
        let decimal = place.saturating_sub(whole.len());
        if place < whole.len() || decimal < usize::from(scale) {
            value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
            taken += usize::from(place >= whole.len());
        } else if decimal == usize::from(scale) && byte >= b'5' {
            value += 1;
        }
    }
    value = value.checked_mul(unit(u32::try_from(usize::from(scale) - taken).ok()?)?)?;
    i64::try_from(if negative { -value } else { value }).ok()
}

/// Digits with sign and point.
pub(crate) fn print(value: i64, scale: u8) -> String {
    if scale == 0 {
        return value.to_string();
    }
    let width = usize::from(scale) + 1;
    let digits = format!("{:0>width$}", value.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    format!("{}{whole}.{fraction}", if value < 0 { "-" } else { "" })
}

/// Moves a value from one scale to another, rounding half away from zero, and checks the precision.
pub(crate) fn rescale(value: i128, from: u8, to: u8, precision: u8) -> Result<i64, ServerError> {
    let overflow = || error::expression_overflow("numeric");
    let moved = if to >= from {
        value.checked_mul(unit(u32::from(to - from)).ok_or_else(overflow)?).ok_or_else(overflow)?
    } else {
        round_div(value, unit(u32::from(from - to)).ok_or_else(overflow)?)
    };
    if unit(u32::from(precision)).is_some_and(|limit| moved.abs() >= limit) {
        return Err(overflow());
    }
    i64::try_from(moved).map_err(|_| overflow())
}

/// Division that rounds half away from zero.
pub(crate) fn round_div(value: i128, by: i128) -> i128 {
    let quotient = value / by;
    let rest = value % by;
    if rest.abs() * 2 >= by.abs() {
        quotient + if (value < 0) == (by < 0) { 1 } else { -1 }
    } else {
        quotient
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        assert_eq!(parse("-12.50", 2), Some(-1250));
        assert_eq!(print(-1250, 2), "-12.50");
        assert_eq!(print(-5, 2), "-0.05");
        assert_eq!(parse("1.005", 2), Some(101));
        assert_eq!(parse(".5", 0), Some(1));
        assert_eq!(parse("", 2), None);
        assert_eq!(parse("1x", 2), None);
        assert_eq!(parse("99999999999999999999", 2), None);
    }

    #[test]
    fn rescaling_rounds_away_from_zero_and_checks_the_width() {
        assert_eq!(rescale(-15, 1, 0, 5).unwrap(), -2);
        assert_eq!(rescale(14, 1, 0, 5).unwrap(), 1);
        assert_eq!(rescale(100, 0, 0, 2).unwrap_err().number, 8115);
    }
}

//! Decimal numbers between text and the 128-bit integers of the wire.

/// Digits that the largest `decimal` has.
pub const MAX_PRECISION: u8 = 38;

/// Bytes of a value of `precision` digits, sign byte counted (2.2.5.5.1.6).
pub fn length(precision: u8) -> u8 {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}

/// A number times ten to some scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaled {
    /// Whether it is below zero.
    pub negative: bool,
    /// Its digits without the point.
    pub magnitude: u128,
}

/// Read `text` (`-12.345`) at a scale, rounded half away from zero. `None`: no number, or too many digits.
pub fn parse(text: &str, precision: u8, scale: u8) -> Option<Scaled> {
    let text = text.trim();
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty()
        || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let scale = usize::from(scale);
    let mut magnitude = 0_u128;
    for digit in whole.bytes().chain(fraction.bytes().chain(std::iter::repeat(b'0')).take(scale)) {
        magnitude = magnitude.checked_mul(10)?.checked_add(u128::from(digit - b'0'))?;
    }
    if fraction.as_bytes().get(scale).is_some_and(|digit| *digit >= b'5') {
        magnitude = magnitude.checked_add(1)?;
    }
    let fits = magnitude < 10_u128.pow(u32::from(precision.min(MAX_PRECISION)));
    fits.then_some(Scaled { negative: negative && magnitude != 0, magnitude })
}

/// Write a scaled number as text with exactly `scale` decimals.
pub fn print(number: Scaled, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0width$}", number.magnitude, width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if number.negative { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_back_at_its_scale() {
        for (text, scale, printed) in [
            ("0", 0, "0"),
            ("-12.345", 2, "-12.35"),
            ("12.344", 2, "12.34"),
            (".5", 1, "0.5"),
            ("-0.004", 2, "0.00"),
            ("99999999999999999999999999999999999999", 0, "99999999999999999999999999999999999999"),
        ] {
            assert_eq!(print(parse(text, 38, scale).unwrap(), scale), printed, "{text}");
        }
    }

    #[test]
    fn too_many_digits_and_no_numbers_are_refused() {
        assert_eq!(parse("1000", 3, 0), None);
        assert_eq!(parse("999.5", 3, 0), None);
        assert_eq!(parse("", 3, 0), None);
        assert_eq!(parse("-", 3, 0), None);
        assert_eq!(parse(".", 3, 0), None);
        assert_eq!(parse("1e3", 9, 0), None);
        assert_eq!(parse(&"9".repeat(60), 38, 0), None);
    }
}

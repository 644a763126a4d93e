//! `varchar` is Windows-1252.

use crate::answer::ServerError;
use crate::query::error;

/// Characters at 0x80 to 0x9f; those left out have no character.
const HIGH: [(u8, char); 27] = [
    (0x80, '\u{20ac}'),
    (0x82, '\u{201a}'),
    (0x83, '\u{192}'),
    (0x84, '\u{201e}'),
    (0x85, '\u{2026}'),
    (0x86, '\u{2020}'),
    (0x87, '\u{2021}'),
    (0x88, '\u{2c6}'),
    (0x89, '\u{2030}'),
    (0x8a, '\u{160}'),
    (0x8b, '\u{2039}'),
    (0x8c, '\u{152}'),
    (0x8e, '\u{17d}'),
    (0x91, '\u{2018}'),
    (0x92, '\u{2019}'),
    (0x93, '\u{201c}'),
    (0x94, '\u{201d}'),
    (0x95, '\u{2022}'),
    (0x96, '\u{2013}'),
    (0x97, '\u{2014}'),
    (0x98, '\u{2dc}'),
    (0x99, '\u{2122}'),
    (0x9a, '\u{161}'),
    (0x9b, '\u{203a}'),
    (0x9c, '\u{153}'),
    (0x9e, '\u{17e}'),
    (0x9f, '\u{178}'),
];

/// The byte of a character, if it has one.
pub(crate) fn byte(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ (0..=0x7f | 0xa0..=0xff | 0x81 | 0x8d | 0x8f | 0x90 | 0x9d) => u8::try_from(code).ok(),
        _ => HIGH.iter().find(|(_, high)| *high == c).map(|(byte, _)| *byte),
    }
}

/// The character of a byte.
pub(crate) fn character(byte: u8) -> char {
    HIGH.iter().find(|(low, _)| *low == byte).map_or(char::from(byte), |(_, high)| *high)
}

/// Text as a `varchar` can hold it. Ideographs, emoji and other characters far from Latin become `?`. The engine
/// replaces some near characters by a similar letter; those are refused rather than guessed.
pub(crate) fn narrow(text: String) -> Result<String, ServerError> {
    if text.is_ascii() {
        return Ok(text);
    }
    let mut narrowed = String::with_capacity(text.len());
    for c in text.chars() {
        if byte(c).is_some() {
            narrowed.push(c);
        } else if matches!(u32::from(c), 0x3041..=0xf8ff) {
            narrowed.push('?');
        } else if u32::from(c) > 0xffff {
            // A surrogate pair is two characters to the engine.
            narrowed.push_str("??");
        } else {
            return Err(error::outside(1, &format!("{c} as varchar")));
        }
    }
    Ok(narrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_byte_becomes_a_question_mark_or_is_refused() {
        assert_eq!(narrow("\u{20ac}\u{e9}\u{5b57}\u{1f600}".into()).unwrap(), "\u{20ac}\u{e9}???");
        assert_eq!(narrow("\u{101}".into()).unwrap_err().number, 103_010);
        assert_eq!(character(byte('\u{20ac}').unwrap()), '\u{20ac}');
    }
}

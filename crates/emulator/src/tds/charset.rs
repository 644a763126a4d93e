//! Code page 1252, in which `varchar` travels under the collation shown to clients.

/// SQL_Latin1_General_CP1_CI_AS: LCID 0x0409, ignoring case, kana and width, sort id 52.
pub const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

/// Bit of a collation's first word that says that text is UTF-8 (2.2.5.1.2).
const UTF8_FLAG: u32 = 1 << 26;

/// What 0x80 to 0x9F mean. Holes keep their own number, as Windows does.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

/// Bytes of code page 1252. What it cannot write becomes `?`.
pub fn encode(text: &str) -> Vec<u8> {
    text.chars().map(encode_char).collect()
}

fn encode_char(c: char) -> u8 {
    match u8::try_from(u32::from(c)) {
        Ok(byte) if !(0x80..0xA0).contains(&byte) => byte,
        _ => HIGH.iter().position(|high| *high == c).map_or(b'?', |at| 0x80 + u8::try_from(at).unwrap_or(0)),
    }
}

/// Text of `varchar` bytes under a collation.
pub fn decode(bytes: &[u8], collation: [u8; 5]) -> String {
    let [a, b, c, d, _] = collation;
    if u32::from_le_bytes([a, b, c, d]) & UTF8_FLAG != 0 {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    bytes
        .iter()
        .map(|byte| match byte {
            0x80..=0x9F => HIGH[usize::from(byte - 0x80)],
            other => char::from(*other),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_both_ways() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(encode(&decode(&bytes, COLLATION)), bytes);
    }

    #[test]
    fn foreign_letters_become_question_marks() {
        assert_eq!(encode("€ж"), [0x80, b'?']);
    }

    #[test]
    fn utf8_collations_are_read_as_utf8() {
        assert_eq!(decode("ж".as_bytes(), [0x09, 0x04, 0xD0, 0x04, 0x00]), "ж");
    }
}

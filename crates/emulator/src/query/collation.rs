//! How texts compare.
//!
//! The database has `SQL_Latin1_General_CP1_CI_AS`: no case, accents count, trailing spaces do not. Order is that of
//! words: punctuation before digits before letters, an accented letter after its plain one, and hyphens and
//! apostrophes only break ties.

use std::cmp::Ordering;

use crate::answer::ServerError;
use crate::query::error;

/// A collation that this server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collation {
    /// Without case.
    Insensitive,
    /// With case.
    Sensitive,
    /// By code unit.
    Binary,
}

impl Collation {
    /// The collation of this name.
    pub(crate) fn by_name(name: &str) -> Result<Self, ServerError> {
        let upper = name.to_ascii_uppercase();
        if matches!(upper.as_str(), "DATABASE_DEFAULT" | "CATALOG_DEFAULT") {
            return Ok(Self::Insensitive);
        }
        if !upper.starts_with("LATIN1_GENERAL") && !upper.starts_with("SQL_LATIN1_GENERAL") {
            return Err(error::bad_collation(name));
        }
        if upper.ends_with("_BIN") || upper.ends_with("_BIN2") || upper.ends_with("_BIN2_UTF8") {
            Ok(Self::Binary)
        } else if upper.contains("_CI_AS") {
            Ok(Self::Insensitive)
        } else if upper.contains("_CS_AS") {
            Ok(Self::Sensitive)
        } else {
            Err(error::bad_collation(name))
        }
    }

    /// Its name inside SQLite.
    pub(crate) fn sqlite(self) -> &'static str {
        match self {
            Self::Insensitive => "T_CI",
            Self::Sensitive => "T_CS",
            Self::Binary => "T_BIN",
        }
    }

    /// A name that the product has for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Insensitive => "SQL_Latin1_General_CP1_CI_AS",
            Self::Sensitive => "SQL_Latin1_General_CP1_CS_AS",
            Self::Binary => "Latin1_General_BIN2",
        }
    }

    /// Compares two texts.
    pub(crate) fn compare(self, left: &str, right: &str) -> Ordering {
        let (left, right) = (left.trim_end_matches(' '), right.trim_end_matches(' '));
        match self {
            Self::Binary => left.encode_utf16().cmp(right.encode_utf16()),
            Self::Insensitive => words(left, right),
            Self::Sensitive => {
                words(left, right).then_with(|| right.chars().map(case).cmp(left.chars().map(case)))
            }
        }
    }

    /// Whether two characters are the same, as LIKE, REPLACE and CHARINDEX ask.
    pub(crate) fn same(self, left: char, right: char) -> bool {
        left == right || (self == Self::Insensitive && fold(left) == fold(right))
    }
}

/// A character without its case.
pub(crate) fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Lower case sorts before upper case where nothing else differs.
fn case(c: char) -> bool {
    c.is_lowercase()
}

fn words(left: &str, right: &str) -> Ordering {
    if left.is_ascii() && right.is_ascii() && left.eq_ignore_ascii_case(right) {
        return Ordering::Equal;
    }
    letters(left)
        .cmp(letters(right))
        .then_with(|| accents(left).cmp(accents(right)))
        .then_with(|| left.chars().map(fold).cmp(right.chars().map(fold)))
}

/// Class and base letter of what counts. Two texts are compared up to where they differ, and nothing is put aside for it: a look-up among
/// ten thousand names compares most of them.
fn letters(text: &str) -> impl Iterator<Item = (u8, char)> {
    text.chars().filter(|c| !is_light(*c)).map(weight).map(|(class, base, _)| (class, base))
}

/// What counts, with its accents.
fn accents(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !is_light(*c)).map(|c| weight(c).2)
}

/// Hyphen and apostrophe break ties only.
fn is_light(c: char) -> bool {
    matches!(c, '-' | '\'')
}

/// Class, base letter, and the character itself where accents decide.
fn weight(c: char) -> (u8, char, char) {
    let folded = fold(c);
    if folded.is_ascii_lowercase() {
        return (3, folded, folded);
    }
    if folded == ' ' {
        (0, folded, folded)
    } else if folded.is_numeric() {
        (2, folded, folded)
    } else if folded.is_alphabetic() {
        (3, base(folded), folded)
    } else {
        (1, folded, folded)
    }
}

/// The plain letter under the accents of Latin-1.
fn base(c: char) -> char {
    match c {
        '\u{e0}'..='\u{e5}' => 'a',
        '\u{e7}' => 'c',
        '\u{e8}'..='\u{eb}' => 'e',
        '\u{ec}'..='\u{ef}' => 'i',
        '\u{f1}' => 'n',
        '\u{f2}'..='\u{f6}' | '\u{f8}' => 'o',
        '\u{f9}'..='\u{fc}' => 'u',
        '\u{fd}' | '\u{ff}' => 'y',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ci(left: &str, right: &str) -> Ordering {
        Collation::Insensitive.compare(left, right)
    }

    #[test]
    fn case_and_trailing_spaces_do_not_count_and_accents_do() {
        assert_eq!(ci("Abc  ", "aBC"), Ordering::Equal);
        assert_eq!(ci("", "   "), Ordering::Equal);
        assert_ne!(ci(" a", "a"), Ordering::Equal);
        assert_eq!(ci("B\u{d6}", "b\u{f6}"), Ordering::Equal);
        assert_ne!(ci("bo", "b\u{f6}"), Ordering::Equal);
    }

    #[test]
    fn words_sort_as_in_a_dictionary() {
        let mut names =
            vec!["zebra", "_x", "co-op", "coop", "Coot", "\u{e9}t\u{e9}", "etb", "9", "a b", "ab"];
        names.sort_by(|a, b| ci(a, b));
        assert_eq!(names, ["_x", "9", "a b", "ab", "co-op", "coop", "Coot", "etb", "\u{e9}t\u{e9}", "zebra"]);
    }

    #[test]
    fn case_and_code_units_count_where_asked() {
        assert_eq!(Collation::Sensitive.compare("a", "A"), Ordering::Less);
        assert_eq!(Collation::Binary.compare("a", "B"), Ordering::Greater);
        assert_eq!(Collation::by_name("latin1_general_100_bin2").unwrap(), Collation::Binary);
        assert_eq!(Collation::by_name("Greek_CI_AI").unwrap_err().number, 448);
    }
}

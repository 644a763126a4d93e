//! Names that T-SQL accepts and that compare as a pool may compare them.
//!
//! A pool's default collation ignores case, width, kana kind, trailing blanks and characters that have no weight (format
//! marks, anything outside the basic plane). Two names that a pool *may* hold equal are equal here: a hostile display
//! name can then collide with another one, which is found and withheld, but never stand beside it unseen.
//! Source: `SQL_Latin1_General_CP1_CI_AS` is the documented default; its weights are general knowledge, not measured.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::str::FromStr;
use std::sync::{OnceLock, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// The most UTF-16 units that a T-SQL identifier (`sysname`) holds.
pub const MAX_UNITS: usize = 128;

/// Why a text cannot be a name in T-SQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No characters.
    #[error("a name must not be empty")]
    Empty,
    /// Over 128 UTF-16 units.
    #[error("the name has {units} UTF-16 units; T-SQL allows {MAX_UNITS}")]
    TooLong {
        /// How many it has.
        units: usize,
    },
    /// U+0000 or another control character.
    #[error("the name holds the control character U+{code:04X}")]
    Control {
        /// Its code point.
        code: u32,
    },
    /// Blanks at an end: a pool ignores those at the right, people overlook those at the left.
    #[error("the name begins or ends with a blank")]
    Blank,
    /// Nothing in it has a weight in the pool's collation, so it would equal every other such name.
    #[error("the name holds no character that a pool's collation can tell apart")]
    Weightless,
}

struct Entry {
    spelling: &'static str,
    folded: &'static str,
    /// The first bytes of `folded` as a number: most comparisons need no more than this one line of memory.
    begins: u64,
    class: u32,
}

fn begins(folded: &str) -> u64 {
    folded.bytes().chain(std::iter::repeat(0)).take(8).fold(0, |number, byte| number << 8 | u64::from(byte))
}

/// A validated name: 1 to 128 UTF-16 units without control characters. Compares by [fold class](self), keeps its spelling.
///
/// Spellings are interned for the life of the process: a name is one machine word, and graphs of a million grants fit
/// in memory. The set of spellings ever seen is bounded by the directory and the catalogs.
#[derive(Clone, Copy)]
pub struct SqlName(&'static Entry);

#[derive(Default)]
struct Interner {
    spellings: HashMap<&'static str, &'static Entry>,
    classes: HashMap<&'static str, u32>,
}

fn interner() -> &'static RwLock<Interner> {
    static INTERNER: OnceLock<RwLock<Interner>> = OnceLock::new();
    INTERNER.get_or_init(RwLock::default)
}

impl SqlName {
    /// Checks `text` and makes a name of it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if let Some(entry) = interner().read().unwrap_or_else(PoisonError::into_inner).spellings.get(text) {
            return Ok(Self(entry));
        }
        let folded = check(text)?;
        let mut table = interner().write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = table.spellings.get(text) {
            return Ok(Self(entry));
        }
        let next = u32::try_from(table.classes.len()).unwrap_or(u32::MAX);
        let class = table.classes.get(folded.as_str()).copied().unwrap_or(next);
        let entry: &'static Entry = Box::leak(Box::new(Entry {
            spelling: Box::leak(text.into()),
            begins: begins(&folded),
            folded: Box::leak(folded.into_boxed_str()),
            class,
        }));
        table.spellings.insert(entry.spelling, entry);
        table.classes.entry(entry.folded).or_insert(class);
        Ok(Self(entry))
    }

    /// Below every name and no name itself: where a range over names begins.
    pub fn lowest() -> Self {
        static LOWEST: Entry = Entry { spelling: "", folded: "", begins: 0, class: u32::MAX };
        Self(&LOWEST)
    }

    /// The name as it was spelled.
    pub fn as_str(self) -> &'static str {
        self.0.spelling
    }

    /// The key that it compares by.
    pub fn folded(self) -> &'static str {
        self.0.folded
    }

    /// Whether the two are spelled alike, letter for letter.
    pub fn same_spelling(self, other: Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

fn check(text: &str) -> Result<String, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let units = text.encode_utf16().count();
    if units > MAX_UNITS {
        return Err(NameError::TooLong { units });
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(NameError::Control { code: u32::from(c) });
    }
    if text.trim() != text {
        return Err(NameError::Blank);
    }
    let folded = fold(text);
    if folded.is_empty() { Err(NameError::Weightless) } else { Ok(folded) }
}

/// The key under which a pool may hold two texts equal.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.trim_end_matches(' ').to_ascii_lowercase();
    }
    // What has no weight goes first: else it would keep a letter and its accent apart.
    let upper: String = text.nfkd().filter(|c| has_weight(*c)).nfkc().flat_map(char::to_uppercase).collect();
    let mut folded: String =
        upper.chars().flat_map(char::to_lowercase).nfc().filter(|c| has_weight(*c)).map(hiragana).collect();
    folded.truncate(folded.trim_end().len());
    folded
}

fn hiragana(c: char) -> char {
    match u32::from(c) {
        code @ 0x30a1..=0x30f6 => char::from_u32(code - 0x60).unwrap_or(c),
        _ => c,
    }
}

fn has_weight(c: char) -> bool {
    let code = u32::from(c);
    let format = matches!(code,
        0x00ad | 0x034f | 0x061c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
        | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffd);
    !format && code <= 0xffff && !(0xe000..=0xf8ff).contains(&code)
}

/// Text for people: marks that change how a line reads (bidirectional and other format characters) are spelled out.
pub fn shown(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let hidden = c.is_control()
                || (u32::from(c) <= 0xffff && !has_weight(c) && !('\u{e000}'..='\u{f8ff}').contains(&c));
            if hidden { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}

impl PartialEq for SqlName {
    fn eq(&self, other: &Self) -> bool {
        self.0.class == other.0.class
    }
}

impl Eq for SqlName {}

/// A map from names.
pub type NameMap<V> = HashMap<SqlName, V, BuildHasherDefault<NameHasher>>;

/// A set of names.
pub type NameSet = HashSet<SqlName, BuildHasherDefault<NameHasher>>;

/// Spreads the numbers of names. They are given in the order of their coming, so nobody can choose which ones collide.
#[derive(Debug, Clone, Copy, Default)]
pub struct NameHasher(u64);

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}

impl Hash for SqlName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.class.hash(state);
    }
}

impl Ord for SqlName {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.0.class == other.0.class {
            return Ordering::Equal;
        }
        self.0.begins.cmp(&other.0.begins).then_with(|| self.0.folded.cmp(other.0.folded))
    }
}

impl PartialOrd for SqlName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SqlName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&shown(self.0.spelling))
    }
}

impl fmt::Debug for SqlName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0.spelling)
    }
}

impl FromStr for SqlName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl Serialize for SqlName {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.0.spelling)
    }
}

impl<'de> Deserialize<'de> for SqlName {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    #[test]
    fn case_width_kana_and_marks_do_not_tell_names_apart() {
        for (a, b) in [
            ("Kim", "kIM"),
            ("ｋｉｍ", "kim"),
            ("カナ", "かな"),
            ("kim\u{200f}", "kim"),
            ("Straße", "STRASSE"),
            ("e\u{301}", "é"),
            ("e\u{200b}\u{301}", "é"),
            ("a😀", "A"),
        ] {
            assert_eq!(name(a), name(b), "{a:?} {b:?}");
            assert!(!name(a).same_spelling(name(b)));
        }
        assert_ne!(name("resume"), name("résumé"));
    }

    #[test]
    fn what_t_sql_cannot_hold_is_refused_with_the_reason() {
        assert_eq!(SqlName::parse(""), Err(NameError::Empty));
        assert_eq!(SqlName::parse("a\0b"), Err(NameError::Control { code: 0 }));
        assert_eq!(SqlName::parse(" a"), Err(NameError::Blank));
        assert_eq!(SqlName::parse(&"x".repeat(129)), Err(NameError::TooLong { units: 129 }));
        assert_eq!(SqlName::parse(&"😀".repeat(128)), Err(NameError::TooLong { units: 256 }));
        assert_eq!(SqlName::parse(&"😀".repeat(64)), Err(NameError::Weightless));
        assert!(SqlName::parse(&"x".repeat(128)).is_ok());
        assert!(SqlName::parse("x]; DROP USER [dbo]--").is_ok());
    }

    #[test]
    fn order_is_by_the_folded_name() {
        let mut names = [name("b"), name("A"), name("C")];
        names.sort();
        assert_eq!(names.map(SqlName::as_str), ["A", "b", "C"]);
    }

    #[test]
    fn people_see_hidden_marks() {
        assert_eq!(name("ab\u{202e}c").to_string(), "ab\\u{202e}c");
    }

    proptest::proptest! {
        #[test]
        fn equality_agrees_with_order_and_hash(a in ".{0,12}", b in ".{0,12}") {
            if let (Ok(a), Ok(b)) = (SqlName::parse(&a), SqlName::parse(&b)) {
                proptest::prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
                proptest::prop_assert_eq!(a == b, a.folded() == b.folded());
                proptest::prop_assert_eq!(a.cmp(&b), a.folded().cmp(b.folded()));
                proptest::prop_assert!(SqlName::lowest() < a);
            }
        }
    }
}

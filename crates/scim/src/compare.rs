//! How values compare: folded text where case does not count, text as it is where it does, and
//! points in time for dates. The store keeps [`fold`]ed keys beside the text that it returns.

use std::borrow::Cow;

use time::OffsetDateTime;
use time::format_description::well_known::{Iso8601, Rfc3339};
use unicode_normalization::UnicodeNormalization;

/// The comparison key of text where case does not count: canonical composition of the full case
/// folding, so that `STRASSE`, `straße` and a decomposed `e` + accent meet their other spellings.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfd().flat_map(fold_char).nfc().collect()
}

/// The comparison key of text: itself where case counts, else [`fold`]ed.
pub fn key(text: &str, case_exact: bool) -> Cow<'_, str> {
    if case_exact || (text.is_ascii() && !text.bytes().any(|b| b.is_ascii_uppercase())) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(fold(text))
    }
}

/// Do two texts compare equal?
pub fn same(a: &str, b: &str, case_exact: bool) -> bool {
    a == b || (!case_exact && key(a, false) == key(b, false))
}

/// Lower, upper, lower is full case folding, but for the dotless i, which folds to itself: mapping
/// it to `i` would make one person's name match another's.
fn fold_char(c: char) -> impl Iterator<Item = char> {
    let dotless = (c == 'ı').then_some(c);
    let folded =
        (c != 'ı').then(|| c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase));
    dotless.into_iter().chain(folded.into_iter().flatten())
}

/// A SCIM dateTime (XML Schema: date, time, and `Z` or an offset) as a point in time.
pub fn instant(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    if text.len() > 64 || !text.contains(['T', 't']) {
        return None;
    }
    OffsetDateTime::parse(text, &Rfc3339).or_else(|_| OffsetDateTime::parse(text, &Iso8601::PARSING)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_folds_beyond_ascii() {
        for (a, b) in [
            ("KIM@EX.TEST", "kim@ex.test"),
            ("STRASSE", "straße"),
            ("STRAẞE", "strasse"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
            ("Jose\u{301}", "JOSÉ"),
        ] {
            assert!(same(a, b, false), "{a} {b}");
        }
    }

    #[test]
    fn different_letters_stay_different() {
        assert!(!same("admın", "admin", false));
        assert_eq!(fold("ADMıN"), "admın");
        assert!(!same("İnce", "ince", false));
        assert!(!same("Kim", "kim", true));
        assert!(!same("a b", "ab", false));
    }

    #[test]
    fn folding_is_stable() {
        for text in ["ǅ", "ŉ", "ΐ", "İ", "ı", "ﬀ", "Å", "ẞ", "ᾳ\u{345}"] {
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
    }

    #[test]
    fn dates_compare_as_instants() {
        let utc = instant("2026-01-01T00:00:00Z");
        assert!(utc.is_some());
        assert_eq!(utc, instant("2026-01-01T02:00:00+02:00"));
        assert_eq!(
            instant("2015-10-10T14:38:21.8617979-07:00").map(OffsetDateTime::nanosecond),
            Some(861_797_900)
        );
        assert_eq!(instant("2026-01-01"), None);
        assert_eq!(instant("2026-01-01T00:00:00"), None);
        assert_eq!(instant("soon, at T"), None);
    }
}

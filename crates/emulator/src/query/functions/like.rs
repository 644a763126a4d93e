//! LIKE patterns: `%`, `_`, `[a-f]`, `[^x]`, ESCAPE.

use crate::answer::ServerError;
use crate::query::collation::{Collation, fold};
use crate::query::error;

/// One piece of a pattern.
#[derive(Debug)]
enum Piece {
    Any,
    One,
    Literal(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// Most steps of one match: patterns with many `%` are quadratic, not more.
const MAX_STEPS: usize = 50_000_000;

/// Whether the whole text matches the pattern.
pub(crate) fn matches(
    text: &str,
    pattern: &str,
    escape: Option<char>,
    collation: Collation,
) -> Result<bool, ServerError> {
    let Some(pieces) = pieces(pattern, escape) else { return Ok(false) };
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut piece) = (0, 0);
    // Where to go on after the last `%`.
    let mut retry: Option<(usize, usize)> = None;
    let mut steps = 0usize;
    while at < text.len() {
        steps += 1;
        if steps > MAX_STEPS {
            return Err(error::outside(1, "LIKE over so long a text"));
        }
        match pieces.get(piece) {
            Some(Piece::Any) => {
                retry = Some((at, piece));
                piece += 1;
                continue;
            }
            Some(other) if hits(other, text[at], collation) => {
                at += 1;
                piece += 1;
                continue;
            }
            _ => {}
        }
        // Trailing blanks of the text do not count against the pattern.
        if piece == pieces.len() && text[at..].iter().all(|c| *c == ' ') {
            return Ok(true);
        }
        let Some((start, any)) = retry else { return Ok(false) };
        at = start + 1;
        piece = any + 1;
        retry = Some((at, any));
    }
    Ok(pieces[piece.min(pieces.len())..].iter().all(|piece| matches!(piece, Piece::Any)))
}

/// Where the pattern first matches inside the text, as a count of characters before it (PATINDEX).
pub(crate) fn find(text: &str, pattern: &str, collation: Collation) -> Result<Option<usize>, ServerError> {
    let open = pattern.starts_with('%');
    let rest = pattern.trim_start_matches('%');
    if !open {
        return Ok(matches(text, pattern, None, collation)?.then_some(0));
    }
    for (count, (at, _)) in text.char_indices().chain([(text.len(), ' ')]).enumerate() {
        if matches(&text[at..], rest, None, collation)? {
            return Ok(Some(count));
        }
    }
    Ok(None)
}

fn hits(piece: &Piece, c: char, collation: Collation) -> bool {
    match piece {
        Piece::Any => false,
        Piece::One => true,
        Piece::Literal(literal) => collation.same(*literal, c),
        Piece::Class { negated, ranges } => {
            let inside = ranges.iter().any(|(low, high)| {
                if low == high {
                    return collation.same(*low, c);
                }
                match collation {
                    Collation::Binary => (*low..=*high).contains(&c),
                    _ => (fold(*low)..=fold(*high)).contains(&fold(c)),
                }
            });
            inside != *negated
        }
    }
}

/// Splits a pattern. `None` is a pattern that matches nothing: an open class, an escape at the end.
fn pieces(pattern: &str, escape: Option<char>) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        if Some(c) == escape {
            pieces.push(Piece::Literal(characters.next()?));
            continue;
        }
        pieces.push(match c {
            '%' => Piece::Any,
            '_' => Piece::One,
            '[' => {
                let mut members = Vec::new();
                let negated = characters.next_if_eq(&'^').is_some();
                loop {
                    match characters.next()? {
                        // A class ends at its first `]`, even an empty one.
                        ']' => break,
                        member if Some(member) == escape => members.push((characters.next()?, true)),
                        member => members.push((member, false)),
                    }
                }
                Piece::Class { negated, ranges: ranges(&members) }
            }
            other => Piece::Literal(other),
        });
    }
    Some(pieces)
}

fn ranges(members: &[(char, bool)]) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < members.len() {
        let low = members[at].0;
        if members.get(at + 1) == Some(&('-', false)) && at + 2 < members.len() {
            ranges.push((low, members[at + 2].0));
            at += 3;
        } else {
            ranges.push((low, low));
            at += 1;
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(text: &str, pattern: &str) -> bool {
        matches(text, pattern, None, Collation::Insensitive).unwrap()
    }

    #[test]
    fn wildcards_and_classes() {
        assert!(like("Smith", "s%h"));
        assert!(like("smith", "_mit_"));
        assert!(like("b52", "[a-c][0-9]%"));
        assert!(!like("d52", "[a-c]%"));
        assert!(like("d", "[^a-c]"));
        assert!(like("50%", "50[%]"));
        assert!(like("a-b", "a[x-]b"));
        assert!(!like("abc", "ab"));
        assert!(like("ab  ", "ab"));
        assert!(!like("ab", "ab "));
        assert!(!like("a", "[a"));
        assert!(like("aab", "%ab"));
        assert!(like("", "%"));
    }

    #[test]
    fn escapes() {
        let escaped = |text, pattern| matches(text, pattern, Some('!'), Collation::Insensitive).unwrap();
        assert!(escaped("10%", "10!%"));
        assert!(!escaped("100", "10!%"));
        assert!(escaped("a_b", "a!_b"));
        assert!(!escaped("a", "a!"));
    }

    #[test]
    fn many_wildcards_end_soon() {
        let text = "a".repeat(4000);
        assert!(!like(&text, &format!("{}b", "%a".repeat(1000))));
    }

    #[test]
    fn first_places() {
        let find = |text, pattern| find(text, pattern, Collation::Insensitive).unwrap();
        assert_eq!(find("abc123", "%[0-9]%"), Some(3));
        assert_eq!(find("abc", "b%"), None);
        assert_eq!(find("abc", "a%"), Some(0));
        assert_eq!(find("abc", "%c"), Some(2));
    }
}

//! The known name that a mistyped one most likely meant.

/// The candidate nearest to `word`, if one is near enough to be worth a guess. Compares without ASCII case.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are no typing mistakes, and the distance is quadratic.
    if word.is_empty() || word.chars().count() > 80 {
        return None;
    }
    let wanted: Vec<char> = word.to_ascii_lowercase().chars().collect();
    candidates
        .into_iter()
        .filter(|c| c.chars().count() <= 160)
        .map(|c| (distance(&wanted, &c.to_ascii_lowercase().chars().collect::<Vec<_>>()), c))
        .filter(|(d, c)| *d <= 1 + wanted.len().max(c.len()) / 4)
        .min_by_key(|(d, c)| (*d, *c))
        .map(|(_, c)| c)
}

/// Edits between two words, a swap of neighbours counting as one.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_guessed_and_far_ones_are_not() {
        let keys = ["roles", "groups", "source", "until"];
        assert_eq!(nearest("rolse", keys), Some("roles"));
        assert_eq!(nearest("Group", keys), Some("groups"));
        assert_eq!(nearest("banana", keys), None);
        assert_eq!(nearest(&"x".repeat(100_000), keys), None);
    }
}

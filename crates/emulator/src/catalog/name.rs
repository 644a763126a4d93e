//! How names compare: as the collation `SQL_Latin1_General_CP1_CI_AS` does.

/// The form in which two names are equal exactly if the collation says so: without case, without trailing spaces.
/// Accents count.
pub fn fold(name: &str) -> String {
    name.trim_end_matches(' ').chars().flat_map(char::to_lowercase).collect()
}

/// Whether two names are the same name.
pub fn same(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.trim_end_matches(' ').eq_ignore_ascii_case(right.trim_end_matches(' '));
    }
    fold(left) == fold(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_trailing_spaces_do_not_count_but_accents_do() {
        assert!(same("Bj\u{d6}rn ", "bj\u{f6}rn"));
        assert!(!same("Bjorn", "Bj\u{f6}rn"));
        assert!(!same(" a", "a"));
    }
}

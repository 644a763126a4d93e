//! The ways in which a name, or a value of a view, enters SQL text.

use std::fmt;

use axon_model::SqlName;

/// `[name]`, each `]` doubled.
pub(super) struct Bracketed(pub(super) SqlName);

impl fmt::Display for Bracketed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        doubled(self.0.as_str(), ']', f)?;
        f.write_str("]")
    }
}

/// `N'name'`, each `'` doubled.
pub(super) struct Literal(pub(super) SqlName);

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("N'")?;
        doubled(self.0.as_str(), '\'', f)?;
        f.write_str("'")
    }
}

/// `N'value'`, each `'` doubled.
pub(super) struct Value<'a>(pub(super) &'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("N'")?;
        doubled(self.0, '\'', f)?;
        f.write_str("'")
    }
}

fn doubled(text: &str, end: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, part) in text.split(end).enumerate() {
        if i > 0 {
            write!(f, "{end}{end}")?;
        }
        f.write_str(part)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_mark_is_doubled_and_nothing_else_is_touched() {
        let name = |t: &str| SqlName::parse(t).unwrap();
        assert_eq!(Bracketed(name("a]]b[c")).to_string(), "[a]]]]b[c]");
        assert_eq!(Bracketed(name("]")).to_string(), "[]]]");
        assert_eq!(Bracketed(name("O'Brien \"x\"")).to_string(), "[O'Brien \"x\"]");
        assert_eq!(Literal(name("O'Brien]")).to_string(), "N'O''Brien]'");
        assert_eq!(Literal(name("'")).to_string(), "N''''");
    }
}

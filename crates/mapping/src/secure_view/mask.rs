//! What stands in the place of a masked value.

use std::fmt;

/// A mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mask {
    /// NULL.
    Null,
    /// A fixed mark of the column's type.
    Redact,
    /// A hash with a secret of the target, equal for equal values.
    Hash,
    /// The first letter and the domain's end.
    Email,
    /// The last characters.
    Last(u32),
    /// The first characters.
    First(u32),
    /// The number rounded towards zero to a multiple of this.
    Round(u32),
    /// The lower end of the range of this width that the number is in.
    Bucket(u32),
    /// The year of a date.
    Year,
    /// The month of a date.
    Month,
    /// The text with each digit written 0.
    Digits,
    /// This text.
    Constant(String),
}

/// The words of the language, as help says them.
pub(super) const WORDS: &[&str] = &[
    "null",
    "redact",
    "hash",
    "email",
    "last(4)",
    "first(2)",
    "round(100)",
    "bucket(10)",
    "year",
    "month",
    "digits",
    "constant('x')",
];
/// The longest constant, in characters.
const LONGEST: usize = 200;

impl Mask {
    /// Reads one mask.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let plain = match text {
            "null" => Some(Self::Null),
            "redact" => Some(Self::Redact),
            "hash" => Some(Self::Hash),
            "email" => Some(Self::Email),
            "year" => Some(Self::Year),
            "month" => Some(Self::Month),
            "digits" => Some(Self::Digits),
            _ => None,
        };
        if let Some(mask) = plain {
            return Ok(mask);
        }
        let shown = crate::yaml::shown(text);
        let call = text.strip_suffix(')').and_then(|t| t.split_once('('));
        let Some((name, argument)) = call else { return Err(format!("no mask `{shown}`")) };
        let argument = argument.trim();
        let number = |from: u32, to: u32| match argument.parse::<u32>() {
            Ok(n) if (from..=to).contains(&n) => Ok(n),
            _ => Err(format!("`{name}` takes a whole number from {from} to {to}")),
        };
        match name.trim_end() {
            "last" => Ok(Self::Last(number(1, 100)?)),
            "first" => Ok(Self::First(number(1, 100)?)),
            "round" => Ok(Self::Round(number(1, 1_000_000_000)?)),
            "bucket" => Ok(Self::Bucket(number(1, 1_000_000_000)?)),
            "constant" => {
                let inner = argument.strip_prefix('\'').and_then(|a| a.strip_suffix('\''));
                // A quote inside is written twice, as in T-SQL.
                let inner = inner.filter(|t| !t.replace("''", "").contains('\''));
                let Some(inner) = inner else {
                    return Err("`constant` takes a text in single quotes".to_owned());
                };
                let value = inner.replace("''", "'");
                if value.chars().count() > LONGEST || value.chars().any(char::is_control) {
                    return Err(format!("a constant has at most {LONGEST} characters, none of control"));
                }
                Ok(Self::Constant(value))
            }
            _ => Err(format!("no mask `{shown}`")),
        }
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Redact => f.write_str("redact"),
            Self::Hash => f.write_str("hash"),
            Self::Email => f.write_str("email"),
            Self::Last(n) => write!(f, "last({n})"),
            Self::Round(n) => write!(f, "round({n})"),
            Self::First(n) => write!(f, "first({n})"),
            Self::Bucket(n) => write!(f, "bucket({n})"),
            Self::Year => f.write_str("year"),
            Self::Month => f.write_str("month"),
            Self::Digits => f.write_str("digits"),
            Self::Constant(text) => write!(f, "constant('{}')", text.replace('\'', "''")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mask_reads_back_from_its_text() {
        for word in WORDS {
            let mask = Mask::parse(word).unwrap();
            assert_eq!(mask.to_string(), *word);
        }
        assert_eq!(Mask::parse("constant('it''s')").unwrap(), Mask::Constant("it's".into()));
        for bad in
            ["", "nul", "last", "last()", "last(0)", "last(1000)", "round(x)", "constant(x)", "constant(''')"]
        {
            assert!(Mask::parse(bad).is_err(), "{bad}");
        }
    }
}

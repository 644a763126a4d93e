//! The canonical text of a filter: `parse(print(x)) == x`.

use std::fmt::{self, Display, Formatter};

use super::{Expr, Filter, Literal};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(terms) => join(f, terms, " and "),
            Self::Or(terms) => join(f, terms, " or "),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Compare { path, op, literal } => write!(f, "{path} {} {literal}", op.as_str()),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Element { path, condition } => write!(f, "{path}[{condition}]"),
        }
    }
}

fn join(f: &mut Formatter<'_>, terms: &[Expr], word: &str) -> fmt::Result {
    for (place, term) in terms.iter().enumerate() {
        if place > 0 {
            f.write_str(word)?;
        }
        match term {
            Expr::And(_) | Expr::Or(_) => write!(f, "({term})")?,
            term => write!(f, "{term}")?,
        }
    }
    Ok(())
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { text, key: _ } | Self::Instant { text, at: _ } => {
                f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
            }
            Self::Number(number) => write!(f, "{number}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Null => f.write_str("null"),
        }
    }
}

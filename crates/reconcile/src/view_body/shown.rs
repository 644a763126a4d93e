//! A view as people read it: in plans, holds and records.

use std::collections::BTreeSet;
use std::fmt;

use axon_model::name::shown;

use crate::secure::TableFilter;

use super::{Cell, Literal, Order, RowRule, Rows, ShownColumn, Test, TypedMask, ViewBody, Who};

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = T>,
    between: &str,
    each: impl Fn(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.into_iter().enumerate() {
        f.write_str(if i == 0 { "" } else { between })?;
        each(f, item)?;
    }
    Ok(())
}

fn people(f: &mut fmt::Formatter<'_>, who: &BTreeSet<Who>) -> fmt::Result {
    list(f, who, " or ", |f, who| write!(f, "{who}"))
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(name) => write!(f, "role {name}"),
            Self::Has { attribute, value } => write!(f, "{} {}", shown(attribute), shown(value)),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{}'", shown(text)),
            Self::Number(digits) => f.write_str(digits),
            Self::Bytes => f.write_str("0x00"),
        }
    }
}

impl fmt::Display for TypedMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Fixed(value) => write!(f, "constant {value}"),
            Self::Hash { key: _, digits } => write!(f, "hash of {digits} digits"),
            Self::Email => f.write_str("email"),
            Self::Last(n) => write!(f, "last({n})"),
            Self::First(n) => write!(f, "first({n})"),
            Self::Round(n) => write!(f, "round({n})"),
            Self::Bucket { width, lowest: _, safe: _ } => write!(f, "bucket({width})"),
            Self::Year => f.write_str("year"),
            Self::Month => f.write_str("month"),
            Self::Digits => f.write_str("digits"),
        }
    }
}

impl fmt::Display for ShownColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, ty: _, cell } = self;
        write!(f, "{name}")?;
        let Cell::Masked { mask, unless, to } = cell else { return Ok(()) };
        write!(f, " as {mask}")?;
        if !to.is_empty() {
            f.write_str(" for ")?;
            people(f, to)?;
        }
        if !unless.is_empty() {
            f.write_str(" unless ")?;
            people(f, unless)?;
        }
        Ok(())
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare { column, ty: _, order, value } => {
                let order = match order {
                    Order::Eq => "eq",
                    Order::Ne => "ne",
                    Order::Gt => "gt",
                    Order::Ge => "ge",
                    Order::Lt => "lt",
                    Order::Le => "le",
                };
                write!(f, "{column} {order} {value}")
            }
            Self::In { column, ty: _, values } => {
                write!(f, "{column} in (")?;
                list(f, values, ", ", |f, value| value.fmt(f))?;
                f.write_str(")")
            }
            Self::Attribute { column, ty: _, attribute } => {
                write!(f, "{column} in user.{}", shown(attribute))
            }
            Self::LastDays { column, days } => write!(f, "{column} last {days} days"),
            Self::Is(who) => people(f, who),
        }
    }
}

impl fmt::Display for ViewBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, from, columns, rows } = self;
        write!(f, "{name} of {from} (")?;
        list(f, columns, ", ", |f, column| column.fmt(f))?;
        write!(f, "), {rows}")
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("every row"),
            Self::Nothing => f.write_str("no row"),
            Self::Any(rules) => {
                f.write_str("rows: ")?;
                list(f, rules, "; or ", |f, rule| match rule {
                    RowRule::To(who) => write!(f, "all to {who}"),
                    RowRule::All(tests) => list(f, tests, " and ", |f, test| test.fmt(f)),
                })
            }
        }
    }
}

impl fmt::Display for TableFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, columns: _, rows, unfiltered, open: _ } = self;
        write!(f, "{table}, also for its owner and whoever reads it by other permissions: {rows}; all to ")?;
        if unfiltered.is_empty() {
            return f.write_str("nobody else");
        }
        f.write_str("members of ")?;
        list(f, unfiltered, ", ", |f, role| write!(f, "{role}"))
    }
}

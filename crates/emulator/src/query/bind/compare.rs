//! Conditions.

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::query::ast::{Comparison, Expr, Set};
use crate::query::bind::{Binder, Typed};
use crate::query::collation::Collation;
use crate::query::error;
use crate::query::functions::like;
use crate::query::types::{Family, family, is_national, is_text, unify};

impl Binder<'_> {
    /// Binds a condition: SQL that is true, false or NULL for unknown.
    pub(crate) fn condition(&mut self, expr: &Expr) -> Result<String, ServerError> {
        match expr {
            Expr::And(parts) => self.joined(parts, "AND"),
            Expr::Or(parts) => self.joined(parts, "OR"),
            Expr::Not(inner) => Ok(format!("(NOT {})", self.condition(inner)?)),
            Expr::Compare(left, comparison, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.compared(&left, *comparison, &right)
            }
            Expr::IsNull { value, negated } => {
                let value = self.value(value)?;
                Ok(format!("({} IS {}NULL)", value.sql, if *negated { "NOT " } else { "" }))
            }
            Expr::Between { value, low, high, negated } => {
                let (value, low, high) = (self.value(value)?, self.value(low)?, self.value(high)?);
                let above = self.compared(&value, Comparison::GreaterEqual, &low)?;
                let below = self.compared(&value, Comparison::LessEqual, &high)?;
                Ok(format!("({}({above} AND {below}))", if *negated { "NOT " } else { "" }))
            }
            Expr::In { value, set, negated } => self.within(value, set, *negated),
            Expr::Like { value, pattern, escape, negated } => {
                self.like(value, pattern, escape.as_deref(), *negated)
            }
            Expr::Exists(query) => {
                let bound = self.subquery(query)?;
                Ok(format!("(EXISTS ({}))", bound.sql))
            }
            Expr::Quantified { left, comparison, all, query } => match (comparison, all) {
                (Comparison::Equal, false) => self.within(left, &Set::Query(query.clone()), false),
                (Comparison::NotEqual, true) => self.within(left, &Set::Query(query.clone()), true),
                _ => Err(error::outside(1, "ALL")),
            },
            _ => Err(error::not_a_condition()),
        }
    }

    /// AND and OR over many parts, as a balanced tree: SQLite limits depth, not width.
    fn joined(&mut self, parts: &[Expr], word: &str) -> Result<String, ServerError> {
        let bound = parts.iter().map(|part| self.condition(part)).collect::<Result<Vec<_>, _>>()?;
        Ok(balanced(&bound, word))
    }

    /// Binds `left comparison right` over values.
    pub(crate) fn compared(
        &mut self,
        left: &Typed,
        comparison: Comparison,
        right: &Typed,
    ) -> Result<String, ServerError> {
        let (left, right) = self.comparable(left, right)?;
        let sign = match comparison {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterEqual => ">=",
        };
        Ok(format!("({} {sign} {})", left.collated(), right.sql))
    }

    /// Both sides in the type in which they compare; the left one carries the collation.
    fn comparable(&mut self, left: &Typed, right: &Typed) -> Result<(Typed, Typed), ServerError> {
        let ty = match (left.null, right.null) {
            (true, true) => SqlType::Int,
            (true, false) => right.ty,
            (false, true) => left.ty,
            (false, false) => unify(left.ty, right.ty)?,
        };
        let collation = collation_of(left, right)?;
        // Comparing text pads, so length does not matter; only the character set does.
        let ty = match ty {
            text if is_text(text) && is_national(text) => SqlType::NVarChar(0),
            text if is_text(text) => SqlType::VarChar(0),
            SqlType::VarBinary(_) | SqlType::Binary(_) => SqlType::VarBinary(0),
            other => other,
        };
        let mut left = self.coerce(left, ty)?;
        let right = self.coerce(right, ty)?;
        left.collation = collation;
        Ok((left, right))
    }

    fn within(&mut self, value: &Expr, set: &Set, negated: bool) -> Result<String, ServerError> {
        let value = self.value(value)?;
        let not = if negated { "NOT " } else { "" };
        match set {
            Set::List(list) => {
                let mut parts = Vec::with_capacity(list.len());
                for entry in list {
                    let entry = self.value(entry)?;
                    parts.push(self.compared(&value, Comparison::Equal, &entry)?);
                }
                Ok(format!("({not}{})", balanced(&parts, "OR")))
            }
            Set::Query(query) => {
                let bound = self.subquery(query)?;
                let [column] = bound.columns.as_slice() else { return Err(error::one_column_only()) };
                let inner = Typed {
                    collation: column.collation,
                    null: column.null,
                    ..Typed::new("c0".to_owned(), column.ty, column.nullable)
                };
                let (value, entry) = self.comparable(&value, &inner)?;
                let rows = if entry.sql == "c0" {
                    bound.sql
                } else {
                    format!("SELECT {} AS c0 FROM ({})", entry.sql, bound.sql)
                };
                Ok(format!("({} {not}IN ({rows}))", value.collated()))
            }
        }
    }

    fn like(
        &mut self,
        value: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        negated: bool,
    ) -> Result<String, ServerError> {
        let (value, pattern) = (self.value(value)?, self.value(pattern)?);
        let collation = collation_of(&value, &pattern)?;
        let escape = match escape {
            None => None,
            Some(Expr::Text { value, .. }) => {
                let mut characters = value.chars();
                match (characters.next(), characters.next()) {
                    (Some(one), None) => Some(one),
                    _ => return Err(error::bad_escape(value)),
                }
            }
            Some(_) => return Err(error::outside(1, "ESCAPE")),
        };
        let (value, pattern) = (self.textual(&value)?, self.textual(&pattern)?);
        let typed = self.strict(
            &format!("like {collation:?} {escape:?}"),
            &[&value, &pattern],
            SqlType::Bit,
            move |cells| match cells {
                [Cell::Text(text), Cell::Text(pattern)] => {
                    like::matches(text, pattern, escape, collation).map(|hit| Cell::Integer(i64::from(hit)))
                }
                _ => Err(error::converting("cell", "nvarchar")),
            },
        );
        Ok(if negated { format!("(NOT {})", typed.sql) } else { typed.sql })
    }

    /// A value as text, by implicit conversion.
    pub(crate) fn textual(&mut self, value: &Typed) -> Result<Typed, ServerError> {
        if is_text(value.ty) {
            return Ok(value.clone());
        }
        if value.null {
            return Ok(Typed { ty: SqlType::NVarChar(1), ..value.clone() });
        }
        if family(value.ty) == Family::Binary {
            return Err(error::clash(error::type_name(value.ty), "nvarchar"));
        }
        self.coerce(value, SqlType::NVarChar(64))
    }
}

/// The collation in which two values compare.
fn collation_of(left: &Typed, right: &Typed) -> Result<Collation, ServerError> {
    if !is_text(right.ty) || right.null {
        return Ok(left.collation);
    }
    if !is_text(left.ty) || left.null {
        return Ok(right.collation);
    }
    match (left.explicit, right.explicit) {
        (false, true) => Ok(right.collation),
        (true, true) | (false, false) if left.collation != right.collation => {
            Err(error::collation_conflict(left.collation.name(), right.collation.name()))
        }
        _ => Ok(left.collation),
    }
}

fn balanced(parts: &[String], word: &str) -> String {
    match parts {
        [] => "(0)".to_owned(),
        [one] => one.clone(),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            format!("({} {word} {})", balanced(left, word), balanced(right, word))
        }
    }
}

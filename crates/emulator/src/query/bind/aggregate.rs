//! COUNT, SUM, AVG, MIN, MAX, STRING_AGG.

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::query::ast::{Call, Expr, Set};
use crate::query::bind::{Binder, Typed};
use crate::query::types::{Family, family, is_money, is_national, scale, text_type};
use crate::query::{decimal, error};

const AGGREGATES: [&str; 7] = ["AVG", "COUNT", "COUNT_BIG", "MAX", "MIN", "STRING_AGG", "SUM"];

/// Whether `name` is an aggregate function.
pub(crate) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.iter().any(|aggregate| aggregate.eq_ignore_ascii_case(name))
}

/// Whether an expression holds an aggregate of its own block (not of a subquery, not over a window).
pub(crate) fn has_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => {
            let own = call.over.is_none() && call.name.len() == 1 && is_aggregate(&call.name[0]);
            let in_window = call.over.as_ref().is_some_and(|window| {
                window.partition.iter().any(has_aggregate)
                    || window.order.iter().any(|key| has_aggregate(&key.key))
            });
            own || in_window || call.args.iter().any(has_aggregate)
        }
        Expr::Unary(_, inner) | Expr::Not(inner) | Expr::Collate(inner, _) => has_aggregate(inner),
        Expr::IsNull { value, .. } | Expr::Cast { value, .. } => has_aggregate(value),
        Expr::Chain(first, rest) => has_aggregate(first) || rest.iter().any(|(_, part)| has_aggregate(part)),
        Expr::Compare(left, _, right) => has_aggregate(left) || has_aggregate(right),
        Expr::Quantified { left, .. } => has_aggregate(left),
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(has_aggregate),
        Expr::Between { value, low, high, .. } => [value, low, high].iter().any(|part| has_aggregate(part)),
        Expr::In { value, set, .. } => {
            has_aggregate(value) || matches!(set, Set::List(list) if list.iter().any(has_aggregate))
        }
        Expr::Like { value, pattern, .. } => has_aggregate(value) || has_aggregate(pattern),
        Expr::Case { operand, arms, otherwise } => {
            operand.iter().chain(otherwise).any(|part| has_aggregate(part))
                || arms.iter().any(|(when, then)| has_aggregate(when) || has_aggregate(then))
        }
        Expr::Null
        | Expr::Number(_)
        | Expr::Text { .. }
        | Expr::Binary(_)
        | Expr::Variable { .. }
        | Expr::Column { .. }
        | Expr::Exists(_)
        | Expr::Subquery(_) => false,
    }
}

impl Binder<'_> {
    /// Binds an aggregate, maybe over a window.
    pub(crate) fn aggregate(&mut self, call: &Call) -> Result<Typed, ServerError> {
        let name = call.name[0].to_ascii_uppercase();
        let windowed = call.over.is_some();
        let over = match &call.over {
            Some(window) => self.over(window, false)?,
            None => String::new(),
        };
        if !windowed {
            let scope = self.scope();
            if scope.in_aggregate {
                return Err(error::aggregate_nested().at_line(call.line));
            }
            if !scope.aggregates_allowed {
                return Err(error::aggregate_misplaced().at_line(call.line));
            }
        }
        if windowed && call.distinct {
            return Err(error::outside(call.line, "DISTINCT"));
        }
        if call.star {
            let ty = match name.as_str() {
                "COUNT" => SqlType::Int,
                "COUNT_BIG" => SqlType::BigInt,
                _ => return Err(error::outside(call.line, "*")),
            };
            return Ok(Typed::new(format!("count(*){over}"), ty, false));
        }
        let wanted = if name == "STRING_AGG" { 2 } else { 1 };
        if call.args.len() != wanted {
            return Err(error::wrong_count(&name.to_lowercase(), wanted).at_line(call.line));
        }
        if !call.within.is_empty() && name != "STRING_AGG" {
            return Err(error::outside(call.line, "WITHIN"));
        }
        let argument = self.argument(&call.args[0], windowed, call.line)?;
        if argument.null {
            return Err(error::bad_operator("NULL", &name.to_lowercase()));
        }
        if name == "STRING_AGG" {
            return self.string_agg(call, &argument, &over);
        }
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        finish(self, &name, &argument, distinct, &over)
    }

    /// The argument, in which columns need not be grouped. An outer column alone would belong to the outer block.
    fn argument(&mut self, expr: &Expr, windowed: bool, line: u32) -> Result<Typed, ServerError> {
        if windowed {
            return self.value(expr);
        }
        let before: usize = self.scopes.iter().rev().skip(1).map(|scope| scope.reads).sum();
        let scope = self.scope();
        let own_before = scope.reads;
        scope.in_aggregate = true;
        let windows = std::mem::replace(&mut scope.windows_allowed, false);
        let bound = self.value(expr);
        let scope = self.scope();
        scope.in_aggregate = false;
        scope.windows_allowed = windows;
        let own_reads = scope.reads - own_before;
        let outer: usize = self.scopes.iter().rev().skip(1).map(|scope| scope.reads).sum();
        let outer_reads = outer > before;
        if outer_reads && own_reads == 0 {
            return Err(error::outside(line, "aggregate of an outer column"));
        }
        bound
    }

    fn string_agg(&mut self, call: &Call, argument: &Typed, over: &str) -> Result<Typed, ServerError> {
        if !over.is_empty() || call.distinct {
            return Err(error::outside(call.line, "STRING_AGG"));
        }
        let Expr::Text { value, national } = &call.args[1] else {
            return Err(error::outside(call.line, "separator"));
        };
        let separator = crate::query::bind::expression::text_literal(value, *national);
        let text = self.textual(argument)?;
        let order = if call.within.is_empty() {
            String::new()
        } else {
            let scope = self.scope();
            scope.in_aggregate = true;
            let keys = self.keys(&call.within);
            self.scope().in_aggregate = false;
            format!(" ORDER BY {}", keys?.join(","))
        };
        let ty =
            text_type(is_national(text.ty), if crate::query::types::length(text.ty) == 0 { 0 } else { 8000 });
        let sql = format!("group_concat({},{}{order})", text.sql, separator.sql);
        Ok(Typed { collation: text.collation, ..Typed::new(sql, ty, true) })
    }
}

fn finish(
    binder: &mut Binder<'_>,
    name: &str,
    argument: &Typed,
    distinct: &str,
    over: &str,
) -> Result<Typed, ServerError> {
    let invalid = || error::bad_operator(error::type_name(argument.ty), &name.to_lowercase());
    let value = argument.collated();
    match name {
        "COUNT" => Ok(Typed::new(format!("count({distinct}{value}){over}"), SqlType::Int, false)),
        "COUNT_BIG" => Ok(Typed::new(format!("count({distinct}{value}){over}"), SqlType::BigInt, false)),
        "MIN" | "MAX" => {
            if argument.ty == SqlType::Bit {
                return Err(invalid());
            }
            let sql = format!("{}({value}){over}", name.to_lowercase());
            Ok(Typed { collation: argument.collation, ..Typed::new(sql, argument.ty, true) })
        }
        _ => {
            let ty = match family(argument.ty) {
                Family::Integer if argument.ty == SqlType::BigInt => SqlType::BigInt,
                Family::Integer => SqlType::Int,
                Family::Float => SqlType::Float,
                Family::Decimal if is_money(argument.ty) => SqlType::Money,
                Family::Decimal => {
                    let scale = if name == "AVG" { scale(argument.ty).max(6) } else { scale(argument.ty) };
                    SqlType::Decimal { precision: 38, scale }
                }
                _ => return Err(invalid()),
            };
            let sum = Typed::new(format!("sum({distinct}{value}){over}"), ty, true);
            if name == "SUM" {
                return Ok(checked(binder, &sum, ty));
            }
            let count = Typed::new(format!("count({distinct}{value}){over}"), SqlType::BigInt, false);
            let own = scale(argument.ty);
            Ok(binder.strict(&format!("average {ty:?} {own}"), &[&sum, &count], ty, move |cells| {
                average(cells, ty, own)
            }))
        }
    }
}

/// A sum of integers must fit their type.
fn checked(binder: &mut Binder<'_>, sum: &Typed, ty: SqlType) -> Typed {
    if ty != SqlType::Int {
        return sum.clone();
    }
    binder.strict("sum of ints", &[sum], ty, |cells| match &cells[0] {
        Cell::Integer(number) if i32::try_from(*number).is_err() => Err(error::expression_overflow("int")),
        other => Ok(other.clone()),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn average(cells: &[Cell], ty: SqlType, own_scale: u8) -> Result<Cell, ServerError> {
    match cells {
        [Cell::Real(sum), Cell::Integer(count)] => Ok(Cell::Real(sum / *count as f64)),
        [Cell::Integer(sum), Cell::Integer(count)] if family(ty) == Family::Decimal => {
            let scale = scale(ty);
            let lifted = i128::from(*sum)
                * decimal::unit(u32::from(scale - own_scale))
                    .ok_or_else(|| error::expression_overflow("numeric"))?;
            i64::try_from(lifted / i128::from(*count))
                .map(Cell::Integer)
                .map_err(|_| error::expression_overflow("numeric"))
        }
        [Cell::Integer(sum), Cell::Integer(count)] => Ok(Cell::Integer(sum / count)),
        _ => Err(error::converting("cell", error::type_name(ty))),
    }
}

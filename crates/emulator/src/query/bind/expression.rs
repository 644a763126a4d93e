//! Values: literals, variables, columns, CASE, casts and subqueries.

use std::fmt::Write as _;

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::catalog::name::same;
use crate::query::ast::{Expr, Sign};
use crate::query::bind::{Binder, Typed};
use crate::query::cell::hold;
use crate::query::collation::Collation;
use crate::query::types::{Family, family, is_money, is_text, text_type, unify};
use crate::query::{convert, decimal, error};

impl Binder<'_> {
    /// Binds a value.
    pub(crate) fn value(&mut self, expr: &Expr) -> Result<Typed, ServerError> {
        if let Some(grouped) = self.grouped(expr) {
            return Ok(grouped);
        }
        match expr {
            Expr::Null => Ok(Typed::null()),
            Expr::Number(text) => number(text),
            Expr::Text { value, national } => Ok(text_literal(value, *national)),
            Expr::Binary(bytes) => Ok(binary_literal(bytes)),
            Expr::Variable { name, line } => self.variable(name, *line),
            Expr::Column { name, line } => self.column(name, *line),
            Expr::Unary(sign, inner) => self.unary(*sign, inner),
            Expr::Chain(first, rest) => {
                let mut value = self.value(first)?;
                for (operator, right) in rest {
                    let right = self.value(right)?;
                    value = self.operate(&value, *operator, &right)?;
                }
                Ok(value)
            }
            Expr::Case { operand, arms, otherwise } => {
                self.case(operand.as_deref(), arms, otherwise.as_deref())
            }
            Expr::Cast { value, target, style, tries } => {
                self.explicit(value, *target, style.as_deref(), *tries)
            }
            Expr::Call(call) => self.call(call),
            Expr::Collate(inner, name) => self.collate(inner, name),
            Expr::Subquery(query) => self.scalar_subquery(query),
            _ => Err(error::outside(1, "condition where a value is expected")),
        }
    }

    /// Whether `expr` is one of the grouping expressions: then it may stand outside aggregates as a whole.
    fn grouped(&mut self, expr: &Expr) -> Option<Typed> {
        if matches!(
            expr,
            Expr::Column { .. } | Expr::Number(_) | Expr::Text { .. } | Expr::Null | Expr::Variable { .. }
        ) {
            return None;
        }
        let scope = self.scope();
        if scope.in_aggregate
            || !scope.groups.as_ref()?.iter().any(|group| group.starts_with(['f', '(', 'C']))
        {
            return None;
        }
        let groups = scope.groups.take();
        let allowed = std::mem::replace(&mut scope.aggregates_allowed, false);
        let bound = self.value(expr);
        let scope = self.scope();
        scope.groups = groups;
        scope.aggregates_allowed = allowed;
        let bound = bound.ok()?;
        self.scope().groups.as_ref()?.contains(&bound.sql).then_some(bound)
    }

    fn variable(&mut self, name: &str, line: u32) -> Result<Typed, ServerError> {
        if name.starts_with("@@") {
            self.volatile = true;
            return crate::query::functions::global(self, name, line);
        }
        if let Some(parameters) = &self.frame.parameters {
            let given = parameters.get(&name.to_lowercase());
            return given.cloned().ok_or_else(|| error::undeclared(name).at_line(line));
        }
        self.volatile = true;
        let Some((ty, value)) = self.ctx.variables.get(&name.to_lowercase()) else {
            return Err(error::undeclared(name).at_line(line));
        };
        Ok(Typed::new(literal(&hold(value, *ty)?), *ty, true))
    }

    /// Finds a column, innermost block first.
    fn column(&mut self, name: &[String], line: u32) -> Result<Typed, ServerError> {
        let (column, qualifier) = name.split_last().ok_or_else(|| error::outside(line, "name"))?;
        for scope in (self.floor..self.scopes.len()).rev() {
            let mut found = None;
            let mut named = false;
            for (at, source) in self.scopes[scope].sources.iter().enumerate() {
                if !source.answers_to(qualifier) {
                    continue;
                }
                named = true;
                for (place, candidate) in source.columns.iter().enumerate() {
                    if candidate.name.as_deref().is_some_and(|name| same(name, column)) {
                        if found.is_some() {
                            return Err(error::ambiguous_column(column).at_line(line));
                        }
                        found = Some((at, place));
                    }
                }
            }
            if let Some((source, place)) = found {
                return self.found(scope, source, place).map_err(|error| error.at_line(line));
            }
            if named && !qualifier.is_empty() {
                return Err(error::invalid_column(column).at_line(line));
            }
        }
        Err(if qualifier.is_empty() {
            error::invalid_column(column).at_line(line)
        } else {
            error::unbound(&name.join(".")).at_line(line)
        })
    }

    /// The column at a known place, if the grouping allows it there.
    pub(crate) fn found(&mut self, scope: usize, source: usize, place: usize) -> Result<Typed, ServerError> {
        let entry = &self.scopes[scope].sources[source];
        let column = &entry.columns[place];
        let sql = format!("{}.c{place}", entry.sql);
        if let Some(groups) = &self.scopes[scope].groups
            && !self.scopes[scope].in_aggregate
            && !groups.contains(&sql)
        {
            let shown = format!("{}.{}", entry.name, column.name.as_deref().unwrap_or_default());
            return Err(error::not_grouped(&shown));
        }
        let mut typed = Typed::new(sql, column.ty, column.nullable);
        typed.collation = column.collation;
        typed.null = false;
        self.read(scope, source, place);
        Ok(typed)
    }

    fn unary(&mut self, sign: Sign, inner: &Expr) -> Result<Typed, ServerError> {
        let value = self.value(inner)?;
        match (sign, family(value.ty)) {
            (Sign::Plus, Family::Integer | Family::Float | Family::Decimal) => Ok(value),
            (Sign::Minus, Family::Integer | Family::Float | Family::Decimal) => {
                let zero = Typed { digits: Some(1), ..Typed::new("0".to_owned(), SqlType::TinyInt, false) };
                let zero = self.coerce(&zero, value.ty)?;
                self.operate(&zero, crate::query::ast::Operator::Subtract, &value)
                    .map(|negated| Typed { ty: value.ty, ..negated })
            }
            (Sign::BitNot, Family::Integer) => {
                let ty = value.ty;
                Ok(self.strict(&format!("bitnot {ty:?}"), &[&value], ty, move |cells| match &cells[0] {
                    Cell::Integer(number) if ty == SqlType::TinyInt => Ok(Cell::Integer(!number & 0xff)),
                    Cell::Integer(number) => Ok(Cell::Integer(!number)),
                    other => Ok(other.clone()),
                }))
            }
            (Sign::BitNot, Family::Bit) => Ok(Typed { sql: format!("(NOT {})", value.sql), ..value }),
            _ => {
                let shown = match sign {
                    Sign::Minus => "minus",
                    Sign::Plus => "plus",
                    Sign::BitNot => "'~'",
                };
                Err(error::bad_operator(error::type_name(value.ty), shown))
            }
        }
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        arms: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Typed, ServerError> {
        let operand = operand.map(|operand| self.value(operand)).transpose()?;
        let mut conditions = Vec::new();
        let mut results = Vec::new();
        for (when, then) in arms {
            conditions.push(match &operand {
                Some(operand) => {
                    let when = self.value(when)?;
                    self.compared(operand, crate::query::ast::Comparison::Equal, &when)?
                }
                None => self.condition(when)?,
            });
            results.push(self.value(then)?);
        }
        results.push(otherwise.map_or_else(|| Ok(Typed::null()), |otherwise| self.value(otherwise))?);
        if results.iter().all(|result| result.null) {
            return Err(error::all_null_case());
        }
        let results = self.unified(&results)?;
        let mut sql = "CASE".to_owned();
        for (condition, result) in conditions.iter().zip(&results) {
            let _ = write!(sql, " WHEN {condition} THEN {}", result.sql);
        }
        let last = &results[results.len() - 1];
        let _ = write!(sql, " ELSE {} END", last.sql);
        let first = &results[0];
        let mut typed = Typed::new(sql, first.ty, results.iter().any(|result| result.nullable));
        typed.collation = first.collation;
        typed.explicit = first.explicit;
        Ok(typed)
    }

    /// Converts values to the type that holds them all.
    pub(crate) fn unified(&mut self, values: &[Typed]) -> Result<Vec<Typed>, ServerError> {
        let mut ty = None;
        for value in values.iter().filter(|value| !value.null) {
            ty = Some(ty.map_or(Ok(value.ty), |ty| unify(ty, value.ty))?);
        }
        let ty = ty.unwrap_or(SqlType::Int);
        let texts: Vec<&Typed> = values.iter().filter(|value| is_text(value.ty) && !value.null).collect();
        let collation = texts
            .iter()
            .find(|text| text.explicit)
            .or(texts.first())
            .map(|text| (text.collation, text.explicit));
        let mut unified = Vec::with_capacity(values.len());
        for value in values {
            let mut value = self.coerce(value, ty)?;
            if let Some((collation, explicit)) = collation {
                value.collation = collation;
                value.explicit = explicit;
            }
            unified.push(value);
        }
        Ok(unified)
    }

    fn explicit(
        &mut self,
        value: &Expr,
        to: SqlType,
        style: Option<&Expr>,
        tries: bool,
    ) -> Result<Typed, ServerError> {
        let value = self.value(value)?;
        let style = match style {
            None => None,
            Some(Expr::Number(digits)) => Some(digits.parse::<i64>().map_err(|_| error::outside(1, digits))?),
            Some(_) => return Err(error::outside(1, "computed style")),
        };
        if value.null {
            return Ok(Typed { ty: to, null: false, ..value });
        }
        convert::check_explicit(value.ty, to)?;
        // Styles mean something to dates, bytes, floats and money only.
        let styled = [value.ty, to].iter().any(|ty| {
            matches!(family(*ty), Family::Moment | Family::Binary | Family::Float) || is_money(*ty)
        });
        let mut cast = self.cast(&value, to, style.filter(|_| styled), tries);
        cast.digits = None;
        Ok(cast)
    }

    fn collate(&mut self, inner: &Expr, name: &str) -> Result<Typed, ServerError> {
        let value = self.value(inner)?;
        let collation = Collation::by_name(name)?;
        if !is_text(value.ty) {
            return Err(error::not_text_collation(error::type_name(value.ty)));
        }
        Ok(Typed { collation, explicit: true, ..value })
    }

    fn scalar_subquery(&mut self, query: &crate::query::ast::Query) -> Result<Typed, ServerError> {
        let bound = self.subquery(query)?;
        let [column] = bound.columns.as_slice() else { return Err(error::one_column_only()) };
        let sql = if bound.single {
            format!("({})", bound.sql)
        } else {
            let number = self.ops.number("one row", || {
                std::sync::Arc::new(|cells: &[Cell]| match &cells[0] {
                    Cell::Integer(2..) => Err(error::several_rows()),
                    _ => Ok(cells[1].clone()),
                })
            });
            format!("(SELECT f({number},count(*),min(c0)) FROM (SELECT c0 FROM ({}) LIMIT 2))", bound.sql)
        };
        let mut typed = Typed::new(sql, column.ty, true);
        typed.collation = column.collation;
        typed.null = false;
        Ok(typed)
    }
}

/// A held constant as SQLite reads it.
pub(crate) fn literal(cell: &Cell) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Integer(number) => {
            if *number == i64::MIN {
                "(-9223372036854775807-1)".to_owned()
            } else if *number < 0 {
                format!("({number})")
            } else {
                number.to_string()
            }
        }
        Cell::Real(number) => format!("({number:e})"),
        Cell::Text(text) if text.contains('\0') => format!("CAST({} AS TEXT)", blob(text.as_bytes())),
        Cell::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Cell::Blob(bytes) => blob(bytes),
    }
}

fn blob(bytes: &[u8]) -> String {
    let mut sql = String::with_capacity(bytes.len() * 2 + 3);
    sql.push_str("x'");
    for byte in bytes {
        let _ = write!(sql, "{byte:02x}");
    }
    sql.push('\'');
    sql
}

/// A text constant.
pub(crate) fn text_literal(value: &str, national: bool) -> Typed {
    // A narrow constant holds what its code page has; the rest is `?`, or refused when it runs through a conversion.
    let narrowed = if national { None } else { convert::code_page::narrow(value.to_owned()).ok() };
    let held = narrowed.unwrap_or_else(|| value.to_owned());
    let units = u32::try_from(held.encode_utf16().count()).unwrap_or(u32::MAX);
    let limit = if national { 4000 } else { 8000 };
    let ty = text_type(national, if units > limit { 0 } else { units.max(1) });
    Typed::new(literal(&Cell::Text(held)), ty, false)
}

fn binary_literal(bytes: &[u8]) -> Typed {
    let width = u16::try_from(bytes.len()).ok().filter(|width| *width <= 8000).unwrap_or(0);
    Typed::new(blob(bytes), SqlType::VarBinary(width.max(u16::from(bytes.is_empty()))), false)
}

/// A number constant: int, else decimal; float with an exponent.
fn number(text: &str) -> Result<Typed, ServerError> {
    if text.contains(['e', 'E']) {
        let value: f64 = text.parse().map_err(|_| error::outside(1, text))?;
        if !value.is_finite() {
            return Err(error::outside(1, text));
        }
        return Ok(Typed::new(literal(&Cell::Real(value)), SqlType::Float, false));
    }
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    if let Ok(value) = text.parse::<i32>() {
        let mut typed = Typed::new(literal(&Cell::Integer(i64::from(value))), SqlType::Int, false);
        let significant = value.unsigned_abs().to_string().len();
        typed.digits = u8::try_from(significant).ok();
        return Ok(typed);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let scale = u8::try_from(fraction.len()).map_err(|_| error::outside(1, text))?;
    let value = decimal::parse(text, scale).ok_or_else(|| error::outside(1, text))?;
    let whole_digits = digits(whole.trim_start_matches(['-', '0']));
    let precision = u8::try_from(whole_digits + usize::from(scale)).unwrap_or(38).max(1);
    Ok(Typed::new(literal(&Cell::Integer(value)), SqlType::Decimal { precision, scale }, false))
}

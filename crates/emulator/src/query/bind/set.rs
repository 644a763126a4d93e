//! Whole queries: WITH, set operators, VALUES, order and page.

use std::fmt::Write as _;
use std::rc::Rc;

use crate::answer::ServerError;
use crate::query::ast::{Body, Cte, Expr, Page, Query, SetOperator};
use crate::query::bind::ordering::order_of_set;
use crate::query::bind::{Binder, Bound, OutColumn, Typed};
use crate::query::error;
use crate::query::types::{is_text, unify};

/// Where a query stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A statement of its own: it may be ordered.
    Statement,
    /// Derived table, view, common table expression, subquery: order only beside TOP.
    Inner,
}

/// Most parts in one set operation: SQLite's limit is 500.
const MAX_PARTS: usize = 500;

impl Binder<'_> {
    /// Binds a whole statement or the text of a view: here WITH may stand.
    pub(crate) fn root(&mut self, query: &Query, place: Place) -> Result<Bound, ServerError> {
        self.ctes = query.with.iter().cloned().map(Rc::new).collect();
        self.visible = self.ctes.len();
        let bound = self.deeper(|binder| binder.ordered(query, place));
        self.ctes.clear();
        self.visible = 0;
        bound
    }

    /// Binds a query inside another.
    pub(crate) fn query(&mut self, query: &Query, place: Place) -> Result<Bound, ServerError> {
        if let Some(cte) = query.with.first() {
            return Err(error::outside(cte.line, "WITH"));
        }
        self.deeper(|binder| binder.ordered(query, place))
    }

    /// Binds a query in an expression; it may be correlated.
    pub(crate) fn subquery(&mut self, query: &Query) -> Result<Bound, ServerError> {
        self.query(query, Place::Inner)
    }

    fn ordered(&mut self, query: &Query, place: Place) -> Result<Bound, ServerError> {
        let page = query.page.as_ref();
        match &query.body {
            Body::Select(select) => {
                if place == Place::Inner && !query.order.is_empty() && select.top.is_none() && page.is_none()
                {
                    return Err(error::order_not_allowed());
                }
                self.select(select, &query.order, page)
            }
            body => {
                if place == Place::Inner && !query.order.is_empty() && page.is_none() {
                    return Err(error::order_not_allowed());
                }
                let bound = self.body(body)?;
                let order = order_of_set(&query.order, &bound)?;
                let limit = self.limit(None, page)?;
                if order.is_empty() && limit.is_empty() {
                    return Ok(bound);
                }
                Ok(Bound { sql: format!("SELECT * FROM ({}){order}{limit}", bound.sql), ..bound })
            }
        }
    }

    fn body(&mut self, body: &Body) -> Result<Bound, ServerError> {
        match body {
            Body::Select(select) => self.select(select, &[], None),
            Body::Values(rows) => self.values(rows),
            Body::Set(first, rest) => {
                if rest.len() >= MAX_PARTS {
                    return Err(error::outside(1, "so many queries"));
                }
                self.deeper(|binder| binder.set(first, rest))
            }
        }
    }

    fn set(&mut self, first: &Body, rest: &[(SetOperator, Body)]) -> Result<Bound, ServerError> {
        let mut parts = vec![self.body(first)?];
        for (_, body) in rest {
            parts.push(self.body(body)?);
        }
        let columns = common_columns(&parts)?;
        let mut sql = self.projected(&parts[0], &columns)?;
        for ((operator, _), part) in rest.iter().zip(&parts[1..]) {
            let word = match operator {
                SetOperator::Union => "UNION",
                SetOperator::UnionAll => "UNION ALL",
                SetOperator::Except => "EXCEPT",
                SetOperator::Intersect => "INTERSECT",
            };
            let _ = write!(sql, " {word} {}", self.projected(part, &columns)?);
        }
        Ok(Bound { sql, columns, single: false })
    }

    /// A part with its columns converted to the common types.
    fn projected(&mut self, part: &Bound, columns: &[OutColumn]) -> Result<String, ServerError> {
        let mut list = Vec::with_capacity(columns.len());
        for (place, (own, common)) in part.columns.iter().zip(columns).enumerate() {
            let held = Typed {
                null: own.null,
                collation: common.collation,
                ..Typed::new(format!("c{place}"), own.ty, own.nullable)
            };
            let held = self.coerce(&held, common.ty)?;
            list.push(format!("{} AS c{place}", held.collated()));
        }
        Ok(format!("SELECT {} FROM ({})", list.join(","), part.sql))
    }

    fn values(&mut self, rows: &[Vec<Expr>]) -> Result<Bound, ServerError> {
        let width = rows[0].len();
        let mut bound = Vec::with_capacity(rows.len());
        for (place, row) in rows.iter().enumerate() {
            if row.len() != width {
                return Err(error::not_unique_list(place + 1));
            }
            bound.push(row.iter().map(|value| self.value(value)).collect::<Result<Vec<_>, _>>()?);
        }
        let mut columns = Vec::with_capacity(width);
        for place in 0..width {
            let column: Vec<Typed> = bound.iter().map(|row| row[place].clone()).collect();
            let unified = self.unified(&column)?;
            columns.push(OutColumn {
                name: None,
                ty: unified[0].ty,
                nullable: unified.iter().any(|value| value.nullable),
                collation: unified[0].collation,
                null: column.iter().all(|value| value.null),
            });
            for (row, value) in bound.iter_mut().zip(unified) {
                row[place] = value;
            }
        }
        let rows: Vec<String> = bound
            .iter()
            .map(|row| {
                format!("({})", row.iter().map(|value| value.sql.as_str()).collect::<Vec<_>>().join(","))
            })
            .collect();
        let names: Vec<String> = (0..width).map(|place| format!("column{} AS c{place}", place + 1)).collect();
        let sql = format!("SELECT {} FROM (VALUES {})", names.join(","), rows.join(","));
        Ok(Bound { sql, columns, single: bound.len() == 1 })
    }

    /// LIMIT and OFFSET from TOP or a page.
    pub(crate) fn limit(&mut self, top: Option<&Expr>, page: Option<&Page>) -> Result<String, ServerError> {
        if let Some(page) = page {
            if self.ctx.session.dedicated || top.is_some() {
                return Err(error::outside(1, "OFFSET"));
            }
            let offset = self.row_count(&page.offset)?;
            let fetch = match &page.fetch {
                Some(fetch) => self.row_count(fetch)?,
                None => "-1".to_owned(),
            };
            return Ok(format!(" LIMIT {fetch} OFFSET {offset}"));
        }
        match top {
            None => Ok(String::new()),
            Some(top) => Ok(format!(" LIMIT {}", self.row_count(top)?)),
        }
    }

    /// A count of rows: a constant or a variable, not negative.
    fn row_count(&mut self, expr: &Expr) -> Result<String, ServerError> {
        if !matches!(expr, Expr::Number(_) | Expr::Variable { .. } | Expr::Cast { .. } | Expr::Chain(..)) {
            return Err(error::outside(1, "TOP"));
        }
        let count = self.value(expr)?;
        let count = self.coerce(&count, crate::answer::SqlType::BigInt)?;
        let count = self.apply("row count", &[&count], count.ty, |cells| match &cells[0] {
            rusqlite::types::Value::Integer(number) if *number >= 0 => Ok(cells[0].clone()),
            _ => Err(error::bad_top()),
        });
        Ok(count.sql)
    }

    /// Finds a common table expression and its place.
    pub(crate) fn cte(&self, name: &str) -> Option<(usize, Rc<Cte>)> {
        let found = self.ctes.iter().position(|cte| crate::catalog::name::same(&cte.name, name))?;
        Some((found, Rc::clone(&self.ctes[found])))
    }

    /// Binds the query of a common table expression: it sees those before it and nothing of the block that names it.
    pub(crate) fn cte_query(&mut self, place: usize, cte: &Cte) -> Result<Bound, ServerError> {
        let visible = std::mem::replace(&mut self.visible, place);
        let floor = std::mem::replace(&mut self.floor, self.scopes.len());
        self.scopes.push(crate::query::bind::Scope::default());
        let bound = self.subquery(&cte.query);
        self.scopes.pop();
        self.floor = floor;
        self.visible = visible;
        bound
    }
}

/// Names of the first part, types of all.
fn common_columns(parts: &[Bound]) -> Result<Vec<OutColumn>, ServerError> {
    let mut columns = parts[0].columns.clone();
    for part in &parts[1..] {
        if part.columns.len() != columns.len() {
            return Err(error::unequal_lists());
        }
        for (column, other) in columns.iter_mut().zip(&part.columns) {
            match (column.null, other.null) {
                (_, true) => {}
                (true, false) => {
                    column.ty = other.ty;
                    column.collation = other.collation;
                    column.null = false;
                }
                (false, false) => {
                    if is_text(column.ty) && is_text(other.ty) && column.collation != other.collation {
                        return Err(error::collation_conflict(
                            column.collation.name(),
                            other.collation.name(),
                        ));
                    }
                    column.ty = unify(column.ty, other.ty)?;
                }
            }
            column.nullable |= other.nullable;
        }
    }
    Ok(columns)
}

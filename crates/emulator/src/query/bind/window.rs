//! Ranking functions, LAG and LEAD, and the OVER clause.

use crate::answer::{ServerError, SqlType};
use crate::query::ast::{Bound as FrameBound, Call, Expr, Window};
use crate::query::bind::{Binder, Typed};
use crate::query::error;

const WINDOW_ONLY: [&str; 8] =
    ["DENSE_RANK", "FIRST_VALUE", "LAG", "LAST_VALUE", "LEAD", "NTILE", "RANK", "ROW_NUMBER"];

/// Whether `name` works over a window only.
pub(crate) fn is_window_only(name: &str) -> bool {
    WINDOW_ONLY.iter().any(|window| window.eq_ignore_ascii_case(name))
}

impl Binder<'_> {
    /// Binds a function that works over a window only.
    pub(crate) fn windowed(&mut self, call: &Call) -> Result<Typed, ServerError> {
        let name = call.name[0].to_ascii_uppercase();
        let Some(window) = &call.over else { return Err(error::over_missing(&name).at_line(call.line)) };
        let ranking =
            matches!(name.as_str(), "ROW_NUMBER" | "RANK" | "DENSE_RANK" | "NTILE" | "LAG" | "LEAD");
        if ranking && window.frame.is_some() {
            return Err(error::outside(call.line, "ROWS"));
        }
        let over = self.over(window, true).map_err(|error| error.at_line(call.line))?;
        let count = call.args.len();
        let function = name.to_lowercase();
        match name.as_str() {
            "ROW_NUMBER" | "RANK" | "DENSE_RANK" if count == 0 => {
                Ok(Typed::new(format!("{function}(){over}"), SqlType::BigInt, false))
            }
            "NTILE" if count == 1 => {
                let buckets = constant(&call.args[0], call.line)?;
                if buckets == 0 {
                    return Err(error::outside(call.line, "NTILE"));
                }
                Ok(Typed::new(format!("ntile({buckets}){over}"), SqlType::BigInt, false))
            }
            "FIRST_VALUE" | "LAST_VALUE" if count == 1 => {
                let value = self.value(&call.args[0])?;
                let sql = format!("{function}({}){over}", value.sql);
                Ok(Typed { sql, nullable: true, digits: None, ..value })
            }
            "LAG" | "LEAD" if (1..=3).contains(&count) => {
                let mut value = self.value(&call.args[0])?;
                let offset = match call.args.get(1) {
                    Some(offset) => constant(offset, call.line)?,
                    None => 1,
                };
                let mut default = "NULL".to_owned();
                if let Some(expr) = call.args.get(2) {
                    let other = self.value(expr)?;
                    default = self.coerce(&other, value.ty)?.sql;
                }
                value.sql = format!("{function}({},{offset},{default}){over}", value.sql);
                Ok(Typed { nullable: true, digits: None, ..value })
            }
            _ => Err(error::wrong_count(&function, usize::from(count == 0)).at_line(call.line)),
        }
    }

    /// Prints an OVER clause.
    pub(crate) fn over(&mut self, window: &Window, needs_order: bool) -> Result<String, ServerError> {
        let scope = self.scope();
        if !scope.windows_allowed || scope.in_aggregate {
            return Err(error::window_misplaced());
        }
        // A window inside a window is refused.
        scope.windows_allowed = false;
        let inside = self.inside(window, needs_order);
        self.scope().windows_allowed = true;
        inside
    }

    fn inside(&mut self, window: &Window, needs_order: bool) -> Result<String, ServerError> {
        let mut parts = Vec::new();
        if !window.partition.is_empty() {
            let mut keys = Vec::new();
            for key in &window.partition {
                keys.push(self.value(key)?.collated());
            }
            parts.push(format!("PARTITION BY {}", keys.join(",")));
        }
        if window.order.is_empty() {
            if needs_order {
                return Err(error::window_needs_order("windowed function"));
            }
            if window.frame.is_some() {
                return Err(error::outside(1, "ROWS"));
            }
        } else {
            parts.push(format!("ORDER BY {}", self.keys(&window.order)?.join(",")));
        }
        if let Some(frame) = &window.frame {
            if !frame.rows
                && [frame.start, frame.end]
                    .iter()
                    .any(|bound| matches!(bound, FrameBound::Preceding(_) | FrameBound::Following(_)))
            {
                return Err(error::outside(1, "RANGE"));
            }
            let unit = if frame.rows { "ROWS" } else { "RANGE" };
            parts.push(format!("{unit} BETWEEN {} AND {}", bound(frame.start), bound(frame.end)));
        }
        Ok(format!(" OVER ({})", parts.join(" ")))
    }
}

fn bound(bound: FrameBound) -> String {
    match bound {
        FrameBound::UnboundedPreceding => "UNBOUNDED PRECEDING".to_owned(),
        FrameBound::Preceding(rows) => format!("{rows} PRECEDING"),
        FrameBound::CurrentRow => "CURRENT ROW".to_owned(),
        FrameBound::Following(rows) => format!("{rows} FOLLOWING"),
        FrameBound::UnboundedFollowing => "UNBOUNDED FOLLOWING".to_owned(),
    }
}

/// A whole number written in the query.
fn constant(expr: &Expr, line: u32) -> Result<u32, ServerError> {
    match expr {
        Expr::Number(digits) => digits.parse().map_err(|_| error::outside(line, digits)),
        _ => Err(error::outside(line, "computed offset")),
    }
}

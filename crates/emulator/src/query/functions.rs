//! Built-in functions.

mod context;
mod globals;
mod hash;
pub(crate) mod like;
mod logic;
mod moment;
mod names;
mod number;
mod property;
mod text;

use rusqlite::types::Value as Cell;

use crate::answer::ServerError;
use crate::query::ast::{Call, Expr};
use crate::query::bind::aggregate::is_aggregate;
use crate::query::bind::window::is_window_only;
use crate::query::bind::{Binder, Typed};
use crate::query::error;

pub(crate) use globals::global;
pub(crate) use property::COLLATION;

type Answered = Option<Result<Typed, ServerError>>;

/// Binds a call of the function `name` (upper case), or gives `None` if it is not one of the group's.
type Group = fn(&mut Binder<'_>, &str, &Call) -> Answered;

/// Functions of the other groups that may give something else each time.
const NONDETERMINISTIC: [&str; 8] = [
    "CURRENT_TIMESTAMP",
    "GETDATE",
    "GETUTCDATE",
    "NEWID",
    "PARSENAME",
    "RAND",
    "SYSDATETIME",
    "SYSUTCDATETIME",
];

impl Binder<'_> {
    /// Binds a function call.
    pub(crate) fn call(&mut self, call: &Call) -> Result<Typed, ServerError> {
        let [name] = call.name.as_slice() else {
            return Err(error::outside(call.line, &call.name.join(".")));
        };
        let name = name.to_ascii_uppercase();
        if is_window_only(&name) {
            return self.windowed(call);
        }
        if is_aggregate(&name) {
            return self.aggregate(call);
        }
        if call.star || call.distinct || call.over.is_some() || !call.within.is_empty() {
            return Err(error::outside(call.line, &name));
        }
        let groups: [Group; 8] = [
            logic::bind,
            text::bind,
            number::bind,
            moment::bind,
            hash::bind,
            context::bind,
            names::bind,
            property::bind,
        ];
        for (place, group) in groups.into_iter().enumerate() {
            if let Some(answered) = group(self, &name, call) {
                // Security and metadata functions are never deterministic.
                self.volatile |= place >= 5 || NONDETERMINISTIC.contains(&name.as_str());
                return answered
                    .map_err(|error| if error.line > 1 { error } else { error.at_line(call.line) });
            }
        }
        Err(error::unknown_function(&call.name[0]).at_line(call.line))
    }

    /// Binds the arguments, at least `least` and at most `most` of them.
    pub(crate) fn arguments(
        &mut self,
        call: &Call,
        least: usize,
        most: usize,
    ) -> Result<Vec<Typed>, ServerError> {
        if call.args.len() < least || call.args.len() > most {
            return Err(error::wrong_count(&call.name[0].to_lowercase(), least));
        }
        call.args.iter().map(|arg| self.value(arg)).collect()
    }
}

/// The text of a held value.
pub(crate) fn text(cell: &Cell) -> Result<&str, ServerError> {
    match cell {
        Cell::Text(text) => Ok(text),
        _ => Err(error::converting("cell", "nvarchar")),
    }
}

/// The integer of a held value.
pub(crate) fn int(cell: &Cell) -> Result<i64, ServerError> {
    match cell {
        Cell::Integer(number) => Ok(*number),
        _ => Err(error::converting("cell", "bigint")),
    }
}

/// A constant integer in the text of a call.
pub(crate) fn constant(expr: Option<&Expr>) -> Option<i64> {
    match expr? {
        Expr::Number(digits) => digits.parse().ok(),
        _ => None,
    }
}

//! Queries: T-SQL SELECT answered by an embedded SQLite.
//!
//! ```text
//! tokens -> parse -> ast -> bind (names, types, permissions) -> SQL of SQLite -> run -> typed rows
//!                              |                                   |
//!                              catalog, views, system views        operations f(n, …) in Rust
//! ```
//!
//! T-SQL is typed before it runs and SQLite is not, so the binder gives every expression its T-SQL type and writes every
//! conversion out as an operation. SQLite joins, groups and sorts; it never converts, and every comparison of text
//! names its collation. What cannot be translated faithfully is error 103010.
//!
//! To add a function: write it beside its neighbours in `functions/`, over held values ([`cell`]), and add its name to
//! that file's `bind`. To add a system view: see [`system`].

mod ast;
mod bind;
mod bulk;
mod cache;
mod cell;
mod change;
mod collation;
mod context;
mod convert;
mod decimal;
mod error;
mod function;
mod functions;
mod op;
mod parse;
mod run;
mod spread;
mod system;
mod types;
mod view;

pub use ast::{Change, Condition, Expression, InlineFunction, Query};
pub use bulk::{BulkPlace, bulk_place, bulk_rows};
pub use cache::ResultCache;
pub use change::change;
pub use context::{QueryContext, Rights, SessionFacts, SessionRow};
pub use convert::convert;
pub use function::{Described, function_columns, predicate_columns};
pub(crate) use functions::COLLATION;
pub use parse::{parse_change, parse_condition, parse_expression, parse_function, parse_select};
pub use run::{evaluate, run, run_cached, test};
pub(crate) use spread::{Part, Step, bytes, histogram, parts};
pub use view::view_columns;

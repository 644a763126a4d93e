//! Names to things, expressions to types, queries to the SQL that SQLite runs.
//!
//! Every expression becomes a [`Typed`]: SQL text with its T-SQL type. Conversions are written out as operations, so
//! SQLite itself never converts anything.

pub(crate) mod aggregate;
pub(crate) mod compare;
pub(crate) mod expression;
pub(crate) mod function;
pub(crate) mod operator;
pub(crate) mod ordering;
pub(crate) mod select;
pub(crate) mod set;
pub(crate) mod source;
pub(crate) mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::query::ast::Cte;
use crate::query::collation::Collation;
use crate::query::context::QueryContext;
use crate::query::convert;
use crate::query::error;
use crate::query::op::Ops;
use crate::query::system::SystemView;
use crate::query::types::{Family, family, implicit, is_national, is_text, length};

/// An expression as SQLite reads it, with its T-SQL type.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) sql: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: Collation,
    /// The collation was named by COLLATE.
    pub(crate) explicit: bool,
    /// The constant NULL, which has no type of its own.
    pub(crate) null: bool,
    /// Digits of an integer constant: its precision in decimal arithmetic.
    pub(crate) digits: Option<u8>,
}

impl Typed {
    pub(crate) fn new(sql: String, ty: SqlType, nullable: bool) -> Self {
        Self {
            sql,
            ty,
            nullable,
            collation: Collation::Insensitive,
            explicit: false,
            null: false,
            digits: None,
        }
    }

    /// The constant NULL.
    pub(crate) fn null() -> Self {
        Self { null: true, ..Self::new("NULL".to_owned(), SqlType::Int, true) }
    }

    /// The SQL with its collation, where SQLite compares or sorts by it.
    pub(crate) fn collated(&self) -> String {
        if is_text(self.ty) {
            format!("({} COLLATE {})", self.sql, self.collation.sqlite())
        } else {
            self.sql.clone()
        }
    }
}

/// A column of a result or of a source.
#[derive(Debug, Clone)]
pub(crate) struct OutColumn {
    pub(crate) name: Option<String>,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: Collation,
    /// Nothing but the constant NULL, so its type is open.
    pub(crate) null: bool,
}

/// A query as SQLite reads it. Its columns are named `c0`, `c1` ….
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) sql: String,
    pub(crate) columns: Vec<OutColumn>,
    /// It cannot give more than one row.
    pub(crate) single: bool,
}

/// A table that must be filled before the query runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Table(i32),
    System(SystemView),
}

/// A table to fill, and the columns that the query reads.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) origin: Origin,
    pub(crate) used: BTreeSet<usize>,
}

/// An object of which the caller needs SELECT.
#[derive(Debug, Clone)]
pub(crate) struct Touch {
    pub(crate) object: i32,
    pub(crate) columns: BTreeSet<i32>,
    /// The statement changes it: then SELECT is needed only if a column is read.
    pub(crate) writes: bool,
}

/// Something in a FROM clause.
#[derive(Debug, Clone)]
pub(crate) struct SourceScope {
    /// How columns may be qualified: the alias alone, or the table's name with its schema.
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
    /// Name in the printed SQL.
    pub(crate) sql: String,
    pub(crate) columns: Vec<OutColumn>,
    /// The load whose columns are read.
    pub(crate) load: Option<usize>,
    /// The touch that records the columns, with the column ids.
    pub(crate) touch: Option<usize>,
    pub(crate) column_ids: Vec<i32>,
}

/// The names that one SELECT block sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) sources: Vec<SourceScope>,
    /// The grouping expressions, if the block groups.
    pub(crate) groups: Option<Vec<String>>,
    /// Inside the argument of an aggregate.
    pub(crate) in_aggregate: bool,
    pub(crate) aggregates_allowed: bool,
    pub(crate) windows_allowed: bool,
    /// Columns of this block that were read, to tell outer references in aggregates.
    pub(crate) reads: usize,
}

/// What holds inside a text that stands behind a name: a view, a function, a predicate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    /// Its owner: objects of the same owner are not checked.
    pub(crate) chain: Option<i32>,
    /// Nothing is checked.
    pub(crate) unchecked: bool,
    /// Parameters by name in lower case. A function sees no others.
    pub(crate) parameters: Option<BTreeMap<String, Typed>>,
}

/// What a text is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// To run it.
    Rows,
    /// A new function: no rows are read, and so none is filtered.
    Function,
    /// A new function that is schema-bound.
    BoundFunction,
}

/// Binds one statement.
pub(crate) struct Binder<'a> {
    pub(crate) ctx: &'a QueryContext,
    pub(crate) ops: Ops,
    pub(crate) loads: Vec<Load>,
    pub(crate) touches: Vec<Touch>,
    pub(crate) scopes: Vec<Scope>,
    /// Scopes below are hidden (inside views and common table expressions).
    floor: usize,
    ctes: Vec<Rc<Cte>>,
    /// How many of them can be named here.
    visible: usize,
    sources: usize,
    view_depth: usize,
    /// What holds inside the view or function whose text is bound.
    frame: Frame,
    /// Tables whose filters are bound, to find predicates that read their own table.
    filtering: Vec<i32>,
    /// Rows are hidden by a security policy.
    pub(crate) filtered: bool,
    /// The answer may be another one for another caller or at another time, though no row changed.
    pub(crate) volatile: bool,
    /// Tables and views that are read.
    pub(crate) seen: BTreeSet<i32>,
    /// What the text is read for.
    pub(crate) reading: Reading,
    /// Nesting of whole queries.
    depth: usize,
}

/// Most sources in one statement, those of expanded views included.
const MAX_SOURCES: usize = 600;
/// Deepest nesting of queries, as documented for the product.
const MAX_QUERIES: usize = 32;

impl<'a> Binder<'a> {
    pub(crate) fn new(ctx: &'a QueryContext) -> Self {
        Self {
            ctx,
            ops: Ops::default(),
            loads: Vec::new(),
            touches: Vec::new(),
            scopes: vec![Scope::default()],
            floor: 0,
            ctes: Vec::new(),
            visible: 0,
            sources: 0,
            view_depth: 0,
            frame: Frame::default(),
            filtering: Vec::new(),
            filtered: false,
            volatile: false,
            seen: BTreeSet::new(),
            reading: Reading::Rows,
            depth: 0,
        }
    }

    /// Prints the call of an operation.
    pub(crate) fn apply(
        &mut self,
        key: &str,
        args: &[&Typed],
        ty: SqlType,
        op: impl Fn(&[Cell]) -> Result<Cell, ServerError> + Send + Sync + 'static,
    ) -> Typed {
        let number = self.ops.number(key, || Arc::new(op));
        let mut sql = format!("f({number}");
        for arg in args {
            sql.push(',');
            sql.push_str(&arg.sql);
        }
        sql.push(')');
        let mut typed = Typed::new(sql, ty, true);
        if let Some(text) = args.iter().find(|arg| is_text(arg.ty)) {
            typed.collation = text.collation;
            typed.explicit = text.explicit;
        }
        typed
    }

    /// Like [`Binder::apply`]; the operation is not asked when an argument is NULL, for the answer is NULL then.
    pub(crate) fn strict(
        &mut self,
        key: &str,
        args: &[&Typed],
        ty: SqlType,
        op: impl Fn(&[Cell]) -> Result<Cell, ServerError> + Send + Sync + 'static,
    ) -> Typed {
        let nullable = args.iter().any(|arg| arg.nullable);
        let typed =
            self.apply(
                key,
                args,
                ty,
                move |cells| {
                    if cells.contains(&Cell::Null) { Ok(Cell::Null) } else { op(cells) }
                },
            );
        Typed { nullable, ..typed }
    }

    /// Converts as an assignment would, or fails with 206 or 257.
    pub(crate) fn coerce(&mut self, value: &Typed, to: SqlType) -> Result<Typed, ServerError> {
        if value.null {
            return Ok(Typed { ty: to, ..value.clone() });
        }
        if !implicit(value.ty, to) {
            return Err(error::implicit_not_allowed(error::type_name(value.ty), error::type_name(to)));
        }
        Ok(self.cast(value, to, None, false))
    }

    /// Converts where the way is known to exist.
    pub(crate) fn cast(&mut self, value: &Typed, to: SqlType, style: Option<i64>, tries: bool) -> Typed {
        if style.is_none() && same_form(value.ty, to) {
            return Typed { ty: to, ..value.clone() };
        }
        let from = value.ty;
        let key = format!("cast {from:?} {to:?} {style:?} {tries}");
        let cast =
            self.strict(&key, &[value], to, move |cells| match convert::cast(&cells[0], from, to, style) {
                // What this server does not know is an error even where a failed conversion is NULL.
                Err(error) if tries && error.number != 103_010 => Ok(Cell::Null),
                other => other,
            });
        Typed { nullable: value.nullable || tries, ..cast }
    }

    /// Records that a column of a source in the scope `scope` is read.
    pub(crate) fn read(&mut self, scope: usize, source: usize, column: usize) {
        self.scopes[scope].reads += 1;
        let entry = &self.scopes[scope].sources[source];
        if let Some(load) = entry.load {
            self.loads[load].used.insert(column);
        }
        if let (Some(touch), Some(id)) = (entry.touch, entry.column_ids.get(column)) {
            self.touches[touch].columns.insert(*id);
        }
    }

    /// The innermost scope.
    pub(crate) fn scope(&mut self) -> &mut Scope {
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    /// A name for a new source.
    pub(crate) fn source_name(&mut self, line: u32) -> Result<String, ServerError> {
        self.sources += 1;
        if self.sources > MAX_SOURCES {
            return Err(error::outside(line, "so many tables"));
        }
        Ok(format!("t{}", self.sources))
    }

    /// Runs one level deeper in nested queries.
    pub(crate) fn deeper<T>(
        &mut self,
        bind: impl FnOnce(&mut Self) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        if self.depth >= MAX_QUERIES {
            return Err(crate::errors::nested_too_deeply());
        }
        self.depth += 1;
        let result = bind(self);
        self.depth -= 1;
        result
    }
}

/// Whether a value of one type already is held as the other wants it.
fn same_form(from: SqlType, to: SqlType) -> bool {
    if from == to {
        return true;
    }
    let wide_enough = length(to) == 0 || (length(from) != 0 && length(from) <= length(to));
    match (family(from), family(to)) {
        (Family::Text, Family::Text) => {
            let narrows = is_national(from) && !is_national(to);
            let pads = matches!(to, SqlType::Char(_) | SqlType::NChar(_));
            !narrows && !pads && wide_enough
        }
        (Family::Binary, Family::Binary) => !matches!(to, SqlType::Binary(_)) && wide_enough,
        (Family::Bit, Family::Integer) => true,
        (Family::Integer, Family::Integer) => integer_width(from) <= integer_width(to),
        (Family::Float, Family::Float) => to == SqlType::Float,
        _ => false,
    }
}

fn integer_width(ty: SqlType) -> u8 {
    match ty {
        SqlType::TinyInt => 1,
        SqlType::SmallInt => 2,
        SqlType::Int => 4,
        _ => 8,
    }
}

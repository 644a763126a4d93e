//! Statements on a connection of SQLite, and the port's values in them.

use axon_store_sql::{Arg, Row, SqlError, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ffi};

/// A parameter or a value that the port does not know.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("a statement asks for parameter {0}, which is not given")]
    Parameter(usize),
    #[error("column {0} holds a fraction")]
    Fraction(usize),
    #[error("column {0} holds text that is not UTF-8")]
    Text(usize),
}

impl From<Unfit> for SqlError {
    fn from(unfit: Unfit) -> Self {
        Self::Other(unfit.into())
    }
}

/// What an error of SQLite means.
pub fn failed(error: rusqlite::Error) -> SqlError {
    let taken = |code| matches!(code, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY);
    match &error {
        rusqlite::Error::SqliteFailure(failure, _) if taken(failure.extended_code) => {
            SqlError::Taken(error.into())
        }
        _ => SqlError::Other(error.into()),
    }
}

/// Runs what is parted by `;`, each with the parameters that it names. Our statements have no `;` inside a text.
pub fn run(
    connection: &Connection,
    sql: &str,
    args: &[Arg<'_>],
    mut each: impl FnMut(Row),
) -> Result<u64, SqlError> {
    let mut changed = 0;
    for statement in sql.split(';').filter(|part| !part.trim().is_empty()) {
        let mut statement = connection.prepare_cached(statement).map_err(failed)?;
        let mut next: usize = 0;
        for index in 1..=statement.parameter_count() {
            // `$7` is the seventh, wherever it stands; `?` is the next one.
            let number = statement.parameter_name(index).and_then(|name| name.get(1..)?.parse().ok());
            next = number.unwrap_or(next + 1);
            let arg = next.checked_sub(1).and_then(|at| args.get(at)).ok_or(Unfit::Parameter(next))?;
            match arg {
                Arg::Int(n) => statement.raw_bind_parameter(index, n),
                Arg::Text(text) => statement.raw_bind_parameter(index, text.as_deref()),
                Arg::Blob(bytes) => statement.raw_bind_parameter(index, bytes.as_deref()),
            }
            .map_err(failed)?;
        }
        let (columns, writes) = (statement.column_count(), !statement.readonly());
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            each(decoded(row, columns)?);
        }
        if writes {
            changed += connection.changes();
        }
    }
    Ok(changed)
}

fn decoded(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, SqlError> {
    let mut values = Vec::with_capacity(columns);
    for column in 0..columns {
        values.push(match row.get_ref(column).map_err(failed)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(n) => Value::Int(n),
            ValueRef::Real(_) => return Err(Unfit::Fraction(column).into()),
            ValueRef::Text(text) => {
                Value::Text(std::str::from_utf8(text).map_err(|_| Unfit::Text(column))?.to_owned())
            }
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
        });
    }
    Ok(Row(values))
}

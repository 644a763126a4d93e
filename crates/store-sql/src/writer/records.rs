//! The INSERTs of journal records, many rows in one statement.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axon_audit::Sealed;
use axon_store::StoreError;

use crate::codec::{micros, signed};
use crate::session::{Dialect, Session};
use crate::value::Arg;

/// Appends sealed records and their clear parts.
pub(super) async fn write(session: &mut dyn Session, records: &[Sealed]) -> Result<(), StoreError> {
    let inserts = session.dialect().pick(&SQLITE, &POSTGRES);
    let mut rest = records;
    while !rest.is_empty() {
        let (size, sql) = inserts.fitting(rest.len());
        let (now, later) = rest.split_at(size);
        rest = later;
        let mut args = Vec::with_capacity(size * 11);
        for sealed in now {
            push_record(&mut args, sealed);
        }
        session.run("append to the journal", sql.journal.as_str(), &args).await?;
    }
    let clear: Vec<_> = records.iter().filter_map(|s| s.clear.as_ref().map(|c| (s.record.seq, c))).collect();
    let mut rest = clear.as_slice();
    while !rest.is_empty() {
        let (size, sql) = inserts.fitting(rest.len());
        let (now, later) = rest.split_at(size);
        rest = later;
        let mut args = Vec::with_capacity(size * 3);
        for (seq, (salt, body)) in now {
            args.extend([Arg::from(signed(seq.0)), Arg::from(&salt.as_bytes()[..]), Arg::from(body)]);
        }
        session.run("append to the journal's clear parts", sql.clear.as_str(), &args).await?;
    }
    Ok(())
}

fn push_record<'a>(args: &mut Vec<Arg<'a>>, sealed: &'a Sealed) {
    let record = &sealed.record;
    args.extend([
        signed(record.seq.0).into(),
        record.id.as_uuid().as_bytes().into(),
        micros(record.at).into(),
        (&sealed.actor).into(),
        record.request.as_ref().map(axon_model::RequestId::as_str).into(),
        record.run.as_ref().map(|run| run.as_uuid().as_bytes()).into(),
        record.kind.as_str().into(),
        (&sealed.facts).into(),
        record.commitment.as_ref().map(axon_audit::Digest::as_bytes).into(),
        record.prev.as_bytes().into(),
        record.hash.as_bytes().into(),
    ]);
}

/// The INSERTs of many rows, for a few sizes, so that each stays prepared.
struct Inserts([(usize, InsertSql); 3]);

struct InsertSql {
    journal: String,
    clear: String,
}

static SQLITE: LazyLock<Inserts> = LazyLock::new(|| Inserts::of(Dialect::Sqlite));
static POSTGRES: LazyLock<Inserts> = LazyLock::new(|| Inserts::of(Dialect::Postgres));

impl Inserts {
    fn of(dialect: Dialect) -> Self {
        Self([32, 8, 1].map(|rows| (rows, InsertSql::of(dialect, rows))))
    }

    /// The largest that does not exceed `rows`, which is not 0.
    fn fitting(&self, rows: usize) -> (usize, &InsertSql) {
        let (size, sql) = self.0.iter().find(|(size, _)| *size <= rows).unwrap_or(&self.0[2]);
        (*size, sql)
    }
}

impl InsertSql {
    fn of(dialect: Dialect, rows: usize) -> Self {
        let journal = "INSERT INTO journal (seq, id, at, actor, request, run, kind, facts, commitment, prev, hash) VALUES ";
        let clear = "INSERT INTO journal_clear (seq, salt, body) VALUES ";
        Self { journal: tuples(dialect, journal, rows, 11), clear: tuples(dialect, clear, rows, 3) }
    }
}

/// `begin ($1, $2), ($3, $4)` … SQLite looks names of parameters up one after the other, so there they have none.
pub(crate) fn tuples(dialect: Dialect, begin: &str, rows: usize, columns: usize) -> String {
    let mut sql = begin.to_owned();
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            let comma = if column == 1 { "" } else { ", " };
            let _ = match dialect {
                Dialect::Sqlite => write!(sql, "{comma}?"),
                Dialect::Postgres => write!(sql, "{comma}${}", row * columns + column),
            };
        }
        sql.push(')');
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_through() {
        assert_eq!(tuples(Dialect::Postgres, "V ", 2, 3), "V ($1, $2, $3), ($4, $5, $6)");
        assert_eq!([1, 7, 8, 31, 32, 99].map(|n| SQLITE.fitting(n).0), [1, 1, 8, 8, 32, 32]);
    }
}

//! The port: one connection of a database, as the store uses it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use axon_store::{StatementCounts, StoreError};

use crate::value::{Arg, FromRow, FromValue, Row};

/// A statement's text: literal, or put together from literals. Values are parameters always.
pub type Sql = Cow<'static, str>;

/// The languages of the two databases, for the few statements that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.45 or later.
    Sqlite,
    /// PostgreSQL 14 or later.
    Postgres,
}

impl Dialect {
    /// One of two.
    pub const fn pick<T: Copy>(self, sqlite: T, postgres: T) -> T {
        match self {
            Self::Sqlite => sqlite,
            Self::Postgres => postgres,
        }
    }
}

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// A unique key is taken.
    #[error("a unique key is taken")]
    Taken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The pool of connections was closed.
    #[error("closed")]
    Closed,
    /// Anything else.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl SqlError {
    /// The store's error for an attempt that this ended.
    pub fn during(self, attempt: &'static str) -> StoreError {
        match self {
            Self::Taken(source) | Self::Other(source) => StoreError::Unavailable { attempt, source },
            Self::Closed => StoreError::Closed,
        }
    }
}

/// One connection. Statements take `$1`, `$2` … and both databases read them alike; what differs asks [`Session::dialect`].
#[async_trait]
pub trait Session: Send {
    /// The language it speaks.
    fn dialect(&self) -> Dialect;

    /// Runs a statement and gives all its rows.
    async fn query(&mut self, sql: Sql, args: &[Arg<'_>]) -> Result<Vec<Row>, SqlError>;

    /// Runs a statement and says how many rows it touched.
    async fn execute(&mut self, sql: Sql, args: &[Arg<'_>]) -> Result<u64, SqlError>;

    /// Runs statements that are parted by `;` and share their parameters, in one round trip where the database can.
    async fn script(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<(), SqlError>;

    /// Runs statements without parameters, such as those that begin and end transactions.
    async fn control(&mut self, sql: Sql) -> Result<(), SqlError>;

    /// Ends the connection.
    async fn close(self: Box<Self>);
}

impl dyn Session + '_ {
    /// All rows of a statement; `attempt` says in an error what was attempted.
    pub async fn all<R: FromRow>(
        &mut self,
        attempt: &'static str,
        sql: impl Into<Sql>,
        args: &[Arg<'_>],
    ) -> Result<Vec<R>, StoreError> {
        let rows = self.query(sql.into(), args).await.map_err(|e| e.during(attempt))?;
        read(attempt, rows)
    }

    /// The first row of a statement, if there is one.
    pub async fn first<R: FromRow>(
        &mut self,
        attempt: &'static str,
        sql: impl Into<Sql>,
        args: &[Arg<'_>],
    ) -> Result<Option<R>, StoreError> {
        let rows = self.query(sql.into(), args).await.map_err(|e| e.during(attempt))?;
        let first = rows.into_iter().next();
        first.map(|row| R::from_row(row).map_err(|e| StoreError::unavailable(attempt, e))).transpose()
    }

    /// The first column of the first row, if there is one.
    pub async fn value<T: FromValue>(
        &mut self,
        attempt: &'static str,
        sql: impl Into<Sql>,
        args: &[Arg<'_>],
    ) -> Result<Option<T>, StoreError> {
        Ok(self.first::<(T,)>(attempt, sql, args).await?.map(|(value,)| value))
    }

    /// Runs a statement and says how many rows it touched.
    pub async fn run(
        &mut self,
        attempt: &'static str,
        sql: impl Into<Sql>,
        args: &[Arg<'_>],
    ) -> Result<u64, StoreError> {
        self.execute(sql.into(), args).await.map_err(|e| e.during(attempt))
    }

    /// Runs a [`Session::script`].
    pub async fn run_script(
        &mut self,
        attempt: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<(), StoreError> {
        self.script(sql, args).await.map_err(|e| e.during(attempt))
    }
}

/// Reads rows as a type; `attempt` says in an error what was attempted.
pub fn read<R: FromRow>(attempt: &'static str, rows: Vec<Row>) -> Result<Vec<R>, StoreError> {
    rows.into_iter().map(|row| R::from_row(row).map_err(|e| StoreError::unavailable(attempt, e))).collect()
}

/// Counts the statements that a store's sessions send, so that a test can hold a path to its price.
#[derive(Debug, Default)]
pub struct Tally {
    all: AtomicU64,
    members: AtomicU64,
}

impl Tally {
    /// Counts one statement before it is sent.
    pub fn note(&self, sql: &str) {
        self.all.fetch_add(1, Ordering::Relaxed);
        if names_members(sql) {
            self.members.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted.
    pub fn counts(&self) -> StatementCounts {
        StatementCounts {
            all: self.all.load(Ordering::Relaxed),
            members: self.members.load(Ordering::Relaxed),
        }
    }
}

/// Whether a statement names the table of memberships.
fn names_members(sql: &str) -> bool {
    // Most name nothing of the kind, which is found out by far the fastest so.
    sql.contains("members")
        && sql.match_indices("members").any(|(at, word)| {
            let own = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            own(sql[..at].chars().next_back()) && own(sql[at + word.len()..].chars().next())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_member_table_is_known_by_its_whole_name() {
        assert!(names_members("SELECT 1 FROM members m"));
        assert!(names_members("DELETE FROM members"));
        assert!(!names_members("SELECT member_count, members_by_member FROM groups"));
    }
}

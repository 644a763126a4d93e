//! The one connection that is kept to a pool. DDL is serial per pool anyway, so one is enough.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use tiberius::error::Error as TdsError;
use tiberius::{QueryItem, QueryStream, Row};
use tokio::sync::{Mutex, MutexGuard};

use super::Connection;
use super::login::{self, Tds};
use crate::error::CallError;
use crate::render::{self, Query, Sql};
use crate::server_error;

/// After this long without use a connection is asked whether it still lives: gateways cut idle ones silently.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// After this long without use it is not asked but replaced: gateways cut idle connections at 30 minutes or earlier.
const STALE_AFTER: Duration = Duration::from_mins(10);
/// A login's token is checked at login only; this is how long a session may outlive what it was checked against.
const OLD_AFTER: Duration = Duration::from_hours(1);
/// The most rows that one result set may have.
const MOST_ROWS: usize = 5_000_000;

struct Live {
    tds: Tds,
    since: Instant,
    used: Instant,
}

/// A pool and the connection to it, if there is one.
pub(crate) struct Link {
    connection: Connection,
    kept: Mutex<Option<Live>>,
}

impl Link {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, kept: Mutex::new(None) }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A session that lives: the kept one, or a new one. Waits for whoever has it.
    pub(crate) async fn session(&self) -> Result<Session<'_>, CallError> {
        let mut kept = self.kept.lock().await;
        let live = match kept.take() {
            Some(live) if live.used.elapsed() < STALE_AFTER && live.since.elapsed() < OLD_AFTER => Some(live),
            Some(_) | None => None,
        };
        let mut session = Session { kept, live, proven: false };
        if session.live.as_ref().is_some_and(|live| live.used.elapsed() >= ASK_AFTER) {
            // Whatever is wrong with it, a new one is the remedy.
            if session.read(&render::ping(), &mut |_, _| Ok(())).await.is_err() {
                session.live = None;
            }
        }
        if session.live.is_none() {
            let tds = login::open(&self.connection).await?;
            let now = Instant::now();
            session.live = Some(Live { tds, since: now, used: now });
            session.proven = true;
        }
        Ok(session)
    }
}

/// Exclusive use of the connection. Given back when dropped, if it is in step with the server: a call that fails on the
/// wire, or is itself dropped half-way, takes the connection with it.
pub(crate) struct Session<'a> {
    kept: MutexGuard<'a, Option<Live>>,
    live: Option<Live>,
    /// Whether it answered since it was taken.
    proven: bool,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        *self.kept = self.live.take();
    }
}

/// What rows are given to: the number of the result set, and the row.
pub(crate) type Sink<'s> = dyn FnMut(usize, &Row) -> Result<(), String> + Send + 's;

impl Session<'_> {
    /// Runs one statement that gives no rows, alone in its batch and in autocommit.
    pub(crate) async fn run(&mut self, sql: &Sql) -> Result<(), CallError> {
        let mut live = self.take()?;
        let answer = async {
            let stream = live.tds.simple_query(sql.as_str()).await?;
            stream.into_results().await
        };
        let result = answer.await;
        self.settle(live, result.map(drop).map_err(Trouble::Tds))
    }

    /// Runs a query and gives each row to `sink` as it comes.
    pub(crate) async fn read(&mut self, query: &Query, sink: &mut Sink<'_>) -> Result<(), CallError> {
        let mut live = self.take()?;
        let result = drain(&mut live.tds, query, sink).await;
        self.settle(live, result)
    }

    fn take(&mut self) -> Result<Live, CallError> {
        self.live.take().ok_or_else(|| CallError::Unreachable("the connection is gone".into()))
    }

    fn settle(&mut self, mut live: Live, result: Result<(), Trouble>) -> Result<(), CallError> {
        /// From this severity on the server ends the session.
        const FATAL: u8 = 20;
        live.used = Instant::now();
        match result {
            Ok(()) => {
                self.live = Some(live);
                self.proven = true;
                Ok(())
            }
            Err(Trouble::Tds(TdsError::Server(token))) => {
                self.proven = true;
                if token.class() < FATAL {
                    self.live = Some(live);
                }
                let number = i64::from(token.code());
                Err(CallError::Refused {
                    refusal: server_error::refusal(number, token.message()),
                    retry: server_error::retry(number, token.message()),
                })
            }
            Err(Trouble::Tds(error)) if self.proven => Err(CallError::Broken(error.to_string())),
            Err(Trouble::Tds(error)) => Err(CallError::Stale(error.to_string())),
            Err(Trouble::Answer(reason)) => Err(CallError::Unreadable(reason)),
        }
    }
}

enum Trouble {
    Tds(TdsError),
    Answer(String),
}

impl From<TdsError> for Trouble {
    fn from(error: TdsError) -> Self {
        Self::Tds(error)
    }
}

async fn drain(tds: &mut Tds, query: &Query, sink: &mut Sink<'_>) -> Result<(), Trouble> {
    let mut stream = ask(tds, query).await?;
    let (mut sets, mut rows) = (0_usize, 0_usize);
    while let Some(item) = stream.try_next().await? {
        match item {
            QueryItem::Metadata(_) => (sets, rows) = (sets + 1, 0),
            QueryItem::Row(row) => {
                rows += 1;
                if rows > MOST_ROWS {
                    return Err(Trouble::Answer(format!("result set {sets} has more than {MOST_ROWS} rows")));
                }
                sink(sets.saturating_sub(1), &row)
                    .map_err(|e| Trouble::Answer(format!("result set {sets}: {e}")))?;
            }
        }
    }
    if sets == query.sets() {
        Ok(())
    } else {
        Err(Trouble::Answer(format!("{sets} result sets where {} were asked for", query.sets())))
    }
}

async fn ask<'c>(tds: &'c mut Tds, query: &Query) -> Result<QueryStream<'c>, TdsError> {
    if query.binds().is_empty() {
        return tds.simple_query(query.text().as_str().to_owned()).await;
    }
    let mut bound = tiberius::Query::new(query.text().as_str().to_owned());
    for name in query.binds() {
        bound.bind(name.as_str());
    }
    bound.query(tds).await
}

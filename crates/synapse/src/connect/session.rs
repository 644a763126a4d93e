//! The one connection that is kept to a pool. DDL is serial per pool anyway, so one is enough.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use tiberius::error::Error as TdsError;
use tiberius::{IntoRow as _, QueryItem, QueryStream, Row};
use tokio::sync::{Mutex, MutexGuard};

use super::Connection;
use super::login::{self, Tds};
use crate::error::CallError;
use crate::render::{self, Query, Sql};
use crate::server_error;

/// After this long without use a connection is asked whether it still lives: gateways cut idle ones silently.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// How long the answer to that may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// After this long without use it is not asked but replaced: gateways cut idle connections at 30 minutes or earlier.
const STALE_AFTER: Duration = Duration::from_mins(10);
/// A login's token is checked at login only; this is how long a session may outlive what it was checked against.
const OLD_AFTER: Duration = Duration::from_hours(1);
/// A statement that changes something is taken back when it gets no answer for so long, whatever reads are allowed: what waits
/// behind it may be a leaver.
const MOST_STATEMENT: Duration = Duration::from_mins(1);
/// How long a server may take to confirm that it gave a statement up, before the connection is closed all the same.
const GIVING_UP: Duration = Duration::from_secs(5);
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
        let mut session = Session { kept, live, proven: false, patience: self.connection.command_timeout };
        if session.live.as_ref().is_some_and(|live| live.used.elapsed() >= ASK_AFTER) {
            // Whatever is wrong with it, a new one is the remedy: also where a gateway cut it without a word.
            let (ping, mut no_rows) = (render::ping(), |_: usize, _: &Row| Ok(()));
            let asked = session.read(&ping, &mut no_rows);
            if !matches!(tokio::time::timeout(ANSWERS_WITHIN, asked).await, Ok(Ok(()))) {
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
    /// How long the server may be silent while it owes an answer.
    patience: Duration,
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
        let wait = self.patience.min(MOST_STATEMENT);
        let answer = async {
            let stream = live.tds.simple_query(sql.as_str()).await?;
            stream.into_results().await
        };
        let result = match tokio::time::timeout(wait, answer).await {
            Ok(answer) => answer.map(drop).map_err(Trouble::Tds),
            Err(_) => Err(Trouble::Silent(wait)),
        };
        self.settle(live, result).await
    }

    /// Runs one statement with an id and a secret as its parameters.
    pub(crate) async fn run_with(
        &mut self,
        sql: &Sql,
        id: &str,
        secret: &SecretString,
    ) -> Result<(), CallError> {
        let mut live = self.take()?;
        let wait = self.patience.min(MOST_STATEMENT);
        let secret = secret.expose_secret();
        let parameters: [&dyn tiberius::ToSql; 2] = [&id, &secret];
        let answer = live.tds.execute(sql.as_str(), &parameters);
        let result = match tokio::time::timeout(wait, answer).await {
            Ok(answer) => answer.map(drop).map_err(Trouble::Tds),
            Err(_) => Err(Trouble::Silent(wait)),
        };
        self.settle(live, result).await
    }

    /// Puts rows of texts into a table by a bulk load: the server takes all of them or none. Gives how many it took.
    pub(crate) async fn load<'r>(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: impl Iterator<Item = [&'r str; 3]>,
    ) -> Result<u64, CallError> {
        let mut live = self.take()?;
        let wait = self.patience.min(MOST_STATEMENT);
        let sending = async {
            let mut load = live.tds.bulk_insert_columns(table, columns).await?;
            for [a, b, c] in rows {
                load.send((a, b, c).into_row()).await?;
            }
            // Without the end the server keeps nothing of it.
            load.finalize().await
        };
        let mut taken = 0;
        let result = match tokio::time::timeout(wait, sending).await {
            Ok(Ok(answer)) => {
                taken = answer.total();
                Ok(())
            }
            Ok(Err(error)) => Err(Trouble::Tds(error)),
            Err(_) => Err(Trouble::Silent(wait)),
        };
        self.settle(live, result).await.map(|()| taken)
    }

    /// Runs a query and gives each row to `sink` as it comes.
    pub(crate) async fn read(&mut self, query: &Query, sink: &mut Sink<'_>) -> Result<(), CallError> {
        let mut live = self.take()?;
        let result = drain(&mut live.tds, query, sink, self.patience).await;
        self.settle(live, result).await
    }

    fn take(&mut self) -> Result<Live, CallError> {
        self.live.take().ok_or_else(|| CallError::Unreachable("the connection is gone".into()))
    }

    async fn settle(&mut self, mut live: Live, result: Result<(), Trouble>) -> Result<(), CallError> {
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
            Err(Trouble::Silent(waited)) => {
                let silent = format!("no answer within {} s", waited.as_secs_f32());
                let given_up = tell_to_stop(live).await;
                Err(CallError::Broken(format!("{silent}; {given_up}")))
            }
        }
    }
}

/// An attention (MS-TDS 2.2.1.6) ends the work in the server, which a closed connection may not: a dedicated pool goes on with
/// what it has begun. The connection is closed whatever the server says, since what it still sends belongs to nobody.
async fn tell_to_stop(mut live: Live) -> &'static str {
    let confirmed = async {
        match live.tds.cancel_query().await {
            // The answer to the statement may end before the attention is acknowledged, in a message of its own (MS-TDS 3.2.5.7),
            // which the driver does not wait for: it is read by asking once more.
            Err(TdsError::Server(_) | TdsError::Protocol(_)) => live.tds.cancel_query().await.is_ok(),
            told => told.is_ok(),
        }
    };
    match tokio::time::timeout(GIVING_UP, confirmed).await {
        Ok(true) => "told to stop, the server did; the connection is closed",
        Ok(false) | Err(_) => "told to stop, the server did not say that it did; the connection is closed",
    }
}

enum Trouble {
    /// Nothing came for so long.
    Silent(Duration),
    Tds(TdsError),
    Answer(String),
}

impl From<TdsError> for Trouble {
    fn from(error: TdsError) -> Self {
        Self::Tds(error)
    }
}

async fn drain(tds: &mut Tds, query: &Query, sink: &mut Sink<'_>, wait: Duration) -> Result<(), Trouble> {
    let silent = |_| Trouble::Silent(wait);
    let mut stream = tokio::time::timeout(wait, ask(tds, query)).await.map_err(silent)??;
    let (mut sets, mut rows) = (0_usize, 0_usize);
    while let Some(item) = tokio::time::timeout(wait, stream.try_next()).await.map_err(silent)?? {
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

//! Ending somebody's sessions: look, kill each, look again, until none is left.
//!
//! Whose a session is, the security id tells, and the name where a view has no id; who entered counts, not whom somebody acts as. Of
//! whom no principal is left there is the id alone; by a name that no principal has, only those are ended that tell no id.
//! Sessions go shortly after KILL answers, and a client may come back while it still may connect; so the look is what
//! counts, and the rounds are bounded. Nothing sleeps here: who calls decides when to try again.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::visitor::{is_by_name, is_of};
use axon_reconcile::{Refusal, RefusalKind, Sid, Visitor};
use tiberius::Row;

use crate::catalog::{number, text};
use crate::connect::Session;
use crate::error::CallError;
use crate::render::{self, Entrant, render};
use crate::statement::{Dialect, SessionId, Statement};

/// How often it is looked before the rest is left to the next try.
const MOST_ROUNDS: usize = 20;
/// The most statement texts that are recorded.
const MOST_TEXTS: usize = 100;

/// A view without a column that was asked for.
const NO_COLUMN: i64 = 207;

/// What to ask for when this was the answer: where a view does not tell who entered, for whom the session is.
fn instead<T>(answer: &Result<T, CallError>, asked: Entrant) -> Option<Entrant> {
    match answer {
        Err(CallError::Refused { refusal, .. }) if refusal.number == NO_COLUMN => {
            (asked == Entrant::Original).then_some(Entrant::Current)
        }
        _ => None,
    }
}

fn sid(row: &Row, at: usize) -> Result<Option<Sid>, String> {
    let bytes: Option<&[u8]> = row.try_get(at).map_err(|e| e.to_string())?;
    Ok(bytes.filter(|bytes| !bytes.is_empty()).map(Sid::from_bytes))
}

/// Whose sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Those of the principal that has this name; where none has it, those of its logins that tell no id.
    Principal(SqlName),
    /// Those of the object with this id, which has no principal.
    Former(Sid),
}

impl Whose {
    fn query(&self, dialect: Dialect, entrant: Entrant) -> render::Query {
        match self {
            Self::Principal(name) => render::sessions(*name, dialect, entrant),
            Self::Former(sid) => render::sessions_of_id(sid, dialect, entrant),
        }
    }
}

/// The living sessions of somebody.
pub(crate) async fn sessions_of(
    session: &mut Session<'_>,
    whose: &Whose,
    dialect: Dialect,
) -> Result<Vec<SessionId>, CallError> {
    let mut entrant = Entrant::first(dialect);
    loop {
        // Outside: whether there is anybody whose id it is.
        let (mut own, sessions) = match whose {
            Whose::Principal(_) => (None, 1),
            Whose::Former(sid) => (Some(Some(sid.clone())), 0),
        };
        let mut found = Vec::new();
        let read = session
            .read(&whose.query(dialect, entrant), &mut |set, row| {
                if set < sessions {
                    own = Some(sid(row, 0)?);
                    return Ok(());
                }
                let id = match dialect {
                    Dialect::Dedicated => SessionId::parse_dedicated(text(row, 0)?)
                        .ok_or("a session id that is not SID and digits")?,
                    Dialect::Serverless | Dialect::Server => SessionId::Serverless(number(row, 0)?),
                };
                let (told, named) = (sid(row, 1)?, number(row, 2)? == 1);
                let theirs = match &own {
                    Some(own) => is_of(own.as_ref(), told.as_ref(), named),
                    None => is_by_name(told.as_ref(), named),
                };
                if theirs {
                    found.push(id);
                }
                Ok(())
            })
            .await;
        match instead(&read, entrant) {
            Some(other) => entrant = other,
            None => return read.map(|()| found),
        }
    }
}

/// Who has a session. Names that cannot be ones are nobody's that Axon knows.
pub(crate) async fn visitors(session: &mut Session<'_>, dialect: Dialect) -> Result<Vec<Visitor>, CallError> {
    let mut entrant = Entrant::first(dialect);
    loop {
        let mut found = Vec::new();
        let read = session
            .read(&render::visitors(dialect, entrant), &mut |_, row| {
                if let Ok(login) = SqlName::parse(text(row, 0)?) {
                    found.push(Visitor { login, sid: sid(row, 1)? });
                }
                Ok(())
            })
            .await;
        match instead(&read, entrant) {
            Some(other) => entrant = other,
            None => return read.map(|()| found),
        }
    }
}

/// Kills until none is left. Statement texts are added to `sent` as they are sent.
pub(crate) async fn kill_all(
    session: &mut Session<'_>,
    whose: &Whose,
    dialect: Dialect,
    sent: &mut Vec<String>,
) -> Result<(), CallError> {
    sent.push(whose.query(dialect, Entrant::first(dialect)).text().as_str().to_owned());
    let mut left = sessions_of(session, whose, dialect).await?;
    let mut killed = BTreeSet::new();
    for _ in 0..MOST_ROUNDS {
        if left.is_empty() {
            return Ok(());
        }
        for id in left {
            // Killed already and still going: the next look tells.
            if !killed.insert(id) {
                continue;
            }
            let sql = render(&Statement::Kill { session: id }, dialect);
            if sent.len() < MOST_TEXTS {
                sent.push(sql.as_str().to_owned());
            }
            match session.run(&sql).await {
                Ok(()) => {}
                Err(CallError::Refused { refusal, .. }) if is_gone(&refusal) => {}
                Err(other) => return Err(other),
            }
        }
        left = sessions_of(session, whose, dialect).await?;
    }
    if left.is_empty() {
        return Ok(());
    }
    let message = format!("{} sessions are still there after {MOST_ROUNDS} looks", left.len());
    let refusal = Refusal { kind: RefusalKind::Busy, number: 0, message };
    Err(CallError::Refused {
        refusal,
        retry: axon_reconcile::Retry::After(std::time::Duration::from_secs(1)),
    })
}

/// "Process ID n is not an active process ID", "… is not a valid process ID", and "SID… is not …" of a dedicated pool.
fn is_gone(refusal: &Refusal) -> bool {
    matches!(refusal.number, 6101 | 6106)
}

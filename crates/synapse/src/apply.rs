//! Steps, each a statement alone in its batch and in autocommit; and what came of each.

use std::time::Instant;

use axon_model::SqlName;
use axon_reconcile::{Outcome, Refusal, RefusalKind, Retry, SecureStep, Seen, Sid, Step};

use crate::catalog::number;
use crate::connect::{Link, Session};
use crate::error::CallError;
use crate::kill::{self, Whose};
use crate::read_back;
use crate::render::{self, render};
use crate::secure;
use crate::statement::{Dialect, ObjectId, Statement, Wording, Work};

/// A principal that is not there, or that one has no permission on.
const NO_SUCH_PRINCIPAL: i64 = 15_151;

/// Applies steps in order and stops at the first that is neither done nor already so. One outcome per step.
pub(crate) async fn apply(
    link: &Link,
    wording: &Wording<'_>,
    place: &read_back::Place,
    steps: &[Step],
) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(steps.len());
    if !steps.is_empty() {
        match link.session().await {
            Ok(mut session) => {
                for step in steps {
                    let outcome = perform(&mut session, wording, place, step).await;
                    let go_on = goes_on(&outcome);
                    outcomes.push(outcome);
                    if !go_on {
                        break;
                    }
                }
            }
            Err(error) => outcomes.push(failed(error, Vec::new())),
        }
    }
    outcomes.resize(steps.len(), Outcome::NotTried);
    outcomes
}

fn goes_on(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done { .. } => true,
        Outcome::Refused { refusal, .. } => refusal.kind == RefusalKind::AlreadyThere,
        Outcome::Unknown { .. } | Outcome::NotTried => false,
    }
}

async fn perform(
    session: &mut Session<'_>,
    wording: &Wording<'_>,
    place: &read_back::Place,
    step: &Step,
) -> Outcome {
    if let (Step::Secure(SecureStep::FillProfiles { schema, people: _, rows }), Dialect::Dedicated) =
        (step, wording.dialect)
    {
        let (started, mut sent) = (Instant::now(), Vec::new());
        let result = secure::fill(session, &place.bulk, *schema, rows, &mut sent).await;
        return match result {
            Ok(()) => Outcome::Done { statements: sent, micros: micros(started) },
            Err(error) => failed(error, sent),
        };
    }
    let work = match wording.work(step) {
        Ok(work) => work,
        Err(reason) => {
            let message = reason.to_string();
            return Outcome::Refused {
                statements: Vec::new(),
                refusal: Refusal { kind: RefusalKind::Unsupported, number: 0, message },
            };
        }
    };
    let started = Instant::now();
    let mut sent = Vec::new();
    let result = match work {
        Work::One(Statement::DropUser { name, sid: Some(sid) }) if wording.dialect == Dialect::Server => {
            drop_login(session, name, &sid, &mut sent).await
        }
        Work::One(statement) => {
            let sql = render(&by_object_id(statement, place, step), wording.dialect);
            let result = session.run(&sql).await;
            sent.push(sql.into_string());
            match (result, step) {
                // Whoever does not administer may make nobody but itself the owner.
                (Err(CallError::Refused { refusal, .. }), Step::CreateRole { name })
                    if refusal.number == NO_SUCH_PRINCIPAL =>
                {
                    let own = render(&Statement::CreateOwnRole { name: *name }, wording.dialect);
                    let result = session.run(&own).await;
                    sent.push(own.into_string());
                    result
                }
                (result, _) => result,
            }
        }
        Work::Secure(statements) => secure::perform(session, step, statements, &mut sent).await,
        Work::Key { schema, id } => secure::make_key(session, &place.keys, schema, &id, &mut sent).await,
        Work::KillSessions { principal } => {
            end_sessions(session, place, &Whose::Principal(principal), &mut sent).await
        }
        Work::KillFormer { sid } => end_sessions(session, place, &Whose::Former(sid), &mut sent).await,
    };
    match result {
        Ok(()) => Outcome::Done { statements: sent, micros: micros(started) },
        Err(CallError::Refused { refusal, .. }) if may_be_converged(refusal.kind) => {
            let refusal = converged_or_not(session, place, step, refusal).await;
            Outcome::Refused { statements: sent, refusal }
        }
        Err(error) => failed(error, sent),
    }
}

/// Drops a login, if it has this id: the two cannot be said in one batch, so the look stands right before the drop. Somebody else's stays,
/// which the read-back shows.
async fn drop_login(
    session: &mut Session<'_>,
    name: SqlName,
    sid: &Sid,
    sent: &mut Vec<String>,
) -> Result<(), CallError> {
    let look = render::login_with_id(name, sid);
    sent.push(look.text().as_str().to_owned());
    let mut found = 0;
    session
        .read(&look, &mut |_, row| {
            found = number(row, 0)?;
            Ok(())
        })
        .await?;
    if found == 0 {
        return Ok(());
    }
    let sql = render(&Statement::DropUser { name, sid: None }, Dialect::Server);
    let result = session.run(&sql).await;
    sent.push(sql.into_string());
    result
}

/// Ends the sessions of somebody, where the sessions of others are seen.
async fn end_sessions(
    session: &mut Session<'_>,
    place: &read_back::Place,
    whose: &Whose,
    sent: &mut Vec<String>,
) -> Result<(), CallError> {
    match &place.known.blind_to_sessions {
        None => kill::kill_all(session, whose, place.dialect, sent).await,
        Some(reason) => {
            let refusal = Refusal { kind: RefusalKind::Forbidden, number: 0, message: reason.clone() };
            Err(CallError::Refused { refusal, retry: Retry::Never })
        }
    }
}

pub(crate) fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Where the object is known and the pool can be told it, a name that several objects have is no obstacle (33131), and another object
/// of the name is not let in.
fn by_object_id(statement: Statement, place: &read_back::Place, step: &Step) -> Statement {
    match (statement, step) {
        (Statement::CreateExternalUser { name }, Step::CreatePrincipal { sid: Some(sid), .. })
            if place.by_object_id =>
        {
            match ObjectId::of(sid) {
                Some(object) => Statement::CreateByObjectId { name, object },
                None => Statement::CreateExternalUser { name },
            }
        }
        (statement, _) => statement,
    }
}

fn may_be_converged(kind: RefusalKind) -> bool {
    matches!(kind, RefusalKind::AlreadyThere | RefusalKind::Missing)
}

/// "Already exists" may be about a role that has the user's name, "does not exist" about a missing permission: only the
/// catalog tells whether the step's effect is there.
async fn converged_or_not(
    session: &mut Session<'_>,
    place: &read_back::Place,
    step: &Step,
    refusal: Refusal,
) -> Refusal {
    let seen = read_back::read_back(session, place, std::slice::from_ref(step)).await;
    // To a principal that does not see everything, absence proves nothing.
    let proves = !step.takes() || place.known.blind.is_none();
    let kind = match (seen.as_deref(), refusal.kind) {
        (Ok([Seen::InForce]), _) if proves => RefusalKind::AlreadyThere,
        (_, RefusalKind::AlreadyThere) => RefusalKind::Blocked,
        (_, other) => other,
    };
    Refusal { kind, ..refusal }
}

fn failed(error: CallError, statements: Vec<String>) -> Outcome {
    match error {
        CallError::Refused { refusal, retry: _ } => Outcome::Refused { statements, refusal },
        CallError::Broken(reason) | CallError::Stale(reason) | CallError::Unreadable(reason) => {
            Outcome::Unknown { statements, reason }
        }
        CallError::Unreachable(reason) | CallError::NoToken(reason) => {
            Outcome::Unknown { statements, reason: format!("nothing was sent: {reason}") }
        }
    }
}

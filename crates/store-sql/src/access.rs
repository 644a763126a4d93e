//! The rows of what was asked for beside the role map.

use axon_audit::payload::{AccessChange, AccessClear};
use axon_model::{AccessRequest, AccessRequestId, AccessState, Asked, HoldId, RecordSeq, Said, UserId, Whom};
use axon_store::{AccessEnd, Act, HoldEnd, HoldKind, HoldTerms, NewAccessRequest, NewHold, StoreError};
use serde::Deserialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::args;
use crate::codec::{Place, micros, signed};
use crate::session::Session;
use crate::writer::Txn;
use crate::{holds, journal};

const COLUMNS: &str = "id, kind, grants, whom, asking, state, hold, released, until, ended, record";

type AccessRow = (
    Vec<u8>,
    String,
    Option<String>,
    String,
    String,
    String,
    Option<Vec<u8>>,
    Option<String>,
    Option<i64>,
    Option<String>,
    i64,
);

/// What is kept of acting as another: the target, the person, for how long, and the session where one is named.
#[derive(Deserialize)]
#[serde(untagged)]
enum Acting {
    InSession(String, Whom, u64, String),
    Anywhere(String, Whom, u64),
}

fn request(row: AccessRow) -> Result<AccessRequest, StoreError> {
    let (id, kind, grants, whom, asking, state, hold, released, until, ended, record) = row;
    let place = Place { table: "access_requests", row: &record };
    let asked = match (kind.as_str(), grants) {
        ("offboard", None) => Asked::Offboard,
        ("grant", Some(text)) => {
            let (role, target, seconds) = place.json("grants", &text)?;
            Asked::Grant { role, target, seconds }
        }
        ("impersonate", Some(text)) => {
            let (target, person, seconds, session) = match place.json("grants", &text)? {
                Acting::Anywhere(target, person, seconds) => (target, person, seconds, None),
                Acting::InSession(target, person, seconds, session) => {
                    (target, person, seconds, Some(session))
                }
            };
            Asked::Impersonate { person, target, seconds, session }
        }
        _ => return Err(place.bad("kind", "an unknown word")),
    };
    Ok(AccessRequest {
        id: AccessRequestId::from_uuid(place.uuid("id", &id)?),
        asked,
        whom: place.json::<Whom>("whom", &whom)?,
        asking: said(&place, "asking", &asking)?,
        state: AccessState::parse(&state).ok_or_else(|| place.bad("state", "an unknown word"))?,
        hold: hold.map(|hold| place.uuid("hold", &hold).map(HoldId::from_uuid)).transpose()?,
        released: released.map(|text| said(&place, "released", &text)).transpose()?,
        until: until.map(|at| place.instant("until", at)).transpose()?,
        ended: ended.map(|text| said(&place, "ended", &text)).transpose()?,
        record: RecordSeq(place.count("record", record)?),
    })
}

fn said(place: &Place<'_>, column: &'static str, text: &str) -> Result<Said, StoreError> {
    let (at, by, reason): (i64, String, String) = place.json(column, text)?;
    Ok(Said { at: place.instant(column, at)?, by, reason })
}

fn said_text(said: &Said) -> String {
    json!([micros(said.at), said.by, said.reason]).to_string()
}

fn says(act: &Act, reason: &str) -> Said {
    Said { at: act.now, by: act.actor.to_string(), reason: reason.to_owned() }
}

fn change(request: &AccessRequest, reason: &str) -> AccessChange {
    let (role, target, seconds) = match &request.asked {
        Asked::Offboard => (None, None, None),
        Asked::Grant { role, target, seconds } => (Some(role.clone()), target.clone(), Some(*seconds)),
        Asked::Impersonate { target, seconds, .. } => (None, Some(target.clone()), Some(*seconds)),
    };
    let (person, session) = match &request.asked {
        Asked::Impersonate { person, session, .. } => (Some(person), session.clone()),
        Asked::Offboard | Asked::Grant { .. } => (None, None),
    };
    let ids = |whom: &Whom| -> Vec<UserId> { whom.records.iter().map(|record| record.id).collect() };
    AccessChange {
        access_request: request.id,
        about: request.asked.as_str().to_owned(),
        state: request.state,
        source: request.whom.source.clone(),
        users: ids(&request.whom),
        persons: person.map(ids).unwrap_or_default(),
        role,
        target,
        session,
        seconds,
        hold: request.hold,
        clear: AccessClear {
            user_name: request.whom.user_name.clone(),
            person: person.map(|person| person.user_name.clone()),
            reason: reason.to_owned(),
        },
    }
}

/// When a request that comes into force now is over.
fn until(asked: &Asked, now: OffsetDateTime) -> Option<OffsetDateTime> {
    match asked {
        Asked::Offboard => None,
        Asked::Grant { seconds, .. } | Asked::Impersonate { seconds, .. } => {
            now.checked_add(Duration::seconds(i64::try_from(*seconds).unwrap_or(i64::MAX)))
        }
    }
}

/// What a second person is shown.
fn held(request: &AccessRequest, act: &Act, expires: Option<OffsetDateTime>) -> NewHold {
    let what = match &request.asked {
        Asked::Offboard => format!("offboard {}", request.whom.user_name),
        Asked::Grant { role, target, seconds } => {
            let place = target.as_ref().map(|target| format!(" in {target}")).unwrap_or_default();
            let minutes = seconds.div_ceil(60);
            format!("role {role}{place} for {}, for {minutes} minutes", request.whom.user_name)
        }
        Asked::Impersonate { person, target, seconds, session } => {
            let (who, whom) = (&request.whom.user_name, &person.user_name);
            let place = session.as_ref().map(|session| format!(" in session {session}")).unwrap_or_default();
            format!("{who} reads views in {target}{place} as {whom}, for {} minutes", seconds.div_ceil(60))
        }
    };
    NewHold {
        kind: HoldKind::Grant,
        key: format!("grant {}", request.id),
        source: request.whom.source.clone(),
        target: match &request.asked {
            Asked::Grant { target, .. } => target.clone(),
            Asked::Impersonate { target, .. } => Some(target.clone()),
            Asked::Offboard => None,
        },
        what,
        why: format!("{} asks: {}", act.actor, request.asking.reason),
        binds: None,
        expires,
        terms: HoldTerms { asked_by: Some(act.actor.identity()), ..HoldTerms::default() },
    }
}

/// Keeps what is asked, and opens its hold.
pub(crate) async fn ask(txn: &mut Txn, new: NewAccessRequest, act: Act) -> Result<AccessRequest, StoreError> {
    let NewAccessRequest { asked, whom, reason, second_person, waits_until, refused } = new;
    let second_person = second_person && refused.is_none();
    let state = match (&refused, second_person) {
        (Some(_), _) => AccessState::Rejected,
        (None, true) => AccessState::Proposed,
        (None, false) => AccessState::InForce,
    };
    let mut request = AccessRequest {
        id: AccessRequestId::from_uuid(act.ids.uuid(act.now)),
        until: if state == AccessState::InForce { until(&asked, act.now) } else { None },
        asked,
        whom,
        asking: says(&act, &reason),
        state,
        hold: None,
        released: None,
        ended: refused.as_ref().map(|why| says(&act, why)),
        record: RecordSeq(0),
    };
    if second_person {
        let held = held(&request, &act, waits_until);
        request.hold = holds::open(txn, vec![held], act.clone()).await?.first().map(|hold| hold.id);
    }
    let said = refused.as_ref().map_or_else(|| reason.clone(), |why| format!("{reason}; refused: {why}"));
    request.record = journal::record(txn, &act, change(&request, &said))?;
    let grants = match &request.asked {
        Asked::Offboard => None,
        Asked::Grant { role, target, seconds } => Some(json!([role, target, seconds]).to_string()),
        Asked::Impersonate { person, target, seconds, session: None } => {
            Some(json!([target, person, seconds]).to_string())
        }
        Asked::Impersonate { person, target, seconds, session: Some(session) } => {
            Some(json!([target, person, seconds, session]).to_string())
        }
    };
    let sql = "INSERT INTO access_requests (id, kind, grants, whom, asking, state, hold, until, record, ended) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let args = args![
        request.id.as_uuid().as_bytes(),
        request.asked.as_str(),
        grants,
        json!(request.whom).to_string(),
        said_text(&request.asking),
        request.state.as_str(),
        request.hold.as_ref().map(|hold| &hold.as_uuid().as_bytes()[..]),
        request.until.map(micros),
        signed(request.record.0),
        request.ended.as_ref().map(said_text),
    ];
    txn.session()?.run("keep an access request", sql, args).await?;
    Ok(request)
}

async fn write(
    txn: &mut Txn,
    request: &mut AccessRequest,
    reason: &str,
    act: &Act,
) -> Result<(), StoreError> {
    request.record = journal::record(txn, act, change(request, reason))?;
    let sql = "UPDATE access_requests SET state = $2, released = $3, until = $4, ended = $5, record = $6 \
               WHERE id = $1";
    let args = args![
        request.id.as_uuid().as_bytes(),
        request.state.as_str(),
        request.released.as_ref().map(said_text),
        request.until.map(micros),
        request.ended.as_ref().map(said_text),
        signed(request.record.0),
    ];
    txn.session()?.run("change an access request", sql, args).await?;
    Ok(())
}

/// Ends one that waits or counts.
pub(crate) async fn end(
    txn: &mut Txn,
    id: AccessRequestId,
    end: AccessEnd,
    reason: String,
    act: Act,
) -> Result<Option<AccessRequest>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM access_requests WHERE id = $1");
    let row: Option<AccessRow> =
        txn.session()?.first("read an access request", sql, args![id.as_uuid().as_bytes()]).await?;
    let Some(mut found) = row.map(request).transpose()? else { return Ok(None) };
    let fits = match end {
        AccessEnd::Lift => found.state.stands(),
        AccessEnd::Elapse => {
            found.state == AccessState::InForce && found.until.is_some_and(|until| until <= act.now)
        }
    };
    if !fits {
        return Ok(None);
    }
    let proposed = found.state == AccessState::Proposed;
    found.state = end.state();
    found.ended = Some(says(&act, &reason));
    write(txn, &mut found, &reason, &act).await?;
    if let (true, Some(hold)) = (proposed, found.hold) {
        // Boxed: a hold's answer comes back here.
        Box::pin(holds::answer(txn, hold, HoldEnd::Lapse, "it was taken back".to_owned(), act)).await?;
    }
    Ok(Some(found))
}

/// A hold was answered by which a request waits.
pub(crate) async fn answered(
    txn: &mut Txn,
    hold: HoldId,
    end: HoldEnd,
    reason: &str,
    act: &Act,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM access_requests WHERE hold = $1");
    let row: Option<AccessRow> =
        txn.session()?.first("read an access request", sql, args![hold.as_uuid().as_bytes()]).await?;
    let Some(mut found) = row.map(request).transpose()? else { return Ok(()) };
    let waits = matches!(found.state, AccessState::Proposed | AccessState::Rejected | AccessState::Expired);
    match end {
        HoldEnd::Release if waits => {
            found.state = AccessState::InForce;
            found.released = Some(says(act, reason));
            found.ended = None;
            found.until = until(&found.asked, act.now);
        }
        HoldEnd::Reject | HoldEnd::Expire if waits => {
            found.state = if end == HoldEnd::Reject { AccessState::Rejected } else { AccessState::Expired };
            found.ended = Some(says(act, reason));
        }
        _ => return Ok(()),
    }
    write(txn, &mut found, reason, act).await
}

/// Those that a later record changed.
pub(crate) async fn since(
    session: &mut dyn Session,
    since: RecordSeq,
) -> Result<Vec<AccessRequest>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM access_requests WHERE record > $1 ORDER BY record");
    let rows: Vec<AccessRow> = session.all("read the access requests", sql, args![signed(since.0)]).await?;
    rows.into_iter().map(request).collect()
}

//! The rows of holds and pins.

use std::collections::BTreeMap;

use axon_audit::payload::{BoundClear, BoundGroup, HoldChange, HoldClear, HoldVerb, NamesBound};
use axon_model::{Actor, Delta, GroupId, HoldId, MemberKind, RecordSeq, SourceId, SqlName, UserId};
use axon_store::{
    Act, Answered, Ended, Hold, HoldEnd, HoldKind, HoldState, HoldTerms, NewHold, NewPin, Pin, PinKind,
    StoreError,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::args;
use crate::codec::{Place, micros, signed};
use crate::journal;
use crate::session::Session;
use crate::writer::Txn;

/// How many steps of a hold go in one statement.
const SOME_PARTS: usize = 2_000;

const COLUMNS: &str = "id, kind, subject, source, target, what, why, binds, state, opened, expires, ended, words, record, terms";

type HoldRow = (
    Vec<u8>,
    String,
    String,
    Option<String>,
    Option<String>,
    String,
    String,
    Option<String>,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
    i64,
    Option<String>,
);

fn hold(row: HoldRow) -> Result<Hold, StoreError> {
    let (id, kind, key, source, target, what, why, binds, state, opened, expires, ended, words, record, kept) =
        row;
    let place = Place { table: "holds", row: &record };
    let words: Option<(String, String)> = words.map(|w| place.json("words", &w)).transpose()?;
    let ended = match (ended, words) {
        (Some(at), Some((by, reason))) => Some(Ended { at: place.instant("ended", at)?, by, reason }),
        _ => None,
    };
    let binds: Option<Value> = binds.map(|b| place.json("binds", &b)).transpose()?;
    let (terms, first) = match kept {
        Some(kept) => kept_terms(&place, &kept)?,
        None => (HoldTerms::default(), None),
    };
    Ok(Hold {
        id: HoldId::from_uuid(place.uuid("id", &id)?),
        held: NewHold {
            kind: HoldKind::parse(&kind).ok_or_else(|| place.bad("kind", "an unknown word"))?,
            key,
            source: source.map(|s| place.parsed("source", &s)).transpose()?,
            target,
            what,
            why,
            binds: binds.as_ref().map(|value| bound(&place, value)).transpose()?,
            expires: expires.map(|at| place.instant("expires", at)).transpose()?,
            terms,
        },
        state: HoldState::parse(&state).ok_or_else(|| place.bad("state", "an unknown word"))?,
        opened: place.instant("opened", opened)?,
        first,
        ended,
        record: RecordSeq(place.count("record", record)?),
    })
}

/// Who asked, how many persons it takes, and who released it first: [at, by, reason].
type KeptTerms = (Option<String>, u8, Option<(i64, String, String)>);

fn kept_terms(place: &Place<'_>, text: &str) -> Result<(HoldTerms, Option<Ended>), StoreError> {
    let (asked_by, people, first): KeptTerms = place.json("terms", text)?;
    let first = first
        .map(|(at, by, reason)| Ok::<_, StoreError>(Ended { at: place.instant("terms", at)?, by, reason }))
        .transpose()?;
    Ok((HoldTerms { asked_by, people, parts: Vec::new() }, first))
}

/// As the column keeps it; nothing where anybody may answer.
fn terms_text(terms: &HoldTerms, first: Option<&Ended>) -> Option<String> {
    if terms.asked_by.is_none() && terms.people <= 1 && first.is_none() {
        return None;
    }
    let first = first.map(|first| (micros(first.at), &first.by, &first.reason));
    Some(json!([terms.asked_by, terms.people, first]).to_string())
}

fn bound(place: &Place<'_>, value: &Value) -> Result<NewPin, StoreError> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let kind = value["kind"].as_i64().and_then(PinKind::of);
    Ok(NewPin {
        kind: kind.ok_or_else(|| place.bad("binds", "an unknown kind"))?,
        source: place.parsed("binds", value["source"].as_str().unwrap_or_default())?,
        name: text("name").ok_or_else(|| place.bad("binds", "no name"))?,
        external_id: text("external_id"),
        holder: text("holder"),
        cleared: value["cleared"].as_bool().unwrap_or_default(),
    })
}

fn binding(pin: &NewPin) -> String {
    let NewPin { kind, source, name, external_id, holder, cleared } = pin;
    json!({ "kind": kind.number(), "source": source, "name": name, "external_id": external_id, "holder": holder,
        "cleared": cleared })
    .to_string()
}

fn change(id: HoldId, held: &NewHold, verb: HoldVerb, reason: Option<String>) -> HoldChange {
    HoldChange {
        verb,
        hold: id,
        about: held.kind.as_str().to_owned(),
        source: held.source.clone(),
        target: held.target.clone(),
        clear: HoldClear { what: held.what.clone(), why: held.why.clone(), reason },
    }
}

/// Opens holds whose subject does not stand already.
pub(crate) async fn open(txn: &mut Txn, holds: Vec<NewHold>, act: Act) -> Result<Vec<Hold>, StoreError> {
    let mut opened = Vec::new();
    for held in holds {
        let sql = "SELECT record FROM holds WHERE subject = $1 AND state IN ('open', 'rejected', 'expired') LIMIT 1";
        let stands: Option<i64> = txn.session()?.value("look at holds", sql, args![&held.key]).await?;
        if stands.is_some() {
            continue;
        }
        let id = HoldId::from_uuid(act.ids.uuid(act.now));
        let record = journal::record(txn, &act, change(id, &held, HoldVerb::Opened, None))?;
        let sql = "INSERT INTO holds (id, kind, subject, source, target, what, why, binds, state, opened, expires, record, terms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10, $11, $12)";
        let args = args![
            id.as_uuid().as_bytes(),
            held.kind.as_str(),
            &held.key,
            held.source.as_ref().map(SourceId::as_str),
            held.target.as_deref(),
            &held.what,
            &held.why,
            held.binds.as_ref().map(binding),
            micros(act.now),
            held.expires.map(micros),
            signed(record.0),
            terms_text(&held.terms, None),
        ];
        txn.session()?.run("open a hold", sql, args).await?;
        keep_parts(txn, id, &held.terms.parts).await?;
        let state = HoldState::Open;
        opened.push(Hold { id, held, state, opened: act.now, first: None, ended: None, record });
    }
    Ok(opened)
}

/// Keeps the steps that a hold is about.
async fn keep_parts(txn: &mut Txn, id: HoldId, parts: &[String]) -> Result<(), StoreError> {
    for some in parts.chunks(SOME_PARTS) {
        let sql = "INSERT INTO hold_parts (hold, part) SELECT $1, value FROM json_each($2) WHERE true \
                   ON CONFLICT DO NOTHING";
        let args = args![id.as_uuid().as_bytes(), json!(some).to_string()];
        txn.session()?.run("keep what a hold is about", sql, args).await?;
    }
    Ok(())
}

/// The steps that a hold is about.
pub(crate) async fn parts(session: &mut dyn Session, id: HoldId) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT part FROM hold_parts WHERE hold = $1 ORDER BY part";
    let rows: Vec<(String,)> =
        session.all("read what a hold is about", sql, args![id.as_uuid().as_bytes()]).await?;
    Ok(rows.into_iter().map(|(part,)| part).collect())
}

/// Ends a hold and binds what its release binds; or notes the first of two releases.
pub(crate) async fn answer(
    txn: &mut Txn,
    id: HoldId,
    end: HoldEnd,
    reason: String,
    act: Act,
) -> Result<Answered, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM holds WHERE id = $1");
    let row: Option<HoldRow> =
        txn.session()?.first("read a hold", sql, args![id.as_uuid().as_bytes()]).await?;
    let Some(mut found) = row.map(hold).transpose()? else { return Ok(Answered::Unknown) };
    if !end.fits(found.state) {
        return Ok(Answered::Stands(found));
    }
    if end == HoldEnd::Release {
        let mine = act.actor.identity();
        let asked = found.held.terms.asked_by.as_ref() == Some(&mine);
        let said = found.first.as_ref().is_some_and(|first| identity_of(&first.by) == mine);
        if asked || said {
            return Ok(Answered::SamePerson(found));
        }
        if found.held.terms.people > 1 && found.first.is_none() {
            return second(txn, found, reason, &act).await;
        }
    }
    let record = journal::record(txn, &act, change(id, &found.held, end.verb(), Some(reason.clone())))?;
    let by = act.actor.to_string();
    let sql = "UPDATE holds SET state = $2, ended = $3, words = $4, record = $5 WHERE id = $1";
    let words = json!([by, reason]).to_string();
    let args = args![id.as_uuid().as_bytes(), end.state().as_str(), micros(act.now), words, signed(record.0)];
    txn.session()?.run("end a hold", sql, args).await?;
    if let (HoldEnd::Release, Some(pin)) = (end, &found.held.binds) {
        bind(txn, pin, record).await?;
    }
    if found.held.kind == HoldKind::Grant {
        crate::access::answered(txn, id, end, &reason, &act).await?;
    }
    if matches!(end, HoldEnd::Lapse | HoldEnd::Finish) {
        let sql = "DELETE FROM hold_parts WHERE hold = $1";
        txn.session()?.run("forget what a hold was about", sql, args![id.as_uuid().as_bytes()]).await?;
    }
    found.state = end.state();
    found.ended = Some(Ended { at: act.now, by, reason });
    found.record = record;
    Ok(Answered::Ended(found))
}

/// Notes the first of two releases.
async fn second(txn: &mut Txn, mut found: Hold, reason: String, act: &Act) -> Result<Answered, StoreError> {
    let change = change(found.id, &found.held, HoldVerb::Seconded, Some(reason.clone()));
    let record = journal::record(txn, act, change)?;
    let first = Ended { at: act.now, by: act.actor.to_string(), reason };
    // It waits anew, also if it had been rejected.
    let sql =
        "UPDATE holds SET state = 'open', ended = NULL, words = NULL, terms = $2, record = $3 WHERE id = $1";
    let args =
        args![found.id.as_uuid().as_bytes(), terms_text(&found.held.terms, Some(&first)), signed(record.0)];
    txn.session()?.run("note a release", sql, args).await?;
    (found.state, found.ended, found.first, found.record) = (HoldState::Open, None, Some(first), record);
    Ok(Answered::Seconded(found))
}

/// The identity of an actor as holds keep it in words.
fn identity_of(by: &str) -> String {
    match by.strip_prefix("operator ") {
        Some(name) => Actor::Operator { name: name.to_owned() }.identity(),
        None => by.to_owned(),
    }
}

/// Holds that a later record changed.
pub(crate) async fn since(session: &mut dyn Session, since: RecordSeq) -> Result<Vec<Hold>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM holds WHERE record > $1 ORDER BY record");
    let rows: Vec<HoldRow> = session.all("read the holds", sql, args![signed(since.0)]).await?;
    rows.into_iter().map(hold).collect()
}

/// Binds a name to whom a release says.
async fn bind(txn: &mut Txn, pin: &NewPin, record: RecordSeq) -> Result<(), StoreError> {
    let sql = "INSERT INTO pins (kind, source, name_key, external_id, holder, cleared, record) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) \
               ON CONFLICT (kind, source, name_key) DO UPDATE SET external_id = excluded.external_id, \
                   holder = excluded.holder, cleared = excluded.cleared, record = excluded.record";
    txn.session()?.run("bind a name", sql, &pin_args(pin, record)).await?;
    Ok(())
}

fn pin_args(pin: &NewPin, record: RecordSeq) -> [crate::Arg<'_>; 7] {
    [
        pin.kind.number().into(),
        pin.source.as_str().into(),
        pin.name.as_str().into(),
        pin.external_id.as_deref().into(),
        pin.holder.as_deref().into(),
        pin.cleared.into(),
        signed(record.0).into(),
    ]
}

/// Binds names that are bound to nobody.
pub(crate) async fn bind_free(txn: &mut Txn, pins: Vec<NewPin>, act: Act) -> Result<(), StoreError> {
    let record = txn.next_seq();
    let mut bound = NamesBound { groups: Vec::new(), clear: BoundClear::default() };
    for pin in pins {
        let sql = "INSERT INTO pins (kind, source, name_key, external_id, holder, cleared, record) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) \
                   ON CONFLICT (kind, source, name_key) DO UPDATE SET external_id = excluded.external_id, \
                       holder = excluded.holder, cleared = excluded.cleared, record = excluded.record \
                       WHERE pins.holder IS NULL AND excluded.holder IS NOT NULL";
        if txn.session()?.run("bind a name", sql, &pin_args(&pin, record)).await? > 0 {
            bound.groups.push(BoundGroup { source: pin.source, group: pin.holder });
            bound.clear.names.push(pin.name);
        }
    }
    if !bound.groups.is_empty() {
        journal::record(txn, &act, bound)?;
    }
    Ok(())
}

type PinRow = (i64, String, String, Option<String>, Option<String>, i64, i64);

/// Pins that a later record changed.
pub(crate) async fn pins(session: &mut dyn Session, since: RecordSeq) -> Result<Vec<Pin>, StoreError> {
    let sql = "SELECT kind, source, name_key, external_id, holder, cleared, record FROM pins WHERE record > $1 \
               ORDER BY record";
    let rows: Vec<PinRow> = session.all("read the pins", sql, args![signed(since.0)]).await?;
    rows.into_iter()
        .map(|(kind, source, name, external_id, holder, cleared, record)| {
            let place = Place { table: "pins", row: &name };
            let kind = PinKind::of(kind).ok_or_else(|| place.bad("kind", "an unknown number"))?;
            let source = place.parsed("source", &source)?;
            let record = RecordSeq(place.count("record", record)?);
            let cleared = cleared != 0;
            Ok(Pin { pin: NewPin { kind, source, name, external_id, holder, cleared }, record })
        })
        .collect()
}

/// Keeps for whom principals of a target were made.
pub(crate) async fn keep_holders(
    txn: &mut Txn,
    target: &str,
    holders: Vec<(SqlName, String)>,
) -> Result<(), StoreError> {
    for (name, holder) in holders {
        let sql = "INSERT INTO principal_holders (target, name_key, holder) VALUES ($1, $2, $3) \
                   ON CONFLICT (target, name_key) DO UPDATE SET holder = excluded.holder";
        txn.session()?.run("keep whose a principal is", sql, args![target, name.folded(), holder]).await?;
    }
    Ok(())
}

/// For whom principals of a target were made.
pub(crate) async fn holders(
    session: &mut dyn Session,
    target: &str,
) -> Result<BTreeMap<String, String>, StoreError> {
    let sql = "SELECT name_key, holder FROM principal_holders WHERE target = $1";
    let rows: Vec<(String, String)> = session.all("read whose principals are", sql, args![target]).await?;
    Ok(rows.into_iter().collect())
}

/// Who a user is to its source.
#[derive(Clone, Copy)]
pub(crate) struct Person<'a> {
    pub id: UserId,
    pub name_key: &'a str,
    pub external_id: Option<&'a str>,
}

/// Binds a `userName` to the person who has it and gives it up: whoever has it next is another one until a person says so.
/// A name that is bound already stays so; a person whom its source made again under another id is the same one.
pub(crate) async fn leave_name(
    txn: &mut Txn,
    source: &SourceId,
    person: Person<'_>,
) -> Result<(), StoreError> {
    let record = txn.next_seq();
    let sql = "INSERT INTO pins (kind, source, name_key, external_id, holder, cleared, record) \
               VALUES (0, $1, $2, $3, $4, 0, $5) \
               ON CONFLICT (kind, source, name_key) DO UPDATE SET holder = excluded.holder, record = excluded.record \
                   WHERE pins.external_id = excluded.external_id AND pins.holder <> excluded.holder";
    let args =
        args![source.as_str(), person.name_key, person.external_id, person.id.to_string(), signed(record.0)];
    txn.session()?.run("bind a name to its holder", sql, args).await?;
    Ok(())
}

/// Notes what a change of a user says about who that is. True: it is another person now, whose memberships must go.
pub(crate) async fn changed_person(
    txn: &mut Txn,
    source: &SourceId,
    before: Person<'_>,
    after: Person<'_>,
) -> Result<bool, StoreError> {
    let renamed = before.name_key != after.name_key;
    if !renamed && before.external_id == after.external_id {
        return Ok(false);
    }
    // It was left out for a while: the name remembers what it said before.
    let known: Option<String> = if let Some(known) = before.external_id {
        Some(known.to_owned())
    } else {
        let sql = "SELECT external_id FROM pins WHERE kind = 0 AND source = $1 AND name_key = $2 AND holder = $3 \
                       AND external_id IS NOT NULL";
        let args = args![source.as_str(), before.name_key, before.id.to_string()];
        txn.session()?.value("look whose a name is", sql, args).await?
    };
    let another = matches!((&known, after.external_id), (Some(known), Some(says)) if known != says);
    if renamed || before.external_id.is_some() {
        leave_name(txn, source, before).await?;
    }
    if renamed && (another || (after.external_id.is_none() && known.is_some())) {
        // Nor does another person come in by a new name, at once or after a while without an `externalId`.
        let person = Person { name_key: after.name_key, external_id: known.as_deref(), ..before };
        leave_name(txn, source, person).await?;
    }
    Ok(another)
}

/// Takes a user out of all groups.
pub(crate) async fn drop_memberships(
    txn: &mut Txn,
    row: i64,
    id: UserId,
    now: OffsetDateTime,
) -> Result<Vec<Delta>, StoreError> {
    let sql = "SELECT g.id FROM members m JOIN groups g ON g.seq = m.grp WHERE m.member = $1 AND m.kind = 0 \
               ORDER BY g.seq";
    let groups: Vec<(Vec<u8>,)> = txn.session()?.all("read a user's groups", sql, args![row]).await?;
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "UPDATE groups SET member_count = member_count - 1, modified = $2, version = version + 1 \
               WHERE seq IN (SELECT grp FROM members WHERE member = $1 AND kind = 0); \
               DELETE FROM members WHERE member = $1 AND kind = 0";
    txn.session()?.run_script("take a user out of its groups", sql, args![row, micros(now)]).await?;
    let place = Place { table: "groups", row: &id };
    let removed = groups.into_iter().map(|(group,)| {
        let group = GroupId::from_uuid(place.uuid("id", &group)?);
        Ok(Delta::MemberRemoved { group, member: MemberKind::User(id) })
    });
    removed.collect()
}

/// Marks that a group took another name.
pub(crate) async fn renamed(txn: &mut Txn, source: &SourceId, group: GroupId) -> Result<(), StoreError> {
    let record = txn.next_seq();
    let mark = NewPin {
        kind: PinKind::Renamed,
        source: source.clone(),
        name: group.to_string(),
        external_id: None,
        holder: None,
        cleared: false,
    };
    bind(txn, &mark, record).await
}

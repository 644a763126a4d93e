//! The rows of versions that wait for a second person.

use axon_audit::payload::{MapAuthor, MapClear, MapProposalChange, ProposalVerb};
use axon_model::{MapVersion, RecordSeq};
use axon_store::maps::{
    Answer, Answered, Expected, MapFiles, NewMap, OPEN_PROPOSALS, Proposal, ProposalEnd, Proposed,
};
use axon_store::{Act, StoreError};
use time::OffsetDateTime;

use super::{json, newest_head, put};
use crate::args;
use crate::codec::{Place, micros, signed};
use crate::journal;
use crate::session::Session;
use crate::writer::Txn;

/// What is read of a proposal, in this order.
macro_rules! columns {
    () => {
        "seq, version, parent, author, comment, opened, expires, ended, released, ended_by, reason, record"
    };
}

type Row = (
    i64,
    String,
    Option<String>,
    String,
    String,
    i64,
    i64,
    Option<i64>,
    Option<bool>,
    Option<String>,
    Option<String>,
    i64,
);

fn proposal(row: Row) -> Result<Proposal, StoreError> {
    let (seq, version, parent, author, comment, opened, expires, ended, released, by, reason, record) = row;
    let place = Place { table: "map_proposals", row: &seq };
    let ended = match (ended, by) {
        (Some(at), Some(by)) => Some(ProposalEnd {
            at: place.instant("ended", at)?,
            by: place.json("ended_by", &by)?,
            released: released.unwrap_or_default(),
            reason: reason.unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(Proposal {
        number: place.count("seq", seq)?,
        version: MapVersion(version.into()),
        parent: parent.map(|parent| MapVersion(parent.into())),
        author: place.json("author", &author)?,
        comment,
        opened: place.instant("opened", opened)?,
        expires: place.instant("expires", expires)?,
        ended,
        record: RecordSeq(place.count("record", record)?),
    })
}

fn change(proposal: &Proposal, verb: ProposalVerb, answered_by: Option<MapAuthor>) -> MapProposalChange {
    MapProposalChange {
        verb,
        version: proposal.version.clone(),
        before: proposal.parent.clone(),
        way: proposal.author.way,
        clear: Some(MapClear {
            author: proposal.author.clone(),
            comment: proposal.comment.clone(),
            answered_by,
        }),
    }
}

/// Keeps a version for a second person.
pub(crate) async fn propose(
    txn: &mut Txn,
    new: NewMap,
    expires: OffsetDateTime,
    act: Act,
) -> Result<Proposed, StoreError> {
    let current = newest_head(txn.session()?).await?;
    match current {
        Some(head) if head.version == new.version => Ok(Proposed::Same(head)),
        current if !new.expected.is(current.as_ref().map(|head| &head.version)) => {
            Ok(Proposed::Moved(current))
        }
        current => {
            let parent = current.map(|head| head.version);
            if let Some(waits) = last(txn.session()?, &new.version).await?
                && waits.is_open(act.now)
                && waits.parent == parent
                && waits.author == new.author
            {
                return Ok(Proposed::Already(waits));
            }
            let sql = "SELECT count(*) FROM map_proposals WHERE ended IS NULL AND expires > $1";
            let open: Option<i64> =
                txn.session()?.value("count proposed role maps", sql, args![micros(act.now)]).await?;
            if open.is_some_and(|open| open >= OPEN_PROPOSALS) {
                return Ok(Proposed::Crowded);
            }
            let NewMap { version, files, author, comment, expected: _ } = new;
            let mut proposal = Proposal {
                number: 0,
                version,
                parent,
                author,
                comment,
                opened: act.now,
                expires,
                ended: None,
                record: RecordSeq(0),
            };
            proposal.record = journal::record(txn, &act, change(&proposal, ProposalVerb::Proposed, None))?;
            let sql = "INSERT INTO map_proposals (version, parent, way, author, comment, opened, expires, record, files) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING seq";
            let number: Option<i64> = txn
                .session()?
                .value(
                    "propose a role map",
                    sql,
                    args![
                        &*proposal.version.0,
                        proposal.parent.as_ref().map(|parent| &*parent.0),
                        proposal.author.way.as_str(),
                        json(&proposal.author)?,
                        &proposal.comment,
                        micros(proposal.opened),
                        micros(expires),
                        signed(proposal.record.0),
                        json(&files)?,
                    ],
                )
                .await?;
            proposal.number = number.and_then(|seq| u64::try_from(seq).ok()).unwrap_or_default();
            Ok(Proposed::Waits(proposal))
        }
    }
}

/// The newest proposal of a version.
async fn last(session: &mut dyn Session, version: &MapVersion) -> Result<Option<Proposal>, StoreError> {
    let sql =
        concat!("SELECT ", columns!(), " FROM map_proposals WHERE version = $1 ORDER BY seq DESC LIMIT 1");
    let row: Option<Row> = session.first("read a proposed role map", sql, args![&*version.0]).await?;
    row.map(proposal).transpose()
}

/// The newest proposals.
pub(crate) async fn newest(session: &mut dyn Session, limit: u32) -> Result<Vec<Proposal>, StoreError> {
    let sql = concat!("SELECT ", columns!(), " FROM map_proposals ORDER BY seq DESC LIMIT $1");
    let rows: Vec<Row> = session.all("list proposed role maps", sql, args![i64::from(limit)]).await?;
    rows.into_iter().map(proposal).collect()
}

/// The text of the newest proposal of a version.
pub(crate) async fn files_of(
    session: &mut dyn Session,
    version: &MapVersion,
) -> Result<Option<MapFiles>, StoreError> {
    let sql = "SELECT seq, files FROM map_proposals WHERE version = $1 ORDER BY seq DESC LIMIT 1";
    let row: Option<(i64, String)> =
        session.first("read a proposed role map", sql, args![&*version.0]).await?;
    row.map(|(seq, files)| Place { table: "map_proposals", row: &seq }.json("files", &files)).transpose()
}

/// Releases or rejects the newest proposal of a version.
pub(crate) async fn answer(
    txn: &mut Txn,
    version: MapVersion,
    answer: Answer,
    act: Act,
) -> Result<Answered, StoreError> {
    let Some(mut found) = last(txn.session()?, &version).await? else { return Ok(Answered::Gone) };
    if found.ended.is_some() {
        return Ok(Answered::Gone);
    }
    if !found.is_open(act.now) {
        return Ok(Answered::Expired(found));
    }
    if answer.release {
        if found.author.may_be(&answer.by) {
            return Ok(Answered::SamePerson(found));
        }
        let current = newest_head(txn.session()?).await?;
        if current.as_ref().map(|head| &head.version) != found.parent.as_ref() {
            return Ok(Answered::Stale(Box::new((found, current))));
        }
    }
    let verb = if answer.release { ProposalVerb::Released } else { ProposalVerb::Rejected };
    found.record = journal::record(txn, &act, change(&found, verb, Some(answer.by.clone())))?;
    txn.session()?
        .run(
            "answer a proposed role map",
            "UPDATE map_proposals SET ended = $2, released = $3, ended_by = $4, reason = $5, record = $6 WHERE seq = $1",
            args![
                signed(found.number),
                micros(act.now),
                answer.release,
                json(&answer.by)?,
                &answer.reason,
                signed(found.record.0),
            ],
        )
        .await?;
    found.ended = Some(ProposalEnd {
        at: act.now,
        by: answer.by.clone(),
        released: answer.release,
        reason: answer.reason,
    });
    if !answer.release {
        return Ok(Answered::Rejected(found));
    }
    let files = files_of(txn.session()?, &version).await?.unwrap_or_default();
    let new =
        NewMap { version, files, author: found.author, comment: found.comment, expected: Expected::Anything };
    Ok(Answered::Released(put(txn, new, found.parent, Some(answer.by), &act).await?))
}

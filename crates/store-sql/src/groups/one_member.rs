//! PATCH of a group that names one member and does nothing else: what most connectors send most.
//!
//! All writes wait for the writer, so it only runs the statements here. The record is made ready before, for the case that the
//! one who is named is a user that exists, and the group's document is read behind the commit. Any other case goes the way of
//! all PATCHes.

use axon_audit::Draft;
use axon_audit::payload::WriteVerb;
use axon_model::{Delta, GroupId, MemberKind, RecordSeq, UserId};
use axon_scim::{Op, PatchRequest};
use axon_store::{StoreError, StoredGroup, WriteContext, WriteError, Written};

use super::patch;
use crate::args;
use crate::codec::{micros, signed};
use crate::directory::{Change, check_version};
use crate::members::named_by;
use crate::reader::{GroupRow, group};
use crate::writer::Txn;

/// A PATCH of one member. It is refused before it has changed anything, or not at all.
pub(crate) struct OneMember {
    context: WriteContext,
    id: GroupId,
    patch: PatchRequest,
    ready: Option<Ready>,
}

/// What the caller made ready.
struct Ready {
    user: UserId,
    joins: bool,
    delta: Delta,
    draft: Draft,
}

/// What it came to.
pub(crate) enum Patched {
    /// The group's row as it is now, and what [`Written`] tells.
    Row(Box<GroupRow>, bool, RecordSeq),
    /// By the way of all PATCHes.
    Whole(Box<Written<StoredGroup>>),
}

/// The one value that a PATCH names where it names one and does nothing else, and whether that is to join.
fn named(patch: &PatchRequest) -> Option<(String, bool)> {
    let mut ops = patch.member_ops();
    let (Some(op), None, false) = (ops.next(), ops.next(), patch.touches_document()) else { return None };
    match op {
        Op::AddMembers(members) => match &members[..] {
            [only] => Some((only.value.clone(), true)),
            _ => None,
        },
        Op::RemoveMembers(named) => match &named[..] {
            [only] => Some((only.clone(), false)),
            _ => None,
        },
        Op::RemoveMembersWhere(filter) => match &named_by(filter.expr())?[..] {
            [only] => Some((only.clone(), false)),
            _ => None,
        },
        Op::Attribute(_) | Op::ReplaceMembers(_) | Op::ClearMembers => None,
    }
}

impl OneMember {
    /// Makes ready what the caller can, outside the writer; gives all back where the PATCH is another one.
    pub fn of(
        context: WriteContext,
        id: GroupId,
        patch: PatchRequest,
    ) -> Result<Self, Box<(WriteContext, GroupId, PatchRequest)>> {
        let Some((value, joins)) = named(&patch) else { return Err(Box::new((context, id, patch))) };
        let ready = value.parse::<UserId>().ok().map(|user| {
            let member = MemberKind::User(user);
            let delta = if joins {
                Delta::MemberAdded { group: id, member }
            } else {
                Delta::MemberRemoved { group: id, member }
            };
            let mut change = Change::new(WriteVerb::PatchGroup);
            change.deltas.push(delta.clone());
            Ready { user, joins, delta, draft: change.draft(&context) }
        });
        Ok(Self { context, id, patch, ready })
    }
}

impl Patched {
    /// What the caller is told.
    pub fn written(self) -> Result<Written<StoredGroup>, StoreError> {
        match self {
            Self::Row(row, changed, position) => {
                let stored = group(*row)?.group;
                Ok(Written { stored, changed, restored: false, parked: 0, position })
            }
            Self::Whole(written) => Ok(*written),
        }
    }
}

/// PATCH of one member. It asks for no savepoint: what it changes is said by [`Txn::writing`] and [`Txn::written`].
pub(crate) async fn patch_one(txn: &mut Txn, one: OneMember) -> Result<Patched, WriteError> {
    let OneMember { context, id, patch: whole, ready } = one;
    if let Some(ready) = ready
        && let Some((row, user)) = look(txn, &context, id, ready.user).await?
        // Who waits under this id must not go on waiting.
        && (ready.joins || row.7 == 0)
    {
        return write(txn, &context, ready, row, user).await;
    }
    Ok(Patched::Whole(Box::new(patch(txn, context, id, whole).await?)))
}

/// A user's row is not read: its key and its source are known from indexes, which are few pages where the rows are many.
const LOOK_IN_INDEXES: &str = "SELECT g.seq, g.id, g.created, g.modified, g.version, g.document, g.member_count, g.parked_count, s.seq \
    FROM groups g CROSS JOIN users u CROSS JOIN users s INDEXED BY users_by_source \
    WHERE g.id = $1 AND g.source = $2 AND u.id = $3 AND s.source = $2 AND s.seq = u.seq";

const LOOK: &str = "SELECT g.seq, g.id, g.created, g.modified, g.version, g.document, g.member_count, g.parked_count, u.seq \
    FROM groups g CROSS JOIN users u WHERE g.id = $1 AND g.source = $2 AND u.id = $3 AND u.source = $2";

type Row = (i64, Vec<u8>, i64, i64, i64, String, i64, i64, i64);

/// The group's row and the user's key, where both are there.
async fn look(
    txn: &mut Txn,
    context: &WriteContext,
    id: GroupId,
    user: UserId,
) -> Result<Option<(GroupRow, i64)>, StoreError> {
    let sql = txn.session()?.dialect().pick(LOOK_IN_INDEXES, LOOK);
    let args = args![id.as_uuid().as_bytes(), context.source.as_str(), user.as_uuid().as_bytes()];
    let found: Option<Row> = txn.session()?.first("read a group", sql, args).await?;
    Ok(found.map(|(seq, id, created, modified, version, document, members, parked, user)| {
        ((seq, id, created, modified, version, document, members, parked), user)
    }))
}

async fn write(
    txn: &mut Txn,
    context: &WriteContext,
    ready: Ready,
    mut row: GroupRow,
    user: i64,
) -> Result<Patched, WriteError> {
    let Ready { joins, delta, draft, .. } = ready;
    check_version(context, u64::try_from(row.4).unwrap_or_default())?;
    let group = row.0;
    txn.writing();
    let moved = if joins {
        let sql =
            "INSERT INTO members (grp, kind, member, record) VALUES ($1, 0, $2, $3) ON CONFLICT DO NOTHING";
        let args = args![group, user, signed(txn.next_seq().0)];
        txn.session()?.run("add members", sql, args).await?
    } else {
        let sql = "DELETE FROM members WHERE grp = $1 AND kind = 0 AND member = $2";
        txn.session()?.run("remove members", sql, args![group, user]).await?
    };
    if moved == 0 {
        txn.written();
        return Ok(Patched::Row(Box::new(row), false, txn.head().seq));
    }
    let (growth, now) = (if joins { 1 } else { -1 }, micros(context.act.now));
    let sql = "UPDATE groups SET member_count = member_count + $2, modified = $3, version = version + 1 WHERE seq = $1";
    txn.session()?.run("write a group", sql, args![group, growth, now]).await?;
    txn.touch(std::slice::from_ref(&delta));
    let position = txn.link(draft).record.seq;
    txn.written();
    row.3 = now;
    row.4 += 1;
    row.6 += growth;
    Ok(Patched::Row(Box::new(row), true, position))
}

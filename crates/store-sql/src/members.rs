//! Memberships as rows: what is added and removed touches these rows only, whatever the size of the group.

use std::collections::BTreeMap;

use crate::args;
use crate::session::Session;
use axon_model::{Delta, GroupId, MemberKind, SourceId, UserId};
use axon_scim::{CompareOp, Expr, Filter, Literal, MemberRef, Op};
use axon_store::{StoreError, WriteContext, WriteError};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::codec::{Place, signed};
use crate::parked;
use crate::reader::{member_kind, read_members};
use crate::writer::Txn;

/// How many values one statement takes.
const CHUNK: usize = 1000;

/// A member that exists: which value named it, and its row.
pub(crate) struct Found {
    /// The place of the value in the list that was asked for.
    pub index: usize,
    /// 0 a user, 1 a group.
    pub kind: i64,
    /// Its row.
    pub seq: i64,
    /// Its id.
    pub id: Uuid,
}

/// Finds what values name in a source: by id, or else by an `externalId` that exactly one resource has. The values stand first
/// and the joins are CROSS JOINs, which SQLite keeps in order: else it walks a source's users once for each value.
pub(crate) async fn resolve(
    session: &mut dyn Session,
    source: &SourceId,
    values: &[String],
) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::with_capacity(values.len());
    for (chunk, values) in values.chunks(CHUNK).enumerate() {
        let first = chunk * CHUNK;
        by_id(session, source, values, first, &mut found).await?;
        by_external_id(session, source, values, first, &mut found).await?;
    }
    Ok(found)
}

type FoundRow = (i64, i64, i64, Vec<u8>);

fn decode((index, kind, seq, id): FoundRow, first: usize) -> Result<Found, StoreError> {
    let place = Place { table: if kind == 0 { "users" } else { "groups" }, row: &seq };
    let index = first + usize::try_from(index).map_err(|e| place.bad("seq", e))?;
    Ok(Found { index, kind, seq, id: place.uuid("id", &id)? })
}

async fn by_id(
    session: &mut dyn Session,
    source: &SourceId,
    values: &[String],
    first: usize,
    found: &mut Vec<Found>,
) -> Result<(), StoreError> {
    if let [value] = values {
        // Most requests name one member.
        let Ok(id) = value.parse::<UserId>() else { return Ok(()) };
        // Most members are users, and nothing that is a user is a group, too.
        for sql in [
            "SELECT 0, 0, seq, id FROM users WHERE id = $1 AND source = $2",
            "SELECT 0, 1, seq, id FROM groups WHERE id = $1 AND source = $2",
        ] {
            let args = args![id.as_uuid().as_bytes(), source.as_str()];
            if let Some(row) = session.first("look members up", sql, args).await? {
                found.push(decode(row, first)?);
                break;
            }
        }
        return Ok(());
    }
    // An id has one form: what is not one has no hexadecimal digits here, and names nothing.
    let hex = |value: &String| {
        value.parse::<UserId>().map_or(Value::Null, |id| id.as_uuid().simple().to_string().into())
    };
    let ids: Vec<Value> = values.iter().map(hex).collect();
    if ids.iter().all(Value::is_null) {
        return Ok(());
    }
    let rows: Vec<FoundRow> = session
        .all(
            "look members up",
            "SELECT j.key, 0, u.seq, u.id FROM json_each($1) j CROSS JOIN users u WHERE u.id = unhex(j.value) \
         AND u.source = $2 \
         UNION ALL \
         SELECT j.key, 1, g.seq, g.id FROM json_each($1) j CROSS JOIN groups g WHERE g.id = unhex(j.value) \
         AND g.source = $2",
            args![Value::from(ids).to_string(), source.as_str()],
        )
        .await?;
    for row in rows {
        found.push(decode(row, first)?);
    }
    Ok(())
}

async fn by_external_id(
    session: &mut dyn Session,
    source: &SourceId,
    values: &[String],
    first: usize,
    found: &mut Vec<Found>,
) -> Result<(), StoreError> {
    let mut known = vec![false; values.len()];
    for f in found.iter().filter(|f| f.index >= first) {
        known[f.index - first] = true;
    }
    if known.iter().all(|k| *k) {
        return Ok(());
    }
    let unknown: Vec<Value> = values
        .iter()
        .zip(&known)
        .map(|(v, known)| if *known { Value::Null } else { v.as_str().into() })
        .collect();
    let sql = "SELECT j.key, 0, u.seq, u.id FROM json_each($1) j CROSS JOIN users u WHERE u.external_id = j.value \
               AND u.source = $2 UNION ALL SELECT j.key, 1, g.seq, g.id FROM json_each($1) j CROSS JOIN groups g \
               WHERE g.external_id = j.value AND g.source = $2 ORDER BY 1";
    let args = args![Value::from(unknown).to_string(), source.as_str()];
    let rows: Vec<FoundRow> = session.all("look members up", sql, args).await?;
    // An externalId that two resources have names neither.
    for same in rows.chunk_by(|a, b| a.0 == b.0) {
        if let [only] = same {
            found.push(decode(only.clone(), first)?);
        }
    }
    Ok(())
}

/// What became of one membership in this write, net of what the write itself undid.
#[derive(Clone, Copy)]
enum Net {
    Added,
    /// With the record that had brought it, for the case that it comes back.
    Removed(i64),
}

/// The memberships of one group, as one write changes them.
pub(crate) struct Members<'a> {
    context: &'a WriteContext,
    group: i64,
    id: GroupId,
    parked_before: u64,
    parked: u64,
    /// Whether parked rows came or went.
    pub parked_changed: bool,
    net: BTreeMap<(i64, i64), (Uuid, Net)>,
}

impl<'a> Members<'a> {
    pub fn of(context: &'a WriteContext, group: i64, id: GroupId, parked: u64) -> Self {
        Self {
            context,
            group,
            id,
            parked_before: parked,
            parked,
            parked_changed: false,
            net: BTreeMap::new(),
        }
    }

    /// How many wait now.
    pub const fn parked(&self) -> u64 {
        self.parked
    }

    /// How many more wait than before.
    pub const fn newly_parked(&self) -> u64 {
        self.parked.saturating_sub(self.parked_before)
    }

    /// How the number of members changed.
    pub fn growth(&self) -> i64 {
        self.net.values().map(|(_, net)| if matches!(net, Net::Added) { 1 } else { -1 }).sum()
    }

    /// What changed, by user and group in the order of their creation.
    pub fn deltas(&self) -> impl Iterator<Item = Delta> {
        self.net.iter().map(|(&(kind, _), &(id, net))| {
            let (group, member): (_, MemberKind) = (self.id, member_kind(kind, id));
            match net {
                Net::Added => Delta::MemberAdded { group, member },
                Net::Removed(_) => Delta::MemberRemoved { group, member },
            }
        })
    }

    /// One operation of a PATCH.
    pub async fn apply(&mut self, txn: &mut Txn, op: &Op) -> Result<(), WriteError> {
        match op {
            Op::Attribute(_) => Ok(()),
            Op::AddMembers(members) => self.add(txn, values(members)).await,
            Op::RemoveMembers(named) => self.remove(txn, named.iter().map(|v| canonical(v)).collect()).await,
            Op::RemoveMembersWhere(filter) => match named_by(filter.expr()) {
                Some(named) => self.remove(txn, named).await,
                None => self.remove_where(txn, filter).await,
            },
            Op::ReplaceMembers(members) => self.replace(txn, values(members)).await,
            Op::ClearMembers => self.replace(txn, Vec::new()).await,
        }
    }

    /// Adds those that are not there.
    pub async fn add(&mut self, txn: &mut Txn, values: Vec<String>) -> Result<(), WriteError> {
        let found = resolve(txn.session()?, &self.context.source, &values).await?;
        let mut known = vec![false; values.len()];
        for f in &found {
            known[f.index] = true;
        }
        self.insert(txn, &found).await?;
        let unknown = values.into_iter().zip(known).filter(|(_, known)| !known).map(|(v, _)| v).collect();
        let parked = parked::park(txn, self.context, self.group, self.parked, unknown).await?;
        self.parked += parked;
        self.parked_changed |= parked > 0;
        Ok(())
    }

    async fn insert(&mut self, txn: &mut Txn, found: &[Found]) -> Result<(), StoreError> {
        let record = signed(txn.next_seq().0);
        for chunk in found.chunks(CHUNK) {
            // What comes back within this write keeps the record that had brought it, so rows go in by kind and record.
            let mut rows: BTreeMap<(i64, i64), Vec<Value>> = BTreeMap::new();
            for f in chunk {
                let record = match self.net.get(&(f.kind, f.seq)) {
                    Some((_, Net::Removed(before))) => *before,
                    _ => record,
                };
                rows.entry((f.kind, record)).or_default().push(f.seq.into());
            }
            let ids: BTreeMap<(i64, i64), Uuid> = chunk.iter().map(|f| ((f.kind, f.seq), f.id)).collect();
            if let [Found { kind, seq, id, .. }] = chunk
                && !self.net.contains_key(&(*kind, *seq))
            {
                let sql = "INSERT INTO members (grp, kind, member, record) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
                let args = args![self.group, *kind, *seq, record];
                txn.writing();
                if txn.session()?.run("add members", sql, args).await? > 0 {
                    self.net.insert((*kind, *seq), (*id, Net::Added));
                }
                continue;
            }
            txn.writing();
            for ((kind, record), seqs) in rows {
                let sql = "INSERT INTO members (grp, kind, member, record) \
                           SELECT $1, $2, CAST(value AS BIGINT), $3 FROM json_each($4) WHERE true \
                           ON CONFLICT DO NOTHING RETURNING member";
                let args = args![self.group, kind, record, Value::from(seqs).to_string()];
                let added: Vec<(i64,)> = txn.session()?.all("add members", sql, args).await?;
                for (seq,) in added {
                    // Back again within this write: as if nothing had been.
                    if self.net.remove(&(kind, seq)).is_none()
                        && let Some(id) = ids.get(&(kind, seq))
                    {
                        self.net.insert((kind, seq), (*id, Net::Added));
                    }
                }
            }
        }
        Ok(())
    }

    fn removed(&mut self, rows: Vec<(i64, i64, i64, Vec<u8>)>) -> Result<(), StoreError> {
        for (kind, seq, record, id) in rows {
            let id = Place { table: "members", row: &seq }.uuid("member", &id)?;
            if self.net.remove(&(kind, seq)).is_none() {
                self.net.insert((kind, seq), (id, Net::Removed(record)));
            }
        }
        Ok(())
    }

    /// Removes those that are named.
    async fn remove(&mut self, txn: &mut Txn, values: Vec<String>) -> Result<(), WriteError> {
        let found = resolve(txn.session()?, &self.context.source, &values).await?;
        if let [one] = &found[..] {
            self.delete_one(txn, one).await?;
        } else {
            for kind in [0, 1] {
                let seqs: Vec<Value> =
                    found.iter().filter(|f| f.kind == kind).map(|f| f.seq.into()).collect();
                self.delete(txn, kind, seqs).await?;
            }
        }
        if self.parked == 0 {
            return Ok(());
        }
        txn.writing();
        let forgotten = parked::forget(txn, self.group, &Value::from(values).to_string()).await?;
        self.parked -= forgotten.min(self.parked);
        self.parked_changed |= forgotten > 0;
        Ok(())
    }

    async fn delete_one(&mut self, txn: &mut Txn, one: &Found) -> Result<(), StoreError> {
        let sql = "DELETE FROM members WHERE grp = $1 AND kind = $2 AND member = $3 RETURNING record";
        txn.writing();
        let record: Option<i64> =
            txn.session()?.value("remove members", sql, args![self.group, one.kind, one.seq]).await?;
        record.map_or(Ok(()), |record| {
            self.removed(vec![(one.kind, one.seq, record, one.id.as_bytes().to_vec())])
        })
    }

    async fn delete(&mut self, txn: &mut Txn, kind: i64, seqs: Vec<Value>) -> Result<(), StoreError> {
        if seqs.is_empty() {
            return Ok(());
        }
        txn.writing();
        let sql = "DELETE FROM members WHERE grp = $1 AND kind = $2 AND member IN (SELECT CAST(value AS BIGINT) \
                   FROM json_each($3)) RETURNING kind, member, record, CASE kind WHEN 0 THEN (SELECT id FROM users \
                   WHERE seq = member) ELSE (SELECT id FROM groups WHERE seq = member) END";
        let args = args![self.group, kind, Value::from(seqs).to_string()];
        let rows = txn.session()?.all("remove members", sql, args).await?;
        self.removed(rows)
    }

    /// Removes those that match, looked at in pieces.
    async fn remove_where(&mut self, txn: &mut Txn, filter: &Filter) -> Result<(), WriteError> {
        let mut after = (-1, -1);
        loop {
            let piece = read_members(txn.session()?, self.group, after, signed(CHUNK as u64)).await?;
            let Some((last, member)) = piece.last() else { break };
            after = (kind_code(&member.value), *last);
            for kind in [0, 1] {
                let seqs = piece
                    .iter()
                    .filter(|(_, member)| {
                        kind_code(&member.value) == kind && matches(filter, &member.to_value())
                    })
                    .map(|(seq, _)| (*seq).into())
                    .collect();
                self.delete(txn, kind, seqs).await?;
            }
        }
        if self.parked > 0 {
            let waiting = parked::all(txn, self.group).await?;
            let gone: Vec<String> =
                waiting.into_iter().filter(|v| matches(filter, &json!({"value": v}))).collect();
            let forgotten = parked::forget(txn, self.group, &Value::from(gone).to_string()).await?;
            self.parked -= forgotten.min(self.parked);
            self.parked_changed |= forgotten > 0;
        }
        Ok(())
    }

    /// Makes those that are named the only ones.
    pub async fn replace(&mut self, txn: &mut Txn, values: Vec<String>) -> Result<(), WriteError> {
        let found = resolve(txn.session()?, &self.context.source, &values).await?;
        for kind in [0, 1] {
            let kept: Vec<Value> = found.iter().filter(|f| f.kind == kind).map(|f| f.seq.into()).collect();
            let sql = "DELETE FROM members WHERE grp = $1 AND kind = $2 AND member NOT IN (SELECT CAST(value AS \
                       BIGINT) FROM json_each($3)) RETURNING kind, member, record, CASE kind WHEN 0 THEN (SELECT \
                       id FROM users WHERE seq = member) ELSE (SELECT id FROM groups WHERE seq = member) END";
            let args = args![self.group, kind, Value::from(kept).to_string()];
            let rows = txn.session()?.all("remove members", sql, args).await?;
            self.removed(rows)?;
        }
        let forgotten =
            parked::forget_others(txn, self.group, &Value::from(values.clone()).to_string()).await?;
        self.parked -= forgotten.min(self.parked);
        self.parked_changed |= forgotten > 0;
        self.add(txn, values).await
    }
}

pub(crate) fn kind_code(member: &MemberKind) -> i64 {
    i64::from(matches!(member, MemberKind::Group(_)))
}

fn matches(filter: &Filter, element: &Value) -> bool {
    element.as_object().is_some_and(|element| filter.matches_element(element))
}

/// The values that name members, ids in their one spelling.
pub(crate) fn values(members: &[MemberRef]) -> Vec<String> {
    members.iter().map(|m| canonical(&m.value)).collect()
}

fn canonical(value: &str) -> String {
    value.parse::<UserId>().map_or_else(|_| value.to_owned(), |id| id.to_string())
}

/// The members that a filter names one by one: `value eq "…"`, alone or joined by `or`.
pub(crate) fn named_by(expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Compare { path, op: CompareOp::Eq, literal: Literal::Text { text, .. } }
            if path.leaf().name == "value" =>
        {
            Some(vec![canonical(text)])
        }
        Expr::Or(terms) => terms
            .iter()
            .map(named_by)
            .collect::<Option<Vec<_>>>()
            .map(|named| named.into_iter().flatten().collect()),
        _ => None,
    }
}

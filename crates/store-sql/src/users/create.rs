//! POST of a user. What does not depend on the store is made ready by the caller; the writer, which all wait for, runs the
//! statements and links the record to the chain.
//!
//! A create is refused by its first statement or not at all, so it asks for a savepoint only where members wait for it or a
//! user is to be restored.

use axon_audit::Draft;
use axon_audit::payload::WriteVerb;
use axon_model::UserId;
use axon_scim::Resource;
use axon_store::{StoredUser, WriteContext, WriteError, Written};

use super::{Keys, entry, in_use, inactive, update};
use crate::args;
use crate::codec::{micros, signed};
use crate::directory::{Change, document_text};
use crate::parked;
use crate::reader::read_user;
use crate::session::{Dialect, SqlError};
use crate::writer::Txn;

/// A user that is to be created.
pub(crate) struct NewUser {
    context: WriteContext,
    resource: Resource,
    keys: Keys,
    id: UserId,
    id_text: String,
    document: String,
    emails: String,
    /// The record, for the case that nobody waits.
    draft: Draft,
}

impl NewUser {
    /// Checks and makes ready what the caller can, outside the writer.
    pub fn of(context: WriteContext, resource: Resource) -> Result<Self, WriteError> {
        let keys = Keys::of(&resource)?;
        let id = UserId::from_uuid(context.act.ids.uuid(context.act.now));
        let document = document_text(&resource)?;
        let draft = change(&context, id, &keys, &document).draft(&context);
        let (id_text, emails) = (id.to_string(), keys.emails_text());
        Ok(Self { context, resource, keys, id, id_text, document, emails, draft })
    }
}

fn change(context: &WriteContext, id: UserId, keys: &Keys, document: &str) -> Change {
    let mut change = Change::new(WriteVerb::CreateUser);
    change.deltas.push(entry(context, id, keys, document));
    change
}

/// POST.
pub(crate) async fn create(txn: &mut Txn, new: NewUser) -> Result<Written<StoredUser>, WriteError> {
    if new.context.profile.restore_on_post {
        txn.guard().await?;
        if let Some(old) = inactive(txn, &new.context, &new.keys).await? {
            let NewUser { context, resource, .. } = new;
            let mut written = update(txn, &context, old, resource, WriteVerb::CreateUser).await?;
            written.restored = true;
            return Ok(written);
        }
    }
    let position = txn.next_seq();
    let waiting = match txn.session()?.dialect() {
        Dialect::Sqlite => insert(txn, &new).await?,
        Dialect::Postgres => insert_in_one(txn, &new).await?,
    };
    let NewUser { context, resource, keys, id, document, draft, .. } = new;
    let mut groups = Some(Vec::new());
    if waiting.is_empty() {
        txn.touch_user(id);
        txn.link(draft);
    } else {
        let mut change = change(&context, id, &keys, &document);
        parked::join(txn, &context, waiting, &mut change).await?;
        let joined = change.joined;
        change.record(txn, &context);
        if joined > 0 {
            groups = read_user(txn.session()?, &context.source, id, true).await?.and_then(|u| u.user.groups);
        }
    }
    txn.written();
    let now = context.act.now;
    let stored = StoredUser { id, created: now, modified: now, version: 1, resource, groups };
    Ok(Written { stored, changed: true, restored: false, parked: 0, position })
}

fn refused(error: SqlError, name: &str) -> WriteError {
    match error {
        SqlError::Taken(_) => in_use(name),
        error => error.during("write a user").into(),
    }
}

/// The row and its addresses, statement by statement, since one costs no round trip. Answers the groups that wait for it.
async fn insert(txn: &mut Txn, new: &NewUser) -> Result<Vec<(i64, String)>, WriteError> {
    let NewUser { context, keys, id, id_text, document, .. } = new;
    let mut waiting = Vec::new();
    if txn.has_parked().await? {
        let sql = "SELECT grp, value FROM parked WHERE value IN ($1, $2)";
        let args = args![&keys.external_id, id_text];
        waiting = txn.session()?.all("read parked members", sql, args).await?;
        if !waiting.is_empty() {
            txn.guard().await?;
        }
    }
    let (now, record) = (micros(context.act.now), signed(txn.next_seq().0));
    let args = args![
        id.as_uuid().as_bytes(),
        context.source.as_str(),
        &keys.name,
        &keys.name_key,
        &keys.external_id,
        &keys.display_name,
        keys.active,
        now,
        now,
        record,
        document,
        keys.name_is_address,
    ];
    txn.writing();
    if let Err(error) = txn.session()?.execute(INSERT_USER.into(), args).await {
        if matches!(error, SqlError::Taken(_)) {
            txn.written();
        }
        return Err(refused(error, &keys.name));
    }
    for email in &keys.emails {
        txn.session()?.run("write a user's addresses", INSERT_EMAIL, args![email]).await?;
    }
    Ok(waiting)
}

/// Parameters without names: SQLite looks a name up among all names.
const INSERT_USER: &str = "INSERT INTO users (id, source, user_name, user_name_key, external_id, display_name, active, created, modified, \
                    version, record, document, name_is_address) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)";

/// A row of a table without rowids does not count as the last one.
const INSERT_EMAIL: &str = "INSERT INTO user_emails (value_key, user) VALUES (?, last_insert_rowid())";

/// The same in one round trip: PostgreSQL takes one statement with parameters at a time, and writes in its parts.
async fn insert_in_one(txn: &mut Txn, new: &NewUser) -> Result<Vec<(i64, String)>, WriteError> {
    let NewUser { context, keys, id, id_text, document, emails, .. } = new;
    let args = args![
        &keys.external_id,
        id_text,
        emails,
        id.as_uuid().as_bytes(),
        context.source.as_str(),
        &keys.name,
        &keys.name_key,
        &keys.display_name,
        keys.active,
        micros(context.act.now),
        signed(txn.next_seq().0),
        document,
        keys.name_is_address,
    ];
    let rows = txn.session()?.query(INSERT_IN_ONE.into(), args).await;
    Ok(crate::session::read("write a user", rows.map_err(|error| refused(error, &keys.name))?)?)
}

const INSERT_IN_ONE: &str = "WITH made AS ( \
         INSERT INTO users (id, source, user_name, user_name_key, external_id, display_name, active, created, modified, \
                            version, record, document, name_is_address) \
         VALUES ($4, $5, $6, $7, $1, $8, $9, $10, $10, 1, $11, $12, $13) RETURNING seq), \
     addresses AS ( \
         INSERT INTO user_emails (value_key, \"user\") \
         SELECT DISTINCT value, made.seq FROM made, json_each($3)) \
     SELECT grp, value FROM parked WHERE value IN ($1, $2)";

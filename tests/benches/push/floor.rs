//! The floor: what SQLite itself takes for the same rows and indexes, in groups of the same size, with the same pragmas.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

const SCHEMA: &str = include_str!("../../../crates/store-sql/migrations/0001_first.sqlite.sql");
const DOCUMENT: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"x-somebody","userName":"somebody@acme.example","active":true,"displayName":"A Person","emails":[{"primary":true,"type":"work","value":"somebody@acme.example"}],"name":{"formatted":"A Person","familyName":"Person","givenName":"A"},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales","employeeNumber":"7"}}"#;
const FACTS: &str = r#"{"deltas":[{"active":true,"id":"01a20170-74f4-7896-b4c3-c865fe615198","put":"user"}],"external_id_changed":false,"joined":0,"parked":0,"source":"entra","verb":"create-user"}"#;

/// Creates per second.
pub fn group_commit(folder: &Path, group: usize, span: Duration) -> anyhow::Result<f64> {
    let db = Connection::open(folder.join("floor.db"))?;
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
    db.execute_batch(SCHEMA)?;
    let began = Instant::now();
    let mut made: u64 = 0;
    while began.elapsed() < span {
        db.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..group {
            made += 1;
            one(&db, made)?;
        }
        db.execute_batch("COMMIT")?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    Ok(made as f64 / began.elapsed().as_secs_f64())
}

fn one(db: &Connection, n: u64) -> rusqlite::Result<()> {
    let mut id = [0_u8; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    let (name, row) = (format!("n{n}@acme.example"), n.cast_signed());
    db.prepare_cached(
        "INSERT INTO users (id, source, user_name, user_name_key, external_id, display_name, active, created, modified, version, record, document)
         VALUES (?1, 'entra', ?2, ?2, ?3, 'A Person', 1, ?4, ?4, 1, ?4, ?5)",
    )?
    .execute(params![id, name, format!("x-{name}"), row, DOCUMENT])?;
    db.prepare_cached("INSERT INTO user_emails (value_key, user) VALUES (?1, ?2)")?
        .execute(params![name, db.last_insert_rowid()])?;
    db.prepare_cached(
        "INSERT INTO journal (seq, id, at, actor, request, run, kind, facts, commitment, prev, hash)
         VALUES (?1, ?2, ?1, '{\"kind\":\"source\",\"source\":\"entra\"}', '01a20170-74f4-7896-b4c3-c865fe615198', NULL, 'directory-change', ?3, ?4, ?4, ?4)",
    )?
    .execute(params![row, id, FACTS, [7_u8; 32]])?;
    db.prepare_cached("INSERT INTO journal_clear (seq, salt, body) VALUES (?1, ?2, ?3)")?
        .execute(params![row, [7_u8; 32], DOCUMENT])?;
    Ok(())
}

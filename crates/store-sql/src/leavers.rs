//! The rows of the clocks of people who left.

use axon_audit::NewRecord;
use axon_audit::payload::LeftBy;
use axon_model::{RecordSeq, SqlName};
use axon_store::{Leaver, LeaverChanges, Leavers, NextLeaver, StoreError};

use crate::args;
use crate::codec::{Place, micros, signed};
use crate::journal;
use crate::session::Session;
use crate::writer::Txn;

/// A row: name, cause, way, arrived, shut, why, former.
type Row = (String, Option<i64>, Option<String>, Option<i64>, Option<i64>, Option<String>, Option<String>);

/// A row of who waits: name, cause, way, arrived, behind.
type NextRow = (String, i64, String, i64, String);

async fn version(session: &mut dyn Session, target: &str) -> Result<(u64, RecordSeq), StoreError> {
    let sql = "SELECT version, upto FROM leaver_clocks WHERE target = $1";
    let row: Option<(i64, i64)> = session.first("read the clocks of leavers", sql, args![target]).await?;
    let Some((version, upto)) = row else { return Ok((0, RecordSeq(0))) };
    let place = Place { table: "leaver_clocks", row: &target };
    Ok((place.count("version", version)?, RecordSeq(place.count("upto", upto)?)))
}

/// The targets of which anything was kept.
pub(crate) async fn targets(session: &mut dyn Session) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT target FROM leaver_clocks ORDER BY target";
    let rows: Vec<(String,)> = session.all("read whose clocks are kept", sql, args![]).await?;
    Ok(rows.into_iter().map(|(target,)| target).collect())
}

/// All of one target.
pub(crate) async fn of(session: &mut dyn Session, target: &str) -> Result<Leavers, StoreError> {
    let (version, upto) = version(session, target).await?;
    let mut leavers = Leavers { version, upto, ..Leavers::default() };
    let sql = "SELECT name, cause, way, arrived, shut, why, former FROM leavers WHERE target = $1";
    let rows: Vec<Row> = session.all("read who left", sql, args![target]).await?;
    for (name, cause, way, arrived, shut, why, former) in rows {
        let place = Place { table: "leavers", row: &target };
        let name: SqlName = place.parsed("name", &name)?;
        let (Some(cause), Some(way), Some(arrived)) = (cause, way, arrived) else {
            leavers.out.insert(name);
            continue;
        };
        let leaver = Leaver {
            name,
            cause: RecordSeq(place.count("cause", cause)?),
            way: LeftBy::parse(&way).ok_or_else(|| place.bad("way", "an unknown word"))?,
            arrived: place.instant("arrived", arrived)?,
            shut: shut.map(|shut| place.instant("shut", shut)).transpose()?,
            why,
            former,
        };
        leavers.open.insert(name, leaver);
    }
    let sql = "SELECT name, cause, way, arrived, behind FROM leavers_next WHERE target = $1";
    let rows: Vec<NextRow> = session.all("read who left since", sql, args![target]).await?;
    for (name, cause, way, arrived, behind) in rows {
        let place = Place { table: "leavers_next", row: &target };
        let next = NextLeaver {
            name: place.parsed("name", &name)?,
            cause: RecordSeq(place.count("cause", cause)?),
            way: LeftBy::parse(&way).ok_or_else(|| place.bad("way", "an unknown word"))?,
            arrived: place.instant("arrived", arrived)?,
            behind,
        };
        leavers.next.insert(next.key(), next);
    }
    Ok(leavers)
}

/// Changes clocks and appends the records of those that ended, unless somebody else changed them meanwhile.
pub(crate) async fn change(
    txn: &mut Txn,
    target: &str,
    changes: LeaverChanges,
    records: Vec<NewRecord>,
) -> Result<Option<u64>, StoreError> {
    let LeaverChanges { version: rests_on, upto, open, out, forget, wait, begun } = changes;
    if version(txn.session()?, target).await?.0 != rests_on {
        return Ok(None);
    }
    let version = rests_on.saturating_add(1);
    let sql = "INSERT INTO leaver_clocks (target, version, upto) VALUES ($1, $2, $3) \
               ON CONFLICT (target) DO UPDATE SET version = excluded.version, upto = excluded.upto";
    let args = args![target, signed(version), signed(upto.0)];
    txn.session()?.run("keep the clocks of leavers", sql, args).await?;
    let sql = "INSERT INTO leavers (target, name_key, name, cause, way, arrived, shut, why, former) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (target, name_key) DO UPDATE SET name = excluded.name, \
               cause = excluded.cause, way = excluded.way, arrived = excluded.arrived, shut = excluded.shut, why = excluded.why, \
               former = excluded.former";
    for Leaver { name, cause, way, arrived, shut, why, former } in open {
        let (cause, arrived, shut) = (signed(cause.0), micros(arrived), shut.map(micros));
        let args =
            args![target, name.folded(), name.as_str(), cause, way.as_str(), arrived, shut, why, former];
        txn.session()?.run("keep who left", sql, args).await?;
    }
    let sql = "INSERT INTO leavers (target, name_key, name) VALUES ($1, $2, $3) ON CONFLICT (target, name_key) \
               DO UPDATE SET cause = NULL, way = NULL, arrived = NULL, shut = NULL, why = NULL, former = NULL";
    for name in out {
        let args = args![target, name.folded(), name.as_str()];
        txn.session()?.run("keep who is out", sql, args).await?;
    }
    for name in forget {
        let sql = "DELETE FROM leavers WHERE target = $1 AND name_key = $2";
        txn.session()?.run("forget who left", sql, args![target, name.folded()]).await?;
    }
    for NextLeaver { name, cause, way, arrived, behind } in wait {
        let sql = "INSERT INTO leavers_next (target, name_key, cause, name, way, arrived, behind) VALUES ($1, $2, $3, $4, $5, $6, $7) \
                   ON CONFLICT (target, name_key, cause) DO NOTHING";
        let (cause, arrived) = (signed(cause.0), micros(arrived));
        let args = args![target, name.folded(), cause, name.as_str(), way.as_str(), arrived, behind];
        txn.session()?.run("keep who left since", sql, args).await?;
    }
    for (name, cause) in begun {
        let sql = "DELETE FROM leavers_next WHERE target = $1 AND name_key = $2 AND cause = $3";
        let args = args![target, name.folded(), signed(cause.0)];
        txn.session()?.run("forget who left since", sql, args).await?;
    }
    journal::append(txn, records, None).await?;
    Ok(Some(version))
}

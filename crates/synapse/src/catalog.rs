//! The catalog as it is read: rows with ids first, then the graph that they mean.

mod assemble;
mod classifiers;
pub(crate) mod exported;
mod grants;
mod notes;
mod places;
mod predefined;
mod principals;
mod reach;
mod rows;
#[cfg(test)]
pub(crate) mod sample;
mod untold;

use std::collections::BTreeMap;

use axon_model::SqlName;
use time::OffsetDateTime;

use crate::connect::Session;
use crate::error::CallError;
use crate::render::{self, NamedMembers};
use crate::statement::Dialect;

pub(crate) use assemble::{Known, Picture, assemble};
pub(crate) use rows::{RawCatalog, number, small, text};
pub use untold::Untold;

/// The class of permissions on credentials.
const CREDENTIAL: u8 = 32;

/// Reads everything.
pub(crate) async fn read_everything(
    session: &mut Session<'_>,
    dialect: Dialect,
) -> Result<RawCatalog, CallError> {
    let mut raw = RawCatalog::default();
    session.read(&render::everything(dialect), &mut |set, row| raw.take(set, row)).await?;
    credentials(session, &mut raw, dialect).await?;
    Ok(raw)
}

/// A serverless pool's credentials. Where their view is not there, nothing is said of them.
async fn credentials(
    session: &mut Session<'_>,
    raw: &mut RawCatalog,
    dialect: Dialect,
) -> Result<(), CallError> {
    /// Invalid object name.
    const NO_VIEW: i64 = 208;
    if dialect == Dialect::Dedicated {
        return Ok(());
    }
    let mut found = RawCatalog::default();
    let read = session.read(&render::credentials(dialect), &mut |_, row| found.take_credential(row)).await;
    match read {
        Ok(()) => raw.credentials = Some(found.credentials.unwrap_or_default()),
        Err(CallError::Refused { refusal, .. }) if refusal.number == NO_VIEW => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Reads what the graph does not tell of.
pub(crate) async fn read_untold(
    session: &mut Session<'_>,
    dialect: Dialect,
) -> Result<Vec<Untold>, CallError> {
    let mut raw = untold::RawUntold::default();
    session.read(&render::untold(dialect), &mut |set, row| raw.take(set, row)).await?;
    Ok(raw.into_untold(dialect))
}

/// Reads the workload classifiers of a dedicated pool.
pub(crate) async fn read_classifiers(
    session: &mut Session<'_>,
) -> Result<Vec<axon_reconcile::Classifier>, CallError> {
    let mut raw = classifiers::RawClassifiers::default();
    session.read(&render::classifiers(), &mut |_, row| raw.take(row)).await?;
    Ok(raw.into_classifiers())
}

/// Reads when each role was made. One whose name cannot be used, or whose time is not told, is left out.
pub(crate) async fn read_roles_made(
    session: &mut Session<'_>,
) -> Result<BTreeMap<SqlName, OffsetDateTime>, CallError> {
    let mut made = BTreeMap::new();
    let mut take = |_: usize, row: &tiberius::Row| {
        let at: Option<time::PrimitiveDateTime> = row.try_get(1).map_err(|e| e.to_string())?;
        if let (Ok(name), Some(at)) = (SqlName::parse(text(row, 0)?), at) {
            made.insert(name, at.assume_utc());
        }
        Ok(())
    };
    session.read(&render::roles_made(), &mut take).await?;
    Ok(made)
}

/// Reads what these names hold, at most [`render::MOST_NAMES`] of them.
pub(crate) async fn read_named(
    session: &mut Session<'_>,
    names: &[SqlName],
    members: NamedMembers,
    dialect: Dialect,
) -> Result<RawCatalog, CallError> {
    let mut raw = RawCatalog::default();
    session.read(&render::named(names, members, dialect), &mut |set, row| raw.take(set, row)).await?;
    // Asked for only where something is on one.
    if raw.permissions.iter().any(|row| row.class == CREDENTIAL) {
        credentials(session, &mut raw, dialect).await?;
    }
    Ok(raw)
}

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

use axon_model::SqlName;

use crate::connect::Session;
use crate::error::CallError;
use crate::render::{self, NamedMembers};

pub(crate) use assemble::{Known, Picture, assemble};
pub(crate) use rows::{RawCatalog, number, small, text};
pub use untold::Untold;

/// Reads everything.
pub(crate) async fn read_everything(session: &mut Session<'_>) -> Result<RawCatalog, CallError> {
    let mut raw = RawCatalog::default();
    session.read(&render::everything(), &mut |set, row| raw.take(set, row)).await?;
    Ok(raw)
}

/// Reads what the graph does not tell of.
pub(crate) async fn read_untold(
    session: &mut Session<'_>,
    dialect: crate::statement::Dialect,
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

/// Reads what these names hold, at most [`render::MOST_NAMES`] of them.
pub(crate) async fn read_named(
    session: &mut Session<'_>,
    names: &[SqlName],
    members: NamedMembers,
) -> Result<RawCatalog, CallError> {
    let mut raw = RawCatalog::default();
    session.read(&render::named(names, members), &mut |set, row| raw.take(set, row)).await?;
    Ok(raw)
}

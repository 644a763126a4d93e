//! A map that describes a pool as it is: from a catalog and a directory to text, and the proof that it changes nothing.
//!
//! ```text
//!  catalog, directory --people--> who can be named, who is left as they are
//!                     --pool_roles--> roles that become the map's, roles that are named, roles that are left
//!                     --mine--> the fewest roles that cover exactly what stands on single principals
//!                     --cover--> the groups that explain who has each role; who fits no group, one by one
//!                     --write--> text --prove--> parsed, evaluated, planned: no step, and nothing more than there is
//! ```
//!
//! Nothing is rounded up: a group with anybody in it who lacks a role never explains that role. What the language cannot say
//! stays outside what the map manages, and is in the report with the reason.

mod classified;
mod cover;
mod draft;
mod lines;
mod mine;
mod people;
mod pool_roles;
mod prove;
mod report;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_model::{Directory, SqlName};
use axon_reconcile::{Classifier, Graph, Shape};
use time::OffsetDateTime;

use crate::identity::Identity;
use crate::map::RoleMap;
use crate::names::TargetName;
use crate::target::Words;

pub use prove::Proof;
pub use report::{Counts, Left, LeftKind, MappingTold, Report, RoleKind, RoleTold};

/// What is adopted, and what is known around it.
#[derive(Debug, Clone, Copy)]
pub struct Adopting<'a> {
    /// The map that says where the target is and how people are named there.
    pub map: &'a Arc<RoleMap>,
    /// The target.
    pub target: &'a TargetName,
    /// All that its catalog shows.
    pub actual: &'a Graph,
    /// What its permissions can be on.
    pub shape: &'a Arc<Shape>,
    /// Its workload classifiers; none in a serverless pool.
    pub classifiers: &'a [Classifier],
    /// The principal that Axon is there.
    pub own: SqlName,
    /// Names that the directory knew once, as far as the target was looked at before.
    pub known: &'a BTreeSet<SqlName>,
    /// The directory.
    pub directory: &'a Directory,
    /// Whom names belong to.
    pub identity: &'a Arc<Identity>,
    /// Now.
    pub now: OffsetDateTime,
    /// Who answers for principals that are left as they are, and until when.
    pub owner: &'a str,
    /// The first instant at which those are nobody's exception any more.
    pub until: OffsetDateTime,
}

/// A map that was proved.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// The map's text.
    pub text: String,
    /// What it is made of, and what it could not say.
    pub report: Report,
    /// The workload classifiers that it does not say, each with the reason.
    pub classifiers: BTreeMap<SqlName, String>,
}

/// Why there is no map.
#[derive(Debug, thiserror::Error)]
pub enum NotAdopted {
    /// The map has no such target.
    #[error("the role map names no target `{target}`; it names: {known}")]
    UnknownTarget {
        /// What was asked for.
        target: TargetName,
        /// What there is.
        known: String,
    },
    /// Only databases have principals and permissions of their own.
    #[error("target `{0}` is no database: there is nothing to adopt")]
    NoDatabase(TargetName),
    /// The map that was made is none. Never expected; said so that nobody takes it for one.
    #[error("the map that was made of target `{target}` cannot be read, so nothing is proved\n\n{faults}")]
    Unreadable {
        /// The target.
        target: TargetName,
        /// What its reader says.
        faults: String,
    },
    /// Applying the map would change something.
    #[error("the map that was made of target `{target}` is not proved: {what}")]
    Unproved {
        /// The target.
        target: TargetName,
        /// What would change, the first of it spelled out.
        what: String,
    },
}

/// Makes a map that says what a pool holds, and proves it.
pub fn adopt(of: Adopting<'_>) -> Result<Adopted, NotAdopted> {
    let spec = of.map.targets.get(of.target).ok_or_else(|| NotAdopted::UnknownTarget {
        target: of.target.clone(),
        known: of.map.targets.keys().map(TargetName::as_str).collect::<Vec<_>>().join(", "),
    })?;
    if spec.kind.words() != Words::Sql || spec.sql_server().is_none() {
        return Err(NotAdopted::NoDatabase(of.target.clone()));
    }
    let survey = people::survey(of, spec);
    let pool = pool_roles::sort(of, &survey);
    let draft = draft::draft(of, &survey, &pool);
    let text = write::write(of, spec, &draft);
    let proof = prove::prove(of, &text, &draft)?;
    let report = report::report(of, &survey, &pool, &draft, proof);
    let classifiers = classified::left(of, &pool);
    Ok(Adopted { text, report, classifiers })
}

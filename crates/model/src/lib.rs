//! Nouns that every part of Axon shares: typed ids, names, time, actors, and the directory as the sources pushed it.
//!
//! Pure: no I/O, no ambient clock, no ambient randomness.
//!
//! ```text
//!  source --pushes--> user, group, membership   (directory)      Delta = one committed change of it
//!  name   = text that compares as a pool's collation does        SqlName = a name that T-SQL accepts
//! ```
//!
//! To add a noun: a file of its own here, a re-export below, and its spelling in `docs/ARCHITECTURE.md`.

pub mod access;
pub mod actor;
pub mod clock;
pub mod directory;
pub mod ids;
pub mod name;
pub mod source_health;

pub use access::{AccessRequest, AccessState, Asked, MeantRecord, Said, Whom};
pub use actor::Actor;
pub use clock::{Clock, ManualClock, SystemClock};
pub use directory::{Delta, Directory, GroupEntry, MemberKind, UserEntry};
pub use ids::{
    AccessRequestId, GroupId, HoldId, IdSource, MapVersion, PlanId, RecordId, RecordSeq, RequestId, RunId,
    SourceId, UserId,
};
pub use name::{NameError, SqlName};
pub use source_health::{CallCounts, FailedCall, HealthOf, HealthState, Hour, SourceHealth};

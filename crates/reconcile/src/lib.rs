//! What is, what ought to be, and the ordered steps between: graphs, plan, admit, simulate, and the ports to a target.
//!
//! Pure: no I/O here; the ports are traits that other crates implement.
//!
//! ```text
//!  desired ┐                                  guards, mode
//!          ├ Sides ──plan──> Plan (ordered) ──admit──> Admitted ──lease──> Wave ──Target::apply──> Outcome
//!  actual  ┘                                     └──> withheld, with reasons
//! ```
//!
//! To add a kind of permission object: a field of [`Graph`], variants of [`Step`], an arm in `diff`, `simulate`, `effect`
//! and in each target's renderer; the compiler names every place.

pub mod action;
pub mod admit;
mod assigned;
pub mod builtin;
pub mod classifier;
pub mod column_type;
pub mod diff;
mod effect;
pub mod finding;
pub mod focus;
pub mod graph;
mod order;
pub mod permission;
pub mod plan;
pub mod scope;
pub mod script;
pub mod secure;
pub mod shape;
pub mod shared;
pub mod simulate;
pub mod step;
pub mod target;
pub mod ties;
pub mod tombstone;
pub mod unseen;
pub mod view_body;
pub mod visitor;
pub mod wave;
pub mod workspace_role;

pub use admit::{Admitted, Class, Guards, History, Mode, Past, Reason, RemovalBudget, Withheld, admit};
pub use assigned::{plan_assigned, unmanaged_assignments};
pub use classifier::{Classified, Classifier, ClassifierStep, Hours, Importance, MinuteOfDay};
pub use column_type::ColumnType;
pub use diff::{Needed, diff, owned, owners, unmanaged_members};
pub use effect::denies_by_definition;
pub use finding::{Finding, Obstacle, Owned};
pub use focus::{Concerned, Tied, focus, focus_on};
pub use graph::{
    Connect, Grant, GrantKey, GrantState, Graph, Membership, Principal, PrincipalKind, Role, View,
};
pub use permission::Permission;
pub use plan::{Plan, Planned, plan, plan_among_all};
pub use scope::{Glob, ManagedPrincipals, Scope, Sides};
pub use script::{Script, ScriptEnd, ScriptFile, ScriptRun, ScriptStep};
pub use secure::{Metadata, ProfileRow, SecureStep, ViewText, ViewsAsked, ViewsThere};
pub use shape::{ObjectFacts, ObjectKind, ObjectName, OtherThing, Securable, Shape};
pub use shared::Shared;
pub use simulate::{Obstruction, StepRefused, apply_step, simulate};
pub use step::{Step, StepKind};
pub use target::{
    InspectScope, Inspection, Outcome, Refusal, RefusalKind, Retry, Seen, Sid, Target, TargetError,
    TargetFacts, TokenSource,
};
pub use ties::Ties;
pub use tombstone::{Burial, doors, tombstones};
pub use unseen::Hides;
pub use view_body::ViewBody;
pub use visitor::Visitor;
pub use wave::{LeaseProof, Wave};

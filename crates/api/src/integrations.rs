//! The integrations API under `/integrations`: databases that Axon makes ready for secure views, and takes out of use again.
//!
//! ```text
//!  caller ── body (JSON, YAML) ── payload ── config, login ──> validate ──> a row: creating | editing | deleting | migrating
//!                                                                │  failed: 422                        │ a task of its own
//!                                                                └── Workbench (the pool) <────────────┘
//!  every so often: enabled <──> recurringValidationError          ends: enabled, deleted, createError, editError, …
//! ```
//!
//! Credentials that are shown are used once and dropped: they are in no row, record, log or answer. What is kept is Axon's own
//! account, by the [`Workbench`]. Its paths, payloads and answers are those of the API that this one follows; an error has the same shape
//! wherever it comes from. To add an endpoint: a file, a line in [`routes`] with its operation of `openapi`, [`caller::Caller`] as first argument.

mod body;
mod caller;
mod config;
mod create;
mod delete;
mod fault;
mod life;
mod login;
mod payload;
mod recurring;
mod regenerate;
mod scripts;
mod settings;
mod shown;
mod update;
mod work;

use crate::openapi::{Table, integrations as told};

pub use config::{AccountKind, Config, Marks};
pub use fault::{Fault, shaped};
pub use login::Login;
pub use settings::Integrations;
pub use work::{Entry, Keep, Moment, Old, Script, Taken, Validation, Verdict, Workbench};

/// What this API calls what it makes ready.
pub const TYPE: &str = "Azure Synapse Analytics";
/// The version of what is made in a database.
pub const LAYOUT: u32 = 1;

/// The routes.
pub(crate) fn routes() -> Table {
    Table::new()
        .get("/integrations", told::list(), shown::list)
        .post("/integrations", told::create(), create::handle)
        .get("/integrations/{id}", told::one(), shown::one)
        .put("/integrations/{id}", told::update(), update::handle)
        .delete("/integrations/{id}", told::delete(), delete::handle)
        .get("/integrations/{id}/status", told::status(), shown::status)
        .post("/integrations/{id}/regenerate", told::regenerate(), regenerate::handle)
        .post("/integrations/{id}/scripts/edit", told::edit_script(), scripts::edit)
        .post("/integrations/{id}/scripts/delete", told::delete_script(), scripts::delete)
        .post("/integrations/scripts/initial-create", told::initial_create_script(), scripts::initial_create)
        .post("/integrations/scripts/create", told::create_script(), scripts::create)
        .post("/integrations/scripts/cleanup", told::cleanup_script(), scripts::cleanup)
        .post("/integrations/scripts/post-cleanup", told::post_cleanup_script(), scripts::post_cleanup)
}

/// Whether an address is of this API, by whatever path below it.
pub(crate) fn is_api(path: &str) -> bool {
    path.strip_prefix("/integrations").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

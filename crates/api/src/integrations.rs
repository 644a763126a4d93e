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
//! wherever it comes from. To add an endpoint: a file, a line in [`routes`] and in `openapi`, [`caller::Caller`] as first argument.

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

use axum::Router;
use axum::routing::{get, post};

use crate::state::Api;

pub use config::{AccountKind, Config, Marks};
pub use fault::{Fault, shaped};
pub use login::Login;
pub use settings::Integrations;
pub use work::{Entry, Moment, Script, Validation, Verdict, Workbench};

/// What this API calls what it makes ready.
pub const TYPE: &str = "Azure Synapse Analytics";
/// The version of what is made in a database.
pub const LAYOUT: u32 = 1;

/// The routes.
pub fn routes() -> Router<Api> {
    Router::new()
        .route("/integrations", get(shown::list).post(create::handle))
        .route("/integrations/{id}", get(shown::one).put(update::handle).delete(delete::handle))
        .route("/integrations/{id}/status", get(shown::status))
        .route("/integrations/{id}/regenerate", post(regenerate::handle))
        .route("/integrations/{id}/scripts/edit", post(scripts::edit))
        .route("/integrations/{id}/scripts/delete", post(scripts::delete))
        .route("/integrations/scripts/initial-create", post(scripts::initial_create))
        .route("/integrations/scripts/create", post(scripts::create))
        .route("/integrations/scripts/cleanup", post(scripts::cleanup))
        .route("/integrations/scripts/post-cleanup", post(scripts::post_cleanup))
}

/// Whether an address is of this API, by whatever path below it.
pub(crate) fn is_api(path: &str) -> bool {
    path.strip_prefix("/integrations").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

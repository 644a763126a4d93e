//! Databases that the integrations API set up: what each is asked to be, and how far it is.

mod status;

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

pub use status::{BadStatus, IntegrationStatus};

use crate::context::Act;
use crate::error::StoreError;

/// The most integrations that stand at once.
pub const MOST_INTEGRATIONS: usize = 1_000;
/// How many of those that ended are remembered.
pub const ENDED_INTEGRATIONS: usize = 200;

/// What an integration made itself, which goes with it. What of the same name was there before, or came since, is somebody else's.
///
/// Each is written down before it is made, and only if it was not there just before: a server that is stopped half-way has kept it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The account's login.
    pub login: bool,
    /// The account's user.
    pub user: bool,
    /// By what that user is told from another one of its name that came later.
    #[serde(default)]
    pub user_mark: Option<String>,
    /// The owner of views and profiles. Rows of older versions do not say, and keep it.
    #[serde(default)]
    pub owner: bool,
    /// Schemas, in lower case. Rows of older versions do not say, and keep them.
    #[serde(default)]
    pub schemas: BTreeSet<String>,
}

/// What an integration is. Nothing of it is a credential.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntegrationBody {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// Whether Axon set it up itself.
    pub automatic: bool,
    /// What was asked for, without credentials.
    pub config: Value,
    /// The same before the edit that is under way, or that failed.
    pub before: Option<Value>,
    /// What the last look told.
    pub validation: Value,
    /// As whom Axon enters, with the place of the secret.
    pub login: Option<Value>,
    /// The version of what was made in the database.
    pub layout: u32,
    /// Why the last piece of work failed.
    pub trouble: Option<String>,
    /// What it made, which goes with it; rows of older versions do not say.
    #[serde(default)]
    pub made: Option<Made>,
    /// As whom Axon was seen to enter, by a look that its account passed. None where that is not so, or not so any more.
    #[serde(default)]
    pub entered_as: Option<String>,
}

impl IntegrationBody {
    /// What it made. An automatic one of an older version that came into use made its account.
    pub fn what_it_made(&self) -> Made {
        let all = self.automatic && self.login.is_some();
        self.made.clone().unwrap_or(Made { login: all, user: all, ..Made::default() })
    }

    /// Where it is, in the form in which two places are one.
    pub fn place(&self) -> String {
        format!("{}:{}/{}", self.host.to_lowercase(), self.port, self.database.to_lowercase())
    }
}

/// An integration that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Integration {
    /// Its number.
    pub id: u64,
    /// How far it is.
    pub status: IntegrationStatus,
    /// What it is.
    pub body: IntegrationBody,
    /// Since when.
    pub created: OffsetDateTime,
    /// When something of it changed last.
    pub changed: OffsetDateTime,
    /// Grows with each change.
    pub version: u64,
}

/// What came of the wish to add one.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one answer is made at a time, and nearly always the large one"
)]
pub enum AddedIntegration {
    /// It is kept.
    New(Integration),
    /// Its database has one, with this number.
    Taken(u64),
    /// So many stand that no other is taken.
    Full,
}

/// Integrations.
#[async_trait]
pub trait IntegrationStore: Send + Sync {
    /// Keeps a new one in the status `creating`, and records that; unless one stands in the same place.
    async fn add_integration(&self, body: IntegrationBody, act: Act) -> Result<AddedIntegration, StoreError>;

    /// All that stand, oldest first: those that were deleted are not among them.
    async fn integrations(&self) -> Result<Vec<Integration>, StoreError>;

    /// One by its number, deleted ones too.
    async fn integration(&self, id: u64) -> Result<Option<Integration>, StoreError>;

    /// Changes one that is still in this version, and records a change of its status. None where it is not.
    async fn change_integration(
        &self,
        id: u64,
        version: u64,
        status: IntegrationStatus,
        body: IntegrationBody,
        act: Act,
    ) -> Result<Option<Integration>, StoreError>;
}

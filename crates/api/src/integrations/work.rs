//! The port to pools: what is looked at, made and taken away there.

use std::pin::Pin;

use async_trait::async_trait;
use axon_store::Act;
use axon_store::integrations::Made;
use serde::Serialize;
use serde_json::Value;

use super::{Config, Login};

/// When something is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before everything is made: as whoever asks.
    BeforeCreate,
    /// The same where an integration was given up whose account is there: as whoever asks.
    BeforeAgain,
    /// Before something is changed: as whoever asks.
    BeforeChange,
    /// Before all is taken away: as whoever asks.
    BeforeRemoval,
    /// Before Axon's login gets another password: as whoever asks.
    BeforeRenewal,
    /// While it is in use: as Axon.
    Standing,
}

/// As whom a pool is entered.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    /// As whoever asks, with what they showed.
    Shown(&'a Login),
    /// As Axon, with what is kept.
    Kept(&'a Value),
}

/// What was there before.
#[derive(Debug, Clone, Copy)]
pub enum Old<'a> {
    /// What is in use.
    InUse(&'a Config),
    /// What was given up: how Axon entered is forgotten.
    GivenUp(&'a Config),
}

/// Which script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// For `master`, before the other.
    InitialCreate,
    /// For the database.
    Create,
    /// From one configuration to another.
    Edit,
    /// Takes away what is in the database.
    Delete,
    /// The same for one that never came into use.
    Cleanup,
    /// For `master`, after the other.
    PostCleanup,
}

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it must be.
    Passed,
    /// Not as it must be.
    Failed,
}

/// What a look told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// Whether any test failed.
    pub status: Verdict,
    /// The tests, each with `name`, `status`, and where there is something to say `message` and `result`.
    pub validation_tests: Vec<Value>,
}

impl Validation {
    /// What these tests come to.
    pub fn of(validation_tests: Vec<Value>) -> Self {
        let failed = validation_tests.iter().any(|test| test["status"] == "failed");
        Self { status: if failed { Verdict::Failed } else { Verdict::Passed }, validation_tests }
    }

    /// With one more test.
    #[must_use]
    pub fn and(mut self, test: Value) -> Self {
        self.validation_tests.push(test);
        Self::of(self.validation_tests)
    }

    /// What failed, for people.
    pub fn told(&self) -> Option<String> {
        let failed = self.validation_tests.iter().filter(|test| test["status"] == "failed");
        let told: Vec<String> = failed
            .map(|test| {
                let name = test["name"].as_str().unwrap_or_default();
                format!("{name}: {}", test["message"].as_str().unwrap_or("failed"))
            })
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// How a test ended, by its name. None where it was not asked.
    pub fn ended(&self, name: &str) -> Option<&str> {
        let test = self.validation_tests.iter().find(|test| test["name"] == name);
        test.and_then(|test| test["status"].as_str())
    }

    /// As a value.
    pub fn value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Keeps what was made and is about to be made, so that a server that is stopped has told of it.
pub type Keep<'a> =
    dyn Fn(Made) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync + 'a;

/// What came of taking everything away, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// What stays under the names of the integration.
    pub stays: Vec<String>,
    /// What was done to what the role map made.
    pub of_map: Vec<String>,
    /// What the role map made and stays, with the reason.
    pub of_map_stays: Vec<String>,
}

/// What is done in pools. Errors are sentences for people, without credentials.
#[async_trait]
pub trait Workbench: Send + Sync {
    /// A script for people. `old`: what was before, for an edit. `entry`: how the pool is looked at for what the role map made there, for a
    /// delete.
    async fn script(
        &self,
        script: Script,
        config: &Config,
        old: Option<&Config>,
        entry: Option<Entry<'_>>,
    ) -> Result<String, String>;

    /// Looks; changes nothing.
    async fn validate(&self, config: &Config, entry: Entry<'_>, moment: Moment) -> Validation;

    /// Whether what is secret of how Axon enters can be kept; else why not, and what helps.
    fn keeps(&self) -> Result<(), String>;

    /// Makes everything, or changes what was made from `old` to `config`, as whoever asks; and keeps how Axon enters from then on, where that
    /// is new. `account`: Axon's identity, where it is one of Entra.
    /// `made` says what of all this is Axon's, after a failure, too; it is given to `keep` before each thing is made.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call from the API to the pool, of which each part has its name"
    )]
    async fn bring_up(
        &self,
        id: u64,
        config: &Config,
        old: Option<Old<'_>>,
        by: &Login,
        account: Option<&Login>,
        made: &mut Made,
        keep: &Keep<'_>,
    ) -> Result<Option<Value>, String>;

    /// Keeps how Axon enters, and says where; never the secret itself.
    async fn keep(&self, id: u64, login: &Login) -> Result<Value, String>;

    /// Takes everything away, as whoever asks, except what was not made; also what the role map made. What it does to roles and people is
    /// written down as this act's.
    async fn take_down(&self, config: &Config, by: &Login, made: &Made, act: &Act) -> Result<Taken, String>;

    /// Gives Axon's login another password, as whoever asks, and keeps it.
    async fn renew(&self, id: u64, config: &Config, by: &Login) -> Result<Value, String>;

    /// Forgets what is kept.
    async fn forget(&self, id: u64);

    /// The target of the role map in force that is this database.
    fn target_of(&self, config: &Config) -> Option<String>;

    /// Whether views of that target filter its tables (`enforce: native`), which the account of an integration may not.
    fn filters_tables(&self, config: &Config) -> bool;
}

//! Sending the batches.

use std::fmt::Write as _;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use axon_model::SqlName;
use axon_reconcile::TargetError;
use secrecy::SecretString;

use super::look;
use super::parts::{OfAccount, Part, Where, create, delete, edit};
use super::setup::{MadeAccount, Setup};
use crate::connect::{Connection, Link};
use crate::error::CallError;
use crate::render::{Sql, bootstrap as text};

/// The server's answer where there is no such login, or none that the caller may change.
const NO_LOGIN: i64 = 15151;
/// Random bytes of a password.
const BYTES: usize = 24;

/// Why a set-up did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// A batch was refused, or there is no way to the server.
    #[error("{what}")]
    Batch {
        /// What the batch is for.
        what: String,
        /// What the server said.
        #[source]
        source: TargetError,
    },
    /// Something is there that Axon must not take over.
    #[error(
        "the {what} {name} is there already: choose another name for the account. Axon did not make it, and takes nothing of it away"
    )]
    There {
        /// What.
        what: &'static str,
        /// Its name.
        name: SqlName,
    },
    /// This machine gives no random numbers.
    #[error("this machine has no random numbers")]
    NoRandom,
}

/// A password that a server's rules take: letters of both kinds, digits and a mark.
pub fn random_password() -> Result<SecretString, BootstrapError> {
    let mut bytes = [0_u8; BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| BootstrapError::NoRandom)?;
    let mut password = "Ax-1".to_owned();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(password, "{byte:02x}");
    }
    Ok(SecretString::from(password))
}

struct Ends {
    master: Link,
    database: Link,
}

impl Ends {
    fn new(connection: &Connection) -> Self {
        let master = Connection { database: master(), ..connection.clone() };
        Self { master: Link::new(master), database: Link::new(connection.clone()) }
    }

    fn at(&self, at: Where) -> &Link {
        match at {
            Where::Master => &self.master,
            Where::Database => &self.database,
        }
    }

    async fn send(&self, part: &Part) -> Result<(), BootstrapError> {
        let sent = async { self.at(part.at).session().await?.run(&part.sql).await };
        match sent.await {
            Err(CallError::Refused { refusal, .. }) if part.done == Some(refusal.number) => Ok(()),
            Err(error) => Err(told(&part.why, error)),
            Ok(()) => Ok(()),
        }
    }

    /// Sends what makes a part of the account; one that is there already is somebody else's.
    async fn make(
        &self,
        part: &Part,
        sql: &Sql,
        what: &'static str,
        setup: &Setup,
    ) -> Result<(), BootstrapError> {
        let sent = async { self.at(part.at).session().await?.run(sql).await };
        match sent.await {
            Err(CallError::Refused { refusal, .. }) if part.done == Some(refusal.number) => {
                Err(BootstrapError::There { what, name: setup.account.name })
            }
            Err(error) => Err(told(&part.why, error)),
            Ok(()) => Ok(()),
        }
    }

    /// Gives the login that was made before another password. False where it is gone.
    async fn takes_password(&self, setup: &Setup, password: &SecretString) -> Result<bool, BootstrapError> {
        let sql = text::new_password(setup.account.name, password);
        let sent = async { self.master.session().await?.run(&sql).await };
        match sent.await {
            Err(CallError::Refused { refusal, .. }) if refusal.number == NO_LOGIN => Ok(false),
            Err(error) => Err(told("Axon's login gets another password.", error)),
            Ok(()) => Ok(true),
        }
    }
}

fn master() -> SqlName {
    SqlName::parse("master").unwrap_or_else(|_| unreachable!("a plain name"))
}

fn told(what: &str, error: CallError) -> BootstrapError {
    BootstrapError::Batch { what: what.to_owned(), source: error.at("the pool", "a batch of the set-up") }
}

/// Makes everything, as somebody who may. A SQL login gets this password. What is there already is not taken over, except what was
/// made before: of a set-up that is changed, or that was given up (`old`). `made` tells at every moment, thus also after a failure,
/// what of the account is Axon's.
pub async fn bring_up(
    connection: &Connection,
    old: Option<&Setup>,
    setup: &Setup,
    password: Option<&SecretString>,
    made: &mut MadeAccount,
) -> Result<(), BootstrapError> {
    let ends = Ends::new(connection);
    let mut parts = old.map_or_else(|| create(setup), |old| edit(old, setup));
    if old.is_some() && password.is_some() {
        parts.splice(0..0, create(setup).into_iter().filter(|part| part.at == Where::Master));
        // Whoever took the user away took the login with it: one of this name may be somebody else's since.
        let source =
            |source| BootstrapError::Batch { what: "The account that was made before.".into(), source };
        if !look::has_user(connection, setup).await.map_err(source)? {
            *made = MadeAccount::default();
        }
    }
    for part in &parts {
        match part.makes {
            None => ends.send(part).await?,
            Some(OfAccount::Login) => {
                let Some(password) = password else { continue };
                if !(made.login && ends.takes_password(setup, password).await?) {
                    made.login = false;
                    let login = text::login(setup.account.name, Some(password));
                    ends.make(part, &login, "login", setup).await?;
                }
                made.login = true;
            }
            Some(OfAccount::User) if made.user => ends.send(part).await?,
            Some(OfAccount::User) => {
                ends.make(part, &part.sql, "user", setup).await?;
                made.user = true;
            }
        }
    }
    Ok(())
}

/// Takes everything away, as somebody who may; of the account only what was made.
pub async fn take_down(
    connection: &Connection,
    setup: &Setup,
    made: MadeAccount,
) -> Result<(), BootstrapError> {
    let ends = Ends::new(connection);
    let is_own = |part: &Part| match part.takes {
        None => true,
        Some(OfAccount::Login) => made.login,
        Some(OfAccount::User) => made.user,
    };
    for part in delete(setup).iter().filter(|part| is_own(part)) {
        ends.send(part).await?;
    }
    Ok(())
}

/// Gives Axon's login another password, as somebody who may.
pub async fn renew_password(
    connection: &Connection,
    login: SqlName,
    password: &SecretString,
) -> Result<(), BootstrapError> {
    let ends = Ends::new(connection);
    let sql = text::new_password(login, password);
    let sent = async { ends.master.session().await?.run(&sql).await };
    sent.await.map_err(|error| told("Axon's login gets another password.", error))
}

//! Sending the batches.

use std::fmt::Write as _;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use axon_model::SqlName;
use axon_reconcile::TargetError;
use secrecy::SecretString;

use super::parts::{Part, Where, create, delete, edit};
use super::setup::Setup;
use crate::connect::{Connection, Link};
use crate::error::CallError;
use crate::render::bootstrap as text;

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
        "the {what} {name} is there already: choose another name, or take it away if it is left from an earlier set-up"
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
}

fn master() -> SqlName {
    SqlName::parse("master").unwrap_or_else(|_| unreachable!("a plain name"))
}

fn told(what: &str, error: CallError) -> BootstrapError {
    BootstrapError::Batch { what: what.to_owned(), source: error.at("the pool", "a batch of the set-up") }
}

/// Makes everything, as somebody who may. A SQL login gets this password; one that is there already is not taken over, except
/// where only what was made is changed (`old`).
pub async fn bring_up(
    connection: &Connection,
    old: Option<&Setup>,
    setup: &Setup,
    password: Option<&SecretString>,
) -> Result<(), BootstrapError> {
    let ends = Ends::new(connection);
    let parts = old.map_or_else(|| create(setup), |old| edit(old, setup));
    for part in &parts {
        if part.at == Where::Master {
            let Some(password) = password else { continue };
            let login = text::login(setup.account.name, Some(password));
            let made = async { ends.master.session().await?.run(&login).await };
            match made.await {
                Err(CallError::Refused { refusal, .. }) if part.done == Some(refusal.number) => {
                    return Err(BootstrapError::There { what: "login", name: setup.account.name });
                }
                Err(error) => return Err(told(&part.why, error)),
                Ok(()) => {}
            }
        } else {
            ends.send(part).await?;
        }
    }
    Ok(())
}

/// Takes everything away, as somebody who may.
pub async fn take_down(connection: &Connection, setup: &Setup) -> Result<(), BootstrapError> {
    let ends = Ends::new(connection);
    for part in delete(setup) {
        ends.send(&part).await?;
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

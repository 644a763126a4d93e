//! Sending the batches.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::pin::Pin;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use axon_model::SqlName;
use axon_reconcile::{Outcome, Retry, TargetError};
use secrecy::SecretString;

use super::look::{self, Seen};
use super::parts::{Part, Thing, Where, create, delete, edit};
use super::setup::{Before, Made, OfMap, Setup};
use crate::apply::micros;
use crate::catalog::text as text_of;
use crate::connect::{Connection, Link};
use crate::error::CallError;
use crate::render::{Sql, bootstrap as text};

/// The server's answer where there is no such login, or none that the caller may change.
const NO_LOGIN: i64 = 15151;
/// How often a busy server is asked again, and the longest pause before that.
const AGAIN: usize = 3;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
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
    /// It could not be written down what is made: then it is not made.
    #[error("what would be made could not be kept, so it was not made: {0}")]
    NotKept(String),
    /// This machine gives no random numbers.
    #[error("this machine has no random numbers")]
    NoRandom,
}

/// Keeps what was made and is about to be made, so that a process that is stopped has told of it.
pub type Kept<'a> =
    dyn Fn(&Made) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync + 'a;

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

    /// Sends what takes away something of the role map's. A server that is busy is asked a few times more. Fails where nothing was sent,
    /// since there was no way to the server.
    async fn take(&self, part: &Part) -> Result<Outcome, NotSent> {
        let (started, statements) = (Instant::now(), vec![part.text().to_owned()]);
        for turn in 0..=AGAIN {
            let sent = async { self.at(part.at).session().await?.run(&part.sql).await };
            let (refusal, retry) = match sent.await {
                Ok(()) => return Ok(Outcome::Done { statements, micros: micros(started) }),
                Err(CallError::Refused { refusal, retry }) => (refusal, retry),
                Err(CallError::Unreachable(reason) | CallError::NoToken(reason)) => {
                    return Err(NotSent(reason));
                }
                Err(error @ (CallError::Broken(_) | CallError::Stale(_) | CallError::Unreadable(_))) => {
                    return Ok(Outcome::Unknown { statements, reason: error.to_string() });
                }
            };
            match retry {
                Retry::Now if turn < AGAIN => {}
                Retry::After(pause) if turn < AGAIN => tokio::time::sleep(pause.min(LONGEST_PAUSE)).await,
                _ => return Ok(Outcome::Refused { statements, refusal }),
            }
        }
        Ok(Outcome::NotTried)
    }

    /// Sends what makes something; what is there already is somebody else's.
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

    /// Whether there is a login of this name. None where the caller may not see logins, as an administrator of Entra.
    async fn has_login(&self, name: SqlName) -> Result<Option<bool>, BootstrapError> {
        let mut found = false;
        let mut take = |_: usize, row: &tiberius::Row| {
            found = !text_of(row, 0)?.is_empty();
            Ok(())
        };
        let read = async { self.master.session().await?.read(&text::login_there(name), &mut take).await };
        match read.await {
            Ok(()) => Ok(Some(found)),
            Err(CallError::Refused { .. }) => Ok(None),
            Err(error) => Err(told("The look whether there is such a login.", error)),
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
    // It goes on with what the server said.
    let what = what.trim_end_matches('.').to_owned();
    BootstrapError::Batch { what, source: error.at("the pool", "a batch of the set-up") }
}

async fn seen(connection: &Connection, setup: &Setup) -> Result<Seen, BootstrapError> {
    let what = || "The look at what is there".to_owned();
    look::read(connection, setup).await.map_err(|source| BootstrapError::Batch { what: what(), source })
}

/// What of a set-up that was given up is still as it was left. Whoever took the user away took the login with it: one of this name may
/// be somebody else's since, and so may a user that was made again.
fn still_there(made: &mut Made, seen: &Seen, setup: &Setup) {
    if !is_own_user(made, seen, setup) {
        (made.login, made.user, made.user_mark) = (false, false, None);
    }
    made.owner &= seen.has(setup.metadata.owner);
    made.schemas.retain(|schema| seen.has_schema(*schema));
}

/// Whether the account's user is there and the one that was made.
fn is_own_user(made: &Made, seen: &Seen, setup: &Setup) -> bool {
    let mark = seen.mark(setup.account.name);
    made.user && mark.is_some() && (made.user_mark.is_none() || mark == made.user_mark.as_deref())
}

/// Makes everything, as somebody who may. A SQL login gets this password. What is there already is not taken over, except what was
/// made before. `made` tells at every moment, thus also after a failure, what is Axon's; it is given to `kept` before each thing is made.
pub async fn bring_up(
    connection: &Connection,
    before: Before<'_>,
    setup: &Setup,
    password: Option<&SecretString>,
    made: &mut Made,
    kept: &Kept<'_>,
) -> Result<(), BootstrapError> {
    let ends = Ends::new(connection);
    let there = seen(connection, setup).await?;
    let mut parts = match before {
        Before::Nothing => create(setup),
        Before::InUse(old) | Before::GivenUp(old) => edit(old, setup),
    };
    if matches!(before, Before::GivenUp(_)) {
        if password.is_some() {
            parts.splice(0..0, create(setup).into_iter().filter(|part| part.at == Where::Master));
        }
        still_there(made, &there, setup);
    }
    let keep = async |made: &Made| kept(made).await.map_err(BootstrapError::NotKept);
    for part in &parts {
        match part.makes {
            None if part.takes.is_some_and(|thing| !is_made(made, thing)) => {}
            None => ends.send(part).await?,
            Some(Thing::Login) => {
                let Some(password) = password else { continue };
                if made.login && ends.takes_password(setup, password).await? {
                    continue;
                }
                made.login = false;
                let is_free = match ends.has_login(setup.account.name).await? {
                    Some(true) => {
                        return Err(BootstrapError::There { what: "login", name: setup.account.name });
                    }
                    Some(false) => true,
                    // Then another program's is seen by the answer alone: it is not claimed before.
                    None => false,
                };
                if is_free {
                    made.login = true;
                    keep(made).await?;
                }
                let login = text::login(setup.account.name, Some(password));
                let done = ends.make(part, &login, "login", setup).await;
                // After a lost connection it may have been made.
                made.login = done.is_ok() || (is_free && !matches!(done, Err(BootstrapError::There { .. })));
                done?;
                if !is_free {
                    keep(made).await?;
                }
            }
            Some(Thing::User) if made.user && there.has(setup.account.name) => ends.send(part).await?,
            Some(Thing::User) => {
                if there.has(setup.account.name) {
                    return Err(BootstrapError::There { what: "user", name: setup.account.name });
                }
                (made.user, made.user_mark) = (true, None);
                keep(made).await?;
                let done = ends.make(part, &part.sql, "user", setup).await;
                made.user = !matches!(done, Err(BootstrapError::There { .. }));
                done?;
                made.user_mark = seen(connection, setup).await?.mark(setup.account.name).map(str::to_owned);
                keep(made).await?;
            }
            Some(thing) => {
                let is_new = match thing {
                    Thing::Schema(name) => !there.has_schema(name) && made.schemas.insert(name),
                    _ => !there.has(setup.metadata.owner) && !std::mem::replace(&mut made.owner, true),
                };
                if is_new {
                    keep(made).await?;
                }
                ends.send(part).await?;
            }
        }
    }
    Ok(())
}

/// Whether a set-up made this.
fn is_made(made: &Made, thing: Thing) -> bool {
    match thing {
        Thing::Login => made.login,
        Thing::User => made.user,
        Thing::Owner => made.owner,
        Thing::Schema(name) => made.schemas.contains(&name),
        // What the role map made goes before, under records of its own.
        Thing::OfMap(_) => false,
    }
}

/// There was no way to the server, so nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("nothing was sent: {0}")]
pub struct NotSent(String);

/// Takes away what the role map made, a step at a time, as somebody who may.
pub struct Sweep {
    ends: Ends,
    /// One for each step that can be written down.
    parts: BTreeMap<usize, Part>,
}

impl Sweep {
    /// Nothing is dialled before the first step.
    pub fn new(connection: &Connection, setup: &Setup, of_map: &OfMap) -> Self {
        let number = |part: &Part| match part.takes {
            Some(Thing::OfMap(n)) => Some(n),
            _ => None,
        };
        let parts = super::parts::of_map(setup, of_map).into_iter();
        let parts = parts.filter_map(|part| Some((number(&part)?, part))).collect();
        Self { ends: Ends::new(connection), parts }
    }

    /// Sends this step. One that cannot be written down is not tried.
    pub async fn take(&self, step: usize) -> Result<Outcome, NotSent> {
        match self.parts.get(&step) {
            Some(part) => self.ends.take(part).await,
            None => Ok(Outcome::NotTried),
        }
    }
}

/// Takes everything away, as somebody who may, except what was not made. Gives what stays under these names, for people.
pub async fn take_down(
    connection: &Connection,
    setup: &Setup,
    made: &Made,
) -> Result<Vec<String>, BootstrapError> {
    let ends = Ends::new(connection);
    let there = seen(connection, setup).await?;
    let mut made = made.clone();
    // Another user of the name is somebody else's, and so may be its login. Where there is none, it went in an earlier try.
    if made.user && there.has(setup.account.name) && !is_own_user(&made, &there, setup) {
        (made.login, made.user) = (false, false);
    }
    let parts = delete(setup, &OfMap::default());
    for part in parts.iter().filter(|part| part.takes.is_none_or(|thing| is_made(&made, thing))) {
        ends.send(part).await?;
    }
    let mut stays = seen(connection, setup).await?.stays(setup);
    // Whoever may not look there is told nothing of it.
    if !setup.account.is_entra && matches!(ends.has_login(setup.account.name).await, Ok(Some(true))) {
        stays.push(format!("login {}", setup.account.name));
    }
    Ok(stays)
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

#[cfg(test)]
mod tests {
    use axon_reconcile::{Metadata, Step};

    use super::*;
    use crate::bootstrap::Account;
    use crate::connect::{Auth, Tls};

    #[tokio::test]
    async fn where_there_is_no_way_to_the_server_it_is_said_that_nothing_was_sent() {
        let name = |text: &str| SqlName::parse(text).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let connection = Connection {
            host: "127.0.0.1".to_owned(),
            port,
            database: name("dw"),
            tls: Tls::Off,
            auth: Auth::Sql { user: "u".to_owned(), password: SecretString::from("p") },
            login_timeout: Duration::from_secs(5),
            command_timeout: Duration::from_secs(5),
        };
        let setup = Setup {
            database: name("dw"),
            views: name("secure"),
            metadata: Metadata::new(name("axon"), name("axon_owner")),
            impersonation: None,
            account: Account { name: name("axon_system"), is_entra: false },
        };
        let of_map = OfMap { steps: vec![Step::DropRole { name: name("r") }], ..OfMap::default() };
        let sweep = Sweep::new(&connection, &setup, &of_map);
        let told = sweep.take(0).await.unwrap_err().to_string();
        assert!(told.starts_with("nothing was sent: "), "{told}");
        // What is no step is not tried.
        assert_eq!(sweep.take(1).await.unwrap(), Outcome::NotTried);
    }
}

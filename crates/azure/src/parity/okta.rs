//! Groups and people as Okta's own API shows them (general knowledge: lists follow `Link: <…>; rel="next"`, a token is sent as `SSWS`,
//! 429 names the instant of its end in `X-Rate-Limit-Reset`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axon_model::Clock;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::{
    GroupFound, GroupSeen, GroupThere, Key, MemberThere, PersonSeen, PersonThere, Slow, Unread, Upstream,
};
use crate::cloud::Base;
use crate::wire::{Answer, Call, Wire, encoded};

const PAGE: usize = 200;
const MOST_MEMBERS: usize = 500_000;
/// How long Okta is left alone after a 429 that names no instant, and the longest such wait.
const WAIT: time::Duration = time::Duration::minutes(1);
const LONGEST: time::Duration = time::Duration::minutes(15);

/// Okta as an identity provider that is compared.
pub struct OktaRoll {
    base: Base,
    wire: Wire,
    /// `SSWS` and the token: what the header says.
    token: SecretString,
    clock: Arc<dyn Clock>,
    quiet_until: Mutex<Option<OffsetDateTime>>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    status: String,
    profile: Profile,
}

#[derive(Deserialize)]
struct Profile {
    login: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
struct Group {
    id: String,
    profile: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl User {
    fn person(self) -> PersonThere {
        let off = ["DEPROVISIONED", "SUSPENDED"];
        let enabled = !off.iter().any(|word| self.status.eq_ignore_ascii_case(word));
        let names = self.profile.login.into_iter().chain(self.profile.email).collect();
        PersonThere { id: self.id, names, enabled }
    }
}

/// What came of one request.
enum Got {
    Answer(Answer),
    Missing,
}

impl OktaRoll {
    /// The organization at this address, read with one of its API tokens.
    pub fn new(base: Base, wire: Wire, token: &SecretString, clock: Arc<dyn Clock>) -> Self {
        let token = SecretString::from(format!("SSWS {}", token.expose_secret()));
        Self { base, wire, token, clock, quiet_until: Mutex::default() }
    }

    async fn ask(&self, url: String, slow: &mut Slow) -> Result<Got, Unread> {
        let now = self.clock.now();
        let quiet = *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = quiet.filter(|until| now < *until) {
            let seconds = (until - now).whole_seconds().max(1);
            return Err(Unread::Fault(format!("Okta is asked too fast: it is left alone for {seconds} s")));
        }
        slow.turn().await?;
        let call = Call::get(url).secret_header("authorization", &self.token);
        let answer = self.wire.send(call).await.map_err(|error| Unread::Fault(error.to_string()))?;
        let now = self.clock.now();
        match answer.status() {
            429 => {
                let reset = answer.header("x-rate-limit-reset").and_then(|text| text.trim().parse().ok());
                let reset = reset.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
                let until = reset.unwrap_or(now + WAIT).clamp(now + time::Duration::SECOND, now + LONGEST);
                *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
                let wait = Duration::try_from(until - now).unwrap_or_default().as_secs();
                Err(Unread::Fault(format!("Okta is asked too fast: it is left alone for {wait} s")))
            }
            404 => Ok(Got::Missing),
            401 | 403 => Err(Unread::Fault(format!(
                "Okta answers {}: its API token is not taken, or may not read groups and users; make one of a read-only administrator",
                answer.status()
            ))),
            200 if !is_error(&answer) => Ok(Got::Answer(answer)),
            status => Err(Unread::Fault(format!("Okta answers {status}"))),
        }
    }

    async fn one<T: DeserializeOwned>(&self, path: &str, slow: &mut Slow) -> Result<Option<T>, Unread> {
        match self.ask(self.base.at(path), slow).await? {
            Got::Answer(answer) => answer.json().map(Some).map_err(Unread::Fault),
            Got::Missing => Ok(None),
        }
    }

    /// All pages of a list; none where what it is a list of is not there.
    async fn all<T: DeserializeOwned>(&self, path: &str, slow: &mut Slow) -> Result<Option<Vec<T>>, Unread> {
        let (mut url, mut found) = (self.base.at(path), Vec::new());
        loop {
            let Got::Answer(answer) = self.ask(url, slow).await? else { return Ok(None) };
            let mut page: Vec<T> = answer.json().map_err(Unread::Fault)?;
            found.append(&mut page);
            if found.len() > MOST_MEMBERS {
                return Err(Unread::Fault("Okta lists more than is compared".into()));
            }
            url = match answer.links().find_map(next_of) {
                None => return Ok(Some(found)),
                Some(next) if self.base.holds(next) => next.to_owned(),
                Some(_) => {
                    let text = "Okta names its next page at another address: it is not followed";
                    return Err(Unread::Fault(text.into()));
                }
            };
        }
    }
}

/// Whether the body is one of Okta's errors, whatever the status says.
fn is_error(answer: &Answer) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Error {
        error_code: Option<String>,
    }
    let object = answer.body().trim_ascii_start().first() == Some(&b'{');
    object && answer.json::<Error>().is_ok_and(|error| error.error_code.is_some())
}

/// The address of a link to the next page (RFC 8288).
fn next_of(link: &str) -> Option<&str> {
    let (address, rest) = link.trim().split_once('>')?;
    let next = rest.split(';').any(|part| matches!(part.trim(), "rel=\"next\"" | "rel=next"));
    next.then_some(address)
}

#[async_trait]
impl Upstream for OktaRoll {
    fn name(&self) -> &'static str {
        "Okta"
    }

    async fn called(&self, key: &Key, slow: &mut Slow) -> Result<Vec<GroupFound>, Unread> {
        // Okta sends no id of a group: its name is all that is known.
        let search = encoded(&format!("profile.name eq \"{}\"", key.name.replace(['\\', '"'], "")));
        let named: Vec<Group> = self
            .all(&format!("/api/v1/groups?search={search}&limit={PAGE}"), slow)
            .await?
            .unwrap_or_default();
        let named = named.into_iter().filter(|group| group.profile.name == key.name);
        Ok(named.map(|group| GroupFound { id: group.id, name: group.profile.name }).collect())
    }

    async fn group(&self, key: &Key, slow: &mut Slow) -> Result<GroupSeen, Unread> {
        let mut named = self.called(key, slow).await?;
        if named.len() > 1 {
            return Ok(GroupSeen::Several(named.into_iter().take(10).map(|group| group.id).collect()));
        }
        let Some(group) = named.pop() else { return Ok(GroupSeen::Missing) };
        let path = format!("/api/v1/groups/{}/users?limit={PAGE}", encoded(&group.id));
        let Some(users) = self.all::<User>(&path, slow).await? else {
            return Err(Unread::Fault("the group went while it was read".into()));
        };
        let members = users.into_iter().map(|user| MemberThere::Person(user.person())).collect();
        Ok(GroupSeen::There(GroupThere { id: group.id, name: group.name, members }))
    }

    async fn people(&self, keys: &[Key], slow: &mut Slow) -> Result<Vec<PersonSeen>, Unread> {
        let mut seen = Vec::with_capacity(keys.len());
        for key in keys {
            // An id or a login names somebody alike.
            let id = key.external_id.as_deref().unwrap_or(&key.name);
            let found: Option<User> = self.one(&format!("/api/v1/users/{}", encoded(id)), slow).await?;
            seen.push(found.map_or(PersonSeen::Missing, |user| PersonSeen::There(user.person())));
        }
        Ok(seen)
    }

    fn people_at_once(&self) -> usize {
        1
    }
}

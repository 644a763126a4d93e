//! Groups and people as Microsoft Graph shows them. Source: reference, section 7.5; `in` takes fifteen values at most.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use axon_model::name::fold;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{
    GroupFound, GroupSeen, GroupThere, Key, MemberThere, PersonSeen, PersonThere, Slow, Unread, Upstream,
};
use crate::entra::Entra;
use crate::guid::Guid;
use crate::service::{Kind, ServiceFault};
use crate::wire::{Call, encoded};

/// The most values of an `in`.
const MOST_IN: usize = 15;
/// The most members that are read of one group.
const MOST_MEMBERS: usize = 500_000;
const PERSON: &str = "id,userPrincipalName,mail,displayName,accountEnabled";

/// Microsoft Graph as an identity provider that is compared.
pub struct GraphRoll {
    entra: Arc<Entra>,
}

#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    id: Guid,
    #[serde(rename = "@odata.type")]
    odata_type: Option<String>,
    user_principal_name: Option<String>,
    mail: Option<String>,
    display_name: Option<String>,
    account_enabled: Option<bool>,
    deleted_date_time: Option<String>,
}

impl From<ServiceFault> for Unread {
    fn from(fault: ServiceFault) -> Self {
        Self::Fault(fault.to_string())
    }
}

impl Raw {
    /// A person with every name that may have been pushed. That people may change their own mail gives them nothing: who is found
    /// by it is only not taken for gone.
    fn person(self) -> PersonThere {
        let names = self.user_principal_name.into_iter().chain(self.mail).collect();
        PersonThere { id: self.id.to_string(), names, enabled: self.account_enabled.unwrap_or(true) }
    }

    fn member(self) -> MemberThere {
        match self.odata_type.as_deref() {
            Some("#microsoft.graph.user") => MemberThere::Person(self.person()),
            Some("#microsoft.graph.group") => {
                let id = self.id.to_string();
                MemberThere::Group { name: self.display_name.unwrap_or_else(|| id.clone()), id }
            }
            _ => MemberThere::Other,
        }
    }
}

impl GraphRoll {
    /// The directory behind this Graph.
    pub fn new(entra: Arc<Entra>) -> Self {
        Self { entra }
    }

    async fn ask<T: DeserializeOwned>(&self, call: Call<'_>, slow: &mut Slow) -> Result<T, ServiceOrEnough> {
        slow.turn().await.map_err(ServiceOrEnough::Enough)?;
        let answer = self.entra.service().call(call).await.map_err(ServiceOrEnough::Service)?;
        answer.json().map_err(|why| ServiceOrEnough::Service(ServiceFault::Unreadable(why)))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, slow: &mut Slow) -> Result<T, ServiceOrEnough> {
        self.ask(Call::get(self.entra.service().base.at(path)), slow).await
    }

    /// All pages of a list, or nothing.
    async fn all(&self, path: &str, most: usize, slow: &mut Slow) -> Result<Vec<Raw>, ServiceOrEnough> {
        let mut page: Page<Raw> = self.get(path, slow).await?;
        let mut found = Vec::new();
        loop {
            found.append(&mut page.value);
            if found.len() > most {
                let why = format!("Microsoft Graph lists more than {most} objects: they are not compared");
                return Err(ServiceOrEnough::Service(ServiceFault::Unreadable(why)));
            }
            let Some(next) = page.next else { return Ok(found) };
            let call = self.entra.service().link(&next).map_err(ServiceOrEnough::Service)?;
            page = self.ask(call, slow).await?;
        }
    }

    /// When something was deleted; none where it is not among the deleted items.
    async fn deleted(&self, id: Guid, slow: &mut Slow) -> Result<Option<Option<String>>, Unread> {
        let path = format!("/v1.0/directory/deletedItems/{id}?$select=id,deletedDateTime");
        match self.get::<Raw>(&path, slow).await {
            Ok(raw) => Ok(Some(raw.deleted_date_time)),
            Err(error) => error.missing_as(None),
        }
    }
}

/// Why a request has no answer.
enum ServiceOrEnough {
    Service(ServiceFault),
    Enough(Unread),
}

impl From<ServiceOrEnough> for Unread {
    fn from(error: ServiceOrEnough) -> Self {
        match error {
            ServiceOrEnough::Service(fault) => fault.into(),
            ServiceOrEnough::Enough(unread) => unread,
        }
    }
}

impl ServiceOrEnough {
    /// Something in place of a 404; every other fault stays one.
    fn missing_as<T>(self, none: T) -> Result<T, Unread> {
        match self {
            Self::Service(fault) if fault.kind() == Some(Kind::Missing) => Ok(none),
            other => Err(other.into()),
        }
    }
}

/// The object id that was pushed of a group, where one was.
fn id_of(key: &Key) -> Option<Guid> {
    key.external_id.as_deref()?.parse().ok()
}

#[async_trait]
impl Upstream for GraphRoll {
    fn name(&self) -> &'static str {
        "Microsoft Graph"
    }

    async fn called(&self, key: &Key, slow: &mut Slow) -> Result<Vec<GroupFound>, Unread> {
        let found = if let Some(id) = id_of(key) {
            match self.get::<Raw>(&format!("/v1.0/groups/{id}?$select=id,displayName"), slow).await {
                Ok(raw) => vec![raw],
                Err(error) => error.missing_as(Vec::new())?,
            }
        } else {
            let filter = encoded(&format!("displayName eq '{}'", key.name.replace('\'', "''")));
            self.all(&format!("/v1.0/groups?$filter={filter}&$select=id,displayName"), 1_000, slow).await?
        };
        let named = |raw: Raw| GroupFound {
            id: raw.id.to_string(),
            name: raw.display_name.unwrap_or_else(|| key.name.clone()),
        };
        Ok(found.into_iter().map(named).collect())
    }

    async fn group(&self, key: &Key, slow: &mut Slow) -> Result<GroupSeen, Unread> {
        let mut called = self.called(key, slow).await?;
        if called.len() > 1 {
            return Ok(GroupSeen::Several(called.into_iter().take(10).map(|group| group.id).collect()));
        }
        let Some(found) = called.pop() else {
            let deleted = match id_of(key) {
                Some(id) => self.deleted(id, slow).await?,
                None => None,
            };
            return Ok(deleted.map_or(GroupSeen::Missing, GroupSeen::Deleted));
        };
        let path = format!("/v1.0/groups/{}/members?$select={PERSON}&$top=999", found.id);
        let members = self.all(&path, MOST_MEMBERS, slow).await?;
        Ok(GroupSeen::There(GroupThere {
            id: found.id,
            name: found.name,
            members: members.into_iter().map(Raw::member).collect(),
        }))
    }

    async fn people(&self, keys: &[Key], slow: &mut Slow) -> Result<Vec<PersonSeen>, Unread> {
        let mut seen = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(MOST_IN) {
            // By the object id where one was pushed, then by name: an `externalId` may be something else.
            let ids: Vec<Option<Guid>> =
                chunk.iter().map(|key| key.external_id.as_deref()?.parse().ok()).collect();
            let asked: Vec<String> = ids.iter().flatten().map(ToString::to_string).collect();
            let by_id = self.with("id", &asked, slow, |person| vec![person.id.clone()]).await?;
            let found = |id: &Option<Guid>| id.and_then(|id| by_id.get(&id.to_string()).cloned());
            let rest: Vec<String> = chunk
                .iter()
                .zip(&ids)
                .filter(|(_, id)| found(id).is_none())
                .map(|(key, _)| key.name.clone())
                .collect();
            let mut by_name =
                self.with("userPrincipalName", &rest, slow, |person| person.names.clone()).await?;
            let rest: Vec<String> =
                rest.into_iter().filter(|name| !by_name.contains_key(&fold(name))).collect();
            by_name.extend(self.with("mail", &rest, slow, |person| person.names.clone()).await?);
            for (key, id) in chunk.iter().zip(&ids) {
                seen.push(match (found(id).or_else(|| by_name.get(&fold(&key.name)).cloned()), id) {
                    (Some(person), _) => PersonSeen::There(person),
                    (None, Some(id)) => {
                        self.deleted(*id, slow).await?.map_or(PersonSeen::Missing, PersonSeen::Deleted)
                    }
                    (None, None) => PersonSeen::Missing,
                });
            }
        }
        Ok(seen)
    }

    fn people_at_once(&self) -> usize {
        MOST_IN
    }
}

impl GraphRoll {
    /// People of whom an attribute has one of these values, by what tells them.
    async fn with(
        &self,
        attribute: &str,
        values: &[String],
        slow: &mut Slow,
        told_by: fn(&PersonThere) -> Vec<String>,
    ) -> Result<HashMap<String, PersonThere>, Unread> {
        if values.is_empty() {
            return Ok(HashMap::new());
        }
        let quoted: Vec<String> =
            values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
        let filter = encoded(&format!("{attribute} in ({})", quoted.join(",")));
        let path = format!("/v1.0/users?$filter={filter}&$select={PERSON}");
        let people = self.all(&path, 1_000, slow).await?.into_iter().map(Raw::person);
        let pairs = people.flat_map(|person| {
            let keys = told_by(&person);
            keys.into_iter().map(move |key| (fold(&key), person.clone()))
        });
        Ok(pairs.collect())
    }
}

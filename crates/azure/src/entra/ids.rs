//! A service identity and its two ids: the object id that role assignments take, and the client id that a pool's SID is made of.

use std::collections::BTreeSet;

use super::{Clue, Entra, Entry, EntryKind, Found};
use crate::guid::Guid;
use crate::service::ServiceFault;

/// What the role map says of a service identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceIds {
    /// Its name.
    pub name: String,
    /// Its client id, where it is pinned.
    pub client_id: Option<Guid>,
    /// The object id of its service principal, where it is pinned.
    pub object_id: Option<Guid>,
}

impl Entra {
    /// Whom the role map means, or what is wrong with what it says. The outer error is that Graph said nothing.
    pub async fn service_identity(&self, ids: &ServiceIds) -> Result<Result<Entry, String>, String> {
        self.identify(ids).await.map_err(|fault| fault.to_string())
    }

    /// The same, with the service's own fault.
    pub(crate) async fn identify(&self, ids: &ServiceIds) -> Result<Result<Entry, String>, ServiceFault> {
        let ServiceIds { name, client_id, object_id } = ids;
        if let Some(object) = object_id {
            return self.by_object(name, *object, *client_id).await;
        }
        let clue = client_id.map_or_else(|| Clue::Service(name.clone()), Clue::Client);
        let (found, _) = self.find(&clue).await?;
        if let (Found::Nobody, Some(client)) = (&found, client_id)
            && let Some(entry) = self.of_id(*client).await?
        {
            return Ok(Err(swapped("client_id", name, *client, &entry)));
        }
        Ok(found.usable(&clue).cloned())
    }

    async fn by_object(
        &self,
        name: &str,
        object: Guid,
        client: Option<Guid>,
    ) -> Result<Result<Entry, String>, ServiceFault> {
        let Some(entry) = self.of_id(object).await? else {
            let (found, _) = self.find(&Clue::Client(object)).await?;
            return Ok(Err(match found {
                Found::One(entry) => swapped("object_id", name, object, &entry),
                Found::Nobody | Found::Deleted(_) | Found::Several(_) => {
                    let deleted = self.deleted(object).await?;
                    format!(
                        "{name} is said to have the object id {object}, {}",
                        super::gone(deleted.as_ref())
                    )
                }
            }));
        };
        if entry.kind != EntryKind::ServicePrincipal {
            return Ok(Err(format!("{name} is another kind of object in the directory: {}", entry.told())));
        }
        if let (Some(wanted), Some(own)) = (client, entry.client_id)
            && wanted != own
        {
            return Ok(Err(format!(
                "{name} is said to have the client id {wanted}, and the object {object} has {own}: they are two identities"
            )));
        }
        Ok(entry.usable(name).map(|()| entry))
    }

    async fn of_id(&self, id: Guid) -> Result<Option<Entry>, ServiceFault> {
        let known = self.by_ids(&BTreeSet::from([id])).await?;
        Ok(known.get(&id).cloned().flatten())
    }
}

/// The one id was written where the other one belongs.
fn swapped(key: &str, name: &str, id: Guid, entry: &Entry) -> String {
    let client = entry.client_id.map_or_else(|| "another one".to_owned(), |client| client.to_string());
    format!(
        "`{key}` of {name} is {id}, which is its {}: its client id is {client}, its object id {}",
        if key == "client_id" { "object id" } else { "client id" },
        entry.id
    )
}

//! The requests to Graph. Source: reference, section 7.5; `getByIds` is general knowledge.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;

use super::entry::{Entry, EntryKind, Raw};
use super::{Clue, Deleted, Found};
use crate::guid::Guid;
use crate::service::{Kind, Service, ServiceFault};
use crate::wire::{Call, Content, encoded};

/// The most ids of one request.
pub(super) const MOST_IDS: usize = 1_000;
/// The most pages of a list of namesakes: whoever has more is ambiguous in any case.
const MOST_PAGES: usize = 5;

const PERSON: &str = "id,userPrincipalName,displayName,accountEnabled,onPremisesImmutableId,userType";
const GROUP: &str = "id,displayName,securityEnabled";
const SERVICE: &str = "id,appId,displayName,accountEnabled";

#[derive(Deserialize)]
struct Page {
    value: Vec<Raw>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

/// Looks for somebody; of whom there is nobody, whether there was somebody until lately.
pub(super) async fn find(service: &Service, clue: &Clue) -> Result<Found, ServiceFault> {
    match living(service, clue).await? {
        Found::Nobody => Ok(lately(service, clue).await.map_or(Found::Nobody, Found::Deleted)),
        found => Ok(found),
    }
}

async fn living(service: &Service, clue: &Clue) -> Result<Found, ServiceFault> {
    match clue {
        Clue::Person(name) => person(service, name).await,
        Clue::Group(name) => {
            named(service, "groups", &equal("displayName", name), GROUP, EntryKind::Group).await
        }
        Clue::Service(name) => {
            let filter = equal("displayName", name);
            named(service, "servicePrincipals", &filter, SERVICE, EntryKind::ServicePrincipal).await
        }
        Clue::Client(id) => {
            let path = format!("/v1.0/servicePrincipals(appId='{id}')?$select={SERVICE}");
            Ok(one(service, &path, EntryKind::ServicePrincipal).await?.map_or(Found::Nobody, Found::One))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gone {
    id: Guid,
    user_principal_name: Option<String>,
    deleted_date_time: Option<String>,
}

#[derive(Deserialize)]
struct GonePage {
    value: Vec<Gone>,
}

/// The one deleted object of a name. It only words a reason, so whatever cannot be asked is none.
async fn lately(service: &Service, clue: &Clue) -> Option<Deleted> {
    // A name is asked for only where there is one: groups and service principals have no userPrincipalName.
    let (kind, filter, select) = match clue {
        // A deleted person's name has the object id before it.
        Clue::Person(name) => {
            let ends = format!("endsWith(userPrincipalName,'{}')", name.replace('\'', "''"));
            let filter = format!("{}&$count=true", encoded(&ends));
            ("user", filter, "id,userPrincipalName,deletedDateTime")
        }
        Clue::Group(name) => ("group", equal("displayName", name), "id,deletedDateTime"),
        Clue::Service(name) => ("servicePrincipal", equal("displayName", name), "id,deletedDateTime"),
        Clue::Client(_) => return None,
    };
    let path =
        format!("/v1.0/directory/deletedItems/microsoft.graph.{kind}?$filter={filter}&$select={select}");
    let mut call = Call::get(service.base.at(&path));
    if kind == "user" {
        call = call.header("consistencylevel", "eventual");
    }
    let page: GonePage = service.call(call).await.ok()?.json().ok()?;
    let of_name = |gone: &Gone| match (clue, &gone.user_principal_name) {
        (Clue::Person(name), Some(own)) => {
            let head = own.len().checked_sub(name.len()).and_then(|at| own.get(..at));
            head.is_some_and(|head| head.is_empty() || head == gone.id.to_string().replace('-', ""))
        }
        (Clue::Person(_), None) => false,
        _ => true,
    };
    let mut found = page.value.into_iter().filter(of_name);
    let one = found.next()?;
    found.next().is_none().then_some(Deleted { id: one.id, at: one.deleted_date_time })
}

/// The deleted object of an id.
pub(super) async fn deleted(service: &Service, id: Guid) -> Result<Option<Deleted>, ServiceFault> {
    let path = format!("/v1.0/directory/deletedItems/{id}?$select=id,deletedDateTime");
    match service.call(Call::get(service.base.at(&path))).await {
        Ok(answer) => {
            let gone: Gone = answer.json().map_err(ServiceFault::Unreadable)?;
            Ok(Some(Deleted { id: gone.id, at: gone.deleted_date_time }))
        }
        Err(fault) if matches!(fault.kind(), Some(Kind::Missing | Kind::Forbidden | Kind::Other)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn person(service: &Service, name: &str) -> Result<Found, ServiceFault> {
    // A name that begins with `$` is an option in a path.
    let path = if name.starts_with('$') {
        format!("/v1.0/users('{}')?$select={PERSON}", encoded(&name.replace('\'', "''")))
    } else {
        format!("/v1.0/users/{}?$select={PERSON}", encoded(name))
    };
    if let Some(entry) = one(service, &path, EntryKind::User).await? {
        return Ok(Found::One(entry));
    }
    if !name.contains('@') {
        return Ok(Found::Nobody);
    }
    // A guest's userPrincipalName is made here of the address at home. Of others the mail says nothing: they may change it.
    Ok(match named(service, "users", &equal("mail", name), PERSON, EntryKind::User).await? {
        Found::One(entry) if entry.guest => Found::One(entry),
        Found::Several(mut entries) => {
            entries.retain(|entry| entry.guest);
            match entries.len() {
                0 => Found::Nobody,
                1 => entries.pop().map_or(Found::Nobody, Found::One),
                _ => Found::Several(entries),
            }
        }
        Found::One(_) | Found::Nobody | Found::Deleted(_) => Found::Nobody,
    })
}

fn equal(attribute: &str, value: &str) -> String {
    encoded(&format!("{attribute} eq '{}'", value.replace('\'', "''")))
}

/// One object by its own address; none where there is none.
async fn one(service: &Service, path: &str, kind: EntryKind) -> Result<Option<Entry>, ServiceFault> {
    match service.call(Call::get(service.base.at(path))).await {
        Ok(answer) => {
            let raw: Raw = answer.json().map_err(ServiceFault::Unreadable)?;
            Ok(raw.entry(Some(kind)))
        }
        Err(fault) if fault.kind() == Some(Kind::Missing) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// All that a filter finds.
async fn named(
    service: &Service,
    collection: &str,
    filter: &str,
    select: &str,
    kind: EntryKind,
) -> Result<Found, ServiceFault> {
    let mut call =
        Call::get(service.base.at(&format!("/v1.0/{collection}?$filter={filter}&$select={select}")));
    let mut found: Vec<Entry> = Vec::new();
    for _ in 0..MOST_PAGES {
        let page: Page = service.call(call).await?.json().map_err(ServiceFault::Unreadable)?;
        found.extend(page.value.into_iter().filter_map(|raw| raw.entry(Some(kind))));
        let Some(next) = page.next else { break };
        call = service.link(&next)?;
    }
    found.sort_by_key(|entry| entry.id);
    found.dedup_by_key(|entry| entry.id);
    Ok(match found.len() {
        0 => Found::Nobody,
        1 => found.pop().map_or(Found::Nobody, Found::One),
        _ => Found::Several(found),
    })
}

/// Who has these ids. A directory that does not know the request is asked one by one.
pub(super) async fn by_ids(service: &Service, ids: &[Guid]) -> Result<BTreeMap<Guid, Entry>, ServiceFault> {
    let body = serde_json::json!({"ids": ids, "types": ["user", "group", "servicePrincipal"]});
    let mut call = Call::new(Method::POST, service.base.at("/v1.0/directoryObjects/getByIds"))
        .content(Content::Json(body.to_string()));
    let mut found = BTreeMap::new();
    for _ in 0..=ids.len() {
        let answer = match service.call(call).await {
            Ok(answer) => answer,
            Err(fault) if matches!(fault.kind(), Some(Kind::Missing | Kind::Other)) => {
                return one_by_one(service, ids).await;
            }
            Err(fault) => return Err(fault),
        };
        let page: Page = answer.json().map_err(ServiceFault::Unreadable)?;
        let entries = page.value.into_iter().filter_map(|raw| raw.entry(None));
        found.extend(entries.map(|entry| (entry.id, entry)));
        let Some(next) = page.next else { break };
        call = service.link(&next)?;
    }
    Ok(found)
}

async fn one_by_one(service: &Service, ids: &[Guid]) -> Result<BTreeMap<Guid, Entry>, ServiceFault> {
    let kinds = [
        ("users", PERSON, EntryKind::User),
        ("groups", GROUP, EntryKind::Group),
        ("servicePrincipals", SERVICE, EntryKind::ServicePrincipal),
    ];
    let mut found = BTreeMap::new();
    for id in ids {
        for (collection, select, kind) in kinds {
            let path = format!("/v1.0/{collection}/{id}?$select={select}");
            if let Some(entry) = one(service, &path, kind).await? {
                found.insert(*id, entry);
                break;
            }
        }
    }
    Ok(found)
}

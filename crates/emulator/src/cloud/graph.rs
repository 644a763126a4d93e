//! The part of Microsoft Graph that reads people, groups and service principals (reference 7.5), and federated credentials (8.4).

mod collection;
mod entry;
mod federated;
mod filter;

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::Desk;
use super::reply::Reply;
use crate::directory::Directory;

use entry::{Entry, Kind};

/// The most ids that `getByIds` takes.
const MOST_IDS: usize = 1_000;

pub(super) fn answer(desk: &mut Desk<'_>) -> Reply {
    let path = desk.request.decoded_path();
    let reads = desk
        .caller
        .client
        .as_ref()
        .and_then(|id| desk.directory.app(id))
        .is_none_or(|app| app.reads_directory);
    if desk.state.settings.enforce && !reads {
        return refused(
            desk,
            403,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        );
    }
    // An id may hold a slash only where it is quoted.
    let rest = path.strip_prefix("/v1.0/").unwrap_or_default();
    let steps: Vec<&str> = if rest.contains("('") { vec![rest] } else { rest.split('/').collect() };
    let method = desk.request.method.as_str();
    match (method, &steps[..]) {
        ("POST", ["directoryObjects", "getByIds"]) => by_ids(desk),
        (_, ["applications", id, "federatedIdentityCredentials", more @ ..]) => {
            let (id, more) = ((*id).to_owned(), more.first().map(|more| (*more).to_owned()));
            federated::answer(desk, &id, more.as_deref())
        }
        ("GET", [application, "federatedIdentityCredentials"])
            if application.starts_with("applications(appId='") =>
        {
            let client =
                application.trim_start_matches("applications(appId='").trim_end_matches("')").to_owned();
            let registration = desk.directory.app(&client).and_then(|app| app.registration_id.clone());
            match registration {
                Some(id) => federated::answer(desk, &id, None),
                None => missing(desk, &client),
            }
        }
        ("GET", ["directory", "deletedItems", kind]) => deleted_items(desk, kind),
        ("GET", ["directoryObjects", id]) => {
            let found = Kind::ALL
                .iter()
                .flat_map(|kind| all(desk.directory, *kind))
                .find(|own| own.id().eq_ignore_ascii_case(id));
            one(desk, found, id)
        }
        ("GET", [collection, rest @ ..]) => read(desk, collection, rest),
        _ => refused(
            desk,
            405,
            "Request_BadRequest",
            "Specified HTTP method is not allowed for the request target.",
        ),
    }
}

/// Deleted objects of a kind, or the one of an id. People are named with their object id before the UPN.
fn deleted_items(desk: &Desk<'_>, which: &str) -> Reply {
    let mut deleted = Directory {
        users: desk.directory.deleted.users.clone(),
        groups: desk.directory.deleted.groups.clone(),
        apps: desk.directory.deleted.apps.clone(),
        ..Directory::default()
    };
    deleted.deleted.at = desk.directory.deleted.at.clone();
    for user in &mut deleted.users {
        user.upn = format!("{}{}", user.object_id.replace('-', ""), user.upn);
    }
    if let Some(kind) = Kind::typed(which) {
        return collection::list(desk, &all(&deleted, kind));
    }
    let every = Kind::ALL.into_iter().flat_map(|kind| all(&deleted, kind));
    let found = every.into_iter().find(|entry| entry.id().eq_ignore_ascii_case(which));
    let Some(entry) = found else { return missing(desk, which) };
    let mut shown = entry.shown(desk.request.parameter("$select").as_deref());
    if let Some(at) = deleted.deleted.at.get(entry.id()) {
        shown["deletedDateTime"] = at.as_str().into();
    }
    Reply::ok(&shown)
}

fn read(desk: &Desk<'_>, collection: &str, rest: &[&str]) -> Reply {
    let (name, key) = match collection.split_once('(') {
        Some((name, key)) => (name, key.strip_suffix(')')),
        None => (collection, rest.first().copied()),
    };
    let Some(kind) = Kind::collection(name) else { return no_segment(desk, name) };
    let entries: Vec<Entry<'_>> =
        all(desk.directory, kind).into_iter().filter(|own| seen(desk, own)).collect();
    let Some(key) = key else { return collection::list(desk, &entries) };
    let found = entries.into_iter().find(|own| own.has_key(key));
    match rest.get(1) {
        None => one(desk, found, key),
        Some(relation @ (&"members" | &"transitiveMembers")) => match found {
            Some(Entry::Group(group)) => {
                let mut members = entry::members(desk.directory, group, *relation == "transitiveMembers");
                members.retain(|own| seen(desk, own));
                collection::list(desk, &members)
            }
            _ => missing(desk, key),
        },
        Some(&"memberOf" | &"transitiveMemberOf") => match found {
            Some(found) => {
                let groups = super::token::bearer::groups_of(desk.directory, found.id());
                let direct = rest.get(1) == Some(&"memberOf");
                let listed: Vec<Entry<'_>> = all(desk.directory, Kind::Group)
                    .into_iter()
                    .filter(|own| groups.iter().any(|id| id == own.id()))
                    .filter(|own| !direct || own.holds(desk.directory, found.id()))
                    .collect();
                collection::list(desk, &listed)
            }
            None => missing(desk, key),
        },
        Some(other) => no_segment(desk, other),
    }
}

fn one(desk: &Desk<'_>, found: Option<Entry<'_>>, key: &str) -> Reply {
    match found {
        Some(found) => Reply::ok(&found.shown(desk.request.parameter("$select").as_deref())),
        None => missing(desk, key),
    }
}

fn by_ids(desk: &Desk<'_>) -> Reply {
    let body: Value = desk.request.json().unwrap_or_default();
    let Some(ids) = body["ids"].as_array() else {
        return refused(desk, 400, "Request_BadRequest", "The collection 'ids' is missing.");
    };
    if ids.len() > MOST_IDS {
        return refused(desk, 400, "Request_BadRequest", "Too many ids: at most 1000.");
    }
    let types = body["types"].as_array();
    let wanted = |kind: Kind| types.is_none_or(|types| types.iter().any(|own| own == kind.word()));
    let asked: std::collections::BTreeSet<String> =
        ids.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect();
    let found: Vec<Value> = Kind::ALL
        .iter()
        .filter(|kind| wanted(**kind))
        .flat_map(|kind| all(desk.directory, *kind))
        .filter(|own| asked.contains(&own.id().to_ascii_lowercase()) && seen(desk, own))
        .map(|own| own.shown(None))
        .collect();
    Reply::ok(
        &json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#directoryObjects", "value": found}),
    )
}

/// Whether replication has brought an object here.
fn seen(desk: &Desk<'_>, entry: &Entry<'_>) -> bool {
    !desk.directory.hidden_until.iter().any(|(name, until)| {
        desk.now < *until
            && (crate::catalog::name::same(name, entry.name()) || name.eq_ignore_ascii_case(entry.id()))
    })
}

fn all(directory: &Directory, kind: Kind) -> Vec<Entry<'_>> {
    match kind {
        Kind::User => directory.users.iter().map(Entry::User).collect(),
        Kind::Group => directory.groups.iter().map(Entry::Group).collect(),
        Kind::ServicePrincipal => directory.apps.iter().map(Entry::App).collect(),
    }
}

fn missing(desk: &Desk<'_>, key: &str) -> Reply {
    let shown: String = key.trim_matches('\'').chars().take(200).collect();
    let text = format!(
        "Resource '{shown}' does not exist or one of its queried reference-property objects are not present."
    );
    refused(desk, 404, "Request_ResourceNotFound", &text)
}

fn no_segment(desk: &Desk<'_>, name: &str) -> Reply {
    let shown: String = name.chars().take(200).collect();
    refused(desk, 400, "BadRequest", &format!("Resource not found for the segment '{shown}'."))
}

/// Graph's errors say when, and by which request.
fn refused(desk: &Desk<'_>, status: u16, code: &str, message: &str) -> Reply {
    let own = desk.request.header("client-request-id").unwrap_or("00000000-0000-0000-0000-000000000000");
    let inner = json!({"date": desk.now.format(&Rfc3339).unwrap_or_default(), "request-id": own, "client-request-id": own});
    Reply::json(status, &json!({"error": {"code": code, "message": message, "innerError": inner}}))
}

//! A stored resource as its client sees it: addresses put on, attributes chosen, entity tag and location in the headers.

use axon_scim::{Projection, Resource, ResourceKind};
use axon_store::stored::entity_tag;
use axon_store::{StoredGroup, StoredUser};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value};

use crate::call::Call;
use crate::reply::scim_json;
use crate::state::Api;

/// A resource that can be shown.
pub trait Shown {
    /// User or Group.
    const KIND: ResourceKind;
    /// The id in the address.
    fn id(&self) -> String;
    /// The version behind the entity tag.
    fn version(&self) -> u64;
    /// The document with what the server says.
    fn decorated(&self) -> Resource;
}

impl Shown for StoredUser {
    const KIND: ResourceKind = ResourceKind::User;

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn decorated(&self) -> Resource {
        StoredUser::decorated(self)
    }
}

impl Shown for StoredGroup {
    const KIND: ResourceKind = ResourceKind::Group;

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn decorated(&self) -> Resource {
        StoredGroup::decorated(self)
    }
}

/// The JSON object that a client sees.
pub fn object<T: Shown>(api: &Api, call: &Call, projection: &Projection, stored: &T) -> Map<String, Value> {
    let mut map = stored.decorated().into_map();
    let location = location(call, stored);
    if let Some(Value::Object(meta)) = map.get_mut("meta") {
        meta.insert("location".into(), Value::from(location));
    }
    for (list, default) in [("members", "User"), ("groups", "Group")] {
        let Some(Value::Array(elements)) = map.get_mut(list) else { continue };
        for element in elements.iter_mut().filter_map(Value::as_object_mut) {
            let kind = if list == "groups" {
                default
            } else {
                element.get("type").and_then(Value::as_str).unwrap_or(default)
            };
            if let Some(value) = element.get("value").and_then(Value::as_str) {
                let reference = format!("{}/{kind}s/{value}", call.base);
                element.insert("$ref".into(), Value::from(reference));
            }
        }
    }
    projection.apply(&mut map, &api.registry, T::KIND);
    map
}

fn location<T: Shown>(call: &Call, stored: &T) -> String {
    format!("{}{}/{}", call.base, T::KIND.endpoint(), stored.id())
}

/// The answer with a resource in it.
pub fn resource<T: Shown>(
    api: &Api,
    call: &Call,
    projection: &Projection,
    status: StatusCode,
    stored: &T,
) -> Response {
    let mut response = scim_json(status, &object(api, call, projection, stored));
    headers(&mut response, call, stored);
    response
}

/// The answer without a body.
pub fn nothing<T: Shown>(call: &Call, stored: &T) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    headers(&mut response, call, stored);
    response
}

fn headers<T: Shown>(response: &mut Response, call: &Call, stored: &T) {
    for (name, text) in
        [(header::ETAG, entity_tag(stored.version())), (header::LOCATION, location(call, stored))]
    {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
}

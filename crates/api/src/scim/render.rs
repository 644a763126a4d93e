//! A stored resource as its client sees it: addresses put on, attributes chosen, entity tag and location in the headers.
//!
//! Where the client does not choose attributes, the answer is written straight from what is stored: no tree is built, neither
//! of the document nor of a hundred thousand members.

mod stream;

use std::fmt;

use axon_model::MemberKind;
use axon_scim::{Projection, Resource, ResourceKind};
use axon_store::stored::{entity_tag, shown_instant};
use axon_store::{GroupRef, Member, MemberReader, StoredGroup, StoredUser};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::call::Call;
use crate::reply::{scim_json, unwritable};
use crate::state::Api;

/// A resource that can be shown.
pub trait Shown {
    /// User or Group.
    const KIND: ResourceKind;
    /// The attribute that points at others.
    const LINKS: &'static str;

    /// The id in the address.
    fn id(&self) -> impl fmt::Display;
    /// When it came, when it last changed, and the version behind the entity tag.
    fn history(&self) -> (OffsetDateTime, OffsetDateTime, u64);
    /// The document, without what the server says.
    fn document(&self) -> &Map<String, Value>;
    /// The document with what the server says.
    fn decorated(&self) -> Resource;
    /// Those that it points at, where they were read.
    fn links(&self) -> Option<impl ExactSizeIterator<Item = Link<'_>>>;
}

/// One element of `members` or `groups`.
pub struct Link<'a> {
    who: MemberKind,
    label: &'static str,
    /// Where it is shown without being asked for.
    display: Option<&'a str>,
}

impl Shown for StoredUser {
    const KIND: ResourceKind = ResourceKind::User;
    const LINKS: &'static str = "groups";

    fn id(&self) -> impl fmt::Display {
        self.id
    }

    fn history(&self) -> (OffsetDateTime, OffsetDateTime, u64) {
        (self.created, self.modified, self.version)
    }

    fn document(&self) -> &Map<String, Value> {
        self.resource.as_map()
    }

    fn decorated(&self) -> Resource {
        StoredUser::decorated(self)
    }

    fn links(&self) -> Option<impl ExactSizeIterator<Item = Link<'_>>> {
        self.groups.as_ref().map(|groups| groups.iter().map(of_group))
    }
}

fn of_group(group: &GroupRef) -> Link<'_> {
    Link { who: MemberKind::Group(group.id), label: "direct", display: Some(&group.display) }
}

fn of_member(member: &Member) -> Link<'_> {
    Link { who: member.value, label: member.kind().name(), display: None }
}

impl Shown for StoredGroup {
    const KIND: ResourceKind = ResourceKind::Group;
    const LINKS: &'static str = "members";

    fn id(&self) -> impl fmt::Display {
        self.id
    }

    fn history(&self) -> (OffsetDateTime, OffsetDateTime, u64) {
        (self.created, self.modified, self.version)
    }

    fn document(&self) -> &Map<String, Value> {
        self.resource.as_map()
    }

    fn decorated(&self) -> Resource {
        StoredGroup::decorated(self)
    }

    fn links(&self) -> Option<impl ExactSizeIterator<Item = Link<'_>>> {
        self.members.as_ref().map(|members| members.iter().map(of_member))
    }
}

/// What the answers to one call have in common.
#[derive(Clone, Copy)]
pub struct View<'a> {
    api: &'a Api,
    call: &'a Call,
    projection: &'a Projection,
}

/// A resource under a view: serialises as the JSON object that the client sees.
pub struct Seen<'a, T> {
    view: View<'a>,
    stored: &'a T,
}

impl<'a> View<'a> {
    /// The view of a call under a choice of attributes.
    pub fn new(api: &'a Api, call: &'a Call, projection: &'a Projection) -> Self {
        Self { api, call, projection }
    }

    /// Whose call it answers.
    pub fn call(self) -> &'a Call {
        self.call
    }

    /// A resource under this view.
    pub fn of<T: Shown>(self, stored: &'a T) -> Seen<'a, T> {
        Seen { view: self, stored }
    }

    /// The answer with a resource in it.
    pub fn answer<T: Shown>(self, status: StatusCode, stored: &T) -> Response {
        let mut response = scim_json(status, &self.of(stored));
        headers(&mut response, self.call, stored);
        response
    }
}

impl View<'_> {
    /// The answer with a group whose members are written while they are read.
    pub fn stream(self, status: StatusCode, group: &StoredGroup, reader: Box<dyn MemberReader>) -> Response {
        stream::answer(self, status, group, reader).unwrap_or_else(|error| unwritable(&error))
    }
}

impl<T: Shown> Serialize for Seen<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let View { api, projection, .. } = self.view;
        if *projection == Projection::all() && api.defaults.kind(T::KIND).covers(self.stored.document()) {
            return self.whole(to);
        }
        self.chosen().serialize(to)
    }
}

impl<T: Shown> Seen<'_, T> {
    /// Written straight from what is stored.
    fn whole<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut out = to.serialize_map(None)?;
        for (name, value) in self.stored.document() {
            out.serialize_entry(name, value)?;
        }
        out.serialize_entry("id", &Shows(self.stored.id()))?;
        out.serialize_entry("meta", &Meta(self))?;
        if let Some(links) = self.stored.links()
            && links.len() > 0
        {
            out.serialize_entry(T::LINKS, &Links(self))?;
        }
        out.end()
    }

    /// Chosen from a copy, as the client says.
    fn chosen(&self) -> Map<String, Value> {
        let View { api, call, projection } = self.view;
        let mut map = self.stored.decorated().into_map();
        if let Some(Value::Object(meta)) = map.get_mut("meta") {
            meta.insert("location".into(), Value::from(location(call, self.stored).to_string()));
        }
        let listed = map.get_mut(T::LINKS).and_then(Value::as_array_mut);
        if let (Some(listed), Some(links)) = (listed, self.stored.links()) {
            for (element, link) in listed.iter_mut().filter_map(Value::as_object_mut).zip(links) {
                element.insert("$ref".into(), Value::from(link.address(call).to_string()));
            }
        }
        projection.apply(&mut map, &api.registry, T::KIND);
        map
    }
}

/// `meta`.
struct Meta<'a, T>(&'a Seen<'a, T>);

impl<T: Shown> Serialize for Meta<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Seen { view, stored } = self.0;
        let (created, modified, version) = stored.history();
        let mut out = to.serialize_map(Some(5))?;
        out.serialize_entry("resourceType", T::KIND.name())?;
        out.serialize_entry("created", &shown_instant(created))?;
        out.serialize_entry("lastModified", &shown_instant(modified))?;
        out.serialize_entry("location", &Shows(location(view.call, *stored)))?;
        out.serialize_entry("version", &entity_tag(version))?;
        out.end()
    }
}

/// `members` or `groups`.
struct Links<'a, T>(&'a Seen<'a, T>);

impl<T: Shown> Serialize for Links<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Seen { view, stored } = self.0;
        let mut out = to.serialize_seq(None)?;
        for link in stored.links().into_iter().flatten() {
            out.serialize_element(&Element { call: view.call, link })?;
        }
        out.end()
    }
}

struct Element<'a> {
    call: &'a Call,
    link: Link<'a>,
}

impl Serialize for Element<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut out = to.serialize_map(None)?;
        match self.link.who {
            MemberKind::User(id) => out.serialize_entry("value", &id)?,
            MemberKind::Group(id) => out.serialize_entry("value", &id)?,
        }
        out.serialize_entry("$ref", &Shows(self.link.address(self.call)))?;
        if let Some(display) = self.link.display {
            out.serialize_entry("display", display)?;
        }
        out.serialize_entry("type", self.link.label)?;
        out.end()
    }
}

/// Text that is written without being made first.
struct Shows<D>(D);

impl<D: fmt::Display> Serialize for Shows<D> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl Link<'_> {
    fn address(&self, call: &Call) -> impl fmt::Display {
        fmt::from_fn(move |f| match self.who {
            MemberKind::User(id) => write!(f, "{}/Users/{id}", call.base),
            MemberKind::Group(id) => write!(f, "{}/Groups/{id}", call.base),
        })
    }
}

fn location<T: Shown>(call: &Call, stored: &T) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "{}{}/{}", call.base, T::KIND.endpoint(), stored.id()))
}

/// The answer without a body.
pub fn nothing<T: Shown>(call: &Call, status: StatusCode, stored: &T) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    headers(&mut response, call, stored);
    response
}

fn headers<T: Shown>(response: &mut Response, call: &Call, stored: &T) {
    let (_, _, version) = stored.history();
    response.headers_mut().insert(header::ETAG, entity_tag_value(version));
    if let Ok(value) = HeaderValue::try_from(location(call, stored).to_string()) {
        response.headers_mut().insert(header::LOCATION, value);
    }
}

/// The entity tag of a version, as [`entity_tag`] writes it, with its digits set by hand: one stands in each answer.
pub fn entity_tag_value(version: u64) -> HeaderValue {
    let mut text = *b"W/\"00000000000000000000\"";
    let (mut at, mut rest) = (text.len() - 1, version);
    loop {
        at -= 1;
        text[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    at -= 3;
    text[at..at + 3].copy_from_slice(b"W/\"");
    HeaderValue::from_bytes(&text[at..]).expect("digits, a slash and quotes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_has_all_its_digits() {
        for version in [0, 1, 9, 10, 1_234_567_890, u64::MAX] {
            assert_eq!(entity_tag_value(version).to_str().unwrap(), entity_tag(version));
        }
    }
}

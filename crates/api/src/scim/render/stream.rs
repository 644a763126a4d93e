//! A group whose members are written while they are read: the memory that an answer needs does not grow with the group.

use std::mem;

use axon_scim::Projection;
use axon_store::{Member, MemberReader, StoredGroup};
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream;
use serde_json::{Map, Value};

use super::{Element, Shown as _, View, headers, of_member};
use crate::call::Call;
use crate::reply::scim_stream;
use crate::state::Api;

/// The answer with a group and the members that a reader gives.
pub fn answer(
    view: View<'_>,
    status: StatusCode,
    group: &StoredGroup,
    reader: Box<dyn MemberReader>,
) -> Result<Response, serde_json::Error> {
    let mut head = serde_json::to_vec(&view.of(group))?;
    // The object is left open for its members.
    head.pop();
    let writing = Writing {
        api: view.api.clone(),
        call: view.call.clone(),
        projection: view.projection.clone(),
        is_plain: *view.projection == Projection::all(),
        step: Step::Head(head, reader),
        empty: true,
    };
    let mut response = scim_stream(status, stream::unfold(writing, Writing::piece));
    headers(&mut response, view.call, group);
    Ok(response)
}

struct Writing {
    api: Api,
    call: Call,
    projection: Projection,
    /// Does nobody choose attributes?
    is_plain: bool,
    step: Step,
    /// Was no member written yet?
    empty: bool,
}

enum Step {
    Head(Vec<u8>, Box<dyn MemberReader>),
    Members(Box<dyn MemberReader>),
    Over,
}

impl Writing {
    /// The next piece. When the store fails in the middle the body breaks off, so that nobody takes a part for the whole.
    async fn piece(mut self) -> Option<(Result<Bytes, std::io::Error>, Self)> {
        let mut reader = match mem::replace(&mut self.step, Step::Over) {
            Step::Head(head, reader) => {
                self.step = Step::Members(reader);
                return Some((Ok(head.into()), self));
            }
            Step::Members(reader) => reader,
            Step::Over => return None,
        };
        let read = match reader.next().await {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "an answer broke off");
                return Some((Err(std::io::Error::other("the directory cannot be read on")), self));
            }
        };
        if read.is_empty() {
            let end: &[u8] = if self.empty { b"}" } else { b"]}" };
            return Some((Ok(Bytes::from_static(end)), self));
        }
        self.step = Step::Members(reader);
        let piece = self.write(&read).map_err(std::io::Error::other);
        Some((piece.map(Bytes::from), self))
    }

    fn write(&mut self, members: &[Member]) -> Result<Vec<u8>, serde_json::Error> {
        let mut out = Vec::with_capacity(members.len() * 192);
        if self.is_plain {
            for member in members {
                self.begin(&mut out);
                serde_json::to_writer(&mut out, &Element { call: &self.call, link: of_member(member) })?;
            }
            return Ok(out);
        }
        for element in self.chosen(members) {
            self.begin(&mut out);
            serde_json::to_writer(&mut out, &element)?;
        }
        Ok(out)
    }

    /// The members as the client chooses them.
    fn chosen(&self, members: &[Member]) -> Vec<Value> {
        let element = |member: &Member| {
            let mut element = member.to_value();
            if let Value::Object(map) = &mut element {
                let address = of_member(member).address(&self.call).to_string();
                map.insert("$ref".to_owned(), Value::from(address));
            }
            element
        };
        let list = members.iter().map(element).collect();
        let mut map = Map::from_iter([(StoredGroup::LINKS.to_owned(), Value::Array(list))]);
        self.projection.apply(&mut map, &self.api.registry, StoredGroup::KIND);
        match map.remove(StoredGroup::LINKS) {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        let before: &[u8] = if mem::take(&mut self.empty) { b",\"members\":[" } else { b"," };
        out.extend_from_slice(before);
    }
}

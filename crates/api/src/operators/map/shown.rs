//! Versions and proposals as JSON, at the API and the command line alike.

use axon_audit::payload::MapAuthor;
use axon_store::maps::{MapHead, Proposal, StoredMap};
use axon_store::stored::shown_instant;
use serde_json::{Value, json};
use time::OffsetDateTime;

/// A version without its text.
pub fn head(head: &MapHead) -> Value {
    let MapHead { number, version, parent, author: by, comment, released_by, at, record } = head;
    json!({
        "number": number,
        "version": version,
        "parent": parent,
        "author": by.as_ref().map(author),
        "comment": comment,
        "released_by": released_by.as_ref().map(author),
        "at": shown_instant(*at),
        "record": record,
    })
}

/// A version with its text.
pub fn stored(map: &StoredMap) -> Value {
    let mut value = head(&map.head);
    value["files"] = files(&map.files);
    value
}

/// The text.
pub fn files(files: &[(String, String)]) -> Value {
    files.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect()
}

/// Who: the words that people read, beside the parts.
pub fn author(author: &MapAuthor) -> Value {
    let mut value = serde_json::to_value(author).unwrap_or_default();
    value["shown"] = author.to_string().into();
    value
}

/// A proposal, and where it stands at an instant.
pub fn proposal(proposal: &Proposal, now: OffsetDateTime) -> Value {
    let mut value = proposal_end(proposal);
    value["state"] = proposal.state(now).into();
    value
}

/// A proposal.
pub fn proposal_end(proposal: &Proposal) -> Value {
    let Proposal { number, version, parent, author: by, comment, opened, expires, ended, record } = proposal;
    json!({
        "number": number,
        "version": version,
        "parent": parent,
        "author": author(by),
        "comment": comment,
        "opened": shown_instant(*opened),
        "expires": shown_instant(*expires),
        "ended": ended.as_ref().map(|end| json!({
            "at": shown_instant(end.at), "by": author(&end.by), "released": end.released, "reason": end.reason,
        })),
        "record": record,
    })
}

//! The levers by HTTP: JSON in, JSON out.

mod clouds;
mod pools;
mod tenants;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Levers;
use crate::cloud::reply::Reply;
use crate::cloud::request::Request;
use crate::saved::SavedState;

const LEVERS: [&str; 12] = [
    "GET PUT /pool",
    "POST DELETE /pool/faults",
    "POST /pool/cut",
    "POST /pool/permissions",
    "GET PUT POST /directory",
    "DELETE /directory/{objectId}",
    "GET PUT PATCH /cloud",
    "GET POST DELETE /cloud/faults",
    "GET DELETE /cloud/requests",
    "GET DELETE /cloud/logs",
    "GET POST /clock",
    "GET PUT POST /state",
];

/// What a lever did, or why not.
type Done = Result<Value, Reply>;

/// Moves a lever.
pub(super) fn answer(levers: &Levers, request: &Request) -> Reply {
    // A page in a browser must not move levers.
    if request.header("origin").is_some() {
        return Reply::error(403, "Forbidden", "Requests of web pages are not taken.");
    }
    let path = request.decoded_path();
    let steps: Vec<&str> = path.trim_matches('/').split('/').collect();
    let done = match (request.method.as_str(), &steps[..]) {
        ("GET", [""]) => Ok(json!({"levers": LEVERS})),
        (_, ["pool", rest @ ..]) => pools::answer(levers, request, rest),
        (_, ["directory", rest @ ..]) => tenants::answer(levers, request, rest),
        (_, ["cloud", rest @ ..]) => match &levers.cloud {
            Some(own) => clouds::answer(own, request, rest),
            None => Err(Reply::error(
                404,
                "NotServed",
                "The neighbours are not served: start with --rest-listen.",
            )),
        },
        ("GET", ["clock"]) => Ok(clock(levers)),
        ("POST", ["clock"]) => advance(levers, request),
        (_, ["state"]) => state(levers, request),
        _ => Err(unknown()),
    };
    match done {
        Ok(value) => Reply::ok(&value),
        Err(reply) => reply,
    }
}

fn unknown() -> Reply {
    Reply::error(404, "NoSuchLever", "GET / lists the levers.")
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Reply> {
    request.json().map_err(|error| Reply::error(400, "BadRequest", &error.to_string()))
}

fn shown<T: serde::Serialize>(value: &T) -> Done {
    serde_json::to_value(value).map_err(|error| Reply::error(500, "Unreadable", &error.to_string()))
}

fn ok() -> Value {
    json!({"ok": true})
}

fn clock(levers: &Levers) -> Value {
    let now = levers.pool.config().clock.now().unix_timestamp();
    json!({"now": now, "ahead": levers.clock.as_ref().map(|own| own.ahead())})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Advance {
    advance_seconds: i64,
}

fn advance(levers: &Levers, request: &Request) -> Done {
    let by = read::<Advance>(request)?.advance_seconds;
    let Some(own) = &levers.clock else {
        return Err(Reply::error(404, "NotServed", "The clock of this emulator cannot be moved."));
    };
    if own.advance(by) {
        Ok(clock(levers))
    } else {
        Err(Reply::error(400, "BadRequest", "The clock does not go that far."))
    }
}

fn state(levers: &Levers, request: &Request) -> Done {
    let failed = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        Reply::error(400, "BadState", &text)
    };
    let cloud = levers.cloud.as_deref();
    match request.method.as_str() {
        "GET" => shown(&SavedState::of(&levers.pool, cloud)),
        "PUT" => {
            let saved: SavedState = read(request)?;
            saved.restore(&levers.pool, cloud).map_err(|error| failed(&error))?;
            Ok(ok())
        }
        "POST" => {
            let Some(file) = &levers.file else {
                return Err(Reply::error(404, "NotServed", "There is no state file: start with --state."));
            };
            SavedState::of(&levers.pool, cloud).write(file).map_err(|error| failed(&error))?;
            Ok(ok())
        }
        _ => Err(unknown()),
    }
}

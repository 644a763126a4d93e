//! Versions of the role map over the API.

pub(super) mod current;
pub(super) mod preview;
pub(super) mod proposals;
pub(super) mod push;
pub mod shown;
pub(super) mod versions;

use axon_model::MapVersion;
use axon_store::maps::MapFiles;
use serde_json::Value;

use super::problem::Problem;

/// The hash in an address: all of it, 64 hexadecimal digits.
fn hash(text: &str) -> Result<MapVersion, Problem> {
    let is_hash = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hash {
        return Err(Problem::bad("a version is named by its hash: 64 hexadecimal digits"));
    }
    Ok(MapVersion(text.to_ascii_lowercase().into()))
}

/// `files` of a body: `[{"name": …, "text": …}, …]`.
fn files(body: &Value) -> Result<MapFiles, Problem> {
    let wanted = "`files` must be a list of {\"name\": …, \"text\": …}";
    let list = body["files"].as_array().ok_or_else(|| Problem::bad(wanted))?;
    let file = |file: &Value| {
        let text = |key: &str| file[key].as_str().map(str::to_owned);
        text("name").zip(text("text")).ok_or_else(|| Problem::bad(wanted))
    };
    list.iter().map(file).collect()
}

/// Refuses members that nobody reads: a misspelt one would be lost in silence.
pub(super) fn only(body: &Value, known: &[&str]) -> Result<(), Problem> {
    let members = body.as_object().ok_or_else(|| Problem::bad("the body must be a JSON object"))?;
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => {
            let unknown: String = axon_model::name::shown(unknown).chars().take(80).collect();
            Err(Problem::bad(format!("the body has no member {unknown:?}; known: {}", known.join(", "))))
        }
        None => Ok(()),
    }
}

/// A member that is text, null or left out.
pub(super) fn text(body: &Value, member: &str) -> Result<Option<String>, Problem> {
    match &body[member] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(Problem::bad(format!("`{member}` must be text"))),
    }
}

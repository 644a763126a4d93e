//! Cursors (RFC 9865): a place in the order of a list, as text that says nothing to others.

use axon_model::SourceId;
use axon_scim::{ResourceKind, ScimError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Query;

/// Where a page by cursor begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// At the first.
    First,
    /// Behind the page that gave this text.
    After(String),
}

/// The longest place that a cursor holds with its sort key, in bytes; a longer key is read from its row again. Two of them fit
/// into the longest cursor that a request may have.
const MAX_KEY: usize = 1024;

/// A place in a list: the last one that was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Its row.
    pub seq: i64,
    /// What it was sorted by.
    pub key: PlaceKey,
}

/// What a row was sorted by when its page was given.
#[derive(Debug, Clone, PartialEq)]
pub enum PlaceKey {
    /// The order of creation.
    None,
    /// A number, an instant.
    Int(i64),
    /// A text, as the store compares it.
    Text(String),
    /// An id.
    Bytes(Vec<u8>),
    /// What it has now: the key was too long to be carried.
    OfRow,
}

/// What a cursor belongs to: it opens no other list.
fn shape(source: &SourceId, kind: ResourceKind, query: &Query) -> [u8; 8] {
    let filter = query.filter.as_ref().map(ToString::to_string);
    let sort = query.sort.as_ref().map(|sort| format!("{:?} {}", sort.path(), sort.is_descending()));
    let text = serde_json::json!([source.as_str(), kind.name(), filter, sort]).to_string();
    first_eight(text.as_bytes())
}

/// What a cursor belongs to, as text: for cursors that are put together of several.
pub fn digest(source: &SourceId, kind: ResourceKind, query: &Query) -> String {
    URL_SAFE_NO_PAD.encode(shape(source, kind, query))
}

fn first_eight(bytes: &[u8]) -> [u8; 8] {
    let mut eight = [0; 8];
    eight.copy_from_slice(&Sha256::digest(bytes)[..8]);
    eight
}

/// The text of a place in a list.
pub fn write(source: &SourceId, kind: ResourceKind, query: &Query, place: &Place) -> String {
    let key = match &place.key {
        PlaceKey::OfRow => Value::Bool(true),
        PlaceKey::None => Value::Null,
        PlaceKey::Int(n) => (*n).into(),
        PlaceKey::Text(text) => text.as_str().into(),
        PlaceKey::Bytes(bytes) => vec![Value::from(URL_SAFE_NO_PAD.encode(bytes))].into(),
    };
    let mut body = serde_json::json!([place.seq, key]).to_string();
    // Counted as it is carried: a control character in a name is six.
    if body.len() > MAX_KEY {
        body = serde_json::json!([place.seq, true]).to_string();
    }
    let mut bytes = shape(source, kind, query).to_vec();
    bytes.extend_from_slice(body.as_bytes());
    let check = first_eight(&bytes);
    bytes.extend_from_slice(&check);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a text names in this list.
pub fn read(source: &SourceId, kind: ResourceKind, query: &Query, text: &str) -> Result<Place, ScimError> {
    let foreign = || ScimError::invalid_cursor("the cursor is none of this server's");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| foreign())?;
    let Some((bytes, check)) = bytes.split_last_chunk::<8>() else { return Err(foreign()) };
    if first_eight(bytes) != *check {
        return Err(foreign());
    }
    let Some((of, body)) = bytes.split_first_chunk::<8>() else { return Err(foreign()) };
    if *of != shape(source, kind, query) {
        let text =
            "the cursor belongs to another query: its filter, sortBy and sortOrder must stay as they were";
        return Err(ScimError::invalid_cursor(text));
    }
    let Ok((seq, key)) = serde_json::from_slice::<(i64, Value)>(body) else { return Err(foreign()) };
    let key = match key {
        Value::Null => PlaceKey::None,
        Value::Bool(_) => PlaceKey::OfRow,
        Value::Number(n) => PlaceKey::Int(n.as_i64().ok_or_else(foreign)?),
        Value::String(text) => PlaceKey::Text(text),
        Value::Array(parts) => {
            let [Value::String(text)] = parts.as_slice() else { return Err(foreign()) };
            PlaceKey::Bytes(URL_SAFE_NO_PAD.decode(text).map_err(|_| foreign())?)
        }
        Value::Object(_) => return Err(foreign()),
    };
    Ok(Place { seq, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entra() -> SourceId {
        "entra".parse().unwrap()
    }

    #[test]
    fn a_place_reads_back_and_is_plain_text() {
        let query = Query::all(None);
        for key in [
            PlaceKey::None,
            PlaceKey::Int(-7),
            PlaceKey::Text("straße \"x\"".into()),
            PlaceKey::Bytes(vec![0, 255]),
        ] {
            let place = Place { seq: 41, key };
            let text = write(&entra(), ResourceKind::User, &query, &place);
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{text}");
            assert_eq!(read(&entra(), ResourceKind::User, &query, &text).unwrap(), place);
        }
        let long = Place { seq: 1, key: PlaceKey::Text("x".repeat(5_000)) };
        let text = write(&entra(), ResourceKind::User, &query, &long);
        assert!(text.len() < 100, "{}", text.len());
        assert_eq!(read(&entra(), ResourceKind::User, &query, &text).unwrap().key, PlaceKey::OfRow);
        let odd = Place { seq: 1, key: PlaceKey::Text("\u{1}".repeat(300)) };
        assert!(write(&entra(), ResourceKind::User, &query, &odd).len() < 100, "longer than it looks");
        let fits = Place { seq: i64::MAX, key: PlaceKey::Text("x".repeat(MAX_KEY - 24)) };
        let text = write(&entra(), ResourceKind::User, &query, &fits);
        assert!(text.len() < 1_400, "{}", text.len());
        assert_eq!(read(&entra(), ResourceKind::User, &query, &text).unwrap(), fits);
    }

    #[test]
    fn a_cursor_opens_no_other_list() {
        let query = Query::all(None);
        let text = write(&entra(), ResourceKind::User, &query, &Place { seq: 1, key: PlaceKey::None });
        let refused = |source: &SourceId, kind, text: &str| {
            read(source, kind, &query, text).unwrap_err().scim_type.map(axon_scim::ScimType::as_str)
        };
        let okta = "okta".parse().unwrap();
        assert_eq!(refused(&okta, ResourceKind::User, &text), Some("invalidCursor"));
        assert_eq!(refused(&entra(), ResourceKind::Group, &text), Some("invalidCursor"));
        let mut forged = text.clone();
        forged.replace_range(12..13, if text.as_bytes()[12] == b'A' { "B" } else { "A" });
        for bad in ["", "x", "AAAA", forged.as_str(), &text[..text.len() - 2]] {
            assert_eq!(refused(&entra(), ResourceKind::User, bad), Some("invalidCursor"), "{bad}");
        }
    }
}

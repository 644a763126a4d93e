//! Log ingestion of Azure Monitor (reference 8.6).

use std::collections::BTreeMap;
use std::io::Read as _;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Desk;
use super::reply::Reply;
use super::state::LogRow;

/// The largest call, packed or not.
const MOST: usize = 1024 * 1024;
/// The longest field; what is longer is cut.
const MOST_FIELD: usize = 64 * 1024;
/// The most records that are kept; older ones go.
const MOST_ROWS: usize = 20_000;
/// A time that is further back becomes the present one.
const OLDEST: time::Duration = time::Duration::days(2);
const PUBLISHER: &str = "3913510d-42f4-4e42-8a64-420c390055eb";

pub(super) fn answer(desk: &mut Desk<'_>) -> Reply {
    let path = desk.request.decoded_path();
    let steps: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let ["dataCollectionRules", rule, "streams", stream] = steps[..] else {
        return Reply::error(404, "ResourceNotFound", "There is no such resource.");
    };
    if desk.request.method != "POST" {
        return Reply::error(405, "MethodNotAllowed", "The method is not allowed.");
    }
    if desk.request.parameter("api-version").is_none() {
        return Reply::error(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        );
    }
    let Some(own) = desk.state.rules.iter().find(|own| own.immutable_id == rule) else {
        return Reply::error(404, "NotFound", "Data collection rule with the immutable Id is not found.");
    };
    let publishes = desk.state.assignments.iter().any(|row| {
        row.role == PUBLISHER
            && desk.caller.is(&row.principal_id)
            && own.resource_id.to_ascii_lowercase().starts_with(&row.scope.to_ascii_lowercase())
    });
    if desk.state.settings.enforce && !publishes {
        return Reply::error(
            403,
            "OperationFailed",
            "The authentication token provided does not have access to ingest data for the data collection rule.",
        );
    }
    if !own.streams.iter().any(|known| known == stream) {
        return Reply::error(404, "InvalidStream", "The stream is not declared in the data collection rule.");
    }
    if !desk.request.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return Reply::error(415, "UnsupportedMediaType", "The content type must be application/json.");
    }
    let columns = own.columns.clone();
    match records(desk) {
        Ok(mut rows) => {
            for row in &mut rows {
                declared(row, &columns);
            }
            let stream = stream.to_owned();
            desk.state.logs.extend(rows.into_iter().map(|record| LogRow { stream: stream.clone(), record }));
            let over = desk.state.logs.len().saturating_sub(MOST_ROWS);
            desk.state.logs.drain(..over);
            Reply::empty(204)
        }
        Err(refusal) => *refusal,
    }
}

fn records(desk: &Desk<'_>) -> Result<Vec<Value>, Box<Reply>> {
    let large = || {
        Box::new(Reply::error(
            413,
            "ContentLengthLimitExceeded",
            "Maximum allowed content length: 1048576 bytes (1 MB).",
        ))
    };
    let invalid = |why: &str| Box::new(Reply::error(400, "InvalidPayload", why));
    let sent = &desk.request.body;
    if sent.len() > MOST {
        return Err(large());
    }
    let bytes = match desk.request.header("content-encoding") {
        None | Some("identity") => sent.clone(),
        Some("gzip") => {
            let mut bytes = Vec::new();
            let mut unpacked = flate2::read::GzDecoder::new(&sent[..]).take(MOST as u64 + 1);
            unpacked.read_to_end(&mut bytes).map_err(|_| invalid("The content is not gzip."))?;
            bytes
        }
        Some(_) => {
            return Err(Box::new(Reply::error(
                415,
                "UnsupportedMediaType",
                "The content encoding is not supported.",
            )));
        }
    };
    if bytes.len() > MOST {
        return Err(large());
    }
    let mut rows: Vec<Value> =
        serde_json::from_slice(&bytes).map_err(|_| invalid("The content is not a JSON array."))?;
    for row in &mut rows {
        let Some(fields) = row.as_object_mut() else { return Err(invalid("A record is not an object.")) };
        if let Some(name) = fields.keys().find(|name| !column(name)) {
            return Err(invalid(&format!(
                "'{}' is not the name of a column.",
                name.chars().take(100).collect::<String>()
            )));
        }
        for value in fields.values_mut() {
            if let Value::String(text) = value
                && text.len() > MOST_FIELD
            {
                let end = (0..=MOST_FIELD).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                text.truncate(end);
            }
        }
        if let Some(Value::String(at)) = fields.get_mut("TimeGenerated") {
            let read =
                OffsetDateTime::parse(at, &Rfc3339).map_err(|_| invalid("TimeGenerated is not a time."))?;
            if read > desk.now || desk.now - read > OLDEST {
                *at = desk.now.format(&Rfc3339).unwrap_or_default();
            }
        }
    }
    Ok(rows)
}

/// What a stream keeps of a record: the columns that it declares, null where the type is another one.
fn declared(record: &mut Value, columns: &BTreeMap<String, String>) {
    let Some(fields) = record.as_object_mut().filter(|_| !columns.is_empty()) else { return };
    fields.retain(|name, _| columns.contains_key(name));
    for (name, value) in fields.iter_mut() {
        let fits = match columns[name].to_ascii_lowercase().as_str() {
            "long" | "int" => value.is_i64() || value.is_u64(),
            "real" => value.is_number(),
            "boolean" => value.is_boolean(),
            "dynamic" => true,
            "datetime" => value.as_str().is_some_and(|at| OffsetDateTime::parse(at, &Rfc3339).is_ok()),
            _ => value.is_string(),
        };
        if !fits {
            *value = Value::Null;
        }
    }
}

/// Whether a text names a column: a letter, then at most 44 letters, digits, `_` and `-`, and no reserved word.
fn column(name: &str) -> bool {
    const RESERVED: [&str; 8] = [
        "type",
        "tenantid",
        "resource",
        "resourceid",
        "resourcename",
        "resourcetype",
        "subscriptionid",
        "tenanted",
    ];
    name.len() <= 45
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && !RESERVED.contains(&name.to_ascii_lowercase().as_str())
}

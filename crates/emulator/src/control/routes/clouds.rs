//! The neighbours' levers.

use serde_json::{Map, Value, json};

use super::{Done, ok, read, shown, unknown};
use crate::cloud::Cloud;
use crate::cloud::fault::CloudFault;
use crate::cloud::reply::Reply;
use crate::cloud::request::Request;

pub(super) fn answer(own: &Cloud, request: &Request, rest: &[&str]) -> Done {
    match (request.method.as_str(), rest) {
        ("GET", []) => return shown(&own.state()),
        ("GET", ["faults"]) => return Ok(json!({"faults": own.faults()})),
        ("GET", ["requests"]) => return Ok(json!({"requests": own.records()})),
        ("GET", ["logs"]) => return Ok(json!({"logs": own.state().logs})),
        ("PUT", []) => own.replace(read(request)?),
        ("PATCH", []) => {
            let change: Map<String, Value> = read(request)?;
            own.change(|state| {
                let mut value = shown(state)?;
                merge(&mut value, Value::Object(change));
                *state = serde_json::from_value(value)
                    .map_err(|error| Reply::error(400, "BadRequest", &error.to_string()))?;
                Ok(())
            })?;
        }
        ("POST", ["faults"]) => {
            if !own.arm(read::<CloudFault>(request)?) {
                return Err(Reply::error(400, "TooMany", "Too many faults wait."));
            }
        }
        ("DELETE", ["faults"]) => own.clear_faults(),
        ("DELETE", ["requests"]) => own.clear_records(),
        ("DELETE", ["logs"]) => own.change(|state| state.logs.clear()),
        _ => return Err(unknown()),
    }
    Ok(ok())
}

/// Objects are changed field by field, everything else is put in place.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

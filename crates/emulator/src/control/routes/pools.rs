//! The pool's levers.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{Done, ok, read, unknown};
use crate::answer::ServerError;
use crate::cloud::reply::Reply;
use crate::cloud::request::Request;
use crate::control::Levers;
use crate::faults::{Armed, Fault, transient};
use crate::pool::Power;
use crate::pool::other::OtherRow;

/// The longest delay that can be asked for.
const MOST_DELAY: u64 = 600_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    power: Power,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    what: What,
    #[serde(default = "once")]
    times: u32,
    #[serde(default)]
    matching: Option<String>,
}

fn once() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum What {
    Login {
        number: i32,
        message: Option<String>,
    },
    Statement {
        number: i32,
        message: Option<String>,
        #[serde(default)]
        applied: bool,
    },
    Hangup {
        #[serde(default)]
        applied: bool,
    },
    Latency {
        millis: u64,
    },
    DirectoryDown,
}

impl What {
    fn fault(self) -> Fault {
        let error = |number, message: Option<String>| match message {
            Some(message) => ServerError::new(number, message),
            None => {
                transient(number).unwrap_or_else(|| ServerError::new(number, "a fault that was asked for"))
            }
        };
        match self {
            Self::Login { number, message } => Fault::Login(error(number, message)),
            Self::Statement { number, message, applied } => {
                Fault::Statement { error: error(number, message), applied }
            }
            Self::Hangup { applied } => Fault::Hangup { applied },
            Self::Latency { millis } => Fault::Latency(Duration::from_millis(millis.min(MOST_DELAY))),
            Self::DirectoryDown => Fault::DirectoryDown,
        }
    }
}

pub(super) fn answer(levers: &Levers, request: &Request, rest: &[&str]) -> Done {
    let own = &levers.pool;
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let (sessions, faults) = (own.live_sessions(), own.faults_waiting());
            return Ok(json!({"power": own.power(), "sessions": sessions, "faultsWaiting": faults}));
        }
        ("PUT", []) => own.set_power(read::<Change>(request)?.power),
        ("POST", ["faults"]) => {
            let Order { what, times, matching } = read(request)?;
            own.arm_for(Armed { fault: what.fault(), times, matching });
        }
        ("DELETE", ["faults"]) => own.clear_faults(),
        ("POST", ["cut"]) => own.cut_sessions(),
        ("POST", ["permissions"]) => {
            own.put_other(&read::<OtherRow>(request)?).map_err(|why| Reply::error(400, "BadRow", &why))?;
        }
        _ => return Err(unknown()),
    }
    Ok(ok())
}

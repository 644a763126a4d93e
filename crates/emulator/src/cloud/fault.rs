//! Trouble on order: what the next fitting requests meet.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::reply::Reply;
use super::request::Request;
use super::service::Service;

/// The largest body that can be asked for.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The longest delay that can be asked for.
const MOST_DELAY: u64 = 600_000;
/// The most faults that wait.
const MOST_ARMED: usize = 1_000;

/// Which requests, how often, and what.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CloudFault {
    /// Only this service.
    #[serde(default)]
    pub service: Option<Service>,
    /// Only this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only targets (path and query as sent) that contain this.
    #[serde(default)]
    pub target: Option<String>,
    /// Requests that fit and are let through first.
    #[serde(default)]
    pub after: u32,
    /// How often it happens.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens.
    pub what: Trouble,
}

fn once() -> u32 {
    1
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Trouble {
    /// An error in the service's form.
    Status {
        /// Status.
        status: u16,
        /// `error.code`
        code: String,
        /// `error.message`
        #[serde(default)]
        message: String,
        /// Further headers, such as Retry-After.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Whether the request took effect before.
        #[serde(default)]
        applied: bool,
    },
    /// This body, whatever it says, under this status.
    Body {
        /// Status.
        status: u16,
        /// Body.
        body: Value,
        /// Whether the request took effect before.
        #[serde(default)]
        applied: bool,
    },
    /// The right answer, so many milliseconds late.
    Delay(u64),
    /// The first half of the right answer as if it were the whole.
    HalfPage,
    /// The first half of the right answer, then the connection is cut. The request took effect.
    Cut,
    /// The connection is cut without an answer, after the request took effect (true) or before.
    Drop(bool),
    /// 200 with so many bytes of JSON.
    Big(usize),
}

/// What is to be done with a request beside answering it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Way {
    /// Answer it as it comes.
    Plain,
    /// Late.
    Late(Duration),
    /// Answer it, then take this instead.
    Instead(Reply),
    /// Take this at once, without effect.
    Refuse(Reply),
    /// Half of the answer as the whole.
    Half,
    /// Half of the answer and no more.
    Cut,
    /// No answer, with the effect or without.
    Silence(bool),
}

/// The faults that wait, in order.
#[derive(Debug, Default)]
pub(super) struct CloudFaults {
    armed: VecDeque<CloudFault>,
}

impl CloudFaults {
    /// Arms one; false where too many wait.
    pub(super) fn arm(&mut self, fault: CloudFault) -> bool {
        if self.armed.len() >= MOST_ARMED {
            return false;
        }
        if fault.times > 0 {
            self.armed.push_back(fault);
        }
        true
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.armed.clear();
    }

    /// What waits.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &CloudFault> {
        self.armed.iter()
    }

    /// The first that fits; it is spent by one.
    pub(super) fn strike(&mut self, service: Service, request: &Request) -> Way {
        let fits = |fault: &CloudFault| {
            fault.service.is_none_or(|own| own == service)
                && fault.method.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(&request.method))
                && fault
                    .target
                    .as_ref()
                    .is_none_or(|part| format!("{}?{}", request.path, request.query).contains(part.as_str()))
        };
        let Some(index) = self.armed.iter().position(fits) else { return Way::Plain };
        let fault = &mut self.armed[index];
        if fault.after > 0 {
            fault.after -= 1;
            return Way::Plain;
        }
        let way = way(&fault.what, service);
        fault.times -= 1;
        if fault.times == 0 {
            self.armed.remove(index);
        }
        way
    }
}

fn way(what: &Trouble, service: Service) -> Way {
    let given = |reply: Reply, applied: bool| if applied { Way::Instead(reply) } else { Way::Refuse(reply) };
    match what {
        Trouble::Status { status, code, message, headers, applied } => {
            let body = match service {
                Service::Authority | Service::Imds | Service::AppService => {
                    json!({"error": code, "error_description": message})
                }
                _ => json!({"error": {"code": code, "message": message}}),
            };
            let mut reply = Reply::json(*status, &body);
            reply.headers.extend(headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())));
            given(reply, *applied)
        }
        Trouble::Body { status, body, applied } => given(Reply::json(*status, body), *applied),
        Trouble::Delay(millis) => Way::Late(Duration::from_millis((*millis).min(MOST_DELAY))),
        Trouble::HalfPage => Way::Half,
        Trouble::Cut => Way::Cut,
        Trouble::Drop(applied) => Way::Silence(*applied),
        Trouble::Big(bytes) => {
            let head: &[u8] = br#"{"value":[],"padding":""#;
            let mut body = head.to_vec();
            body.resize((*bytes).clamp(head.len() + 2, MOST_BYTES) - 2, b'x');
            body.extend_from_slice(br#""}"#);
            Way::Refuse(Reply { status: 200, headers: Vec::new(), body: Some(body) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_for_its_request_and_is_spent() {
        let mut faults = CloudFaults::default();
        let fault = json!({"service": "arm", "method": "PUT", "target": "roleAssignments", "after": 1,
            "what": {"status": {"status": 429, "code": "TooManyRequests", "headers": [["Retry-After", "7"]]}}});
        assert!(faults.arm(serde_json::from_value(fault).unwrap()));
        let (put, get) =
            (Request::new("PUT", "/x/roleAssignments/1"), Request::new("GET", "/x/roleAssignments"));
        assert_eq!(faults.strike(Service::Arm, &get), Way::Plain);
        assert_eq!(faults.strike(Service::Arm, &put), Way::Plain, "the first is let through");
        let Way::Refuse(reply) = faults.strike(Service::Arm, &put) else { panic!("not refused") };
        assert_eq!((reply.status, reply.headers), (429, vec![("retry-after".into(), "7".into())]));
        assert_eq!(faults.waiting().count(), 0);
    }

    #[test]
    fn a_big_body_is_json_of_its_size() {
        let Way::Refuse(reply) = way(&Trouble::Big(100_000), Service::Graph) else { panic!("not refused") };
        let body = reply.body.unwrap();
        assert_eq!(body.len(), 100_000);
        assert!(serde_json::from_slice::<Value>(&body).is_ok());
    }
}

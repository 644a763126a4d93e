//! The pool's neighbours in Azure, on one address: token endpoints, Graph, the workspace's roles, Resource Manager, log ingestion.
//!
//! ```text
//!  client ── HTTP ── http ──► Cloud ── limits, faults, records
//!                               │
//!                               ├─ token (authority, managed identities)   ├─ graph ── the pool's directory
//!                               ├─ synapse                                 ├─ arm
//!                               └─ ingest
//! ```
//!
//! A handler gets a [`Desk`] and gives a [`Reply`]: no I/O, no waiting. Whatever a service would do late is done by the clock.

mod arm;
pub mod fault;
mod graph;
mod guid;
mod ingest;
pub mod record;
pub mod reply;
pub mod request;
pub mod service;
pub mod state;
mod synapse;
pub mod throttle;
mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use crate::directory::Directory;
use crate::pool::{Pool, Power};

use fault::{CloudFault, CloudFaults, Way};
use record::{Recorded, Records};
use reply::Reply;
use request::Request;
use service::Service;
use state::CloudState;
use throttle::{Limit, Spans};
use token::bearer::{self, Caller};

/// What lies before a handler.
struct Desk<'a> {
    state: &'a mut CloudState,
    directory: &'a mut Directory,
    request: &'a Request,
    caller: Caller,
    power: Power,
    now: OffsetDateTime,
}

/// How much of an answer is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All of it.
    Whole(Reply),
    /// All is announced, half is sent, then the connection is cut.
    Cut(Reply),
    /// Nothing: the connection is cut.
    Silence,
}

#[derive(Debug, Default)]
struct Inner {
    state: CloudState,
    faults: CloudFaults,
    spans: Spans,
    records: Records,
}

/// The services around one pool. They share its directory and its clock.
pub struct Cloud {
    pool: Arc<Pool>,
    inner: Mutex<Inner>,
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud").finish_non_exhaustive()
    }
}

impl Cloud {
    /// The services around a pool, with what they hold.
    pub fn new(pool: Arc<Pool>, state: CloudState) -> Arc<Self> {
        let cloud = Self { pool, inner: Mutex::new(Inner::default()) };
        cloud.replace(state);
        Arc::new(cloud)
    }

    /// Answers a request. The duration is how long to wait before the answer is sent.
    pub fn answer(&self, request: &Request) -> (Duration, Outcome) {
        let Some(service) = Service::of(&request.path) else {
            return (
                Duration::ZERO,
                Outcome::Whole(Reply::error(404, "NotFound", "No service has this path.")),
            );
        };
        let mut inner = self.lock();
        let way = inner.faults.strike(service, request);
        let mut delay = Duration::ZERO;
        let outcome = match way {
            Way::Refuse(reply) => Outcome::Whole(reply),
            Way::Silence(false) => Outcome::Silence,
            way => {
                let reply = self.serve(&mut inner, service, request);
                match way {
                    Way::Instead(other) => Outcome::Whole(other),
                    Way::Half => {
                        let body = reply.body.map(|body| body[..body.len() / 2].to_vec());
                        Outcome::Whole(Reply { body, ..reply })
                    }
                    Way::Cut => Outcome::Cut(reply),
                    Way::Silence(_) => Outcome::Silence,
                    Way::Late(by) => {
                        delay = by;
                        Outcome::Whole(reply)
                    }
                    Way::Plain | Way::Refuse(_) => Outcome::Whole(reply),
                }
            }
        };
        let status = match &outcome {
            Outcome::Whole(reply) | Outcome::Cut(reply) => reply.status,
            Outcome::Silence => 0,
        };
        inner.records.keep(service, request, status, bearer::audience(request).as_deref());
        (delay, outcome)
    }

    fn serve(&self, inner: &mut Inner, service: Service, request: &Request) -> Reply {
        let (now, power) = (self.pool.config().clock.now(), self.pool.power());
        let limit: Option<Limit> = inner.state.limits.get(&service).copied();
        let left = match inner.spans.count(service, limit, now.unix_timestamp()) {
            Ok(left) => left,
            Err(refusal) => return *refusal,
        };
        let state = &mut inner.state;
        let reply = self.pool.change_directory(|directory| {
            let caller =
                match bearer::check(service, request, &state.tenant_id, directory, now.unix_timestamp()) {
                    Ok(caller) => caller,
                    Err(refusal) => return *refusal,
                };
            let mut desk = Desk { state, directory, request, caller, power, now };
            match service {
                Service::Authority => token::authority::answer(&mut desk),
                Service::Imds => token::managed::machine(&desk),
                Service::AppService => token::managed::app(&desk),
                Service::Graph => graph::answer(&mut desk),
                Service::Synapse => synapse::answer(&mut desk),
                Service::Arm => arm::answer(&mut desk),
                Service::Ingest => ingest::answer(&mut desk),
            }
        });
        match (service, left) {
            (Service::Arm, left) => {
                let kind = match request.method.as_str() {
                    "GET" => "reads",
                    "DELETE" => "deletes",
                    _ => "writes",
                };
                // Without a limit it says what a quiet subscription says.
                let left = left.unwrap_or(11_999).to_string();
                reply.header(&format!("x-ms-ratelimit-remaining-subscription-{kind}"), left)
            }
            _ => reply,
        }
    }

    /// What the services hold.
    pub fn state(&self) -> CloudState {
        self.lock().state.clone()
    }

    /// Changes what the services hold.
    pub fn change<T>(&self, change: impl FnOnce(&mut CloudState) -> T) -> T {
        let mut inner = self.lock();
        let changed = change(&mut inner.state);
        number(&mut inner.state);
        changed
    }

    /// Puts another state in place of what the services hold.
    pub fn replace(&self, state: CloudState) {
        self.change(|own| *own = state);
    }

    /// Arms a fault; false where too many wait.
    pub fn arm(&self, fault: CloudFault) -> bool {
        self.lock().faults.arm(fault)
    }

    /// The faults that wait.
    pub fn faults(&self) -> Vec<CloudFault> {
        self.lock().faults.waiting().cloned().collect()
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// The last requests.
    pub fn records(&self) -> Vec<Recorded> {
        self.lock().records.all().cloned().collect()
    }

    /// Forgets the last requests.
    pub fn clear_records(&self) {
        self.lock().records.clear();
    }

    /// The pool in their midst.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Numbers rows that came without one, and keeps the count ahead of all.
fn number(state: &mut CloudState) {
    let rows = state.workspaces.iter().flat_map(|own| &own.assignments).map(|row| row.sequence);
    let most = rows.chain(state.assignments.iter().map(|row| row.sequence)).max().unwrap_or(0);
    state.sequence = state.sequence.max(most);
    let mut next = state.sequence;
    let own = state.workspaces.iter_mut().flat_map(|own| &mut own.assignments).map(|row| &mut row.sequence);
    for sequence in
        own.chain(state.assignments.iter_mut().map(|row| &mut row.sequence)).filter(|own| **own == 0)
    {
        next += 1;
        *sequence = next;
    }
    state.sequence = next;
}

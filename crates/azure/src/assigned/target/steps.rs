//! The steps that a place of assigned roles can do, and whether they are done.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{Outcome, Refusal, RefusalKind, Seen as Shown, Step};

use super::AssignedTarget;
use crate::assigned::place::{RoleAt, Row, Sent};
use crate::assigned::roster::Who;
use crate::guid::Guid;
use crate::service::{Kind, ServiceFault};
use crate::wire::WireError;

/// So many principals are read back one by one; more are read with all rows.
const ONE_BY_ONE: usize = 4;

impl AssignedTarget {
    /// One step: what was sent, and what came of it.
    pub(super) async fn step(&self, step: &Step) -> Outcome {
        let began = std::time::Instant::now();
        let sent = match step {
            Step::AddMember { role, member } => match self.to_add(*role, *member) {
                Ok((at, who)) => {
                    let sent = self.place.put(&at, &who).await;
                    self.added(&sent, step, &at, &who);
                    vec![sent]
                }
                Err(refusal) => return Outcome::Refused { statements: Vec::new(), refusal },
            },
            Step::DropMember { role, member } => {
                let mut sent = Vec::new();
                for row in self.to_drop(*role, *member) {
                    let one = self.place.delete(&row).await;
                    let failed = one.result.is_err();
                    if !failed {
                        self.gone(&row);
                    }
                    sent.push(one);
                    if failed {
                        break;
                    }
                }
                sent
            }
            Step::CreateRole { name } => {
                let sent = self.place.define(*name).await;
                self.memory().definitions = None;
                vec![sent]
            }
            Step::DropRole { name } => {
                let at = self.memory().roles.get(name).cloned();
                let Some(at) = at else {
                    let message = format!("there is no role {name} here");
                    let refusal = Refusal { kind: RefusalKind::Missing, number: 0, message };
                    return Outcome::Refused { statements: Vec::new(), refusal };
                };
                let sent = self.place.undefine(&at).await;
                self.memory().definitions = None;
                vec![sent]
            }
            other => {
                let text = format!("\"{}\" is nothing that a place of assigned roles can do", other.kind());
                let refusal = Refusal { kind: RefusalKind::Unsupported, number: 0, message: text };
                return Outcome::Refused { statements: Vec::new(), refusal };
            }
        };
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        outcome(sent, micros)
    }

    fn gone(&self, row: &Row) {
        let now = self.now();
        let mut memory = self.memory();
        memory.settling.end(row, now);
        if let Some(listing) = &mut memory.listing {
            listing.rows.retain(|other| other.id != row.id);
        }
    }

    pub(super) fn to_add(&self, role: SqlName, member: SqlName) -> Result<(RoleAt, Who), Refusal> {
        let memory = self.memory();
        let missing = |kind, message: String| Refusal { kind, number: 0, message };
        let at = memory
            .roles
            .get(&role)
            .ok_or_else(|| missing(RefusalKind::Missing, format!("there is no role {role} here")))?;
        let who =
            memory.roster.who(member).cloned().unwrap_or_else(|| Err(format!("{member} is not known here")));
        Ok((at.clone(), who.map_err(|why| missing(RefusalKind::DirectoryUnknown, why))?))
    }

    /// Rows of exactly this role, scope and principal: a filter of the service may give more.
    pub(super) fn to_drop(&self, role: SqlName, member: SqlName) -> Vec<Row> {
        let memory = self.memory();
        let (Some(at), Some(id)) = (memory.roles.get(&role), memory.principals.get(&member)) else {
            return Vec::new();
        };
        let rows = memory.listing.iter().flat_map(|listing| &listing.rows);
        rows.filter(|row| row.role == at.role && row.scope == at.scope && row.principal == *id)
            .cloned()
            .collect()
    }

    fn added(&self, sent: &Sent, step: &Step, at: &RoleAt, who: &Who) {
        let now = self.now();
        let mut memory = self.memory();
        match &sent.result {
            Ok(Some(row)) => {
                let listing = memory.listing.get_or_insert_default();
                listing.rows.retain(|other| other.id != row.id);
                listing.rows.push(row.clone());
                memory.settling.saw([row]);
            }
            Ok(None) => {}
            // It may be there, by a request whose answer was lost: a list tells, and then its effect is asked for.
            Err(fault) if may_be_done(fault) => {}
            Err(fault) => {
                memory.settling.end(&expected(at, who), now);
                if fault.kind() == Some(Kind::NoPrincipal)
                    && let (Step::AddMember { member, .. }, Some(entra)) = (step, &self.entra)
                {
                    entra.forget(who.id);
                    memory.roster.doubt(*member);
                }
            }
        }
    }

    /// The rows of everybody whom these steps concern, read anew.
    async fn read_again(&self, steps: &[Step]) -> Result<(), ServiceFault> {
        let ids: BTreeSet<Guid> = {
            let memory = self.memory();
            let members = steps.iter().filter_map(|step| match step {
                Step::AddMember { member, .. } | Step::DropMember { member, .. } => Some(member),
                _ => None,
            });
            members.filter_map(|name| memory.principals.get(name).copied()).collect()
        };
        if ids.len() > ONE_BY_ONE {
            let listing = self.place.rows(None).await?;
            let mut memory = self.memory();
            memory.settling.saw(&listing.rows);
            memory.listing = Some(listing);
            return Ok(());
        }
        for id in ids {
            let found = self.place.rows(Some(id)).await?;
            let mut memory = self.memory();
            memory.settling.saw(&found.rows);
            let listing = memory.listing.get_or_insert_default();
            listing.rows.retain(|row| row.principal != id);
            listing.rows.extend(found.rows.into_iter().filter(|row| row.principal == id));
        }
        Ok(())
    }

    pub(super) async fn see(&self, steps: &[Step]) -> Result<Vec<Shown>, ServiceFault> {
        self.read_again(steps).await?;
        let (definitions, _) = self.definitions().await?;
        let there = |role: SqlName, member: SqlName| !self.to_drop(role, member).is_empty();
        let seen = steps.iter().map(|step| {
            let so = match step {
                Step::AddMember { role, member } => there(*role, *member),
                Step::DropMember { role, member } => !there(*role, *member),
                Step::CreateRole { name } => self.place.is_as_defined(*name, &definitions) == Some(true),
                Step::DropRole { name } => {
                    let at = self.memory().roles.get(name).cloned();
                    at.is_none_or(|at| definitions.of(at.role).is_none())
                }
                _ => false,
            };
            if so { Shown::InForce } else { Shown::NotInForce }
        });
        Ok(seen.collect())
    }
}

/// The row that an assignment will be, as far as it is known before it is made.
pub(super) fn expected(at: &RoleAt, who: &Who) -> Row {
    let (role, principal, kind, scope) = (at.role, who.id, Some(who.kind), at.scope.clone());
    Row { id: String::new(), role, principal, kind, scope, conditional: false }
}

/// Whether what a request asks for may be there all the same: by it, or by one before whose answer was lost.
fn may_be_done(fault: &ServiceFault) -> bool {
    match fault {
        ServiceFault::Wire(error) => !matches!(error, WireError::Unreachable { .. }),
        ServiceFault::Unreadable(_) => true,
        // A gateway answers 5xx for a service that may be at it.
        ServiceFault::Refused { kind, .. } => matches!(kind, Kind::AlreadyThere | Kind::Busy),
        ServiceFault::NoToken(_) | ServiceFault::Hasty { .. } | ServiceFault::Unsupported(_) => false,
    }
}

/// What came of the requests of one step.
pub(super) fn outcome(sent: Vec<Sent>, micros: u64) -> Outcome {
    let statements: Vec<String> = sent.iter().map(|one| one.statement.clone()).collect();
    match sent.into_iter().find_map(|one| one.result.err()) {
        None => Outcome::Done { statements, micros },
        Some(ServiceFault::Wire(WireError::Unreachable { host, reason })) => {
            Outcome::Unknown { statements: Vec::new(), reason: format!("{host} cannot be reached: {reason}") }
        }
        // Nothing of it was sent: what it needs before could not be read.
        Some(fault @ ServiceFault::Unreadable(_)) if statements.iter().all(String::is_empty) => {
            Outcome::Refused { statements: Vec::new(), refusal: fault.refusal() }
        }
        // It may have been done: the rows tell.
        Some(fault @ (ServiceFault::Wire(_) | ServiceFault::Unreadable(_))) => {
            Outcome::Unknown { statements, reason: fault.to_string() }
        }
        Some(fault) => Outcome::Refused { statements, refusal: fault.refusal() },
    }
}

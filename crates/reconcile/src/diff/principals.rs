//! Principals: made, made anew, shut out, let in again.

use std::collections::HashMap;

use axon_model::SqlName;

use super::Known;
use super::names::{Holder, Names};
use super::obstacles::Obstacles;
use crate::finding::Finding;
use crate::graph::{Connect, Graph, Principal, PrincipalKind};
use crate::scope::Sides;
use crate::step::Step;
use crate::target::Sid;

pub(super) fn diff(sides: &Sides, names: &Names, obstacles: &Obstacles, known: &mut Known) {
    let Sides { desired, actual, .. } = sides;
    let mut part = Part { sides, names, obstacles, holders: sid_holders(actual), sids_made: HashMap::new() };
    for (name, wanted) in &desired.principals {
        match actual.principals.get(name) {
            None => part.create(known, *name, wanted),
            Some(there) => part.both(known, *name, wanted, there),
        }
    }
    for (name, there) in &actual.principals {
        known.made.insert(*name);
        let gone = !desired.principals.contains_key(name) && !known.dropped.contains(name);
        if gone && names.holder(*name) == Holder::ManagedPrincipal {
            known.leavers.insert(*name);
            if there.connect != Connect::Denied {
                known.need(Step::DenyConnect { principal: *name });
            }
        }
    }
    let dropped = &known.dropped;
    known.made.retain(|name| !dropped.contains(name) || desired.principals.contains_key(name));
}

fn sid_holders(graph: &Graph) -> HashMap<&Sid, SqlName> {
    let sids = graph.principals.iter().filter_map(|(name, p)| p.sid.as_ref().map(|sid| (sid, *name)));
    // Of two with one id the first by name: which one it is does not matter, the id is taken.
    sids.fold(HashMap::new(), |mut holders, (sid, name)| {
        holders.entry(sid).or_insert(name);
        holders
    })
}

struct Part<'a> {
    sides: &'a Sides,
    names: &'a Names<'a>,
    obstacles: &'a Obstacles<'a>,
    /// Whose each security id is on the actual side.
    holders: HashMap<&'a Sid, SqlName>,
    /// Whose each is that this plan makes.
    sids_made: HashMap<&'a Sid, SqlName>,
}

impl<'a> Part<'a> {
    fn create(&mut self, known: &mut Known, name: SqlName, wanted: &'a Principal) {
        let Self { sides, names, holders, sids_made, .. } = self;
        let mut refuse = |finding: Finding| {
            known.findings.insert(finding);
            known.frozen.insert(name);
        };
        if names.is_role(name) {
            return refuse(Finding::NameTaken { name });
        }
        if names.holder(name) != Holder::ManagedPrincipal {
            return refuse(if wanted.kind == PrincipalKind::Sql {
                Finding::Missing { name, needed_for: name }
            } else {
                Finding::OutOfScope { name }
            });
        }
        if let Some(sid) = &wanted.sid {
            if let Some(holder) = sids_made.get(sid) {
                return refuse(Finding::SidTaken { name, holder: *holder });
            }
            if let Some(holder) = holders.get(sid) {
                // The same object under an old name: it cannot be there twice.
                let stays = sides.desired.principals.contains_key(holder);
                if stays || names.holder(*holder) != Holder::ManagedPrincipal {
                    return refuse(Finding::SidTaken { name, holder: *holder });
                }
                if let Some(because) = self.obstacles.of(*holder) {
                    return refuse(Finding::CannotRecreate { principal: *holder, because });
                }
                drop_principal(sides, known, *holder);
            }
            sids_made.insert(sid, name);
        }
        make(known, name, wanted);
    }

    fn both(&mut self, known: &mut Known, name: SqlName, wanted: &'a Principal, there: &Principal) {
        if wanted.kind != there.kind {
            known.frozen.insert(name);
            known.findings.insert(Finding::KindDiffers {
                principal: name,
                desired: wanted.kind,
                actual: there.kind,
            });
            return;
        }
        let other_object = matches!((&wanted.sid, &there.sid), (Some(a), Some(b)) if a != b);
        let connect = match (wanted.connect, there.connect) {
            (Connect::Granted, Connect::Denied | Connect::Absent) => {
                Some(Step::GrantConnect { principal: name })
            }
            (Connect::Denied, Connect::Granted | Connect::Absent) => {
                Some(Step::DenyConnect { principal: name })
            }
            _ => None,
        };
        if self.names.holder(name) != Holder::ManagedPrincipal {
            if other_object || connect.is_some() {
                known.findings.insert(Finding::OutOfScope { name });
                known.frozen.insert(name);
            }
            return;
        }
        if !other_object {
            if let Some(step) = connect {
                known.need(step);
            }
            return;
        }
        let sid = wanted.sid.as_ref();
        let taken = sid.and_then(|sid| self.holders.get(sid).or(self.sids_made.get(sid)));
        if let Some(holder) = taken {
            known.findings.insert(Finding::SidTaken { name, holder: *holder });
            known.frozen.insert(name);
        } else if let Some(because) = self.obstacles.of(name) {
            known.findings.insert(Finding::CannotRecreate { principal: name, because });
            known.frozen.insert(name);
        } else {
            self.sids_made.extend(sid.map(|sid| (sid, name)));
            drop_principal(self.sides, known, name);
            make(known, name, wanted);
        }
    }
}

fn make(known: &mut Known, name: SqlName, wanted: &Principal) {
    known.made.insert(name);
    known.need(Step::CreatePrincipal { name, kind: wanted.kind, sid: wanted.sid.clone() });
    if wanted.connect == Connect::Denied {
        known.need(Step::DenyConnect { principal: name });
    }
}

fn drop_principal(sides: &Sides, known: &mut Known, name: SqlName) {
    known.dropped.insert(name);
    if sides.actual.principals.get(&name).is_some_and(|p| p.connect != Connect::Denied) {
        known.need(Step::DenyConnect { principal: name });
    }
    // Sessions are found by the principal, so they go before it does.
    known.need(Step::KillSessions { principal: name });
    known.need(Step::drop_of(name, &sides.actual));
}

//! `axon drift list | adopt | revert | except`

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use axon_controller::{Drift, EXCEPTED, asking};
use axon_model::RecordSeq;
use axon_model::name::shown;
use axon_reconcile::{Finding, GrantState, Step};
use axon_store::operators::Permission;
use axon_store::stored::shown_instant;
use axon_store::{Hold, HoldEnd, HoldKind, HoldTerms, NewHold};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{Status, holds, print_json};
use crate::cli::{DriftAnswer, DriftCommand};
use crate::person;
use crate::wiring::{Parts, load_map};

/// For how long something may be excepted at most.
const LONGEST: Duration = Duration::days(366);

/// Lists drift, or answers it.
pub async fn run(parts: Parts, command: DriftCommand) -> anyhow::Result<Status> {
    let status = match command {
        DriftCommand::List { target, json } => list(&parts, target.as_deref(), json).await,
        DriftCommand::Adopt { target } => adopt(&parts, target.as_deref()).await,
        DriftCommand::Revert(answer) => revert(&parts, answer).await,
        DriftCommand::Except { until, answer } => except(&parts, until, answer).await,
    };
    parts.store.close().await;
    status
}

/// What a target shows.
struct Seen {
    drift: Vec<Drift>,
    /// What no step can take away, each with its remedy.
    beyond: Vec<Finding>,
    unseen: Vec<String>,
}

async fn look(parts: &Parts, only: Option<&str>) -> anyhow::Result<BTreeMap<String, Seen>> {
    let map = Arc::new(load_map(&parts.config)?);
    let controller = parts.controller("drift");
    let mut seen = BTreeMap::new();
    for (name, target) in parts.targets(&map, only)? {
        let mut ticker = controller.ticker(name.clone(), target);
        let preview = ticker.preview(&map).await.with_context(|| format!("target {name}"))?;
        let beyond = preview.plan.findings.into_iter().filter(is_drift).collect();
        seen.insert(name.to_string(), Seen { drift: preview.drift, beyond, unseen: preview.unseen });
    }
    Ok(seen)
}

/// Whether a finding is about what somebody else did.
fn is_drift(finding: &Finding) -> bool {
    matches!(
        finding,
        Finding::ForeignGrant { .. }
            | Finding::PassedOn { .. }
            | Finding::KindDiffers { .. }
            | Finding::NameTaken { .. }
            | Finding::UntouchableMember { .. }
            | Finding::CannotRecreate { .. }
            | Finding::CannotDropRole { .. }
    )
}

async fn list(parts: &Parts, only: Option<&str>, as_json: bool) -> anyhow::Result<Status> {
    let seen = look(parts, only).await?;
    if as_json {
        let all: serde_json::Map<String, Value> =
            seen.iter().map(|(target, seen)| (target.clone(), value(seen))).collect();
        print_json(&all)?;
    } else {
        for (target, seen) in &seen {
            print(target, seen);
        }
    }
    let drifts = |seen: &Seen| seen.drift.iter().any(|one| one.excepted.is_none()) || !seen.beyond.is_empty();
    Ok(if seen.values().any(drifts) { Status::Found } else { Status::Done })
}

fn print(target: &str, seen: &Seen) {
    println!("{target}: {} differ although nobody asked for it", seen.drift.len() + seen.beyond.len());
    for one in &seen.drift {
        println!("    {}", what(&one.step));
        let mut known = vec![format!("principal {}", one.principal)];
        known.extend(one.created.map(|at| format!("made {}", shown_instant(at))));
        if !one.grantors.is_empty() {
            let names: Vec<String> = one.grantors.iter().map(ToString::to_string).collect();
            known.push(format!("granted by {}", names.join(", ")));
        }
        known.extend(one.since.map(|at| format!("noticed {}", shown_instant(at))));
        println!("        {}", known.join(", "));
        match (one.excepted, one.hold) {
            (Some(until), _) => println!("        excepted until {}", shown_instant(until)),
            (None, Some(hold)) => println!("        waits as {hold}: axon drift revert | except"),
            (None, None) => println!("        not held yet: the next tick in mode authoritative asks"),
        }
    }
    for finding in &seen.beyond {
        println!("    ! {finding}");
    }
    for unseen in &seen.unseen {
        println!("    ! not all of the target can be seen: {unseen}");
    }
}

fn value(seen: &Seen) -> Value {
    let drift: Vec<Value> = seen
        .drift
        .iter()
        .map(|one| {
            json!({
                "what": what(&one.step),
                "revert": one.step,
                "principal": one.principal,
                "created": one.created.map(shown_instant),
                "grantors": one.grantors,
                "hold": one.hold,
                "since": one.since.map(shown_instant),
                "excepted": one.excepted.map(shown_instant),
            })
        })
        .collect();
    json!({ "drift": drift, "beyond": seen.beyond, "unseen": seen.unseen })
}

/// What is there, in words of what would take it away.
fn what(step: &Step) -> String {
    match step {
        Step::DropMember { role, member } => format!("{member} is in role {role}"),
        Step::DropRole { name } => format!("role {name} is there"),
        Step::Revoke { grantee, permission, on, columns, was } => {
            let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
            let columns = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
            format!("{grantee} has {was} {permission} on {on}{columns}")
        }
        other => other.to_string(),
    }
}

/// Lines for the map. Nothing is guessed: what the map cannot say of a single person is told as such.
async fn adopt(parts: &Parts, only: Option<&str>) -> anyhow::Result<Status> {
    let seen = look(parts, only).await?;
    let map = load_map(&parts.config)?;
    let mut lines: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut others: Vec<String> = Vec::new();
    for (target, seen) in &seen {
        let spec = map.targets.iter().find(|(name, _)| name.as_str() == target).map(|(_, spec)| spec);
        let role_of = |name| {
            let spec = spec?;
            map.roles
                .keys()
                .find(|role| spec.role(role).is_ok_and(|held| held == name))
                .map(ToString::to_string)
        };
        for one in seen.drift.iter().filter(|one| one.excepted.is_none()) {
            match &one.step {
                Step::Revoke { grantee, permission, on, columns, was } => {
                    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
                    let columns =
                        if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
                    let deny = if *was == GrantState::Deny { "deny " } else { "" };
                    let line = format!("{deny}{} on {on}{columns}", permission.to_string().to_lowercase());
                    match role_of(*grantee) {
                        Some(role) => lines.entry((role, target.clone())).or_default().push(line),
                        None => others.push(format!("{target}: {}", what(&one.step))),
                    }
                }
                Step::DropMember { role, member } => match role_of(*role) {
                    Some(role) => others.push(format!(
                        "{target}: {member} has role {role} by hand: put {member} into a group of a mapping that gives it"
                    )),
                    None => others.push(format!("{target}: {}", what(&one.step))),
                },
                step => others.push(format!("{target}: {}", what(step))),
            }
        }
    }
    if lines.is_empty() && others.is_empty() {
        println!("# nothing differs");
        return Ok(Status::Done);
    }
    if !lines.is_empty() {
        println!("# to be merged into the role map");
        println!("roles:");
        let mut last: Option<&str> = None;
        for ((role, target), grants) in &lines {
            if last != Some(role) {
                println!("  {role}:\n    grants:");
                last = Some(role);
            }
            println!("      {target}:");
            for line in grants {
                println!("        - {line:?}");
            }
        }
    }
    for line in &others {
        println!("# not by a line of a role: {}", shown(line));
    }
    Ok(Status::Found)
}

/// The hold of steps with this id.
async fn held(parts: &Parts, id: &str) -> anyhow::Result<Hold> {
    let all = parts.store.holds(RecordSeq(0)).await?;
    let steps: Vec<Hold> = all.into_iter().filter(|hold| hold.held.kind == HoldKind::Step).collect();
    let ids = |hold: &Hold| vec![hold.id.to_string()];
    Ok(holds::find_by(&steps, id, "drift; `axon drift list` shows", ids)?.clone())
}

async fn revert(parts: &Parts, answer: DriftAnswer) -> anyhow::Result<Status> {
    let reason = asking::reason(&answer.reason)?;
    let act = person::act(parts, &answer.proof, Permission::HoldsRelease).await?;
    let hold = held(parts, &answer.id).await?;
    Ok(holds::told(parts.store.answer_hold(hold.id, HoldEnd::Release, reason, act).await?))
}

/// A no that ends by itself, over the same steps as the hold, which it takes the place of.
async fn except(parts: &Parts, until: OffsetDateTime, answer: DriftAnswer) -> anyhow::Result<Status> {
    let reason = asking::reason(&answer.reason)?;
    let act = person::act(parts, &answer.proof, Permission::HoldsRelease).await?;
    if until <= act.now || until - act.now > LONGEST {
        bail!("--until is not within a year from now");
    }
    let hold = held(parts, &answer.id).await?;
    if !hold.state.stands() {
        bail!("hold {} is {}; `axon drift list` shows what waits", hold.id, hold.state.as_str());
    }
    let about = parts.store.hold_parts(hold.id).await?;
    let exception = NewHold {
        key: format!("{EXCEPTED}{}", hold.id),
        why: format!("{} excepts it: {reason}", act.actor),
        expires: Some(until),
        binds: None,
        terms: HoldTerms { parts: about, ..HoldTerms::default() },
        ..hold.held.clone()
    };
    let opened = parts.store.open_holds(vec![exception], act.clone()).await?;
    let Some(opened) = opened.first() else { bail!("it is excepted already: `axon holds list --all`") };
    parts.store.end_hold(opened.id, HoldEnd::Reject, reason.clone(), act.clone()).await?;
    parts.store.end_hold(hold.id, HoldEnd::Lapse, "it is excepted for a while".to_owned(), act).await?;
    println!("excepted until {}: {}", shown_instant(until), hold.held.what);
    Ok(Status::Done)
}

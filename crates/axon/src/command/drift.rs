//! `axon drift list | adopt | revert | except`

mod adopt;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use axon_controller::{Drift, DriftKind, EXCEPTED, PastDrift, asking};
use axon_model::RecordSeq;
use axon_reconcile::Finding;
use axon_store::operators::Permission;
use axon_store::stored::shown_instant;
use axon_store::{Hold, HoldEnd, HoldKind, HoldTerms, NewHold};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{Status, holds, print_json};
use crate::cli::{DriftAnswer, DriftCommand};
use crate::maps;
use crate::person;
use crate::wiring::Parts;

/// For how long something may be excepted at most.
const LONGEST: Duration = Duration::days(366);

/// Lists drift, or answers it.
pub async fn run(parts: Parts, command: DriftCommand) -> anyhow::Result<Status> {
    let status = match command {
        DriftCommand::List { target, past, json } => list(&parts, target.as_deref(), past, json).await,
        DriftCommand::Adopt(args) => adopt::run(&parts, &args).await,
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
    /// What is over, newest first.
    past: Vec<PastDrift>,
}

async fn look(parts: &Parts, only: Option<&str>) -> anyhow::Result<BTreeMap<String, Seen>> {
    let map = Arc::new(maps::in_force(parts).await?);
    let controller = parts.controller("drift");
    let mut seen = BTreeMap::new();
    for (name, target) in parts.targets(&map, only)? {
        let mut ticker = controller.ticker(name.clone(), target);
        let preview = ticker.preview(&map).await.with_context(|| format!("target {name}"))?;
        let beyond = preview.plan.findings.into_iter().filter(is_drift).collect();
        let past = ticker.past_drift().await?;
        seen.insert(name.to_string(), Seen { drift: preview.drift, beyond, unseen: preview.unseen, past });
    }
    Ok(seen)
}

/// Whether a finding is about what somebody else did.
fn is_drift(finding: &Finding) -> bool {
    matches!(
        finding,
        Finding::ForeignGrant { .. }
            | Finding::OtherClass { .. }
            | Finding::PassedOn { .. }
            | Finding::Owner { .. }
            | Finding::KindDiffers { .. }
            | Finding::NameTaken { .. }
            | Finding::UntouchableMember { .. }
            | Finding::LeaverStaysIn { .. }
            | Finding::TombstoneStays { .. }
            | Finding::CannotRecreate { .. }
            | Finding::CannotDropRole { .. }
    )
}

async fn list(parts: &Parts, only: Option<&str>, past: bool, as_json: bool) -> anyhow::Result<Status> {
    let seen = look(parts, only).await?;
    if as_json {
        let all: serde_json::Map<String, Value> =
            seen.iter().map(|(target, seen)| (target.clone(), value(seen))).collect();
        print_json(&all)?;
    } else {
        for (target, seen) in &seen {
            print(target, seen);
            for over in seen.past.iter().filter(|_| past) {
                println!("    over: {}", over.what);
                println!(
                    "        {}, noticed {}, over {}",
                    over.kind.as_str(),
                    shown_instant(over.since),
                    over.over.map_or_else(|| "?".to_owned(), shown_instant)
                );
            }
        }
    }
    let drifts = |seen: &Seen| seen.drift.iter().any(|one| one.excepted.is_none()) || !seen.beyond.is_empty();
    Ok(if seen.values().any(drifts) { Status::Found } else { Status::Done })
}

fn print(target: &str, seen: &Seen) {
    println!("{target}: {} differ by what somebody else did", seen.drift.len() + seen.beyond.len());
    for one in &seen.drift {
        println!("    {}", one.what());
        let mut known = vec![one.kind.as_str().to_owned(), format!("principal {}", one.principal)];
        known.extend(one.created.map(|at| format!("made {}", shown_instant(at))));
        if !one.grantors.is_empty() {
            let names: Vec<String> = one.grantors.iter().map(ToString::to_string).collect();
            known.push(format!("granted by {}", names.join(", ")));
        }
        known.extend(one.since.map(|at| format!("noticed {}", shown_instant(at))));
        println!("        {}", known.join(", "));
        println!("        {}", next(one));
    }
    for finding in &seen.beyond {
        println!("    ! {finding}");
    }
    for unseen in &seen.unseen {
        println!("    ! not all of the target can be seen: {unseen}");
    }
}

/// What becomes of it.
fn next(one: &Drift) -> String {
    match (one.kind, one.excepted, one.hold) {
        (_, Some(until), _) => format!("excepted until {}", shown_instant(until)),
        (_, None, Some(hold)) => format!("waits as {hold}: axon drift revert | except"),
        (DriftKind::Added, None, None) => "not held yet: the next tick in mode authoritative asks".to_owned(),
        (DriftKind::Removed | DriftKind::Recreated, None, None) if !one.withheld.is_empty() => {
            format!("waits: {}", one.withheld.join("; "))
        }
        (DriftKind::Removed, None, None) => "the next tick gives it again".to_owned(),
        (DriftKind::Recreated, None, None) => {
            "the next tick drops it, makes it for the new object and gives it again what the map says"
                .to_owned()
        }
    }
}

fn value(seen: &Seen) -> Value {
    let drift: Vec<Value> = seen
        .drift
        .iter()
        .map(|one| {
            json!({
                "kind": one.kind,
                "what": one.what(),
                "withheld": one.withheld,
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
    json!({ "drift": drift, "beyond": seen.beyond, "unseen": seen.unseen, "past": seen.past })
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

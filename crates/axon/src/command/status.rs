//! `axon status`

mod health;

use std::collections::BTreeMap;

use axon_api::operators::shown;
use axon_controller::{Breaking, Standing};
use axon_mapping::RoleMap;
use axon_model::RecordSeq;
use axon_store::Leaver;
use axon_store::stored::shown_instant;
use time::OffsetDateTime;

use super::{Status, print_json};
use crate::identities;
use crate::leavers;
use crate::maps;
use crate::ship;
use crate::wiring::Parts;

/// So many people of one target are named who are late.
const LATE: usize = 20;

/// Where each target stands, as the last tick of any process left it.
pub async fn run(parts: Parts, json: bool) -> anyhow::Result<Status> {
    let map = maps::in_force(&parts).await?;
    let head = parts.store.head().await?;
    let mut all = serde_json::Map::new();
    for name in map.targets.keys() {
        let summary = parts.store.summary(name.as_str()).await?;
        let value = match summary {
            Some((summary, at)) => serde_json::json!({ "at": at.unix_timestamp(), "summary": summary }),
            None => serde_json::json!({ "at": null, "summary": null }),
        };
        all.insert(name.to_string(), value);
    }
    let version = parts.store.map_head().await?;
    let proposed = parts.store.map_proposals(50).await?;
    let counts = parts.store.counts().await?;
    let waits = super::holds::open(&parts).await?;
    let asked: Vec<_> = parts.store.access_requests(RecordSeq(0)).await?;
    let asked: Vec<_> = asked.into_iter().filter(|request| request.state.stands()).collect();
    let (calls, now) = (parts.store.health().await?, parts.clock.now());
    let compared = crate::parity::all_kept(&parts).await?;
    let shipped = shipped(&parts).await?;
    let who = identities::all(parts.store.as_ref(), &map).await?;
    let objective = parts.leavers().objective;
    let leaving = leaving(&parts, &map).await?;
    parts.store.close().await;
    if json {
        let sources: Vec<serde_json::Value> = counts
            .iter()
            .map(|c| {
                serde_json::json!({ "source": c.source, "users": c.users, "groups": c.groups,
                    "memberships": c.memberships, "parked": c.parked })
            })
            .collect();
        print_json(&serde_json::json!({
            "journal": head.seq,
            "map": version.as_ref().map(shown::head),
            "proposals": proposed.iter().filter(|one| one.is_open(now)).map(|one| shown::proposal(one, now)).collect::<Vec<_>>(),
            "sources": sources,
            "health": health::as_json(&calls, now),
            "parity": compared.iter().map(|(source, kept)| (source.to_string(), kept.shown())).collect::<serde_json::Map<_, _>>(),
            "targets": all,
            "identities": who.iter().map(|(target, all)| (target.clone(), all.shown(now))).collect::<serde_json::Map<_, _>>(),
            "leavers": leaving.iter().map(|(target, open)| {
                let objective = leavers::objective_in(&map, target, objective);
                let open = open.iter().map(|leaver| leavers::open_json(leaver, objective, now));
                (target.clone(), open.collect::<Vec<_>>().into())
            }).collect::<serde_json::Map<_, _>>(),
            "ship": shipped.as_ref().map(|standing| standing.as_json(now)),
            "requests": asked.iter().map(axon_api::operators::shown_request).collect::<Vec<_>>(),
            "holds": waits.iter().map(super::holds::shown_hold).collect::<Vec<_>>(),
        }))?;
        return Ok(Status::Done);
    }
    println!("journal: {} records", head.seq);
    if let Some(version) = &version {
        let author = version.author.as_ref().map_or_else(String::new, |author| format!(" by {author}"));
        println!("role map: {}{author}", version.version);
    }
    for waits in proposed.iter().filter(|one| one.is_open(now)) {
        println!("role map {} by {} waits for a second person: axon map log", waits.version, waits.author);
    }
    for c in &counts {
        println!(
            "source {}: {} users, {} groups, {} memberships, {} named members that are not there yet",
            c.source, c.users, c.groups, c.memberships, c.parked
        );
    }
    for line in shipped.iter().flat_map(|standing| standing.lines(now)) {
        println!("{line}");
    }
    for (source, health) in &calls {
        println!("source {source}:");
        for line in health::lines(health, now) {
            println!("    {line}");
        }
    }
    for (source, kept) in &compared {
        println!("parity of {source}: {}", kept.line());
    }
    for (name, value) in &all {
        target(name, &value["summary"]);
        let objective = leavers::objective_in(&map, name, objective);
        tell_late(leaving.get(name).map(Vec::as_slice).unwrap_or_default(), objective, now);
        if let Some(who) = who.get(name) {
            println!("    who is who: {}", who.line(now));
        }
    }
    for request in &asked {
        println!("asked beside the map: {}", super::grant::text(request));
    }
    for hold in &waits {
        println!("held: {}", super::holds::text(hold));
    }
    Ok(Status::Done)
}

/// Who left each target and is not known to be out, the oldest first.
async fn leaving(parts: &Parts, map: &RoleMap) -> anyhow::Result<BTreeMap<String, Vec<Leaver>>> {
    let mut leaving = BTreeMap::new();
    for name in map.targets.keys() {
        let mut open: Vec<Leaver> = parts.store.leavers(name.as_str()).await?.open.into_values().collect();
        open.sort_by_key(|leaver| (leaver.arrived, leaver.cause));
        leaving.insert(name.to_string(), open);
    }
    Ok(leaving)
}

/// Notes on who is late.
fn tell_late(open: &[Leaver], objective: Option<time::Duration>, now: OffsetDateTime) {
    let late: Vec<&Leaver> = open.iter().filter(|leaver| leavers::is_late(leaver, objective, now)).collect();
    for leaver in late.iter().take(LATE) {
        println!("    note: {}", leavers::open_line(leaver, objective, now));
    }
    if late.len() > LATE {
        println!("    note: {} more are not out in time: axon report leavers", late.len() - LATE);
    }
}

/// Where one target stands.
fn target(name: &str, summary: &serde_json::Value) {
    if summary.is_null() {
        println!("target {name}: no tick has ended yet; is `axon serve` running?");
        return;
    }
    println!(
        "target {name}: {} as of record {}",
        summary["state"].as_str().unwrap_or("?"),
        summary["position"]
    );
    for waiting in summary["waiting"].as_array().into_iter().flatten() {
        println!("    waits: {}\n      for: {}", text(&waiting["what"]), text(&waiting["why"]));
    }
    let spelled = summary["waiting"].as_array().map_or(0, Vec::len) as u64;
    let more = summary["waiting_total"].as_u64().unwrap_or_default().saturating_sub(spelled);
    if more > 0 {
        println!("    and {more} more wait: axon plan --target {name}");
    }
    for note in summary["notes"].as_array().into_iter().flatten() {
        println!("    note: {}", text(note));
    }
    if let Some(trouble) = summary["trouble"].as_str() {
        println!("    trouble: {trouble}");
    }
    if let Ok(breaking) = serde_json::from_value::<Breaking>(summary["breaker"].clone()) {
        println!("    breaker: {}", told(&breaking));
    }
}

/// How the journal's way out stands, where it has one.
async fn shipped(parts: &Parts) -> anyhow::Result<Option<ship::Standing>> {
    if parts.config.audit.ship.is_none() {
        return Ok(None);
    }
    Ok(Some(ship::Standing::read(parts.store.as_ref()).await?))
}

/// How a breaker stands that is not closed.
fn told(breaking: &Breaking) -> String {
    let next = match breaking.standing {
        Standing::HalfOpen => "it is being tried".to_owned(),
        _ => format!("tried again at {}, or as soon as somebody leaves", shown_instant(breaking.until)),
    };
    format!(
        "{} since {}, after {} failures in a row; {next}",
        breaking.standing.as_str(),
        shown_instant(breaking.since),
        breaking.failures
    )
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or("?")
}

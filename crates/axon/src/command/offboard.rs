//! `axon offboard USER`: a kill switch that waits for no provider.

use anyhow::bail;
use axon_controller::World;
use axon_model::name::shown;
use axon_model::{AccessRequest, AccessState, Asked, RecordSeq};
use axon_scim::compare::fold;
use axon_store::operators::Permission;
use axon_store::{AccessEnd, NewAccessRequest};

use super::holds::sentence;
use super::{Status, grant, people, print_json};
use crate::cli::OffboardArgs;
use crate::person;
use crate::wiring::Parts;

/// Shuts somebody out, ends that, or lists who is.
pub async fn run(parts: Parts, args: OffboardArgs) -> anyhow::Result<Status> {
    let status = answer(&parts, args).await;
    parts.store.close().await;
    status
}

async fn answer(parts: &Parts, args: OffboardArgs) -> anyhow::Result<Status> {
    let Some(user) = &args.user else { return list(parts, args.json).await };
    let user = people::user_name(user)?;
    let reason = sentence("--reason", args.reason.as_deref().unwrap_or_default())?;
    let source = people::source(parts, args.source.as_deref())?;
    let act = person::act(parts, &args.proof, Permission::Offboard).await?;
    let mut world = World::of(parts.config.claims());
    world.follow(parts.store.as_ref(), act.now).await?;
    let records = people::called(&world, user, source.as_ref());
    let standing = in_force(parts).await?;
    let theirs = |request: &&AccessRequest| {
        let named = fold(&request.whom.user_name) == fold(user);
        let meant = request.whom.records.iter().any(|of| records.iter().any(|record| record.id == of.id));
        (named || meant) && (source.is_none() || request.whom.source == source)
    };
    let known: Vec<&AccessRequest> = standing.iter().filter(theirs).collect();
    if args.release {
        if known.is_empty() {
            bail!("{} is not offboarded; `axon offboard --list` shows who is", shown(user));
        }
        for request in known {
            let ended =
                parts.store.end_access(request.id, AccessEnd::Lift, reason.clone(), act.clone()).await?;
            if ended.is_some() {
                println!("lifted {}", grant::text(request));
            }
        }
        eprintln!("a running serve follows at once: the person has what the map gives");
        return Ok(Status::Done);
    }
    if let Some(request) = known.iter().find(|request| request.whom.source == source) {
        println!("stands already: {}", grant::text(request));
        return Ok(Status::Done);
    }
    if records.is_empty() && !args.unknown {
        bail!("{} (--unknown shuts out whoever comes under the name)", people::unknown(&world, user));
    }
    let new = NewAccessRequest {
        asked: Asked::Offboard,
        whom: people::whom(user, source, &records),
        reason,
        second_person: false,
        waits_until: None,
    };
    let asked = parts.store.ask_access(new, act).await?;
    if args.json {
        print_json(&grant::value(&asked))?;
    } else {
        println!("{}", grant::text(&asked));
        for record in &records {
            println!("    {} of source {} (id {})", shown(&record.user_name), record.source, record.id);
        }
    }
    eprintln!("a running serve follows at once; where none runs, `axon apply` does it");
    Ok(Status::Done)
}

/// Offboardings that stand.
async fn in_force(parts: &Parts) -> anyhow::Result<Vec<AccessRequest>> {
    let mut all = parts.store.access_requests(RecordSeq(0)).await?;
    all.retain(|request| request.asked == Asked::Offboard && request.state == AccessState::InForce);
    all.sort_by_key(|request| request.id);
    Ok(all)
}

async fn list(parts: &Parts, json: bool) -> anyhow::Result<Status> {
    let all = in_force(parts).await?;
    if json {
        print_json(&all.iter().map(grant::value).collect::<Vec<_>>())?;
    } else if all.is_empty() {
        println!("nobody is offboarded");
    } else {
        all.iter().for_each(|request| println!("{}", grant::text(request)));
    }
    Ok(Status::Done)
}

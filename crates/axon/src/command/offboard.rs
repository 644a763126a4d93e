//! `axon offboard USER`: a kill switch that waits for no provider.

use anyhow::bail;
use axon_api::operators::shown_request;
use axon_controller::World;
use axon_controller::asking::{self, NotAsked, Offboarding};
use axon_model::name::shown;
use axon_model::{AccessRequest, AccessState, Asked, RecordSeq};
use axon_store::AccessEnd;
use axon_store::operators::Permission;

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
    let reason = asking::reason(args.reason.as_deref().unwrap_or_default())?;
    let source = people::source(parts, args.source.as_deref())?;
    let act = person::act(parts, &args.proof, Permission::Offboard).await?;
    let mut world = World::of(parts.config.claims());
    world.follow(parts.store.as_ref(), act.now).await?;
    if args.release {
        let known = asking::offboardings(&world, user, source.as_ref());
        if known.is_empty() {
            bail!("{} is not offboarded; `axon offboard --list` shows who is", shown(user));
        }
        for request in known {
            let (id, reason) = (request.id, reason.clone());
            if parts.store.end_access(id, AccessEnd::Lift, reason, act.clone()).await?.is_some() {
                println!("lifted {}", grant::text(&request));
            }
        }
        eprintln!("a running serve follows at once: the person has what the map gives");
        return Ok(Status::Done);
    }
    let new = match asking::offboarding(&world, user, source, args.unknown, reason) {
        Ok(Offboarding::New(new)) => *new,
        Ok(Offboarding::Stands(id)) => {
            let stands = world.beside().requests().find(|request| request.id == id);
            println!("stands already: {}", stands.map(grant::text).unwrap_or_default());
            return Ok(Status::Done);
        }
        Err(not @ NotAsked::Unknown { .. }) => {
            bail!("{not} (--unknown shuts out whoever comes under the name)");
        }
        Err(not) => return Err(not.into()),
    };
    let asked = parts.store.ask_access(new, act).await?;
    if args.json {
        print_json(&shown_request(&asked))?;
    } else {
        println!("{}", grant::text(&asked));
        for record in &asked.whom.records {
            println!("    id {} of source {}", record.id, record.source);
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
        print_json(&all.iter().map(shown_request).collect::<Vec<_>>())?;
    } else if all.is_empty() {
        println!("nobody is offboarded");
    } else {
        for request in &all {
            println!("{}", grant::text(request));
        }
    }
    Ok(Status::Done)
}

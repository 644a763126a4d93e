//! `axon grant USER ROLE --for 2h`: a role for a while, beside the map.

use std::sync::Arc;

use anyhow::bail;
use axon_api::operators::shown_request;
use axon_controller::World;
use axon_controller::asking::{self, Wish};
use axon_model::name::shown;
use axon_model::{AccessRequest, Asked, Said};
use axon_store::HoldEnd;
use axon_store::operators::Permission;
use axon_store::stored::shown_instant;

use super::asked::Kind;
use super::{Status, people, print_json};
use crate::cli::{GrantArgs, GrantCommand};
use crate::person;
use crate::wiring::{Parts, load_map};

/// Roles for a while.
const GRANTS: Kind = Kind {
    is: |asked| matches!(asked, Asked::Grant { .. }),
    what: "role for a while; `axon grant list` shows",
};

/// Asks for a role, lists those that were asked for, or answers.
pub async fn run(parts: Parts, args: GrantArgs) -> anyhow::Result<Status> {
    let status = match args {
        GrantArgs { command: Some(GrantCommand::List { all, check, json }), .. } => {
            list(&parts, all, check, json).await
        }
        GrantArgs { command: Some(GrantCommand::Release(answer)), .. } => {
            GRANTS.answer(&parts, answer, HoldEnd::Release).await
        }
        GrantArgs { command: Some(GrantCommand::Reject(answer)), .. } => {
            GRANTS.answer(&parts, answer, HoldEnd::Reject).await
        }
        GrantArgs { command: Some(GrantCommand::Revoke(answer)), .. } => GRANTS.lift(&parts, answer).await,
        ask => ask_for(&parts, ask).await,
    };
    parts.store.close().await;
    status
}

async fn ask_for(parts: &Parts, ask: GrantArgs) -> anyhow::Result<Status> {
    let (Some(user), Some(role), Some(time), Some(reason)) = (ask.user, ask.role, ask.length, ask.reason)
    else {
        bail!("say for whom, which role, --for and --reason; or list, release, reject, revoke");
    };
    let map = Arc::new(load_map(&parts.config)?);
    let reason = asking::reason(&reason)?;
    let source = people::source(parts, ask.source.as_deref())?;
    let act = person::act(parts, &ask.proof, Permission::Grant).await?;
    let mut world = World::of(parts.config.claims());
    world.follow(parts.store.as_ref(), act.now).await?;
    let wish = Wish {
        user: &user,
        source: source.as_ref(),
        role: &role,
        target: ask.target.as_deref(),
        length: time,
        reason,
    };
    let new = asking::grant(&map, &world, wish, act.now)?;
    let asked = parts.store.ask_access(new, act).await?;
    if ask.json {
        print_json(&shown_request(&asked))?;
    } else {
        println!("{}", text(&asked));
    }
    if asked.hold.is_some() {
        eprintln!("it waits for somebody else: axon grant release {} --reason …", asked.id);
        return Ok(Status::Found);
    }
    eprintln!("a running serve follows at once");
    Ok(Status::Done)
}

async fn list(parts: &Parts, ended: bool, check: bool, as_json: bool) -> anyhow::Result<Status> {
    let all = GRANTS.all(parts, ended).await?;
    let stands = all.iter().any(|request| request.state.stands());
    if as_json {
        print_json(&all.iter().map(shown_request).collect::<Vec<_>>())?;
    } else if all.is_empty() {
        println!("nobody has a role for a while, and nobody waits for one");
    } else {
        for request in &all {
            println!("{}", text(request));
        }
    }
    Ok(if check && stands { Status::Found } else { Status::Done })
}

/// What was asked for beside the map, for people.
pub fn text(request: &AccessRequest) -> String {
    let who = shown(&request.whom.user_name);
    let source =
        request.whom.source.as_ref().map(|source| format!(" of source {source}")).unwrap_or_default();
    let what = match &request.asked {
        Asked::Offboard => format!("{who}{source} is shut out"),
        Asked::Grant { role, target, seconds } => {
            let place = target.as_ref().map(|target| format!(" in {target}")).unwrap_or_default();
            format!("role {role}{place} for {who}{source}, for {}", length(*seconds))
        }
        Asked::Impersonate { person, target, seconds, session } => {
            let whom = shown(&person.user_name);
            let place =
                session.as_ref().map(|session| format!(" in session {}", shown(session))).unwrap_or_default();
            format!("{who}{source} reads views in {target}{place} as {whom}, for {}", length(*seconds))
        }
    };
    let said = |verb: &str, said: &Said| {
        format!("; {verb} {} by {}: {}", shown_instant(said.at), shown(&said.by), shown(&said.reason))
    };
    let mut text = format!("{}  {}: {what}", request.id, request.state.as_str());
    text.push_str(&said("asked", &request.asking));
    text.extend(request.released.as_ref().map(|released| said("released", released)));
    text.extend(request.until.map(|until| format!("; until {}", shown_instant(until))));
    text.extend(request.ended.as_ref().map(|ended| said("ended", ended)));
    text
}

/// A length of time as it is typed.
fn length(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let fits = units.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    let (unit, letter) = fits.unwrap_or((1, 's'));
    format!("{}{letter}", seconds / unit)
}

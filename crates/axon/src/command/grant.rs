//! `axon grant USER ROLE --for 2h`: a role for a while, beside the map.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, bail};
use axon_controller::World;
use axon_mapping::explain::{Question, explain};
use axon_mapping::guards::{NoGrant, may_be_given};
use axon_mapping::{RoleMap, RoleName, TargetName};
use axon_model::name::shown;
use axon_model::{AccessRequest, AccessState, Asked, RecordSeq, Said, SourceId, UserEntry};
use axon_store::operators::Permission;
use axon_store::stored::shown_instant;
use axon_store::{AccessEnd, Act, HoldEnd, NewAccessRequest};
use serde_json::{Value, json};
use time::Duration;

use super::holds::{self, sentence};
use super::{Status, people, print_json};
use crate::cli::{GrantAnswer, GrantArgs, GrantCommand};
use crate::person;
use crate::wiring::{Parts, load_map};

/// How long one that waits for a second person waits at most.
const WAITS: Duration = Duration::days(1);

/// Asks for a role, lists those that were asked for, or answers.
pub async fn run(parts: Parts, args: GrantArgs) -> anyhow::Result<Status> {
    let status = match args {
        GrantArgs { command: Some(GrantCommand::List { all, check, json }), .. } => {
            list(&parts, all, check, json).await
        }
        GrantArgs { command: Some(GrantCommand::Release(answer)), .. } => {
            end(&parts, answer, HoldEnd::Release).await
        }
        GrantArgs { command: Some(GrantCommand::Reject(answer)), .. } => {
            end(&parts, answer, HoldEnd::Reject).await
        }
        GrantArgs { command: Some(GrantCommand::Revoke(answer)), .. } => revoke(&parts, answer).await,
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
    let user = people::user_name(&user)?;
    let reason = sentence("--reason", &reason)?;
    let source = people::source(parts, ask.source.as_deref())?;
    let act = person::act(parts, &ask.proof, Permission::Grant).await?;
    let mut world = World::of(parts.config.claims());
    world.follow(parts.store.as_ref(), act.now).await?;
    let record = one(&world, user, source.as_ref())?;
    let target = target(&map, ask.target.as_deref())?;
    let length = Duration::try_from(time).context("--for is too long")?;
    let role = allowed(&map, &world, record, &role, target.as_ref(), length, &act)?;
    let new = NewAccessRequest {
        asked: Asked::Grant {
            role: role.to_string(),
            target: target.map(|target| target.to_string()),
            seconds: time.as_secs(),
        },
        whom: people::whom(user, Some(record.source.clone()), &[record]),
        reason,
        second_person: map.guards.break_glass.second_person,
        waits_until: Some(act.now + WAITS),
    };
    let asked = parts.store.ask_access(new, act).await?;
    if ask.json {
        print_json(&value(&asked))?;
    } else {
        println!("{}", text(&asked));
    }
    match asked.hold {
        Some(_) => {
            eprintln!("it waits for somebody else: axon grant release {} --reason …", asked.id);
            Ok(Status::Found)
        }
        None => {
            eprintln!("a running serve follows at once");
            Ok(Status::Done)
        }
    }
}

/// The one person who is meant.
fn one<'w>(world: &'w World, user: &str, source: Option<&SourceId>) -> anyhow::Result<&'w UserEntry> {
    let records = people::called(world, user, source);
    let record = match records.as_slice() {
        [] => bail!("{}", people::unknown(world, user)),
        [one] => *one,
        several => {
            let sources: Vec<&str> = several.iter().map(|record| record.source.as_str()).collect();
            bail!("several sources know {}: say --source ({})", shown(user), sources.join(", "));
        }
    };
    if !record.active {
        bail!("{} is not active: nothing can be given", shown(user));
    }
    if world.identity().strangers.contains(&record.id) {
        bail!("somebody else was known as {}: `axon holds list` shows what has to be released", shown(user));
    }
    if let Some(request) = world.beside().offboarding(record) {
        bail!("{} is offboarded by request {}", shown(user), request.id);
    }
    Ok(record)
}

fn target(map: &RoleMap, named: Option<&str>) -> anyhow::Result<Option<TargetName>> {
    let Some(named) = named else { return Ok(None) };
    let known: Vec<&str> = map.targets.keys().map(TargetName::as_str).collect();
    let found = map.targets.keys().find(|name| name.as_str() == named);
    let message = || format!("the role map names no target {named:?}; it names: {}", known.join(", "));
    Ok(Some(found.with_context(message)?.clone()))
}

/// Whether the map lets this person have this role for this long.
fn allowed<'m>(
    map: &'m Arc<RoleMap>,
    world: &World,
    record: &UserEntry,
    role: &str,
    target: Option<&TargetName>,
    length: Duration,
    act: &Act,
) -> anyhow::Result<&'m RoleName> {
    let (identity, beside) = (world.identity(), world.beside());
    let id = record.id.to_string();
    let question = Question { who: &id, target: None, identity, around: &BTreeMap::new(), beside };
    let explained = explain(map, world.directory(), question, act.now);
    let targets = || explained.people.iter().flat_map(|person| &person.targets);
    let held: BTreeSet<&RoleName> = targets()
        .flat_map(|target| &target.roles)
        .filter_map(|role| map.roles.get_key_value(&role.role).map(|(name, _)| name))
        .collect();
    let protected = map.guards.protected(act.now);
    let there = targets().filter(|explained| target.is_none_or(|target| *target == explained.target));
    if let Some(name) = there.filter_map(|target| target.principal).find(|name| protected.contains(name)) {
        return Err(NoGrant::Protected { name }.into());
    }
    Ok(may_be_given(map, role, target, length, &held, act.now)?)
}

async fn list(parts: &Parts, ended: bool, check: bool, as_json: bool) -> anyhow::Result<Status> {
    let all = grants(parts, ended).await?;
    let stands = all.iter().any(|request| request.state.stands());
    if as_json {
        print_json(&all.iter().map(value).collect::<Vec<_>>())?;
    } else if all.is_empty() {
        println!("nobody has a role for a while, and nobody waits for one");
    } else {
        for request in &all {
            println!("{}", text(request));
        }
    }
    Ok(if check && stands { Status::Found } else { Status::Done })
}

/// Roles for a while, oldest first.
async fn grants(parts: &Parts, ended: bool) -> anyhow::Result<Vec<AccessRequest>> {
    let mut all = parts.store.access_requests(RecordSeq(0)).await?;
    all.retain(|request| request.asked != Asked::Offboard && (ended || request.state.stands()));
    all.sort_by_key(|request| request.id);
    Ok(all)
}

async fn find(parts: &Parts, id: &str) -> anyhow::Result<AccessRequest> {
    let all = grants(parts, true).await?;
    let ids = |request: &AccessRequest| {
        [Some(request.id.to_string()), request.hold.map(|hold| hold.to_string())]
            .into_iter()
            .flatten()
            .collect()
    };
    Ok(holds::find_by(&all, id, "role for a while; `axon grant list` shows", ids)?.clone())
}

async fn end(parts: &Parts, answer: GrantAnswer, end: HoldEnd) -> anyhow::Result<Status> {
    let GrantAnswer { id, reason, proof } = answer;
    let reason = sentence("--reason", &reason)?;
    let act = person::act(parts, &proof, Permission::HoldsRelease).await?;
    let request = find(parts, &id).await?;
    let Some(hold) = request.hold.filter(|_| request.state == AccessState::Proposed) else {
        eprintln!("axon: it waits for nobody: {}", text(&request));
        return Ok(Status::Failed);
    };
    holds::told(parts.store.answer_hold(hold, end, reason, act).await?)
}

async fn revoke(parts: &Parts, answer: GrantAnswer) -> anyhow::Result<Status> {
    let GrantAnswer { id, reason, proof } = answer;
    let reason = sentence("--reason", &reason)?;
    let act = person::act(parts, &proof, Permission::Grant).await?;
    let request = find(parts, &id).await?;
    let Some(ended) = parts.store.end_access(request.id, AccessEnd::Lift, reason, act).await? else {
        eprintln!("axon: it has ended already: {}", text(&request));
        return Ok(Status::Failed);
    };
    println!("{}", text(&ended));
    eprintln!("a running serve follows at once");
    Ok(Status::Done)
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
    let fits = units.into_iter().find(|(unit, _)| seconds > 0 && seconds % unit == 0);
    let (unit, letter) = fits.unwrap_or((1, 's'));
    format!("{}{letter}", seconds / unit)
}

/// The same for machines.
pub fn value(request: &AccessRequest) -> Value {
    let said = |said: &Option<Said>| {
        said.as_ref().map(|s| json!({ "at": shown_instant(s.at), "by": s.by, "reason": s.reason }))
    };
    let (role, target, seconds) = match &request.asked {
        Asked::Offboard => (None, None, None),
        Asked::Grant { role, target, seconds } => (Some(role), target.as_ref(), Some(seconds)),
    };
    json!({
        "id": request.id,
        "kind": request.asked.as_str(),
        "state": request.state.as_str(),
        "user": request.whom.user_name,
        "source": request.whom.source,
        "records": request.whom.records,
        "role": role,
        "target": target,
        "seconds": seconds,
        "asked": said(&Some(request.asking.clone())),
        "hold": request.hold,
        "released": said(&request.released),
        "until": request.until.map(shown_instant),
        "ended": said(&request.ended),
        "record": request.record,
    })
}

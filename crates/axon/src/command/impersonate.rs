//! `axon impersonate`: reading secure views as another person, for a while and on record.

use std::sync::Arc;

use axon_api::operators::shown_request;
use axon_controller::World;
use axon_controller::asking::{self, ActWish};
use axon_model::{AccessState, Asked};
use axon_store::HoldEnd;
use axon_store::operators::Permission;

use super::asked::Kind;
use super::grant::text;
use super::{Status, people, print_json};
use crate::cli::ImpersonateCommand;
use crate::person;
use crate::wiring::{Parts, load_map};

/// Reading as another.
const ACTING: Kind = Kind {
    is: |asked| matches!(asked, Asked::Impersonate { .. }),
    what: "request to read as another; `axon impersonate list` shows",
};

/// One of the commands.
pub async fn run(parts: Parts, command: ImpersonateCommand) -> anyhow::Result<Status> {
    let status = match command {
        ImpersonateCommand::Start { .. } => start(&parts, command).await,
        ImpersonateCommand::List { all, user, json } => list(&parts, all, user.as_deref(), json).await,
        ImpersonateCommand::Release(answer) => ACTING.answer(&parts, answer, HoldEnd::Release).await,
        ImpersonateCommand::Reject(answer) => ACTING.answer(&parts, answer, HoldEnd::Reject).await,
        ImpersonateCommand::Stop(answer) => ACTING.lift(&parts, answer).await,
    };
    parts.store.close().await;
    status
}

async fn start(parts: &Parts, command: ImpersonateCommand) -> anyhow::Result<Status> {
    let ImpersonateCommand::Start { person, user, length, reason, target, session, source, json, proof } =
        command
    else {
        return Ok(Status::Failed);
    };
    let map = Arc::new(load_map(&parts.config)?);
    let reason = reason.map(|reason| asking::reason(&reason)).transpose()?;
    let source = people::source(parts, source.as_deref())?;
    let act = person::act(parts, &proof, Permission::Grant).await?;
    let actor = user.unwrap_or_else(|| act.actor.identity());
    let mut world = World::of(parts.config.claims());
    world.follow(parts.store.as_ref(), act.now).await?;
    let wish = ActWish {
        actor: &actor,
        person: &person,
        source: source.as_ref(),
        target: target.as_deref(),
        session: session.as_deref(),
        length,
        reason,
    };
    let new = match asking::impersonation(&map, &world, wish, act.now) {
        Ok(new) => new,
        Err(not) => {
            let why = not.to_string();
            asking::unread(parts.store.as_ref(), act, (&actor, &person), &why).await?;
            return Err(not.into());
        }
    };
    let asked = parts.store.ask_access(new, act).await?;
    if json {
        print_json(&shown_request(&asked))?;
    } else {
        println!("{}", text(&asked));
    }
    if asked.state == AccessState::Rejected {
        let why = asked.ended.map(|said| said.reason).unwrap_or_default();
        eprintln!("axon: refused, and on record: {why}");
        return Ok(Status::Failed);
    }
    if asked.hold.is_some() {
        eprintln!("it waits for somebody else: axon impersonate release {} --reason …", asked.id);
        return Ok(Status::Found);
    }
    if session.is_some() {
        eprintln!(
            "when a running serve has written it, that session reads as the other person, and no other one"
        );
        return Ok(Status::Done);
    }
    let key = axon_synapse::render::ACT_AS;
    eprintln!(
        "when a running serve has written it: EXEC sys.sp_set_session_context @key = N'{key}', @value = N'…'"
    );
    Ok(Status::Done)
}

async fn list(parts: &Parts, ended: bool, user: Option<&str>, as_json: bool) -> anyhow::Result<Status> {
    let mut all = ACTING.all(parts, ended).await?;
    if let Some(user) = user {
        let is = |name: &str| name.eq_ignore_ascii_case(user.trim());
        all.retain(|request| {
            let person = matches!(&request.asked, Asked::Impersonate { person, .. } if is(&person.user_name));
            person || is(&request.whom.user_name)
        });
    }
    if as_json {
        print_json(&all.iter().map(shown_request).collect::<Vec<_>>())?;
    } else if all.is_empty() {
        println!("nobody reads as another, and nobody waits for it");
    } else {
        for request in &all {
            println!("{}", text(request));
        }
    }
    Ok(Status::Done)
}

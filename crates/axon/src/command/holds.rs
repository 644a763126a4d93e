//! `axon holds list | release | reject`

use anyhow::bail;
pub use axon_api::operators::shown_hold;
use axon_model::name::shown;
use axon_model::{Actor, RecordSeq};
use axon_store::operators::Permission;
use axon_store::{Act, Answered, Hold, HoldEnd, HoldKind, HoldState, HoldTerms, NewHold};

use super::{Status, print_json};
use crate::cli::{Announcement, HoldAnswer, HoldsCommand};
use crate::person;
use crate::wiring::{Parts, load_map};

/// The longest reason and name, in characters.
const LONGEST: usize = 1_000;
/// For how long leavers may be announced at most.
const LONGEST_ANNOUNCED: std::time::Duration = std::time::Duration::from_hours(7 * 24);
/// The fewest characters that an id may be shortened to.
const SHORTEST: usize = 8;

/// Lists what waits for a person, or answers.
pub async fn run(parts: Parts, command: HoldsCommand) -> anyhow::Result<Status> {
    let status = match command {
        HoldsCommand::List { all, check, json } => list(&parts, all, check, json).await,
        HoldsCommand::Release(answer) => end(&parts, answer, HoldEnd::Release).await,
        HoldsCommand::Reject(answer) => end(&parts, answer, HoldEnd::Reject).await,
        HoldsCommand::Show { id, json } => show(&parts, &id, json).await,
        HoldsCommand::Announce(announcement) => announce(&parts, announcement).await,
    };
    parts.store.close().await;
    status
}

/// What waits for a person, oldest first.
pub async fn open(parts: &Parts) -> anyhow::Result<Vec<Hold>> {
    let mut holds = parts.store.holds(RecordSeq(0)).await?;
    holds.retain(|hold| hold.state == HoldState::Open);
    holds.sort_by_key(|hold| (hold.opened, hold.id));
    Ok(holds)
}

/// A hold for people.
pub fn text(hold: &Hold) -> String {
    format!("{}  {}  {}: {}", hold.id, hold.held.kind.as_str(), hold.held.what, hold.held.why)
}

async fn list(parts: &Parts, all: bool, check: bool, as_json: bool) -> anyhow::Result<Status> {
    let mut holds = if all { parts.store.holds(RecordSeq(0)).await? } else { open(parts).await? };
    holds.sort_by_key(|hold| (hold.opened, hold.id));
    let waits = holds.iter().any(|hold| hold.state == HoldState::Open);
    if as_json {
        print_json(&holds.iter().map(shown_hold).collect::<Vec<_>>())?;
    } else if holds.is_empty() {
        println!("nothing waits for a person");
    } else {
        for hold in &holds {
            println!("{}", text(hold));
            println!("    since {}", axon_store::stored::shown_instant(hold.opened));
            if hold.state == HoldState::Open {
                println!("    a release means: {}", hold.held.kind.release_means());
            }
            if hold.held.terms.asked_by.is_some() {
                println!("    somebody else than whoever asked has to release it");
            }
            if hold.held.terms.people > 1 {
                println!("    two persons have to release it");
            }
            if let Some(first) = &hold.first {
                let at = axon_store::stored::shown_instant(first.at);
                println!("    released first {at} by {}: {}", shown(&first.by), shown(&first.reason));
            }
            if let Some(ended) = &hold.ended {
                let at = axon_store::stored::shown_instant(ended.at);
                println!(
                    "    {} {at} by {}: {}",
                    hold.state.as_str(),
                    shown(&ended.by),
                    shown(&ended.reason)
                );
            }
        }
    }
    Ok(if check && waits { Status::Found } else { Status::Done })
}

async fn end(parts: &Parts, answer: HoldAnswer, end: HoldEnd) -> anyhow::Result<Status> {
    let HoldAnswer { id, reason, by, proof } = answer;
    let reason = sentence("--reason", &reason)?;
    let mut act = person::act(parts, &proof, Permission::HoldsRelease).await?;
    if let Some(by) = by {
        act = in_the_name_of(act, &sentence("--by", &by)?);
    }
    let holds = parts.store.holds(RecordSeq(0)).await?;
    let hold = find(&holds, &id)?;
    Ok(told(parts.store.answer_hold(hold.id, end, reason, act).await?))
}

/// Shows all that one hold is about.
async fn show(parts: &Parts, id: &str, as_json: bool) -> anyhow::Result<Status> {
    let holds = parts.store.holds(RecordSeq(0)).await?;
    let hold = find(&holds, id)?;
    let about = parts.store.hold_parts(hold.id).await?;
    if as_json {
        let mut value = shown_hold(hold);
        value["parts"] = about.into();
        print_json(&value)?;
        return Ok(Status::Done);
    }
    println!("{} ({})", text(hold), hold.state.as_str());
    for part in &about {
        println!("    {}", shown(part));
    }
    Ok(Status::Done)
}

/// Lets so many more leavers through for a while: a hold that is released before anybody leaves.
async fn announce(parts: &Parts, announcement: Announcement) -> anyhow::Result<Status> {
    let Announcement { target, leavers, length, reason, proof } = announcement;
    let reason = sentence("--reason", &reason)?;
    let map = load_map(&parts.config)?;
    let known: Vec<&str> = map.targets.keys().map(axon_mapping::TargetName::as_str).collect();
    if !known.contains(&target.as_str()) {
        bail!("the role map names no target {target:?}; it names: {}", known.join(", "));
    }
    if length > LONGEST_ANNOUNCED {
        bail!("--for is over 7 days: announce it when it comes nearer");
    }
    let act = person::act(parts, &proof, Permission::HoldsRelease).await?;
    let people = if map.guards.two_release_steps { 2 } else { 1 };
    let hold = NewHold {
        kind: HoldKind::Step,
        key: format!("announced {target} {}", act.ids.uuid(act.now)),
        source: None,
        target: Some(target),
        what: format!("up to {leavers} people more than usual are shut out"),
        why: format!("{} announces it: {reason}", act.actor),
        binds: None,
        expires: Some(act.now + length),
        terms: HoldTerms {
            people,
            parts: vec![axon_controller::announcement(leavers)],
            ..HoldTerms::default()
        },
    };
    let opened = parts.store.open_holds(vec![hold], act.clone()).await?;
    let Some(hold) = opened.first() else { bail!("it could not be kept: try again") };
    Ok(told(parts.store.answer_hold(hold.id, HoldEnd::Release, reason, act).await?))
}

/// Tells what came of an answer.
pub fn told(answered: Answered) -> Status {
    match answered {
        Answered::Ended(hold) => {
            println!("{} {}", hold.state.as_str(), text(&hold));
            eprintln!("a running serve follows within a second");
            Status::Done
        }
        Answered::Seconded(hold) => {
            println!("noted {}", text(&hold));
            eprintln!("it takes two persons: somebody else has to release it too");
            Status::Found
        }
        Answered::SamePerson(hold) => {
            eprintln!(
                "axon: {} takes a second person: whoever asked for it, or released it first, cannot be that one \
                 (an operator's token proves another one: --token-file)",
                hold.id
            );
            Status::Failed
        }
        Answered::Stands(hold) => {
            let state = hold.state.as_str();
            eprintln!("axon: hold {} is {state}; `axon holds list --all` shows what came of it", hold.id);
            Status::Failed
        }
        Answered::Unknown => {
            eprintln!("axon: there is no such hold any more");
            Status::Failed
        }
    }
}

/// Who answers is told with the login that the command ran under: a name alone proves nothing.
fn in_the_name_of(act: Act, by: &str) -> Act {
    let name = match &act.actor {
        Actor::Operator { name } => format!("{by} (login {name})"),
        _ => by.to_owned(),
    };
    Act { actor: Actor::Operator { name }, ..act }
}

/// A reason or a name as it may stand in the journal.
pub fn sentence(option: &str, text: &str) -> anyhow::Result<String> {
    let text = text.trim();
    if text.is_empty() {
        bail!("{option} is empty: say it in a few words");
    }
    if text.chars().count() > LONGEST {
        bail!("{option} is over {LONGEST} characters");
    }
    if text.chars().any(char::is_control) {
        bail!("{option} holds a control character");
    }
    Ok(text.to_owned())
}

fn find<'h>(holds: &'h [Hold], id: &str) -> anyhow::Result<&'h Hold> {
    find_by(holds, id, "hold; `axon holds list` shows", |hold| vec![hold.id.to_string()])
}

/// The one with this id, or with an id that begins or ends so. `what` names the kind, and the command that shows the ids.
pub fn find_by<'h, T>(
    all: &'h [T],
    id: &str,
    what: &str,
    ids: impl Fn(&T) -> Vec<String>,
) -> anyhow::Result<&'h T> {
    let (kind, where_shown) = what.split_once("; ").unwrap_or((what, "the list shows"));
    let wanted = id.trim().to_ascii_lowercase();
    if wanted.len() < SHORTEST {
        bail!("{id:?} is too short for an id; {where_shown} the ids");
    }
    // Ids that were made together begin alike: their ends tell them apart.
    let fits = |one: &&T| ids(one).iter().any(|id| id.starts_with(&wanted) || id.ends_with(&wanted));
    let found: Vec<&T> = all.iter().filter(fits).collect();
    match found.as_slice() {
        [] => bail!("there is no {kind} {id:?}; {where_shown} the ids"),
        [one] => Ok(one),
        several => bail!("{id:?} fits {} of them: give more of the id", several.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(id: &str) -> Hold {
        Hold {
            id: id.parse().unwrap(),
            held: axon_store::NewHold {
                kind: HoldKind::Step,
                key: id.to_owned(),
                source: None,
                target: None,
                what: String::new(),
                why: String::new(),
                binds: None,
                expires: None,
                terms: axon_store::HoldTerms::default(),
            },
            state: HoldState::Open,
            opened: time::OffsetDateTime::UNIX_EPOCH,
            first: None,
            ended: None,
            record: RecordSeq(1),
        }
    }

    #[test]
    fn an_id_may_be_shortened_as_long_as_it_is_one() {
        let holds =
            [hold("018f3a00-0000-7000-8000-00000000000a"), hold("018f3a00-0000-7000-8000-00000000000b")];
        assert_eq!(find(&holds, "00000000000B").unwrap().id, holds[1].id);
        for (id, words) in [
            ("018f3a00", "fits 2 of them"),
            ("0a", "too short"),
            ("ffffffff", "no hold"),
            ("018f3a00-0000-7000-8000-00000000000c", "no hold"),
        ] {
            let error = find(&holds, id).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_reason_is_said_in_words() {
        assert_eq!(sentence("--reason", " rehired ").unwrap(), "rehired");
        for bad in ["", "  ", "a\nb", &"x".repeat(1_001)] {
            assert!(sentence("--reason", bad).is_err(), "{bad:?}");
        }
    }
}

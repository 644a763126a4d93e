//! What a change of a role that the map makes in Azure allows more, or less.

use axon_reconcile::action::covers;

use super::Reach;
use crate::role::{DefinedRole, RoleSpec};

/// What a sentence says of a role that is made.
enum Sentence<'a> {
    /// Its name and what it is for.
    Title,
    /// An action, in the list of these words.
    Action(&'a str, &'a str),
}

const LISTS: [&str; 4] = ["does not allow with data", "does not allow", "allows with data", "allows"];

fn list<'r>(defined: &'r DefinedRole, words: &str) -> &'r [String] {
    match words {
        "allows" => &defined.actions,
        "allows with data" => &defined.data_actions,
        "does not allow" => &defined.not_actions,
        _ => &defined.not_data_actions,
    }
}

/// The role that a sentence is about, by its target, and what it says.
fn read<'r, 's>(
    role: &'r RoleSpec,
    what: &'s str,
) -> Option<(&'r crate::names::TargetName, &'r DefinedRole, Sentence<'s>)> {
    role.define.iter().find_map(|(target, defined)| {
        let rest = what.strip_prefix(&format!("defines {} in {target}: ", defined.name))?;
        let action = LISTS.iter().find_map(|words| {
            let action = rest.strip_prefix(words)?.strip_prefix(' ')?;
            list(defined, words).iter().any(|one| one == action).then_some((*words, action))
        });
        Some((
            target,
            defined,
            action.map_or(Sentence::Title, |(words, action)| Sentence::Action(words, action)),
        ))
    })
}

/// A sentence that only the new map says; none if it is about something else.
pub(super) fn added(role: &RoleSpec, was: Option<&RoleSpec>, what: &str) -> Option<Reach> {
    if !what.starts_with("defines ") {
        return None;
    }
    let Some((target, defined, sentence)) = read(role, what) else { return Some(Reach::Widened) };
    let before = was.and_then(|was| was.define.get(target));
    Some(match sentence {
        // Under another name it is another role, which may be there already.
        Sentence::Title if before.is_some_and(|before| before.name == defined.name) => Reach::Same,
        Sentence::Action("does not allow" | "does not allow with data", _) => Reach::Narrowed,
        Sentence::Action(words, action)
            if before.is_some_and(|before| list(before, words).iter().any(|outer| covers(outer, action))) =>
        {
            Reach::Same
        }
        Sentence::Title | Sentence::Action(..) => Reach::Widened,
    })
}

/// A sentence that only the old map says; none if it is about something else.
pub(super) fn removed(role: &RoleSpec, what: &str) -> Option<Reach> {
    if !what.starts_with("defines ") {
        return None;
    }
    Some(match read(role, what) {
        Some((_, _, Sentence::Title)) => Reach::Same,
        Some((_, _, Sentence::Action("allows" | "allows with data", _))) => Reach::Narrowed,
        _ => Reach::Widened,
    })
}

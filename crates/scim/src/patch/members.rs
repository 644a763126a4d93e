//! Operations on the members of a group, apart from the document since members are rows.

use serde_json::Value;

use super::{Op, Verb};
use crate::error::ScimError;
use crate::filter::{CompareOp, Expr, Filter, Literal};
use crate::profile::Profile;
use crate::resource::{MemberRef, parse_members};
use crate::schema::Attribute;

/// `members` without brackets.
pub(super) fn whole(verb: Verb, value: Option<Value>, profile: &Profile) -> Result<Op, ScimError> {
    let value = value.filter(|v| !v.is_null());
    match (verb, value) {
        // Null is as good as `[]` (RFC 7643 section 2.5), but too easily sent to empty a group with.
        (Verb::Add | Verb::Replace, None) => {
            Err(ScimError::invalid_value(format!("{} has no 'value'; [] empties a group", verb.as_str())))
        }
        (Verb::Add, Some(value)) => parse_members(value).map(Op::AddMembers),
        (Verb::Replace, Some(value)) => parse_members(value).map(Op::ReplaceMembers),
        (Verb::Remove, None) => Ok(Op::ClearMembers),
        (Verb::Remove, Some(_)) if !profile.remove_listed => {
            Err(ScimError::invalid_value("remove takes no 'value'; name the members in the path"))
        }
        // Entra: only the listed go. An empty list takes nobody away.
        (Verb::Remove, Some(value)) => parse_members(value).map(|list| Op::RemoveMembers(ids(list))),
    }
}

/// `members[…]` without a part.
pub(super) fn selected(
    verb: Verb,
    condition: Filter,
    value: Option<Value>,
    profile: &Profile,
) -> Result<Op, ScimError> {
    let named = named_ids(&condition.expr);
    if verb == Verb::Remove {
        return Ok(match named {
            Some(ids) => Op::RemoveMembers(ids),
            None => Op::RemoveMembersWhere(condition),
        });
    }
    // Adding the one member that the condition names, as some clients do.
    let Some(id) = named.and_then(|ids| <[String; 1]>::try_from(ids).ok()).map(|[id]| id) else {
        return Err(ScimError::no_target("this filter on members does not say which member to add"));
    };
    if !profile.create_on_absent {
        return Err(ScimError::no_target("a filter on members selects; it does not add"));
    }
    let members = match value.filter(|v| !v.is_null()) {
        Some(value) => parse_members(value)?,
        None => vec![MemberRef::new(id.clone())],
    };
    if members.iter().any(|m| m.value != id) {
        return Err(ScimError::mutability("members.value is immutable: remove the member and add the other"));
    }
    Ok(Op::AddMembers(members))
}

/// `members.part` and `members[…].part`: parts of a member are not written one by one.
pub(super) fn part(part: &Attribute) -> ScimError {
    ScimError::mutability(format!(
        "members.{} cannot be changed: remove the member and add it anew",
        part.name
    ))
}

fn ids(list: Vec<MemberRef>) -> Vec<String> {
    list.into_iter().map(|m| m.value).collect()
}

/// The ids of `value eq "a"` and `value eq "a" or value eq "b"`.
fn named_ids(expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Compare { path, op: CompareOp::Eq, literal: Literal::Text { text, .. } }
            if path.attribute.name == "value" =>
        {
            Some(vec![text.clone()])
        }
        Expr::Or(terms) => {
            let each: Option<Vec<_>> = terms.iter().map(named_ids).collect();
            each.map(|each| each.concat())
        }
        _ => None,
    }
}

//! What of a mapping's groups somebody lacks for one wanted role, and what a group's name must capture for it.

use std::collections::BTreeMap;

use axon_model::SourceId;
use axon_model::name::shown;

use crate::names::RoleName;
use crate::rule::{Gives, GroupName, Groups, Pattern};
use crate::selection::{Found, Within};

/// How many ways to a role's name are tried.
const MOST: usize = 64;

/// What lets somebody in who is in none of a mapping's groups. `fits` is what a name must fit, `released` whether a group of such a
/// name has been released, where it has to be.
pub(super) fn missing_open(
    named: &Groups,
    fits: Option<String>,
    (source, released): (&SourceId, Option<bool>),
    held: Vec<String>,
    steps: &mut Vec<String>,
) {
    if !held.is_empty() {
        steps.extend(held);
        return;
    }
    let list = |names: &[GroupName]| -> String {
        let told: Vec<String> = names.iter().take(5).map(ToString::to_string).collect();
        told.join(", ")
    };
    let mut any = Vec::new();
    if !named.any.is_empty() {
        any.push(list(&named.any));
    }
    if let Some(fits) = fits {
        any.push(match released {
            None => format!("one whose name fits {fits}"),
            Some(true) => format!("a released one whose name fits {fits}"),
            Some(false) => {
                format!("one whose name fits {fits}, and which is then released (`axon holds list`)")
            }
        });
    }
    let one = if named.any.len() > 1 || any.len() > 1 { "one of " } else { "" };
    steps.push(format!("be in {one}{} ({source})", any.join(" or ")));
}

/// What is missing of the groups that are all needed, and of those that shut out.
pub(super) fn missing_groups(
    named: &Groups,
    found: &Found,
    within: &Within,
    source: &SourceId,
    steps: &mut Vec<String>,
) {
    for (name, group) in named.all.iter().zip(&found.all) {
        if group.is_none_or(|group| !within.contains(&group)) {
            steps.push(format!("be in {name} ({source})"));
        }
    }
    for (name, group) in named.none.iter().zip(&found.none) {
        match group {
            Some(group) if within.contains(group) => {
                steps.push(format!("not be in {name} ({source})"));
            }
            Some(_) => {}
            None => {
                steps.push(format!("source {source} must know group {name}, which the mapping leaves out"));
            }
        }
    }
}

/// What follows "whose name fits …": what has to be captured for this role, and a name that does. `there` are names of groups that
/// capture it, where there are some. Empty where nothing is captured.
pub(super) fn needed(
    pattern: &Pattern,
    gives: &Gives,
    role: &RoleName,
    mut there: impl Iterator<Item = String>,
) -> String {
    let Gives::Captured { template, .. } = gives else { return String::new() };
    let ways = template.ways_to(role.as_str(), MOST);
    let mut made = ways.iter().filter_map(|way| example(pattern.as_str(), way));
    let names = |name: &String| pattern.captures(name).and_then(|c| gives.captured(&c)) == Some(role);
    if let Some(name) = there.find(names).or_else(|| made.find(names)) {
        let captures = pattern.captures(&name);
        let held: BTreeMap<&str, &str> = template
            .holes()
            .filter_map(|hole| Some((hole, captures.as_ref()?.name(hole)?.as_str())))
            .collect();
        return format!(" with {}, such as {}", told(&held), shown(&name));
    }
    match &ways[..] {
        [only] => format!(" with {}", told(only)),
        _ => format!(" so that {} is {role}", shown(template.as_str())),
    }
}

fn told(held: &BTreeMap<&str, &str>) -> String {
    let told: Vec<String> = held.iter().map(|(name, value)| format!("{name} = {}", shown(value))).collect();
    told.join(" and ")
}

/// A name made of a pattern's plain text and of what its captures shall hold; none where the pattern is more than that. Whether it
/// fits is for the pattern to say.
fn example(pattern: &str, held: &BTreeMap<&str, &str>) -> Option<String> {
    let mut rest = pattern.strip_prefix('^').unwrap_or(pattern);
    rest = rest.strip_suffix('$').unwrap_or(rest);
    let mut name = String::new();
    while let Some(first) = rest.chars().next() {
        if let Some(group) = rest.strip_prefix("(?<").or_else(|| rest.strip_prefix("(?P<")) {
            let (capture, inner) = group.split_once('>')?;
            name.push_str(held.get(capture)?);
            rest = &inner[closing(inner)? + 1..];
            continue;
        }
        rest = &rest[first.len_utf8()..];
        let plain = match first {
            '\\' => {
                let escaped = rest.chars().next().filter(char::is_ascii_punctuation)?;
                rest = &rest[1..];
                escaped
            }
            '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => return None,
            plain => plain,
        };
        name.push(plain);
    }
    Some(name)
}

/// Where the group ends that these words begin within.
fn closing(inner: &str) -> Option<usize> {
    let (mut depth, mut class, mut escaped) = (0_usize, false, false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => class = false,
            _ if class => {}
            '[' => class = true,
            '(' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_where_the_pattern_is_plain_text_and_captures() {
        let held = BTreeMap::from([("team", "sales"), ("level", "writer")]);
        for (pattern, name) in [
            ("^syn-(?<team>[a-z]+)-(?<level>reader|writer)$", Some("syn-sales-writer")),
            (r"(?P<team>[^)]+)\.(?<level>(a|\))+)", Some("sales.writer")),
            ("^syn-(?<team>[a-z]+)(-x)?-(?<level>.*)$", None),
            ("^syn-.*(?<team>[a-z]+)$", None),
            ("(?<env>[a-z]+)-(?<team>[a-z]+)", None),
            (r"\d(?<team>[a-z]+)", None),
            ("(?<team>[a-z]", None),
        ] {
            assert_eq!(example(pattern, &held).as_deref(), name, "{pattern}");
        }
    }
}

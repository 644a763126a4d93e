//! `axon drift adopt`: what the role map would have to say, printed, or put into it.

mod files;

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use axon_controller::DriftKind;
use axon_mapping::{RoleMap, RoleName, TargetName};
use axon_model::name::shown;
use axon_reconcile::{GrantState, Step};
use axon_store::maps::MapFiles;

use super::look;
use crate::cli::AdoptDrift;
use crate::command::Status;
use crate::command::map::versions;
use crate::maps;
use crate::wiring::{Parts, map_files, proved_map};

/// Lines by role and target.
type Lines = BTreeMap<(RoleName, TargetName), Vec<String>>;

/// Lines for the map. Nothing is guessed: what the map cannot say of a single person is told as such.
pub async fn run(parts: &Parts, args: &AdoptDrift) -> anyhow::Result<Status> {
    let seen = look(parts, args.target.as_deref()).await?;
    let map = maps::in_force(parts).await?;
    let (mut lines, mut others) = (Lines::new(), Vec::new());
    for (target, seen) in &seen {
        let added = seen.drift.iter().filter(|one| one.kind == DriftKind::Added && one.excepted.is_none());
        for one in added {
            match line(&map, target, &one.step) {
                Ok((role, target, line)) => lines.entry((role, target)).or_default().push(line),
                Err(Some(why)) => others.push(format!("{target}: {why}")),
                Err(None) => others.push(format!("{target}: {}", one.what())),
            }
        }
    }
    if lines.is_empty() && others.is_empty() {
        println!("# nothing is there that the map does not ask for");
        return Ok(Status::Done);
    }
    if !lines.is_empty() {
        print(&lines);
    }
    for line in &others {
        println!("# not by a line of a role: {}", shown(line));
    }
    if !args.push {
        return Ok(Status::Found);
    }
    if lines.is_empty() {
        bail!("nothing of it can be said by a line of a role: nothing is pushed");
    }
    let stored = axon_controller::versions::current(&*parts.store).await?;
    let configured = map_files(&parts.config.role_map);
    let files = match &stored {
        Some(stored) => stored.files.clone(),
        None => map_files(&parts.config.role_map)?,
    };
    if stored.as_ref().is_some_and(|stored| stored.head.version != *map.version()) {
        bail!(
            "the configured file says something else than the version in force, and counts: bring it in force first, or adopt into it by hand"
        );
    }
    let is_configured = configured.as_ref().is_ok_and(|configured| *configured == files);
    let before = files.clone();
    let patched = patched(files, &map, &lines, parts)?;
    let comment = args.comment.clone().unwrap_or_else(|| "what somebody did by hand is adopted".to_owned());
    let stored = stored.map(|stored| stored.head.version);
    let status = versions::push_patched(parts, &args.proof, patched.clone(), comment, stored).await?;
    let path = parts.config.role_map.display();
    if status != Status::Done {
        eprintln!("when it is released, bring these lines into {path}: a file that changes after it counts");
    } else if !is_configured {
        eprintln!(
            "{path} says something else and was not changed: bring these lines into it before its next edit, which would count"
        );
    } else if let Err(error) = files::write(&parts.config.role_map, &before, &patched) {
        eprintln!(
            "{path} could not be changed ({error:#}): bring these lines into it before its next edit, which would count"
        );
    } else {
        println!("# {path} has these lines, too");
    }
    Ok(status)
}

/// The line that would ask for what a step takes away; else why there is none, where that is more than what the step says.
fn line(map: &RoleMap, target: &str, step: &Step) -> Result<(RoleName, TargetName, String), Option<String>> {
    let (target, spec) = map.targets.iter().find(|(name, _)| name.as_str() == target).ok_or(None)?;
    let role_of = |name| map.roles.keys().find(|role| spec.role(role).is_ok_and(|held| held == name));
    match step {
        Step::Revoke { grantee, permission, on, columns, was } => {
            let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
            let columns = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
            let deny = if *was == GrantState::Deny { "deny " } else { "" };
            let line = format!("{deny}{} on {on}{columns}", permission.to_string().to_lowercase());
            let role = role_of(*grantee).ok_or(None)?;
            Ok((role.clone(), target.clone(), line))
        }
        Step::DropMember { role, member } => {
            let role = role_of(*role).ok_or(None)?;
            Err(Some(format!(
                "{member} has role {role} by hand: put {member} into a group of a mapping that gives it"
            )))
        }
        _ => Err(None),
    }
}

fn print(lines: &Lines) {
    println!("# to be merged into the role map");
    println!("roles:");
    let mut last: Option<&RoleName> = None;
    for ((role, target), grants) in lines {
        if last != Some(role) {
            println!("  {role}:\n    grants:");
            last = Some(role);
        }
        println!("      {target}:");
        for line in grants {
            println!("        - {}", quoted(line));
        }
    }
}

/// A string of JSON is one of YAML.
fn quoted(line: &str) -> String {
    serde_json::Value::from(line).to_string()
}

/// The files with the lines in them, each beside one that the role has for the target already: comments and order stay as they are.
fn patched(mut files: MapFiles, map: &RoleMap, lines: &Lines, parts: &Parts) -> anyhow::Result<MapFiles> {
    let mut places: Vec<(&str, u32, u32, Vec<String>)> = Vec::new();
    for ((role, target), new) in lines {
        let own = map.roles.get(role).and_then(|spec| spec.grants.get(target));
        let first = own.and_then(|own| own.first()).with_context(|| {
            format!("role {role} has no line of its own for {target} to put one beside: write the first one by hand")
        })?;
        let new = new.iter().map(|line| quoted(line)).collect();
        places.push((&first.place.file, first.place.line, first.place.column, new));
    }
    // From the end on, so that what is put in moves no place that is still to come.
    places.sort_by_key(|(file, line, column, _)| (*file, std::cmp::Reverse((*line, *column))));
    for (file, line, column, new) in places {
        let text = files.iter_mut().find(|(name, _)| name == file).map(|(_, text)| text);
        let text = text.with_context(|| format!("the version in force has no file {}", shown(file)))?;
        *text = beside(text, line, column, &new).with_context(|| {
            format!("{}:{line}: no place for another line is found here: write it by hand", shown(file))
        })?;
    }
    let is = |map: &RoleMap| -> Vec<(RoleName, TargetName, usize)> {
        let roles = map.roles.iter();
        roles
            .flat_map(|(role, spec)| spec.grants.iter().map(|(t, own)| (role.clone(), t.clone(), own.len())))
            .collect()
    };
    let registry = std::sync::Arc::new(parts.config.registry()?);
    let after = proved_map(&files, &registry).context("the role map with these lines")?;
    let mut wanted = is(map);
    for (role, target, count) in &mut wanted {
        *count += lines.get(&(role.clone(), target.clone())).map_or(0, Vec::len);
    }
    if is(&after) != wanted || after.mappings.len() != map.mappings.len() {
        bail!("the role map would not say what is wanted: write the lines by hand");
    }
    Ok(files)
}

/// Puts items in front of the one at this place: of a block, each a line of its own; of a list in brackets.
fn beside(text: &str, line: u32, column: u32, new: &[String]) -> Option<String> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)? as usize).map(str::len).sum();
    let at = text.get(start..)?.lines().next()?;
    let (byte, _) = at.char_indices().nth(column.checked_sub(1)? as usize)?;
    let (before, _) = at.split_at(byte);
    let insert = if before.trim_start().trim_end() == "-" {
        new.iter().flat_map(|item| [before, item, "\n"]).collect::<String>()
    } else if before.trim_end().ends_with(['[', ',']) {
        let items = new.iter().flat_map(|item| [item.as_str(), ", "]).collect::<String>();
        return Some(format!("{}{items}{}", text.get(..start + byte)?, text.get(start + byte..)?));
    } else {
        return None;
    };
    Some(format!("{}{insert}{}", text.get(..start)?, text.get(start..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_beside_those_that_are_there_and_nothing_else_moves() {
        let block = "roles:\n  r:\n    grants:\n      dw:\n        # why\n        - select on a.b   # kept\n";
        let new = ["\"delete on a.b\"".to_owned(), "\"insert on a.b\"".to_owned()];
        assert_eq!(
            beside(block, 6, 11, &new).unwrap(),
            "roles:\n  r:\n    grants:\n      dw:\n        # why\n        - \"delete on a.b\"\n        - \"insert on a.b\"\n        - select on a.b   # kept\n"
        );
        let flow = "r: { grants: { dw: [é, \"select on a.b\"] } }\nx: 1";
        assert_eq!(
            beside(flow, 1, 24, &new[..1]).unwrap(),
            "r: { grants: { dw: [é, \"delete on a.b\", \"select on a.b\"] } }\nx: 1"
        );
        for (line, column) in [(1, 1), (9, 1), (1, 900), (0, 0), (2, 4)] {
            assert_eq!(beside(flow, line, column, &new), None, "{line}:{column}");
        }
    }
}

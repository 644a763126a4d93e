//! The directory's levers.

use serde::Deserialize;

use super::{Done, ok, read, shown, unknown};
use crate::cloud::reply::Reply;
use crate::cloud::request::Request;
use crate::control::Levers;
use crate::directory::{Directory, DirectoryApp, DirectoryGroup, DirectoryUser};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Newcomers {
    users: Vec<DirectoryUser>,
    groups: Vec<DirectoryGroup>,
    apps: Vec<DirectoryApp>,
    /// How long SQL and Graph do not find them.
    visible_after_seconds: u32,
    /// How long Resource Manager does not know them.
    known_after_seconds: u32,
}

pub(super) fn answer(levers: &Levers, request: &Request, rest: &[&str]) -> Done {
    let own = &levers.pool;
    match (request.method.as_str(), rest) {
        ("GET", []) => return own.change_directory(|directory| shown(directory)),
        ("PUT", []) => {
            let new: Directory = read(request)?;
            own.change_directory(|directory| *directory = new);
        }
        ("POST", []) => join(levers, read(request)?),
        ("DELETE", [id]) => {
            if !own.change_directory(|directory| delete(directory, id)) {
                return Err(Reply::error(404, "NotFound", "Nobody has this object id."));
            }
        }
        _ => return Err(unknown()),
    }
    Ok(ok())
}

fn join(levers: &Levers, new: Newcomers) {
    let now = levers.pool.config().clock.now();
    let users = new.users.iter().map(|user| (user.upn.clone(), user.object_id.clone()));
    let groups = new.groups.iter().map(|group| (group.display_name.clone(), group.object_id.clone()));
    let apps = new.apps.iter().map(|app| (app.display_name.clone(), app.object_id.clone()));
    let named: Vec<(String, String)> = users.chain(groups).chain(apps).collect();
    let known = now.unix_timestamp().saturating_add(i64::from(new.known_after_seconds));
    if let Some(cloud) = levers.cloud.as_ref().filter(|_| new.known_after_seconds > 0) {
        cloud.change(|state| state.known_from.extend(named.iter().map(|(_, id)| (id.clone(), known))));
    }
    let until = now + time::Duration::seconds(i64::from(new.visible_after_seconds));
    levers.pool.change_directory(|directory| {
        if new.visible_after_seconds > 0 {
            directory.hidden_until.extend(named.into_iter().map(|(name, _)| (name, until)));
        }
        directory.users.extend(new.users);
        directory.groups.extend(new.groups);
        directory.apps.extend(new.apps);
    });
}

/// Moves an object to the deleted ones.
fn delete(directory: &mut Directory, id: &str) -> bool {
    let is = |own: &str| own.eq_ignore_ascii_case(id);
    let Directory { users, groups, apps, deleted, .. } = directory;
    take(users, &mut deleted.users, |user| is(&user.object_id))
        || take(groups, &mut deleted.groups, |group| is(&group.object_id))
        || take(apps, &mut deleted.apps, |app| is(&app.object_id))
}

fn take<T>(from: &mut Vec<T>, to: &mut Vec<T>, is: impl Fn(&T) -> bool) -> bool {
    let Some(at) = from.iter().position(is) else { return false };
    to.push(from.remove(at));
    true
}

//! What each part of a map says, one line for each thing. Every field is named, so that a new one cannot stay unseen.

use std::fmt::Write as _;

use axon_model::name::shown;
use axon_reconcile::{Glob, GrantState, Mode};

use crate::chain::instant;
use crate::effect::Power;
use crate::grant::GrantLine;
use crate::guards::{BreakGlass, GuardRules, Protection, Tombstones};
use crate::map_test::{MapTest, Subject};
use crate::names::{RoleName, TargetName};
use crate::place::Place;
use crate::role::{DefinedRole, RoleSpec};
use crate::rule::{Gives, GroupName, Mapping, Who};
use crate::secure_view::{RowLine, SecureView, Shown};
use crate::target::{Endpoint, ScriptPlace, ScriptSeen, SqlServer, TargetSpec, Tls, Via};

fn via(via: Via) -> &'static str {
    match via {
        Via::Person => "person",
        Via::Group => "group",
    }
}

/// How the sentence about a group begins.
pub(crate) const ACCEPTS: &str = "accepts group ";

/// What a target says. Of secrets not even their references.
pub(super) fn target_says(target: &TargetSpec) -> Vec<String> {
    let TargetSpec {
        name: _,
        place: _,
        kind,
        endpoint,
        workspace,
        auth,
        object_id,
        mode,
        via: way,
        principal,
        role_name,
        manage,
        metadata,
        accept_groups,
    } = target;
    let globs = |globs: &[Glob]| match globs {
        [] => "nothing".to_owned(),
        globs => globs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let mode = match mode {
        Mode::Observe => "observe",
        Mode::Additive => "additive",
        Mode::Authoritative => "authoritative",
    };
    let mut said = vec![
        format!("kind {kind}"),
        format!("at {}", endpoint_says(endpoint)),
        format!("mode {mode}"),
        format!("via {}", via(*way)),
        format!("principal {principal}"),
        format!("role_name {role_name}"),
        format!("manages roles {}", globs(&manage.roles)),
        format!("manages schemas {}", globs(&manage.schemas)),
        metadata_says(metadata),
        format!("manages {} principals", manage.principals()),
    ];
    if !manage.except.is_empty() {
        let names: Vec<String> = manage.except.iter().map(ToString::to_string).collect();
        said.push(format!("manages all but {}", names.join(", ")));
    }
    said.extend(
        accept_groups.iter().map(|group| format!("{ACCEPTS}{group} to reach tables past their views")),
    );
    said.extend(workspace.as_ref().map(|name| format!("workspace {name}")));
    said.extend(auth.as_ref().map(|auth| format!("auth {}", auth.name())));
    said.extend(object_id.as_ref().map(|template| format!("object_id {template}")));
    said
}

fn endpoint_says(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Sql(SqlServer { host, port, database, tls }) => {
            let tls = match tls {
                Tls::System => String::new(),
                Tls::Ca(file) => format!(", tls by the authorities of {}", shown(file)),
                Tls::Off => ", without tls".to_owned(),
            };
            format!("{}:{port}, database {}{tls}", shown(host), shown(database))
        }
        Endpoint::Workspace(address) => shown(address),
        Endpoint::Azure(scope) => shown(scope),
        Endpoint::Script(ScriptPlace { dialect, database, out, seen }) => {
            let seen = match seen {
                ScriptSeen::Confirmed => "by what is confirmed".to_owned(),
                ScriptSeen::Catalog(file) => format!("in {}", shown(file)),
                ScriptSeen::Pool(server) => format!("at {}:{}", shown(&server.host), server.port),
            };
            let (out, database) = (shown(out), shown(database));
            format!("{out}, in the words of {dialect}, database {database}, seen {seen}")
        }
    }
}

/// One permission of a line.
pub(crate) fn atom_says(state: GrantState, (permission, on): &Power, target: &TargetName) -> String {
    let word = if state == GrantState::Deny { "deny " } else { "" };
    format!("{word}{} on {on} in {target}", permission.name().to_lowercase())
}

pub(super) fn role_says(role: &RoleSpec, add: &mut impl FnMut(String, String, Option<&Place>)) {
    // What is held and what is included at last follows from the rest.
    let RoleSpec {
        name,
        place,
        description,
        includes,
        grants,
        held: _,
        direct,
        impersonate,
        define,
        whole: _,
    } = role;
    let of = format!("role {name}");
    add(of.clone(), "is there".to_owned(), Some(place));
    if let Some(description) = description {
        add(of.clone(), format!("description {}", shown(description)), Some(place));
    }
    if *direct {
        add(of.clone(), "is direct: it is no role of the pool".to_owned(), Some(place));
    }
    for (target, defined) in define {
        let DefinedRole { name, description, actions, not_actions, data_actions, not_data_actions, place } =
            defined;
        add(of.clone(), format!("defines {name} in {target}: {}", shown(description)), Some(place));
        for (word, actions) in [
            ("allows", actions),
            ("does not allow", not_actions),
            ("allows with data", data_actions),
            ("does not allow with data", not_data_actions),
        ] {
            for action in actions {
                add(of.clone(), format!("defines {name} in {target}: {word} {action}"), Some(place));
            }
        }
    }
    for included in includes {
        add(of.clone(), format!("includes {included}"), Some(place));
    }
    for (target, grants) in grants {
        for grant in grants {
            // One line that lists several permissions is as many lines that list one each.
            let GrantLine::Permissions { state, .. } = &grant.line else {
                add(of.clone(), format!("{} in {target}", grant.line), Some(&grant.place));
                continue;
            };
            for power in grant.line.atoms() {
                add(of.clone(), atom_says(*state, &power, target), Some(&grant.place));
            }
        }
    }
    for (target, acting) in impersonate {
        let names: Vec<&str> = acting.roles.iter().map(RoleName::as_str).collect();
        let reason = if acting.reason_required { "required" } else { "optional" };
        let second = if acting.second_person { ", released by a second person" } else { "" };
        let (names, longest) = (names.join(", "), acting.longest);
        let what = format!("may act as {names} in {target} for {longest}, reason {reason}{second}");
        add(of.clone(), what, Some(&acting.place));
    }
}

/// What a mapping says, in one sentence.
pub(crate) fn mapping_says(mapping: &Mapping) -> String {
    // Whether it is about separated roles follows from the rules.
    let Mapping { place: _, who, when, gives, until, trust, via: way, separated: _ } = mapping;
    let names = |word: &str, names: &[GroupName]| -> String {
        let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.sort();
        if names.is_empty() { String::new() } else { format!(" {word} of [{}]", names.join(", ")) }
    };
    // Writing to a String cannot fail.
    let mut text = match who {
        Who::Service(name) => format!("service {name}"),
        Who::Groups { groups, source } => {
            let fits =
                groups.matching.as_ref().map(|p| format!(" match {:?}", p.as_str())).unwrap_or_default();
            format!(
                "{source}:{}{}{}{fits}",
                names("any", &groups.any),
                names("all", &groups.all),
                names("none", &groups.none)
            )
        }
    };
    match gives {
        Gives::Roles(roles) => {
            let mut names: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
            names.sort_unstable();
            let _ = write!(text, " gives {}", names.join(", "));
        }
        Gives::Captured { template, only } => {
            let names: Vec<&str> = only.iter().map(RoleName::as_str).collect();
            let _ = write!(text, " gives {template} of [{}]", names.join(", "));
        }
    }
    if let Some(condition) = when {
        let _ = write!(text, " when {}", condition.as_str());
    }
    if let Some(until) = until {
        let _ = write!(text, " until {}", instant(*until));
    }
    if let Some(way) = way {
        let _ = write!(text, " via {}", via(*way));
    }
    if *trust {
        text.push_str(" trusting names");
    }
    text
}

pub(super) fn guards_say(guards: &GuardRules) -> Vec<(String, Option<&Place>)> {
    let GuardRules { removals, leavers, protect, hold, two_release_steps, break_glass, tombstones } = guards;
    let mut said = Vec::new();
    for (name, budget) in [("removals", removals), ("leavers", leavers)] {
        if let Some(b) = budget {
            said.push(format!("{name}: at most {}% or {} in {}", b.most_percent, b.floor, b.window));
        }
    }
    let mut said: Vec<(String, Option<&Place>)> = said.into_iter().map(|what| (what, None)).collect();
    said.extend(hold.iter().map(|kind| (format!("hold {}", kind.name()), None)));
    if *two_release_steps {
        said.push(("a withheld step takes two persons".to_owned(), None));
    }
    let BreakGlass { longest, second_person, also } = break_glass;
    if *break_glass != BreakGlass::default() {
        let release = if *second_person { "a second person" } else { "nobody else" };
        said.push((format!("break_glass: for {longest} at most, released by {release}"), None));
        said.extend(also.iter().map(|role| (format!("break_glass: also {role}"), None)));
    }
    if *tombstones != Tombstones::default() {
        let wait = tombstones.after().map_or_else(|| "never".to_owned(), |wait| wait.to_string());
        said.push((format!("tombstones: {wait}"), None));
    }
    for Protection { principal, owner, until, place } in protect {
        let what = format!("protect {principal} until {}, owner {}", instant(*until), shown(owner));
        said.push((what, Some(place)));
    }
    said
}

fn metadata_says(metadata: &axon_reconcile::Metadata) -> String {
    let axon_reconcile::Metadata { schema, owner, delimiters, impersonation, by_session: _ } = metadata;
    let layout = match delimiters {
        None => "rows".to_owned(),
        Some(by) => format!("strings parted by {} {} {}", by.hash, by.hash_key, by.array),
    };
    let acting =
        impersonation.map(|role| format!(", members of {role} may act as others")).unwrap_or_default();
    format!("views of {owner} read schema {schema}, in {layout}{acting}")
}

pub(crate) fn view_says(view: &SecureView) -> Vec<String> {
    let mut said = vec![format!("shows {}", view.from)];
    said.extend(view.targets.iter().map(|target| format!("in {target}")));
    for column in &view.columns {
        said.push(match &column.shown {
            Shown::Clear => format!("column {} clear", column.name),
            Shown::Hidden => format!("column {} hidden", column.name),
            Shown::Masked { mask, unless, to } => {
                let only = named(" for ", to);
                let but = named(if to.is_empty() { " but for " } else { ", clear for " }, unless);
                format!("column {} masked {mask}{only}{but}", column.name)
            }
        });
    }
    for row in &view.rows {
        said.push(match row {
            RowLine::Role(role) => format!("every row for {role}"),
            RowLine::Group(group) => {
                format!("every row for group {} of {}", crate::yaml::shown(&group.name), group.source)
            }
            RowLine::Where { text, to, .. } => format!("rows where {text}{}", named(" for ", to)),
        });
    }
    said.extend(view.readers.iter().map(|role| format!("read by {role}")));
    if let Some(native) = &view.native {
        said.push(format!("filters {} itself", view.from));
        said.extend(
            native.unfiltered.iter().map(|role| format!("every row of {} to members of {role}", view.from)),
        );
    }
    said
}

/// Roles behind a word; nothing, if there are none.
fn named(word: &str, roles: &[RoleName]) -> String {
    let names: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
    if names.is_empty() { String::new() } else { format!("{word}{}", names.join(", ")) }
}

pub(super) fn of_token(service: &crate::service::Service) -> String {
    let Some(crate::service::ServiceToken { issuer, audience, subject, claims }) = &service.token else {
        return String::new();
    };
    let claims: Vec<String> =
        claims.iter().map(|(claim, values)| format!("{claim} {}", values.join("|"))).collect();
    format!(
        ", tokens of {issuer} for {}, subject {}, claims {}",
        audience.join("|"),
        if subject.is_empty() { "any".to_owned() } else { subject.join("|") },
        if claims.is_empty() { "any".to_owned() } else { claims.join(", ") }
    )
}

pub(super) fn test_says(test: &MapTest) -> String {
    let MapTest { place: _, who, at, roles, has, lacks } = test;
    // Writing to a String cannot fail.
    let mut said = match who {
        Subject::Service(name) => format!("service {name}"),
        Subject::Person { user_name: _, source, groups, active, document } => {
            let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
            let rest: Vec<String> = document
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "userName" | "active"))
                .map(|(key, value)| format!(", {} {}", shown(key), shown(&value.to_string())))
                .collect();
            let active = if *active { "" } else { "not active, " };
            format!("{active}of {source}, in [{}]{}", groups.join(", "), rest.concat())
        }
    };
    if let Some(at) = at {
        let _ = write!(said, ", at {}", instant(*at));
    }
    if let Some(roles) = roles {
        let names: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
        let _ = write!(said, ": roles [{}]", names.join(", "));
    }
    for (word, expected) in [("has", has), ("lacks", lacks)] {
        let all: Vec<String> = expected.iter().map(|e| format!("{} in {}", e.grant.line, e.target)).collect();
        if !all.is_empty() {
            let _ = write!(said, "; {word} {}", all.join(", "));
        }
    }
    said
}

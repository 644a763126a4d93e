//! The permissions to read as another that count at an instant, person by person.

use std::collections::BTreeSet;

use axon_model::{AccessRequest, AccessRequestId, Asked, Directory, SqlName, Whom};
use axon_reconcile::secure::{LiveSession, Window, Windows};
use axon_reconcile::{Graph, PrincipalKind};
use time::{Duration, OffsetDateTime};

use super::administrators::Administrators;
use super::{Side, may_act};
use crate::beside;
use crate::evaluator::Evaluator;
use crate::names::RoleName;
use crate::role::Definitions;

/// What requests come to in one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acting {
    /// What is to stand in the pool.
    pub windows: Windows,
    /// Requests that are in force and give nothing now, and why.
    pub waiting: Vec<(AccessRequestId, String)>,
}

/// How long a permission in one session holds without a look that finds the session alive: ids of sessions begin anew after a pause.
const LEASE: Duration = Duration::minutes(10);
/// It is renewed when no more than this is left of it.
const RENEWED: Duration = Duration::minutes(6);

/// What the pool tells of those who act.
pub struct ActingThere<'a> {
    /// What stands there.
    pub graph: &'a Graph,
    /// The roles of the pool that views ask for.
    pub roles: &'a BTreeSet<SqlName>,
    /// How a permission is chosen.
    pub by: ActingBy<'a>,
    /// The permissions that stand.
    pub standing: &'a Windows,
}

/// How somebody says as whom to read.
#[derive(Debug, Clone, Copy)]
pub enum ActingBy<'a> {
    /// By a key of the session.
    Context,
    /// By the session itself: those that were asked for and live.
    Session(&'a [LiveSession]),
    /// By the session itself, and Axon may not see which live.
    Blind,
}

/// The sessions of this target that requests in force name.
pub fn named_sessions<'r>(
    requests: impl Iterator<Item = &'r AccessRequest>,
    place: &str,
    now: OffsetDateTime,
) -> Vec<String> {
    let session = |request: &'r AccessRequest| match &request.asked {
        Asked::Impersonate { target, session: Some(session), .. } if target == place => Some(session.clone()),
        _ => None,
    };
    let named: BTreeSet<String> = requests.filter(|one| one.in_force_at(now)).filter_map(session).collect();
    named.into_iter().collect()
}

impl Evaluator {
    /// The permissions that requests in force come to now.
    pub fn acting<'r>(
        &self,
        directory: &Directory,
        requests: impl Iterator<Item = &'r AccessRequest>,
        there: &ActingThere<'_>,
        now: OffsetDateTime,
    ) -> Acting {
        let mut acting = Acting::default();
        let mut administrators = None;
        for request in requests.filter(|request| request.in_force_at(now)) {
            let (Asked::Impersonate { person, target, .. }, Some(until)) = (&request.asked, request.until)
            else {
                continue;
            };
            if target != self.target().name.as_str() {
                continue;
            }
            let administrators = administrators.get_or_insert_with(|| {
                let defined = Definitions::of(self.map().roles.values());
                Administrators::of(there.graph, self.target(), &defined)
            });
            let window = self
                .window(directory, &request.whom, person, there, (now, until))
                .and_then(|window| self.below(directory, administrators, there.graph, window))
                .and_then(|window| in_session(request, window, there, now))
                .and_then(|window| beside_others(&acting.windows, window));
            match window {
                // Of two that overlap the later end counts: each was asked for and is on record.
                Ok(window) => {
                    let key = (window.actor, window.person);
                    let known = acting.windows.entry(key).or_insert_with(|| window.clone());
                    known.until = known.until.max(window.until);
                }
                Err(why) => acting.waiting.push((request.id, why)),
            }
        }
        acting
    }

    fn window(
        &self,
        directory: &Directory,
        who: &Whom,
        whom: &Whom,
        there: &ActingThere<'_>,
        (now, until): (OffsetDateTime, OffsetDateTime),
    ) -> Result<Window, String> {
        let (actor, person) = (self.present(directory, who)?, self.present(directory, whom)?);
        let (mine, theirs) = (self.map_roles(actor), self.map_roles(person));
        let one = Side { name: &who.user_name, principal: actor, roles: &mine };
        let other = Side { name: &whom.user_name, principal: person, roles: &theirs };
        may_act(self.map(), &self.target().name, one, other, now).map_err(|no| no.to_string())?;
        let Some(sid) = there.graph.principals.get(&actor).and_then(|found| found.sid.clone()) else {
            return Err(format!("{actor} is not there yet, or its security id is not seen"));
        };
        // The pool keeps whole seconds: never longer than was asked for.
        let until = until.replace_nanosecond(0).unwrap_or(until);
        let roles = self.in_roles(person).iter().filter_map(|number| self.role_names().get(*number));
        let roles = roles.filter(|role| there.roles.contains(*role)).copied().collect();
        Ok(Window { actor, sid, person, roles, until, session: None })
    }

    /// The same permission where it is not one to read as somebody who administers there, by whatever hand, or by a group whose people
    /// the directory knows.
    fn below(
        &self,
        directory: &Directory,
        administrators: &Administrators,
        graph: &Graph,
        window: Window,
    ) -> Result<Window, String> {
        let person = window.person;
        if let Some(why) = administrators.why(person) {
            return Err(format!(
                "{person} administers the target by hand ({why}): nobody acts as an administrator"
            ));
        }
        let who = |name| self.who(directory, name, graph.principals.get(&name)?);
        let behind = who(person).unwrap_or_default();
        let groups = administrators.all().filter(|(name, _)| {
            graph.principals.get(name).is_some_and(|found| found.kind == PrincipalKind::ExternalGroup)
        });
        for (group, why) in groups {
            if who(group).is_some_and(|inside| !inside.is_disjoint(&behind)) {
                return Err(format!(
                    "{person} is in {group}, which administers the target by hand ({why}): nobody acts as an administrator"
                ));
            }
        }
        Ok(window)
    }

    /// What a person who was meant is called here, if that person still is there. Another one under the record is not meant.
    fn present(&self, directory: &Directory, whom: &Whom) -> Result<SqlName, String> {
        let found = whom.records.iter().find_map(|record| {
            let user = directory.user(record.id).filter(|user| user.active && beside::is(record, user))?;
            self.principal_of(user.id).filter(|name| self.graph().principals.contains_key(name))
        });
        found.ok_or_else(|| {
            format!("{} has nothing in the target now", axon_model::name::shown(&whom.user_name))
        })
    }

    /// The roles of the map that somebody has here.
    fn map_roles(&self, name: SqlName) -> BTreeSet<RoleName> {
        let roles = self.roles_of(name).into_iter().filter_map(|number| self.view().roles.get(number));
        roles.map(|role| role.role.clone()).collect()
    }
}

/// The same permission in the session that was asked for, for as long as the session is known to live. A session that began after it
/// was asked for is another one under the id, and so is one of somebody else's.
fn in_session(
    request: &AccessRequest,
    mut window: Window,
    there: &ActingThere<'_>,
    now: OffsetDateTime,
) -> Result<Window, String> {
    let Asked::Impersonate { session, .. } = &request.asked else { return Ok(window) };
    let live = match (session, there.by) {
        (None, ActingBy::Context) => return Ok(window),
        (Some(_), ActingBy::Context) => {
            return Err(
                "sessions of the target have a context to choose by: ask for it without a session".into()
            );
        }
        (None, ActingBy::Session(_) | ActingBy::Blind) => {
            return Err("the target has no SESSION_CONTEXT(): ask for it in one session, \
                        which SELECT SESSION_ID() names there"
                .into());
        }
        (Some(_), ActingBy::Blind) => {
            return Err("Axon may not see the sessions of the target (VIEW DATABASE STATE)".into());
        }
        (Some(_), ActingBy::Session(live)) => live,
    };
    let id = session.as_deref().unwrap_or_default();
    let Some(found) = live.iter().find(|live| live.session.id.eq_ignore_ascii_case(id)) else {
        return Err(format!("session {id} has ended, or was never there"));
    };
    if found.sid != window.sid {
        return Err(format!("session {id} is not one of {}", window.actor));
    }
    if found.session.login > request.asking.at {
        return Err(format!("session {id} began after it was asked for: ids begin anew after a pause"));
    }
    let lease = (now + LEASE).replace_nanosecond(0).unwrap_or(now);
    window.session = Some(found.session.clone());
    window.until = window.until.min(lease);
    let standing = there.standing.get(&(window.actor, window.person));
    if let Some(standing) = standing
        && (&standing.sid, &standing.session, &standing.roles)
            == (&window.sid, &window.session, &window.roles)
        && standing.until <= window.until
        && (standing.until == window.until || standing.until - now > RENEWED)
    {
        window.until = standing.until;
    }
    Ok(window)
}

/// A session reads as one person, and somebody reads as one person in one session.
fn beside_others(others: &Windows, window: Window) -> Result<Window, String> {
    let Some(session) = &window.session else { return Ok(window) };
    for other in others.values().filter(|other| other.actor == window.actor) {
        let same = other.session.as_ref() == Some(session);
        if same && other.person != window.person {
            return Err(format!("session {} reads as {} already", session.id, other.person));
        }
        if !same && other.person == window.person {
            return Err(format!("{} reads as {} in another session already", window.actor, window.person));
        }
    }
    Ok(window)
}

#[cfg(test)]
mod tests {
    use axon_model::{AccessState, IdSource, RecordSeq, Said};
    use axon_reconcile::secure::ActingSession;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
    const ASKED: OffsetDateTime = datetime!(2026-11-22 11:50 UTC);
    const LONG: OffsetDateTime = datetime!(2026-11-22 20:00 UTC);

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn request(session: Option<&str>) -> AccessRequest {
        let whom = |user: &str| Whom { user_name: user.to_owned(), source: None, records: Vec::new() };
        AccessRequest {
            id: AccessRequestId::from_uuid(IdSource::counting().uuid(NOW)),
            asked: Asked::Impersonate {
                person: whom("lee"),
                target: "dw".to_owned(),
                seconds: 60,
                session: session.map(str::to_owned),
            },
            whom: whom("kim"),
            asking: Said { at: ASKED, by: "kim".to_owned(), reason: "seen".to_owned() },
            state: AccessState::InForce,
            hold: None,
            released: None,
            until: Some(LONG),
            ended: None,
            record: RecordSeq(1),
        }
    }

    fn window(person: &str, until: OffsetDateTime) -> Window {
        let (sid, roles) = ("0x01".parse().unwrap(), BTreeSet::new());
        Window { actor: name("kim"), sid, person: name(person), roles, until, session: None }
    }

    fn live(id: &str, sid: &str, login: OffsetDateTime) -> LiveSession {
        LiveSession { session: ActingSession { id: id.to_owned(), login }, sid: sid.parse().unwrap() }
    }

    fn told(session: Option<&str>, by: ActingBy<'_>, standing: &Windows) -> Result<Window, String> {
        let roles = BTreeSet::new();
        let graph = Graph::default();
        let there = ActingThere { graph: &graph, roles: &roles, by, standing };
        in_session(&request(session), window("lee", LONG), &there, NOW)
    }

    #[test]
    fn a_permission_in_a_session_is_of_the_one_that_was_there_when_it_was_asked_for() {
        let nothing = Windows::new();
        let before = datetime!(2026-11-22 11:49:59 UTC);
        let sessions = [
            live("SID7", "0x01", before),
            live("SID8", "0x02", before),
            live("SID9", "0x01", datetime!(2026-11-22 11:50:01 UTC)),
        ];
        let by = ActingBy::Session(&sessions);
        assert_eq!(told(None, ActingBy::Context, &nothing), Ok(window("lee", LONG)));
        let found = told(Some("sid7"), by, &nothing).unwrap();
        assert_eq!(found.session.as_ref().map(|session| session.login), Some(before));
        assert_eq!(found.until, NOW + LEASE, "not for the eight hours that were asked for");
        let mut said: Vec<String> = [Some("SID8"), Some("SID9"), Some("SID10"), None]
            .into_iter()
            .map(|session| told(session, by, &nothing).unwrap_err())
            .collect();
        said.push(told(Some("SID7"), ActingBy::Context, &nothing).unwrap_err());
        said.push(told(Some("SID7"), ActingBy::Blind, &nothing).unwrap_err());
        let others =
            Windows::from([((name("kim"), name("bob")), Window { person: name("bob"), ..found.clone() })]);
        said.push(beside_others(&others, found.clone()).unwrap_err());
        let mut elsewhere = found.clone();
        elsewhere.session = Some(ActingSession { id: "SID11".to_owned(), login: before });
        let others = Windows::from([((name("kim"), name("lee")), elsewhere)]);
        said.push(beside_others(&others, found).unwrap_err());
        insta::assert_snapshot!("why_a_session_reads_as_nobody", said.join("\n"));
    }

    #[test]
    fn it_is_renewed_when_little_is_left_and_not_at_each_look() {
        let sessions = [live("SID7", "0x01", datetime!(2026-11-22 10:00 UTC))];
        let by = ActingBy::Session(&sessions);
        let first = told(Some("SID7"), by, &Windows::new()).unwrap();
        for (left, until) in [
            (Duration::minutes(7), NOW + Duration::minutes(7)),
            (RENEWED, NOW + LEASE),
            (Duration::seconds(-1), NOW + LEASE),
            // Longer than anybody may write it.
            (Duration::hours(3), NOW + LEASE),
        ] {
            let standing = Window { until: NOW + left, ..first.clone() };
            let standing = Windows::from([((name("kim"), name("lee")), standing)]);
            assert_eq!(told(Some("SID7"), by, &standing).unwrap().until, until, "{left}");
        }
        // What stands of another session of the id is not kept.
        let mut other = Window { until: NOW + Duration::minutes(9), ..first };
        other.session = Some(ActingSession { id: "SID7".to_owned(), login: ASKED });
        let standing = Windows::from([((name("kim"), name("lee")), other)]);
        assert_eq!(told(Some("SID7"), by, &standing).unwrap().until, NOW + LEASE);
    }

    #[test]
    fn only_sessions_that_count_here_and_now_are_asked_for() {
        let mut over = request(Some("SID8"));
        over.until = Some(NOW);
        let all = [request(Some("SID7")), request(Some("SID7")), request(None), over];
        assert_eq!(named_sessions(all.iter(), "dw", NOW), ["SID7"]);
        assert!(named_sessions(all.iter(), "other", NOW).is_empty());
    }
}

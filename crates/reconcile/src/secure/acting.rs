//! Who may read secure views as whom, and until when: written permissions, each bound to the caller's security id.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::SecureStep;
use crate::target::Sid;

/// A permission to read views as another person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Who acts.
    pub actor: SqlName,
    /// The security id of whoever acts: another one under the same name has no permission by it.
    pub sid: Sid,
    /// As whom.
    pub person: SqlName,
    /// The roles of the pool that the person has and views ask for.
    pub roles: BTreeSet<SqlName>,
    /// The first instant at which it no longer holds, in whole seconds.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// The session in which it holds, where the pool's sessions have no context to choose it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<ActingSession>,
}

/// The one session in which a permission holds. Ids begin anew after a pause: the id alone names none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActingSession {
    /// Its id, as the pool writes it.
    pub id: String,
    /// When it was logged in to, by the pool's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub login: OffsetDateTime,
}

/// A session that lives, as the pool shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// Which.
    pub session: ActingSession,
    /// The security id of whose it is.
    pub sid: Sid,
}

/// Permissions by who acts and as whom.
pub type Windows = BTreeMap<(SqlName, SqlName), Window>;

/// One row of the table that holds them: a permission is as many as it has roles, and one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActingRow {
    /// Who acts.
    pub actor: SqlName,
    /// The security id of whoever acts.
    pub sid: Sid,
    /// As whom.
    pub person: SqlName,
    /// One role of the person; none in the row that stands for the permission itself.
    pub role: Option<SqlName>,
    /// When it ends.
    pub until: OffsetDateTime,
    /// The session in which it holds.
    pub session: Option<ActingSession>,
}

/// What some rows say. Rows that do not agree with each other are no permission that anybody wants: they are shown as one that ended.
pub fn windows(rows: impl IntoIterator<Item = ActingRow>) -> Windows {
    let mut found = Windows::new();
    for ActingRow { actor, sid, person, role, until, session } in rows {
        let window = found.entry((actor, person)).or_insert_with(|| Window {
            actor,
            sid: sid.clone(),
            person,
            roles: BTreeSet::new(),
            until,
            session: session.clone(),
        });
        if window.sid != sid || window.until != until || window.session != session {
            window.until = OffsetDateTime::UNIX_EPOCH;
        }
        window.roles.extend(role);
    }
    found
}

/// The steps from the permissions that stand to those that ought to.
pub fn acting_steps(schema: SqlName, there: &Windows, wanted: &Windows) -> Vec<SecureStep> {
    let stop = there.iter().filter(|(key, _)| !wanted.contains_key(*key));
    let stop = stop.map(|((actor, person), window)| SecureStep::StopActing {
        schema,
        actor: *actor,
        person: *person,
        in_session: window.session.is_some(),
    });
    let begin = wanted.iter().filter(|(key, window)| there.get(*key) != Some(window));
    let begin = begin.map(|(_, window)| SecureStep::LetAct { schema, window: Box::new(window.clone()) });
    stop.chain(begin).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn row(person: &str, role: Option<&str>, sid: &str) -> ActingRow {
        let until = datetime!(2026-11-22 12:00 UTC);
        let role = role.map(name);
        let sid = sid.parse().unwrap();
        ActingRow { actor: name("kim"), sid, person: name(person), role, until, session: None }
    }

    #[test]
    fn what_stands_and_is_wanted_stays_and_the_rest_is_stopped_or_written() {
        let schema = name("axon");
        let wanted = windows([row("lee", None, "0x01"), row("lee", Some("reader"), "0x01")]);
        assert_eq!(wanted.len(), 1);
        assert_eq!(acting_steps(schema, &wanted, &wanted), []);
        let told = |there: &Windows| -> Vec<String> {
            acting_steps(schema, there, &wanted).iter().map(ToString::to_string).collect()
        };
        let begins = "let kim read views as lee until 2026-11-22T12:00:00Z";
        assert_eq!(told(&Windows::new()), [begins]);
        let other = windows([row("bob", None, "0x01"), row("lee", None, "0x01")]);
        assert_eq!(told(&other), ["stop kim from reading views as bob", begins]);
        // Rows of two sessions, of one id before and after a pause: written anew.
        let session = |login| Some(ActingSession { id: "SID7".into(), login });
        let mut rows = [row("lee", None, "0x01"), row("lee", Some("reader"), "0x01")];
        rows[0].session = session(datetime!(2026-11-22 10:00 UTC));
        rows[1].session = session(datetime!(2026-11-22 11:00 UTC));
        assert_eq!(told(&windows(rows)), [begins]);
        // Rows of two security ids: written anew.
        let torn = windows([row("lee", None, "0x01"), row("lee", Some("reader"), "0x02")]);
        assert_eq!(told(&torn), [begins]);
    }
}

//! Reading views as another person: the test that a view's text makes, and the rows that it looks for.
//!
//! Any user can set a key of the session, so the key alone gives nothing: one predicate asks for the role of the real caller, for a
//! permission that was written for this caller's security id, for its end, and for the key.
//!
//! Where sessions have no context there is no key: the permission itself names one session, by its id. Ids begin anew after a pause, so
//! such a permission is short and is renewed as long as the session lives that it was asked for in (ADR 36).

use std::fmt::Write as _;

use axon_model::SqlName;
use axon_reconcile::secure::{ActingSession, ManagedTable, Window};
use time::OffsetDateTime;
use time::macros::format_description;

use super::Sql;
use super::metadata::Discreet;
use super::quote::{Bracketed, Literal, Value};
use super::view::{Managed, RoleTest};

/// The key of the session that says as whom its user reads.
pub const ACT_AS: &str = "axon_act_as";

/// As whom the session says that it reads; NULL where it says nothing.
fn key() -> String {
    format!("CAST(SESSION_CONTEXT({}) AS nvarchar(128))", Value(ACT_AS))
}

pub(super) fn role_test(name: SqlName, roles: RoleTest) -> String {
    let function = match roles {
        RoleTest::IsRoleMember => "IS_ROLEMEMBER",
        RoleTest::IsMember => "IS_MEMBER",
    };
    format!("{function}({}) = 1", Literal(name))
}

/// Permissions of the caller's that this session chose, `a`: by its key, or as the session that they name.
fn chosen(managed: Managed) -> String {
    let (table, choice) = if managed.by_session {
        (ManagedTable::ActingSessions, "a.[session_id] = SESSION_ID()".to_owned())
    } else {
        (ManagedTable::Acting, format!("a.[person] = {}", key()))
    };
    format!(
        "FROM {}.[{table}] AS a WHERE a.[actor] = USER_NAME() AND a.[actor_sid] = SUSER_SID() AND {choice}",
        Bracketed(managed.schema)
    )
}

/// Whether the session says nothing of as whom it reads: no key, or no permission that names it, be it over or not.
fn says_nothing(managed: Managed) -> String {
    if managed.by_session {
        format!("NOT EXISTS (SELECT 1 {})", chosen(managed))
    } else {
        format!("{} IS NULL", key())
    }
}

/// The rows by which the caller reads as another: of one role of that person or of the permission itself.
fn permitted(role: Option<SqlName>, acting: SqlName, managed: Managed) -> String {
    let role = role.map(|name| name.as_str().to_owned()).unwrap_or_default();
    format!(
        "{} AND a.[role] = {} AND a.[until] > GETUTCDATE() AND {}",
        chosen(managed),
        Value(&role),
        role_test(acting, managed.roles)
    )
}

/// Whether the reader, or whom the reader acts as, is a member of a role.
pub(super) fn is_member(name: SqlName, managed: Managed) -> String {
    let own = role_test(name, managed.roles);
    match managed.impersonation {
        None => own,
        Some(acting) => format!(
            "({} AND {own} OR EXISTS (SELECT 1 {}))",
            says_nothing(managed),
            permitted(Some(name), acting, managed)
        ),
    }
}

/// Whose profile counts: the reader's, or that of whom the reader acts as. A key without a permission is nobody's.
pub(super) fn whose(managed: Managed) -> String {
    match managed.impersonation {
        None => "USER_NAME()".to_owned(),
        Some(acting) => format!(
            "CASE WHEN {} THEN USER_NAME() ELSE (SELECT MAX(a.[person]) {}) END",
            says_nothing(managed),
            permitted(None, acting, managed)
        ),
    }
}

fn instant_of_login(at: OffsetDateTime) -> String {
    format!("{}.{:03}", instant(at), at.millisecond())
}

fn instant(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    at.to_offset(time::UtcOffset::UTC).format(form).unwrap_or_else(|_| "1900-01-01T00:00:00".to_owned())
}

/// Puts a permission in the place of the one that stood.
pub(crate) fn let_act(schema: SqlName, window: &Window) -> Vec<Discreet> {
    let Window { actor, sid, person, roles, until, session } = window;
    let table = table(session.is_some());
    let (columns, more) = match session {
        None => ("", String::new()),
        Some(ActingSession { id, login }) => (
            ", [session_id], [login_time]",
            format!(", {}, CAST({} AS datetime2(3))", Value(id), Value(&instant_of_login(*login))),
        ),
    };
    let mut text = format!(
        "INSERT INTO {}.[{table}] ([actor], [actor_sid], [person], [role], [until]{columns})",
        Bracketed(schema)
    );
    let all = std::iter::once(String::new()).chain(roles.iter().map(|role| role.as_str().to_owned()));
    for (i, role) in all.enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{} SELECT {}, {sid}, {}, {}, CAST({} AS datetime2(0)){more}",
            if i == 0 { "" } else { " UNION ALL" },
            Value(actor.as_str()),
            Value(person.as_str()),
            Value(&role),
            Value(&instant(*until))
        );
    }
    let mut all = vec![stop_acting(schema, *actor, *person, session.is_some())];
    // A session reads as one person: whoever it read as before is gone before another comes.
    all.extend(session.as_ref().map(|session| {
        Discreet::plain(Sql(format!(
            "DELETE FROM {}.[{table}] WHERE [session_id] = {}",
            Bracketed(schema),
            Value(&session.id)
        )))
    }));
    all.push(Discreet::plain(Sql(text)));
    all
}

fn table(in_session: bool) -> ManagedTable {
    if in_session { ManagedTable::ActingSessions } else { ManagedTable::Acting }
}

/// Takes a permission out.
pub(crate) fn stop_acting(schema: SqlName, actor: SqlName, person: SqlName, in_session: bool) -> Discreet {
    Discreet::plain(Sql(format!(
        "DELETE FROM {}.[{}] WHERE [actor] = {} AND [person] = {}",
        Bracketed(schema),
        table(in_session),
        Value(actor.as_str()),
        Value(person.as_str())
    )))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_permission_is_one_row_of_its_own_and_one_of_each_role() {
        let name = |text: &str| SqlName::parse(text).unwrap();
        let window = Window {
            actor: name("o'neill"),
            sid: "0x0A0B".parse().unwrap(),
            person: name("lee"),
            roles: BTreeSet::from([name("axon_reader")]),
            until: datetime!(2026-11-22 13:00:05 +1),
            session: None,
        };
        let texts = let_act(name("ax]on"), &window);
        assert_eq!(
            texts[0].recorded(),
            "DELETE FROM [ax]]on].[acting] WHERE [actor] = N'o''neill' AND [person] = N'lee'"
        );
        assert_eq!(
            texts[1].recorded(),
            "INSERT INTO [ax]]on].[acting] ([actor], [actor_sid], [person], [role], [until]) \
             SELECT N'o''neill', 0x0A0B, N'lee', N'', CAST(N'2026-11-22T12:00:05' AS datetime2(0)) \
             UNION ALL SELECT N'o''neill', 0x0A0B, N'lee', N'axon_reader', CAST(N'2026-11-22T12:00:05' AS datetime2(0))"
        );
    }

    #[test]
    fn a_permission_in_one_session_names_it_and_takes_every_other_of_it_out() {
        let name = |text: &str| SqlName::parse(text).unwrap();
        let login = datetime!(2026-11-22 11:58:00.123 UTC);
        let window = Window {
            actor: name("kim"),
            sid: "0x0A0B".parse().unwrap(),
            person: name("lee"),
            roles: BTreeSet::new(),
            until: datetime!(2026-11-22 12:00:05 UTC),
            session: Some(ActingSession { id: "SID'7".into(), login }),
        };
        let texts = let_act(name("axon"), &window);
        let told: Vec<&str> = texts.iter().map(Discreet::recorded).collect();
        assert_eq!(
            told,
            [
                "DELETE FROM [axon].[acting_sessions] WHERE [actor] = N'kim' AND [person] = N'lee'",
                "DELETE FROM [axon].[acting_sessions] WHERE [session_id] = N'SID''7'",
                "INSERT INTO [axon].[acting_sessions] ([actor], [actor_sid], [person], [role], [until], [session_id], [login_time]) \
                 SELECT N'kim', 0x0A0B, N'lee', N'', CAST(N'2026-11-22T12:00:05' AS datetime2(0)), N'SID''7', \
                 CAST(N'2026-11-22T11:58:00.123' AS datetime2(3))",
            ]
        );
        let managed = Managed {
            schema: name("axon"),
            roles: RoleTest::IsRoleMember,
            delimiters: None,
            impersonation: Some(name("AXON_IMPERSONATION")),
            by_session: true,
        };
        let texts = [whose(managed), is_member(name("reader"), managed)];
        for text in texts {
            assert!(!text.contains("SESSION_CONTEXT"), "{text}");
            for words in
                ["a.[session_id] = SESSION_ID()", "a.[actor_sid] = SUSER_SID()", "a.[until] > GETUTCDATE()"]
            {
                assert!(text.contains(words), "{words}: {text}");
            }
        }
    }
}

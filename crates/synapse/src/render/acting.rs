//! Reading views as another person: the test that a view's text makes, and the rows that it looks for.
//!
//! Any user can set a key of the session, so the key alone gives nothing: one predicate asks for the role of the real caller, for a
//! permission that was written for this caller's security id, for its end, and for the key.

use std::fmt::Write as _;

use axon_model::SqlName;
use axon_reconcile::secure::Window;
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

/// The rows by which the caller reads as whom the key says: `a`, of one role of that person or of the permission itself.
fn permitted(role: Option<SqlName>, acting: SqlName, managed: Managed) -> String {
    let role = role.map(|name| name.as_str().to_owned()).unwrap_or_default();
    format!(
        "FROM {}.[acting] AS a WHERE a.[actor] = USER_NAME() AND a.[actor_sid] = SUSER_SID() AND a.[person] = {} \
         AND a.[role] = {} AND a.[until] > GETUTCDATE() AND {}",
        Bracketed(managed.schema),
        key(),
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
            "({} IS NULL AND {own} OR EXISTS (SELECT 1 {}))",
            key(),
            permitted(Some(name), acting, managed)
        ),
    }
}

/// Whose profile counts: the reader's, or that of whom the reader acts as. A key without a permission is nobody's.
pub(super) fn whose(managed: Managed) -> String {
    match managed.impersonation {
        None => "USER_NAME()".to_owned(),
        Some(acting) => format!(
            "CASE WHEN {} IS NULL THEN USER_NAME() ELSE (SELECT MAX(a.[person]) {}) END",
            key(),
            permitted(None, acting, managed)
        ),
    }
}

fn instant(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    at.to_offset(time::UtcOffset::UTC).format(form).unwrap_or_else(|_| "1900-01-01T00:00:00".to_owned())
}

/// Puts a permission in the place of the one that stood.
pub(crate) fn let_act(schema: SqlName, window: &Window) -> Vec<Discreet> {
    let Window { actor, sid, person, roles, until } = window;
    let mut text = format!(
        "INSERT INTO {}.[acting] ([actor], [actor_sid], [person], [role], [until])",
        Bracketed(schema)
    );
    let all = std::iter::once(String::new()).chain(roles.iter().map(|role| role.as_str().to_owned()));
    for (i, role) in all.enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{} SELECT {}, {sid}, {}, {}, CAST({} AS datetime2(0))",
            if i == 0 { "" } else { " UNION ALL" },
            Value(actor.as_str()),
            Value(person.as_str()),
            Value(&role),
            Value(&instant(*until))
        );
    }
    vec![stop_acting(schema, *actor, *person), Discreet::plain(Sql(text))]
}

/// Takes a permission out.
pub(crate) fn stop_acting(schema: SqlName, actor: SqlName, person: SqlName) -> Discreet {
    Discreet::plain(Sql(format!(
        "DELETE FROM {}.[acting] WHERE [actor] = {} AND [person] = {}",
        Bracketed(schema),
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
}

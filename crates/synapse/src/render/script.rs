//! Batches of a file that people run with programs of their own: each with the look that makes running it again harmless.
//!
//! Such programs do more with a file than to send it: they part it at lines that say GO, put values for `$(name)`, and read it in
//! the code page of the machine. So all of the text is printable ASCII without `$(`, and every other character of a name is
//! written as `NCHAR(n)`.

use std::fmt::Write as _;

use axon_model::SqlName;
use axon_reconcile::{Securable, Sid, Step, StepKind};

use super::{Sql, render};
use crate::statement::{Dialect, Statement, Wording, Work};

/// The most sessions that one run of a batch ends.
const MOST_SESSIONS: u32 = 1_000;
/// The most columns of a list after which the line is broken, for people.
const WIDE: usize = 110;

/// What a user is told by who is made anew under the same name in the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remade {
    /// The one that stays has this security id.
    With(Sid),
    /// The one that goes was made before this instant, as `2026-11-22T13:00:00`.
    After(String),
}

/// Whether the text can stand in such a file as it is.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' '..='~')) && !text.contains("$(")
}

/// Whether every character of a name can be written as one `NCHAR`.
pub(crate) fn can_be_written(name: SqlName) -> bool {
    name.as_str().chars().all(|c| u32::from(c) <= 0xffff)
}

/// The text as an expression: `N'…'`, with `NCHAR(n)` for what must not stand in the file.
fn expression(text: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let replaced = c == '$' && chars.peek() == Some(&'(');
        match c {
            ' '..='~' if !replaced => plain.push(c),
            _ => {
                if !plain.is_empty() {
                    parts.push(literal(&std::mem::take(&mut plain)));
                }
                parts.push(format!("NCHAR({})", u32::from(c)));
            }
        }
    }
    if !plain.is_empty() || parts.is_empty() {
        parts.push(literal(&plain));
    }
    parts.join(" + ")
}

fn literal(plain: &str) -> String {
    format!("N'{}'", plain.replace('\'', "''"))
}

fn named(name: SqlName) -> String {
    expression(name.as_str())
}

fn principal_there(name: SqlName) -> String {
    format!("EXISTS (SELECT 1 FROM sys.database_principals u WHERE u.name = {})", named(name))
}

fn role_there(name: SqlName) -> String {
    format!(
        "EXISTS (SELECT 1 FROM sys.database_principals u WHERE u.type = 'R' AND u.name = {})",
        named(name)
    )
}

fn user_there(name: SqlName) -> String {
    this_user_there(name, None, None)
}

/// The same of the one with this id, and not of who is made anew.
fn this_user_there(name: SqlName, sid: Option<&Sid>, remade: Option<&Remade>) -> String {
    let mut other = sid.map(|sid| format!(" AND SUBSTRING(u.sid, 1, 16) = {sid}")).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = match remade {
        None => Ok(()),
        Some(Remade::With(sid)) => write!(other, " AND u.sid <> {sid}"),
        Some(Remade::After(instant)) => {
            write!(other, " AND u.create_date < CONVERT(datetime, '{instant}', 126)")
        }
    };
    format!(
        "EXISTS (SELECT 1 FROM sys.database_principals u WHERE u.type <> 'R' AND u.name = {}{other})",
        named(name)
    )
}

fn member_there(role: SqlName, member: SqlName) -> String {
    format!(
        "EXISTS (SELECT 1 FROM sys.database_role_members m \
         JOIN sys.database_principals r ON r.principal_id = m.role_principal_id \
         JOIN sys.database_principals u ON u.principal_id = m.member_principal_id \
         WHERE r.name = {} AND u.name = {})",
        named(role),
        named(member)
    )
}

/// A look for the securable, where it can be away.
fn securable_there(on: Securable) -> Option<String> {
    match on {
        Securable::Database | Securable::Server | Securable::Other(_) => None,
        Securable::Schema(name) => {
            Some(format!("EXISTS (SELECT 1 FROM sys.schemas s WHERE s.name = {})", named(name)))
        }
        Securable::Object(object) | Securable::Column(object, _) => Some(format!(
            "EXISTS (SELECT 1 FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id \
             WHERE s.name = {} AND o.name = {})",
            named(object.schema),
            named(object.name)
        )),
        Securable::Principal(name) => Some(principal_there(name)),
        Securable::Credential(name) => Some(format!(
            "EXISTS (SELECT 1 FROM sys.database_scoped_credentials c WHERE c.name = {})",
            named(name)
        )),
    }
}

/// What must be so for the statement to be sent: then, and only then, something is left to do. What gives to somebody who is
/// not there is sent, so that its error is seen.
fn conditions(step: &Step, remade: Option<&Remade>) -> Vec<String> {
    match step {
        Step::CreatePrincipal { name, .. } => vec![format!("NOT {}", user_there(*name))],
        Step::CreateRole { name } => vec![format!("NOT {}", role_there(*name))],
        Step::AddMember { role, member } => vec![format!("NOT {}", member_there(*role, *member))],
        Step::DropMember { role, member } => vec![member_there(*role, *member)],
        Step::Deny { grantee, .. } => vec![principal_there(*grantee)],
        Step::Revoke { grantee, on, .. } => {
            std::iter::once(principal_there(*grantee)).chain(securable_there(*on)).collect()
        }
        Step::DenyConnect { principal } => vec![user_there(*principal)],
        Step::DropRole { name } => vec![role_there(*name)],
        Step::DropPrincipal { name, sid } => vec![this_user_there(*name, sid.as_ref(), remade)],
        Step::Classify(step) => {
            let there = format!(
                "EXISTS (SELECT 1 FROM sys.workload_management_workload_classifiers c WHERE c.name = {})",
                named(step.name())
            );
            vec![if step.kind() == StepKind::DropClassifier { there } else { format!("NOT {there}") }]
        }
        _ => Vec::new(),
    }
}

/// The batch of one step, or why no file can hold it. `id` is whose the name was when it was looked at.
pub(crate) fn batch(
    step: &Step,
    wording: &Wording<'_>,
    remade: Option<&Remade>,
    id: Option<&Sid>,
) -> Result<Sql, String> {
    let database = expression(wording.database.as_str());
    let statement = match wording.work(step).map_err(|refused| refused.to_string())? {
        // The look at the id stands among the conditions of the batch.
        Work::One(Statement::DropUser { name, sid: _ }) => {
            render(&Statement::DropUser { name, sid: None }, wording.dialect).into_string()
        }
        Work::One(statement) => render(&statement, wording.dialect).into_string(),
        Work::KillSessions { principal } => {
            return Ok(Sql(ending_sessions(principal, id, &database, wording.dialect)));
        }
        // Who has sessions is seen in a pool alone, and no look at one is behind a file.
        Work::KillFormer { .. } => return Err("sessions without a user are not ended by files".to_owned()),
        // Their texts hang on what stands there at the moment.
        _ => return Err("secure views and what they read are not written into files".to_owned()),
    };
    let mut text = String::new();
    let sent = if is_plain(&statement) {
        statement
    } else {
        text.push_str("DECLARE @sql nvarchar(max);\n");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "SET @sql = {};", expression(&statement));
        "EXEC (@sql)".to_owned()
    };
    // In another database than the one that was meant, nothing is done.
    let _ = write!(text, "IF DB_NAME() = {database}");
    for condition in conditions(step, remade) {
        let broken = if condition.len() > WIDE { "\n    AND " } else { " AND " };
        let _ = write!(text, "{broken}{condition}");
    }
    let _ = write!(text, "\n    {sent};");
    Ok(Sql(text))
}

/// Ends the sessions one after another, and looks again each time: those of the object with this id, whoever has the name when the file is
/// run, and those of the name that tell no id; where the id is not known, those of whoever has the name then.
fn ending_sessions(principal: SqlName, id: Option<&Sid>, database: &str, dialect: Dialect) -> String {
    // What `axon_reconcile::visitor::is_of` says, in one condition: another id of 16 bytes is another person, whatever the name.
    let (login, sid) = match dialect {
        Dialect::Dedicated => ("s.login_name", "s.security_id"),
        Dialect::Serverless | Dialect::Server => ("s.original_login_name", "s.original_security_id"),
    };
    let own = format!("FROM sys.database_principals u WHERE u.name = {}", named(principal));
    let whose = match id.filter(|id| id.tells()) {
        Some(id) => format!(
            "(SUBSTRING({sid}, 1, 16) = {id} \
             OR ({login} = {} AND (DATALENGTH({sid}) IS NULL OR DATALENGTH({sid}) < 16)))",
            named(principal)
        ),
        None => format!(
            "(SUBSTRING({sid}, 1, 16) IN (SELECT SUBSTRING(u.sid, 1, 16) {own}) \
             OR ({login} = {} AND (DATALENGTH({sid}) IS NULL OR DATALENGTH({sid}) < 16 \
             OR {login} NOT IN (SELECT u.name {own} AND DATALENGTH(u.sid) >= 16))))",
            named(principal)
        ),
    };
    let (kind, next, kill) = match dialect {
        Dialect::Dedicated => (
            "nvarchar(32)",
            format!(
                "(SELECT MIN(s.session_id) FROM sys.dm_pdw_exec_sessions s \
                 WHERE s.status IN ('ACTIVE', 'IDLE') AND s.session_id <> SESSION_ID() AND {whose})"
            ),
            "N'KILL ''' + @session + N''''",
        ),
        Dialect::Serverless | Dialect::Server => (
            "int",
            format!(
                "(SELECT MIN(s.session_id) FROM sys.dm_exec_sessions s \
                 WHERE s.session_id <> @@SPID AND {whose})"
            ),
            "N'KILL ' + CAST(@session AS nvarchar(12))",
        ),
    };
    format!(
        "DECLARE @session {kind};\nDECLARE @turn int;\nDECLARE @sql nvarchar(100);\nSET @turn = 0;\n\
         SET @session = {next};\n\
         WHILE DB_NAME() = {database} AND @session IS NOT NULL AND @turn < {MOST_SESSIONS}\nBEGIN\n    \
         SET @sql = {kill};\n    EXEC (@sql);\n    SET @turn = @turn + 1;\n    SET @session = {next};\nEND;"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axon_reconcile::{GrantState, ObjectName, Permission, PrincipalKind};

    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn text(step: &Step, dialect: Dialect) -> String {
        let wording = Wording { dialect, database: name("d'w"), roles: &BTreeSet::new() };
        batch(step, &wording, None, None).unwrap().into_string()
    }

    #[test]
    fn what_other_programs_would_change_is_written_as_numbers() {
        assert_eq!(
            expression("a$(b)\nGO\né'"),
            "N'a' + NCHAR(36) + N'(b)' + NCHAR(10) + N'GO' + NCHAR(10) + NCHAR(233) + N''''"
        );
        assert_eq!(expression("$1"), "N'$1'");
        let hostile = Step::CreateRole { name: name("x\u{eb}GO DROP USER [dbo] $(PATH)") };
        let written = text(&hostile, Dialect::Dedicated);
        assert!(written.lines().all(|line| is_plain(line) && line.trim() != "GO"), "{written}");
        assert!(written.contains("EXEC (@sql)"));
        assert!(!can_be_written(name("x\u{1f600}")) && can_be_written(name("é")));
    }

    #[test]
    fn batches_look_before_they_send() {
        let object = ObjectName { schema: name("sales"), name: name("orders") };
        let on = Securable::Object(object);
        let (grantee, permission) = (name("axon_reader"), Permission::Select);
        let kim = name("O'Brien@acme.com");
        let steps = [
            Step::CreateRole { name: grantee },
            Step::CreatePrincipal { name: kim, kind: PrincipalKind::External, sid: None },
            Step::AddMember { role: grantee, member: kim },
            Step::Grant { grantee, permission, on, columns: vec![name("id")] },
            Step::Deny { grantee, permission, on: Securable::Schema(name("hr")), columns: vec![] },
            Step::Revoke { grantee, permission, on, columns: vec![], was: GrantState::GrantWithOption },
            Step::DenyConnect { principal: kim },
            Step::KillSessions { principal: kim },
            Step::DropMember { role: grantee, member: name("zoë@acme.com") },
            Step::DropRole { name: grantee },
            Step::DropPrincipal { name: kim, sid: None },
        ];
        let all = |dialect| steps.iter().map(|s| text(s, dialect)).collect::<Vec<_>>().join("\nGO\n\n");
        insta::assert_snapshot!("script_dedicated", all(Dialect::Dedicated));
        insta::assert_snapshot!("script_serverless", all(Dialect::Serverless));
    }

    #[test]
    fn whose_id_is_known_is_meant_by_the_id_and_not_whoever_has_the_name_when_the_file_is_run() {
        let (kim, roles) = (name("kim"), BTreeSet::new());
        let sid = Sid::from_object_id("01234567-89ab-cdef-0123-456789abcdef").unwrap();
        let id = "= 0x67452301AB89EFCD0123456789ABCDEF";
        for dialect in [Dialect::Dedicated, Dialect::Serverless] {
            let wording = Wording { dialect, database: name("dw"), roles: &roles };
            let written = |step: &Step, remade: Option<&Remade>| {
                batch(step, &wording, remade, Some(&sid)).unwrap().into_string()
            };
            let kill = written(&Step::KillSessions { principal: kim }, None);
            assert!(kill.contains(id) && !kill.contains("sys.database_principals"), "{kill}");
            let drop = Step::DropPrincipal { name: kim, sid: Some(sid.clone()) };
            let text = written(&drop, None);
            assert!(text.contains(&format!("SUBSTRING(u.sid, 1, 16) {id}")), "{text}");
            assert!(text.ends_with("\n    DROP USER [kim];"), "{text}");
            let again = written(&drop, Some(&Remade::After("2026-11-22T13:00:00".into())));
            assert!(again.contains(id) && again.contains("u.create_date <"), "{again}");
        }
    }

    #[test]
    fn who_was_made_anew_is_not_dropped_again() {
        let step = Step::DropPrincipal { name: name("kim"), sid: None };
        let roles = BTreeSet::new();
        let wording = Wording { dialect: Dialect::Dedicated, database: name("dw"), roles: &roles };
        let sid = Sid::from_object_id("01234567-89ab-cdef-0123-456789abcdef").unwrap();
        let by_sid = batch(&step, &wording, Some(&Remade::With(sid)), None).unwrap().into_string();
        assert!(by_sid.contains("u.sid <> 0x67452301AB89EFCD0123456789ABCDEF"), "{by_sid}");
        let by_time = Remade::After("2026-11-22T13:00:00".into());
        let by_time = batch(&step, &wording, Some(&by_time), None).unwrap().into_string();
        assert!(
            by_time.contains("u.create_date < CONVERT(datetime, '2026-11-22T13:00:00', 126)"),
            "{by_time}"
        );
    }
}

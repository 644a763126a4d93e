//! Sessions, as the two personalities show them.

use super::{BIT, Definition, Emit, Field, INT, Only, SYSNAME, ViewColumn, WHEN, col, opt};
use crate::answer::{ServerError, SqlType};
use crate::query::context::{QueryContext, SessionRow};

pub(super) const VIEWS: &[Definition] = &[
    Definition {
        schema: "sys",
        name: "dm_pdw_exec_sessions",
        only: Only::Dedicated,
        columns: DEDICATED,
        fill: dedicated,
    },
    Definition {
        schema: "sys",
        name: "dm_exec_sessions",
        only: Only::Serverless,
        columns: SERVERLESS,
        fill: serverless,
    },
];

const DEDICATED: &[ViewColumn] = &[
    col("session_id", SqlType::NVarChar(32)),
    col("status", SqlType::NVarChar(10)),
    opt("request_id", SqlType::NVarChar(32)),
    col("security_id", SqlType::VarBinary(85)),
    col("login_name", SYSNAME),
    col("login_time", WHEN),
    col("query_count", INT),
    col("is_transactional", BIT),
    opt("client_id", SqlType::NVarChar(255)),
    opt("app_name", SqlType::NVarChar(255)),
    col("sql_spid", INT),
];

const SERVERLESS: &[ViewColumn] = &[
    col("session_id", SqlType::SmallInt),
    col("login_time", WHEN),
    opt("host_name", SYSNAME),
    opt("program_name", SYSNAME),
    col("security_id", SqlType::VarBinary(85)),
    col("login_name", SYSNAME),
    col("status", SqlType::NVarChar(30)),
    col("database_id", SqlType::SmallInt),
    col("open_transaction_count", INT),
    col("is_user_process", BIT),
    col("original_security_id", SqlType::VarBinary(85)),
    col("original_login_name", SYSNAME),
];

/// Without VIEW DATABASE STATE one sees one's own session only.
fn visible(ctx: &QueryContext) -> impl Iterator<Item = &SessionRow> {
    let all = ctx.rights.sees_sessions();
    ctx.sessions.iter().filter(move |row| all || row.spid == ctx.session.spid)
}

fn dedicated(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for row in visible(ctx) {
        emit(&[
            Field::Text(&row.session_id),
            Field::Text(&row.status),
            Field::text(row.request_id.as_deref()),
            Field::Bytes(&row.sid),
            Field::Text(&row.login_name),
            Field::at(row.login_time),
            Field::Int(row.query_count),
            Field::bit(row.in_transaction),
            Field::Text(&row.client),
            Field::Text(&row.app_name),
            Field::Int(i64::from(row.spid)),
        ])?;
    }
    Ok(())
}

/// Closed sessions are not shown here. `login_name` is as whom a session acts (EXECUTE AS), `original_login_name` who entered.
fn serverless(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for row in visible(ctx).filter(|row| matches!(row.status.as_str(), "ACTIVE" | "IDLE")) {
        emit(&[
            Field::Int(i64::from(row.spid)),
            Field::at(row.login_time),
            Field::Text(&row.host_name),
            Field::Text(&row.app_name),
            Field::Bytes(row.acts_as.as_ref().map_or(&row.sid, |(sid, _)| sid)),
            Field::Text(row.acts_as.as_ref().map_or(&row.login_name, |(_, login)| login)),
            Field::Text(if row.status == "ACTIVE" { "running" } else { "sleeping" }),
            Field::Int(row.database_id),
            Field::bit(row.in_transaction),
            Field::Int(1),
            Field::Bytes(&row.sid),
            Field::Text(&row.login_name),
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::answer::{Answer, Value};
    use crate::pool::config::PoolKind;
    use crate::session::Session;
    use crate::testing::{enter, ok, pool_of};

    fn impersonating(session: &mut Session) -> Vec<Value> {
        let answers = session.batch(
            "SELECT original_login_name + N' as ' + login_name FROM sys.dm_exec_sessions \
             WHERE session_id <> @@SPID AND original_security_id <> security_id",
        );
        let row = |answer| if let Answer::Row(values) = answer { values } else { Vec::new() };
        answers.into_iter().flat_map(row).collect()
    }

    #[test]
    fn who_entered_is_told_beside_whom_a_session_acts_as() {
        let pool = pool_of(PoolKind::Serverless);
        let mut admin = enter(&pool, "admin@x.org");
        ok(&mut admin, &["CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER"]);
        let mut other = enter(&pool, "admin@x.org");
        assert_eq!(impersonating(&mut admin), []);
        ok(&mut other, &["EXECUTE AS USER = 'ann@x.org'"]);
        assert_eq!(impersonating(&mut admin), [Value::Text("admin@x.org as ann@x.org".to_owned())]);
        ok(&mut other, &["REVERT"]);
        assert_eq!(impersonating(&mut admin), []);
        ok(&mut other, &["EXECUTE AS USER = 'ann@x.org'"]);
        other.reset();
        assert_eq!(impersonating(&mut admin), []);
    }
}

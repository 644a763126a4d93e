//! The texts of the probes. Each either reads, or names what is nowhere: none of them has an effect, whoever runs it.

use super::Sql;
use crate::capabilities::OWN_METADATA;
use crate::statement::Dialect;

/// A name that stands for nothing anywhere.
const NOWHERE: &str = "[axon_probe_6b0f6c1e2d9a4c07]";
/// The same as procedures take it.
const NOWHERE_TEXT: &str = "N'axon_probe_6b0f6c1e2d9a4c07'";

/// What one probe sends, after one another.
pub(crate) struct ProbeText {
    /// What is asked, in a word.
    pub(crate) name: &'static str,
    /// The batches.
    pub(crate) batches: Vec<Sql>,
}

/// All probes of this dialect. What may leave a transaction open comes last.
pub(crate) fn probes(dialect: Dialect) -> Vec<ProbeText> {
    let probe = |name, text: String| ProbeText { name, batches: vec![Sql(text)] };
    let view = |name, view: &str| probe(name, format!("SELECT TOP 1 1 AS one FROM {view}"));
    let value = |name, call: &str| probe(name, format!("SELECT {call} AS answer"));
    let (sessions, drop_member) = match dialect {
        Dialect::Dedicated => {
            ("sys.dm_pdw_exec_sessions", format!("EXEC sp_droprolemember {NOWHERE_TEXT}, {NOWHERE_TEXT}"))
        }
        Dialect::Server => {
            ("sys.dm_exec_sessions", format!("ALTER SERVER ROLE {NOWHERE} DROP MEMBER {NOWHERE}"))
        }
        Dialect::Serverless => {
            ("sys.dm_exec_sessions", format!("ALTER ROLE {NOWHERE} DROP MEMBER {NOWHERE}"))
        }
    };
    let on_nowhere = format!("ON SCHEMA::{NOWHERE}");
    let all = vec![
        value("session-context", "SESSION_CONTEXT(N'axon')"),
        value("is-rolemember", "IS_ROLEMEMBER(N'public')"),
        value("is-member", "IS_MEMBER(N'public')"),
        value("system-user", "SYSTEM_USER"),
        view("sessions-view", sessions),
        view("classifiers-view", "sys.workload_management_workload_classifiers"),
        view("security-policies-view", "sys.security_policies"),
        view("masked-columns-view", "sys.masked_columns"),
        view("extended-properties-view", "sys.extended_properties"),
        view("server-principals-view", "sys.server_principals"),
        // A name that no directory has: whether it could be looked up at all is told by the refusal.
        probe("external-user", format!("CREATE USER {NOWHERE} FROM EXTERNAL PROVIDER")),
        probe(
            "user-by-object-id",
            format!(
                "CREATE USER {NOWHERE} FROM EXTERNAL PROVIDER WITH OBJECT_ID = '00000000-0000-0000-0000-000000000000'"
            ),
        ),
        // No server knows a TYPE of Z: the refusal tells whether the option itself is known (33163) or not.
        probe(
            "user-by-sid",
            format!("CREATE USER {NOWHERE} WITH SID = 0x00000000000000000000000000000000, TYPE = Z"),
        ),
        probe("external-login", format!("CREATE LOGIN {NOWHERE} FROM EXTERNAL PROVIDER")),
        probe("create-or-alter-view", format!("CREATE OR ALTER VIEW {NOWHERE}.{NOWHERE} AS SELECT 1 AS one")),
        probe("drop-user-if-exists", format!("DROP USER IF EXISTS {NOWHERE}")),
        probe("drop-role-if-exists", format!("DROP ROLE IF EXISTS {NOWHERE}")),
        probe("drop-member-that-is-none", drop_member),
        probe("revoke-grant-option", format!("REVOKE GRANT OPTION FOR SELECT {on_nowhere} FROM {NOWHERE}")),
        probe(
            "revoke-columns",
            format!("REVOKE SELECT ON OBJECT::{NOWHERE}.{NOWHERE} ({NOWHERE}) FROM {NOWHERE}"),
        ),
        probe("grant-as", format!("GRANT SELECT {on_nowhere} TO {NOWHERE} AS [dbo]")),
        // Nobody has the name, so that nobody is put on; and whoever put nobody on takes nothing off.
        probe("execute-as", format!("EXECUTE AS USER = {NOWHERE_TEXT}")),
        probe("revert", "REVERT".to_owned()),
        probe("unmask-on-schema", format!("GRANT UNMASK {on_nowhere} TO {NOWHERE}")),
        probe(
            "grants-in-one-batch",
            format!("GRANT SELECT {on_nowhere} TO {NOWHERE}; GRANT SELECT {on_nowhere} TO {NOWHERE}"),
        ),
        // In serverless pools a role that is nowhere is not found, and a database that Spark owns refuses the statement itself.
        probe(OWN_METADATA, format!("DROP ROLE {NOWHERE}")),
        ProbeText {
            name: "grant-in-transaction",
            batches: vec![
                Sql("BEGIN TRANSACTION".into()),
                Sql(format!("GRANT SELECT {on_nowhere} TO {NOWHERE}")),
            ],
        },
    ];
    all.into_iter().filter(|probe| asks(dialect, probe.name)).collect()
}

/// Whether a probe is one for this dialect.
fn asks(dialect: Dialect, name: &str) -> bool {
    const OF_SERVERS: [&str; 6] = [
        "session-context",
        "system-user",
        "sessions-view",
        "server-principals-view",
        "external-login",
        "drop-member-that-is-none",
    ];
    match dialect {
        Dialect::Dedicated => name != OWN_METADATA,
        Dialect::Serverless => true,
        Dialect::Server => OF_SERVERS.contains(&name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probes_of_both_dialects() {
        let texts = [Dialect::Dedicated, Dialect::Serverless, Dialect::Server].map(|dialect| {
            let lines: Vec<String> = probes(dialect)
                .iter()
                .map(|probe| {
                    let batches: Vec<&str> = probe.batches.iter().map(Sql::as_str).collect();
                    format!("{}: {}", probe.name, batches.join(" / "))
                })
                .collect();
            lines.join("\n")
        });
        insta::assert_snapshot!(texts.join("\n\n"));
    }

    #[test]
    fn what_a_probe_could_change_is_named_nowhere() {
        for dialect in [Dialect::Dedicated, Dialect::Serverless, Dialect::Server] {
            for probe in probes(dialect) {
                for batch in probe.batches {
                    let text = batch.as_str();
                    let harmless =
                        text.starts_with("SELECT ") || ["BEGIN TRANSACTION", "REVERT"].contains(&text);
                    assert!(harmless || text.contains("axon_probe_6b0f6c1e2d9a4c07"), "{text}");
                }
            }
        }
    }
}

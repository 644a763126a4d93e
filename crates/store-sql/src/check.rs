//! Checks a whole store: links between rows, counts, documents against their key columns, the journal's chain.

use std::fmt;

use axon_audit::{Chain, Verifier};
use axon_model::RecordSeq;
use axon_scim::compare::fold;
use axon_scim::{Resource, ResourceKind};
use axon_store::StoreError;

use crate::args;
use crate::journal;
use crate::raw::{Progress, Raw};
use crate::session::Session;

/// How many findings of one kind are told.
const TOLD: usize = 20;

/// How many rows are read at a time.
const PIECE: i64 = 2_000;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The table.
    pub table: &'static str,
    /// The row, as the database numbers it.
    pub row: i64,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, row {}: {}", self.table, self.row, self.what)
    }
}

/// Checks an open store as it is now.
pub async fn check_store(store: &dyn Raw, progress: Progress<'_>) -> Result<Vec<Finding>, StoreError> {
    let mut session = store.snapshot().await?;
    let findings = check(&mut *session, progress).await;
    session.close().await;
    findings
}

/// Checks inside one snapshot or transaction.
pub(crate) async fn check(
    session: &mut dyn Session,
    progress: Progress<'_>,
) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for (n, rule) in RULES.iter().enumerate() {
        progress("links and counts", n as u64, RULES.len() as u64);
        let sql = format!("{} LIMIT {TOLD}", rule.sql);
        let rows: Vec<(i64,)> = session.all("check links and counts", sql, args![]).await?;
        let finding = |(row,)| Finding { table: rule.table, row, what: rule.what.to_owned() };
        findings.extend(rows.into_iter().map(finding));
    }
    users(session, &mut findings, progress).await?;
    groups(session, &mut findings, progress).await?;
    chain(session, &mut findings, progress).await?;
    Ok(findings)
}

/// A SELECT of rows that should not be.
struct Rule {
    table: &'static str,
    what: &'static str,
    sql: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        table: "members",
        what: "it is of a group that does not exist",
        sql: "SELECT m.grp FROM members m LEFT JOIN groups g ON g.seq = m.grp WHERE g.seq IS NULL",
    },
    Rule {
        table: "members",
        what: "the group has a user as member that does not exist",
        sql: "SELECT m.grp FROM members m LEFT JOIN users u ON u.seq = m.member WHERE m.kind = 0 AND u.seq IS NULL",
    },
    Rule {
        table: "members",
        what: "the group has a group as member that does not exist",
        sql: "SELECT m.grp FROM members m LEFT JOIN groups g ON g.seq = m.member WHERE m.kind = 1 AND g.seq IS NULL",
    },
    Rule {
        table: "members",
        what: "it is neither of a user nor of a group",
        sql: "SELECT m.grp FROM members m WHERE m.kind NOT IN (0, 1)",
    },
    Rule {
        table: "groups",
        what: "member_count is not the number of its members",
        sql: "SELECT g.seq FROM groups g LEFT JOIN (SELECT grp, count(*) AS n FROM members GROUP BY grp) AS c \
              ON c.grp = g.seq WHERE g.member_count <> coalesce(c.n, 0)",
    },
    Rule {
        table: "groups",
        what: "parked_count is not the number of members that wait",
        sql: "SELECT g.seq FROM groups g LEFT JOIN (SELECT grp, count(*) AS n FROM parked GROUP BY grp) AS c \
              ON c.grp = g.seq WHERE g.parked_count <> coalesce(c.n, 0)",
    },
    Rule {
        table: "parked",
        what: "it waits in a group that does not exist",
        sql: "SELECT p.grp FROM parked p LEFT JOIN groups g ON g.seq = p.grp WHERE g.seq IS NULL",
    },
    Rule {
        table: "user_emails",
        what: "it is of a user that does not exist",
        sql: "SELECT e.\"user\" FROM user_emails e LEFT JOIN users u ON u.seq = e.\"user\" WHERE u.seq IS NULL",
    },
    Rule {
        table: "users",
        what: "its record is behind the journal's end",
        sql: "SELECT seq FROM users WHERE record > (SELECT coalesce(max(seq), 0) FROM journal)",
    },
    Rule {
        table: "groups",
        what: "its record is behind the journal's end",
        sql: "SELECT seq FROM groups WHERE record > (SELECT coalesce(max(seq), 0) FROM journal)",
    },
    Rule {
        table: "journal_clear",
        what: "it is of a record that does not exist",
        sql: "SELECT c.seq FROM journal_clear c LEFT JOIN journal j ON j.seq = c.seq WHERE j.seq IS NULL",
    },
];

fn resource(kind: ResourceKind, document: &str) -> Option<Resource> {
    serde_json::from_str(document).ok().map(|document| Resource::from_document(kind, document))
}

fn told(findings: &mut Vec<Finding>, table: &'static str, row: i64, what: &str) {
    if findings.iter().filter(|finding| finding.table == table).count() < TOLD {
        findings.push(Finding { table, row, what: what.to_owned() });
    }
}

async fn count(session: &mut dyn Session, sql: &'static str) -> Result<u64, StoreError> {
    let rows: Option<i64> = session.value("count rows", sql, args![]).await?;
    Ok(rows.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
}

async fn users(
    session: &mut dyn Session,
    findings: &mut Vec<Finding>,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    type UserRow = (i64, String, String, Option<String>, bool, String);
    let all = count(session, "SELECT count(*) FROM users").await?;
    let sql = "SELECT seq, user_name, user_name_key, external_id, active, document FROM users \
               WHERE seq > $1 ORDER BY seq LIMIT $2";
    let (mut after, mut done) = (0, 0);
    loop {
        progress("users", done, all);
        let rows: Vec<UserRow> = session.all("read users", sql, args![after, PIECE]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.0;
        done += rows.len() as u64;
        for (seq, name, key, external_id, active, document) in rows {
            match resource(ResourceKind::User, &document) {
                None => told(findings, "users", seq, "its document is not JSON"),
                Some(found) => {
                    let same = found.user_name() == Some(name.as_str())
                        && fold(&name) == key
                        && found.external_id() == external_id.as_deref()
                        && found.is_active() == active;
                    if !same {
                        told(findings, "users", seq, "its key columns are not what its document says");
                    }
                }
            }
        }
    }
}

async fn groups(
    session: &mut dyn Session,
    findings: &mut Vec<Finding>,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    type GroupRow = (i64, String, String, Option<String>, String);
    let all = count(session, "SELECT count(*) FROM groups").await?;
    let sql = "SELECT seq, display_name, display_name_key, external_id, document FROM groups \
               WHERE seq > $1 ORDER BY seq LIMIT $2";
    let (mut after, mut done) = (0, 0);
    loop {
        progress("groups", done, all);
        let rows: Vec<GroupRow> = session.all("read groups", sql, args![after, PIECE]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.0;
        done += rows.len() as u64;
        for (seq, name, key, external_id, document) in rows {
            match resource(ResourceKind::Group, &document) {
                None => told(findings, "groups", seq, "its document is not JSON"),
                Some(found) => {
                    let same = found.display_name() == Some(name.as_str())
                        && fold(&name) == key
                        && found.external_id() == external_id.as_deref();
                    if !same {
                        told(findings, "groups", seq, "its key columns are not what its document says");
                    }
                }
            }
        }
    }
}

/// The journal from its first record to its last. After the first fault nothing behind it can be trusted, so one is told.
async fn chain(
    session: &mut dyn Session,
    findings: &mut Vec<Finding>,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let head = journal::head(session).await?;
    let mut verifier = Verifier::after(Chain::EMPTY);
    let mut next = RecordSeq(1);
    loop {
        progress("journal", next.0 - 1, head.seq.0);
        let entries = journal::entries_of(session, None, next, head.seq, 2_000).await;
        let entries = match entries {
            Err(StoreError::Corrupt { row, column, reason, .. }) => {
                let row = row.parse().unwrap_or(0);
                findings.push(Finding { table: "journal", row, what: format!("{column}: {reason}") });
                return Ok(());
            }
            entries => entries?,
        };
        let Some(last) = entries.last() else { break };
        next = last.record.seq.next();
        for entry in &entries {
            if let Err(broken) = verifier.take(&entry.record, entry.clear.as_ref()) {
                let row = i64::try_from(entry.record.seq.0).unwrap_or(0);
                findings.push(Finding { table: "journal", row, what: broken.to_string() });
                return Ok(());
            }
        }
    }
    if let Err(broken) = verifier.finish(Some(head)) {
        findings.push(Finding { table: "journal", row: 0, what: broken.to_string() });
    }
    Ok(())
}

//! A named server's scratch database is brought back to what it was.

use std::collections::BTreeSet;

use axon_synapse::Dialect;

use crate::place::{OURS, Place, Raw, query};

/// How something is found, by one or two names, and how it goes. Names that are kept are not asked about.
struct Kind {
    select: &'static str,
    kept: bool,
    drop: fn(&[String], Dialect) -> String,
}

fn bracketed(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

fn text(name: &str) -> String {
    format!("N'{}'", name.replace('\'', "''"))
}

fn within(what: &str, names: &[String]) -> String {
    format!("DROP {what} {}.{}", bracketed(&names[0]), bracketed(&names[1]))
}

/// In the order in which they can go.
const KINDS: [Kind; 9] = [
    Kind {
        select: "SELECT s.name, o.name FROM sys.security_policies o JOIN sys.schemas s ON s.schema_id = o.schema_id",
        kept: false,
        drop: |names, _| within("SECURITY POLICY", names),
    },
    Kind {
        select: "SELECT s.name, o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type = 'V' AND s.name NOT IN ('sys', 'INFORMATION_SCHEMA')",
        kept: false,
        drop: |names, _| within("VIEW", names),
    },
    Kind {
        select: "SELECT s.name, o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type IN ('FN', 'IF', 'TF') AND s.name NOT IN ('sys', 'INFORMATION_SCHEMA')",
        kept: false,
        drop: |names, _| within("FUNCTION", names),
    },
    Kind {
        select: "SELECT s.name, o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type = 'U' AND s.name NOT IN ('sys', 'INFORMATION_SCHEMA')",
        kept: false,
        drop: |names, _| within("TABLE", names),
    },
    Kind {
        select: "SELECT name FROM sys.schemas",
        kept: true,
        drop: |names, _| format!("DROP SCHEMA {}", bracketed(&names[0])),
    },
    Kind {
        select: "SELECT m.name, r.name FROM sys.database_role_members o JOIN sys.database_principals r ON r.principal_id = o.role_principal_id JOIN sys.database_principals m ON m.principal_id = o.member_principal_id",
        kept: true,
        drop: |names, dialect| match dialect {
            Dialect::Dedicated => format!("EXEC sp_droprolemember {}, {}", text(&names[1]), text(&names[0])),
            Dialect::Serverless | Dialect::Server => {
                format!("ALTER ROLE {} DROP MEMBER {}", bracketed(&names[1]), bracketed(&names[0]))
            }
        },
    },
    Kind {
        select: "SELECT name FROM sys.database_scoped_credentials",
        kept: false,
        drop: |names, _| format!("DROP DATABASE SCOPED CREDENTIAL {}", bracketed(&names[0])),
    },
    Kind {
        select: "SELECT name FROM sys.database_principals WHERE type = 'R'",
        kept: true,
        drop: |names, _| format!("DROP ROLE {}", bracketed(&names[0])),
    },
    Kind {
        select: "SELECT name FROM sys.database_principals WHERE type <> 'R'",
        kept: true,
        drop: |names, _| format!("DROP USER {}", bracketed(&names[0])),
    },
];

/// What a query of names tells; nothing where the server has no such view.
async fn names(raw: &mut Raw, select: &str) -> Vec<Vec<String>> {
    let rows = query(raw, select).await.unwrap_or_default();
    let cell = |row: &tiberius::Row, n| row.try_get::<&str, _>(n).ok().flatten().map(str::to_owned);
    rows.iter().map(|row| (0..row.len()).filter_map(|n| cell(row, n)).collect()).collect()
}

/// Names of schemas and principals that were there before, and are nobody's of ours. A database that holds tables or views is no
/// scratch database: the suite would drop them, and says so instead.
pub async fn kept(place: &Place) -> BTreeSet<String> {
    let mut raw = place.admin().await;
    for kind in KINDS.iter().filter(|kind| !kind.kept) {
        let there = names(&mut raw, kind.select).await;
        assert!(
            there.is_empty(),
            "{} is no scratch database, the suite would drop {there:?}",
            place.database()
        );
    }
    let all = ["SELECT name FROM sys.schemas", "SELECT name FROM sys.database_principals"];
    let mut kept = BTreeSet::new();
    for select in all {
        kept.extend(names(&mut raw, select).await.into_iter().flatten());
    }
    kept.retain(|name| !name.starts_with(OURS) && Some(name) != place.person.as_ref());
    kept
}

/// Drops whatever was not there before. What cannot go in the first round may in the second.
pub async fn tidy(place: &Place, kept: &BTreeSet<String>) {
    for _ in 0..3 {
        let mut raw = place.admin().await;
        let mut left = 0;
        for kind in &KINDS {
            for found in names(&mut raw, kind.select).await {
                if found.is_empty() || (kind.kept && found.iter().all(|name| kept.contains(name))) {
                    continue;
                }
                left += 1;
                let _ = query(&mut raw, &(kind.drop)(&found, place.dialect)).await;
            }
        }
        if left == 0 {
            break;
        }
    }
}

/// Drops the logins that the suite made.
pub async fn drop_logins(place: &Place) {
    for login in ["kim", "lee", "login"] {
        let _ = place.about_logins(&format!("DROP LOGIN [{OURS}{login}]")).await;
    }
}

//! The texts that ask the catalog. Names are bound as parameters, never written into the text.
//!
//! Within one batch the rows that point come before the rows that are pointed at, principals last: what was there when
//! a permission was read is there still when its grantee is looked up, unless it was dropped in between.

use std::fmt::Write as _;

use axon_model::SqlName;

use super::Sql;
use crate::statement::Dialect;

/// A batch of SELECTs.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    text: Sql,
    binds: Vec<SqlName>,
    sets: usize,
}

impl Query {
    /// The text.
    pub(crate) fn text(&self) -> &Sql {
        &self.text
    }

    /// The values of `@P1`, `@P2`, …
    pub(crate) fn binds(&self) -> &[SqlName] {
        &self.binds
    }

    /// How many result sets it gives.
    pub(crate) fn sets(&self) -> usize {
        self.sets
    }
}

/// Which memberships a query by name reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedMembers {
    /// Those of which one side is named.
    Either,
    /// Those of which both sides are named.
    Both,
}

/// The most names that one query binds. A dedicated pool takes 2,098 parameters; plans of long IN lists are slow before.
pub(crate) const MOST_NAMES: usize = 400;

const PERMISSIONS: &str = "SELECT p.class, p.major_id, p.minor_id, p.grantee_principal_id, \
    p.grantor_principal_id, p.type, p.permission_name, p.state FROM sys.database_permissions p";
const MEMBERS: &str = "SELECT x.role_principal_id, x.member_principal_id FROM sys.database_role_members x";
const COLUMNS: &str = "SELECT c.object_id, c.column_id, c.name FROM sys.columns c";
const OBJECTS: &str = "SELECT o.object_id, o.schema_id, o.name, o.type, o.principal_id FROM sys.objects o";
const SCHEMAS: &str = "SELECT s.schema_id, s.name, s.principal_id FROM sys.schemas s";
const PRINCIPALS: &str = "SELECT u.principal_id, u.name, u.type, u.sid, u.create_date, u.owning_principal_id, \
    u.is_fixed_role FROM sys.database_principals u";
const FACTS: &str = "SELECT @@VERSION AS version, CAST(SERVERPROPERTY('EngineEdition') AS int) AS edition, \
    USER_NAME() AS own_name, DB_NAME() AS database_name";

pub(super) fn batch(selects: &[String], binds: Vec<SqlName>) -> Query {
    Query { text: Sql(selects.join(";\n")), binds, sets: selects.len() }
}

/// All of the catalog that permissions need. What `public` holds on system objects (thousands of rows that are the same
/// in every database) and what has a parent (constraints) is left out.
pub(crate) fn everything() -> Query {
    batch(
        &[
            FACTS.into(),
            format!("{PERMISSIONS} WHERE p.class <> 1 OR p.major_id > 0"),
            MEMBERS.into(),
            format!("{COLUMNS} JOIN sys.objects o ON o.object_id = c.object_id WHERE o.parent_object_id = 0"),
            format!("{OBJECTS} WHERE o.parent_object_id = 0"),
            SCHEMAS.into(),
            PRINCIPALS.into(),
        ],
        Vec::new(),
    )
}

/// What these principals and roles hold, in the same result sets as [`everything`] gives. At most [`MOST_NAMES`] names.
pub(crate) fn named(names: &[SqlName], members: NamedMembers) -> Query {
    let mut list = String::new();
    for i in 1..=names.len() {
        // Writing to a String cannot fail.
        let _ = write!(list, "{}@P{i}", if i == 1 { "(" } else { ", " });
    }
    list.push(')');
    let grantee = format!(
        "p.grantee_principal_id IN (SELECT g.principal_id FROM sys.database_principals g WHERE g.name IN {list})"
    );
    let both = match members {
        NamedMembers::Either => "OR",
        NamedMembers::Both => "AND",
    };
    let sides = format!(
        "FROM sys.database_role_members x JOIN sys.database_principals r ON r.principal_id = x.role_principal_id \
         JOIN sys.database_principals m ON m.principal_id = x.member_principal_id \
         WHERE r.name IN {list} {both} m.name IN {list}"
    );
    let on_objects =
        format!("FROM sys.database_permissions p WHERE p.class = 1 AND p.major_id > 0 AND {grantee}");
    batch(
        &[
            FACTS.into(),
            format!("{PERMISSIONS} WHERE (p.class <> 1 OR p.major_id > 0) AND {grantee}"),
            format!("SELECT x.role_principal_id, x.member_principal_id {sides}"),
            format!("{COLUMNS} WHERE c.object_id IN (SELECT p.major_id {on_objects} AND p.minor_id <> 0)"),
            format!("{OBJECTS} WHERE o.object_id IN (SELECT p.major_id {on_objects})"),
            SCHEMAS.into(),
            format!(
                "{PRINCIPALS} WHERE u.name IN {list} OR u.principal_id IN (SELECT x.role_principal_id {sides}) \
                 OR u.principal_id IN (SELECT x.member_principal_id {sides}) \
                 OR u.principal_id IN (SELECT p.grantor_principal_id FROM sys.database_permissions p WHERE {grantee}) \
                 OR u.principal_id IN (SELECT p.major_id FROM sys.database_permissions p WHERE p.class = 4 AND {grantee})"
            ),
        ],
        names.to_vec(),
    )
}

/// The living sessions of a principal: found by its security id, and by its name where that is its login's.
pub(crate) fn sessions(principal: SqlName, dialect: Dialect) -> Query {
    let whose = "(s.login_name = @P1 OR s.security_id IN \
        (SELECT u.sid FROM sys.database_principals u WHERE u.name = @P1))";
    let select = match dialect {
        Dialect::Dedicated => format!(
            "SELECT s.session_id FROM sys.dm_pdw_exec_sessions s \
             WHERE s.status IN ('ACTIVE', 'IDLE') AND s.session_id <> SESSION_ID() AND {whose}"
        ),
        Dialect::Serverless => format!(
            "SELECT s.session_id FROM sys.dm_exec_sessions s WHERE s.session_id <> @@SPID AND {whose}"
        ),
    };
    batch(&[select], vec![principal])
}

/// Who has a living session and is no principal of the database: whoever enters through a group, an administrator of the server, and
/// those whose user was dropped while they were in.
pub(crate) fn lingering(dialect: Dialect) -> Query {
    let nobody = "s.login_name NOT IN (SELECT u.name FROM sys.database_principals u)";
    let select = match dialect {
        Dialect::Dedicated => format!(
            "SELECT DISTINCT s.login_name FROM sys.dm_pdw_exec_sessions s \
             WHERE s.status IN ('ACTIVE', 'IDLE') AND s.session_id <> SESSION_ID() AND {nobody}"
        ),
        Dialect::Serverless => format!(
            "SELECT DISTINCT s.login_name FROM sys.dm_exec_sessions s \
             WHERE s.is_user_process = 1 AND s.session_id <> @@SPID AND {nobody}"
        ),
    };
    batch(&[select], Vec::new())
}

/// What the graph does not tell of: principals of other kinds, permissions on other classes, classifiers where the pool has
/// them.
pub(crate) fn untold(dialect: Dialect) -> Query {
    let mut selects = vec![
        "SELECT u.type, u.name FROM sys.database_principals u WHERE u.type NOT IN ('S', 'E', 'X', 'R')".into(),
        "SELECT p.class_desc, p.permission_name, p.state, g.name FROM sys.database_permissions p \
         JOIN sys.database_principals g ON g.principal_id = p.grantee_principal_id \
         WHERE p.class NOT IN (0, 1, 3, 4) OR ((p.state = 'R' OR g.name = 'guest') AND (p.class <> 1 OR p.major_id > 0))"
            .into(),
    ];
    if dialect == Dialect::Dedicated {
        selects.push(
            "SELECT c.name, c.group_name, c.importance, d.classifier_type, d.classifier_value \
             FROM sys.workload_management_workload_classifiers c \
             LEFT JOIN sys.workload_management_workload_classifier_details d ON d.classifier_id = c.classifier_id"
                .into(),
        );
    }
    batch(&selects, Vec::new())
}

/// The workload classifiers of a dedicated pool, a row for each detail.
pub(crate) fn classifiers() -> Query {
    batch(
        &["SELECT c.name, c.group_name, c.importance, d.classifier_type, d.classifier_value \
            FROM sys.workload_management_workload_classifiers c \
            LEFT JOIN sys.workload_management_workload_classifier_details d ON d.classifier_id = c.classifier_id"
            .into()],
        Vec::new(),
    )
}

/// Who is there, as whom we are there, and what time it is there.
pub(crate) fn greeting() -> Query {
    batch(
        &["SELECT @@VERSION AS version, CAST(SERVERPROPERTY('EngineEdition') AS int) AS edition, \
            USER_NAME() AS own_name, GETUTCDATE() AS utc"
            .into()],
        Vec::new(),
    )
}

/// Asks for nothing but an answer.
pub(crate) fn ping() -> Query {
    batch(&["SELECT 1 AS one".into()], Vec::new())
}

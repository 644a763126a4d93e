//! The texts that ask the catalog. Names are bound as parameters, never written into the text; an id is digits.
//!
//! Within one batch the rows that point come before the rows that are pointed at, principals last: what was there when
//! a permission was read is there still when its grantee is looked up, unless it was dropped in between.

use std::fmt::Write as _;

use axon_model::SqlName;
use axon_reconcile::Sid;

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

const COLUMNS: &str = "SELECT c.object_id, c.column_id, c.name FROM sys.columns c";
const OBJECTS: &str = "SELECT o.object_id, o.schema_id, o.name, o.type, o.principal_id FROM sys.objects o";
const SCHEMAS: &str = "SELECT s.schema_id, s.name, s.principal_id FROM sys.schemas s";

/// Where principals, their members and permissions stand: in the database, or at the server.
struct Level {
    facts: &'static str,
    permissions: &'static str,
    /// Leaves out what `public` holds on system objects.
    own: &'static str,
    members: &'static str,
    principals: &'static str,
    who: &'static str,
    of_members: &'static str,
    of_permissions: &'static str,
    /// The class of what is on principals.
    on_principal: u8,
}

const IN_DATABASE: Level = Level {
    facts: "SELECT @@VERSION AS version, CAST(SERVERPROPERTY('EngineEdition') AS int) AS edition, \
    USER_NAME() AS own_name, DB_NAME() AS database_name",
    permissions: "SELECT p.class, p.major_id, p.minor_id, p.grantee_principal_id, \
    p.grantor_principal_id, p.type, p.permission_name, p.state FROM sys.database_permissions p",
    own: "(p.class <> 1 OR p.major_id > 0)",
    members: "SELECT x.role_principal_id, x.member_principal_id FROM sys.database_role_members x",
    principals: "SELECT u.principal_id, u.name, u.type, u.sid, u.create_date, u.owning_principal_id, \
    u.is_fixed_role FROM sys.database_principals u",
    who: "sys.database_principals",
    of_members: "sys.database_role_members",
    of_permissions: "sys.database_permissions",
    on_principal: 4,
};

/// Classes of a server as those of a database that mean the same: the whole, a principal, a credential. Its other ones have numbers of
/// their own.
const AT_SERVER: Level = Level {
    facts: "SELECT @@VERSION AS version, CAST(SERVERPROPERTY('EngineEdition') AS int) AS edition, \
    SUSER_SNAME() AS own_name, DB_NAME() AS database_name, IS_SRVROLEMEMBER(N'sysadmin') AS administers",
    permissions: "SELECT CASE WHEN p.class = 100 THEN 0 WHEN p.class = 101 THEN 4 \
    WHEN p.class_desc LIKE N'%CREDENTIAL%' THEN 32 ELSE p.class END AS class, p.major_id, p.minor_id, \
    p.grantee_principal_id, p.grantor_principal_id, p.type, p.permission_name, p.state FROM sys.server_permissions p",
    own: "1 = 1",
    members: "SELECT x.role_principal_id, x.member_principal_id FROM sys.server_role_members x",
    principals: "SELECT u.principal_id, u.name, u.type, u.sid, u.create_date, u.owning_principal_id, \
    u.is_fixed_role FROM sys.server_principals u",
    who: "sys.server_principals",
    of_members: "sys.server_role_members",
    of_permissions: "sys.server_permissions",
    on_principal: 101,
};

impl Level {
    fn of(dialect: Dialect) -> &'static Self {
        match dialect {
            Dialect::Dedicated | Dialect::Serverless => &IN_DATABASE,
            Dialect::Server => &AT_SERVER,
        }
    }
}

pub(super) fn batch(selects: &[String], binds: Vec<SqlName>) -> Query {
    Query { text: Sql(selects.join(";\n")), binds, sets: selects.len() }
}

/// All of the catalog that permissions need. What `public` holds on system objects (thousands of rows that are the same
/// in every database) and what has a parent (constraints) is left out. A server has no schemas and objects.
pub(crate) fn everything(dialect: Dialect) -> Query {
    let level = Level::of(dialect);
    let (columns, objects, schemas) = match dialect {
        Dialect::Server => (
            format!("{COLUMNS} WHERE 1 = 0"),
            format!("{OBJECTS} WHERE 1 = 0"),
            format!("{SCHEMAS} WHERE 1 = 0"),
        ),
        Dialect::Dedicated | Dialect::Serverless => (
            format!("{COLUMNS} JOIN sys.objects o ON o.object_id = c.object_id WHERE o.parent_object_id = 0"),
            format!("{OBJECTS} WHERE o.parent_object_id = 0"),
            SCHEMAS.into(),
        ),
    };
    let permissions = match dialect {
        Dialect::Server => level.permissions.into(),
        Dialect::Dedicated | Dialect::Serverless => {
            format!("{} WHERE p.class <> 1 OR p.major_id > 0", level.permissions)
        }
    };
    batch(
        &[
            level.facts.into(),
            permissions,
            level.members.into(),
            columns,
            objects,
            schemas,
            level.principals.into(),
        ],
        Vec::new(),
    )
}

/// What these principals and roles hold, in the same result sets as [`everything`] gives. At most [`MOST_NAMES`] names.
pub(crate) fn named(names: &[SqlName], members: NamedMembers, dialect: Dialect) -> Query {
    let Level { facts, permissions, own, principals, who, of_members, of_permissions, on_principal, .. } =
        Level::of(dialect);
    let mut list = String::new();
    for i in 1..=names.len() {
        // Writing to a String cannot fail.
        let _ = write!(list, "{}@P{i}", if i == 1 { "(" } else { ", " });
    }
    list.push(')');
    let grantee =
        format!("p.grantee_principal_id IN (SELECT g.principal_id FROM {who} g WHERE g.name IN {list})");
    let both = match members {
        NamedMembers::Either => "OR",
        NamedMembers::Both => "AND",
    };
    let sides = format!(
        "FROM {of_members} x JOIN {who} r ON r.principal_id = x.role_principal_id \
         JOIN {who} m ON m.principal_id = x.member_principal_id \
         WHERE r.name IN {list} {both} m.name IN {list}"
    );
    let (columns, objects, schemas) = match dialect {
        Dialect::Server => (
            format!("{COLUMNS} WHERE 1 = 0"),
            format!("{OBJECTS} WHERE 1 = 0"),
            format!("{SCHEMAS} WHERE 1 = 0"),
        ),
        Dialect::Dedicated | Dialect::Serverless => {
            let on_objects =
                format!("FROM {of_permissions} p WHERE p.class = 1 AND p.major_id > 0 AND {grantee}");
            (
                format!(
                    "{COLUMNS} WHERE c.object_id IN (SELECT p.major_id {on_objects} AND p.minor_id <> 0)"
                ),
                format!("{OBJECTS} WHERE o.object_id IN (SELECT p.major_id {on_objects})"),
                SCHEMAS.into(),
            )
        }
    };
    batch(
        &[
            (*facts).into(),
            format!("{permissions} WHERE {own} AND {grantee}"),
            format!("SELECT x.role_principal_id, x.member_principal_id {sides}"),
            columns,
            objects,
            schemas,
            format!(
                "{principals} WHERE u.name IN {list} OR u.principal_id IN (SELECT x.role_principal_id {sides}) \
                 OR u.principal_id IN (SELECT x.member_principal_id {sides}) \
                 OR u.principal_id IN (SELECT p.grantor_principal_id FROM {of_permissions} p WHERE {grantee}) \
                 OR u.principal_id IN (SELECT p.major_id FROM {of_permissions} p WHERE p.class = {on_principal} AND {grantee})"
            ),
        ],
        names.to_vec(),
    )
}

/// The credentials that permissions can be on. A batch of its own: where the view is not there, the rest can still be read.
pub(crate) fn credentials(dialect: Dialect) -> Query {
    let view = match dialect {
        Dialect::Server => "sys.credentials",
        Dialect::Dedicated | Dialect::Serverless => "sys.database_scoped_credentials",
    };
    batch(&[format!("SELECT c.credential_id, c.name FROM {view} c")], Vec::new())
}

/// What a view of sessions tells of who entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrant {
    /// The login that entered, whoever it acts as by now (EXECUTE AS).
    Original,
    /// The login of the session: all that a view tells which has no columns of the original one.
    Current,
}

impl Entrant {
    /// What is asked for first.
    pub(crate) fn first(dialect: Dialect) -> Self {
        match dialect {
            // The view has no others; a user is acted as there, a login is not.
            Dialect::Dedicated => Self::Current,
            Dialect::Serverless | Dialect::Server => Self::Original,
        }
    }
}

/// The view of living sessions but our own, and its columns for the login and its security id.
struct Sessions {
    living: &'static str,
    login: &'static str,
    sid: &'static str,
}

impl Sessions {
    fn of(dialect: Dialect, entrant: Entrant) -> Self {
        let living = match dialect {
            Dialect::Dedicated => {
                "sys.dm_pdw_exec_sessions s WHERE s.status IN ('ACTIVE', 'IDLE') AND s.session_id <> SESSION_ID()"
            }
            // The view tells of the whole server where we may see so much: whoever left this database may work in another one.
            Dialect::Serverless => {
                "sys.dm_exec_sessions s WHERE s.session_id <> @@SPID AND s.database_id = DB_ID()"
            }
            Dialect::Server => "sys.dm_exec_sessions s WHERE s.session_id <> @@SPID",
        };
        let (login, sid) = match entrant {
            Entrant::Original => ("s.original_login_name", "s.original_security_id"),
            Entrant::Current => ("s.login_name", "s.security_id"),
        };
        Self { living, login, sid }
    }
}

/// The security id of a principal, and the living sessions that may be its: of its name, or of an id that begins as its own does (what
/// is made for a login may have a suffix). Which of them are is told by both ids: [`axon_reconcile::visitor::is_of`].
pub(crate) fn sessions(principal: SqlName, dialect: Dialect, entrant: Entrant) -> Query {
    let who = Level::of(dialect).who;
    let Sessions { living, login, sid } = Sessions::of(dialect, entrant);
    let sids = format!("SELECT u.sid FROM {who} u WHERE u.name = @P1");
    let sessions = format!(
        "SELECT s.session_id, {sid} AS sid, CASE WHEN {login} = @P1 THEN 1 ELSE 0 END AS named FROM {living} \
         AND ({login} = @P1 OR SUBSTRING({sid}, 1, 16) IN \
         (SELECT SUBSTRING(u.sid, 1, 16) FROM {who} u WHERE u.name = @P1))"
    );
    batch(&[sids, sessions], vec![principal])
}

/// Whether the login of this name has this id.
pub(crate) fn login_with_id(name: SqlName, sid: &Sid) -> Query {
    let found = format!(
        "SELECT COUNT(*) AS found FROM sys.server_principals u WHERE u.name = @P1 AND SUBSTRING(u.sid, 1, 16) = {sid}"
    );
    batch(&[found], vec![name])
}

/// The living sessions of whoever has this id: the first 16 bytes count, since what is made for a login may have a suffix. In the columns
/// that [`sessions`] has; no name is asked for.
pub(crate) fn sessions_of_id(sid: &Sid, dialect: Dialect, entrant: Entrant) -> Query {
    let Sessions { living, login: _, sid: of_session } = Sessions::of(dialect, entrant);
    let sessions = format!(
        "SELECT s.session_id, {of_session} AS sid, 0 AS named FROM {living} AND SUBSTRING({of_session}, 1, 16) = {sid}"
    );
    batch(&[sessions], Vec::new())
}

/// Who has a living session. A pool has a thousand of them at most; whose they are is told without the catalog.
pub(crate) fn visitors(dialect: Dialect, entrant: Entrant) -> Query {
    let Sessions { living, login, sid } = Sessions::of(dialect, entrant);
    let people = match dialect {
        Dialect::Dedicated => "",
        Dialect::Serverless | Dialect::Server => " AND s.is_user_process = 1",
    };
    batch(&[format!("SELECT DISTINCT {login} AS login, {sid} AS sid FROM {living}{people}")], Vec::new())
}

/// Whether our own login, and our own user, hold what may show the sessions of others in a serverless pool.
pub(crate) fn own_sight() -> Query {
    let held = "SELECT HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE') AS at_server, \
                HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DATABASE STATE') AS in_database";
    batch(&[held.into()], Vec::new())
}

/// Of how many logins sessions are seen, our own among them.
pub(crate) fn logins_seen() -> Query {
    let logins = "SELECT COUNT(DISTINCT s.login_name) AS logins FROM sys.dm_exec_sessions s WHERE s.is_user_process = 1";
    batch(&[logins.into()], Vec::new())
}

/// What the graph does not tell of: principals of other kinds, what `guest` holds, columns that were taken out, classifiers where the
/// pool has them.
pub(crate) fn untold(dialect: Dialect) -> Query {
    let Level { who, of_permissions, .. } = Level::of(dialect);
    let untold = match dialect {
        Dialect::Dedicated | Dialect::Serverless => {
            "(p.state = 'R' OR g.name = 'guest') AND (p.class <> 1 OR p.major_id > 0)"
        }
        Dialect::Server => "1 = 0",
    };
    let mut selects = vec![
        format!("SELECT u.type, u.name FROM {who} u WHERE u.type NOT IN ('S', 'E', 'X', 'R')"),
        format!(
            "SELECT p.class_desc, p.permission_name, p.state, g.name FROM {of_permissions} p \
             JOIN {who} g ON g.principal_id = p.grantee_principal_id WHERE {untold}"
        ),
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

/// When each role was made.
pub(crate) fn roles_made() -> Query {
    batch(
        &["SELECT u.name, u.create_date FROM sys.database_principals u WHERE u.type = 'R'".into()],
        Vec::new(),
    )
}

/// Who is there, as whom we are there, and what time it is there.
pub(crate) fn greeting(dialect: Dialect) -> Query {
    let own = if dialect == Dialect::Server { "SUSER_SNAME()" } else { "USER_NAME()" };
    batch(
        &[format!(
            "SELECT @@VERSION AS version, CAST(SERVERPROPERTY('EngineEdition') AS int) AS edition, \
            {own} AS own_name, GETUTCDATE() AS utc"
        )],
        Vec::new(),
    )
}

/// Asks for nothing but an answer.
pub(crate) fn ping() -> Query {
    batch(&["SELECT 1 AS one".into()], Vec::new())
}

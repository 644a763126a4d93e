//! What is said to a pool, as values. [`crate::render()`] is the only place that makes text of them.

use std::collections::BTreeSet;
use std::fmt;

use axon_model::SqlName;
use axon_reconcile::permission::GrantableOn;
use axon_reconcile::{
    Classified, ClassifierStep, GrantState, ObjectName, Permission, PrincipalKind, Securable, Sid, Step,
};

use crate::render::Discreet;
use crate::secure;

/// Which T-SQL a pool takes. Role membership is mutually exclusive between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A dedicated pool: `EXEC sp_addrolemember`, `KILL 'SID12'`.
    Dedicated,
    /// The built-in serverless pool: `ALTER ROLE … ADD MEMBER`, `KILL 12`.
    Serverless,
    /// The server of that pool, entered by `master`: logins, server roles, `ALTER SERVER ROLE … ADD MEMBER`.
    Server,
}

impl Dialect {
    /// The dialect that `SERVERPROPERTY('EngineEdition')` tells of, where it is one of the two that are known.
    pub fn of_edition(edition: i64) -> Option<Self> {
        match edition {
            6 => Some(Self::Dedicated),
            11 => Some(Self::Serverless),
            _ => None,
        }
    }

    /// The same, of the database that is entered: `master` of a serverless pool has logins and nothing else.
    #[must_use]
    pub fn in_database(self, database: &str) -> Self {
        match self {
            Self::Serverless if database.eq_ignore_ascii_case("master") => Self::Server,
            other => other,
        }
    }

    /// Whether `SERVERPROPERTY('EngineEdition')` tells of another kind of pool. An unknown edition proves nothing.
    pub fn contradicts(self, edition: i64) -> bool {
        let serverless = |dialect| matches!(dialect, Self::Serverless | Self::Server);
        Self::of_edition(edition).is_some_and(|found| serverless(found) != serverless(self))
    }

    /// The word that people use for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dedicated => "a dedicated pool",
            Self::Serverless => "a serverless pool",
            Self::Server => "the server of a serverless pool",
        }
    }
}

/// A permission that may be written: one that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writable(Permission);

impl Writable {
    /// The permission, unless it is only known from a catalog.
    pub fn new(permission: Permission) -> Option<Self> {
        (!matches!(permission, Permission::Other(_))).then_some(Self(permission))
    }

    /// Its T-SQL name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

/// A session to be killed, as the catalog names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionId {
    /// The number in `SID123` of `sys.dm_pdw_exec_sessions`.
    Dedicated(u64),
    /// `session_id` of `sys.dm_exec_sessions`.
    Serverless(u32),
}

impl SessionId {
    /// Reads `SID123`.
    pub fn parse_dedicated(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("SID")?;
        (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse().ok().map(Self::Dedicated))
            .flatten()
    }
}

/// The class and the securable of a permission statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is a class of the grammar")]
pub enum On {
    Database(SqlName),
    Schema(SqlName),
    Object(ObjectName),
    User(SqlName),
    Role(SqlName),
    /// No `ON`: the server.
    Server,
    DatabaseCredential(SqlName),
    Credential(SqlName),
    Login(SqlName),
    ServerRole(SqlName),
}

/// The id of an object of the directory: nothing but hexadecimal digits and dashes when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectId([u8; 16]);

impl ObjectId {
    /// The object that a security id stands for. The first three groups are little-endian in it.
    pub fn of(sid: &Sid) -> Option<Self> {
        sid.as_bytes().try_into().ok().map(Self)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        for (n, at) in order.into_iter().enumerate() {
            if matches!(n, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{:02x}", self.0.get(at).copied().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// What GRANT, DENY and REVOKE have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// The permission.
    pub permission: Writable,
    /// On what.
    pub on: On,
    /// Only these columns of it; empty means all of it.
    pub columns: Vec<SqlName>,
    /// To or from whom.
    pub principal: SqlName,
}

/// One statement, which is one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the words of the statement")]
pub enum Statement {
    /// `CREATE USER … FROM EXTERNAL PROVIDER`; on a server it is a login.
    CreateExternalUser { name: SqlName },
    /// The same `WITH OBJECT_ID`: of several objects with the name it is this one.
    CreateByObjectId { name: SqlName, object: ObjectId },
    /// `CREATE ROLE … AUTHORIZATION [dbo]`: an owner that no later DROP USER stumbles over (15421).
    CreateRole { name: SqlName },
    /// `CREATE ROLE …`, whose owner is whoever makes it.
    CreateOwnRole { name: SqlName },
    /// `sp_addrolemember`, or `ALTER ROLE … ADD MEMBER`
    AddMember { role: SqlName, member: SqlName },
    /// `sp_droprolemember`, or `ALTER ROLE … DROP MEMBER`
    DropMember { role: SqlName, member: SqlName },
    /// `GRANT`
    Grant(Clause),
    /// `DENY`
    Deny(Clause),
    /// `REVOKE`, with CASCADE where what it takes away could be granted on (else 4611).
    Revoke { clause: Clause, cascade: bool },
    /// `DROP ROLE`
    DropRole { name: SqlName },
    /// `DROP USER`, if whoever has the name has this id.
    DropUser { name: SqlName, sid: Option<Sid> },
    /// `CREATE WORKLOAD CLASSIFIER`
    CreateClassifier { name: SqlName, member: SqlName, does: Classified },
    /// `DROP WORKLOAD CLASSIFIER`
    DropClassifier { name: SqlName },
    /// `KILL`
    Kill { session: SessionId },
}

/// What one step is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// One statement.
    One(Statement),
    /// Statements about secure views, in order.
    Secure(Vec<Discreet>),
    /// A key that is made for a mask.
    Key {
        /// The managed schema.
        schema: SqlName,
        /// Which key.
        id: String,
    },
    /// A look for sessions, a KILL for each, and another look.
    KillSessions {
        /// Whose sessions.
        principal: SqlName,
    },
    /// The same for an object whose principal is not there any more.
    KillFormer {
        /// Its id.
        sid: Sid,
    },
}

/// A step that no statement of this pool can express.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotExpressible {
    /// Axon makes Entra principals only.
    #[error("{0} is a SQL user; only principals of the directory are created")]
    SqlUser(SqlName),
    /// The permission is only known from a catalog.
    #[error("{0} is not a permission that this version may write")]
    Permission(SqlName),
    /// Columns take SELECT and UPDATE only, and only on an object.
    #[error("{permission} cannot be given on columns of {on}")]
    Columns {
        /// The permission.
        permission: Permission,
        /// What the columns were said to be of.
        on: Securable,
    },
    /// A server's roles are its own.
    #[error(
        "roles of a server are neither made nor dropped: people get its own ones, and permissions on their logins"
    )]
    RolesOfServer,
    /// What is on something that targets of this kind do not have.
    #[error("{0} has no {1}")]
    Elsewhere(&'static str, Securable),
    /// Only dedicated pools have workload groups.
    #[error("a serverless pool has no workload classifiers")]
    ClassifiersOfServerless,
    /// The engine runs procedures on compute nodes as the user, so a dedicated pool refuses it.
    #[error("a dedicated pool takes no DENY EXECUTE on the database: deny it on schemas or objects")]
    DenyExecuteOnDatabase,
    /// A serverless pool reads files, which its readers can reach past any view.
    #[error("a serverless pool holds no secure views: its readers reach the files past them")]
    ViewsOfServerless,
}

/// What must be known to put a step into words.
#[derive(Debug, Clone, Copy)]
pub struct Wording<'a> {
    /// What the pool takes.
    pub dialect: Dialect,
    /// The database: named in every database-level statement, so that the wrong one refuses it.
    pub database: SqlName,
    /// Names that are roles: they tell `ROLE::` from `USER::` where a permission is on a principal.
    pub roles: &'a BTreeSet<SqlName>,
}

impl Wording<'_> {
    /// The statement or statements of one step.
    pub fn work(&self, step: &Step) -> Result<Work, NotExpressible> {
        let statement = match step {
            Step::CreatePrincipal { name, kind: PrincipalKind::Sql, sid: _ } => {
                return Err(NotExpressible::SqlUser(*name));
            }
            Step::CreatePrincipal { name, kind: _, sid: _ } => Statement::CreateExternalUser { name: *name },
            Step::CreateRole { .. } | Step::DropRole { .. } if self.dialect == Dialect::Server => {
                return Err(NotExpressible::RolesOfServer);
            }
            Step::CreateRole { name } => Statement::CreateRole { name: *name },
            Step::AddMember { role, member } => Statement::AddMember { role: *role, member: *member },
            Step::DropMember { role, member } => Statement::DropMember { role: *role, member: *member },
            Step::Grant { grantee, permission, on, columns } => {
                Statement::Grant(self.clause(*grantee, *permission, *on, columns)?)
            }
            Step::Deny { grantee, permission, on, columns } => {
                let on_database = matches!(on, Securable::Database);
                if on_database && *permission == Permission::Execute && self.dialect == Dialect::Dedicated {
                    return Err(NotExpressible::DenyExecuteOnDatabase);
                }
                Statement::Deny(self.clause(*grantee, *permission, *on, columns)?)
            }
            Step::Revoke { grantee, permission, on, columns, was } => Statement::Revoke {
                clause: self.clause(*grantee, *permission, *on, columns)?,
                cascade: *was == GrantState::GrantWithOption,
            },
            Step::DenyConnect { principal } => Statement::Deny(self.connect(*principal)?),
            Step::GrantConnect { principal } => Statement::Grant(self.connect(*principal)?),
            Step::KillSessions { principal } => return Ok(Work::KillSessions { principal: *principal }),
            Step::KillFormer { principal: _, sid } => return Ok(Work::KillFormer { sid: sid.clone() }),
            Step::DropRole { name } => Statement::DropRole { name: *name },
            Step::DropPrincipal { name, sid } => Statement::DropUser { name: *name, sid: sid.clone() },
            Step::Classify(_) if self.dialect != Dialect::Dedicated => {
                return Err(NotExpressible::ClassifiersOfServerless);
            }
            Step::Classify(ClassifierStep::Create { name, member, does }) => {
                Statement::CreateClassifier { name: *name, member: *member, does: *does }
            }
            Step::Classify(ClassifierStep::Drop { name, .. }) => Statement::DropClassifier { name: *name },
            Step::Secure(_) if self.dialect != Dialect::Dedicated => {
                return Err(NotExpressible::ViewsOfServerless);
            }
            Step::Secure(step) => return Ok(secure::work(step)),
        };
        Ok(Work::One(statement))
    }

    /// The text of what a step is made of, for people to read: none where it hangs on which sessions there are.
    pub fn told(&self, step: &Step) -> Vec<String> {
        match self.work(step) {
            Ok(Work::One(statement)) => vec![crate::render(&statement, self.dialect).into_string()],
            Ok(Work::KillSessions { .. } | Work::KillFormer { .. }) => Vec::new(),
            Ok(Work::Secure(all)) => all.iter().map(|one| one.recorded().to_owned()).collect(),
            Ok(Work::Key { schema, id }) => vec![crate::render::key_recorded(schema, &id)],
            Err(refused) => vec![format!("-- refused: {refused}")],
        }
    }

    fn connect(&self, principal: SqlName) -> Result<Clause, NotExpressible> {
        match self.dialect {
            Dialect::Server => self.clause(principal, Permission::ConnectSql, Securable::Server, &[]),
            Dialect::Dedicated | Dialect::Serverless => {
                self.clause(principal, Permission::Connect, Securable::Database, &[])
            }
        }
    }

    fn clause(
        &self,
        principal: SqlName,
        permission: Permission,
        securable: Securable,
        columns: &[SqlName],
    ) -> Result<Clause, NotExpressible> {
        let written = match permission {
            Permission::Other(name) => return Err(NotExpressible::Permission(name)),
            known => Writable(known),
        };
        let mut columns = columns.to_vec();
        let nowhere = || NotExpressible::Elsewhere(self.dialect.name(), securable);
        let on = match (securable, self.dialect) {
            (Securable::Server, Dialect::Server) => On::Server,
            (Securable::Credential(name), Dialect::Server) => On::Credential(name),
            (Securable::Credential(name), Dialect::Serverless) => On::DatabaseCredential(name),
            (Securable::Principal(name), Dialect::Server) if self.roles.contains(&name) => {
                On::ServerRole(name)
            }
            (Securable::Principal(name), Dialect::Server) => On::Login(name),
            (Securable::Server | Securable::Credential(_) | Securable::Other(_), _)
            | (_, Dialect::Server) => {
                return Err(nowhere());
            }
            (Securable::Database, _) => On::Database(self.database),
            (Securable::Schema(name), _) => On::Schema(name),
            (Securable::Object(name), _) => On::Object(name),
            (Securable::Column(object, column), _) => {
                columns.push(column);
                On::Object(object)
            }
            // Users have no owner to be taken over from, so TAKE OWNERSHIP is always on a role.
            (Securable::Principal(name), _)
                if permission == Permission::TakeOwnership || self.roles.contains(&name) =>
            {
                On::Role(name)
            }
            (Securable::Principal(name), _) => On::User(name),
        };
        let by_column = permission.scope() == GrantableOn::Columns && matches!(on, On::Object(_));
        if !columns.is_empty() && !by_column {
            return Err(NotExpressible::Columns { permission, on: securable });
        }
        Ok(Clause { permission: written, on, columns, principal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn work(dialect: Dialect, step: &Step) -> Result<Work, NotExpressible> {
        let roles = BTreeSet::from([name("a_role")]);
        Wording { dialect, database: name("dw"), roles: &roles }.work(step)
    }

    #[test]
    fn what_no_statement_can_say_is_refused_before_anything_is_sent() {
        let grant = |permission, on, columns: &[SqlName]| Step::Grant {
            grantee: name("r"),
            permission,
            on,
            columns: columns.to_vec(),
        };
        let w = |step: &Step| work(Dialect::Dedicated, step);
        let other = Permission::Other(name("FLY; DROP USER x"));
        assert!(matches!(w(&grant(other, Securable::Database, &[])), Err(NotExpressible::Permission(_))));
        let schema = Securable::Schema(name("s"));
        assert!(matches!(
            w(&grant(Permission::Select, schema, &[name("c")])),
            Err(NotExpressible::Columns { .. })
        ));
        let object = Securable::Object(ObjectName { schema: name("s"), name: name("t") });
        assert!(matches!(
            w(&grant(Permission::Insert, object, &[name("c")])),
            Err(NotExpressible::Columns { .. })
        ));
        let deny = Step::Deny {
            grantee: name("r"),
            permission: Permission::Execute,
            on: Securable::Database,
            columns: vec![],
        };
        assert_eq!(w(&deny), Err(NotExpressible::DenyExecuteOnDatabase));
        assert!(work(Dialect::Serverless, &deny).is_ok());
        let sql = Step::CreatePrincipal { name: name("sa2"), kind: PrincipalKind::Sql, sid: None };
        assert_eq!(w(&sql), Err(NotExpressible::SqlUser(name("sa2"))));
    }

    #[test]
    fn a_permission_on_a_principal_says_whether_it_is_a_role() {
        let on = |permission, principal: &str| {
            let step = Step::Grant {
                grantee: name("r"),
                permission,
                on: Securable::Principal(name(principal)),
                columns: vec![],
            };
            match work(Dialect::Dedicated, &step) {
                Ok(Work::One(Statement::Grant(clause))) => clause.on,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(on(Permission::Impersonate, "kim"), On::User(name("kim")));
        assert_eq!(on(Permission::Alter, "a_role"), On::Role(name("a_role")));
        assert_eq!(on(Permission::TakeOwnership, "unknown"), On::Role(name("unknown")));
    }

    #[test]
    fn an_object_id_is_written_as_the_directory_writes_it() {
        let text = "01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(ObjectId::of(&Sid::from_object_id(text).unwrap()).unwrap().to_string(), text);
        assert_eq!(ObjectId::of(&Sid::from_bytes(&[1, 2, 3])), None, "the id of a SQL login is none");
    }

    #[test]
    fn a_session_id_is_sid_and_digits_and_nothing_else() {
        assert_eq!(SessionId::parse_dedicated("SID123"), Some(SessionId::Dedicated(123)));
        for bad in
            ["SID", "123", "SID12'; DROP USER x--", "SID-1", "SID+1", "sid1", "SID99999999999999999999999"]
        {
            assert_eq!(SessionId::parse_dedicated(bad), None, "{bad}");
        }
    }
}

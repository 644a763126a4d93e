//! What a server can do, found out by doing it; and what only the emulator can be told to do.

use std::collections::BTreeMap;

use axon_reconcile::{Outcome, Step, Target as _, Wave};
use axon_synapse::Dialect;
use axon_synapse::render::managed_schema;

use crate::place::{OURS, Place, query};
use crate::stage::name;
use crate::tidy::tidy;

/// Something that not every server can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// It is played as a dedicated pool.
    Dedicated,
    /// It is played as a serverless pool.
    Serverless,
    /// Axon's catalog query, with all views that it asks in this dialect.
    Catalog,
    /// `CREATE ROLE … AUTHORIZATION [dbo]`
    OwnedRoles,
    /// Users that are nobody's, to stand for people.
    UsersWithoutLogin,
    /// A SQL login with a user, which can enter.
    Logins,
    /// `CREATE USER … FROM EXTERNAL PROVIDER`, and a person to try it with.
    External,
    /// The membership statements of the dialect.
    Members,
    /// Views in a schema of one's own.
    Views,
    /// Tables that take rows.
    Tables,
    /// `nvarchar` with a character 0 in it.
    Zeros,
    /// Schemas and roles that a user owns.
    Owners,
    /// `GRANT` on an object.
    ObjectGrants,
    /// `GRANT` on a schema and on the database.
    WideGrants,
    /// `GRANT` on columns.
    ColumnGrants,
    /// `GRANT … WITH GRANT OPTION`
    GrantOption,
    /// `DENY`
    Deny,
    /// `sys.database_permissions` shows what was granted.
    PermissionRows,
    /// `DENY CONNECT`
    DenyConnect,
    /// Sessions are listed with the login's name and id, and Axon finds and ends them.
    Sessions,
    /// `EXECUTE AS USER`
    ExecuteAs,
    /// The engine's own numbers for what is missing (15151).
    Numbers,
    /// The engine's own number for a login that is refused (18456).
    LoginNumbers,
    /// Names with a closing bracket in them.
    Brackets,
    /// `is_fixed_role` is said of fixed roles only.
    FixedRoles,
    /// Axon's managed schema, with an owner that nobody is.
    ManagedSchema,
    /// Its tables, whoever owns them.
    ManagedTables,
    /// `sys.external_tables`, which tells what a view stands on.
    ExternalTables,
    /// A table's own filter.
    SecurityPolicies,
    /// `CREATE DATABASE SCOPED CREDENTIAL`
    Credentials,
    /// VIEW DATABASE STATE shows the sessions of others.
    SessionsByDatabase,
    /// Faults that can be armed: errors, cuts, hangs.
    Faults,
    /// Power: paused, resuming.
    Power,
    /// A clock that can be moved.
    Clock,
    /// A directory that can be edited, and tokens for its people.
    Directory,
    /// Rows of the catalog that no statement makes.
    CatalogRows,
    /// Other kinds of pools: lake databases, sessions that the server alone shows.
    Personality,
}

impl Ability {
    pub const ALL: [Self; 37] = [
        Self::Dedicated,
        Self::Serverless,
        Self::Catalog,
        Self::OwnedRoles,
        Self::UsersWithoutLogin,
        Self::Logins,
        Self::External,
        Self::Members,
        Self::Views,
        Self::Tables,
        Self::Zeros,
        Self::Owners,
        Self::ObjectGrants,
        Self::WideGrants,
        Self::ColumnGrants,
        Self::GrantOption,
        Self::Deny,
        Self::PermissionRows,
        Self::DenyConnect,
        Self::Sessions,
        Self::ExecuteAs,
        Self::Numbers,
        Self::LoginNumbers,
        Self::Brackets,
        Self::FixedRoles,
        Self::ManagedSchema,
        Self::ManagedTables,
        Self::ExternalTables,
        Self::SecurityPolicies,
        Self::Credentials,
        Self::SessionsByDatabase,
        Self::Faults,
        Self::Power,
        Self::Clock,
        Self::Directory,
        Self::CatalogRows,
        Self::Personality,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Dedicated => "dialect: dedicated",
            Self::Serverless => "dialect: serverless",
            Self::Catalog => "the catalog",
            Self::OwnedRoles => "roles with an owner",
            Self::UsersWithoutLogin => "users without a login",
            Self::Logins => "SQL logins",
            Self::External => "users of the directory",
            Self::Members => "memberships",
            Self::Views => "views in schemas",
            Self::Tables => "tables",
            Self::Zeros => "character 0 in texts",
            Self::Owners => "schemas that a user owns",
            Self::ObjectGrants => "grants on objects",
            Self::WideGrants => "grants on schemas, database",
            Self::ColumnGrants => "grants on columns",
            Self::GrantOption => "grants with the option",
            Self::Deny => "DENY",
            Self::PermissionRows => "sys.database_permissions",
            Self::DenyConnect => "DENY CONNECT",
            Self::Sessions => "sessions and KILL",
            Self::ExecuteAs => "EXECUTE AS USER",
            Self::Numbers => "numbers of errors",
            Self::LoginNumbers => "number of refused logins",
            Self::Brackets => "brackets in names",
            Self::FixedRoles => "is_fixed_role",
            Self::ManagedSchema => "the managed schema",
            Self::ManagedTables => "the managed tables",
            Self::ExternalTables => "sys.external_tables",
            Self::SecurityPolicies => "security policies",
            Self::Credentials => "credentials of a database",
            Self::SessionsByDatabase => "sessions by database state",
            Self::Faults => "levers: faults",
            Self::Power => "levers: power",
            Self::Clock => "levers: clock",
            Self::Directory => "levers: directory",
            Self::CatalogRows => "levers: catalog",
            Self::Personality => "levers: personality",
        }
    }

    /// Whether it is one that the emulator alone has.
    pub fn is_lever(self) -> bool {
        self >= Self::Faults
    }

    /// Statements that show it; what is tried otherwise has none.
    fn statements(self, place: &Place) -> Vec<String> {
        let database = place.database();
        let view =
            ["CREATE SCHEMA [X_s]", "CREATE VIEW [X_s].[v] AS SELECT 1 AS a, 2 AS b", "CREATE ROLE [X_r]"];
        let with_view = |more: &[&str]| view.iter().chain(more).map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let all = |texts: &[&str]| texts.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let statements: Vec<String> = match self {
            Self::OwnedRoles => all(&["CREATE ROLE [X_r] AUTHORIZATION [dbo]"]),
            Self::UsersWithoutLogin => all(&["CREATE USER [X_u] WITHOUT LOGIN"]),
            Self::External => {
                let person = place.person.iter().map(|person| person.replace(']', "]]"));
                person.map(|person| format!("CREATE USER [{person}] FROM EXTERNAL PROVIDER")).collect()
            }
            Self::Members => {
                let add = match place.dialect {
                    Dialect::Dedicated => "EXEC sp_addrolemember N'X_r', N'X_r2'",
                    Dialect::Serverless | Dialect::Server => "ALTER ROLE [X_r] ADD MEMBER [X_r2]",
                };
                all(&["CREATE ROLE [X_r]", "CREATE ROLE [X_r2]", add])
            }
            Self::Views => all(&view[..2]),
            Self::Tables | Self::Zeros => {
                let insert = if self == Self::Zeros { "N'a' + NCHAR(0)" } else { "N'north'" };
                let mut made = all(&["CREATE SCHEMA [X_s]", "CREATE TABLE [X_s].[t] ([a] nvarchar(10))"]);
                made.push(format!("INSERT INTO [X_s].[t] SELECT {insert}"));
                made
            }
            Self::Owners => all(&[
                "CREATE SCHEMA [X_s] AUTHORIZATION [X_login]",
                "CREATE ROLE [X_r] AUTHORIZATION [X_login]",
            ]),
            Self::ObjectGrants | Self::PermissionRows => {
                with_view(&["GRANT SELECT ON OBJECT::[X_s].[v] TO [X_r]"])
            }
            Self::WideGrants => {
                let mut all = with_view(&["GRANT SELECT ON SCHEMA::[X_s] TO [X_r]"]);
                all.push(format!("GRANT VIEW DEFINITION ON DATABASE::[{database}] TO [X_r]"));
                all
            }
            Self::ColumnGrants => with_view(&["GRANT SELECT ON OBJECT::[X_s].[v] ([a]) TO [X_r]"]),
            Self::GrantOption => with_view(&["GRANT SELECT ON SCHEMA::[X_s] TO [X_r] WITH GRANT OPTION"]),
            Self::Deny => with_view(&["DENY SELECT ON OBJECT::[X_s].[v] TO [X_r]"]),
            Self::DenyConnect => all(&["DENY CONNECT TO [X_login]"]),
            Self::ExecuteAs => all(&["EXECUTE AS USER = 'X_login'"]),
            Self::Numbers => all(&["DROP USER [X_nobody]"]),
            Self::Brackets => all(&["CREATE ROLE [X_]]r]"]),
            Self::FixedRoles => all(&["CREATE ROLE [X_r]"]),
            Self::ManagedSchema | Self::ManagedTables => {
                let own = self == Self::ManagedSchema;
                let owner = own.then(|| "CREATE USER [axon_owner] WITHOUT LOGIN".to_owned());
                let made = managed_schema(name("axon"), name(if own { "axon_owner" } else { "dbo" }));
                owner.into_iter().chain(made.iter().map(|sql| sql.as_str().to_owned())).collect()
            }
            Self::ExternalTables => all(&["SELECT TOP 1 t.name FROM sys.external_tables t"]),
            Self::SecurityPolicies => all(&[
                "CREATE SCHEMA [X_s]",
                "CREATE TABLE [X_s].[t] ([a] int)",
                "CREATE FUNCTION [X_s].[f] (@a int) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS one WHERE @a = 1",
                "CREATE SECURITY POLICY [X_s].[p] ADD FILTER PREDICATE [X_s].[f]([a]) ON [X_s].[t] WITH (STATE = ON)",
            ]),
            Self::Credentials => all(&[
                "CREATE DATABASE SCOPED CREDENTIAL [X_c] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'x'",
            ]),
            _ => Vec::new(),
        };
        statements.into_iter().map(|s| s.replace("X_", OURS)).collect()
    }
}

/// What a named server lacks, in its words.
pub type Lacking = BTreeMap<Ability, String>;

/// Tries everything.
pub async fn probe(place: &Place, kept: &std::collections::BTreeSet<String>) -> Lacking {
    let mut lacking = Lacking::new();
    for ability in Ability::ALL {
        let answer = one(place, ability).await;
        tidy(place, kept).await;
        if let Err(words) = answer {
            lacking.insert(ability, words.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    lacking
}

async fn one(place: &Place, ability: Ability) -> Result<(), String> {
    if ability.is_lever() {
        return Err("a lever of the emulator".into());
    }
    let played = if place.dialect == Dialect::Dedicated { Ability::Dedicated } else { Ability::Serverless };
    let login = format!("{OURS}login");
    match ability {
        Ability::Dedicated | Ability::Serverless if ability == played => return Ok(()),
        Ability::Dedicated | Ability::Serverless => {
            return Err("AXON_LIVE_TDS_DIALECT is the other one".into());
        }
        Ability::External if place.person.is_none() => {
            return Err("no person is named that the directory knows (AXON_LIVE_TDS_PERSON)".into());
        }
        Ability::Logins => {
            place.make_login(&login).await?;
            return place.enter(&login).await.map(drop).map_err(|e| e.to_string());
        }
        Ability::Owners | Ability::DenyConnect | Ability::ExecuteAs => place.make_login(&login).await?,
        Ability::Catalog => {
            let look = place.target().inspect(axon_reconcile::InspectScope::Full).await;
            return look.map(drop).map_err(|e| e.to_string());
        }
        Ability::Sessions => return sessions(place, &login).await,
        Ability::SessionsByDatabase => return by_database_state(place, &login).await,
        _ => {}
    }
    let ran = place.run(&ability.statements(place)).await;
    let shows = |select: String, otherwise: &'static str| async move {
        let rows = query(&mut place.admin().await, &select).await?;
        if rows.is_empty() { Err(otherwise.to_owned()) } else { Ok(()) }
    };
    match ability {
        Ability::Numbers => match ran {
            Err(words) if words.contains("15151") => Ok(()),
            Err(words) => Err(format!("a missing user is another error: {words}")),
            Ok(()) => Err("dropping a missing user is no error".into()),
        },
        Ability::LoginNumbers => match place.enter(&format!("{OURS}nobody")).await {
            Err(words) if words.code() == Some(18456) => Ok(()),
            Err(words) => Err(format!("an unknown login is another error: {words}")),
            Ok(_) => Err("an unknown login enters".into()),
        },
        Ability::Zeros => {
            ran?;
            let whole = format!("SELECT t.[a] FROM [{OURS}s].[t] t WHERE DATALENGTH(t.[a]) = 4");
            shows(whole, "NCHAR(0) does not come back").await
        }
        Ability::FixedRoles => {
            ran?;
            let of = format!("u.name = '{OURS}r' AND u.is_fixed_role = 0");
            shows(
                format!("SELECT u.name FROM sys.database_principals u WHERE {of}"),
                "it is said of every role",
            )
            .await
        }
        Ability::PermissionRows => {
            ran?;
            let joined = "sys.database_permissions p JOIN sys.database_principals u ON u.principal_id = p.grantee_principal_id";
            shows(
                format!("SELECT p.state FROM {joined} WHERE u.name = '{OURS}r'"),
                "it shows nothing of a grant",
            )
            .await
        }
        _ => ran,
    }
}

/// By Axon's own step: it looks, ends, and looks again.
async fn sessions(place: &Place, login: &str) -> Result<(), String> {
    place.make_login(login).await?;
    let mut session = place.enter(login).await.map_err(|e| e.to_string())?;
    let target = place.target();
    let look = target.inspect(axon_reconcile::InspectScope::Full).await;
    look.map_err(|e| format!("the catalog cannot be read: {e}"))?;
    let kill = Step::KillSessions { principal: name(login) };
    match target.apply(&Wave::for_test(vec![kill])).await.remove(0) {
        Outcome::Done { .. } if query(&mut session, "SELECT 1 AS one").await.is_err() => Ok(()),
        Outcome::Done { .. } => Err("a session is not listed by its login".into()),
        Outcome::Refused { refusal, .. } => Err(refusal.message),
        Outcome::Unknown { reason, .. } => Err(reason),
        Outcome::NotTried => Err("it was not tried".into()),
    }
}

async fn by_database_state(place: &Place, login: &str) -> Result<(), String> {
    place.make_login(login).await?;
    place.run(&[format!("GRANT VIEW DATABASE STATE TO [{login}]")]).await?;
    let _other = place.admin().await;
    let mut session = place.enter(login).await.map_err(|e| e.to_string())?;
    let others = format!("SELECT s.login_name FROM sys.dm_exec_sessions s WHERE s.login_name <> '{login}'");
    let rows = query(&mut session, &others).await?;
    if rows.is_empty() { Err("the sessions of others are not shown by it".into()) } else { Ok(()) }
}

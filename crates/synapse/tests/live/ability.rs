//! What a server can do, found out by doing it.

use axon_synapse::Dialect;

use crate::server::{OURS, Server, query};

/// Something that not every server can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
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
    /// `GRANT` on an object.
    ObjectGrants,
    /// `GRANT` on a schema and on the database.
    WideGrants,
    /// `GRANT` on columns.
    ColumnGrants,
    /// `DENY`
    Deny,
    /// `sys.database_permissions` shows what was granted.
    PermissionRows,
    /// `DENY CONNECT`
    DenyConnect,
    /// Sessions are listed with the login's name, and `KILL` ends them.
    Sessions,
    /// The engine's own numbers for what is missing (15151).
    Numbers,
    /// The engine's own number for a login that is refused (18456).
    LoginNumbers,
    /// Names with a closing bracket in them.
    Brackets,
    /// `is_fixed_role` is said of fixed roles only.
    FixedRoles,
}

impl Ability {
    const ALL: [Self; 17] = [
        Self::OwnedRoles,
        Self::UsersWithoutLogin,
        Self::Logins,
        Self::External,
        Self::Members,
        Self::Views,
        Self::ObjectGrants,
        Self::WideGrants,
        Self::ColumnGrants,
        Self::Deny,
        Self::PermissionRows,
        Self::DenyConnect,
        Self::Sessions,
        Self::Numbers,
        Self::LoginNumbers,
        Self::Brackets,
        Self::FixedRoles,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::OwnedRoles => "roles with an owner",
            Self::UsersWithoutLogin => "users without a login",
            Self::Logins => "SQL logins",
            Self::External => "users of the directory",
            Self::Members => "memberships",
            Self::Views => "views in schemas",
            Self::ObjectGrants => "grants on objects",
            Self::WideGrants => "grants on schemas, database",
            Self::ColumnGrants => "grants on columns",
            Self::Deny => "DENY",
            Self::PermissionRows => "sys.database_permissions",
            Self::DenyConnect => "DENY CONNECT",
            Self::Sessions => "sessions and KILL",
            Self::Numbers => "numbers of errors",
            Self::LoginNumbers => "number of refused logins",
            Self::Brackets => "brackets in names",
            Self::FixedRoles => "is_fixed_role",
        }
    }

    /// Statements that show it.
    fn statements(self, server: &Server) -> Option<Vec<String>> {
        let person = server.person.as_ref().map(|p| p.replace(']', "]]"));
        let database = server.database();
        let view =
            ["CREATE SCHEMA [X_s]", "CREATE VIEW [X_s].[v] AS SELECT 1 AS a, 2 AS b", "CREATE ROLE [X_r]"];
        let with_view = |more: &[&str]| view.iter().chain(more).map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let statements: Vec<String> = match self {
            Self::OwnedRoles => vec!["CREATE ROLE [X_r] AUTHORIZATION [dbo]".into()],
            Self::UsersWithoutLogin => vec!["CREATE USER [X_u] WITHOUT LOGIN".into()],
            Self::Logins | Self::Sessions | Self::LoginNumbers => Vec::new(),
            Self::External => vec![format!("CREATE USER [{}] FROM EXTERNAL PROVIDER", person?)],
            Self::Members => vec![
                "CREATE ROLE [X_r]".into(),
                "CREATE ROLE [X_r2]".into(),
                match server.dialect {
                    Dialect::Dedicated => "EXEC sp_addrolemember N'X_r', N'X_r2'".into(),
                    Dialect::Serverless | Dialect::Server => "ALTER ROLE [X_r] ADD MEMBER [X_r2]".into(),
                },
            ],
            Self::Views => with_view(&[])[..2].to_vec(),
            Self::ObjectGrants | Self::PermissionRows => {
                with_view(&["GRANT SELECT ON OBJECT::[X_s].[v] TO [X_r]"])
            }
            Self::WideGrants => {
                let mut all = with_view(&["GRANT SELECT ON SCHEMA::[X_s] TO [X_r]"]);
                all.push(format!("GRANT VIEW DEFINITION ON DATABASE::[{database}] TO [X_r]"));
                all
            }
            Self::ColumnGrants => with_view(&["GRANT SELECT ON OBJECT::[X_s].[v] ([a]) TO [X_r]"]),
            Self::Deny => with_view(&["DENY SELECT ON OBJECT::[X_s].[v] TO [X_r]"]),
            Self::DenyConnect => {
                vec!["CREATE USER [X_u] WITHOUT LOGIN".into(), "DENY CONNECT TO [X_u]".into()]
            }
            Self::Numbers => vec!["DROP USER [X_nobody]".into()],
            Self::Brackets => vec!["CREATE ROLE [X_]]r]".into()],
            Self::FixedRoles => vec!["CREATE ROLE [X_r]".into()],
        };
        Some(statements.into_iter().map(|s| s.replace("X_", OURS)).collect())
    }
}

/// Every ability, and why it is lacking where it is.
pub async fn probe(server: &Server) -> Vec<(Ability, Result<(), String>)> {
    let mut all = Vec::new();
    for ability in Ability::ALL {
        let answer = one(server, ability).await;
        server.tidy().await;
        all.push((ability, answer));
    }
    all
}

async fn one(server: &Server, ability: Ability) -> Result<(), String> {
    let Some(statements) = ability.statements(server) else {
        return Err("no person is named that the directory knows (AXON_LIVE_TDS_PERSON)".into());
    };
    let ran = match ability {
        Ability::Logins | Ability::Sessions => server.make_login().await,
        _ => server.run(&statements).await,
    };
    match ability {
        Ability::Logins => {
            ran?;
            server.enter().await.map(drop)
        }
        Ability::Sessions => {
            ran?;
            let _session = server.enter().await?;
            let found = match server.dialect {
                Dialect::Dedicated => {
                    "SELECT s.session_id FROM sys.dm_pdw_exec_sessions s WHERE s.login_name = 'X_login' AND s.security_id IS NOT NULL AND s.status IN ('ACTIVE', 'IDLE')"
                }
                Dialect::Serverless | Dialect::Server => {
                    "SELECT s.session_id FROM sys.dm_exec_sessions s WHERE s.login_name = 'X_login' AND s.security_id IS NOT NULL"
                }
            };
            let rows = query(&mut server.raw().await, &found.replace("X_", OURS)).await?;
            if rows.is_empty() { Err("a session is not listed by its login".into()) } else { Ok(()) }
        }
        Ability::Numbers => match ran {
            Err(words) if words.contains("15151") => Ok(()),
            Err(words) => Err(format!("a missing user is another error: {words}")),
            Ok(()) => Err("dropping a missing user is no error".into()),
        },
        Ability::LoginNumbers => {
            let refused = server.enter().await.map(drop);
            match refused {
                Err(words) if words.contains("18456") => Ok(()),
                Err(words) => Err(format!("an unknown login is another error: {words}")),
                Ok(()) => Err("an unknown login enters".into()),
            }
        }
        Ability::FixedRoles => {
            ran?;
            let select = format!(
                "SELECT u.name FROM sys.database_principals u WHERE u.name = '{OURS}r' AND u.is_fixed_role = 0"
            );
            let rows = query(&mut server.raw().await, &select).await?;
            if rows.is_empty() { Err("it is said of every role".into()) } else { Ok(()) }
        }
        Ability::PermissionRows => {
            ran?;
            let mut raw = server.raw().await;
            let rows = query(
                &mut raw,
                &format!(
                    "SELECT p.state FROM sys.database_permissions p JOIN sys.database_principals u \
                     ON u.principal_id = p.grantee_principal_id WHERE u.name = '{OURS}r'"
                ),
            )
            .await?;
            if rows.is_empty() { Err("it shows nothing of a grant".into()) } else { Ok(()) }
        }
        _ => ran,
    }
}

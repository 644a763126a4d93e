//! The only place that makes SQL text. What is sent to a pool is a [`Sql`], and only this module can make one.

mod acting;
pub(crate) mod bootstrap;
mod filter;
mod metadata;
mod probe;
mod query;
mod quote;
mod script;
mod view;
pub(crate) mod view_probe;
pub(crate) mod view_query;

use std::fmt::Write as _;

use axon_model::SqlName;
use axon_reconcile::{Classified, Hours};

use crate::statement::{Clause, Dialect, On, SessionId, Statement};
use quote::{Bracketed, Literal};

pub(crate) use probe::{ProbeText, probes};
pub(crate) use query::{
    Entrant, MOST_NAMES, NamedMembers, Query, classifiers, credentials, everything, greeting, login_with_id,
    logins_seen, named, own_sight, ping, roles_made, sessions, sessions_of_id, untold, visitors,
};
pub(crate) use script::{Remade, batch as script_batch, can_be_written};

pub use acting::ACT_AS;
pub(crate) use acting::{let_act, stop_acting};
pub use filter::set_filter;
pub(crate) use filter::{drop_filter, drop_function, filter_shown, filters, function_shown};
pub use metadata::Discreet;
pub(crate) use metadata::{PROFILE_COLUMNS, PROFILE_LENGTHS, bulk_recorded, profile_table};
pub(crate) use metadata::{
    create_key, create_owner, create_schema, create_table, delete_people, delete_rows, insert_rows,
    key_recorded,
};
pub use view::{
    LINE, Managed, RoleTest, ShownText, ViewVerb, closed_view, managed_schema, secure_view, shown_text,
};

/// The text of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql(String);

impl Sql {
    /// The text, to be sent or recorded.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself, to be recorded.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// The text of a statement in this dialect.
pub fn render(statement: &Statement, dialect: Dialect) -> Sql {
    Sql(match statement {
        Statement::CreateExternalUser { name } if dialect == Dialect::Server => {
            format!("CREATE LOGIN {} FROM EXTERNAL PROVIDER", Bracketed(*name))
        }
        Statement::CreateExternalUser { name } => {
            format!("CREATE USER {} FROM EXTERNAL PROVIDER", Bracketed(*name))
        }
        Statement::CreateByObjectId { name, object } => {
            format!("CREATE USER {} FROM EXTERNAL PROVIDER WITH OBJECT_ID = '{object}'", Bracketed(*name))
        }
        Statement::CreateRole { name } => format!("CREATE ROLE {} AUTHORIZATION [dbo]", Bracketed(*name)),
        Statement::CreateOwnRole { name } => format!("CREATE ROLE {}", Bracketed(*name)),
        Statement::AddMember { role, member } => match dialect {
            // Procedures take names as string literals, not as identifiers.
            Dialect::Dedicated => {
                format!("EXEC sp_addrolemember {}, {}", Literal(*role), Literal(*member))
            }
            Dialect::Serverless => {
                format!("ALTER ROLE {} ADD MEMBER {}", Bracketed(*role), Bracketed(*member))
            }
            Dialect::Server => {
                format!("ALTER SERVER ROLE {} ADD MEMBER {}", Bracketed(*role), Bracketed(*member))
            }
        },
        Statement::DropMember { role, member } => match dialect {
            Dialect::Dedicated => {
                format!("EXEC sp_droprolemember {}, {}", Literal(*role), Literal(*member))
            }
            Dialect::Serverless => {
                format!("ALTER ROLE {} DROP MEMBER {}", Bracketed(*role), Bracketed(*member))
            }
            Dialect::Server => {
                format!("ALTER SERVER ROLE {} DROP MEMBER {}", Bracketed(*role), Bracketed(*member))
            }
        },
        Statement::Grant(clause) => permission("GRANT", "TO", clause),
        Statement::Deny(clause) => permission("DENY", "TO", clause),
        Statement::Revoke { clause, cascade } => {
            let mut text = permission("REVOKE", "FROM", clause);
            if *cascade {
                text.push_str(" CASCADE");
            }
            text
        }
        Statement::DropRole { name } => format!("DROP ROLE {}", Bracketed(*name)),
        // DROP LOGIN stands alone in its batch (40530): whoever sends it looks at the id before.
        Statement::DropUser { name, sid: _ } if dialect == Dialect::Server => {
            format!("DROP LOGIN {}", Bracketed(*name))
        }
        Statement::DropUser { name, sid: None } => format!("DROP USER {}", Bracketed(*name)),
        // A DROP knows names alone: the id is looked at in the same batch. What is made for a login may have a suffix.
        Statement::DropUser { name, sid: Some(sid) } => format!(
            "IF EXISTS (SELECT 1 FROM sys.database_principals u WHERE u.name = {} AND SUBSTRING(u.sid, 1, 16) = {sid}) DROP USER {}",
            Literal(*name),
            Bracketed(*name)
        ),
        Statement::CreateClassifier { name, member, does } => classifier(*name, *member, does),
        Statement::DropClassifier { name } => format!("DROP WORKLOAD CLASSIFIER {}", Bracketed(*name)),
        Statement::Kill { session: SessionId::Dedicated(number) } => format!("KILL 'SID{number}'"),
        Statement::Kill { session: SessionId::Serverless(number) } => format!("KILL {number}"),
    })
}

/// The grammar's strings have no N: it is written only where a name needs it.
fn classifier(name: SqlName, member: SqlName, does: &Classified) -> String {
    let Classified { group, importance, label, context, hours } = does;
    let text = |value: SqlName| {
        let literal = Literal(value).to_string();
        if value.as_str().is_ascii() { literal.trim_start_matches('N').to_owned() } else { literal }
    };
    let mut sql = format!(
        "CREATE WORKLOAD CLASSIFIER {} WITH (WORKLOAD_GROUP = {}, MEMBERNAME = {}",
        Bracketed(name),
        text(*group),
        text(member)
    );
    for (key, value) in [("WLM_LABEL", label), ("WLM_CONTEXT", context)] {
        if let Some(value) = value {
            let _ = write!(sql, ", {key} = {}", text(*value));
        }
    }
    if let Some(Hours { from, until }) = hours {
        let _ = write!(sql, ", START_TIME = '{from}', END_TIME = '{until}'");
    }
    let _ = write!(sql, ", IMPORTANCE = {})", importance.word().to_uppercase());
    sql
}

fn permission(verb: &str, direction: &str, clause: &Clause) -> String {
    let mut text = format!("{verb} {}", clause.permission.name());
    if clause.on != On::Server {
        text.push_str(" ON ");
    }
    // Writing to a String cannot fail.
    let _ = match clause.on {
        On::Server => Ok(()),
        On::Database(name) => write!(text, "DATABASE::{}", Bracketed(name)),
        On::Schema(name) => write!(text, "SCHEMA::{}", Bracketed(name)),
        On::Object(name) => write!(text, "OBJECT::{}.{}", Bracketed(name.schema), Bracketed(name.name)),
        On::User(name) => write!(text, "USER::{}", Bracketed(name)),
        On::Role(name) => write!(text, "ROLE::{}", Bracketed(name)),
        On::DatabaseCredential(name) => {
            write!(text, "DATABASE SCOPED CREDENTIAL::{}", Bracketed(name))
        }
        On::Credential(name) => write!(text, "CREDENTIAL::{}", Bracketed(name)),
        On::Login(name) => write!(text, "LOGIN::{}", Bracketed(name)),
        On::ServerRole(name) => write!(text, "SERVER ROLE::{}", Bracketed(name)),
    };
    for (i, column) in clause.columns.iter().enumerate() {
        let _ = write!(text, "{}{}", if i == 0 { " (" } else { ", " }, Bracketed(*column));
    }
    if !clause.columns.is_empty() {
        text.push(')');
    }
    let _ = write!(text, " {direction} {}", Bracketed(clause.principal));
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axon_model::SqlName;
    use axon_reconcile::{GrantState, ObjectName, Permission, PrincipalKind, Securable, Sid, Step};

    use super::*;
    use crate::statement::{Wording, Work};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    const HOSTILE: &str = "x]; DROP USER [dbo]--";

    fn steps() -> Vec<Step> {
        let orders = Securable::Object(ObjectName { schema: name("sales"), name: name("or.ders") });
        let bare = Vec::new();
        vec![
            Step::CreateRole { name: name("axon_sales-reader") },
            Step::CreateRole { name: name(HOSTILE) },
            Step::CreatePrincipal {
                name: name("O'Brien@acme.com"),
                kind: PrincipalKind::External,
                sid: None,
            },
            Step::CreatePrincipal {
                name: name("gr\u{202e}up"),
                kind: PrincipalKind::ExternalGroup,
                sid: None,
            },
            Step::AddMember { role: name("r]'"), member: name("O'Brien'); DROP USER x--") },
            Step::DropMember { role: name("mediumrc"), member: name(HOSTILE) },
            Step::Grant {
                grantee: name("r"),
                permission: Permission::Select,
                on: orders,
                columns: bare.clone(),
            },
            Step::Grant {
                grantee: name(HOSTILE),
                permission: Permission::Select,
                on: orders,
                columns: vec![name("a]b"), name("c, d)")],
            },
            Step::Grant {
                grantee: name("r"),
                permission: Permission::ViewDefinition,
                on: Securable::Database,
                columns: bare.clone(),
            },
            Step::Deny {
                grantee: name("r"),
                permission: Permission::Delete,
                on: Securable::Schema(name("sta'ging")),
                columns: bare.clone(),
            },
            Step::Grant {
                grantee: name("r"),
                permission: Permission::Impersonate,
                on: Securable::Principal(name("kim")),
                columns: bare.clone(),
            },
            Step::Revoke {
                grantee: name("r"),
                permission: Permission::Alter,
                on: Securable::Principal(name("known_role")),
                columns: bare.clone(),
                was: GrantState::Deny,
            },
            Step::Revoke {
                grantee: name("r"),
                permission: Permission::Update,
                on: orders,
                columns: vec![name("c")],
                was: GrantState::GrantWithOption,
            },
            Step::DenyConnect { principal: name("kim@acme.com") },
            Step::GrantConnect { principal: name("kim@acme.com") },
            Step::DropRole { name: name("r") },
            Step::DropPrincipal { name: name(HOSTILE), sid: None },
        ]
    }

    fn texts(dialect: Dialect) -> String {
        let roles = BTreeSet::from([name("known_role")]);
        let wording = Wording { dialect, database: name("d]w"), roles: &roles };
        let mut lines: Vec<String> = steps()
            .iter()
            .map(|step| match wording.work(step) {
                Ok(Work::One(statement)) => render(&statement, dialect).into_string(),
                other => panic!("{step}: {other:?}"),
            })
            .collect();
        let session = match dialect {
            Dialect::Dedicated => SessionId::Dedicated(123),
            Dialect::Serverless | Dialect::Server => SessionId::Serverless(51),
        };
        lines.push(render(&Statement::Kill { session }, dialect).into_string());
        lines.join("\n").replace('\u{202e}', "<RLO>")
    }

    #[test]
    fn statements_of_a_dedicated_pool() {
        insta::assert_snapshot!(texts(Dialect::Dedicated));
    }

    #[test]
    fn statements_of_a_serverless_pool() {
        insta::assert_snapshot!(texts(Dialect::Serverless));
    }

    #[test]
    fn statements_of_a_server() {
        let roles = BTreeSet::from([name("known_role")]);
        let wording = Wording { dialect: Dialect::Server, database: name("master"), roles: &roles };
        let give = |permission, on| Step::Grant {
            grantee: name("O'Brien@acme.com"),
            permission,
            on,
            columns: vec![],
        };
        let steps = [
            Step::CreatePrincipal { name: name(HOSTILE), kind: PrincipalKind::External, sid: None },
            give(Permission::ConnectAnyDatabase, Securable::Server),
            give(Permission::References, Securable::Credential(name("https://a/b]c"))),
            give(Permission::ViewDefinition, Securable::Principal(name("kim"))),
            give(Permission::Alter, Securable::Principal(name("known_role"))),
            Step::AddMember { role: name("sysadmin"), member: name(HOSTILE) },
            Step::DropMember { role: name("sysadmin"), member: name(HOSTILE) },
            Step::DenyConnect { principal: name("kim") },
            Step::GrantConnect { principal: name("kim") },
            Step::DropPrincipal { name: name(HOSTILE), sid: None },
        ];
        let lines: Vec<String> = steps.iter().flat_map(|step| wording.told(step)).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn queries_of_the_catalog() {
        let names = [name(HOSTILE), name("kim")];
        let queries = [
            everything(Dialect::Dedicated),
            everything(Dialect::Server),
            named(&names, NamedMembers::Either, Dialect::Dedicated),
            named(&names[..1], NamedMembers::Both, Dialect::Dedicated),
            named(&names[..1], NamedMembers::Both, Dialect::Server),
            sessions(names[0], Dialect::Dedicated, Entrant::Current),
            sessions(names[0], Dialect::Serverless, Entrant::Original),
            sessions(names[0], Dialect::Serverless, Entrant::Current),
            sessions(names[0], Dialect::Server, Entrant::Original),
            sessions_of_id(&Sid::from_bytes(&[7; 16]), Dialect::Dedicated, Entrant::Current),
            sessions_of_id(&Sid::from_bytes(&[7; 16]), Dialect::Serverless, Entrant::Original),
            credentials(Dialect::Serverless),
            credentials(Dialect::Server),
            visitors(Dialect::Dedicated, Entrant::Current),
            visitors(Dialect::Serverless, Entrant::Original),
            visitors(Dialect::Server, Entrant::Current),
            ping(),
        ];
        for query in &queries {
            assert!(!query.text().as_str().contains("DROP"), "names are bound, not written");
        }
        insta::assert_snapshot!(queries.map(|q| q.text().clone().into_string()).join("\n\n"));
    }
}

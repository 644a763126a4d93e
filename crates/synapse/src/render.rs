//! The only place that makes SQL text. What is sent to a pool is a [`Sql`], and only this module can make one.

mod query;
mod quote;

use std::fmt::Write as _;

use crate::statement::{Clause, Dialect, On, SessionId, Statement};
use quote::{Bracketed, Literal};

pub(crate) use query::{MOST_NAMES, NamedMembers, Query, everything, named, ping, sessions};

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
        Statement::CreateExternalUser { name } => {
            format!("CREATE USER {} FROM EXTERNAL PROVIDER", Bracketed(*name))
        }
        Statement::CreateRole { name } => format!("CREATE ROLE {} AUTHORIZATION [dbo]", Bracketed(*name)),
        Statement::AddMember { role, member } => match dialect {
            // Procedures take names as string literals, not as identifiers.
            Dialect::Dedicated => {
                format!("EXEC sp_addrolemember {}, {}", Literal(*role), Literal(*member))
            }
            Dialect::Serverless => {
                format!("ALTER ROLE {} ADD MEMBER {}", Bracketed(*role), Bracketed(*member))
            }
        },
        Statement::DropMember { role, member } => match dialect {
            Dialect::Dedicated => {
                format!("EXEC sp_droprolemember {}, {}", Literal(*role), Literal(*member))
            }
            Dialect::Serverless => {
                format!("ALTER ROLE {} DROP MEMBER {}", Bracketed(*role), Bracketed(*member))
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
        Statement::DropUser { name } => format!("DROP USER {}", Bracketed(*name)),
        Statement::Kill { session: SessionId::Dedicated(number) } => format!("KILL 'SID{number}'"),
        Statement::Kill { session: SessionId::Serverless(number) } => format!("KILL {number}"),
    })
}

fn permission(verb: &str, direction: &str, clause: &Clause) -> String {
    let mut text = format!("{verb} {} ON ", clause.permission.name());
    // Writing to a String cannot fail.
    let _ = match clause.on {
        On::Database(name) => write!(text, "DATABASE::{}", Bracketed(name)),
        On::Schema(name) => write!(text, "SCHEMA::{}", Bracketed(name)),
        On::Object(name) => write!(text, "OBJECT::{}.{}", Bracketed(name.schema), Bracketed(name.name)),
        On::User(name) => write!(text, "USER::{}", Bracketed(name)),
        On::Role(name) => write!(text, "ROLE::{}", Bracketed(name)),
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
mod tests;

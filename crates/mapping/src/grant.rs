//! The lines under a role's `grants`: T-SQL's own words, without the grantee.
//!
//! ```text
//! select, insert on schema::staging            deny select on sales.salaries
//! select on sales.regions (region_id, name)    per person: member of mediumrc
//! classifier in largerc importance high label nightly from 22:00 until 06:00
//! ```

pub(crate) mod assigned;
mod lex;
mod parse;

use std::fmt;

use axon_model::SqlName;
use axon_reconcile::{Classified, GrantState, ObjectName, Permission, Securable};

pub use parse::GrantError;

use crate::target::{TargetKind, Words};

/// What one line gives or denies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantLine {
    /// Permissions of the role.
    Permissions {
        /// Grant or deny.
        state: GrantState,
        /// Which, in the order of the line.
        permissions: Vec<Permission>,
        /// On what. An object where columns are given.
        on: Securable,
        /// The columns; none means the whole.
        columns: Vec<SqlName>,
    },
    /// Each person who has the role is made a member of this role of the pool.
    MemberOf(SqlName),
    /// Requests of the role's members run in this workload group.
    Classifier(Classified),
    /// Each person or group that has the role is assigned this role of a workspace or of Azure.
    Assigned(SqlName),
}

impl GrantLine {
    /// Reads one line.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        parse::parse(text)
    }

    /// Reads one line in the words of a kind of target.
    pub fn parse_for(text: &str, words: Words) -> Result<Self, GrantError> {
        match words {
            Words::Sql => parse::parse(text),
            Words::Roles => assigned::parse(text).map(Self::Assigned),
        }
    }

    /// Reads one line as it counts in a target of this kind.
    pub fn parse_in(text: &str, kind: TargetKind) -> Result<Self, GrantError> {
        let mut line = Self::parse_for(text, kind.words())?;
        line.fold(kind);
        Ok(line)
    }

    /// Puts a role of a workspace under the service's own name.
    pub(crate) fn fold(&mut self, kind: TargetKind) {
        if let (Self::Assigned(role), TargetKind::SynapseWorkspace) = (self, kind) {
            *role = assigned::of_workspace(*role);
        }
    }

    /// Every (permission, securable) pair that the line speaks of: columns one by one.
    pub fn atoms(&self) -> Vec<(Permission, Securable)> {
        let Self::Permissions { permissions, on, columns, .. } = self else { return Vec::new() };
        let places: Vec<Securable> = match on {
            Securable::Object(object) if !columns.is_empty() => {
                columns.iter().map(|column| Securable::Column(*object, *column)).collect()
            }
            other => vec![*other],
        };
        places.iter().flat_map(|place| permissions.iter().map(|p| (*p, *place))).collect()
    }
}

impl fmt::Display for GrantLine {
    /// The line in one spelling, which reads back as the same line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permissions { state, permissions, on, columns } => {
                if *state == GrantState::Deny {
                    f.write_str("deny ")?;
                }
                let names: Vec<String> = permissions.iter().map(|p| p.name().to_lowercase()).collect();
                write!(f, "{} on {}", names.join(", "), On(*on))?;
                if !columns.is_empty() {
                    let columns: Vec<String> = columns.iter().map(|c| Name(*c).to_string()).collect();
                    write!(f, " ({})", columns.join(", "))?;
                }
                Ok(())
            }
            Self::MemberOf(role) => write!(f, "per person: member of {}", Name(*role)),
            Self::Classifier(Classified { group, importance, label, context, hours }) => {
                write!(f, "classifier in {} importance {importance}", Name(*group))?;
                label.map_or(Ok(()), |label| write!(f, " label {}", Name(label)))?;
                context.map_or(Ok(()), |context| write!(f, " context {}", Name(context)))?;
                hours.map_or(Ok(()), |hours| write!(f, " {hours}"))
            }
            Self::Assigned(role) => f.write_str(role.as_str()),
        }
    }
}

/// Reads the name of an object, in two parts.
pub(crate) fn object(text: &str) -> Result<ObjectName, GrantError> {
    parse::object(text)
}

struct On(Securable);

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object =
            |f: &mut fmt::Formatter<'_>, o: ObjectName| write!(f, "{}.{}", Name(o.schema), Name(o.name));
        match self.0 {
            Securable::Database => f.write_str("database"),
            Securable::Schema(name) => write!(f, "schema::{}", Name(name)),
            Securable::Object(name) => object(f, name),
            Securable::Column(name, column) => {
                object(f, name)?;
                write!(f, " ({})", Name(column))
            }
            Securable::Principal(name) => write!(f, "user::{}", Name(name)),
            Securable::Server => f.write_str("server"),
            Securable::Credential(name) => write!(f, "credential::{}", Name(name)),
            // No line says it, so it reads back as none.
            Securable::Other(thing) => thing.fmt(f),
        }
    }
}

/// A name as the lexer reads it back.
struct Name(SqlName);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.as_str();
        if lex::is_plain(text) { f.write_str(text) } else { write!(f, "[{}]", text.replace(']', "]]")) }
    }
}

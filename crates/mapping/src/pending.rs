//! What the map asks for and the desired graph leaves out, each with its reason.

use std::fmt;
use std::sync::Arc;

use axon_model::name::shown;
use axon_model::{AccessRequestId, GroupId, SourceId, SqlName, UserId};
use axon_reconcile::{ObjectName, Securable, Sid};
use serde::Serialize;

use crate::identity::GroupDoubt;
use crate::names::{RoleName, ServiceName};
use crate::place::Place;

/// Who claims a principal's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claimant {
    /// A person.
    User {
        /// Which.
        id: UserId,
        /// Whose.
        source: SourceId,
    },
    /// A group that is one principal.
    Group {
        /// Which.
        id: GroupId,
        /// Whose.
        source: SourceId,
    },
    /// A service identity of the map.
    Service {
        /// Which.
        name: ServiceName,
    },
}

impl fmt::Display for Claimant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { id, source } => write!(f, "user {id} of {source}"),
            Self::Group { id, source } => write!(f, "group {id} of {source}"),
            Self::Service { name } => write!(f, "service identity {name}"),
        }
    }
}

/// Something that is asked for and waits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "pending")]
pub enum Pending {
    /// A grant on something that the target does not hold.
    MissingSecurable {
        /// The line.
        line: Arc<str>,
        /// Where it stands.
        place: Place,
        /// What is not there.
        on: Securable,
        /// The roles that wait for it.
        roles: Vec<RoleName>,
    },
    /// Columns of a table that are given while it is filtered, and it is not.
    MissingFilter {
        /// The line.
        line: Arc<str>,
        /// Where the view stands.
        place: Place,
        /// The table.
        table: ObjectName,
        /// The roles that wait for it.
        roles: Vec<RoleName>,
    },
    /// A name that T-SQL cannot hold: whoever has it is parked.
    NameRefused {
        /// Who.
        who: Claimant,
        /// The name, or what it would be made of.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that belongs to the target, to the map's roles, or to Axon itself.
    NameReserved {
        /// The name.
        name: SqlName,
        /// Who would have it.
        who: Vec<Claimant>,
    },
    /// Several claim one principal: all are withheld.
    NameShared {
        /// The name.
        name: SqlName,
        /// Who.
        who: Vec<Claimant>,
    },
    /// Several ask for something under different names with one object id: a pool holds one user for it (15063).
    IdentityShared {
        /// This one's name.
        name: SqlName,
        /// The security id.
        sid: Sid,
        /// Who.
        who: Vec<Claimant>,
    },
    /// Several groups hold a name that a mapping or a view uses: it stands for none of them.
    GroupAmbiguous {
        /// The mapping, or the line of a view.
        mapping: Place,
        /// The name.
        name: String,
        /// The groups.
        groups: Vec<GroupId>,
    },
    /// Somebody would hold roles that a rule separates: all of them are withheld.
    Separated {
        /// The principal.
        name: SqlName,
        /// Who has that name.
        who: Vec<Claimant>,
        /// The roles that nobody may hold together.
        roles: Vec<RoleName>,
        /// Where the rule stands.
        rule: Place,
    },
    /// A group under a mapped name gives nothing until a person releases it.
    GroupHeld {
        /// The mapping, or the line of a view.
        mapping: Place,
        /// Whose.
        source: SourceId,
        /// The name, folded.
        name: String,
        /// The group.
        group: GroupId,
        /// Why.
        doubt: GroupDoubt,
    },
    /// A source names a principal that it may not speak for.
    OutsideClaims {
        /// Who.
        who: Claimant,
        /// The principal.
        name: SqlName,
    },
    /// Somebody else was known under this name: nothing is given until a person releases it.
    Stranger {
        /// Who.
        who: Claimant,
        /// The principal.
        name: SqlName,
    },
    /// Another source says that the person is not active.
    InactiveElsewhere {
        /// The principal.
        name: SqlName,
        /// Who would have it.
        who: Vec<Claimant>,
    },
    /// A person is shut out, whatever sources say, until somebody lifts it.
    Offboarded {
        /// Who.
        who: Claimant,
        /// By which request.
        request: AccessRequestId,
    },
    /// A request would give a role that a rule separates from others that the person holds: it gives nothing.
    RequestSeparated {
        /// The principal.
        name: SqlName,
        /// Which request.
        request: AccessRequestId,
        /// The role.
        role: RoleName,
        /// Where the rule stands.
        rule: Place,
    },
    /// A mapping leaves out a group that its source does not know: it gives nothing until it does.
    ExclusionUnknown {
        /// The mapping.
        mapping: Place,
        /// The group's name.
        name: String,
    },
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingSecurable { line, place, on, roles } => {
                write!(f, "{place}: `{}` waits: {on} is not there (roles: {})", shown(line), list(roles))
            }
            Self::MissingFilter { line, place, table, roles } => {
                let line = shown(line);
                write!(f, "{place}: `{line}` waits: {table} is not filtered yet (roles: {})", list(roles))
            }
            Self::NameRefused { who, text, reason } => {
                write!(
                    f,
                    "{who} is parked: `{}` cannot be a principal's name: {reason}",
                    crate::yaml::shown(text)
                )
            }
            Self::NameReserved { name, who } => {
                write!(
                    f,
                    "{name} is a reserved name: give them another name, or another `principal` in the target; withheld from {}",
                    list(who)
                )
            }
            Self::NameShared { name, who } => {
                write!(
                    f,
                    "{name} is claimed by several: leave the name to one of them, by `may_name` of the sources or by another \
                     `principal` of the target; withheld from {}",
                    list(who)
                )
            }
            Self::IdentityShared { name, sid, who } => {
                write!(
                    f,
                    "{name} has an object id that others have too ({sid}), and a database holds one principal for it: correct \
                     the object ids; withheld from {}",
                    list(who)
                )
            }
            Self::GroupAmbiguous { mapping, name, groups } => {
                write!(
                    f,
                    "{mapping}: several groups are named {}: none of them counts ({})",
                    shown(name),
                    list(groups)
                )
            }
            Self::Separated { name, who, roles, rule } => {
                let (roles, who) = (list(roles), list(who));
                write!(f, "{rule}: {name} would hold several of {roles}: all of them are withheld ({who})")
            }
            Self::GroupHeld { mapping, source, name, group, doubt } => {
                write!(
                    f,
                    "{mapping}: group {group}, {} in source {source}, gives nothing until it is released: {doubt} \
                     (see `axon holds list`)",
                    shown(name)
                )
            }
            Self::OutsideClaims { who, name } => {
                write!(f, "{who} gets nothing: its source may not speak for {name} (`may_name`)")
            }
            Self::Stranger { who, name } => {
                write!(
                    f,
                    "{who} gets nothing until released: somebody else was known as {name} in this source \
                     (see `axon holds list`)"
                )
            }
            Self::InactiveElsewhere { name, who } => {
                write!(
                    f,
                    "{name} gets nothing: another source says that this person is not active: activate or delete them there ({})",
                    list(who)
                )
            }
            Self::Offboarded { who, request } => {
                write!(
                    f,
                    "{who} is offboarded by request {request} until that is lifted (`axon offboard --release`)"
                )
            }
            Self::RequestSeparated { name, request, role, rule } => {
                write!(
                    f,
                    "{rule}: request {request} gives {name} nothing: {role} must not come to what {name} holds"
                )
            }
            Self::ExclusionUnknown { mapping, name } => {
                write!(
                    f,
                    "{mapping}: gives nothing, since the group that it leaves out, {}, is not known",
                    shown(name)
                )
            }
        }
    }
}

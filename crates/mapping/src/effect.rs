//! What lines amount to: whether somebody who holds them can do a thing, in whole, in part or not at all.
//!
//! A permission on a thing covers its parts; CONTROL covers every permission; fixed roles are what their names say; a DENY
//! wins, but a column GRANT beats a DENY of the same permission on the column's object. Ownership chains are not modelled.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{Classified, GrantState, Permission, Securable};

use crate::grant::GrantLine;

/// One thing that can be done: a permission on something.
pub(crate) type Power = (Permission, Securable);

/// How much of something somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// Nothing of it.
    None,
    /// A part: some columns, or all but what a DENY takes out.
    Part,
    /// All of it.
    Whole,
}

/// What a set of lines gives and denies in one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    grants: BTreeSet<Power>,
    denies: BTreeSet<Power>,
    roles: BTreeSet<SqlName>,
    classified: BTreeSet<Classified>,
}

/// Whether something on `outer` reaches everything that `inner` is.
pub(crate) fn contains(outer: &Securable, inner: &Securable) -> bool {
    match (outer, inner) {
        // The server has all databases in it; what is said of one stays in it.
        (Securable::Server, _) => true,
        (Securable::Database, inner) => *inner != Securable::Server,
        (Securable::Schema(schema), Securable::Object(object) | Securable::Column(object, _)) => {
            object.schema == *schema
        }
        (Securable::Object(object), Securable::Column(of, _)) => object == of,
        _ => outer == inner,
    }
}

/// Whether holding one permission is holding the other on the same thing, without another statement.
fn implies(held: Permission, wanted: Permission, on_database: bool) -> bool {
    held == wanted
        || matches!(held, Permission::Control | Permission::ControlServer)
        || (held == Permission::SelectAllUserSecurables && wanted == Permission::Select)
        || (held == Permission::Alter
            && on_database
            && matches!(
                wanted,
                Permission::AlterAnyUser
                    | Permission::AlterAnyRole
                    | Permission::AlterAnySchema
                    | Permission::AlterAnyDataspace
                    | Permission::AlterAnyMask
                    | Permission::AlterAnySecurityPolicy
                    | Permission::AlterAnyExternalDataSource
                    | Permission::AlterAnyExternalFileFormat
                    | Permission::CreateTable
                    | Permission::CreateView
                    | Permission::CreateProcedure
                    | Permission::CreateFunction
                    | Permission::CreateSchema
                    | Permission::CreateRole
            ))
}

/// Whether who holds one power holds the other by it.
pub(crate) fn covers(held: &Power, wanted: &Power) -> bool {
    contains(&held.1, &wanted.1) && implies(held.0, wanted.0, held.1 == Securable::Database)
}

/// What members of a fixed role can do, in the words of permissions; the data roles speak of the whole database.
pub(crate) fn fixed_role(role: SqlName) -> (&'static [Permission], GrantState) {
    match role.folded() {
        "db_owner" => (&[Permission::Control], GrantState::Grant),
        // Of every database of the server, and of the server itself.
        "sysadmin" => (&[Permission::ControlServer], GrantState::Grant),
        "db_datareader" => (&[Permission::Select], GrantState::Grant),
        "db_datawriter" => (&[Permission::Insert, Permission::Update, Permission::Delete], GrantState::Grant),
        "db_denydatareader" => (&[Permission::Select], GrantState::Deny),
        "db_denydatawriter" => {
            (&[Permission::Insert, Permission::Update, Permission::Delete], GrantState::Deny)
        }
        "db_accessadmin" => (&[Permission::AlterAnyUser], GrantState::Grant),
        "db_securityadmin" => (
            &[Permission::AlterAnyRole, Permission::CreateRole, Permission::ViewDefinition],
            GrantState::Grant,
        ),
        "db_ddladmin" => (
            &[
                Permission::Alter,
                Permission::AlterAnySchema,
                Permission::CreateTable,
                Permission::CreateView,
                Permission::CreateProcedure,
                Permission::CreateFunction,
                Permission::CreateSchema,
                Permission::References,
            ],
            GrantState::Grant,
        ),
        _ => (&[], GrantState::Grant),
    }
}

/// Why a power leads to CONTROL of something, and of what: by it somebody can give themselves the rest.
pub(crate) fn leads_to_control(held: &Power) -> Option<(Securable, &'static str)> {
    let (permission, on) = held;
    match permission {
        Permission::Control => Some((*on, "CONTROL covers every permission")),
        Permission::ControlServer => Some((Securable::Database, "CONTROL covers every permission")),
        Permission::AlterAnyLogin => {
            Some((Securable::Database, "the login of an administrator can be changed"))
        }
        Permission::AlterAnyServerRole => Some((Securable::Database, "anybody can be put into sysadmin")),
        Permission::TakeOwnership => Some((*on, "an owner has CONTROL")),
        Permission::AlterAnyUser => {
            Some((Securable::Database, "a user of an administrator can be mapped to another login"))
        }
        Permission::AlterAnyRole => Some((Securable::Database, "anybody can be put into any role")),
        Permission::Impersonate => Some((Securable::Database, "an administrator can be acted as")),
        Permission::Alter if *on == Securable::Database => {
            Some((Securable::Database, "ALTER on the database alters any user and any role"))
        }
        _ => None,
    }
}

impl Holding {
    /// What these lines give and deny.
    pub fn of<'l>(lines: impl IntoIterator<Item = &'l GrantLine>) -> Self {
        let mut holding = Self::default();
        for line in lines {
            holding.take(line);
        }
        holding
    }

    /// Takes in one row of a catalog.
    pub fn put(&mut self, state: GrantState, power: Power) {
        let into = if state == GrantState::Deny { &mut self.denies } else { &mut self.grants };
        into.insert(power);
    }

    /// Takes in one more line.
    pub fn take(&mut self, line: &GrantLine) {
        match line {
            GrantLine::Permissions { state, .. } => {
                let into = if *state == GrantState::Deny { &mut self.denies } else { &mut self.grants };
                into.extend(line.atoms());
            }
            GrantLine::MemberOf(role) => {
                let (permissions, state) = fixed_role(*role);
                let into = if state == GrantState::Deny { &mut self.denies } else { &mut self.grants };
                let on = if role.folded() == "sysadmin" { Securable::Server } else { Securable::Database };
                into.extend(permissions.iter().map(|p| (*p, on)));
                self.roles.insert(*role);
            }
            GrantLine::Assigned(role) => {
                self.roles.insert(*role);
            }
            GrantLine::Classifier(does) => {
                self.classified.insert(*does);
            }
        }
    }

    /// All that is given, whether a DENY takes it away again or not.
    pub fn given(&self) -> &BTreeSet<Power> {
        &self.grants
    }

    /// All that is denied.
    pub fn denied(&self) -> &BTreeSet<Power> {
        &self.denies
    }

    /// Roles of the target that it is in, or is assigned.
    pub fn roles(&self) -> &BTreeSet<SqlName> {
        &self.roles
    }

    /// How much of a power is had.
    pub fn extent(&self, wanted: &Power) -> Extent {
        let covering = self.grants.iter().any(|held| covers(held, wanted) && !self.is_denied(held, wanted));
        if covering {
            // A DENY on a part takes that part out.
            let holed = self.denies.iter().any(|denied| {
                denied.1 != wanted.1
                    && contains(&wanted.1, &denied.1)
                    && (denied.0 == wanted.0 || denied.0 == Permission::Control)
                    && !self.column_beats(denied)
            });
            return if holed { Extent::Part } else { Extent::Whole };
        }
        let part = self.grants.iter().any(|held| {
            let inner = (wanted.0, held.1);
            contains(&wanted.1, &held.1)
                && implies(held.0, wanted.0, held.1 == Securable::Database)
                && !self.is_denied(held, &inner)
        });
        if part { Extent::Part } else { Extent::None }
    }

    /// Whether a DENY takes away what this grant would give of it.
    fn is_denied(&self, held: &Power, wanted: &Power) -> bool {
        self.denies.iter().any(|denied| {
            let reaches =
                contains(&denied.1, &wanted.1) && (denied.0 == wanted.0 || denied.0 == Permission::Control);
            let by_column = matches!(held.1, Securable::Column(..))
                && held.0 == denied.0
                && matches!(denied.1, Securable::Object(_));
            reaches && !by_column
        })
    }

    /// Whether a column GRANT defeats this DENY of a whole object, if only in part.
    pub fn column_beats(&self, denied: &Power) -> bool {
        let Securable::Object(object) = denied.1 else { return false };
        self.grants
            .iter()
            .any(|held| held.0 == denied.0 && matches!(held.1, Securable::Column(of, _) if of == object))
    }

    /// How much of a line is had: the least of its parts. A line that denies is had where it is denied.
    pub fn extent_of(&self, line: &GrantLine) -> Extent {
        match line {
            GrantLine::MemberOf(role) | GrantLine::Assigned(role) => {
                if self.roles.contains(role) {
                    Extent::Whole
                } else {
                    Extent::None
                }
            }
            GrantLine::Classifier(does) if self.classified.contains(does) => Extent::Whole,
            GrantLine::Classifier(_) => Extent::None,
            GrantLine::Permissions { state: GrantState::Deny, .. } => {
                let each = line.atoms().into_iter().map(|wanted| {
                    let denied = self.denies.iter().any(|held| covers(held, &wanted));
                    if denied { Extent::Whole } else { Extent::None }
                });
                spread(each)
            }
            GrantLine::Permissions { .. } => {
                spread(line.atoms().into_iter().map(|wanted| self.extent(&wanted)))
            }
        }
    }
}

/// The extent over several parts.
fn spread(each: impl Iterator<Item = Extent>) -> Extent {
    let mut all: Option<Extent> = None;
    for one in each {
        all = Some(match all {
            None => one,
            Some(so_far) if so_far == one => one,
            Some(_) => Extent::Part,
        });
    }
    all.unwrap_or(Extent::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(held: &[&str], wanted: &str) -> Extent {
        let lines: Vec<GrantLine> = held.iter().map(|l| GrantLine::parse(l).unwrap()).collect();
        Holding::of(&lines).extent_of(&GrantLine::parse(wanted).unwrap())
    }

    #[test]
    fn lines_amount_to_what_a_pool_would_let_through() {
        for (held, wanted, extent_is) in [
            (&["select on a.b"][..], "select on a.b", Extent::Whole),
            (&["select on schema::a"], "select on a.b", Extent::Whole),
            (&["control on database"], "insert on a.b", Extent::Whole),
            (&["per person: member of db_datareader"], "select on a.b", Extent::Whole),
            (&["per person: member of db_owner"], "alter any user on database", Extent::Whole),
            (&["select on a.b (x, y)"], "select on a.b", Extent::Part),
            (&["select on a.b (x, y)"], "select on a.b (x)", Extent::Whole),
            (&["select on a.b (x, y)"], "select on a.b (x, z)", Extent::Part),
            (&["select on schema::a", "deny select on a.b"], "select on a.b", Extent::None),
            (&["select on schema::a", "deny select on a.b"], "select on a.c", Extent::Whole),
            (&["select on schema::a", "deny select on a.b"], "select on schema::a", Extent::Part),
            (&["select on a.b (x)", "deny select on a.b"], "select on a.b (x)", Extent::Whole),
            (&["select on a.b (x)", "deny select on schema::a"], "select on a.b (x)", Extent::None),
            (&["select on a.b", "deny select on a.b (x)"], "select on a.b", Extent::Part),
            (&["select on a.b", "deny select on a.b (x)"], "select on a.b (x)", Extent::None),
            (&["select on a.b"], "insert on a.b", Extent::None),
            (&["select, insert on a.b"], "select, update on a.b", Extent::Part),
            (&["select on a.b"], "select on database", Extent::Part),
            (&["deny select on schema::a"], "deny select on a.b", Extent::Whole),
            (&[], "deny select on a.b", Extent::None),
            (&["alter on schema::a"], "alter any user on database", Extent::None),
            (&["per person: member of mediumrc"], "per person: member of mediumrc", Extent::Whole),
        ] {
            assert_eq!(extent(held, wanted), extent_is, "{held:?} for {wanted}");
        }
    }
}

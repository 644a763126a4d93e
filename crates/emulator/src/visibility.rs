//! Which rows of the catalog a caller sees: those of things that it owns or has some permission on.

use crate::catalog::Permission;
use crate::catalog::object::Object;
use crate::catalog::permission::{Action, Class, Securable};
use crate::catalog::principal::{Principal, SYS};
use crate::permissions::Access;

impl Access<'_> {
    /// Whether the whole catalog is visible: VIEW DEFINITION on the database.
    pub fn sees_all(&self) -> bool {
        self.allows_database(Action::ViewDefinition)
    }

    /// A row of `sys.database_principals`: oneself, what speaks for oneself, the engine's own principals and fixed roles,
    /// and those that one has a permission on.
    pub fn sees_principal(&self, principal: &Principal) -> bool {
        let engine = principal.id <= SYS || principal.fixed;
        let any = if principal.is_role() { Action::AlterAnyRole } else { Action::AlterAnyUser };
        engine
            || self.grantees().contains(&principal.id)
            || self.sees_all()
            || self.allows_database(any)
            || self.touches(Securable::principal(principal.id))
    }

    /// A row of `sys.database_role_members`: one sees it if one sees the role and the member.
    pub fn sees_member(&self, role: i32, member: i32) -> bool {
        let sees = |id| self.catalog().principal(id).is_some_and(|principal| self.sees_principal(principal));
        sees(role) && sees(member)
    }

    /// A row of `sys.database_permissions`: given to or by oneself, or on something whose definition one may see.
    pub fn sees_permission(&self, permission: &Permission) -> bool {
        let mine =
            [permission.key.grantee, permission.key.grantor].iter().any(|id| self.grantees().contains(id));
        if mine || self.sees_all() {
            return true;
        }
        let whole = Securable { minor: 0, ..permission.key.securable };
        if whole.class != Class::Database {
            return self.allows(Action::ViewDefinition, whole) || self.allows(Action::Control, whole);
        }
        let sees_grantee = self
            .catalog()
            .principal(permission.key.grantee)
            .is_some_and(|grantee| self.sees_principal(grantee));
        sees_grantee
            && (self.allows_database(Action::AlterAnyUser) || self.allows_database(Action::AlterAnyRole))
    }

    /// A row of `sys.schemas`. Schemas are public metadata in the names, as every caller needs them.
    pub fn sees_schema(&self, schema: i32) -> bool {
        self.catalog().schema(schema).is_some()
    }

    /// A row of `sys.objects`, `sys.tables`, `sys.views`, `sys.columns`: some permission on the object or above it.
    pub fn sees_object(&self, object: &Object) -> bool {
        if self.is_owner() || self.sees_all() || self.owns(Securable::object(object.id)) {
            return true;
        }
        let on = Securable::object(object.id);
        self.touches(on)
            || [
                Action::Select,
                Action::Insert,
                Action::Update,
                Action::Delete,
                Action::Execute,
                Action::Alter,
            ]
            .iter()
            .chain(&[Action::References, Action::ViewDefinition, Action::Control])
            .any(|action| self.allows(*action, on))
    }

    /// The text in `sys.sql_modules`: VIEW DEFINITION, ALTER, TAKE OWNERSHIP or CONTROL on the object. A DENY of VIEW DEFINITION hides it
    /// from all but its owner and those whom no DENY binds, whatever else they may.
    pub fn sees_definition(&self, object: &Object) -> bool {
        let on = Securable::object(object.id);
        let some = [Action::ViewDefinition, Action::Alter, Action::TakeOwnership, Action::Control];
        self.is_owner()
            || self.owns(on)
            || (!self.denies(Action::ViewDefinition, on)
                && some.iter().any(|action| self.allows(*action, on)))
    }

    /// Whether something was granted on exactly this securable, or a column of it, to what speaks for the caller.
    fn touches(&self, securable: Securable) -> bool {
        self.grantees().iter().any(|grantee| {
            self.catalog().permissions_on(*grantee, securable).any(|permission| permission.state.gives())
        })
    }
}

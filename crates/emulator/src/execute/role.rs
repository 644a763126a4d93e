//! CREATE, rename and DROP ROLE.

use super::work::Work;
use crate::answer::ServerError;
use crate::catalog::permission::{Action, Securable};
use crate::catalog::principal::{Authentication, INFORMATION_SCHEMA, PUBLIC, Principal, PrincipalKind, SYS};
use crate::catalog::seed::role_sid;
use crate::errors;

impl Work<'_> {
    pub(super) fn create_role(&mut self, name: &str, owner: Option<&str>) -> Result<(), ServerError> {
        if !self.access().allows_database(Action::CreateRole) {
            return Err(errors::no_permission());
        }
        let owner = match owner {
            Some(owner) => self.new_owner(owner)?,
            None => self.executing_principal(),
        };
        if name.contains('\\') {
            return Err(errors::invalid_name(name));
        }
        if self.catalog().principal_named(name).is_some() {
            return Err(errors::principal_exists(name));
        }
        let now = self.now();
        let catalog = self.catalog_mut();
        let id = catalog.take_principal_id();
        catalog.put_principal(Principal {
            id,
            name: name.to_owned(),
            kind: PrincipalKind::Role,
            sid: Some(role_sid(id)),
            default_schema: None,
            owner: Some(owner),
            fixed: false,
            authentication: Authentication::None,
            created: now,
            modified: now,
        });
        Ok(())
    }

    /// Who owns what the caller makes. An administrator of the server makes things as `dbo`.
    pub(super) fn executing_principal(&self) -> i32 {
        if self.caller.administrator { crate::catalog::principal::DBO } else { self.caller.principal }
    }

    /// A principal that the caller may make an owner: itself, one it may impersonate, a role it is in or may alter.
    pub(super) fn new_owner(&self, name: &str) -> Result<i32, ServerError> {
        let missing = || errors::missing("find", "principal", name);
        let principal = self.catalog().principal_named(name).ok_or_else(missing)?;
        if [PUBLIC, INFORMATION_SCHEMA, SYS].contains(&principal.id) {
            return Err(missing());
        }
        let access = self.access();
        let on = Securable::principal(principal.id);
        let allowed = access.is_member(principal.id)
            || if principal.is_role() {
                access.allows(Action::Alter, on)
            } else {
                access.allows(Action::Impersonate, on)
            };
        if allowed { Ok(principal.id) } else { Err(missing()) }
    }

    /// The role of this name that the caller may alter. Fixed roles cannot be altered or dropped.
    fn role_to(&self, verb: &str, name: &str) -> Result<Principal, ServerError> {
        let found = self.catalog().principal_named(name).filter(|principal| principal.is_role());
        let role = found.ok_or_else(|| errors::missing(verb, "role", name))?;
        if role.fixed || role.id == PUBLIC {
            return Err(errors::cannot(verb, "role", name));
        }
        if !self.access().allows(Action::Alter, Securable::principal(role.id)) {
            return Err(errors::missing(verb, "role", name));
        }
        Ok(role.clone())
    }

    pub(super) fn rename_role(&mut self, name: &str, to: &str) -> Result<(), ServerError> {
        let mut role = self.role_to("alter", name)?;
        if self.catalog().principal_named(to).is_some_and(|other| other.id != role.id) {
            return Err(errors::principal_exists(to));
        }
        to.clone_into(&mut role.name);
        role.modified = self.now();
        self.catalog_mut().put_principal(role);
        Ok(())
    }

    pub(super) fn drop_role(&mut self, name: &str, if_exists: bool) -> Result<(), ServerError> {
        if if_exists && self.catalog().principal_named(name).is_none() {
            return Ok(());
        }
        let role = self.role_to("drop", name)?;
        if self.catalog().members_of(role.id).next().is_some() {
            return Err(errors::role_has_members());
        }
        self.refuse_owner(role.id)?;
        self.catalog_mut().remove_principal(role.id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{fails, number, ok, pool, rows, sa};

    #[test]
    fn roles_are_made_renamed_and_dropped() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(
            &mut admin,
            &[
                "CREATE USER u WITHOUT LOGIN",
                "CREATE ROLE r AUTHORIZATION dbo",
                "ALTER ROLE r WITH NAME = R",
                "ALTER ROLE r WITH NAME = q",
                "EXEC sp_addrolemember 'q', 'u'",
            ],
        );
        assert_eq!(number(&mut admin, "CREATE ROLE U"), 15023);
        assert_eq!(
            fails(&mut admin, "DROP ROLE q"),
            (15144, "The role has members. It must be empty before it can be dropped.".to_owned())
        );
        ok(&mut admin, &["EXEC sp_droprolemember 'q', 'u'", "DROP ROLE q"]);
        assert_eq!(
            fails(&mut admin, "DROP ROLE q"),
            (
                15151,
                "Cannot drop the role 'q', because it does not exist or you do not have permission."
                    .to_owned()
            )
        );
        assert_eq!(
            fails(&mut admin, "DROP ROLE db_owner"),
            (15150, "Cannot drop the role 'db_owner'.".to_owned())
        );
        assert_eq!(number(&mut admin, "DROP ROLE [public]"), 15150);
    }

    #[test]
    fn what_was_granted_to_a_role_goes_with_it() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE ROLE r", "GRANT SELECT ON SCHEMA::dbo TO r"]);
        assert_eq!(rows(&pool, "r").len(), 1);
        let before = pool.snapshot().permissions().count();
        ok(&mut admin, &["DROP ROLE r"]);
        assert_eq!(pool.snapshot().permissions().count(), before - 1);
    }

    #[test]
    fn a_role_made_by_a_user_keeps_that_user_in_place() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(
            &mut admin,
            &[
                "CREATE USER u WITHOUT LOGIN",
                "GRANT CREATE ROLE TO u",
                "EXECUTE AS USER = 'u'",
                "CREATE ROLE mine",
                "EXEC sp_addrolemember 'mine', 'guest'",
            ],
        );
        assert_eq!(number(&mut admin, "CREATE ROLE theirs AUTHORIZATION dbo"), 15151);
        ok(&mut admin, &["REVERT"]);
        assert_eq!(number(&mut admin, "DROP USER u"), 15421);
    }
}

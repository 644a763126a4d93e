//! Members of roles: `sp_addrolemember` and `sp_droprolemember` in dedicated pools, ALTER ROLE in serverless ones.

use super::work::Work;
use crate::answer::ServerError;
use crate::catalog::Catalog;
use crate::catalog::permission::{Action, Securable};
use crate::catalog::principal::{DBO, INFORMATION_SCHEMA, PUBLIC, SYS};
use crate::errors;

impl Work<'_> {
    pub(super) fn change_membership(
        &mut self,
        role: &str,
        member: &str,
        add: bool,
    ) -> Result<(), ServerError> {
        let (role, member) = self.membership(role, member, add)?;
        let now = self.now();
        let catalog = self.catalog_mut();
        if add {
            catalog.add_member(role, member);
        } else {
            catalog.drop_member(role, member);
        }
        if let Some(mut changed) = catalog.principal(role).filter(|role| !role.fixed).cloned() {
            changed.modified = now;
            catalog.put_principal(changed);
        }
        Ok(())
    }

    /// Checks the change and gives the ids of role and member.
    fn membership(&self, role_name: &str, member_name: &str, add: bool) -> Result<(i32, i32), ServerError> {
        let catalog = self.catalog();
        let access = self.access();
        let no_role = || errors::missing("alter", "role", role_name);
        let role = catalog.principal_named(role_name).filter(|role| role.is_role()).ok_or_else(no_role)?;
        if role.id == PUBLIC {
            return Err(errors::public_membership());
        }
        if role.fixed && !access.is_owner() {
            return Err(errors::no_permission());
        }
        if !role.fixed && !access.allows(Action::Alter, Securable::principal(role.id)) {
            return Err(no_role());
        }
        let verb = if add { "add" } else { "drop" };
        let no_member = || errors::missing(verb, "principal", member_name);
        let member = catalog.principal_named(member_name).ok_or_else(no_member)?;
        if !add {
            let listed = catalog.is_member(role.id, member.id);
            return if listed { Ok((role.id, member.id)) } else { Err(no_member()) };
        }
        if member.fixed || [PUBLIC, DBO, INFORMATION_SCHEMA, SYS].contains(&member.id) {
            return Err(errors::cannot(verb, "principal", member_name));
        }
        if reaches(catalog, role.id, member.id) {
            return Err(errors::membership_cycle());
        }
        Ok((role.id, member.id))
    }
}

/// Whether `from` is `to`, or a member of it through any roles.
fn reaches(catalog: &Catalog, from: i32, to: i32) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        if id == to {
            return true;
        }
        if seen.insert(id) {
            open.extend(catalog.roles_of(id));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::answer::Answer;
    use crate::pool::config::PoolKind;
    use crate::testing::{enter, fails, members, number, ok, pool, pool_of, sa};

    #[test]
    fn members_come_and_go_by_procedure() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE ROLE r", "CREATE USER u WITHOUT LOGIN"]);
        let answers = admin.batch("EXEC sys.sp_addrolemember @membername = N'U', @rolename = N'R'");
        assert_eq!(answers, [Answer::ReturnStatus(0), Answer::Done { rows: None }]);
        // Adding twice is a silent success.
        ok(&mut admin, &["EXECUTE sp_addrolemember r, u", "sp_addrolemember 'r', 'u'"]);
        assert_eq!(members(&pool, "r"), ["u"]);
        ok(&mut admin, &["EXEC sp_droprolemember 'r', 'u'"]);
        assert!(members(&pool, "r").is_empty());
        assert_eq!(number(&mut admin, "EXEC sp_droprolemember 'r', 'u'"), 15151);
    }

    #[test]
    fn refusals_with_their_texts() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE ROLE a", "CREATE ROLE b", "CREATE ROLE c", "CREATE USER u WITHOUT LOGIN"]);
        assert_eq!(
            fails(&mut admin, "EXEC sp_addrolemember 'nope', 'u'"),
            (
                15151,
                "Cannot alter the role 'nope', because it does not exist or you do not have permission."
                    .to_owned()
            )
        );
        assert_eq!(number(&mut admin, "EXEC sp_addrolemember '[a]', 'u'"), 15151);
        assert_eq!(
            fails(&mut admin, "EXEC sp_addrolemember 'a', 'nope'"),
            (
                15151,
                "Cannot add the principal 'nope', because it does not exist or you do not have permission."
                    .to_owned()
            )
        );
        assert_eq!(
            fails(&mut admin, "EXEC sp_addrolemember 'a', 'dbo'"),
            (15150, "Cannot add the principal 'dbo'.".to_owned())
        );
        assert_eq!(number(&mut admin, "EXEC sp_addrolemember 'a', 'db_owner'"), 15150);
        assert_eq!(
            fails(&mut admin, "EXEC sp_addrolemember 'public', 'u'"),
            (15081, "Membership of the public role cannot be changed.".to_owned())
        );
        assert_eq!(
            fails(&mut admin, "EXEC sp_addrolemember 'a', 'a'"),
            (15413, "Cannot make a role a member of itself.".to_owned())
        );
        ok(&mut admin, &["EXEC sp_addrolemember 'a', 'b'", "EXEC sp_addrolemember 'b', 'c'"]);
        assert_eq!(number(&mut admin, "EXEC sp_addrolemember 'c', 'a'"), 15413);
        assert_eq!(
            fails(&mut admin, "EXEC sp_addrolemember 'a'"),
            (
                201,
                "Procedure or function 'sp_addrolemember' expects parameter '@membername', which was not supplied."
                    .to_owned()
            )
        );
        assert_eq!(number(&mut admin, "EXEC sp_addrolemember 'a', 'u', 'x'"), 8144);
        assert_eq!(number(&mut admin, "EXEC sp_addrolemember @role = 'a', @membername = 'u'"), 8145);
    }

    #[test]
    fn fixed_roles_are_for_owners_others_for_those_who_may_alter_them() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(
            &mut admin,
            &[
                "CREATE ROLE r",
                "CREATE USER u WITHOUT LOGIN",
                "EXEC sp_addrolemember 'db_securityadmin', 'u'",
                "EXECUTE AS USER = 'u'",
                "EXEC sp_addrolemember 'r', 'guest'",
            ],
        );
        assert_eq!(number(&mut admin, "EXEC sp_addrolemember 'db_datareader', 'guest'"), 15247);
        ok(
            &mut admin,
            &["REVERT", "EXEC sp_droprolemember 'db_securityadmin', 'u'", "EXECUTE AS USER = 'u'"],
        );
        assert_eq!(number(&mut admin, "EXEC sp_addrolemember 'r', 'u'"), 15151);
        ok(
            &mut admin,
            &[
                "REVERT",
                "GRANT ALTER ON ROLE::r TO u",
                "EXECUTE AS USER = 'u'",
                "EXEC sp_addrolemember 'r', 'u'",
            ],
        );
        assert_eq!(members(&pool, "r"), ["guest", "u"]);
    }

    #[test]
    fn each_kind_of_pool_refuses_the_others_way() {
        let dedicated = pool();
        let mut admin = sa(&dedicated);
        ok(&mut admin, &["CREATE ROLE r", "CREATE USER u WITHOUT LOGIN"]);
        assert_eq!(number(&mut admin, "ALTER ROLE r ADD MEMBER u"), 103_010);
        let serverless = pool_of(PoolKind::Serverless);
        let mut admin = enter(&serverless, "admin@x.org");
        ok(&mut admin, &["CREATE ROLE r", "CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER"]);
        let answers = admin.batch("EXEC sp_addrolemember 'r', 'ann@x.org'");
        let Some(Answer::Error(error)) = answers.first() else { panic!("{answers:?}") };
        assert_eq!((error.number, error.state), (15871, 4));
        assert_eq!(error.message, "PROCEDURE 'sp_addrolemember' is not supported.");
        ok(&mut admin, &["ALTER ROLE r ADD MEMBER [ann@x.org]"]);
        assert_eq!(members(&serverless, "r"), ["ann@x.org"]);
    }
}

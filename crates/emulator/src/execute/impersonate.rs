//! EXECUTE AS USER and REVERT.

use super::Run;
use super::work::Work;
use crate::answer::{ServerError, Value};
use crate::catalog::permission::{Action, Securable};
use crate::catalog::principal::{GUEST, PrincipalKind};
use crate::errors;
use crate::identity::Caller;
use crate::sql::ast::ArgumentValue;

/// How deep impersonation may nest.
const MAX_IMPERSONATION: usize = 32;

impl Run<'_> {
    pub(super) fn execute_as(&mut self, user: &ArgumentValue, no_revert: bool) -> Result<(), ServerError> {
        let Value::Text(name) = self.argument(user)?.1 else { return Err(errors::cannot_impersonate("")) };
        if self.session.impersonated.len() >= MAX_IMPERSONATION {
            return Err(errors::impersonation_too_deep());
        }
        let external = self.session.original.external;
        let caller = self.with_work(|work| work.impersonated(&name, external))?;
        self.session.impersonated.push((caller, no_revert));
        Ok(())
    }

    pub(super) fn revert(&mut self) -> Result<(), ServerError> {
        if matches!(self.session.impersonated.last(), Some((_, true))) {
            return Err(errors::not_revertible());
        }
        self.session.impersonated.pop();
        Ok(())
    }
}

impl Work<'_> {
    /// The identity of a user that the caller may impersonate: one person or SQL user, never a role or a group.
    fn impersonated(&self, name: &str, external_session: bool) -> Result<Caller, ServerError> {
        let refused = || errors::cannot_impersonate(name);
        let catalog = self.catalog();
        let user = catalog.principal_named(name).ok_or_else(refused)?;
        let single = matches!(user.kind, PrincipalKind::SqlUser | PrincipalKind::ExternalUser);
        let Some(sid) = user.sid.clone().filter(|_| single && user.id != GUEST) else {
            return Err(refused());
        };
        let itself = user.id == self.caller.principal;
        if !itself && !self.access().allows(Action::Impersonate, Securable::principal(user.id)) {
            return Err(refused());
        }
        let external = user.kind == PrincipalKind::ExternalUser;
        if external && !external_session {
            return Err(errors::impersonate_external());
        }
        let login = catalog.logins().find(|login| login.sid == sid);
        Ok(Caller {
            logins: login.map(|login| login.id).into_iter().collect(),
            principal: user.id,
            user_name: user.name.clone(),
            login_name: login.map_or_else(|| user.name.clone(), |login| login.name.clone()),
            sid,
            groups: Vec::new(),
            external,
            application: false,
            administrator: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{enter, fails, number, ok, pool, sa};

    #[test]
    fn only_single_users_are_impersonated_and_only_with_the_right() {
        let pool = pool();
        let mut admin = enter(&pool, "admin@x.org");
        ok(
            &mut admin,
            &[
                "CREATE USER u WITHOUT LOGIN",
                "CREATE USER v WITHOUT LOGIN",
                "CREATE USER Readers FROM EXTERNAL PROVIDER",
                "CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER",
            ],
        );
        for name in ["Readers", "db_owner", "public", "nobody"] {
            assert_eq!(
                fails(&mut admin, &format!("EXECUTE AS USER = '{name}'")),
                (
                    15517,
                    format!(
                        "Cannot execute as the database principal because the principal \"{name}\" does not exist, this \
                         type of principal cannot be impersonated, or you do not have permission."
                    )
                )
            );
        }
        ok(&mut admin, &["EXEC AS USER = 'u'"]);
        assert_eq!(admin.caller().user_name, "u");
        assert_eq!(number(&mut admin, "EXECUTE AS USER = 'v'"), 15517);
        ok(
            &mut admin,
            &[
                "REVERT",
                "GRANT IMPERSONATE ON USER::v TO u",
                "EXECUTE AS USER = 'u'",
                "EXECUTE AS USER = 'v'",
            ],
        );
        assert_eq!(admin.caller().user_name, "v");
        ok(&mut admin, &["REVERT", "REVERT", "REVERT"]);
        assert_eq!(admin.caller().user_name, "dbo");
        ok(&mut admin, &["EXECUTE AS USER = 'ann@x.org'"]);
    }

    #[test]
    fn a_sql_session_does_not_become_an_entra_user() {
        let pool = pool();
        ok(&mut enter(&pool, "admin@x.org"), &["CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER"]);
        let mut sql = sa(&pool);
        assert_eq!(
            fails(&mut sql, "EXECUTE AS USER = 'ann@x.org'"),
            (33171, "Only active directory users can impersonate other active directory users.".to_owned())
        );
    }

    #[test]
    fn without_revert_there_is_no_way_back_but_a_reset() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE USER u WITHOUT LOGIN", "EXECUTE AS USER = 'u' WITH NO REVERT"]);
        assert_eq!(number(&mut admin, "REVERT"), 15196);
        admin.reset();
        assert_eq!(admin.caller().user_name, "dbo");
    }

    #[test]
    fn impersonation_inside_dynamic_sql_ends_with_it() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE USER u WITHOUT LOGIN", "EXEC('EXECUTE AS USER = ''u''')"]);
        assert_eq!(admin.caller().user_name, "dbo");
    }
}

//! Permissions of logins, server roles and credentials: what a serverless pool has beside its database.

use super::work::Work;
use crate::answer::ServerError;
use crate::catalog::name::same;
use crate::catalog::permission::{Securable, State};
use crate::catalog::server::{FIRST_LOGIN, SYSADMIN, ServerAction, ServerKey, ServerOn};
use crate::errors;
use crate::pool::Database;
use crate::sql::ast::{ServerPermission, ServerTarget, Verb};

impl Work<'_> {
    pub(super) fn change_server_permissions(
        &mut self,
        statement: &ServerPermission,
    ) -> Result<(), ServerError> {
        if self.database != Database::Master {
            return Err(errors::server_scope_outside_master());
        }
        let catalog = self.catalog();
        let on = match &statement.target {
            ServerTarget::Server => ServerOn::Server,
            ServerTarget::Login(name) => catalog
                .login_named(name)
                .map(|login| ServerOn::Login(login.id))
                .ok_or_else(|| errors::missing("find", "login", name))?,
            ServerTarget::Credential(name) => catalog
                .server()
                .credential(name)
                .map(ServerOn::Credential)
                .ok_or_else(|| errors::missing("find", "credential", name))?,
        };
        let controls = catalog.server().allows(&self.caller.logins, ServerAction::ControlServer);
        if !self.caller.administrator && !controls {
            return Err(errors::no_grant_permission());
        }
        let mut rows = Vec::new();
        for name in &statement.logins {
            let login = catalog.login_named(name).ok_or_else(|| errors::missing("find", "login", name))?;
            if login.id == FIRST_LOGIN || login.sid == self.caller.sid {
                return Err(errors::special_grantee());
            }
            for action in &statement.actions {
                if !action.fits(on) {
                    return Err(errors::incompatible_privilege(action.name()));
                }
                let key = ServerKey { grantee: login.id, on, action: *action, grantor: FIRST_LOGIN };
                let grantable = catalog.server().permission(&key) == Some(State::GrantWithGrantOption);
                if grantable && statement.verb != Verb::Grant && !statement.cascade {
                    return Err(errors::needs_cascade());
                }
                let state = match statement.verb {
                    Verb::Grant if grantable || statement.with_grant_option => {
                        Some(State::GrantWithGrantOption)
                    }
                    Verb::Grant => Some(State::Grant),
                    Verb::Deny => Some(State::Deny),
                    Verb::Revoke => None,
                };
                rows.push((key, state));
            }
        }
        self.state.change_logins(|catalog| {
            for (key, state) in &rows {
                catalog.server_mut().set(*key, *state);
            }
        });
        Ok(())
    }

    /// Only `sysadmin` can have members here; other server roles are not known.
    pub(super) fn change_server_role(
        &mut self,
        role: &str,
        member: &str,
        add: bool,
    ) -> Result<(), ServerError> {
        let known = same(role, "sysadmin");
        if !self.caller.administrator {
            return Err(errors::no_permission());
        }
        if !known {
            return Err(errors::missing("alter", "server role", role));
        }
        let verb = if add { "add" } else { "drop" };
        let found = self.catalog().login_named(member).cloned();
        let mut login = found.ok_or_else(|| errors::missing(verb, "login", member))?;
        login.administrator = add;
        self.state.change_logins(|catalog| catalog.put_login(login.clone()));
        Ok(())
    }

    pub(super) fn change_credential(
        &mut self,
        name: &str,
        create: bool,
        of_database: bool,
    ) -> Result<(), ServerError> {
        if !self.access().is_owner() {
            return Err(errors::no_permission());
        }
        let known = if of_database {
            self.catalog().credential_named(name)
        } else {
            self.catalog().server().credential(name)
        };
        match (create, known) {
            (true, Some(_)) => Err(errors::credential_exists(name)),
            (true, None) if of_database => {
                self.catalog_mut().add_credential(name);
                Ok(())
            }
            (true, None) => {
                self.state.change_logins(|catalog| catalog.server_mut().add_credential(name));
                Ok(())
            }
            (false, None) => Err(errors::missing("drop", "credential", name)),
            (false, Some(id)) if of_database => {
                self.catalog_mut().remove_credential(id);
                self.catalog_mut().remove_permissions_on(Securable::credential(id));
                Ok(())
            }
            (false, Some(id)) => {
                self.state.change_logins(|catalog| catalog.server_mut().remove_credential(id));
                Ok(())
            }
        }
    }
}

/// The rows of `sys.server_role_members`.
pub(crate) fn server_members(catalog: &crate::catalog::Catalog) -> impl Iterator<Item = (i32, i32)> {
    catalog.logins().filter(|login| login.administrator).map(|login| (SYSADMIN, login.id))
}

#[cfg(test)]
mod tests {
    use crate::pool::Pool;
    use crate::pool::config::PoolKind;
    use crate::session::Session;
    use crate::session_port::LoginRequest;
    use crate::testing::{enter, fails, number, ok, person, pool_of, request, try_login};
    use std::sync::Arc;

    fn start() -> (Arc<Pool>, Session) {
        let pool = pool_of(PoolKind::Serverless);
        let master = pool.login(into_master("admin@x.org")).unwrap();
        (pool, master)
    }

    fn into_master(name: &str) -> LoginRequest {
        request(person(name), Some("master"))
    }

    #[test]
    fn logins_enter_databases_by_what_the_server_gives_them() {
        let (pool, mut master) = start();
        let mut dbo = enter(&pool, "admin@x.org");
        ok(&mut dbo, &["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)"]);
        assert!(pool.login(into_master("ann@x.org")).is_err());
        ok(&mut master, &["CREATE LOGIN [ann@x.org] FROM EXTERNAL PROVIDER"]);
        assert!(pool.login(into_master("ann@x.org")).is_ok(), "a login enters master");
        assert!(try_login(&pool, person("ann@x.org")).is_err(), "and no database without a user");
        ok(&mut master, &["GRANT CONNECT ANY DATABASE TO [ann@x.org]"]);
        let mut ann = enter(&pool, "ann@x.org");
        assert_eq!(ann.caller().user_name, "guest");
        assert_eq!(number(&mut ann, "SELECT a FROM t"), 229);
        ok(&mut master, &["GRANT SELECT ALL USER SECURABLES TO [ann@x.org]"]);
        ok(&mut ann, &["SELECT a FROM t"]);
        assert_eq!(number(&mut ann, "INSERT INTO t VALUES (2)"), 229);
        ok(&mut master, &["DENY CONNECT SQL TO [ann@x.org]"]);
        assert!(try_login(&pool, person("ann@x.org")).is_err());
        assert_eq!(
            fails(&mut master, "DROP LOGIN [ann@x.org]"),
            (15434, "Could not drop login 'ann@x.org' as the user is currently logged in.".to_owned())
        );
        drop(ann);
        ok(&mut master, &["DROP LOGIN [ann@x.org]"]);
        assert_eq!(pool.snapshot().server().permissions().count(), 0, "what it was given went with it");
    }

    #[test]
    fn members_of_sysadmin_administer_also_through_a_group() {
        let (pool, mut master) = start();
        ok(
            &mut master,
            &[
                "CREATE LOGIN [Everyone] FROM EXTERNAL PROVIDER",
                "ALTER SERVER ROLE sysadmin ADD MEMBER [Everyone]",
            ],
        );
        let bob = enter(&pool, "bob@x.org");
        assert_eq!((bob.caller().user_name.as_str(), bob.caller().administrator), ("dbo", true));
        ok(&mut master, &["ALTER SERVER ROLE [sysadmin] DROP MEMBER [Everyone]"]);
        assert!(try_login(&pool, person("bob@x.org")).is_err());
        assert_eq!(number(&mut master, "ALTER SERVER ROLE dbcreator ADD MEMBER [Everyone]"), 15151);
    }

    #[test]
    fn the_server_is_changed_in_master_and_by_its_administrators_only() {
        let (pool, mut master) = start();
        ok(&mut master, &["CREATE LOGIN [ann@x.org] FROM EXTERNAL PROVIDER"]);
        let mut dbo = enter(&pool, "admin@x.org");
        assert_eq!(number(&mut dbo, "GRANT CONNECT ANY DATABASE TO [ann@x.org]"), 4621);
        let mut ann = pool.login(into_master("ann@x.org")).unwrap();
        assert_eq!(number(&mut ann, "GRANT CONNECT ANY DATABASE TO [ann@x.org]"), 4613);
        assert_eq!(number(&mut master, "GRANT CONNECT ANY DATABASE TO [nobody]"), 15151);
        assert_eq!(number(&mut master, "GRANT REFERENCES ON CREDENTIAL::[none] TO [ann@x.org]"), 15151);
        assert_eq!(number(&mut master, "GRANT CONNECT SQL ON LOGIN::[ann@x.org] TO [ann@x.org]"), 4606);
        ok(
            &mut master,
            &[
                "CREATE CREDENTIAL [https://a.dfs.core.windows.net/raw] WITH IDENTITY = 'Managed Identity'",
                "GRANT REFERENCES ON CREDENTIAL::[https://a.dfs.core.windows.net/raw] TO [ann@x.org]",
                "GRANT CONNECT ANY DATABASE TO [ann@x.org] WITH GRANT OPTION",
            ],
        );
        assert_eq!(number(&mut master, "REVOKE CONNECT ANY DATABASE FROM [ann@x.org]"), 4611);
        ok(
            &mut master,
            &[
                "REVOKE CONNECT ANY DATABASE FROM [ann@x.org] CASCADE",
                "DROP CREDENTIAL [https://a.dfs.core.windows.net/raw]",
            ],
        );
        let left: Vec<_> = pool.snapshot().server().permissions().map(|(key, _)| key.action.name()).collect();
        assert_eq!(left, ["CONNECT SQL"]);
    }

    #[test]
    fn credentials_of_a_database_are_referred_to_by_whom_it_is_granted() {
        let (pool, _master) = start();
        let mut dbo = enter(&pool, "admin@x.org");
        ok(
            &mut dbo,
            &[
                "CREATE DATABASE SCOPED CREDENTIAL lake WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 's'",
                "CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER",
                "GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::[lake] TO [ann@x.org]",
            ],
        );
        assert_eq!(crate::testing::rows(&pool, "ann@x.org"), ["G REFERENCES on credential by dbo"]);
        assert_eq!(number(&mut dbo, "GRANT SELECT ON DATABASE SCOPED CREDENTIAL::lake TO [ann@x.org]"), 4606);
        let mut dedicated = enter(&crate::testing::pool(), "admin@x.org");
        assert_eq!(
            number(&mut dedicated, "GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::lake TO x"),
            103_010
        );
    }

    #[test]
    fn the_server_goes_into_the_state_and_comes_back() {
        let (pool, mut master) = start();
        ok(
            &mut master,
            &["CREATE LOGIN [ann@x.org] FROM EXTERNAL PROVIDER", "GRANT VIEW SERVER STATE TO [ann@x.org]"],
        );
        let saved = pool.snapshot().save();
        let text = serde_json::to_string(&saved).unwrap();
        let back = crate::catalog::Catalog::load(serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(back.server(), pool.snapshot().server());
    }
}

//! CREATE, ALTER and DROP USER.

use sha2::{Digest, Sha256};

use super::work::Work;
use crate::answer::ServerError;
use crate::catalog::permission::{Action, PermissionKey, Securable, State};
use crate::catalog::principal::{Authentication, DBO, Principal, PrincipalKind, SYS};
use crate::directory::LookupError;
use crate::errors;
use crate::faults::{Fault, Point};
use crate::pool::Database;
use crate::sql::ast::{UserChange, UserSource};

impl Work<'_> {
    pub(super) fn create_user(
        &mut self,
        name: &str,
        source: &UserSource,
        default_schema: Option<&str>,
    ) -> Result<(), ServerError> {
        if self.serverless() && self.database == Database::Master {
            return Err(errors::user_in_master());
        }
        if !self.access().allows_database(Action::AlterAnyUser) {
            return Err(errors::no_permission());
        }
        if name.contains('\\') {
            return Err(errors::invalid_name(name));
        }
        let (kind, sid, authentication) = match source {
            UserSource::External => {
                let (kind, sid) = self.look_up(name)?;
                (kind, sid, Authentication::External)
            }
            UserSource::Login(login) => {
                let login = self.catalog().login_named(login).ok_or_else(|| errors::no_such_login(login))?;
                let authentication = if login.password.is_some() {
                    Authentication::Instance
                } else {
                    Authentication::External
                };
                (login.kind, login.sid.clone(), authentication)
            }
            UserSource::WithoutLogin => {
                (PrincipalKind::SqlUser, loginless_sid(self.catalog().revision(), name), Authentication::None)
            }
        };
        if self.catalog().principal_named(name).is_some() {
            return Err(errors::principal_exists(name));
        }
        if self.catalog().principal_with_sid(&sid).is_some() {
            return Err(errors::login_has_user());
        }
        let now = self.now();
        let catalog = self.catalog_mut();
        let id = catalog.take_principal_id();
        let default_schema = match kind {
            PrincipalKind::ExternalGroup => default_schema.map(str::to_owned),
            _ => Some(default_schema.unwrap_or("dbo").to_owned()),
        };
        catalog.put_principal(Principal {
            id,
            name: name.to_owned(),
            kind,
            sid: Some(sid),
            default_schema,
            owner: None,
            fixed: false,
            authentication,
            created: now,
            modified: now,
        });
        let connect = PermissionKey {
            grantee: id,
            securable: Securable::DATABASE,
            action: Action::Connect,
            grantor: DBO,
        };
        catalog.put_permission(connect, State::Grant);
        Ok(())
    }

    /// Looks an Entra name up, with the refusals that the server has for it, in its order.
    pub(super) fn look_up(&mut self, name: &str) -> Result<(PrincipalKind, Vec<u8>), ServerError> {
        if !self.caller.external {
            return Err(errors::not_external_session(name));
        }
        let blind = self.state.directory.server_identity_blind && self.caller.application;
        let down = self.state.faults.strike(Point::Directory, name) == Some(Fault::DirectoryDown);
        if blind || down {
            return Err(errors::directory_unavailable(name));
        }
        let found = self.state.look_up(name, self.config.clock.now()).map_err(|error| match error {
            LookupError::Missing => errors::not_in_directory(name),
            LookupError::Ambiguous => errors::not_unique(name),
        })?;
        let kind = if found.group { PrincipalKind::ExternalGroup } else { PrincipalKind::ExternalUser };
        Ok((kind, found.sid))
    }

    /// The user of this name that the caller may alter; roles are no users.
    fn user_to(&self, verb: &str, name: &str) -> Result<Principal, ServerError> {
        let found = self.catalog().principal_named(name).filter(|principal| !principal.is_role());
        let user = found.ok_or_else(|| errors::missing(verb, "user", name))?;
        if user.id <= SYS {
            return Err(errors::cannot(verb, "user", name));
        }
        if !self.access().allows(Action::Alter, Securable::principal(user.id)) {
            return Err(errors::missing(verb, "user", name));
        }
        Ok(user.clone())
    }

    pub(super) fn alter_user(&mut self, name: &str, changes: &[UserChange]) -> Result<(), ServerError> {
        let mut user = self.user_to("alter", name)?;
        for change in changes {
            match change {
                UserChange::Name(to) => {
                    let taken = self.catalog().principal_named(to).is_some_and(|other| other.id != user.id);
                    if taken {
                        return Err(errors::principal_exists(to));
                    }
                    if to.contains('\\') {
                        return Err(errors::invalid_name(to));
                    }
                    user.name.clone_from(to);
                }
                UserChange::DefaultSchema(schema) => user.default_schema.clone_from(schema),
                UserChange::Login(login) => {
                    let login =
                        self.catalog().login_named(login).ok_or_else(|| errors::no_such_login(login))?;
                    let other = self
                        .catalog()
                        .principal_with_sid(&login.sid)
                        .is_some_and(|other| other.id != user.id);
                    if other {
                        return Err(errors::login_has_user());
                    }
                    user.sid = Some(login.sid.clone());
                    user.kind = login.kind;
                    user.authentication = Authentication::Instance;
                }
            }
        }
        user.modified = self.now();
        self.catalog_mut().put_principal(user);
        Ok(())
    }

    pub(super) fn drop_user(&mut self, name: &str, if_exists: bool) -> Result<(), ServerError> {
        if if_exists && self.catalog().principal_named(name).is_none() {
            return Ok(());
        }
        let user = self.user_to("drop", name)?;
        self.refuse_owner(user.id)?;
        self.catalog_mut().remove_principal(user.id);
        Ok(())
    }

    /// What keeps a principal from being dropped: what it owns, then what it gave.
    pub(super) fn refuse_owner(&self, id: i32) -> Result<(), ServerError> {
        let catalog = self.catalog();
        if catalog.schemas().any(|schema| schema.owner == id) {
            return Err(errors::owns("schema"));
        }
        if catalog.objects().any(|object| object.owner == Some(id)) {
            return Err(errors::owns_objects());
        }
        if catalog.principals().any(|principal| principal.owner == Some(id)) {
            return Err(errors::owns_role());
        }
        if catalog.permissions().any(|permission| permission.key.grantor == id) {
            return Err(errors::is_grantor());
        }
        Ok(())
    }
}

/// The SID of a user without login: authority 9, then 16 bytes of its own.
fn loginless_sid(revision: u64, name: &str) -> Vec<u8> {
    let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 9, 3, 0, 0, 0];
    sid.extend_from_slice(&own_bytes(revision, name));
    sid
}

/// 16 bytes that no other name at no other time has.
pub(super) fn own_bytes(revision: u64, name: &str) -> [u8; 16] {
    let digest = Sha256::new().chain_update(revision.to_le_bytes()).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes
}

#[cfg(test)]
mod tests {
    use crate::faults::Fault;
    use crate::testing::{enter, fails, members, number, ok, pool, rows, sa, token, try_login};

    #[test]
    fn external_users_take_their_sid_from_the_directory() {
        let pool = pool();
        let mut admin = enter(&pool, "admin@x.org");
        ok(
            &mut admin,
            &[
                "CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER",
                "CREATE USER [Readers] FROM EXTERNAL PROVIDER",
                "CREATE USER robot FROM EXTERNAL PROVIDER WITH DEFAULT_SCHEMA = elsewhere",
            ],
        );
        let catalog = pool.snapshot();
        let ann = catalog.principal_named("ANN@X.ORG").unwrap();
        assert_eq!((ann.kind.letter(), ann.authentication.number()), ("E", 4));
        assert_eq!(ann.sid.as_ref().unwrap()[..4], [0xaa, 0xaa, 0xaa, 0xaa]);
        assert_eq!(catalog.principal_named("readers").unwrap().kind.letter(), "X");
        let robot = catalog.principal_named("robot").unwrap();
        assert_eq!((robot.kind.letter(), robot.sid.as_ref().unwrap()[15]), ("E", 1));
        assert_eq!(robot.default_schema.as_deref(), Some("elsewhere"));
        let connect = catalog.permissions_of(ann.id).next().unwrap();
        assert_eq!((connect.key.action.code(), connect.key.grantor), ("CO", 1));
    }

    #[test]
    fn refusals_of_create_user_with_their_texts() {
        let pool = pool();
        let mut sql = sa(&pool);
        assert_eq!(
            fails(&mut sql, "CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER"),
            (
                33159,
                "Principal 'ann@x.org' could not be created. Only connections established with Active Directory \
                 accounts can create other Active Directory users."
                    .to_owned()
            )
        );
        let mut admin = enter(&pool, "admin@x.org");
        assert_eq!(
            fails(&mut admin, "CREATE USER [nobody@x.org] FROM EXTERNAL PROVIDER"),
            (
                33130,
                "Principal 'nobody@x.org' could not be found or this principal type is not supported."
                    .to_owned()
            )
        );
        assert_eq!(
            fails(&mut admin, "CREATE USER twin FROM EXTERNAL PROVIDER"),
            (33131, "Principal 'twin' was not unique.".to_owned())
        );
        ok(&mut admin, &["CREATE ROLE Readers"]);
        assert_eq!(
            fails(&mut admin, "CREATE USER [readers] FROM EXTERNAL PROVIDER"),
            (15023, "User, group, or role 'readers' already exists in the current database.".to_owned())
        );
        ok(
            &mut admin,
            &["CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER", "ALTER USER [ann@x.org] WITH NAME = ann"],
        );
        assert_eq!(number(&mut admin, "CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER"), 15063);
        assert_eq!(number(&mut admin, "CREATE USER [a\\b] WITHOUT LOGIN"), 15006);
        assert_eq!(number(&mut admin, "CREATE USER x FOR LOGIN nobody"), 15007);
    }

    #[test]
    fn an_application_needs_a_server_identity_that_reads_the_directory() {
        let pool = pool();
        let mut admin = enter(&pool, "admin@x.org");
        ok(&mut admin, &["CREATE USER robot FROM EXTERNAL PROVIDER", "GRANT ALTER ANY USER TO robot"]);
        let app = r#"{"appid":"cccccccc-0000-0000-0000-000000000001","idtyp":"app"}"#;
        let mut robot = try_login(&pool, token(app)).unwrap();
        pool.change_directory(|directory| directory.server_identity_blind = true);
        assert_eq!(
            fails(&mut robot, "CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER"),
            (
                33134,
                "Principal 'ann@x.org' could not be found at this time. Please try again later.".to_owned()
            )
        );
        ok(&mut admin, &["CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER"]);
        pool.change_directory(|directory| directory.server_identity_blind = false);
        pool.arm(Fault::DirectoryDown);
        assert_eq!(number(&mut robot, "CREATE USER [bob@x.org] FROM EXTERNAL PROVIDER"), 33134);
        ok(&mut robot, &["CREATE USER [bob@x.org] FROM EXTERNAL PROVIDER"]);
    }

    #[test]
    fn a_user_that_owns_or_granted_something_stays() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(
            &mut admin,
            &[
                "CREATE USER u WITHOUT LOGIN",
                "CREATE USER v WITHOUT LOGIN",
                "CREATE SCHEMA s AUTHORIZATION u",
            ],
        );
        assert_eq!(
            fails(&mut admin, "DROP USER u"),
            (
                15138,
                "The database principal owns a schema in the database, and cannot be dropped.".to_owned()
            )
        );
        ok(&mut admin, &["ALTER AUTHORIZATION ON SCHEMA::s TO dbo", "CREATE ROLE r AUTHORIZATION u"]);
        assert_eq!(
            fails(&mut admin, "DROP USER u"),
            (15421, "The database principal owns a database role and cannot be dropped.".to_owned())
        );
        ok(
            &mut admin,
            &[
                "ALTER AUTHORIZATION ON ROLE::r TO dbo",
                "GRANT SELECT ON SCHEMA::s TO u WITH GRANT OPTION",
                "EXECUTE AS USER = 'u'",
                "GRANT SELECT ON SCHEMA::s TO v",
                "REVERT",
            ],
        );
        assert_eq!(rows(&pool, "v"), ["G SELECT on s by u"]);
        assert_eq!(
            fails(&mut admin, "DROP USER u"),
            (
                15284,
                "The database principal has granted or denied permissions to objects in the database and cannot be \
                 dropped."
                    .to_owned()
            )
        );
        ok(
            &mut admin,
            &["REVOKE SELECT ON SCHEMA::s FROM u CASCADE", "EXEC sp_addrolemember 'r', 'u'", "DROP USER u"],
        );
        assert!(members(&pool, "r").is_empty());
        assert!(rows(&pool, "v").is_empty());
    }

    #[test]
    fn the_engines_own_users_cannot_be_dropped() {
        let pool = pool();
        let mut admin = sa(&pool);
        assert_eq!(fails(&mut admin, "DROP USER dbo"), (15150, "Cannot drop the user 'dbo'.".to_owned()));
        assert_eq!(number(&mut admin, "DROP USER guest"), 15150);
        assert_eq!(number(&mut admin, "ALTER USER sys WITH NAME = x"), 15150);
        assert_eq!(
            fails(&mut admin, "DROP USER nobody"),
            (
                15151,
                "Cannot drop the user 'nobody', because it does not exist or you do not have permission."
                    .to_owned()
            )
        );
        assert_eq!(number(&mut admin, "DROP USER db_owner"), 15151);
    }

    #[test]
    fn users_are_made_by_those_who_may_alter_any_user() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(
            &mut admin,
            &["CREATE USER u WITHOUT LOGIN", "CREATE USER w WITHOUT LOGIN", "EXECUTE AS USER = 'u'"],
        );
        assert_eq!(
            fails(&mut admin, "CREATE USER v WITHOUT LOGIN"),
            (15247, "User does not have permission to perform this action.".to_owned())
        );
        assert_eq!(number(&mut admin, "DROP USER w"), 15151);
        ok(
            &mut admin,
            &[
                "REVERT",
                "GRANT ALTER ANY USER TO u",
                "EXECUTE AS USER = 'u'",
                "CREATE USER v WITHOUT LOGIN",
                "DROP USER w",
            ],
        );
        assert_eq!(number(&mut admin, "CREATE ROLE r"), 15247);
    }

    #[test]
    fn names_that_try_to_break_out_stay_names() {
        let pool = pool();
        let mut admin = sa(&pool);
        let emoji = "\u{1f600}".repeat(64);
        for name in ["x]; DROP USER [dbo]--", "O'Brien", emoji.as_str(), "\u{202e}abc", " lead"] {
            let bracketed = name.replace(']', "]]");
            ok(&mut admin, &[&format!("CREATE USER [{bracketed}] WITHOUT LOGIN")]);
            assert_eq!(pool.snapshot().principal_named(name).unwrap().name, name);
            ok(
                &mut admin,
                &[
                    &format!("EXEC sp_addrolemember N'db_datareader', N'{}'", name.replace('\'', "''")),
                    &format!("DROP USER [{bracketed}]"),
                ],
            );
        }
        assert_eq!(number(&mut admin, &format!("CREATE USER [{}] WITHOUT LOGIN", "x".repeat(129))), 103);
    }
}

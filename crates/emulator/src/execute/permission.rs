//! GRANT, DENY and REVOKE.

use super::names::shown;
use super::work::Work;
use crate::answer::ServerError;
use crate::catalog::name::same;
use crate::catalog::object::{Object, ObjectKind};
use crate::catalog::permission::{Action, Class, PermissionKey, Securable, State};
use crate::catalog::principal::{DBO, INFORMATION_SCHEMA, PUBLIC, Principal, SYS};
use crate::errors;
use crate::sql::ast::{PermissionStatement, Target, Verb};

impl Work<'_> {
    pub(super) fn change_permissions(&mut self, statement: &PermissionStatement) -> Result<(), ServerError> {
        let whole = self.securable(&statement.target)?;
        let mut keys = Vec::new();
        for (action, own_columns) in &statement.actions {
            let columns = if own_columns.is_empty() { &statement.columns } else { own_columns };
            for securable in self.securables(whole, *action, columns)? {
                self.check_pair(*action, securable, statement.verb)?;
                for grantee in &statement.principals {
                    let grantee = self.grantee(grantee, whole)?;
                    keys.push((grantee, securable, *action));
                }
            }
        }
        let mut rows = Vec::with_capacity(keys.len());
        for (grantee, securable, action) in keys {
            let grantor = self.authority(action, securable, &statement.target)?;
            rows.push(PermissionKey { grantee, securable, action, grantor });
        }
        // Everything that can be refused is refused before the first row changes.
        for key in &rows {
            let grantable = self.catalog().permission(key) == Some(State::GrantWithGrantOption);
            if statement.verb != Verb::Grant && grantable && !statement.cascade {
                return Err(errors::needs_cascade());
            }
        }
        for key in rows {
            self.write(key, statement);
        }
        Ok(())
    }

    /// The securable of a name, or 15151.
    pub(super) fn securable(&self, target: &Target) -> Result<Securable, ServerError> {
        let catalog = self.catalog();
        let principal = |name: &str, role: bool| {
            catalog
                .principal_named(name)
                .filter(|principal| principal.is_role() == role)
                .map(|principal| Securable::principal(principal.id))
                .ok_or_else(|| errors::missing("find", if role { "role" } else { "user" }, name))
        };
        match target {
            Target::Database(None) => Ok(Securable::DATABASE),
            Target::Database(Some(name)) if same(name, catalog.database()) => Ok(Securable::DATABASE),
            Target::Database(Some(name)) => Err(errors::missing("find", "database", name)),
            Target::Schema(name) => catalog
                .schema_named(name)
                .map(|schema| Securable::schema(schema.id))
                .ok_or_else(|| errors::missing("find", "schema", name)),
            Target::Object(path) => {
                let found = self.find_object(path)?;
                found.map(|object| Securable::object(object.id)).ok_or_else(|| missing_object(path))
            }
            Target::Role(name) => principal(name, true),
            Target::User(name) => principal(name, false),
            Target::Credential(name) => catalog
                .credential_named(name)
                .map(Securable::credential)
                .ok_or_else(|| errors::missing("find", "credential", name)),
        }
    }

    /// The whole securable, or each named column of it.
    fn securables(
        &self,
        whole: Securable,
        action: Action,
        columns: &[String],
    ) -> Result<Vec<Securable>, ServerError> {
        if columns.is_empty() {
            return Ok(vec![whole]);
        }
        if whole.class != Class::Object || !action.fits_columns() {
            return Err(errors::columns_not_allowed());
        }
        let object = self.catalog().object(whole.major);
        columns
            .iter()
            .map(|name| {
                object
                    .and_then(|object| object.column(name))
                    .map(|column| Securable::column(whole.major, column.id))
                    .ok_or_else(|| errors::invalid_column(name))
            })
            .collect()
    }

    /// Refuses pairs of permission and securable that do not exist.
    fn check_pair(&self, action: Action, securable: Securable, verb: Verb) -> Result<(), ServerError> {
        let on_user = self.catalog().principal(securable.major).is_some_and(|principal| !principal.is_role());
        let object = self.catalog().object(securable.major).filter(|_| securable.class == Class::Object);
        if !action.fits(securable.class, on_user) || object.is_some_and(|object| !fits_kind(action, object)) {
            return Err(errors::incompatible_privilege(action.name()));
        }
        // The engine runs procedures on the compute nodes as the user, so this one is refused.
        if verb == Verb::Deny && action == Action::Execute && securable == Securable::DATABASE {
            return Err(errors::incompatible_privilege(action.name()));
        }
        Ok(())
    }

    fn grantee(&self, name: &str, securable: Securable) -> Result<i32, ServerError> {
        let missing = || errors::missing("find", "user", name);
        let grantee: &Principal = self.catalog().principal_named(name).ok_or_else(missing)?;
        if grantee.fixed {
            return Err(errors::special_role());
        }
        let owner = securable.class != Class::Database && self.access().owner_of(securable) == grantee.id;
        let special = [DBO, INFORMATION_SCHEMA, SYS].contains(&grantee.id);
        if special || owner || (grantee.id == self.caller.principal && grantee.id != PUBLIC) {
            return Err(errors::special_grantee());
        }
        Ok(grantee.id)
    }

    /// The grantor to write down, if the caller may grant this at all.
    fn authority(&self, action: Action, securable: Securable, target: &Target) -> Result<i32, ServerError> {
        let access = self.access();
        if access.may_grant(action, securable) {
            return Ok(access.grantor(action, securable));
        }
        Err(match target {
            Target::Database(_) => errors::no_grant_permission(),
            Target::Object(path) => missing_object(path),
            Target::Schema(name) => errors::missing("find", "schema", name),
            Target::Role(name) => errors::missing("find", "role", name),
            Target::User(name) => errors::missing("find", "user", name),
            Target::Credential(name) => errors::missing("find", "credential", name),
        })
    }

    fn write(&mut self, key: PermissionKey, statement: &PermissionStatement) {
        let catalog = self.catalog();
        let whole = PermissionKey { securable: Securable { minor: 0, ..key.securable }, ..key };
        let on_column = key.securable.minor != 0;
        let before = catalog.permission(&key);
        let on_object = if on_column { catalog.permission(&whole) } else { None };
        let was_grantable = before == Some(State::GrantWithGrantOption);
        let after = match statement.verb {
            Verb::Grant if statement.with_grant_option || was_grantable => Some(State::GrantWithGrantOption),
            Verb::Grant => Some(State::Grant),
            Verb::Deny => Some(State::Deny),
            Verb::Revoke if statement.grant_option_for => {
                before.map(|_| State::Grant).filter(|_| was_grantable).or(before)
            }
            Verb::Revoke if on_object.is_some() => Some(State::Revoke),
            Verb::Revoke => None,
        };
        // A column has a row only where it differs from its object.
        let after = after.filter(|state| Some(*state) != on_object);
        if was_grantable && statement.verb != Verb::Grant {
            self.remove_onward(key);
        }
        if !on_column && !statement.grant_option_for {
            self.clear_columns(key);
        }
        match after {
            Some(state) if before != Some(state) => self.catalog_mut().put_permission(key, state),
            None if before.is_some() => self.catalog_mut().remove_permission(&key),
            _ => {}
        }
    }

    /// What is said of a whole object replaces what was said of its columns by the same grantor.
    fn clear_columns(&mut self, key: PermissionKey) {
        let columns: Vec<PermissionKey> = self
            .catalog()
            .permissions_on(key.grantee, key.securable)
            .map(|permission| permission.key)
            .filter(|other| {
                other.action == key.action && other.grantor == key.grantor && other.securable.minor != 0
            })
            .collect();
        for column in columns {
            self.catalog_mut().remove_permission(&column);
        }
    }

    /// CASCADE: takes back what the grantee gave or denied onward, and what those gave in turn.
    fn remove_onward(&mut self, key: PermissionKey) {
        let mut open = vec![key.grantee];
        while let Some(grantor) = open.pop() {
            let given: Vec<PermissionKey> = self
                .catalog()
                .permissions()
                .map(|permission| permission.key)
                .filter(|other| {
                    other.grantor == grantor
                        && other.action == key.action
                        && other.securable.class == key.securable.class
                        && other.securable.major == key.securable.major
                })
                .collect();
            for onward in given {
                self.catalog_mut().remove_permission(&onward);
                open.push(onward.grantee);
            }
        }
    }
}

fn missing_object(path: &[String]) -> ServerError {
    let name = path.last().cloned().unwrap_or_else(|| shown(path));
    errors::missing("find", "object", &name)
}

/// Tables and views are not executed; procedures are not read.
fn fits_kind(action: Action, object: &Object) -> bool {
    let rows =
        matches!(action, Action::Select | Action::Insert | Action::Update | Action::Delete | Action::Unmask);
    match object.kind {
        ObjectKind::Table | ObjectKind::View | ObjectKind::TableFunction => action != Action::Execute,
        ObjectKind::Procedure => !rows && action != Action::References,
        ObjectKind::ScalarFunction => !rows,
        ObjectKind::SecurityPolicy => !rows && !matches!(action, Action::Execute | Action::References),
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::permission::Action;
    use crate::session::Session;
    use crate::testing::{fails, may, number, ok, pool, rows, sa};
    use std::sync::Arc;

    const TABLE: &str = "CREATE TABLE t (a int, b int, c int)";

    fn start() -> (Arc<crate::pool::Pool>, Session) {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(
            &mut admin,
            &[TABLE, "CREATE ROLE r", "CREATE USER u WITHOUT LOGIN", "CREATE USER v WITHOUT LOGIN"],
        );
        (pool, admin)
    }

    #[test]
    fn one_row_for_each_grant_and_the_last_word_stands() {
        let (pool, mut admin) = start();
        ok(&mut admin, &["GRANT SELECT, INSERT ON t TO r", "GRANT SELECT ON dbo.t TO r"]);
        assert_eq!(rows(&pool, "r"), ["G SELECT on t by dbo", "G INSERT on t by dbo"]);
        ok(&mut admin, &["DENY SELECT ON t TO r"]);
        assert_eq!(rows(&pool, "r"), ["D SELECT on t by dbo", "G INSERT on t by dbo"]);
        ok(
            &mut admin,
            &["REVOKE SELECT ON t TO r", "REVOKE INSERT ON OBJECT::t FROM r", "REVOKE DELETE ON t FROM r"],
        );
        assert!(rows(&pool, "r").is_empty());
    }

    #[test]
    fn refusals_with_their_texts() {
        let (_pool, mut admin) = start();
        assert_eq!(
            fails(&mut admin, "GRANT SELECT ON nope TO r"),
            (
                15151,
                "Cannot find the object 'nope', because it does not exist or you do not have permission."
                    .to_owned()
            )
        );
        assert_eq!(
            fails(&mut admin, "GRANT SELECT ON SCHEMA::nope TO r"),
            (
                15151,
                "Cannot find the schema 'nope', because it does not exist or you do not have permission."
                    .to_owned()
            )
        );
        assert_eq!(
            fails(&mut admin, "GRANT SELECT ON t TO nope"),
            (
                15151,
                "Cannot find the user 'nope', because it does not exist or you do not have permission."
                    .to_owned()
            )
        );
        assert_eq!(
            fails(&mut admin, "GRANT SELECT ON t TO dbo"),
            (
                4624,
                "Cannot grant, deny, or revoke permissions to sa, dbo, entity owner, information_schema, sys, or yourself."
                    .to_owned()
            )
        );
        assert_eq!(number(&mut admin, "DENY SELECT ON t TO sys"), 4624);
        assert_eq!(number(&mut admin, "GRANT SELECT ON t TO db_datareader"), 4617);
        assert_eq!(number(&mut admin, "GRANT CREATE TABLE ON SCHEMA::dbo TO r"), 4606);
        assert_eq!(number(&mut admin, "GRANT EXECUTE ON t TO r"), 4606);
        assert_eq!(number(&mut admin, "GRANT IMPERSONATE ON ROLE::r TO u"), 4606);
        assert_eq!(number(&mut admin, "DENY EXECUTE ON DATABASE::dw TO r"), 4606);
        assert_eq!(number(&mut admin, "DENY EXECUTE TO r"), 4606);
        assert_eq!(number(&mut admin, "GRANT INSERT ON t(a) TO r"), 1020);
        assert_eq!(number(&mut admin, "GRANT SELECT ON t(z) TO r"), 207);
        assert_eq!(number(&mut admin, "GRANT SELECT ON DATABASE::other TO r"), 15151);
    }

    #[test]
    fn a_refused_statement_changes_nothing() {
        let (pool, mut admin) = start();
        let before = pool.snapshot().revision();
        number(&mut admin, "GRANT SELECT ON t TO r, nope");
        number(&mut admin, "GRANT SELECT, EXECUTE ON t TO r");
        assert_eq!(pool.snapshot().revision(), before);
    }

    #[test]
    fn grantable_rights_fall_only_with_cascade() {
        let (pool, mut admin) = start();
        ok(
            &mut admin,
            &[
                "GRANT SELECT ON t TO u WITH GRANT OPTION",
                "EXECUTE AS USER = 'u'",
                "GRANT SELECT ON t TO v",
                "DENY SELECT ON t TO r",
                "REVERT",
            ],
        );
        assert_eq!(rows(&pool, "v"), ["G SELECT on t by u"]);
        let refused =
            (4611, "To revoke or deny grantable privileges, specify the CASCADE option.".to_owned());
        assert_eq!(fails(&mut admin, "REVOKE SELECT ON t FROM u"), refused);
        assert_eq!(fails(&mut admin, "DENY SELECT ON t TO u"), refused);
        assert_eq!(fails(&mut admin, "REVOKE GRANT OPTION FOR SELECT ON t FROM u"), refused);
        ok(&mut admin, &["REVOKE GRANT OPTION FOR SELECT ON t FROM u CASCADE"]);
        assert_eq!(rows(&pool, "u"), ["G SELECT on t by dbo"]);
        assert!(rows(&pool, "v").is_empty() && rows(&pool, "r").is_empty());
        ok(&mut admin, &["REVOKE SELECT ON t FROM u"]);
        assert!(rows(&pool, "u").is_empty());
    }

    #[test]
    fn two_grantors_give_two_rows_and_each_revokes_its_own() {
        let (pool, mut admin) = start();
        ok(
            &mut admin,
            &[
                "GRANT SELECT ON t TO v",
                "GRANT SELECT ON t TO u WITH GRANT OPTION",
                "EXECUTE AS USER = 'u'",
                "GRANT SELECT ON t TO v",
                "REVERT",
            ],
        );
        assert_eq!(rows(&pool, "v"), ["G SELECT on t by dbo", "G SELECT on t by u"]);
        ok(&mut admin, &["REVOKE SELECT ON t FROM v"]);
        assert_eq!(rows(&pool, "v"), ["G SELECT on t by u"]);
        assert!(may(&pool, "v", Action::Select, Some("t")));
    }

    #[test]
    fn columns_have_rows_only_where_they_differ() {
        let (pool, mut admin) = start();
        ok(&mut admin, &["GRANT SELECT ON t (a, b) TO r"]);
        assert_eq!(rows(&pool, "r"), ["G SELECT on t.a by dbo", "G SELECT on t.b by dbo"]);
        ok(&mut admin, &["GRANT SELECT ON t TO r"]);
        assert_eq!(rows(&pool, "r"), ["G SELECT on t by dbo"]);
        ok(&mut admin, &["GRANT SELECT (a) ON t TO r"]);
        assert_eq!(rows(&pool, "r"), ["G SELECT on t by dbo"]);
        ok(&mut admin, &["REVOKE SELECT ON t (b) FROM r", "DENY SELECT ON t(c) TO r"]);
        assert_eq!(
            rows(&pool, "r"),
            ["G SELECT on t by dbo", "R SELECT on t.b by dbo", "D SELECT on t.c by dbo"]
        );
        ok(&mut admin, &["REVOKE SELECT ON t FROM r"]);
        assert!(rows(&pool, "r").is_empty());
    }

    #[test]
    fn whoever_may_not_grant_is_told_that_it_does_not_exist() {
        let (pool, mut admin) = start();
        ok(&mut admin, &["GRANT SELECT ON t TO u", "EXECUTE AS USER = 'u'"]);
        assert_eq!(number(&mut admin, "GRANT SELECT ON t TO v"), 15151);
        assert_eq!(
            fails(&mut admin, "GRANT CREATE TABLE TO v"),
            (4613, "Grantor does not have GRANT permission.".to_owned())
        );
        ok(
            &mut admin,
            &[
                "REVERT",
                "GRANT CONTROL ON SCHEMA::dbo TO u",
                "EXECUTE AS USER = 'u'",
                "GRANT SELECT ON t TO v",
            ],
        );
        assert_eq!(number(&mut admin, "GRANT SELECT ON t TO u"), 4624);
        ok(&mut admin, &["REVERT"]);
        assert_eq!(rows(&pool, "v"), ["G SELECT on t by dbo"]);
    }
}

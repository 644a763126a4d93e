//! Effective permissions: the one answer to "may this caller do that".
//!
//! ```text
//! caller -> grantees (user, roles of roles, public, Entra groups)
//! action on securable -> the chain of (securable, action) that cover it, up to CONTROL on the database
//! any DENY in the chain wins over any GRANT; a GRANT on a column beats a DENY of the same action on its object
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::answer::ServerError;
use crate::catalog::Catalog;
use crate::catalog::object::Object;
use crate::catalog::permission::{Action, Class, Securable, State};
use crate::catalog::principal::{DB_OWNER, DBO, PUBLIC};
use crate::catalog::server::ServerAction;
use crate::errors;
use crate::identity::Caller;

/// A caller's powers over one state of the catalog.
#[derive(Debug)]
pub struct Access<'a> {
    catalog: &'a Catalog,
    caller: &'a Caller,
    grantees: Arc<BTreeSet<i32>>,
}

impl<'a> Access<'a> {
    /// Expands the caller's grantees: itself, its Entra groups, all their roles, `public`.
    pub fn new(catalog: &'a Catalog, caller: &'a Caller) -> Self {
        let mut grantees = BTreeSet::from([PUBLIC]);
        let mut open: Vec<i32> = caller.groups.clone();
        open.push(caller.principal);
        while let Some(id) = open.pop() {
            if grantees.insert(id) {
                open.extend(catalog.roles_of(id));
            }
        }
        Self { catalog, caller, grantees: Arc::new(grantees) }
    }

    /// The same over grantees that were expanded before, for this caller and this state.
    pub(crate) fn expanded(catalog: &'a Catalog, caller: &'a Caller, grantees: Arc<BTreeSet<i32>>) -> Self {
        Self { catalog, caller, grantees }
    }

    /// The expanded grantees, to be kept for [`Access::expanded`].
    pub(crate) fn into_grantees(self) -> Arc<BTreeSet<i32>> {
        self.grantees
    }

    /// The state that is looked at.
    pub fn catalog(&self) -> &'a Catalog {
        self.catalog
    }

    /// Who is looked at.
    pub fn caller(&self) -> &'a Caller {
        self.caller
    }

    /// Everything that speaks for the caller: itself, groups, roles (nested), `public`.
    pub fn grantees(&self) -> &BTreeSet<i32> {
        &self.grantees
    }

    /// Whether the caller is `dbo` or a member of `db_owner`, whom no DENY binds.
    pub fn is_owner(&self) -> bool {
        self.caller.administrator || self.caller.principal == DBO || self.grantees.contains(&DB_OWNER)
    }

    /// Whether the caller is in the role: directly, through other roles, or through an Entra group.
    pub fn is_member(&self, role: i32) -> bool {
        self.grantees.contains(&role)
    }

    /// Whether the caller may do `action` on the securable.
    pub fn allows(&self, action: Action, securable: Securable) -> bool {
        if self.is_owner() || self.owns(securable) {
            return true;
        }
        if securable.minor != 0 {
            return self.allows_column(action, securable.major, securable.minor);
        }
        let (denied, granted) = self.weigh(&self.chain(action, securable));
        granted && !denied
    }

    /// Whether a DENY keeps `action` on the securable from the caller.
    pub fn denies(&self, action: Action, securable: Securable) -> bool {
        !self.is_owner() && !self.owns(securable) && self.weigh(&self.chain(action, securable)).0
    }

    /// Whether the caller may do `action` on the database.
    pub fn allows_database(&self, action: Action) -> bool {
        self.allows(action, Securable::DATABASE)
    }

    /// Whether the caller holds `action` on the securable, or something that covers it, with the right to grant it on.
    ///
    /// Owners, holders of CONTROL and `db_securityadmin` hold everything so.
    pub fn may_grant(&self, action: Action, securable: Securable) -> bool {
        if self.is_owner() || self.owns(securable) || self.grantees.contains(&SECURITY_ADMIN) {
            return true;
        }
        let whole = Securable { minor: 0, ..securable };
        let chain = self.chain(action, whole);
        if self.weigh(&chain).0 {
            return false;
        }
        let owns_container = self.catalog.object(securable.major).is_some_and(|object| {
            securable.class == Class::Object && self.owns(Securable::schema(object.schema))
        });
        owns_container
            || chain.iter().any(|(on, covering)| {
                self.rows(*on, *covering).any(|state| {
                    state == State::GrantWithGrantOption || (*covering == Action::Control && state.gives())
                })
            })
            || (securable.minor != 0
                && self.rows(securable, action).any(|state| state == State::GrantWithGrantOption))
    }

    /// Who is written down as the grantor when the caller grants: `dbo` for owners of the database and for those whose
    /// right comes from no row of their own, else the owner of the securable or the grantee that holds the grant option.
    pub fn grantor(&self, action: Action, securable: Securable) -> i32 {
        if self.is_owner() {
            return DBO;
        }
        let holds = |on: Securable| {
            self.grantees.iter().copied().find(|grantee| {
                self.catalog
                    .states(*grantee, on, action)
                    .any(|(_, state)| state == State::GrantWithGrantOption)
            })
        };
        let whole = Securable { minor: 0, ..securable };
        holds(securable).or_else(|| holds(whole)).unwrap_or_else(|| self.owner_of(securable))
    }

    /// The owner of a securable (`dbo` of the database and of users).
    pub fn owner_of(&self, securable: Securable) -> i32 {
        let owner = match securable.class {
            Class::Database | Class::Credential | Class::Other(_) => None,
            Class::Object => self.catalog.object(securable.major).map(|object| self.catalog.owner_of(object)),
            Class::Schema => self.catalog.schema(securable.major).map(|schema| schema.owner),
            Class::Principal => self.catalog.principal(securable.major).and_then(|principal| principal.owner),
        };
        owner.unwrap_or(DBO)
    }

    /// Checks a statement's use of an object: 229 if it may not be touched at all, 230 for the first column that may not.
    ///
    /// `columns` are column ids; an empty list stands for uses that name no column (`COUNT(*)`, INSERT, DELETE).
    pub fn check(&self, object: &Object, columns: &[i32], action: Action) -> Result<(), ServerError> {
        let on = Securable::object(object.id);
        if self.is_owner() || self.owns(on) {
            return Ok(());
        }
        let column_wise = action.fits_columns();
        if !column_wise || columns.is_empty() {
            let any_column = column_wise
                && object.columns.iter().any(|column| self.allows_column(action, object.id, column.id));
            return if any_column || self.allows(action, on) {
                Ok(())
            } else {
                Err(self.denied(object, action))
            };
        }
        let refused = columns.iter().find(|column| !self.allows_column(action, object.id, **column));
        let Some(refused) = refused else { return Ok(()) };
        let sees_some = object.columns.iter().any(|column| self.allows_column(action, object.id, column.id));
        let name =
            object.columns.iter().find(|column| column.id == *refused).map(|column| column.name.as_str());
        match name {
            Some(column) if sees_some => Err(errors::column_denied(
                action,
                column,
                &object.name,
                self.catalog.database(),
                self.schema_of(object),
            )),
            _ => Err(self.denied(object, action)),
        }
    }

    fn denied(&self, object: &Object, action: Action) -> ServerError {
        errors::object_denied(action, &object.name, self.catalog.database(), self.schema_of(object))
    }

    fn schema_of(&self, object: &Object) -> &str {
        self.catalog.schema(object.schema).map_or("", |schema| schema.name.as_str())
    }

    /// Whether the caller, or a role of the caller, owns the securable or its schema.
    pub fn owns(&self, securable: Securable) -> bool {
        match securable.class {
            Class::Database | Class::Credential | Class::Other(_) => false,
            Class::Object => self.catalog.object(securable.major).is_some_and(|object| {
                self.grantees.contains(&self.catalog.owner_of(object))
                    || self.owns(Securable::schema(object.schema))
            }),
            Class::Schema => self
                .catalog
                .schema(securable.major)
                .is_some_and(|schema| self.grantees.contains(&schema.owner)),
            Class::Principal => self
                .catalog
                .principal(securable.major)
                .and_then(|principal| principal.owner)
                .is_some_and(|owner| self.grantees.contains(&owner)),
        }
    }

    fn allows_column(&self, action: Action, object: i32, column: i32) -> bool {
        let on_column = Securable::column(object, column);
        let on_object = Securable::object(object);
        let mut granted = false;
        for state in self.rows(on_column, action) {
            match state {
                State::Deny => return false,
                State::Grant | State::GrantWithGrantOption => granted = true,
                State::Revoke => {}
            }
        }
        // What is said of the object holds for the column, but for rows that a column REVOKE took out.
        let (mut object_granted, mut object_denied) = (false, false);
        for grantee in self.grantees.iter() {
            for (grantor, state) in self.catalog.states(*grantee, on_object, action) {
                let taken_out = self
                    .catalog
                    .states(*grantee, on_column, action)
                    .any(|row| row == (grantor, State::Revoke));
                object_granted |= state.gives() && !taken_out;
                object_denied |= state == State::Deny && !taken_out;
            }
        }
        let above: Vec<_> =
            self.chain(action, on_object).into_iter().filter(|link| *link != (on_object, action)).collect();
        let (denied_above, granted_above) = self.weigh(&above);
        if denied_above || (object_denied && !granted) {
            return false;
        }
        granted || object_granted || granted_above
    }

    /// What all grantees of the caller have been told about one permission on one securable.
    fn rows(&self, securable: Securable, action: Action) -> impl Iterator<Item = State> {
        self.grantees.iter().flat_map(move |grantee| {
            let implied =
                (securable == Securable::DATABASE).then(|| fixed_role_state(*grantee, action)).flatten();
            let implied = implied.or_else(|| self.by_server(*grantee, securable, action));
            self.catalog.states(*grantee, securable, action).map(|(_, state)| state).chain(implied)
        })
    }

    /// What the server gives in every database: told once, of `public`.
    fn by_server(&self, grantee: i32, securable: Securable, action: Action) -> Option<State> {
        let reads = grantee == PUBLIC
            && securable == Securable::DATABASE
            && action == Action::Select
            && !self.caller.logins.is_empty()
            && self.catalog.server().allows(&self.caller.logins, ServerAction::SelectAll);
        reads.then_some(State::Grant)
    }

    /// (denied, granted) over a chain.
    fn weigh(&self, chain: &[(Securable, Action)]) -> (bool, bool) {
        let (mut denied, mut granted) = (false, false);
        for (on, action) in chain {
            for state in self.rows(*on, *action) {
                denied |= state == State::Deny;
                granted |= state.gives();
            }
        }
        (denied, granted)
    }

    /// Everything that covers `action` on the securable, itself first.
    fn chain(&self, action: Action, securable: Securable) -> Vec<(Securable, Action)> {
        let mut chain = vec![(securable, action), (securable, Action::Control)];
        let database = Securable::DATABASE;
        match securable.class {
            Class::Database => {}
            Class::Object => {
                let schema = self.catalog.object(securable.major).map_or(0, |object| object.schema);
                chain.extend([
                    (Securable::schema(schema), action),
                    (Securable::schema(schema), Action::Control),
                ]);
                chain.extend([(database, action), (database, Action::Control)]);
            }
            Class::Schema | Class::Credential | Class::Other(_) => {
                chain.extend([(database, action), (database, Action::Control)]);
            }
            Class::Principal => chain.push((database, Action::Control)),
        }
        if securable.class == Class::Principal && action == Action::ViewDefinition {
            chain.push((database, Action::ViewDefinition));
        }
        let is_role = self
            .catalog
            .principal(securable.major)
            .is_some_and(crate::catalog::principal::Principal::is_role);
        match (securable.class, action) {
            (Class::Object | Class::Schema, Action::Alter) => chain.push((database, Action::AlterAnySchema)),
            (Class::Principal, Action::Alter) => {
                let any = if is_role { Action::AlterAnyRole } else { Action::AlterAnyUser };
                chain.extend([(database, any), (database, Action::Alter)]);
            }
            (Class::Database, Action::CreateRole) => {
                chain.extend([(database, Action::AlterAnyRole), (database, Action::Alter)]);
            }
            (Class::Database, Action::CreateSchema) => {
                chain.extend([(database, Action::AlterAnySchema), (database, Action::Alter)]);
            }
            (Class::Database, action) if covered_by_alter(action) => chain.push((database, Action::Alter)),
            _ => {}
        }
        chain.dedup();
        chain
    }
}

const ACCESS_ADMIN: i32 = 16385;
const SECURITY_ADMIN: i32 = 16386;
const DDL_ADMIN: i32 = 16387;
const BACKUP_OPERATOR: i32 = 16389;
const DATA_READER: i32 = 16390;
const DATA_WRITER: i32 = 16391;
const DENY_DATA_READER: i32 = 16392;
const DENY_DATA_WRITER: i32 = 16393;

/// Whether ALTER on the database brings this permission on it.
fn covered_by_alter(action: Action) -> bool {
    matches!(
        action,
        Action::CreateTable
            | Action::CreateView
            | Action::CreateProcedure
            | Action::CreateFunction
            | Action::AlterAnyUser
            | Action::AlterAnyRole
            | Action::AlterAnySchema
            | Action::AlterAnyDataspace
            | Action::AlterAnyMask
            | Action::AlterAnySecurityPolicy
            | Action::AlterAnyExternalDataSource
            | Action::AlterAnyExternalFileFormat
    )
}

/// What membership in a fixed role says of a permission on the database. It is never shown as a row.
fn fixed_role_state(role: i32, action: Action) -> Option<State> {
    let writes = matches!(action, Action::Insert | Action::Update | Action::Delete);
    let given = match role {
        ACCESS_ADMIN => matches!(action, Action::AlterAnyUser | Action::CreateSchema | Action::Connect),
        SECURITY_ADMIN => {
            matches!(
                action,
                Action::AlterAnyRole | Action::CreateRole | Action::CreateSchema | Action::ViewDefinition
            )
        }
        DDL_ADMIN => matches!(
            action,
            Action::AlterAnySchema
                | Action::AlterAnyDataspace
                | Action::AlterAnyExternalDataSource
                | Action::AlterAnyExternalFileFormat
                | Action::CreateTable
                | Action::CreateView
                | Action::CreateProcedure
                | Action::CreateFunction
                | Action::CreateSchema
                | Action::References
        ),
        BACKUP_OPERATOR => action == Action::BackupDatabase,
        DATA_READER => action == Action::Select,
        DATA_WRITER => writes,
        DENY_DATA_READER if action == Action::Select => return Some(State::Deny),
        DENY_DATA_WRITER if writes => return Some(State::Deny),
        _ => false,
    };
    given.then_some(State::Grant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use crate::session::Session;
    use crate::testing::{may, ok, pool, sa};

    fn start() -> (Arc<Pool>, Session) {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(
            &mut admin,
            &[
                "CREATE SCHEMA s",
                "CREATE TABLE s.t (a int, b int, c int)",
                "CREATE USER u WITHOUT LOGIN",
                "CREATE ROLE r",
                "CREATE ROLE outer_role",
                "EXEC sp_addrolemember 'outer_role', 'r'",
                "EXEC sp_addrolemember 'r', 'u'",
            ],
        );
        (pool, admin)
    }

    fn check(pool: &Arc<Pool>, columns: &[i32]) -> Result<(), i32> {
        let catalog = pool.snapshot();
        let user = catalog.principal_named("u").unwrap();
        let caller = Caller {
            principal: user.id,
            user_name: "u".to_owned(),
            login_name: "u".to_owned(),
            sid: Vec::new(),
            groups: Vec::new(),
            external: false,
            application: false,
            administrator: false,
            logins: Vec::new(),
        };
        let table = catalog.objects().find(|object| object.name == "t").unwrap();
        Access::new(&catalog, &caller).check(table, columns, Action::Select).map_err(|error| error.number)
    }

    #[test]
    fn nested_roles_and_public_give_and_any_deny_takes() {
        let (pool, mut admin) = start();
        assert!(!may(&pool, "u", Action::Select, Some("t")));
        ok(&mut admin, &["GRANT SELECT ON s.t TO outer_role"]);
        assert!(may(&pool, "u", Action::Select, Some("t")));
        ok(&mut admin, &["DENY SELECT ON s.t TO [public]"]);
        assert!(!may(&pool, "u", Action::Select, Some("t")));
    }

    #[test]
    fn a_deny_above_wins_and_a_revoke_above_touches_nothing() {
        let (pool, mut admin) = start();
        ok(
            &mut admin,
            &[
                "GRANT SELECT ON s.t TO u",
                "GRANT SELECT ON SCHEMA::s TO u",
                "REVOKE SELECT ON SCHEMA::s FROM u",
            ],
        );
        assert!(may(&pool, "u", Action::Select, Some("t")));
        ok(&mut admin, &["DENY SELECT ON SCHEMA::s TO r"]);
        assert!(!may(&pool, "u", Action::Select, Some("t")));
        ok(&mut admin, &["REVOKE SELECT ON SCHEMA::s TO r", "DENY CONTROL ON DATABASE::dw TO r"]);
        assert!(!may(&pool, "u", Action::Select, Some("t")));
        assert!(!may(&pool, "u", Action::Connect, None));
    }

    #[test]
    fn control_and_alter_imply_what_lies_below() {
        let (pool, mut admin) = start();
        ok(&mut admin, &["GRANT CONTROL ON SCHEMA::s TO u"]);
        for action in [Action::Select, Action::Delete, Action::Alter, Action::ViewDefinition] {
            assert!(may(&pool, "u", action, Some("t")), "{action:?}");
        }
        assert!(!may(&pool, "u", Action::CreateTable, None));
        ok(&mut admin, &["REVOKE CONTROL ON SCHEMA::s FROM u", "GRANT ALTER TO u"]);
        assert!(may(&pool, "u", Action::CreateTable, None) && may(&pool, "u", Action::AlterAnyRole, None));
        assert!(may(&pool, "u", Action::Alter, Some("t")));
        assert!(!may(&pool, "u", Action::Select, Some("t")));
    }

    #[test]
    fn fixed_roles_have_powers_without_rows() {
        let (pool, mut admin) = start();
        ok(&mut admin, &["EXEC sp_addrolemember 'db_datareader', 'u'"]);
        assert!(may(&pool, "u", Action::Select, Some("t")));
        ok(&mut admin, &["EXEC sp_addrolemember 'db_denydatareader', 'r'"]);
        assert!(!may(&pool, "u", Action::Select, Some("t")));
        // No DENY binds an owner of the database.
        ok(&mut admin, &["EXEC sp_addrolemember 'db_owner', 'u'"]);
        assert!(may(&pool, "u", Action::Select, Some("t")));
    }

    #[test]
    fn a_grant_on_a_column_beats_a_deny_on_its_table() {
        let (pool, mut admin) = start();
        ok(&mut admin, &["DENY SELECT ON s.t TO r", "GRANT SELECT ON s.t(a) TO u"]);
        assert_eq!(check(&pool, &[1]), Ok(()));
        assert_eq!(check(&pool, &[1, 2]), Err(230));
        assert_eq!(check(&pool, &[]), Ok(()));
        // But not a DENY higher up, and not a DENY on the column itself.
        ok(&mut admin, &["DENY SELECT ON SCHEMA::s TO r"]);
        assert_eq!(check(&pool, &[1]), Err(229));
        ok(&mut admin, &["REVOKE SELECT ON SCHEMA::s TO r", "DENY SELECT ON s.t(a) TO outer_role"]);
        assert_eq!(check(&pool, &[1]), Err(229));
    }

    #[test]
    fn a_column_taken_out_of_a_grant_is_230() {
        let (pool, mut admin) = start();
        ok(&mut admin, &["GRANT SELECT ON s.t TO u", "REVOKE SELECT ON s.t(b) FROM u"]);
        assert_eq!(check(&pool, &[1, 3]), Ok(()));
        assert_eq!(check(&pool, &[2]), Err(230));
        ok(&mut admin, &["GRANT SELECT ON s.t TO r"]);
        assert_eq!(check(&pool, &[2]), Ok(()));
    }

    #[test]
    fn errors_name_object_and_column() {
        let error = errors::column_denied(Action::Select, "SSN", "Membership", "dw", "dbo");
        assert_eq!(
            (error.number, error.class, error.message.as_str()),
            (
                230,
                14,
                "The SELECT permission was denied on the column 'SSN' of the object 'Membership', database 'dw', \
                 schema 'dbo'."
            )
        );
        let error = errors::object_denied(Action::Select, "t", "dw", "s");
        assert_eq!(
            error.message,
            "The SELECT permission was denied on the object 't', database 'dw', schema 's'."
        );
    }

    #[test]
    fn owners_of_a_schema_ignore_denies_on_what_is_in_it() {
        let (pool, mut admin) = start();
        ok(&mut admin, &["DENY SELECT ON s.t TO u", "ALTER AUTHORIZATION ON SCHEMA::s TO u"]);
        assert!(may(&pool, "u", Action::Select, Some("t")));
    }
}

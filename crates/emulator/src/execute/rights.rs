//! What a query may know of catalog, caller and session.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Run;
use super::names::default_schema;
use crate::answer::ServerError;
use crate::catalog::name::same;
use crate::catalog::object::Object;
use crate::catalog::permission::{Action, Securable};
use crate::catalog::principal::{PUBLIC, Principal};
use crate::catalog::server::{SERVER_ROLES, SYSADMIN, ServerAction};
use crate::catalog::{Catalog, Permission};
use crate::identity::Caller;
use crate::permissions::Access;
use crate::pool::State;
use crate::pool::config::PoolKind;
use crate::pool::sessions::spid;
use crate::query::{QueryContext, Rights, SessionFacts};

/// A caller's rights over one state of the catalog.
struct CallerRights {
    catalog: Arc<Catalog>,
    caller: Caller,
    grantees: Arc<BTreeSet<i32>>,
    /// Whether a right in the database shows the sessions of others.
    sessions_by_database: bool,
}

impl CallerRights {
    fn new(catalog: Arc<Catalog>, caller: Caller, sessions_by_database: bool) -> Self {
        let grantees = Access::new(&catalog, &caller).into_grantees();
        Self { catalog, caller, grantees, sessions_by_database }
    }

    fn access(&self) -> Access<'_> {
        Access::expanded(&self.catalog, &self.caller, Arc::clone(&self.grantees))
    }
}

impl Rights for CallerRights {
    fn check(&self, object: &Object, columns: &[i32], action: Action) -> Result<(), ServerError> {
        self.access().check(object, columns, action)
    }

    fn has(&self, action: Action, on: Securable) -> bool {
        self.access().allows(action, on)
    }

    fn sees_principal(&self, principal: &Principal) -> bool {
        self.access().sees_principal(principal)
    }

    fn sees_member(&self, role: i32, member: i32) -> bool {
        self.access().sees_member(role, member)
    }

    fn sees_permission(&self, permission: &Permission) -> bool {
        self.access().sees_permission(permission)
    }

    fn sees_object(&self, object: &Object) -> bool {
        self.access().sees_object(object)
    }

    fn sees_definition(&self, object: &Object) -> bool {
        self.access().sees_definition(object)
    }

    fn sees_sessions(&self) -> bool {
        self.caller.administrator
            || (self.sessions_by_database && self.access().allows_database(Action::ViewDatabaseState))
            || self.catalog.server().allows(&self.caller.logins, ServerAction::ViewServerState)
    }

    fn has_at_server(&self, permission: &str) -> Option<bool> {
        let action = ServerAction::ALL.iter().find(|action| same(action.name(), permission))?;
        Some(self.caller.administrator || self.catalog.server().allows(&self.caller.logins, *action))
    }

    fn sees_server(&self) -> bool {
        self.caller.administrator
            || self.catalog.server().allows(&self.caller.logins, ServerAction::ViewAnyDefinition)
    }

    fn is_server_role_member(&self, role: &str) -> Option<bool> {
        let (id, _) = SERVER_ROLES.iter().find(|(_, name)| same(name, role))?;
        Some(*id != SYSADMIN || self.caller.administrator)
    }

    /// Roles and Entra groups that are principals; `dbo` counts as a member of `db_owner` here.
    fn is_member(&self, role_or_group: &str) -> Option<bool> {
        let found = self.catalog.principal_named(role_or_group)?;
        let access = self.access();
        let owner = found.id == crate::catalog::principal::DB_OWNER && access.is_owner();
        Some(owner || access.is_member(found.id))
    }

    fn is_role_member(&self, role: &str, principal: Option<&str>) -> Option<bool> {
        let role = self.catalog.principal_named(role).filter(|role| role.is_role())?;
        let Some(name) = principal else { return Some(self.access().is_member(role.id)) };
        let principal =
            self.catalog.principal_named(name).filter(|principal| self.access().sees_principal(principal))?;
        let mut open = vec![principal.id];
        let mut seen = BTreeSet::from([PUBLIC]);
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.catalog.roles_of(id));
            }
        }
        Some(seen.contains(&role.id))
    }
}

impl Run<'_> {
    /// The context of a query that runs now.
    pub(super) fn context(&self) -> QueryContext {
        let session = &*self.session;
        let config = session.pool.config();
        let (catalog, sessions, session_id, databases) = {
            let state = session.pool.lock();
            let id = state.sessions.session_id(session.number);
            let catalog = Arc::clone(state.catalog(session.database));
            (catalog, state.sessions.rows(), id, state.databases())
        };
        let caller = session.caller();
        let facts = SessionFacts {
            now: config.clock.stamp(),
            user_id: caller.principal,
            user_name: caller.user_name.clone(),
            login_name: caller.login_name.clone(),
            original_login: session.original.login_name.clone(),
            sid: caller.sid.clone(),
            default_schema: default_schema(&catalog, caller),
            spid: spid(session.number),
            session_id,
            database: catalog.database().to_owned(),
            database_id: State::database_id(session.database),
            databases,
            server_name: config.server_name.clone(),
            collation: config.collation.clone(),
            dedicated: config.kind == PoolKind::Dedicated,
            transactions: i32::from(session.transaction.is_some()),
            transaction_state: session
                .transaction
                .as_ref()
                .map_or(0, |open| if open.doomed { -2 } else { 1 }),
            last_error: session.last_error,
            row_count: session.row_count,
            host_name: session.request.host_name.clone(),
            app_name: session.request.app_name.clone(),
            context: session
                .context
                .iter()
                .map(|(key, entry)| (key.clone(), (entry.ty, entry.value.clone())))
                .collect(),
        };
        let rights = Arc::new(CallerRights::new(
            Arc::clone(&catalog),
            caller.clone(),
            config.kind == PoolKind::Dedicated || !config.sessions_at_server,
        ));
        QueryContext {
            catalog,
            rights,
            session: facts,
            variables: self.variables.all().clone(),
            sessions,
            cancel: session.cancel.clone(),
        }
    }
}

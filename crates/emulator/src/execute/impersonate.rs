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
        match self.session.impersonated.last() {
            Some((_, true)) => Err(errors::not_revertible()),
            _ => {
                self.session.impersonated.pop();
                Ok(())
            }
        }
    }
}

impl Work<'_> {
    /// The identity of a user that the caller may impersonate: one person or SQL user, never a role or a group.
    fn impersonated(&self, name: &str, external_session: bool) -> Result<Caller, ServerError> {
        let refused = || errors::cannot_impersonate(name);
        let catalog = self.catalog();
        let user = catalog.principal_named(name).ok_or_else(refused)?;
        let single = matches!(user.kind, PrincipalKind::SqlUser | PrincipalKind::ExternalUser);
        let Some(sid) = user.sid.clone().filter(|_| single && user.id != GUEST) else { return Err(refused()) };
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

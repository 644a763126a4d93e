//! Logins of the server, and its administrators in serverless pools.

use super::user::own_bytes;
use super::work::Work;
use crate::answer::ServerError;
use crate::catalog::name::same;
use crate::catalog::permission::State;
use crate::catalog::principal::{Login, PrincipalKind};
use crate::catalog::server::{FIRST_LOGIN, ServerAction, ServerKey, ServerOn};
use crate::errors;
use crate::pool::Database;

impl Work<'_> {
    /// Logins are made in master, by administrators of the server or members of `loginmanager`.
    fn may_manage_logins(&self) -> Result<(), ServerError> {
        if self.database != Database::Master && !self.serverless() {
            return Err(errors::not_in_master());
        }
        let manager = self.catalog().principal_named("loginmanager").map(|role| role.id);
        let by_server = self.catalog().server().allows(&self.caller.logins, ServerAction::AlterAnyLogin);
        if self.caller.administrator || by_server || manager.is_some_and(|role| self.access().is_member(role))
        {
            Ok(())
        } else {
            Err(errors::no_permission())
        }
    }

    pub(super) fn create_login(&mut self, name: &str, password: Option<&str>) -> Result<(), ServerError> {
        self.may_manage_logins()?;
        if self.catalog().login_named(name).is_some() {
            return Err(errors::login_exists(name));
        }
        let (kind, sid) = match password {
            Some(_) => (PrincipalKind::SqlUser, own_bytes(self.catalog().revision(), name).to_vec()),
            None => self.look_up(name)?,
        };
        let now = self.now();
        let id = self.catalog().next_login_id();
        self.state.change_logins(|catalog| {
            catalog.take_login_id();
        });
        let login = Login {
            id,
            name: name.to_owned(),
            password: password.map(str::to_owned),
            sid,
            kind,
            administrator: false,
            created: now,
        };
        let enters = ServerKey {
            grantee: id,
            on: ServerOn::Server,
            action: ServerAction::ConnectSql,
            grantor: FIRST_LOGIN,
        };
        let serverless = self.serverless();
        self.state.change_logins(|catalog| {
            catalog.put_login(login.clone());
            if serverless {
                catalog.server_mut().set(enters, Some(State::Grant));
            }
        });
        Ok(())
    }

    fn login_to(&self, verb: &str, name: &str) -> Result<Login, ServerError> {
        self.may_manage_logins()?;
        let login = self.catalog().login_named(name).ok_or_else(|| errors::missing(verb, "login", name))?;
        if same(&login.name, &self.config.admin) {
            return Err(errors::cannot(verb, "login", name));
        }
        Ok(login.clone())
    }

    pub(super) fn alter_login(&mut self, name: &str, password: &str) -> Result<(), ServerError> {
        let mut login = self.login_to("alter", name)?;
        login.password = Some(password.to_owned());
        self.state.change_logins(|catalog| catalog.put_login(login.clone()));
        Ok(())
    }

    pub(super) fn drop_login(&mut self, name: &str) -> Result<(), ServerError> {
        let login = self.login_to("drop", name)?;
        if self.serverless() && self.state.sessions.of_sid(&login.sid) {
            return Err(errors::login_in_use(&login.name));
        }
        self.state.change_logins(|catalog| catalog.remove_login(login.id));
        Ok(())
    }
}

//! What a defining statement works with: the state under its lock, and who asks.

use time::PrimitiveDateTime;

use super::Run;
use crate::answer::ServerError;
use crate::catalog::Catalog;
use crate::identity::Caller;
use crate::permissions::Access;
use crate::pool::config::{PoolConfig, PoolKind};
use crate::pool::{Database, State};
use crate::sql::ast::Kind;

/// One defining statement at work. Each checks everything before it changes anything.
pub(super) struct Work<'a> {
    pub(super) state: &'a mut State,
    pub(super) database: Database,
    pub(super) caller: &'a Caller,
    pub(super) config: &'a PoolConfig,
}

impl Work<'_> {
    pub(super) fn catalog(&self) -> &Catalog {
        self.state.catalog(self.database)
    }

    pub(super) fn catalog_mut(&mut self) -> &mut Catalog {
        self.state.catalog_mut(self.database)
    }

    pub(super) fn access(&self) -> Access<'_> {
        Access::new(self.catalog(), self.caller)
    }

    pub(super) fn now(&self) -> PrimitiveDateTime {
        self.config.clock.stamp()
    }

    pub(super) fn serverless(&self) -> bool {
        self.config.kind == PoolKind::Serverless
    }

    /// Runs a statement that changes metadata or rights.
    pub(super) fn define(&mut self, kind: &Kind) -> Result<(), ServerError> {
        if self.config.lake && self.database == crate::pool::Database::Pool && self.serverless() {
            return Err(crate::errors::replicated_database());
        }
        match kind {
            Kind::CreateUser { name, source, default_schema } => {
                self.create_user(name, source, default_schema.as_deref())
            }
            Kind::AlterUser { name, changes } => self.alter_user(name, changes),
            Kind::DropUser { name, if_exists } => self.drop_user(name, *if_exists),
            Kind::CreateLogin { name, password } => self.create_login(name, password.as_deref()),
            Kind::AlterLogin { name, password } => self.alter_login(name, password),
            Kind::DropLogin { name } => self.drop_login(name),
            Kind::CreateRole { name, owner } => self.create_role(name, owner.as_deref()),
            Kind::RenameRole { name, to } => self.rename_role(name, to),
            Kind::AlterRoleMember { role, member, add } => self.change_membership(role, member, *add),
            Kind::DropRole { name, if_exists } => self.drop_role(name, *if_exists),
            Kind::AlterServerRole { role, member, add } => self.change_server_role(role, member, *add),
            Kind::ServerPermission(statement) => self.change_server_permissions(statement),
            Kind::Credential { name, create, of_database } => {
                self.change_credential(name, *create, *of_database)
            }
            Kind::Permission(statement) => self.change_permissions(statement),
            Kind::CreateSchema { name, owner } => self.create_schema(name, owner.as_deref()),
            Kind::DropSchema { name, if_exists } => self.drop_schema(name, *if_exists),
            Kind::Transfer { schema, object } => self.transfer(schema, object),
            Kind::Authorization { target, owner } => self.change_owner(target, owner),
            Kind::AlterTable { name, change } => self.alter_table(name, change),
            Kind::CreateStatistics { name, table, columns } => self.create_statistics(name, table, columns),
            Kind::DropStatistics { name, table } => self.drop_statistics(name, table),
            Kind::Truncate { name } => self.truncate(name),
            Kind::Rename { name, to } => self.rename_object(name, to),
            Kind::CreateModule { name, kind, text } => self.create_module(name, *kind, text),
            Kind::DropPolicy { name, if_exists } => self.drop_policy(name, *if_exists),
            Kind::DropObject { name, kind, if_exists } => self.drop_object(name, *kind, *if_exists),
            Kind::CreateClassifier { name, options } => self.create_classifier(name, options),
            Kind::DropClassifier { name } => self.drop_classifier(name),
            _ => Err(crate::errors::parse(1, 1, "")),
        }
    }
}

impl Run<'_> {
    /// Takes the lock for one piece of work.
    pub(super) fn with_work<T>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        let session = &*self.session;
        let mut state = session.pool.lock();
        work(&mut Work {
            state: &mut state,
            database: session.database,
            caller: session.caller(),
            config: session.pool.config(),
        })
    }
}

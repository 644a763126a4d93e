//! Schemas, moves between them, and owners.

use super::work::Work;
use crate::answer::ServerError;
use crate::catalog::object::Schema;
use crate::catalog::permission::{Action, Class, Securable};
use crate::errors;
use crate::sql::ast::Target;

/// The last schema that belongs to the engine among the low ids; those of fixed roles begin at [`ROLE_SCHEMAS`].
const ENGINE_SCHEMAS: i32 = 4;
const ROLE_SCHEMAS: i32 = 16384;

impl Work<'_> {
    pub(super) fn create_schema(&mut self, name: &str, owner: Option<&str>) -> Result<(), ServerError> {
        if !self.access().allows_database(Action::CreateSchema) {
            return Err(errors::database_denied("CREATE SCHEMA", self.catalog().database()));
        }
        let owner = match owner {
            Some(owner) => self.new_owner(owner)?,
            None => self.executing_principal(),
        };
        if self.catalog().schema_named(name).is_some() {
            return Err(errors::object_exists(name));
        }
        let catalog = self.catalog_mut();
        let id = catalog.take_schema_id();
        catalog.put_schema(Schema { id, name: name.to_owned(), owner });
        Ok(())
    }

    pub(super) fn drop_schema(&mut self, name: &str, if_exists: bool) -> Result<(), ServerError> {
        let missing = || errors::missing("drop", "schema", name);
        let Some(schema) = self.catalog().schema_named(name).cloned() else {
            return if if_exists { Ok(()) } else { Err(missing()) };
        };
        if schema.id <= ENGINE_SCHEMAS || schema.id >= ROLE_SCHEMAS {
            return Err(errors::cannot("drop", "schema", name));
        }
        if !self.access().allows(Action::Control, Securable::schema(schema.id))
            && !self.access().allows_database(Action::AlterAnySchema)
        {
            return Err(missing());
        }
        if let Some(object) = self.catalog().objects().find(|object| object.schema == schema.id) {
            return Err(errors::schema_in_use(name, &object.name));
        }
        self.catalog_mut().remove_schema(schema.id);
        Ok(())
    }

    /// ALTER SCHEMA … TRANSFER: the object's explicit permissions are lost, and its own owner.
    pub(super) fn transfer(&mut self, schema: &str, path: &[String]) -> Result<(), ServerError> {
        let no_schema = || errors::missing("alter", "schema", schema);
        let target = self.catalog().schema_named(schema).map(|schema| schema.id).ok_or_else(no_schema)?;
        if !self.access().allows(Action::Alter, Securable::schema(target)) {
            return Err(no_schema());
        }
        let name = path.last().map_or("", String::as_str);
        let missing = || errors::missing("find", "object", name);
        let mut object = self.find_object(path)?.cloned().ok_or_else(missing)?;
        if !self.access().allows(Action::Control, Securable::object(object.id)) {
            return Err(missing());
        }
        if self.catalog().holder_of(object.id).is_some() {
            return Err(errors::transfer_referenced());
        }
        if self.catalog().object_named(target, &object.name).is_some() {
            return Err(errors::object_exists(&object.name));
        }
        object.schema = target;
        object.owner = None;
        object.modified = self.now();
        let catalog = self.catalog_mut();
        catalog.remove_permissions_on(Securable::object(object.id));
        catalog.put_object(object);
        Ok(())
    }

    /// ALTER AUTHORIZATION: needs TAKE OWNERSHIP, and power over the new owner.
    pub(super) fn change_owner(&mut self, target: &Target, owner: &str) -> Result<(), ServerError> {
        let securable = self.securable(target)?;
        let missing = || match target {
            Target::Schema(name) => errors::missing("find", "schema", name),
            Target::Role(name) => errors::missing("find", "role", name),
            Target::User(name) => errors::missing("find", "user", name),
            Target::Credential(name) => errors::missing("find", "credential", name),
            Target::Object(path) => errors::missing("find", "object", path.last().map_or("", String::as_str)),
            Target::Database(name) => {
                errors::missing("find", "database", name.as_deref().unwrap_or_default())
            }
        };
        if matches!(target, Target::Database(_) | Target::User(_) | Target::Credential(_)) {
            return Err(missing());
        }
        if !self.access().allows(Action::TakeOwnership, securable) {
            return Err(missing());
        }
        let owner = self.new_owner(owner)?;
        let now = self.now();
        let catalog = self.catalog_mut();
        match securable.class {
            Class::Schema => {
                if securable.major <= ENGINE_SCHEMAS && securable.major != 1 {
                    return Err(missing());
                }
                if let Some(mut schema) = catalog.schema(securable.major).cloned() {
                    schema.owner = owner;
                    catalog.put_schema(schema);
                }
            }
            Class::Object => {
                if let Some(mut object) = catalog.object(securable.major).cloned() {
                    object.owner = Some(owner);
                    object.modified = now;
                    catalog.put_object(object);
                }
            }
            Class::Principal => {
                let found = catalog.principal(securable.major).cloned();
                let Some(mut role) = found.filter(|role| !role.fixed && role.id != 0) else {
                    return Err(missing());
                };
                role.owner = Some(owner);
                catalog.put_principal(role);
            }
            Class::Database | Class::Credential | Class::Other(_) => {}
        }
        Ok(())
    }
}

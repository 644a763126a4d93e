//! Names of objects to objects.

use super::work::Work;
use crate::answer::ServerError;
use crate::catalog::Catalog;
use crate::catalog::name::same;
use crate::catalog::object::Object;
use crate::catalog::principal::DBO;
use crate::errors;
use crate::identity::Caller;

/// The schema in which bare names of a caller are looked up first.
pub(crate) fn default_schema(catalog: &Catalog, caller: &Caller) -> String {
    let own = catalog.principal(caller.principal).filter(|principal| principal.id != DBO);
    own.and_then(|principal| principal.default_schema.clone()).unwrap_or_else(|| "dbo".to_owned())
}

/// Splits a path of up to three parts into schema (if named) and name; a database may be named if it is this one.
pub(super) fn split<'p>(
    catalog: &Catalog,
    path: &'p [String],
) -> Result<(Option<&'p str>, &'p str), ServerError> {
    let (schema, name) = match path {
        [name] => (None, name),
        [schema, name] => (Some(schema.as_str()), name),
        [database, schema, name] if same(database, catalog.database()) => (Some(schema.as_str()), name),
        _ => return Err(errors::other_database(&path.join("."))),
    };
    Ok((schema.filter(|schema| !schema.is_empty()), name))
}

/// A path as messages show it.
pub(super) fn shown(path: &[String]) -> String {
    path.join(".")
}

impl Work<'_> {
    /// The object of this name: in the named schema, else in the caller's default schema, else in `dbo`.
    pub(super) fn find_object(&self, path: &[String]) -> Result<Option<&Object>, ServerError> {
        let catalog = self.catalog();
        let (schema, name) = split(catalog, path)?;
        let in_schema = |schema: &str| {
            catalog.schema_named(schema).and_then(|schema| catalog.object_named(schema.id, name))
        };
        Ok(match schema {
            Some(schema) => in_schema(schema),
            None => in_schema(&default_schema(catalog, self.caller)).or_else(|| in_schema("dbo")),
        })
    }

    /// Where a new object of this name goes: its schema's id and its own name; 2760 without such a schema.
    pub(super) fn place(&self, path: &[String]) -> Result<(i32, String), ServerError> {
        let catalog = self.catalog();
        let (schema, name) = split(catalog, path)?;
        let schema = schema.map_or_else(|| default_schema(catalog, self.caller), str::to_owned);
        let found = catalog.schema_named(&schema).ok_or_else(|| errors::no_such_schema(&schema))?;
        Ok((found.id, name.to_owned()))
    }
}

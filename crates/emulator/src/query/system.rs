//! The system views: their columns, and their rows out of the catalog as the caller may see them.
//!
//! To add a view: write its columns and its `fill` beside its neighbours and list it in that file's `VIEWS`.

mod information;
mod legacy;
mod objects;
mod policy;
mod security;
mod server;
mod sessions;
mod statistics;
mod workload;

use crate::answer::{ServerError, SqlType};
use crate::catalog::name::same;
use crate::query::cell::ticks;
use crate::query::context::QueryContext;

pub(crate) use objects::TYPES;

/// A field of a row while it is loaded.
#[derive(Debug, Clone)]
pub(crate) enum Field<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Owned(String),
    Bytes(&'a [u8]),
}

impl Field<'_> {
    fn bit(value: bool) -> Self {
        Self::Int(i64::from(value))
    }

    fn at(moment: time::PrimitiveDateTime) -> Self {
        // Catalog columns are datetime: three-hundredths of a second.
        let held = ticks(moment);
        Self::Int(
            crate::query::convert::moment::cast(held, SqlType::DateTime2(7), SqlType::DateTime)
                .unwrap_or(held),
        )
    }
}

impl<'a> Field<'a> {
    fn text(value: Option<&'a str>) -> Self {
        value.map_or(Field::Null, Field::Text)
    }

    fn bytes(value: Option<&'a [u8]>) -> Self {
        value.map_or(Field::Null, Field::Bytes)
    }

    fn int(value: Option<i32>) -> Self {
        value.map_or(Field::Null, |value| Field::Int(i64::from(value)))
    }
}

/// A column of a system view.
#[derive(Debug)]
pub(crate) struct ViewColumn {
    pub(crate) name: &'static str,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
}

const fn col(name: &'static str, ty: SqlType) -> ViewColumn {
    ViewColumn { name, ty, nullable: false }
}

const fn opt(name: &'static str, ty: SqlType) -> ViewColumn {
    ViewColumn { name, ty, nullable: true }
}

const SYSNAME: SqlType = SqlType::NVarChar(128);
const DESCRIPTION: SqlType = SqlType::NVarChar(60);
const INT: SqlType = SqlType::Int;
const BIT: SqlType = SqlType::Bit;
const TINY: SqlType = SqlType::TinyInt;
const WHEN: SqlType = SqlType::DateTime;

/// Takes the rows of a view.
type Emit<'e> = &'e mut dyn FnMut(&[Field<'_>]) -> Result<(), ServerError>;

/// Gives the rows of a view.
type Fill = fn(&QueryContext, Emit<'_>) -> Result<(), ServerError>;

/// Which personality has a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    Both,
    Dedicated,
    Serverless,
}

/// A view: where it is, what it shows, and how its rows are made.
struct Definition {
    schema: &'static str,
    name: &'static str,
    only: Only,
    columns: &'static [ViewColumn],
    fill: Fill,
}

/// One system view.
#[derive(Clone, Copy)]
pub(crate) struct SystemView(&'static Definition);

impl PartialEq for SystemView {
    fn eq(&self, other: &Self) -> bool {
        self.0.schema == other.0.schema && self.0.name == other.0.name
    }
}

impl Eq for SystemView {}

impl std::fmt::Debug for SystemView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0.schema, self.0.name)
    }
}

impl SystemView {
    /// Its columns in order.
    pub(crate) fn columns(self) -> &'static [ViewColumn] {
        self.0.columns
    }

    /// Its schema.
    pub(crate) fn schema(self) -> &'static str {
        self.0.schema
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        self.0.name
    }

    /// Its object id; ids of system objects are negative.
    pub(crate) fn id(self) -> i32 {
        let place = all().position(|definition| SystemView(definition) == self).unwrap_or(0);
        -100 - i32::try_from(place).unwrap_or(0)
    }

    /// Gives every row that the caller may see.
    pub(crate) fn rows(self, ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
        (self.0.fill)(ctx, emit)
    }
}

fn all() -> impl Iterator<Item = &'static Definition> {
    [
        security::VIEWS,
        objects::VIEWS,
        policy::VIEWS,
        server::VIEWS,
        sessions::VIEWS,
        statistics::VIEWS,
        workload::VIEWS,
        information::VIEWS,
        legacy::VIEWS,
    ]
    .into_iter()
    .flatten()
}

fn offered(dedicated: bool) -> impl Iterator<Item = &'static Definition> {
    all().filter(move |definition| match definition.only {
        Only::Both => true,
        Only::Dedicated => dedicated,
        Only::Serverless => !dedicated,
    })
}

/// The view of this name in this schema.
pub(crate) fn find(schema: &str, name: &str, dedicated: bool) -> Option<SystemView> {
    offered(dedicated)
        .find(|definition| same(definition.schema, schema) && same(definition.name, name))
        .map(SystemView)
        .or_else(|| if same(schema, "dbo") { find_bare(name, dedicated) } else { None })
}

/// The old views can be named without a schema.
pub(crate) fn find_bare(name: &str, dedicated: bool) -> Option<SystemView> {
    offered(dedicated)
        .find(|definition| {
            same(definition.name, name) && legacy::VIEWS.iter().any(|old| old.name == definition.name)
        })
        .map(SystemView)
}

/// The view with this object id.
pub(crate) fn by_id(id: i32, dedicated: bool) -> Option<SystemView> {
    if id > -100 {
        return None;
    }
    offered(dedicated).map(SystemView).find(|view| view.id() == id)
}

/// All views of a personality.
pub(crate) fn views(dedicated: bool) -> impl Iterator<Item = SystemView> {
    offered(dedicated).map(SystemView)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_ids_lead_back() {
        let names: Vec<_> = views(true).map(|view| (view.schema(), view.name())).collect();
        for (place, name) in names.iter().enumerate() {
            assert!(!names[..place].contains(name), "{name:?}");
        }
        let principals = find("SYS", "Database_Principals", true).unwrap();
        assert_eq!(by_id(principals.id(), true), Some(principals));
        assert_eq!(find_bare("database_principals", true), None);
        assert!(find_bare("sysusers", true).is_some());
    }
}

//! Rows for tests: a small dedicated pool as a new database has it.

use axon_model::SqlName;
use axon_reconcile::Permission;

use super::rows::{
    RawCatalog, RawColumn, RawFacts, RawObject, RawPermission, RawPrincipal, RawSchema, spelled,
};

pub(crate) fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

/// The seed of a pool, with `sales.orders (id, region)`, seen by `dbo`.
pub(crate) fn pool() -> RawCatalog {
    let mut raw = RawCatalog::default();
    raw.facts = Some(RawFacts {
        version: "Microsoft Azure SQL Data Warehouse - 10.0".into(),
        edition: 6,
        own: "dbo".into(),
        database: "dw".into(),
        administers: false,
    });
    for (id, system) in [(1, "dbo"), (2, "guest"), (3, "INFORMATION_SCHEMA"), (4, "sys")] {
        user(&mut raw, id, system, 'S');
    }
    role(&mut raw, 0, "public");
    for (id, fixed) in [(16384, "db_owner"), (16386, "db_securityadmin")] {
        role(&mut raw, id, fixed);
        raw.principals.last_mut().unwrap().fixed = true;
    }
    role(&mut raw, 90, "mediumrc");
    for (id, schema) in [(1, "dbo"), (3, "INFORMATION_SCHEMA"), (4, "sys"), (5, "sales")] {
        raw.schemas.push(RawSchema { id, name: spelled(schema), owner: Some(1) });
    }
    raw.objects.push(RawObject { id: 100, schema: 5, name: spelled("orders"), code: *b"U ", owner: None });
    for (id, column) in [(2, "region"), (1, "id")] {
        raw.columns.push(RawColumn { object: 100, id, name: spelled(column) });
    }
    raw
}

pub(crate) fn user(raw: &mut RawCatalog, id: i32, name: &str, code: char) {
    raw.principals.push(RawPrincipal {
        id,
        name: spelled(name),
        code,
        sid: Some(vec![u8::try_from(id).unwrap_or(0); 16]),
        created: None,
        owner: None,
        fixed: false,
    });
}

pub(crate) fn role(raw: &mut RawCatalog, id: i32, name: &str) {
    user(raw, id, name, 'R');
    raw.principals.last_mut().unwrap().owner = Some(1);
}

/// A permission row at `(class, major, minor)`.
pub(crate) fn permission(
    raw: &mut RawCatalog,
    grantee: i32,
    grantor: i32,
    permission: &str,
    state: char,
    (class, major, minor): (u8, i32, i32),
) {
    raw.permissions.push(RawPermission {
        class,
        major,
        minor,
        grantee,
        grantor,
        permission: permission.parse().unwrap_or_else(|_| Permission::Other(name(permission))),
        state,
    });
}

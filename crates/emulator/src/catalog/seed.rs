//! What every dedicated pool is born with.

use time::PrimitiveDateTime;
use time::macros::datetime;

use super::Catalog;
use super::object::Schema;
use super::principal::{
    Authentication, DB_OWNER, DBO, GUEST, INFORMATION_SCHEMA, PUBLIC, Principal, PrincipalKind, SYS,
};

/// When the engine's own principals were made, in every database of the product.
const ENGINE_BIRTH: PrimitiveDateTime = datetime!(2003-04-08 09:10:42.287);

/// The nine fixed roles with their ids.
pub const FIXED_ROLES: [(i32, &str); 9] = [
    (DB_OWNER, "db_owner"),
    (16385, "db_accessadmin"),
    (16386, "db_securityadmin"),
    (16387, "db_ddladmin"),
    (16389, "db_backupoperator"),
    (16390, "db_datareader"),
    (16391, "db_datawriter"),
    (16392, "db_denydatareader"),
    (16393, "db_denydatawriter"),
];

/// Resource classes: database roles that are not fixed.
pub const RESOURCE_CLASSES: [&str; 12] = [
    "smallrc",
    "mediumrc",
    "largerc",
    "xlargerc",
    "staticrc10",
    "staticrc20",
    "staticrc30",
    "staticrc40",
    "staticrc50",
    "staticrc60",
    "staticrc70",
    "staticrc80",
];

/// Fills a new catalog.
pub(super) fn fill(catalog: &mut Catalog, now: PrimitiveDateTime) {
    let role = |id, name: &str, fixed, created| Principal {
        id,
        name: name.to_owned(),
        kind: PrincipalKind::Role,
        sid: Some(role_sid(id)),
        default_schema: None,
        owner: Some(DBO),
        fixed,
        authentication: Authentication::None,
        created,
        modified: created,
    };
    let user = |id, name: &str, sid: Option<Vec<u8>>, authentication, created| Principal {
        id,
        name: name.to_owned(),
        kind: PrincipalKind::SqlUser,
        sid,
        default_schema: (id == DBO || id == GUEST).then(|| name.to_owned()),
        owner: None,
        fixed: false,
        authentication,
        created,
        modified: created,
    };
    catalog.put_principal(role(PUBLIC, "public", false, ENGINE_BIRTH));
    catalog.put_principal(user(DBO, "dbo", Some(vec![1]), Authentication::Instance, ENGINE_BIRTH));
    catalog.put_principal(user(GUEST, "guest", Some(vec![0]), Authentication::None, ENGINE_BIRTH));
    catalog.put_principal(user(
        INFORMATION_SCHEMA,
        "INFORMATION_SCHEMA",
        None,
        Authentication::None,
        ENGINE_BIRTH,
    ));
    catalog.put_principal(user(SYS, "sys", None, Authentication::None, ENGINE_BIRTH));
    for (id, name) in FIXED_ROLES {
        catalog.put_principal(role(id, name, true, ENGINE_BIRTH));
    }
    for name in RESOURCE_CLASSES {
        let id = catalog.take_principal_id();
        catalog.put_principal(role(id, name, false, now));
    }
    let dbo_connect = super::permission::PermissionKey {
        grantee: DBO,
        securable: super::permission::Securable::DATABASE,
        action: super::permission::Action::Connect,
        grantor: DBO,
    };
    catalog.put_permission(dbo_connect, super::permission::State::Grant);
    let own = [
        (1, "dbo", DBO),
        (2, "guest", GUEST),
        (3, "INFORMATION_SCHEMA", INFORMATION_SCHEMA),
        (4, "sys", SYS),
    ];
    let of_roles = FIXED_ROLES.iter().map(|(id, name)| (*id, *name, *id));
    for (id, name, owner) in own.into_iter().chain(of_roles) {
        catalog.put_schema(Schema { id, name: name.to_owned(), owner });
    }
}

/// The security id of a role: revision 1, authority 9, five sub-authorities that end in the role's id.
pub fn role_sid(id: i32) -> Vec<u8> {
    let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 9, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    sid.extend_from_slice(&id.to_le_bytes());
    sid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pool_has_the_documented_principals() {
        let catalog = Catalog::new("dw", datetime!(2026-01-01 0:00));
        let ids: Vec<i32> =
            ["public", "DBO", "guest", "information_schema", "sys", "db_owner", "db_denydatawriter"]
                .iter()
                .map(|name| catalog.principal_named(name).unwrap().id)
                .collect();
        assert_eq!(ids, [0, 1, 2, 3, 4, 16384, 16393]);
        let mediumrc = catalog.principal_named("mediumrc").unwrap();
        assert!(mediumrc.is_role() && !mediumrc.fixed);
        assert_eq!(catalog.schema_named("db_owner").unwrap().id, 16384);
        assert_eq!(catalog.schemas().count(), 13);
    }

    #[test]
    fn role_sids_are_28_bytes() {
        assert_eq!(role_sid(16384).len(), 28);
        assert_eq!(&role_sid(16384)[24..], &[0, 0x40, 0, 0]);
    }
}

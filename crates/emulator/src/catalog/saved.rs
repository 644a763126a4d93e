//! The catalog as a state file keeps it.

use serde::{Deserialize, Serialize};
use time::PrimitiveDateTime;

use super::Catalog;
use super::object::{Classifier, Object, Schema};
use super::permission::{PermissionKey, State};
use super::policy::FilterPredicate;
use super::principal::{Login, Principal};
use super::server::SavedServer;

/// One database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedCatalog {
    database: String,
    principals: Vec<Principal>,
    /// (role, member)
    members: Vec<(i32, i32)>,
    permissions: Vec<(PermissionKey, State)>,
    schemas: Vec<Schema>,
    objects: Vec<Object>,
    logins: Vec<Login>,
    classifiers: Vec<Classifier>,
    #[serde(default)]
    credentials: Vec<(i32, String)>,
    #[serde(default)]
    server: SavedServer,
    #[serde(default)]
    result_set_caching: bool,
    /// The next ids of principals, schemas, objects, logins and classifiers.
    next: [i32; 5],
}

/// Why what was kept is no catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database {database} does not fit together: {why}")]
pub struct Unfit {
    database: String,
    why: &'static str,
}

impl Catalog {
    /// All that is in it.
    pub fn save(&self) -> SavedCatalog {
        SavedCatalog {
            database: self.database.clone(),
            principals: self.principals.values().cloned().collect(),
            members: self.members.iter().copied().collect(),
            permissions: self.permissions.iter().map(|(key, state)| (*key, *state)).collect(),
            schemas: self.schemas.values().cloned().collect(),
            objects: self.objects.values().cloned().collect(),
            logins: self.logins.values().cloned().collect(),
            classifiers: self.classifiers.values().cloned().collect(),
            credentials: self.credentials.iter().map(|(id, name)| (*id, name.clone())).collect(),
            server: SavedServer::from(&self.server),
            result_set_caching: self.result_set_caching,
            next: [
                self.next_principal,
                self.next_schema,
                self.next_object,
                self.next_login,
                self.next_classifier,
            ],
        }
    }

    /// The catalog that was kept, checked.
    pub fn load(saved: SavedCatalog) -> Result<Self, Unfit> {
        if let Some(why) = unfit(&saved) {
            return Err(Unfit { database: saved.database, why });
        }
        let mut catalog = Self::new(&saved.database, PrimitiveDateTime::MIN);
        let (principals, schemas): (Vec<i32>, Vec<i32>) =
            (catalog.principals.keys().copied().collect(), catalog.schemas.keys().copied().collect());
        for id in principals {
            catalog.remove_principal(id);
        }
        for id in schemas {
            catalog.remove_schema(id);
        }
        saved.principals.into_iter().for_each(|own| catalog.put_principal(own));
        saved.schemas.into_iter().for_each(|own| catalog.put_schema(own));
        saved.objects.into_iter().for_each(|own| catalog.put_object(own));
        saved.logins.into_iter().for_each(|own| catalog.put_login(own));
        saved.classifiers.into_iter().for_each(|own| catalog.put_classifier(own));
        catalog.credentials = saved.credentials.into_iter().collect();
        catalog.server = saved.server.into();
        catalog.result_set_caching = saved.result_set_caching;
        for (role, member) in saved.members {
            catalog.add_member(role, member);
        }
        for (key, state) in saved.permissions {
            catalog.put_permission(key, state);
        }
        [
            catalog.next_principal,
            catalog.next_schema,
            catalog.next_object,
            catalog.next_login,
            catalog.next_classifier,
        ] = saved.next;
        Ok(catalog)
    }
}

/// Whether a schema-bound policy speaks of a table or a function that is gone, so that it would filter nothing.
fn refers_to_nothing(own: &Object, all: &[Object]) -> bool {
    let there = |id: i32| all.iter().any(|object| object.id == id);
    let lost = |filter: &FilterPredicate| !there(filter.table) || !there(filter.function);
    own.policy.iter().any(|policy| policy.schema_bound && policy.filters.iter().any(lost))
}

fn unfit(saved: &SavedCatalog) -> Option<&'static str> {
    let known = |id: i32| saved.principals.iter().any(|own| own.id == id);
    let ids: std::collections::BTreeSet<i32> = saved.principals.iter().map(|own| own.id).collect();
    let [principal, schema, object, login, classifier] = saved.next;
    // Fixed roles and their schemas have ids of their own, above those that are given out.
    let high = |id: i32| id >= super::principal::DB_OWNER;
    if !known(super::principal::PUBLIC) || !known(super::principal::DBO) {
        Some("public or dbo is not there")
    } else if saved.members.iter().any(|(role, member)| !ids.contains(role) || !ids.contains(member)) {
        Some("a membership of somebody who is not there")
    } else if saved.permissions.iter().any(|(key, _)| !ids.contains(&key.grantee)) {
        Some("a permission of somebody who is not there")
    } else if saved.objects.iter().any(|own| !saved.schemas.iter().any(|schema| schema.id == own.schema)) {
        Some("an object of a schema that is not there")
    } else if saved.objects.iter().any(|own| refers_to_nothing(own, &saved.objects)) {
        Some("a security policy about a table or a function that is not there")
    } else if saved.objects.iter().any(|own| own.rows.iter().any(|row| row.len() != own.columns.len())) {
        Some("a row that is longer or shorter than its table")
    } else if saved.principals.iter().any(|own| !high(own.id) && own.id >= principal)
        || saved.schemas.iter().any(|own| !high(own.id) && own.id >= schema)
        || saved.objects.iter().any(|own| own.id >= object)
        || saved.logins.iter().any(|own| own.id >= login)
        || saved.classifiers.iter().any(|own| own.id >= classifier)
    {
        Some("an id that would be given out again")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ok, pool, sa};

    #[test]
    fn a_catalog_comes_back_as_it_was() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(
            &mut admin,
            &[
                "CREATE USER u WITHOUT LOGIN",
                "CREATE ROLE readers",
                "EXEC sp_addrolemember 'readers', 'u'",
                "CREATE TABLE dbo.t (id int NOT NULL, note nvarchar(20))",
                "INSERT INTO dbo.t VALUES (1, N'one')",
                "GRANT SELECT ON dbo.t (id) TO readers",
            ],
        );
        let saved = pool.snapshot().save();
        let text = serde_json::to_string(&saved).unwrap();
        let read: SavedCatalog = serde_json::from_str(&text).unwrap();
        assert_eq!(read, saved);
        assert_eq!(Catalog::load(read).unwrap().save(), saved);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let saved = pool().snapshot().save();
        let broken = |change: fn(&mut SavedCatalog)| {
            let mut broken = saved.clone();
            change(&mut broken);
            Catalog::load(broken).err().map(|unfit| unfit.why)
        };
        assert_eq!(broken(|_| {}), None);
        assert_eq!(
            broken(|own| own.members.push((99, 1))),
            Some("a membership of somebody who is not there")
        );
        assert_eq!(broken(|own| own.principals.retain(|p| p.id != 1)), Some("public or dbo is not there"));
        assert_eq!(broken(|own| own.next[0] = 2), Some("an id that would be given out again"));
    }
}

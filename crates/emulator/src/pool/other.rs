//! Permissions on things of classes that no statement of a pool's speaks of: types, certificates, assemblies. The control address puts
//! them there.

use serde::Deserialize;

use super::{Database, Pool};
use crate::catalog::permission::{Action, Class, PermissionKey, Securable, State};

/// One row, in words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherRow {
    /// Who has it.
    pub grantee: String,
    /// Who gave it.
    #[serde(default = "dbo")]
    pub grantor: String,
    /// `class`: a number that has no statements.
    pub class: u8,
    /// `major_id`
    pub id: i32,
    /// `permission_name`
    pub permission: String,
    /// `GRANT`, `DENY`, `GRANT WITH GRANT OPTION`, or `REVOKE`, which takes the row away.
    pub state: String,
}

fn dbo() -> String {
    "dbo".into()
}

impl Pool {
    /// Puts the row into the pool's catalog, or takes it away. Says what of it is not there or does not fit.
    pub fn put_other(&self, row: &OtherRow) -> Result<(), String> {
        let mut state = self.lock();
        let catalog = state.catalog_mut(Database::Pool);
        let who = |name: &str| {
            let found = catalog.principal_named(name).map(|principal| principal.id);
            found.ok_or_else(|| format!("nobody is named {name}"))
        };
        let class = Class::other(row.class).ok_or("statements give what is of this class")?;
        let action = Action::by_name(&row.permission).ok_or("no such permission")?;
        if !action.fits(class, false) {
            return Err("this permission is not given on such things".into());
        }
        let key = PermissionKey {
            grantee: who(&row.grantee)?,
            grantor: who(&row.grantor)?,
            securable: Securable { class, major: row.id, minor: 0 },
            action,
        };
        match row.state.as_str() {
            "GRANT" => catalog.put_permission(key, State::Grant),
            "GRANT WITH GRANT OPTION" => catalog.put_permission(key, State::GrantWithGrantOption),
            "DENY" => catalog.put_permission(key, State::Deny),
            "REVOKE" => catalog.remove_permission(&key),
            _ => return Err("the state is GRANT, GRANT WITH GRANT OPTION, DENY or REVOKE".into()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ok, pool, rows, sa};

    #[test]
    fn a_row_that_no_statement_makes_is_there_until_it_is_taken_away_or_its_grantee_goes() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE USER u WITHOUT LOGIN", "CREATE USER v WITHOUT LOGIN"]);
        let row = |grantee: &str, state: &str| OtherRow {
            grantee: grantee.into(),
            grantor: "dbo".into(),
            class: 25,
            id: 257,
            permission: "control".into(),
            state: state.into(),
        };
        for who in ["u", "v"] {
            pool.put_other(&row(who, "GRANT")).unwrap();
            assert_eq!(rows(&pool, who), ["G CONTROL on class 25 by dbo"]);
        }
        pool.put_other(&row("u", "REVOKE")).unwrap();
        assert_eq!(rows(&pool, "u"), Vec::<String>::new());
        ok(&mut admin, &["DROP USER v"]);
        assert!(pool.snapshot().permissions().all(|row| row.key.securable.class != Class::Other(25)));
        for (row, why) in [
            (row("nobody", "GRANT"), "nobody is named nobody"),
            (OtherRow { class: 3, ..row("u", "GRANT") }, "statements give what is of this class"),
            (OtherRow { permission: "FLY".into(), ..row("u", "GRANT") }, "no such permission"),
            (
                OtherRow { permission: "CONNECT".into(), ..row("u", "GRANT") },
                "this permission is not given on such things",
            ),
            (row("u", "MAYBE"), "the state is GRANT, GRANT WITH GRANT OPTION, DENY or REVOKE"),
        ] {
            assert_eq!(pool.put_other(&row), Err(why.to_owned()));
        }
    }
}

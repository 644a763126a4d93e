//! Reading as another person where the managed schema, its owner and the role for it have names of the customer's.

use anyhow::ensure;
use axon_tests::{Pool, SOON, until};

use super::acting::{CARA, acting_map, cara_may_ask, seen_as, sees_when, start};
use super::{ANN, ASKED, BOB, read, read_when, refused, stage_where, texts};

const USUAL: &str = "manage: { roles: [\"axon_*\"], schemas: [secure, every], principals: mapped }\n";
const NAMED: &str = "manage: { roles: [\"axon_*\", READ_AS], schemas: [secure, every], principals: mapped }\n    \
                     metadata: { schema: kept, owner: keeper, impersonation: READ_AS }\n";

/// The tables are of the other owner.
async fn of_another_owner(pool: &Pool) -> anyhow::Result<()> {
    let mut admin = pool.admin().await?;
    admin.run("CREATE USER keeper WITHOUT LOGIN").await?;
    admin.run("ALTER AUTHORIZATION ON SCHEMA::base TO keeper").await?;
    admin.run("DROP USER axon_owner").await?;
    Ok(())
}

#[tokio::test]
async fn somebody_reads_as_another_under_names_of_the_customers() -> anyhow::Result<()> {
    let map = acting_map();
    ensure!(map.contains(USUAL), "{map}");
    let map = map.replace(USUAL, NAMED);
    let stage = stage_where(&[ANN, BOB, CARA], &map, of_another_owner).await?;
    cara_may_ask(&stage).await?;
    let own = read_when(&stage.pool, ANN, "ann reads her rows", ASKED, |rows| rows.len() == 1).await?;
    ensure!(texts(&own[0])[..2] == ["1", "E***"], "{own:?}");
    for who in [CARA, BOB, ANN] {
        ensure!(seen_as(&stage.pool, who, ANN).await?.is_empty(), "the key alone shows {who} something");
    }

    let id = start(&stage, CARA, ANN, 0).await?;
    ensure!(sees_when(&stage.pool, CARA, ANN, 1).await? == own);
    ensure!(read(&stage.pool, CARA, ASKED).await?.is_empty(), "without the key she is herself");
    ensure!(seen_as(&stage.pool, CARA, BOB).await?.is_empty(), "another one than she asked for");
    for table in ["base.customers", "kept.acting", "kept.profile", "kept.mask_keys"] {
        let answer = refused(&stage.pool, CARA, &format!("SELECT * FROM {table}")).await?;
        ensure!(answer == Some(229), "{table}: {answer:?}");
    }
    // It all stands under these names, and nothing under the usual ones.
    let mut admin = stage.pool.admin().await?;
    let actors = "SELECT actor FROM kept.acting WHERE role = N''";
    ensure!(admin.column(actors).await? == [CARA]);
    let owned = "SELECT s.name FROM sys.schemas s JOIN sys.database_principals p ON p.principal_id = s.principal_id \
                 WHERE p.name = 'keeper' ORDER BY s.name";
    ensure!(admin.column(owned).await? == ["base", "every", "kept", "secure"]);
    let members = "SELECT m.name FROM sys.database_role_members x JOIN sys.database_principals r \
                   ON r.principal_id = x.role_principal_id JOIN sys.database_principals m \
                   ON m.principal_id = x.member_principal_id WHERE r.name = 'READ_AS'";
    ensure!(admin.column(members).await? == [CARA]);
    let usual = "SELECT name FROM sys.schemas WHERE name = 'axon' UNION ALL \
                 SELECT name FROM sys.database_principals WHERE name IN ('axon_owner', 'AXON_IMPERSONATION')";
    let found = admin.column(usual).await?;
    ensure!(found.is_empty(), "{found:?}");

    // The view asks for that role, too: out of it she reads nothing at once, and back in it as before.
    admin.run(&format!("EXEC sp_droprolemember N'READ_AS', N'{CARA}'")).await?;
    let left = seen_as(&stage.pool, CARA, ANN).await;
    ensure!(left.is_err() || left.is_ok_and(|rows| rows.is_empty()), "without the role");
    sees_when(&stage.pool, CARA, ANN, 1).await?;
    stage.place.axon(&["impersonate", "stop", &id, "--reason", "done"]).await?.exits(0)?;
    until("stopped", SOON, async || Ok(admin.column(actors).await?.is_empty().then_some(()))).await?;
    ensure!(seen_as(&stage.pool, CARA, ANN).await?.is_empty());
    Ok(())
}

//! A group that is one principal reads the table of a view: the view shows nothing until it is known, or said, that none of its people
//! reads it.

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, Place, Pool, SOON, Stage, until};
use serde_json::{Value, json};

use super::native::{TABLE, native, one};
use super::{ANN, ASKED, BOB, living_in, map, read_when, refused, stage_in, texts};

const CARA: &str = "cara@acme.example";
const ENGINEERS: &str = "aaaaaaaa-0000-4000-8000-000000000009";

fn place() -> anyhow::Result<Place> {
    let place = Place::new([ANN, BOB, CARA])?;
    let mut directory: Value = serde_json::from_str(&place.read("directory.json")?)?;
    directory["groups"] = json!([{ "displayName": "Engineers", "objectId": ENGINEERS, "members": [CARA] }]);
    place.write("directory.json", &directory.to_string())?;
    Ok(place)
}

/// The view shows nothing, and status says why.
async fn is_closed(stage: &Stage, why: &str) -> anyhow::Result<()> {
    let mut last = String::new();
    until("the view is closed", SOON, async || {
        last = stage.place.axon(&["status"]).await?.out;
        let closed = refused(&stage.pool, ANN, ASKED).await?.is_some();
        Ok((closed && last.contains(why)).then_some(()))
    })
    .await
    .with_context(|| last)
}

async fn is_open(stage: &Stage) -> anyhow::Result<()> {
    let rows = read_when(&stage.pool, ANN, "ann reads her rows", ASKED, |rows| rows.len() == 1).await?;
    ensure!(texts(&rows[0])[..2] == ["1", "E***"], "{rows:?}");
    Ok(())
}

#[tokio::test]
async fn a_group_that_reads_the_table_closes_the_view_until_no_reader_is_known_to_be_in_it()
-> anyhow::Result<()> {
    let stage = stage_in(place()?, &map(false), async |_: &Pool| Ok(())).await?;
    let ann = stage.scim.post("/Users", &living_in(ANN, "north")).await?.is(201)?.id()?;
    let bob = stage.scim.post("/Users", &living_in(BOB, "nowhere")).await?.is(201)?.id()?;
    let cara = stage.scim.post("/Users", &living_in(CARA, "south")).await?.is(201)?.id()?;
    stage.scim.group("Analysts", &[&ann]).await?;
    stage.scim.group("Finance", &[&bob]).await?;
    is_open(&stage).await?;

    // Somebody lets a group in that reads the table. Who is in it is known to nobody here.
    let mut admin = stage.pool.admin().await?;
    let mut entra = stage.pool.person(ENTRA_ADMIN).await?;
    entra.run("CREATE USER [Engineers] FROM EXTERNAL PROVIDER").await?;
    admin.run("GRANT SELECT ON SCHEMA::base TO [Engineers]").await?;
    is_closed(&stage, "group Engineers reaches base.customers past it, and who is in it is not known here")
        .await?;

    // The directory tells it by the object's id, whatever the group is called there: Cara reads no view.
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Builders", "externalId": ENGINEERS, "members": [{ "value": cara }],
    });
    let group = stage.scim.post("/Groups", &group).await?.is(201)?.id()?;
    is_open(&stage).await?;

    // Ann joins it: she reads the table past the view, and the view is nobody's until she has left.
    stage.scim.join(&group, &ann).await?;
    is_closed(&stage, "who reads the view, is in it").await?;
    stage.scim.part(&group, &ann).await?;
    is_open(&stage).await?;

    // A group that nobody pushes is accepted by name: a probe says that nobody was tried in its place.
    stage.scim.delete(&format!("/Groups/{group}")).await?.is(204)?;
    is_closed(&stage, "who is in it is not known here").await?;
    let accepted = map(false).replace(
        "schemas: [secure, every], principals: mapped }\n",
        "schemas: [secure, every], principals: mapped }\n    metadata: { accept_groups: [Engineers] }\n",
    );
    stage.place.furnish(&accepted, stage.pool.port()?)?;
    is_open(&stage).await?;
    let said = stage.place.axon(&["view", "probe", "secure.customers"]).await?.exits(3)?.out;
    ensure!(said.contains("as Engineers: UNTRIED") && said.contains("accept_groups"), "{said}");
    ensure!(said.contains(&format!("as {ANN}: as the map says, 1 rows")), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_process_that_looked_at_nobody_yet_gives_no_columns_past_a_group() -> anyhow::Result<()> {
    let stage = stage_in(place()?, &native(), async |_: &Pool| Ok(())).await?;
    let ann = stage.scim.post("/Users", &living_in(ANN, "north")).await?.is(201)?.id()?;
    let cara = stage.scim.post("/Users", &living_in(CARA, "south")).await?.is(201)?.id()?;
    stage.scim.group("Analysts", &[&ann]).await?;
    read_when(&stage.pool, ANN, "ann reads her row of the table", TABLE, one).await?;

    // A group that nobody pushed sees every row of the table.
    let mut admin = stage.pool.admin().await?;
    let mut entra = stage.pool.person(ENTRA_ADMIN).await?;
    entra.run("CREATE USER [Engineers] FROM EXTERNAL PROVIDER").await?;
    admin.run("CREATE ROLE loads").await?;
    admin.run("EXEC sp_addrolemember N'loads', N'Engineers'").await?;
    until("the table is closed", SOON, async || {
        Ok(matches!(refused(&stage.pool, ANN, TABLE).await?, Some(229 | 230)).then_some(()))
    })
    .await?;
    stage.settled().await?;
    let plan = stage.place.axon(&["plan"]).await?.out;
    ensure!(!plan.contains("grant SELECT on base.customers"), "{plan}");

    // Known to hold no reader it takes no columns from anybody, and a process that begins with that gives them.
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Engineers", "externalId": ENGINEERS, "members": [{ "value": cara }],
    });
    stage.scim.post("/Groups", &group).await?.is(201)?;
    read_when(&stage.pool, ANN, "ann reads her row again", TABLE, one).await?;
    let Stage { pool, serve, place, .. } = stage;
    ensure!(serve.stop().await?.success());
    let given = "SELECT DISTINCT CAST(USER_NAME(grantee_principal_id) AS nvarchar(128)) FROM sys.database_permissions \
                 WHERE minor_id > 0 AND permission_name = 'SELECT'";
    for role in admin.column(given).await? {
        for name in ["id", "card", "name", "region"] {
            admin.run(&format!("REVOKE SELECT ON OBJECT::base.customers ({name}) FROM [{role}]")).await?;
        }
    }
    ensure!(matches!(refused(&pool, ANN, TABLE).await?, Some(229 | 230)), "nobody reads the table");
    let said = place.axon(&["apply"]).await?.out;
    read_when(&pool, ANN, "ann reads what was given", TABLE, one).await.context(said)?;
    Ok(())
}

//! Two views with `enforce: native` over one table: what opens the table is what both say, and nothing where one of them cannot say it.

use anyhow::ensure;
use axon_tests::{Pool, SOON, Stage, until};

use super::native::{TABLE, native, one, policy, until_while_ann_reads};
use super::{ANN, ASKED, BOB, people, read, read_when, refused, stage_where, texts};

const BRIEF: &str = "  secure.brief:
    targets: warehouse
    from: base.customers
    enforce: native
    unfiltered: [db_owner, loads]
    readers: [analyst]
    columns: { id: show, extra: show }
    rows:
      - role: finance
      - where: region in user.addresses.region
";
const OWN: &str = "SELECT id, extra FROM secure.brief";

async fn stage() -> anyhow::Result<Stage> {
    let wider = async |pool: &Pool| {
        let mut admin = pool.admin().await?;
        admin.run("ALTER TABLE base.customers ADD extra nvarchar(8)").await?;
        Ok(())
    };
    let stage = stage_where(&[ANN, BOB], &format!("{}{BRIEF}", native()), wider).await?;
    people(&stage.scim).await?;
    let both = "SELECT id, region, extra FROM base.customers";
    read_when(&stage.pool, ANN, "ann reads what either view opens", both, one).await?;
    read_when(&stage.pool, ANN, "and both views", OWN, one).await?;
    read_when(&stage.pool, ANN, "and both views", ASKED, one).await?;
    Ok(stage)
}

/// Whether both are refused the table, while its filter is on.
async fn closed(stage: &Stage) -> anyhow::Result<bool> {
    for who in [ANN, BOB] {
        if !matches!(refused(&stage.pool, who, TABLE).await?, Some(229 | 230)) {
            return Ok(false);
        }
    }
    ensure!(policy(stage).await?.is_some(), "the filter stays");
    Ok(true)
}

#[tokio::test]
async fn where_one_of_two_views_does_not_compile_the_table_is_closed_and_the_filter_stays()
-> anyhow::Result<()> {
    let stage = stage().await?;
    let mut admin = stage.pool.admin().await?;
    admin.run("ALTER TABLE base.customers DROP COLUMN extra").await?;
    until_while_ann_reads(&stage, "the table is closed", &["1"], async || {
        let said = stage.place.axon(&["status"]).await?.out;
        let told = said.contains("view secure.brief shows nothing") && said.contains("has no column extra");
        Ok((told && closed(&stage).await?).then_some(()))
    })
    .await?;
    // The other one is closed for as long as its readers hold columns of the table, and open after that.
    read_when(&stage.pool, ANN, "the other view stays", ASKED, one).await?;
    let all = read_when(&stage.pool, BOB, "to him, too", ASKED, |rows| rows.len() == 2).await?;
    ensure!(texts(&all[0])[1] == "Eve", "{all:?}");
    ensure!(read(&stage.pool, ANN, "SELECT closed_by_axon FROM secure.brief").await?.is_empty());
    until("nothing else is said of it", SOON, async || {
        let said = stage.place.axon(&["status"]).await?.out;
        Ok((!said.contains("view secure.customers shows nothing")).then_some(()))
    })
    .await?;
    ensure!(closed(&stage).await?, "and the table stays closed");

    admin.run("ALTER TABLE base.customers ADD extra nvarchar(8)").await?;
    read_when(&stage.pool, ANN, "ann reads the table again", TABLE, one).await?;
    read_when(&stage.pool, ANN, "and the view that came back", OWN, one).await?;
    Ok(())
}

#[tokio::test]
async fn two_views_that_do_not_agree_show_nothing_and_leave_the_filter_as_it_is() -> anyhow::Result<()> {
    let stage = stage().await?;
    let map = stage.place.read("role-map.yaml")?;
    let (first, second) = map.split_once("  secure.brief:").unwrap_or_default();
    let second = second.replace("      - where: region in user.addresses.region\n", "");
    stage.place.write("role-map.yaml", &format!("{first}  secure.brief:{second}"))?;
    until_while_ann_reads(&stage, "both views and the table are closed", &["1"], async || {
        let said = stage.place.axon(&["status"]).await?.out;
        let told = said.contains("show other rows of base.customers, and a table has one filter");
        let views = refused(&stage.pool, ANN, OWN).await? == Some(207)
            && refused(&stage.pool, BOB, ASKED).await? == Some(207);
        Ok((told && views && closed(&stage).await?).then_some(()))
    })
    .await?;
    stage.place.write("role-map.yaml", &map)?;
    read_when(&stage.pool, ANN, "they agree again", TABLE, one).await?;
    until("and both are open", SOON, async || {
        let both = read(&stage.pool, ANN, OWN).await.is_ok_and(|rows| one(&rows))
            && read(&stage.pool, ANN, ASKED).await.is_ok_and(|rows| one(&rows));
        Ok(both.then_some(()))
    })
    .await?;
    Ok(())
}

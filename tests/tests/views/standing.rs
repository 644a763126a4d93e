//! One view of each table, in a pool whose tables come and go: what stands is closed, and dropped only when the map asks for it no more.

use anyhow::{Context, ensure};
use axon_tests::{Pool, SOON, Stage, until};

use super::{ANN, BOB, map, people, read, read_when, refused, stage_where};

/// The columns of a view, as the catalog shows them.
async fn columns(stage: &Stage, view: &str) -> anyhow::Result<Vec<String>> {
    let asked = format!(
        "SELECT c.name FROM sys.columns c JOIN sys.objects o ON o.object_id = c.object_id \
         WHERE o.name = '{view}' AND o.type = 'V'"
    );
    stage.pool.admin().await?.column(&asked).await
}

/// Waits until a view is closed, and `axon status` and `axon plan` say so in these words.
async fn closed(stage: &Stage, view: &str, words: &str) -> anyhow::Result<()> {
    let shown = if view.is_ascii() { view.to_owned() } else { format!("[{view}]") };
    let told = format!("view every.{shown} shows nothing: {words}");
    let mut last = String::new();
    until("the view is closed", SOON, async || {
        last = stage.place.axon(&["status"]).await?.out;
        let columns = columns(stage, view).await?;
        Ok((columns == ["closed_by_axon"] && last.contains(&told)).then_some(()))
    })
    .await
    .with_context(|| format!("{told}: {last}"))?;
    let plan = stage.place.axon(&["plan"]).await?.out;
    ensure!(plan.contains(&told), "{told}: {plan}");
    // Bob may read it still: what he reads is nothing.
    let rows = read(&stage.pool, BOB, &format!("SELECT closed_by_axon FROM every.[{view}]")).await?;
    ensure!(rows.is_empty(), "{rows:?}");
    Ok(())
}

#[tokio::test]
async fn one_view_of_each_table_outlives_what_happens_to_its_table_and_to_others() -> anyhow::Result<()> {
    let long = format!("lång_{}", "t".repeat(120));
    let stage = stage_where(&[ANN, BOB], &map(false), async |pool: &Pool| {
        let mut admin = pool.admin().await?;
        for batch in [
            "CREATE SCHEMA base_old AUTHORIZATION axon_owner",
            "CREATE TABLE base_old.sales (id nvarchar(8))",
            "INSERT INTO base_old.sales SELECT N'o'",
            &format!("CREATE TABLE base.[{long}] (id nvarchar(8))"),
            &format!("INSERT INTO base.[{long}] SELECT N'long'"),
        ] {
            admin.run(batch).await.with_context(|| batch.to_owned())?;
        }
        Ok(())
    })
    .await?;
    let wider = stage.place.read("role-map.yaml")?.replace("from: base.*", "from: \"base*.*\"");
    stage.place.write("role-map.yaml", &wider)?;
    people(&stage.scim).await?;
    let customers = "SELECT id FROM every.base_customers";
    let old = "SELECT id FROM every.base_old_sales";
    read_when(&stage.pool, BOB, "bob reads one view of each table", customers, |rows| rows.len() == 2)
        .await?;
    read_when(&stage.pool, BOB, "and the other schema's", old, |rows| rows.len() == 1).await?;

    // The view of a table with a long name has a name that was cut, and is read by it.
    let mut admin = stage.pool.admin().await?;
    let names = admin.column("SELECT name FROM sys.views WHERE name LIKE N'base[_]l%'").await?;
    let [cut] = names.as_slice() else { anyhow::bail!("{names:?}") };
    ensure!(cut.chars().count() == 128 && cut.starts_with("base_lång_ttt"), "{cut}");
    let of_long = format!("SELECT id FROM every.[{cut}]");
    let rows =
        read_when(&stage.pool, BOB, "the view of a long name", &of_long, |rows| rows.len() == 1).await?;
    ensure!(rows[0][0].as_deref() == Some("long"), "{rows:?}");
    ensure!(refused(&stage.pool, ANN, &of_long).await? == Some(229));
    stage.settled().await?;
    stage.place.axon(&["plan", "--check"]).await?.exits(0)?;
    let before = stage.place.statements().await?.len();

    // A new table whose view would have another's name: that one is closed and no other, and both tables are named.
    admin.run("CREATE TABLE base.old_sales (id nvarchar(8))").await?;
    let both = "the views of base.old_sales and base_old.sales would both be named base_old_sales";
    closed(&stage, "base_old_sales", both).await?;
    ensure!(read(&stage.pool, BOB, customers).await?.len() == 2);
    admin.run("DROP TABLE base.old_sales").await?;
    read_when(&stage.pool, BOB, "the view is open again", old, |rows| rows.len() == 1).await?;

    // A table is away for a moment, as while another takes its name.
    for (table, view, asked, words) in [
        ("customers", "base_customers", customers, "table base.customers is not in the target"),
        (&long, cut, &of_long, "the table that its name was made of is not in the target"),
    ] {
        let rows = read(&stage.pool, BOB, asked).await?;
        admin.run(&format!("RENAME OBJECT base.[{table}] TO [away]")).await?;
        closed(&stage, view, words).await?;
        stage.settled().await?;
        closed(&stage, view, words).await?;
        admin.run(&format!("RENAME OBJECT base.[away] TO [{table}]")).await?;
        read_when(&stage.pool, BOB, "the view is open again", asked, |found| *found == rows).await?;
    }

    // Nobody lost a permission meanwhile, and no view went but that of the name that a table had for a moment.
    stage.settled().await?;
    let statements = stage.place.statements().await?;
    let away = |line: &&String| line.contains("[base_away]");
    let lost = |line: &&String| line.contains("DROP VIEW") || line.contains("REVOKE SELECT");
    let lost: Vec<&String> = statements[before..].iter().filter(lost).filter(|line| !away(line)).collect();
    ensure!(lost.is_empty(), "{lost:?}");

    // The map covers a table that is there no more: its view goes, and no other.
    stage.place.write("role-map.yaml", &wider.replace("from: \"base*.*\"", "from: base.c*"))?;
    until("the other views are gone", SOON, async || {
        let asked = "SELECT name FROM sys.views WHERE name LIKE N'base[_]%' ORDER BY name";
        let views = stage.pool.admin().await?.column(asked).await?;
        Ok((views == ["base_customers"]).then_some(()))
    })
    .await?;
    Ok(())
}

//! Statistics: who reads a view and nothing else is told none of its table's, and what a right lets somebody count a probe tells.

use anyhow::{Context, ensure};
use axon_tests::{SOON, Stage, Tds, number, until};

use super::{ANN, ASKED, map, people, read_when, stage};

const VIEW: &str = "secure.customers";
const PARTITIONS: &str = "SELECT CAST(SUM(p.row_count) AS nvarchar(20)) FROM sys.dm_pdw_nodes_db_partition_stats p \
    JOIN sys.tables t ON t.object_id = p.object_id JOIN sys.schemas s ON s.schema_id = t.schema_id \
    WHERE s.name = 'base' AND t.name = 'customers'";
const SPACE: &str = "DBCC PDW_SHOWSPACEUSED (\"base.customers\")";
const VALUES: &str = "DBCC SHOW_STATISTICS (\"base.customers\", on_secret)";
const LEAK: &str = "leak  statistics (";

/// What a probe says of Ann: the lines about statistics.
async fn told(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let said = stage.place.axon(&["view", "probe", VIEW]).await?.exits(0)?.out;
    let mine = said.split(&format!("{VIEW} as {ANN}")).nth(1).unwrap_or_default();
    let mine = mine.split(&format!("{VIEW} as ")).next().unwrap_or_default();
    ensure!(mine.starts_with(": as the map says, 1 rows"), "{said}");
    let lines = mine.lines().map(str::trim).filter_map(|line| line.strip_prefix(LEAK));
    Ok(lines
        .filter_map(|line| line.strip_suffix(") tell of the table what the policy hides"))
        .map(str::to_owned)
        .collect())
}

/// The numbers of the errors that she gets for the three questions; 0 where she is answered.
async fn asks(ann: &mut Tds) -> anyhow::Result<[u32; 3]> {
    let mut errors = [0; 3];
    for (error, question) in errors.iter_mut().zip([PARTITIONS, SPACE, VALUES]) {
        *error = match ann.run(question).await {
            Ok(()) => 0,
            Err(refused) => number(&refused).context("the connection broke")?,
        };
    }
    Ok(errors)
}

#[tokio::test]
async fn what_a_reader_can_count_by_statistics_is_told_and_who_has_no_right_counts_nothing()
-> anyhow::Result<()> {
    let stage = stage(&map(false)).await?;
    people(&stage.scim).await?;
    read_when(&stage.pool, ANN, "ann reads her rows", ASKED, |rows| rows.len() == 1).await?;
    let mut admin = stage.pool.admin().await?;
    admin.run("CREATE STATISTICS on_secret ON base.customers (secret)").await?;

    // A plain reader gets an error for each.
    let mut ann = stage.pool.person(ANN).await?;
    ensure!(asks(&mut ann).await? == [262, 2571, 2501]);
    ensure!(told(&stage).await?.is_empty());

    // Who watches the pool counts rows that the view hides: two, where she sees one. The probe says so, and that the view is as the map says.
    for right in ["VIEW DATABASE STATE", "VIEW DEFINITION"] {
        admin.run(&format!("GRANT {right} TO [{ANN}]")).await?;
    }
    ensure!(asks(&mut ann).await? == [0, 0, 2557]);
    ensure!(ann.column(PARTITIONS).await? == ["2"], "all rows of the table");
    ensure!(told(&stage).await? == ["sys.dm_pdw_nodes_db_partition_stats", "DBCC PDW_SHOWSPACEUSED"]);
    let journal = stage.place.journal().await?;
    let last = journal.iter().rfind(|record| {
        record.kind == "view-probe"
            && record.record["facts"]["view"] == VIEW
            && record.record["facts"]["rows"] == 1
    });
    // With the division and the conversion.
    ensure!(last.is_some_and(|record| record.record["facts"]["leaks"] == 4), "{last:?}");

    // And it is over when the right is.
    for right in ["VIEW DATABASE STATE", "VIEW DEFINITION"] {
        admin.run(&format!("REVOKE {right} FROM [{ANN}]")).await?;
    }
    ensure!(asks(&mut ann).await? == [262, 2571, 2501]);
    until("the probe tells of no statistics any more", SOON, async || {
        Ok(told(&stage).await?.is_empty().then_some(()))
    })
    .await
}

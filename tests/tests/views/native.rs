//! `enforce: native` in force: readers of two classes read the table itself, column by column and row by row as the map says; whatever
//! somebody does to the filter, nobody reads the table past it.

use anyhow::{Context, ensure};
use axon_tests::{SOON, Stage, until};

use super::{ANN, ASKED, BOB, Rows, map, people, read, read_when, refused, stage, texts};

pub(super) const NATIVE: &str =
    "    from: base.customers\n    enforce: native\n    unfiltered: [db_owner, loads]\n";
pub(super) const TABLE: &str = "SELECT id, region FROM base.customers ORDER BY id";
const CLEAR: &str = "SELECT id, name, card, region FROM base.customers ORDER BY id";

/// Without the views of a pattern: all views of a table agree on its filter.
pub(super) fn native() -> String {
    let map = map(false);
    let (before, _) = map.split_once("  \"every.*\":").expect("the views of a pattern");
    before.replace("    from: base.customers\n", NATIVE)
}

pub(super) fn one(rows: &Rows) -> bool {
    rows.len() == 1 && texts(&rows[0])[0] == "1"
}

pub(super) async fn column(stage: &Stage, query: &str) -> anyhow::Result<Vec<String>> {
    stage.pool.admin().await?.column(query).await
}

/// The policy, if there is one that is on.
pub(super) async fn policy(stage: &Stage) -> anyhow::Result<Option<String>> {
    let query = "SELECT CAST(p.name AS nvarchar(128)) FROM sys.security_policies p WHERE p.is_enabled = 1";
    Ok(column(stage, query).await?.pop())
}

/// The texts of steps that were done.
pub(super) async fn done(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let journal = stage.place.journal().await?;
    let done = journal.iter().filter(|r| r.kind == "step-outcome");
    Ok(done.filter_map(|r| r.clear["body"]["text"].as_str().map(str::to_owned)).collect())
}

/// Functions that filter.
pub(super) async fn functions(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let query = "SELECT o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type = 'IF' AND s.name = N'axon'";
    column(stage, query).await
}

/// Waits for something while Ann reads the table again and again: she is refused, or reads one of these sets of rows.
pub(super) async fn until_while_ann_reads<T>(
    stage: &Stage,
    what: &str,
    may: &[&str],
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let mut past = Vec::new();
    let found = until(what, SOON, async || {
        if let Ok(rows) = read(&stage.pool, ANN, TABLE).await {
            let ids: Vec<&str> = rows.iter().map(|row| texts(row)[0]).collect();
            let ids = ids.join(",");
            if !may.contains(&ids.as_str()) {
                past.push(ids);
            }
        }
        look().await
    })
    .await?;
    ensure!(past.is_empty(), "{what}: ann read {past:?} of the table");
    Ok(found)
}

/// That no step with the first words comes after one with the next, and so on: each has happened.
pub(super) fn in_order(steps: &[String], words: &[&str]) -> anyhow::Result<()> {
    for pair in words.windows(2) {
        let last = steps.iter().rposition(|step| step.contains(pair[0]));
        let first = steps.iter().position(|step| step.contains(pair[1]));
        ensure!(last.is_some() && last < first, "{} before {}: {steps:#?}", pair[0], pair[1]);
    }
    Ok(())
}

#[tokio::test]
async fn readers_read_the_table_itself_and_a_hand_in_its_filter_opens_nothing() -> anyhow::Result<()> {
    let stage = stage(&native()).await?;
    people(&stage.scim).await?;
    read_when(&stage.pool, ANN, "ann reads her row of the table", TABLE, one).await?;
    let all = read_when(&stage.pool, BOB, "bob reads what is clear to him", CLEAR, |r| r.len() == 2).await?;
    ensure!(texts(&all[0]) == ["1", "Eve", "4111 2222", "north"], "{all:?}");
    let seen = read_when(&stage.pool, ANN, "the view over it", ASKED, |rows| rows.len() == 1).await?;
    ensure!(texts(&seen[0])[1] == "E***", "{seen:?}");
    for (who, what) in
        [(ANN, "name"), (ANN, "email"), (ANN, "secret"), (BOB, "email"), (BOB, "secret"), (ANN, "*")]
    {
        let answer = refused(&stage.pool, who, &format!("SELECT {what} FROM base.customers")).await?;
        ensure!(answer == Some(230), "{who} on {what}: {answer:?}");
    }
    // Whoever reads the table by other permissions is filtered, too; who is in a role that the map names is not.
    let mut admin = stage.pool.admin().await?;
    admin.run("CREATE USER loader WITHOUT LOGIN").await?;
    admin.run("CREATE ROLE loads").await?;
    admin.run("GRANT SELECT ON OBJECT::base.customers TO loader").await?;
    let loader = "EXECUTE AS USER = 'loader'; SELECT id FROM base.customers; REVERT";
    ensure!(admin.rows(loader).await?.is_empty(), "permissions on the table are filtered");
    admin.run("EXEC sp_addrolemember N'loads', N'loader'").await?;
    ensure!(admin.rows(loader).await?.len() == 2, "a member of an unfiltered role sees every row");
    stage.settled().await?;
    stage.place.axon(&["plan", "--check"]).await?.exits(0)?;
    // Turned off, dropped, and altered to call something else: it comes back, and columns of the table only after it.
    admin.run("CREATE FUNCTION dbo.everything (@c nvarchar(20)) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS x").await?;
    let name = policy(&stage).await?.context("a policy")?;
    for by_hand in [
        format!("ALTER SECURITY POLICY axon.[{name}] WITH (STATE = OFF)"),
        format!("DROP SECURITY POLICY axon.[{name}]"),
        format!(
            "ALTER SECURITY POLICY axon.[{name}] ALTER FILTER PREDICATE dbo.everything(region) ON base.customers"
        ),
    ] {
        let before = done(&stage).await?.len();
        admin.run(&by_hand).await.with_context(|| by_hand.clone())?;
        let steps = until("it is put back, and the columns are given again", SOON, async || {
            let steps = done(&stage).await?.split_off(before);
            let given =
                steps.iter().filter(|step| step.starts_with("grant SELECT on base.customers")).count();
            Ok((given == 2 && policy(&stage).await?.is_some()).then_some(steps))
        })
        .await
        .with_context(|| by_hand.clone())?;
        let at = |words: &str| steps.iter().position(|step| step.contains(words));
        let (revoked, set, given) = (
            at("revoke SELECT on base.customers"),
            at("filter of base.customers").or(at("filter base.customers")),
            at("grant SELECT on base.customers"),
        );
        ensure!(revoked.is_some() && revoked < set && set < given, "{by_hand}: {steps:#?}");
        read_when(&stage.pool, ANN, "ann reads her row of the table", TABLE, one).await?;
        read_when(&stage.pool, ANN, "and of the view", ASKED, |rows| rows.len() == 1).await?;
    }
    Ok(())
}

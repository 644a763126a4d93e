//! `enforce: native` when the map changes: another rule, one that the pool refuses, and none any more. Columns of the table go first and
//! come last.

use anyhow::ensure;
use axon_tests::{SOON, Stage, until};
use serde_json::json;

use super::native::{
    NATIVE, TABLE, column, done, functions, in_order, native, one, policy, until_while_ann_reads,
};
use super::{ANN, ASKED, BOB, Rows, people, read, read_when, refused, stage, texts};

const RULE: &str = "- where: region in user.addresses.region";
const SOUTH: &str = "- where: region eq 'south'";
const REVOKE: &str = "revoke SELECT on base.customers";
const CHANGE: &str = "change the filter of base.customers";
const GRANT: &str = "grant SELECT on base.customers";
const DROP: &str = "drop security policy";
const FUNCTION: &str = "drop function axon.filter_base_customers";

fn south(rows: &Rows) -> bool {
    rows.len() == 1 && texts(&rows[0])[0] == "2"
}

/// Ann reads the north of the table, and Bob all of it.
async fn in_force() -> anyhow::Result<Stage> {
    let stage = stage(&native()).await?;
    people(&stage.scim).await?;
    read_when(&stage.pool, ANN, "ann reads her row of the table", TABLE, one).await?;
    read_when(&stage.pool, BOB, "bob reads all of it", TABLE, |rows| rows.len() == 2).await?;
    stage.settled().await?;
    Ok(stage)
}

/// Whether it is on record that the function went, which is the last of it.
fn dropped(steps: &[String]) -> bool {
    steps.iter().any(|step| step.starts_with(FUNCTION))
}

/// Puts something in the place of something in the map.
fn change(stage: &Stage, from: &str, to: &str) -> anyhow::Result<()> {
    let map = stage.place.read("role-map.yaml")?;
    ensure!(map.contains(from), "{from}: {map}");
    stage.place.write("role-map.yaml", &map.replace(from, to))
}

/// Columns of the table that somebody may read.
async fn open_columns(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let query = "SELECT p.permission_name FROM sys.database_permissions p JOIN sys.objects o ON o.object_id = p.major_id \
                 WHERE o.name = 'customers' AND o.type = 'U' AND p.minor_id > 0 AND p.state = 'G'";
    column(stage, query).await
}

#[tokio::test]
async fn another_rule_or_none_takes_the_columns_first_and_the_filter_is_never_off_meanwhile()
-> anyhow::Result<()> {
    let stage = in_force().await?;
    let older = functions(&stage).await?;
    let name = policy(&stage).await?;
    let before = done(&stage).await?.len();
    change(&stage, RULE, SOUTH)?;
    let steps = until_while_ann_reads(&stage, "another rule", &["1", "2"], async || {
        let steps = done(&stage).await?.split_off(before);
        let given = steps.iter().filter(|step| step.starts_with(GRANT)).count();
        let functions = functions(&stage).await?;
        let over = given == 2 && functions.len() == 1 && functions != older && dropped(&steps);
        Ok(over.then_some(steps))
    })
    .await?;
    in_order(&steps, &[REVOKE, CHANGE, GRANT])?;
    in_order(&steps, &[CHANGE, FUNCTION])?;
    ensure!(policy(&stage).await? == name, "it is the same policy, altered in its place");
    read_when(&stage.pool, ANN, "ann reads by the new rule", TABLE, south).await?;
    read_when(&stage.pool, ANN, "the view over it, too", ASKED, south).await?;
    stage.settled().await?;
    stage.place.axon(&["plan", "--check"]).await?.exits(0)?;

    // Not native any more: columns, then the policy, then its function; the view stays.
    let before = done(&stage).await?.len();
    change(&stage, NATIVE, "    from: base.customers\n")?;
    let gone = async || {
        let steps = done(&stage).await?.split_off(before);
        let gone = functions(&stage).await?.is_empty() && policy(&stage).await?.is_none();
        Ok((gone && dropped(&steps)).then_some(steps))
    };
    let steps = until_while_ann_reads(&stage, "the filter goes", &["2"], gone).await?;
    in_order(&steps, &[REVOKE, DROP, FUNCTION])?;
    for who in [ANN, BOB] {
        ensure!(refused(&stage.pool, who, TABLE).await? == Some(229), "{who} reads the table");
    }
    read_when(&stage.pool, ANN, "the view stays", ASKED, south).await?;
    read_when(&stage.pool, BOB, "to him, too", ASKED, |rows| rows.len() == 2).await?;

    // Native again, and then the view itself leaves the map.
    change(&stage, "    from: base.customers\n", NATIVE)?;
    read_when(&stage.pool, ANN, "ann reads the table again", TABLE, south).await?;
    let before = done(&stage).await?.len();
    let map = stage.place.read("role-map.yaml")?;
    stage.place.write("role-map.yaml", map.split("\ntags:").next().unwrap_or_default())?;
    let gone = async || {
        let views = column(&stage, "SELECT name FROM sys.views").await?;
        let filters = functions(&stage).await?;
        let gone = views.is_empty() && filters.is_empty() && policy(&stage).await?.is_none();
        let steps = done(&stage).await?.split_off(before);
        Ok((gone && dropped(&steps)).then_some(steps))
    };
    let steps = until_while_ann_reads(&stage, "view and filter go", &["2"], gone).await?;
    in_order(&steps, &[REVOKE, DROP, FUNCTION])?;
    ensure!(steps.iter().any(|step| step == "drop view secure.customers"), "{steps:#?}");
    for who in [ANN, BOB] {
        ensure!(read(&stage.pool, who, TABLE).await.is_err(), "{who} reads the table");
    }
    Ok(())
}

#[tokio::test]
async fn a_rule_that_the_pool_refuses_opens_nothing_and_is_told() -> anyhow::Result<()> {
    let stage = in_force().await?;
    let before = functions(&stage).await?;
    let no = json!({ "statement": { "number": 50000, "message": "no such predicate here" } });
    let order = json!({ "what": no, "times": 1_000_000, "matching": "ALTER SECURITY POLICY" });
    stage.pool.ask("POST", "/pool/faults", Some(order)).await?;
    change(&stage, RULE, "- where: region ne 'nowhere'")?;
    let said = until_while_ann_reads(&stage, "everything is closed", &["1"], async || {
        let closed = refused(&stage.pool, ANN, ASKED).await? == Some(207)
            && refused(&stage.pool, BOB, ASKED).await? == Some(207);
        let said = stage.place.axon(&["status"]).await?.out;
        let told = said.contains("the target refused its filter") && said.contains("no such predicate here");
        // The report of the run that closes is written behind the closing itself.
        let told = told && said.contains("view secure.customers shows nothing");
        Ok((closed && told && open_columns(&stage).await?.is_empty()).then_some(said))
    })
    .await?;
    ensure!(!said.contains("somebody altered the filter"), "nobody is blamed for what was refused: {said}");
    let waiting = said.lines().filter(|line| line.contains(&format!("waits: {CHANGE}"))).count();
    ensure!(waiting == 1, "it is told {waiting} times: {said}");
    for who in [ANN, BOB] {
        ensure!(refused(&stage.pool, who, TABLE).await? == Some(229), "{who} reads the table");
    }
    // The older rule filters all the while.
    let calls = "SELECT q.predicate_definition FROM sys.security_predicates q";
    let calls = column(&stage, calls).await?;
    ensure!(policy(&stage).await?.is_some() && calls.len() == 1, "{calls:?}");
    ensure!(calls[0].contains(&before[0]), "{calls:?} and {before:?}");

    // A rule that the pool takes opens all again.
    stage.pool.ask("DELETE", "/pool/faults", None).await?;
    change(&stage, "- where: region ne 'nowhere'", SOUTH)?;
    read_when(&stage.pool, ANN, "ann reads by the rule that was taken", TABLE, south).await?;
    read_when(&stage.pool, ANN, "and the view", ASKED, south).await?;
    until("what was refused leaves no function", SOON, async || {
        Ok((functions(&stage).await?.len() == 1).then_some(()))
    })
    .await?;
    Ok(())
}

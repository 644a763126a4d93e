//! Roles of the map's own that leave it, and the least right that Axon needs.

use anyhow::{Context, ensure};
use axon_tests::{SOON, until};
use serde_json::Value;

use crate::stage::{FACTORY, OPERATORS, RBAC_ADMINISTRATOR, Script, Stage};

const OPERATOR: &str = "  operator:\n    define:\n      factory: { name: Factory Operator, actions: [Microsoft.DataFactory/factories/read] }\n    grants: { factory: [Factory Operator] }\nmappings:\n  - groups: { any: [SG-Operators] }\n    source: entra\n    roles: [operator]\n";

async fn defined(stage: &Stage) -> anyhow::Result<bool> {
    let cloud = stage.pool.ask("GET", "/cloud", None).await?;
    Ok(cloud["definitions"].as_array().into_iter().flatten().any(|d| d["roleName"] == "Factory Operator"))
}

#[tokio::test]
async fn a_role_that_leaves_the_map_is_emptied_and_its_definition_waits() -> anyhow::Result<()> {
    let stage = Script::default().map("mappings:\n", OPERATOR).play().await?;
    stage.push_group("SG-Operators", OPERATORS).await?;
    until("the role is there and assigned", SOON, async || {
        let (_, factory) = stage.rows().await?;
        Ok((defined(&stage).await? && factory.len() == 1).then_some(()))
    })
    .await?;
    let map = stage.place.read("role-map.yaml")?;
    stage.place.write("role-map.yaml", &map.replace(OPERATOR, "mappings:\n"))?;
    let hold = until("the definition waits", SOON, async || {
        let holds = stage.place.axon(&["holds", "list", "--json"]).await?.exits(0)?.json()?;
        let own = |hold: &&Value| hold.to_string().contains("drop role Factory Operator");
        Ok(holds.as_array().into_iter().flatten().find(own).cloned())
    })
    .await?;
    until("nobody has it any more", SOON, async || Ok(stage.rows().await?.1.is_empty().then_some(())))
        .await?;
    ensure!(defined(&stage).await?, "held, and not done");
    let id = hold["id"].as_str().context("an id")?;
    stage.place.axon(&["holds", "release", id, "--reason", "it is used nowhere else"]).await?.exits(0)?;
    until("it is gone", SOON, async || Ok((!defined(&stage).await?).then_some(()))).await?;
    stage.settled().await?;
    stage.place.axon(&["plan", "--check"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn the_right_to_give_roles_at_just_the_scope_is_enough_to_converge() -> anyhow::Result<()> {
    let stage = Script { right: (RBAC_ADMINISTRATOR, FACTORY), ..Script::default() }.play().await?;
    stage.push().await?;
    stage.given().await?;
    stage.settled().await?;
    // The subscription's rows are not its to count: that is told, and nothing waits for it.
    stage.says("factory", &["\"notes\"", "Reader on the subscription is enough to count them"]).await?;
    let plan = stage.place.axon(&["plan", "--check", "--target", "factory"]).await?.exits(0)?.out;
    ensure!(plan.contains("note: how many of 4000 role assignments subscription s has"), "{plan}");
    ensure!(!plan.contains("not all of the target can be seen"), "{plan}");
    let status = stage.place.axon(&["status"]).await?.exits(0)?.out;
    ensure!(status.contains("    note: how many of 4000"), "{status}");
    Ok(())
}

//! What the role map made in the database of an integration, in the script that takes the integration away.

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, SOON, until};
use serde_json::json;

use crate::kit::{BETWEEN, MEMBERS, OWN_PASSWORD, PRINCIPALS, Stand, Steps, by_hand, run_as, test};
use crate::target::{ANN, BASE, RULES, WITHOUT_TARGETS};
use crate::target_by_password::{made_by_hand, of_the_north, reads};

const OWN: &str = "taylor@synapse.com";
const HAND: &str = "hand@acme.example";

#[tokio::test]
async fn the_delete_script_holds_what_the_role_map_made() -> anyhow::Result<()> {
    let stand = Stand::start_looking().await?;
    let person = |upn: &str, n: u32| json!({ "upn": upn, "objectId": format!("bbbbbbbb-0000-0000-0000-0000000000{n}") });
    let directory = json!({ "users": [person(ENTRA_ADMIN, 99), person(ANN, 98), person(HAND, 97)] });
    stand.pool.ask("POST", "/directory", Some(directory)).await?;
    let payload = stand.payload(false, json!({ "username": OWN, "password": OWN_PASSWORD }))?;
    for (path, database) in [("/scripts/initial-create", "master"), ("/scripts/create", "dw")] {
        let script = stand.script(path, &payload).await?;
        ensure!(run_as(Steps::Password(&stand, database), &script).await?.is_empty());
    }
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "enabled").await?;
    let mut admin = stand.pool.admin().await?;
    for batch in BASE {
        admin.run(batch).await.with_context(|| batch.to_owned())?;
    }
    made_by_hand(&stand, ANN).await?;
    made_by_hand(&stand, HAND).await?;
    let entry = stand.place.axon(&["integration", "target", "1"]).await?.exits(0)?.out;
    let name = entry.lines().nth(1).context("a name")?.trim().trim_end_matches(':');
    let rules = RULES
        .replace("roles:\n  reader: {}", "roles:\n  reader: {}\n  writer: {}")
        .replace("roles: [reader]", "roles: [reader, writer]")
        .replace("readers: [reader]", "readers: [reader, writer]")
        .replace("TARGET", name);
    stand.place.write("role-map.yaml", &format!("axon: 1\n{entry}{rules}"))?;
    let scim = stand.serve.scim(&stand.place.token("entra").await?);
    let ann = of_the_north(&scim, ANN).await?;
    scim.group("Readers", &[&ann]).await?;
    reads(&stand, ANN).await?;

    // The reconciler would make it again.
    let script = stand.script("/1/scripts/delete", &json!({})).await?;
    let says = |script: &str, words: &str| script.replace("\n-- ", " ").contains(words);
    ensure!(says(&script, "take the target out of the map") && !script.contains("axon_reader"), "{script}");
    stand.place.write("role-map.yaml", WITHOUT_TARGETS)?;
    until("the script holds what the map made", SOON, async || {
        let script = stand.script("/1/scripts/delete", &json!({})).await?;
        tokio::time::sleep(BETWEEN).await;
        Ok(script.contains("DROP ROLE [axon_reader]").then_some(()))
    })
    .await?;
    // Who is in a role of Axon's by others keeps it, and is told.
    let put = format!("EXEC sp_addrolemember 'axon_writer', '{HAND}'");
    admin.run(&put).await?;
    let script = stand.script("/1/scripts/delete", &json!({})).await?;
    let told = format!("role axon_writer: {HAND} in it by others");
    ensure!(says(&script, &told), "{script}");
    ensure!(!script.contains("DROP ROLE [axon_writer]") && !script.contains(&format!("DROP USER [{ANN}]")));
    let (script, _) = script.split_once("-- And then Axon's login").context("a script for master")?;
    let script = by_hand(script);
    // Run twice, it does no more.
    for _ in 0..2 {
        ensure!(run_as(Steps::Password(&stand, "dw"), &script).await?.is_empty());
    }
    ensure!(stand.column(PRINCIPALS).await? == [ANN, "axon_owner", "axon_writer", HAND]);
    ensure!(stand.column(MEMBERS).await? == [format!("axon_writer {HAND}")]);
    let again = stand.delete("/1", None).await?.is(200)?;
    ensure!(again.body["status"] == "deleting", "{}", again.text);
    let told = stand.status("1", "deleted").await?;
    ensure!(test(&told, "What The Role Map Made").is_err(), "nothing was looked at");
    Ok(())
}

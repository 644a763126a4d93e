//! An integration whose account is a SQL login, as a target of the role map: views are kept, and nobody is made a user (33159).

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, SOON, Scim, entra_token, until, user};
use serde_json::json;

use crate::kit::{BETWEEN, PRINCIPALS, Stand, Steps, run_as, test};
use crate::target::{ANN, BASE, RULES, VIEW, WITHOUT_TARGETS};

const BOB: &str = "bob@acme.example";

/// Somebody of Entra makes a user, as Axon may not.
pub async fn made_by_hand(stand: &Stand, person: &str) -> anyhow::Result<()> {
    let create = format!("CREATE USER [{person}] FROM EXTERNAL PROVIDER");
    ensure!(run_as(Steps::Token(stand, &entra_token(ENTRA_ADMIN)), &create).await?.is_empty());
    Ok(())
}

pub async fn of_the_north(scim: &Scim, person: &str) -> anyhow::Result<String> {
    let mut body = user(person);
    body["title"] = json!("north");
    scim.post("/Users", &body).await?.is(201)?.id()
}

/// Waits until somebody reads their one row through the view.
pub async fn reads(stand: &Stand, person: &str) -> anyhow::Result<()> {
    let mut last = String::new();
    let rows = until("the view is read", SOON, async || {
        last = stand.place.axon(&["status"]).await?.out;
        let Ok(mut session) = stand.pool.person(person).await else { return Ok(None) };
        Ok(session.rows(VIEW).await.ok().filter(|rows| !rows.is_empty()))
    })
    .await;
    let rows = rows.with_context(|| last)?;
    ensure!(rows == [[Some("1".to_owned()), Some("north".to_owned())]], "{rows:?}");
    Ok(())
}

async fn table(stand: &Stand, person: &str) -> bool {
    let Ok(mut session) = stand.pool.person(person).await else { return false };
    session.rows("SELECT id FROM base.orders").await.is_ok()
}

#[tokio::test]
async fn with_a_password_views_are_kept_and_whoever_is_no_user_waits_by_name() -> anyhow::Result<()> {
    let stand = Stand::start_looking().await?;
    let person = |upn: &str, n: u32| json!({ "upn": upn, "objectId": format!("bbbbbbbb-0000-0000-0000-0000000000{n}") });
    let directory = json!({ "users": [person(ENTRA_ADMIN, 99), person(ANN, 98), person(BOB, 97)] });
    stand.pool.ask("POST", "/directory", Some(directory)).await?;
    let payload = stand.payload(true, json!({}))?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "enabled").await?;
    let mut admin = stand.pool.admin().await?;
    for batch in BASE {
        admin.run(batch).await.with_context(|| batch.to_owned())?;
    }
    made_by_hand(&stand, ANN).await?;

    // The entry that the command prints, as it is; without its word for people the map is refused, and says why.
    let entry = stand.place.axon(&["integration", "target", "1"]).await?.exits(0)?.out;
    let name = entry.lines().nth(1).context("a name")?.trim().trim_end_matches(':');
    ensure!(entry.contains("mode: authoritative") && entry.contains("principals: existing"), "{entry}");
    let map = format!("axon: 1\n{entry}{}", RULES.replace("TARGET", name));
    stand.place.write("mapped.yaml", &map.replace("principals: existing", "principals: mapped"))?;
    let check = ["map", "check", "mapped.yaml"];
    stand.place.axon(&check).await?.exits(1)?.says(&["33159", "principals: existing"])?;
    stand.place.write("role-map.yaml", &map)?;
    let scim = stand.serve.scim(&stand.place.token("entra").await?);
    let (ann, bob) = (of_the_north(&scim, ANN).await?, of_the_north(&scim, BOB).await?);
    scim.group("Readers", &[&ann, &bob]).await?;

    // Who is a user reads the view. Who is none waits by name, with the reason, and nothing is sent for it.
    reads(&stand, ANN).await?;
    let mut last = String::new();
    let waits = until("bob waits by name", SOON, async || {
        last = stand.place.axon(&["status"]).await?.out;
        let told = last.contains(&format!("waits: create external user {BOB}\n")) && last.contains("(33159)");
        Ok(told.then_some(()))
    })
    .await;
    waits.with_context(|| last.clone())?;
    let of_the_map = |name: &String| name.contains('@') || name.starts_with("axon_reader");
    let there: Vec<String> = stand.column(PRINCIPALS).await?.into_iter().filter(of_the_map).collect();
    ensure!(there == [ANN, "axon_reader"], "{there:?}");
    let sent = stand.place.statements().await?;
    ensure!(!sent.iter().any(|text| text.contains("EXTERNAL PROVIDER")), "{sent:?}");
    ensure!(sent.iter().any(|text| text.contains("CREATE VIEW")), "{sent:?}");
    ensure!(!table(&stand, ANN).await, "ann reads the table");

    // Another password counts from the next login on: nobody has to say it to the map.
    let own = |key: &str| payload["config"][key].clone();
    let credentials = json!({ "username": own("username"), "password": own("password"),
        "authenticationType": own("authenticationType") });
    stand.post("/1/regenerate", &credentials).await?.is(200)?;
    stand.status("1", "enabled").await?;
    stand.pool.lever("cut").await?;
    // Somebody makes the user: nothing has to be said for it.
    made_by_hand(&stand, BOB).await?;
    reads(&stand, BOB).await?;
    // Who leaves reads nothing any more, and it is told that the account may not shut anybody out.
    scim.activate(&ann, "False").await?;
    let left = until("ann reads nothing", SOON, async || {
        last = stand.place.axon(&["status"]).await?.out;
        let Ok(mut session) = stand.pool.person(ANN).await else { return Ok(Some(())) };
        let told = last.contains(&format!("waits: deny connect to {ANN}")) && last.contains("4613");
        Ok((told && session.rows(VIEW).await.is_err()).then_some(()))
    })
    .await;
    left.with_context(|| last)?;
    ensure!(!table(&stand, ANN).await, "ann reads the table");

    // The integration is taken away: the table stays closed all the while.
    stand.delete("/1", Some(&credentials)).await?.refuses(409, "Conflict", "role map")?;
    // For a while the map means another database by the name: then nobody knows what was made where, and what is there stays.
    stand.place.write("role-map.yaml", &map.replace("database: \"dw\"", "database: \"other\""))?;
    until("the map in force means another database", SOON, async || {
        let told = stand.place.axon(&["map", "show"]).await?.out;
        Ok(told.contains("database: \"other\"").then_some(()))
    })
    .await?;
    stand.place.write("role-map.yaml", WITHOUT_TARGETS)?;
    until("it is no target any more", SOON, async || {
        let answer = stand.delete("/1", Some(&credentials)).await?;
        tokio::time::sleep(BETWEEN).await;
        Ok((answer.status == 200).then_some(()))
    })
    .await?;
    until("it is taken away", SOON, async || {
        ensure!(!table(&stand, BOB).await, "bob reads the table");
        tokio::time::sleep(BETWEEN).await;
        let told = stand.get("/1/status").await?;
        ensure!(told.body["status"] != "deleteError", "{}", told.text);
        Ok((told.body["status"] == "deleted").then_some(()))
    })
    .await?;
    ensure!(!table(&stand, BOB).await, "bob reads the table");
    ensure!(stand.column("SELECT v.name FROM sys.views v").await?.is_empty());
    ensure!(stand.column(PRINCIPALS).await? == [ANN, "axon_owner", "axon_reader", BOB]);
    let told = stand.get("/1/status").await?.body;
    let of_map = test(&told, "What The Role Map Made")?;
    let says = of_map["message"].as_str().context("a message")?;
    ensure!(of_map["status"] == "warning" && says.contains(&format!("as target {name}")), "{of_map}");
    Ok(())
}

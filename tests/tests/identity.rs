//! Whom names belong to, from the connector to the catalog: what waits for a person is listed, released and done.

use anyhow::{Context, ensure};
use axon_tests::{MAP, Place, Pool, SOON, Scim, Serve, Stage, until, user};
use serde_json::Value;

const KIM: &str = "kim@acme.example";
const ANA: &str = "ana@acme.example";
const EVE: &str = "eve@acme.example";

/// What waits, when it is as many as wanted.
async fn holds(place: &Place, wanted: usize) -> anyhow::Result<Vec<Value>> {
    until(&format!("{wanted} holds"), SOON, async || {
        let listed = place.axon(&["holds", "list", "--json"]).await?.exits(0)?.json()?;
        let listed = listed.as_array().context("a list")?.clone();
        Ok((listed.len() == wanted).then_some(listed))
    })
    .await
}

fn text<'v>(hold: &'v Value, key: &str) -> &'v str {
    hold[key].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_recycled_name_waits_for_a_release_and_is_then_somebody_new() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM, ANA]).await?;
    let (kim, ana) = (stage.scim.person(KIM).await?, stage.scim.person(ANA).await?);
    let readers = stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    let mut session = stage.pool.person(KIM).await?;

    stage.scim.delete(&format!("/Users/{kim}")).await?.is(204)?;
    let mut body = user(KIM);
    body["externalId"] = "another-kim".into();
    let other = stage.scim.post("/Users", &body).await?.is(201)?.id()?;
    stage.scim.join(&readers, &other).await?;
    stage.scim.join(&readers, &ana).await?;
    // The write was taken, somebody else goes on, and the name gives nothing.
    let catalog = stage
        .catalog_when("ana reads and kim is out", |c| {
            c.roles_of(ANA) == ["axon_reader"] && c.roles_of(KIM).is_empty() && c.shut_out.contains(KIM)
        })
        .await?;
    ensure!(catalog.canaries_live(), "{catalog:#?}");
    ensure!(session.run("SELECT order_id FROM sales.orders").await.is_err(), "the old session is cut");

    let waiting = holds(&stage.place, 1).await?;
    ensure!(
        text(&waiting[0], "kind") == "new-person" && text(&waiting[0], "what").contains(KIM),
        "{waiting:?}"
    );
    stage.place.axon(&["holds", "list", "--check"]).await?.exits(3)?;
    let explained = stage.place.axon(&["explain", KIM]).await?.exits(0)?.out;
    ensure!(explained.contains("WITHHELD") && explained.contains("HELD: "), "{explained}");
    let status = stage.place.axon(&["status"]).await?.exits(0)?.out;
    ensure!(status.contains("held: ") && status.contains("somebody else was known"), "{status}");

    let id = text(&waiting[0], "id");
    stage.place.axon(&["holds", "release", id]).await?.exits(2)?;
    stage.place.axon(&["holds", "release", id, "--reason", " "]).await?.exits(1)?;
    stage.place.axon(&["holds", "release", "ffffffff", "--reason", "x"]).await?.exits(1)?;
    let release = ["holds", "release", id, "--reason", "rehired in May", "--by", "ana.souza"];
    stage.place.axon(&release).await?.exits(0)?;
    stage.place.axon(&release).await?.exits(1)?;
    stage
        .catalog_when("kim reads again", |c| c.roles_of(KIM) == ["axon_reader"] && !c.shut_out.contains(KIM))
        .await?;
    let sent = stage.place.statements().await?;
    let dropped = sent.iter().position(|s| s.starts_with("DROP USER") && s.contains(KIM));
    let made = sent.iter().rposition(|s| s.starts_with("CREATE USER") && s.contains(KIM));
    ensure!(dropped.is_some() && dropped < made, "dropped, and made anew: {sent:#?}");

    let all = stage.place.axon(&["holds", "list", "--all", "--json"]).await?.exits(0)?.json()?;
    ensure!(all[0]["state"] == "released" && all[0]["ended"]["reason"] == "rehired in May", "{all:#}");
    ensure!(all[0]["ended"]["by"].as_str().is_some_and(|by| by.contains("ana.souza")), "{all:#}");
    stage.place.axon(&["holds", "list", "--check"]).await?.exits(0)?;
    stage.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn a_second_group_of_a_mapped_name_waits_through_a_restart_and_may_be_refused() -> anyhow::Result<()> {
    let mut stage = Stage::set(&[KIM, EVE]).await?;
    let (kim, eve) = (stage.scim.person(KIM).await?, stage.scim.person(EVE).await?);
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    // Entra lets two groups have one name; the second one says another externalId of itself.
    let mut body = axon_tests::group("readers", &[&eve]);
    body["externalId"] = "minted".into();
    stage.scim.post("/Groups", &body).await?.is(201)?;
    let waiting = holds(&stage.place, 1).await?;
    ensure!(text(&waiting[0], "kind") == "group-name", "{waiting:?}");
    stage.serve.child().signal("KILL").await?;
    until("it has gone", SOON, async || Ok(stage.serve.page("/healthz").await.is_err().then_some(())))
        .await?;
    let serve = Serve::start(&stage.place).await?;
    stage.takes(serve);
    stage.settled().await?;
    let catalog = stage.catalog().await?;
    ensure!(catalog.roles_of(KIM) == ["axon_reader"] && !catalog.people.contains(EVE), "{catalog:#?}");
    let id = text(&waiting[0], "id").to_owned();
    stage.place.axon(&["holds", "reject", &id, "--reason", "nobody asked for it"]).await?.exits(0)?;
    ensure!(holds(&stage.place, 0).await?.is_empty());
    let writers = stage.scim.group("Writers", &[&kim]).await?;
    ensure!(!writers.is_empty());
    stage.catalog_when("others go on", |c| c.roles_of(KIM).len() == 2).await?;
    ensure!(!stage.catalog().await?.people.contains(EVE));
    Ok(())
}

#[tokio::test]
async fn a_source_speaks_for_whom_it_may_and_for_nobody_else() -> anyhow::Result<()> {
    let place = Place::new([KIM, EVE, "sam@okta.example"])?;
    let pool = Pool::start(&place, 0).await?;
    let map = MAP.to_owned() + "  - { groups: { any: [Admins] }, source: okta, roles: [region] }\n";
    place.furnish(&map, pool.port()?)?;
    let bare = place.axon(&["config", "check"]).await?.exits(0)?;
    ensure!(bare.err.contains("source okta may name everybody"), "{}", bare.err);
    let config = axon_tests::CONFIG
        .replace("kind: entra }", "kind: entra, may_name: ['*@acme.example'] }")
        .replace("kind: okta }", "kind: okta, may_name: ['*@okta.example'] }");
    place.write("axon.yaml", &config)?;
    let checked = place.axon(&["config", "check"]).await?.exits(0)?;
    ensure!(!checked.err.contains("may name everybody"), "{}", checked.err);
    let (entra, okta) = (place.token("entra").await?, place.token("okta").await?);
    let serve = Serve::start(&place).await?;
    let (entra, okta): (Scim, Scim) = (serve.scim(&entra), serve.scim(&okta));

    let kim = entra.person(KIM).await?;
    entra.group("Readers", &[&kim]).await?;
    // Okta mints the group that Entra's mapping names, and a person of Entra's, and an inactive one.
    let (sam, eve) = (okta.person("sam@okta.example").await?, okta.person(EVE).await?);
    let minted = okta.person(KIM).await?;
    okta.group("Readers", &[&sam, &eve]).await?;
    okta.group("Admins", &[&sam, &eve, &minted]).await?;
    okta.activate(&minted, "False").await?;
    let mut admin = pool.admin().await?;
    let catalog = until("sam and kim have what is theirs", SOON, async || {
        let catalog = axon_tests::Catalog::read(&mut admin).await?;
        let done = catalog.roles_of("sam@okta.example") == ["axon_region"]
            && catalog.roles_of(KIM) == ["axon_reader"];
        Ok(done.then_some(catalog))
    })
    .await?;
    ensure!(!catalog.people.contains(EVE) && !catalog.shut_out.contains(KIM), "{catalog:#?}");
    let told = until("status names who is outside", SOON, async || {
        let out = place.axon(&["status"]).await?.exits(0)?.out;
        Ok((out.contains("may not speak for") && out.contains(EVE)).then_some(out))
    })
    .await?;
    ensure!(!told.contains("may not speak for kim"), "who asks for nothing is not told of: {told}");
    let explained = place.axon(&["explain", EVE]).await?.exits(0)?.out;
    ensure!(explained.contains("may not speak for"), "{explained}");
    Ok(())
}

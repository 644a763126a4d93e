//! An extension that the configuration declares: shown, pushed as a connector does, and read by a condition of the role map, from the
//! push to the row in the catalog.

use anyhow::ensure;
use axon_tests::{CONFIG, MAP, Place, Pool, Serve, Stage};
use serde_json::json;

const KIM: &str = "kim@acme.example";
const ANA: &str = "ana@acme.example";
const BADGE: &str = "urn:acme:params:scim:badge:2.0:User";

#[tokio::test]
async fn a_condition_reads_an_attribute_of_a_declared_extension() -> anyhow::Result<()> {
    let place = Place::new([KIM, ANA])?;
    let pool = Pool::start(&place, 0).await?;
    let condition =
        format!("    source: entra\n    when: {BADGE}:level ge 5 and site eq \"oslo\"\n    roles: [reader]");
    let map = MAP.replace("    source: entra\n    roles: [reader]", &condition);
    ensure!(map != MAP, "the condition is in the map");
    place.furnish(&map, pool.port()?)?;
    place.write("axon.yaml", &format!("{CONFIG}extensions: [badge.json]\n"))?;
    let badge = json!({"id": BADGE, "attributes": [{"name": "level", "type": "integer"}, {"name": "site"}]});
    place.write("badge.json", &badge.to_string())?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let stage = Stage { pool, serve, scim, token, place };
    let shown = stage.scim.get(&format!("/Schemas/{BADGE}")).await?.is(200)?;
    ensure!(shown.body["attributes"][0]["name"] == "level", "{}", shown.body);

    let (kim, ana) = (stage.scim.person(KIM).await?, stage.scim.person(ANA).await?);
    stage.scim.group("Readers", &[&kim, &ana]).await?;
    let set = async |person: &str, level: &str| {
        let operations = json!([{"op": "Add", "path": format!("{BADGE}:level"), "value": level},
            {"op": "Add", "path": format!("{BADGE}:site"), "value": "Oslo"}]);
        stage.scim.patch(&format!("/Users/{person}"), &operations).await?.is(200)
    };
    set(&kim, "5").await?;
    set(&ana, "4").await?;
    let reads = ["axon_reader"];
    stage.catalog_when("kim alone reads", |c| c.roles_of(KIM) == reads && c.roles_of(ANA).is_empty()).await?;
    set(&ana, "70").await?;
    stage.catalog_when("both read", |c| c.roles_of(KIM) == reads && c.roles_of(ANA) == reads).await?;
    set(&kim, "-1").await?;
    stage.catalog_when("ana alone reads", |c| c.roles_of(KIM).is_empty() && c.roles_of(ANA) == reads).await?;
    Ok(())
}

#[tokio::test]
async fn a_schema_file_that_cannot_be_used_is_told_with_its_place() -> anyhow::Result<()> {
    let place = Place::new([KIM])?;
    place.furnish(MAP, 1)?;
    place.write("axon.yaml", &format!("{CONFIG}extensions: [badge.json]\n"))?;
    let text =
        format!("{{\"id\": \"{BADGE}\",\n \"attributes\": [{{\"name\": \"a\", \"tpye\": \"string\"}}]}}");
    place.write("badge.json", &text)?;
    for command in [&["config", "check"][..], &["serve"]] {
        let said = place.axon(command).await?.exits(1)?;
        said.says(&["badge.json:2:", "unknown key 'tpye'", "did you mean \"type\"?"])?;
    }
    Ok(())
}

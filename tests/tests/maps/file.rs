//! The configured file is watched; what cannot be used changes nothing and is told.

use std::time::Duration;

use anyhow::{Context, ensure};
use axon_tests::{SOON, Stage, until};

use crate::kit::{Stand, failing, map};

#[tokio::test]
async fn a_changed_file_becomes_a_version_without_a_signal() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let first = stand.version().await?;
    stand.place.write("role-map.yaml", &map("second"))?;
    let second = stand.version_after(&first).await?;
    let log = stand.log().await?;
    ensure!(log.len() == 2 && log[0]["version"] == *second && log[0]["parent"] == *first, "{log:#?}");
    ensure!(log[0]["author"]["way"] == "file", "{}", log[0]);
    let shown = stand.place.axon(&["map", "show"]).await?.exits(0)?;
    ensure!(shown.out == map("second"), "{}", shown.out);
    let old = stand.place.axon(&["map", "show", &first[..8]]).await?.exits(0)?;
    ensure!(old.out == map("first"), "{}", old.out);
    // A restart on the same file is no news.
    ensure!(stand.serve.stop().await?.success());
    let stand = Stand::start_on(stand.place, "", &map("second")).await?;
    ensure!(stand.version().await? == second && stand.log().await?.len() == 2);
    // A file that went away says nothing.
    std::fs::remove_file(stand.place.file("role-map.yaml"))?;
    let gone = stand.place.axon(&["map", "show"]).await?.exits(0)?;
    ensure!(gone.out == map("second"));
    stand.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn a_bad_file_leaves_the_version_in_force_and_says_so_everywhere() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let first = stand.version().await?;
    for (bad, why, words) in [
        (map("second").replace("roles", "rols"), "faults", "did you mean `roles`?"),
        (failing("first"), "tests-fail", "of its tests fail"),
    ] {
        stand.place.write("role-map.yaml", &bad)?;
        until("it is refused", SOON, async || {
            let log = stand.place.read("serve.log")?;
            Ok((stand.counted("axon_map_refusals_total", why).await? >= 1.0 && log.contains(words))
                .then_some(()))
        })
        .await?;
        let ready = stand.serve.ready().await?;
        ensure!(ready["map"]["state"] == "refused" && ready["map"]["refused"] == "file", "{ready}");
        ensure!(ready["map"]["version"] == *first, "{ready}");
        ensure!(stand.serve.metric("axon_map_refused_bool").await? >= 1.0);
        ensure!(stand.log().await?.len() == 1, "nothing was kept");
        // A command that acts by the map refuses it as well.
        stand.place.axon(&["apply"]).await?.exits(1)?;
        ensure!(stand.counted("axon_map_refusals_total", why).await? <= 1.0, "told once");
    }
    // A server that begins on a bad file begins with what was in force.
    ensure!(stand.serve.stop().await?.success());
    let bad = stand.place.read("role-map.yaml")?;
    let stand = Stand::start_on(stand.place, "", &bad).await?;
    ensure!(stand.version().await? == first && stand.serve.ready().await?["map"]["state"] == "refused");
    stand.place.write("role-map.yaml", &map("third"))?;
    stand.version_after(&first).await?;
    until("all is well", SOON, async || {
        Ok((stand.serve.ready().await?["map"]["state"] == "in-force").then_some(()))
    })
    .await?;
    ensure!(stand.serve.metric("axon_map_refused_bool").await? < 1.0);
    Ok(())
}

#[tokio::test]
async fn a_version_with_other_targets_is_taken_up_without_a_restart() -> anyhow::Result<()> {
    let stage = Stage::set(&["kim@acme.example"]).await?;
    let kim = stage.scim.person("kim@acme.example").await?;
    stage.scim.group("Readers", &[&kim]).await?;
    let whole = stage.place.read("role-map.yaml")?;
    stage.catalog_when("kim reads", |c| c.roles_of("kim@acme.example") == ["axon_reader"]).await?;
    // Without any target nothing is done, also not taken away.
    stage.place.write("role-map.yaml", "axon: 1\n")?;
    until("no target is left", SOON, async || {
        let ready = stage.serve.ready().await?;
        Ok(ready["targets"].as_object().is_some_and(serde_json::Map::is_empty).then_some(()))
    })
    .await?;
    ensure!(stage.catalog().await?.roles_of("kim@acme.example") == ["axon_reader"]);
    stage.place.write("role-map.yaml", &whole.replace("any: [Readers]", "any: [Nobody]"))?;
    stage.catalog_when("kim lost it", |c| c.roles_of("kim@acme.example").is_empty()).await?;
    let log = stage.place.axon(&["map", "log"]).await?.exits(0)?;
    ensure!(log.out.matches("the configured file").count() == 3, "{}", log.out);
    Ok(())
}

#[tokio::test]
async fn a_pushed_version_stands_until_the_file_changes_after_it() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let first = stand.version().await?;
    stand.place.write("pushed.yaml", &map("pushed"))?;
    stand.place.axon(&["map", "push", "pushed.yaml", "--comment", "by hand"]).await?.exits(0)?;
    let pushed = stand.version_after(&first).await?;
    // Neither a restart nor SIGHUP brings the older file back.
    stand.serve.child().signal("HUP").await?;
    ensure!(stand.serve.stop().await?.success());
    let stand = Stand::start_on(stand.place, "", &map("first")).await?;
    ensure!(stand.version().await? == pushed);
    until("the log tells it", Duration::from_secs(5), async || {
        Ok(stand.place.read("serve.log")?.contains("older than the version in force").then_some(()))
    })
    .await?;
    // The same text that is written again is no change; another one is.
    stand.place.write("role-map.yaml", &map("first"))?;
    stand.serve.child().signal("HUP").await?;
    stand.place.write("role-map.yaml", &map("edited"))?;
    let edited = stand.version_after(&pushed).await?;
    let log = stand.log().await?;
    let versions: Vec<&str> = log.iter().filter_map(|one| one["version"].as_str()).collect();
    ensure!(versions == [edited.as_str(), &pushed, &first], "{versions:?}");
    let explained = stand.place.axon(&["status", "--json"]).await?.exits(0)?.json()?;
    explained["journal"].as_u64().context("status works on the version in force")?;
    Ok(())
}

#[tokio::test]
async fn a_folder_is_one_map() -> anyhow::Result<()> {
    let place = axon_tests::Place::new([""; 0])?;
    let folder = place.file("role-map.yaml");
    std::fs::create_dir(&folder)?;
    std::fs::write(folder.join("a.yaml"), map("a"))?;
    std::fs::write(folder.join("b.yaml"), "roles: { b: {} }\n")?;
    place.write("axon.yaml", axon_tests::CONFIG)?;
    let serve = axon_tests::Serve::start(&place).await?;
    let stand = Stand { serve, place };
    let first = stand.version().await?;
    // Two files that refer to each other are written one after the other: what is between them is not taken.
    std::fs::write(folder.join("b.yaml"), "roles: { b: {}, c: { includes: [d] } }\n")?;
    std::fs::write(folder.join("d.yaml"), "roles: { d: {} }\n")?;
    let second = stand.version_after(&first).await?;
    let shown = stand.place.axon(&["map", "show", &second]).await?.exits(0)?;
    for part in ["# --- a.yaml", "# --- b.yaml", "# --- d.yaml", "includes: [d]"] {
        ensure!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    ensure!(stand.log().await?.len() == 2);
    Ok(())
}

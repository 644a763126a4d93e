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
async fn a_version_that_was_reverted_does_not_come_back_by_the_file() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let first = stand.version().await?;
    // The file of a version has the name that the configured file has.
    std::fs::create_dir(stand.place.file("repository"))?;
    stand.place.write("repository/role-map.yaml", &map("bad"))?;
    let push = ["map", "push", "repository/role-map.yaml", "--comment", "looks good"];
    stand.place.axon(&push).await?.exits(0)?;
    let bad = stand.version_after(&first).await?;
    // What keeps the file like the repository writes it, and the server sees that.
    stand.place.write("role-map.yaml", &map("bad"))?;
    stand.serve.child().signal("HUP").await?;
    let revert = ["map", "revert", &first[..12]];
    stand.place.axon(&revert).await?.exits(0)?;
    ensure!(stand.version_after(&bad).await? == first);
    ensure!(stand.serve.stop().await?.success());
    stand.place.axon(&["apply"]).await?.exits(0)?;
    let stand = Stand::start_on(stand.place, "", &map("bad")).await?;
    ensure!(stand.version().await? == first && stand.log().await?.len() == 3, "the revert stands");
    // The same while no server looks: it was pushed after the file was taken.
    ensure!(stand.serve.stop().await?.success());
    stand.place.write("role-map.yaml", &map("second"))?;
    let stand = Stand::start_on(stand.place, "", &map("second")).await?;
    let second = stand.version().await?;
    ensure!(second != first && stand.serve.stop().await?.success());
    stand.place.axon(&push).await?.exits(0)?;
    stand.place.axon(&["map", "revert", &second[..12]]).await?.exits(0)?;
    let stand = Stand::start_on(stand.place, "", &map("bad")).await?;
    ensure!(stand.version().await? == second && stand.log().await?.len() == 6);
    // Another text is a change still.
    stand.place.write("role-map.yaml", &map("third"))?;
    stand.version_after(&second).await?;
    Ok(())
}

#[tokio::test]
async fn what_apply_acts_by_is_a_version() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let first = stand.version().await?;
    let versions = async |place: &axon_tests::Place| {
        let said = place.axon(&["map", "log", "--json"]).await?.exits(0)?.json()?;
        said["versions"].as_array().cloned().context("versions")
    };
    let Stand { serve, place } = stand;
    ensure!(serve.stop().await?.success());
    place.write("role-map.yaml", &map("second"))?;
    // To look changes nothing.
    place.axon(&["plan"]).await?.exits(0)?;
    ensure!(versions(&place).await?.len() == 1);
    place.axon(&["apply"]).await?.exits(0)?.says(&["the configured file is in force now"])?;
    let log = versions(&place).await?;
    ensure!(log.len() == 2 && log[0]["parent"] == *first && log[0]["author"]["way"] == "file", "{log:#?}");
    ensure!(place.axon(&["map", "show"]).await?.exits(0)?.out == map("second"));
    place.axon(&["apply"]).await?.exits(0)?;
    // A bad one neither acts nor is kept.
    place.write("role-map.yaml", &failing("third"))?;
    place.axon(&["apply"]).await?.exits(1)?.says(&["tests fail"])?;
    ensure!(versions(&place).await?.len() == 2);
    // Where every version needs a second person apply acts by what is in force.
    let config = place.read("axon.yaml")?;
    place.write("axon.yaml", &format!("{config}operators: {{ second_person: true }}\n"))?;
    place.write("role-map.yaml", &map("third"))?;
    place.axon(&["apply"]).await?.exits(0)?.says(&["waits for a second person"])?;
    ensure!(versions(&place).await?.len() == 2);
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

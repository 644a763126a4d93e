//! Hostile names work exactly or are parked with a reason; sources keep to themselves; a map that is wrong changes nothing.

use anyhow::{Context, ensure};
use axon_tests::{MAP, SOON, Scim, Stage, until, user};
use serde_json::json;

/// Names that T-SQL can hold: the catalog must show these very letters.
fn sound_names() -> Vec<String> {
    vec![
        "x]; DROP USER [dbo]--".into(),
        "x]]; DROP ROLE [canary];--@acme.example".into(),
        "O'Brien".into(),
        "O''Brien'; DROP ROLE canary; --".into(),
        "N'; EXEC('DROP USER canary_user')--".into(),
        "\u{202e}gnp.mik\u{202c}@acme.example".into(),
        "\u{5d3}\u{5d5}\u{5d3}@\u{5d3}\u{5d5}\u{5d2}\u{5de}\u{5d4}".into(),
        format!("emoji {}", "\u{1f600}".repeat(61)),
        "y".repeat(128),
        "100%_[a-z]@acme.example".into(),
        "{userName}${env:HOME}@acme.example".into(),
        "/*kim*/ -- \" `kim`".into(),
        "z\u{301}e\u{323}\u{301}@acme.example".into(),
    ]
}

/// Names that it cannot hold, or that are not a person's to have: parked, with words that say why.
fn unsound_names() -> Vec<(String, &'static str)> {
    vec![
        ("\u{1f600}".repeat(128), "256"),
        ("z".repeat(129), "129"),
        ("\u{1f600}\u{1f680}".into(), "tell apart"),
        ("line\nfeed@acme.example".into(), "U+000A"),
        ("acme\\kim".into(), "backslash"),
        ("dbo".into(), "reserved"),
        ("axon_reader".into(), "reserved"),
        ("INFORMATION_SCHEMA".into(), "reserved"),
    ]
}

#[tokio::test]
async fn hostile_user_names_work_exactly_or_are_parked_with_the_reason() -> anyhow::Result<()> {
    let (sound, unsound) = (sound_names(), unsound_names());
    let mut known: Vec<&str> = sound.iter().map(String::as_str).collect();
    known.extend(unsound.iter().map(|(name, _)| name.as_str()));
    let stage = Stage::set(&known).await?;
    let readers = stage.scim.group("Readers", &[]).await?;
    let mut ids = Vec::new();
    for name in &known {
        let made = stage.scim.post("/Users", &user(name)).await?.is(201)?;
        ensure!(made.body["userName"] == **name, "{}", made.body);
        stage.scim.join(&readers, &made.id()?).await?;
        ids.push(made.id()?);
    }
    let catalog = stage
        .catalog_when("all sound names are there", |c| sound.iter().all(|n| c.roles_of(n) == ["axon_reader"]))
        .await?;
    let mut wanted: Vec<&str> = sound.iter().map(String::as_str).chain(["canary_user"]).collect();
    wanted.sort_unstable();
    let found: Vec<&str> = catalog.people.iter().map(String::as_str).collect();
    ensure!(found == wanted, "{found:#?} instead of {wanted:#?}");
    ensure!(catalog.canaries_live(), "{catalog:#?}");

    let summary = until("the others are parked", SOON, async || {
        let summary = stage.place.summary().await?;
        let waiting = summary["waiting"].as_array().map_or(0, Vec::len);
        Ok((waiting >= unsound.len()).then_some(summary))
    })
    .await?;
    for (name, words) in &unsound {
        let waiting = summary["waiting"].as_array().context("waiting")?;
        // A name is shortened, and marks in it are spelled out: its first letters tell it.
        let start: String = name.chars().take_while(|c| !c.is_control() && *c != '\\').take(4).collect();
        let told = waiting
            .iter()
            .filter_map(|w| w["what"].as_str())
            .any(|w| w.contains(words) && w.contains(&start));
        ensure!(told, "{name:?} ({words}) is not in {summary:#}");
    }
    // What is parked is visible to people, too, without marks that turn a line round.
    let shown = stage.place.axon(&["status"]).await?.exits(0)?.out
        + &stage.place.axon(&["plan"]).await?.exits(0)?.out;
    ensure!(!shown.contains('\u{202e}'), "{shown:?}");

    // Leaving is as exact as coming. One stays: a source in which nobody is left would be a hold.
    let gone = &sound[1..];
    for id in &ids[1..] {
        stage.scim.activate(id, "False").await?;
    }
    let catalog = stage
        .catalog_when("all have left", |c| {
            gone.iter().all(|n| c.shut_out.contains(n) && c.roles_of(n).is_empty())
        })
        .await?;
    ensure!(catalog.shut_out.len() == gone.len() && catalog.canaries_live(), "{catalog:#?}");
    ensure!(catalog.roles_of(&sound[0]) == ["axon_reader"], "{catalog:#?}");
    stage.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn a_user_who_is_named_like_somebody_elses_principal_does_not_become_it() -> anyhow::Result<()> {
    let stage = Stage::set(&["canary_user", "canary", "CANARY_USER\u{200f}"]).await?;
    let readers = stage.scim.group("Readers", &[]).await?;
    for name in ["canary_user", "canary"] {
        let id = stage.scim.person(name).await?;
        stage.scim.join(&readers, &id).await?;
    }
    stage.settled().await?;
    let catalog = stage.catalog().await?;
    ensure!(catalog.canaries_live(), "{catalog:#?}");
    ensure!(catalog.members.len() == 1, "a SQL user or a role got a person's roles: {catalog:#?}");
    stage.state("pending").await?;
    let summary = stage.place.summary().await?;
    for name in ["canary_user", "canary"] {
        ensure!(summary["waiting"].to_string().contains(name), "{summary:#}");
    }
    Ok(())
}

#[tokio::test]
async fn hostile_group_role_and_object_names_keep_their_meaning() -> anyhow::Result<()> {
    let map = MAP
        .replace("role_name: \"axon_{role}\"", "role_name: \"axon_]; DROP ROLE [canary]--'{role}\"")
        .replace(
            "[select on sales.regions]",
            "[\"select on sales.[o'r]]d; DROP TABLE sales.orders--] ([c]]'ol])\"]",
        )
        .replace("{ any: [Readers] }", "{ any: [\"R'; DROP ROLE canary--\", \"\\u202Esredaer\"] }")
        .replace(
            "{ any: [Regions] }",
            "{ match: \"^team (?<role>.+)$\" }\n    only: [region]\n    trust: true",
        )
        .replace("roles: [region]", "roles: \"{role}\"");
    let stage = Stage::set_with(&["kim@acme.example", "ana@acme.example"], &map).await?;
    let mut admin = stage.pool.admin().await?;
    admin.run("CREATE TABLE sales.[o'r]]d; DROP TABLE sales.orders--] ([c]]'ol] int, other int)").await?;
    let (kim, ana) =
        (stage.scim.person("kim@acme.example").await?, stage.scim.person("ana@acme.example").await?);
    stage.scim.group("R'; DROP ROLE canary--", &[&kim]).await?;
    stage.scim.group("team region", &[&kim]).await?;
    stage.scim.group("\u{202e}sredaer", &[&ana]).await?;
    // Captures that name no role of the list give nothing.
    for name in ["team writer", "team region'; DROP ROLE canary--", "team ]", "team [region]"] {
        stage.scim.group(name, &[&ana]).await?;
    }
    // The table was made after the first look at the pool.
    stage.place.axon(&["apply"]).await?;
    let role = |name: &str| format!("axon_]; DROP ROLE [canary]--'{name}");
    let catalog = stage
        .catalog_when("kim has both roles", |c| {
            c.roles_of("kim@acme.example") == [role("reader"), role("region")]
                && c.roles_of("ana@acme.example") == [role("reader")]
                && c.held.iter().any(|line| line.contains("o'r]d"))
        })
        .await?;
    let wanted = format!("{}: SELECT on sales.o'r]d; DROP TABLE sales.orders-- (c]'ol)", role("region"));
    ensure!(catalog.held.contains(&wanted), "{catalog:#?}");
    ensure!(catalog.held.contains(&format!("{}: SELECT on sales.orders", role("reader"))), "{catalog:#?}");
    ensure!(catalog.canaries_live(), "{catalog:#?}");
    Ok(())
}

#[tokio::test]
async fn a_source_neither_sees_nor_changes_what_another_pushed() -> anyhow::Result<()> {
    let stage = Stage::set(&["kim@acme.example"]).await?;
    let kim = stage.scim.person("kim@acme.example").await?;
    let readers = stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of("kim@acme.example") == ["axon_reader"]).await?;
    let okta: Scim = stage.scim.with_token(&stage.place.token("okta").await?);
    stage.settled().await?;
    let head = stage.place.head().await?;
    okta.get(&format!("/Users/{kim}")).await?.refuses(404, "", &[])?;
    okta.delete(&format!("/Users/{kim}")).await?.refuses(404, "", &[])?;
    let off = json!([{ "op": "replace", "value": { "active": false } }]);
    okta.patch(&format!("/Users/{kim}"), &off).await?.refuses(404, "", &[])?;
    okta.delete(&format!("/Groups/{readers}")).await?.refuses(404, "", &[])?;
    ensure!(okta.get("/Users").await?.is(200)?.body["totalResults"] == 0);
    ensure!(stage.place.head().await? == head, "the journal moved");

    // The same names from another source are another source's people and groups: the mapping names `entra`.
    let other = okta.person("stranger@acme.example").await?;
    okta.group("Readers", &[&other, &kim]).await?;
    stage.settled().await?;
    let catalog = stage.catalog().await?;
    ensure!(!catalog.people.contains("stranger@acme.example"), "{catalog:#?}");
    ensure!(catalog.roles_of("kim@acme.example") == ["axon_reader"]);
    Ok(())
}

#[tokio::test]
async fn a_map_that_cannot_be_used_leaves_the_one_in_force() -> anyhow::Result<()> {
    let stage = Stage::set(&["kim@acme.example"]).await?;
    let kim = stage.scim.person("kim@acme.example").await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of("kim@acme.example") == ["axon_reader"]).await?;
    stage.settled().await?;
    let head = stage.place.journal().await?.len();
    let sound = stage.place.read("role-map.yaml")?;
    stage.place.write("role-map.yaml", &sound.replace("roles: [reader]", "roles: [raeder]"))?;
    stage.serve.child().signal("HUP").await?;
    until("the log tells it", SOON, async || {
        let log = stage.place.read("serve.log")?;
        Ok((log.contains("the role map in force stays") && log.contains("raeder")).then_some(()))
    })
    .await?;
    ensure!(stage.place.journal().await?.len() == head);
    ensure!(stage.catalog().await?.roles_of("kim@acme.example") == ["axon_reader"]);

    stage.place.write("role-map.yaml", &sound.replace("any: [Readers]", "any: [Nobody]"))?;
    stage.serve.child().signal("HUP").await?;
    stage.catalog_when("kim lost it", |c| c.roles_of("kim@acme.example").is_empty()).await?;
    let journal = stage.place.journal().await?;
    ensure!(
        journal.iter().filter(|r| r.kind.contains("map")).count() == 2,
        "each map in force has its record"
    );
    Ok(())
}

#[tokio::test]
async fn a_second_source_that_claims_a_person_gets_nothing_and_is_named() -> anyhow::Result<()> {
    let map = format!("{MAP}  - groups: {{ any: [Contractors] }}\n    source: okta\n    roles: [region]\n");
    let stage = Stage::set_with(&["kim@acme.example"], &map).await?;
    let kim = stage.scim.person("kim@acme.example").await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of("kim@acme.example") == ["axon_reader"]).await?;
    stage.settled().await?;
    let before = stage.catalog().await?;
    let okta: Scim = stage.scim.with_token(&stage.place.token("okta").await?);
    let other = okta.person("KIM@acme.example").await?;
    okta.group("Contractors", &[&other]).await?;
    stage.settled().await?;
    stage.state("pending").await?;
    let catalog = stage.catalog().await?;
    ensure!(catalog == before, "the claim gives nothing and takes nothing: {catalog:#?}");
    let summary = stage.place.summary().await?;
    ensure!(summary["waiting"].to_string().contains("claimed by several"), "{summary:#}");
    okta.delete(&format!("/Users/{other}")).await?.is(204)?;
    stage.catalog_when("all is as before", |c| *c == before).await?;
    Ok(())
}

//! Drift: what somebody did in the pool by hand is named, and is adopted, excepted or reverted by a person's word.

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, MAP, Place, SOON, Stage, until};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

const KIM: &str = "kim@acme.example";
const ANA: &str = "ana@acme.example";

/// What is listed, when it is as many as wanted.
async fn listed(place: &Place, wanted: usize) -> anyhow::Result<Vec<Value>> {
    let said = place.axon(&["drift", "list", "--json"]).await?;
    let drift = said.json()?["warehouse"]["drift"].as_array().context("a list")?.clone();
    ensure!(drift.len() == wanted, "{drift:#?}");
    Ok(drift)
}

#[expect(clippy::disallowed_methods, reason = "the binary under test goes by the system's clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[tokio::test]
async fn what_somebody_did_by_hand_is_named_excepted_reverted_and_never_fought_over() -> anyhow::Result<()> {
    let stage = Stage::set_with(&[KIM, ANA], MAP).await?;
    let (kim, ana) = (stage.scim.person(KIM).await?, stage.scim.person(ANA).await?);
    stage.scim.group("Readers", &[&kim]).await?;
    stage.scim.group("Regions", &[&ana]).await?;
    stage
        .catalog_when("both have a role", |c| c.roles_of(KIM).len() == 1 && c.roles_of(ANA).len() == 1)
        .await?;
    let place = &stage.place;
    place.axon(&["drift", "list"]).await?.exits(0)?;

    let mut admin = stage.pool.admin().await?;
    admin.run(&format!("EXEC sp_addrolemember 'axon_reader', '{ANA}'")).await?;
    admin.run("GRANT DELETE ON OBJECT::sales.orders TO axon_region").await?;
    let drift = listed(place, 2).await?;
    ensure!(drift.iter().all(|one| one["hold"].is_null()), "nobody looked at it yet: {drift:#?}");
    ensure!(drift.iter().any(|one| one["created"].is_string()), "when the principal was made: {drift:#?}");
    let said = place.axon(&["drift", "list"]).await?.exits(3)?.out;
    ensure!(said.contains(", made 20"), "{said}");
    for words in [&format!("{ANA} is in role axon_reader"), "axon_region has GRANT DELETE on sales.orders"] {
        ensure!(said.contains(words), "{said}");
    }

    // A look of the reconciler lets it wait, and touches nothing.
    place.axon(&["apply"]).await?.exits(3)?;
    let drift = listed(place, 2).await?;
    let find = |drift: &[Value], part: &str| -> anyhow::Result<String> {
        let one = drift.iter().find(|one| one["what"].as_str().is_some_and(|what| what.contains(part)));
        let one = one.with_context(|| format!("{part}: {drift:#?}"))?;
        ensure!(one["since"].is_string(), "{one}");
        Ok(one["hold"].as_str().context("a hold")?.to_owned())
    };
    let (member, grant) = (find(&drift, "is in role")?, find(&drift, "DELETE")?);
    ensure!(stage.catalog().await?.roles_of(ANA) == ["axon_reader", "axon_region"]);

    let adopted = place.axon(&["drift", "adopt"]).await?.exits(3)?.out;
    for words in
        ["roles:", "region:", "\"delete on sales.orders\"", &format!("{ANA} has role reader by hand")]
    {
        ensure!(adopted.contains(words), "{words}: {adopted}");
    }

    // Wrong answers change nothing.
    place
        .axon(&["drift", "revert", "00000000-none", "--reason", "x"])
        .await?
        .exits(1)?
        .says(&["no drift"])?;
    place.axon(&["drift", "except", &grant, "--until", "tomorrow", "--reason", "x"]).await?.exits(2)?;
    place
        .axon(&["drift", "except", &grant, "--until", "2020-01-01T00:00:00Z", "--reason", "x"])
        .await?
        .exits(1)?;

    let soon = (now() + Duration::seconds(6)).format(&Rfc3339)?;
    place.axon(&["drift", "except", &grant, "--until", &soon, "--reason", "a migration"]).await?.exits(0)?;
    let drift = listed(place, 2).await?;
    ensure!(drift.iter().filter(|one| one["excepted"].is_string()).count() == 1, "{drift:#?}");
    place.axon(&["drift", "revert", &member, "--reason", "not agreed"]).await?.exits(0)?;
    stage.catalog_when("the membership goes", |c| c.roles_of(ANA) == ["axon_region"]).await?;
    let catalog = stage.catalog().await?;
    let delete = |catalog: &axon_tests::Catalog| catalog.held.iter().any(|held| held.contains("DELETE"));
    ensure!(delete(&catalog), "what is excepted stays: {catalog:#?}");

    // An exception ends by itself: then it waits again, and can be reverted.
    let again = until("it is drift again", SOON, async || {
        place.axon(&["apply"]).await?;
        let drift = listed(place, 1).await?;
        let open = drift[0]["excepted"].is_null() && drift[0]["hold"].is_string();
        Ok(open.then(|| drift[0]["hold"].as_str().unwrap_or_default().to_owned()))
    })
    .await?;
    ensure!(again != grant, "another hold than the one before");
    place.axon(&["drift", "revert", &again, "--reason", "the migration is over"]).await?.exits(0)?;
    stage.catalog_when("the permission goes", |c| !delete(c)).await?;
    place.axon(&["drift", "list"]).await?.exits(0)?;

    // The second time the same thing is done by hand it is reverted without a question.
    admin.run(&format!("EXEC sp_addrolemember 'axon_reader', '{ANA}'")).await?;
    place.axon(&["apply"]).await?.exits(0)?;
    ensure!(stage.catalog().await?.roles_of(ANA) == ["axon_region"]);
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn what_is_adopted_becomes_a_line_of_the_map_and_what_was_taken_is_given_again() -> anyhow::Result<()> {
    let stage = Stage::set_with(&[KIM], MAP).await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    let place = &stage.place;
    let mut admin = stage.pool.admin().await?;

    admin.run("GRANT DELETE ON OBJECT::sales.orders TO axon_region").await?;
    let said =
        place.axon(&["drift", "adopt", "--push", "--comment", "agreed with sales"]).await?.exits(0)?.out;
    ensure!(said.contains("in force:"), "{said}");
    let text = place.axon(&["map", "show"]).await?.exits(0)?.out;
    ensure!(text.contains("warehouse: [\"delete on sales.orders\", select on sales.regions]"), "{text}");
    let log = place.axon(&["map", "log"]).await?.exits(0)?.out;
    ensure!(log.contains("agreed with sales"), "{log}");
    place.axon(&["apply"]).await?.exits(0)?;
    place.axon(&["drift", "list"]).await?.exits(0)?;
    ensure!(stage.catalog().await?.held.iter().any(|held| held.contains("DELETE")), "it stays");
    // Nothing more is there to be adopted, and nothing is pushed for nothing.
    let said = place.axon(&["drift", "adopt", "--push"]).await?.exits(0)?.out;
    ensure!(said.contains("nothing is there"), "{said}");

    admin.run(&format!("EXEC sp_droprolemember 'axon_reader', '{KIM}'")).await?;
    let said = place.axon(&["drift", "list"]).await?.exits(3)?.out;
    for words in
        [&format!("{KIM} is not in role axon_reader any more"), "removed, principal", "gives it again"]
    {
        ensure!(said.contains(words), "{words}: {said}");
    }
    place.axon(&["apply"]).await?.exits(0)?;
    ensure!(stage.catalog().await?.roles_of(KIM) == ["axon_reader"]);
    place.axon(&["apply"]).await?.exits(0)?;
    let past = place.axon(&["drift", "list", "--past"]).await?.exits(0)?.out;
    ensure!(past.contains("over: ") && past.contains("is not in role axon_reader any more"), "{past}");
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

/// The list has this line.
async fn lists(place: &Place, line: &str) -> anyhow::Result<()> {
    let said = place.axon(&["drift", "list"]).await?.exits(3)?.out;
    ensure!(said.contains(line), "{line}: {said}");
    Ok(())
}

/// Two more looks send nothing.
async fn stays_as_it_is(place: &Place) -> anyhow::Result<()> {
    let sent = place.statements().await?;
    for _ in 0..2 {
        place.axon(&["apply"]).await?.exits(3)?;
        let said = place.axon(&["plan"]).await?;
        ensure!(said.out.contains(" 0 to do, 0 withheld"), "{}", said.out);
    }
    ensure!(place.statements().await? == sent, "it is no loop");
    Ok(())
}

#[tokio::test]
async fn a_grant_by_a_holder_of_the_grant_option_is_a_state_with_its_remedy() -> anyhow::Result<()> {
    let stage = Stage::set_with(&[KIM, ANA], MAP).await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    let place = &stage.place;

    // Ana is nobody of the map's.
    let mut entra = stage.pool.person(ENTRA_ADMIN).await?;
    entra.run(&format!("CREATE USER [{ANA}] FROM EXTERNAL PROVIDER")).await?;
    let mut admin = stage.pool.admin().await?;
    admin.run(&format!("GRANT DELETE ON OBJECT::sales.orders TO [{ANA}] WITH GRANT OPTION")).await?;
    place.axon(&["drift", "list"]).await?.exits(0)?;
    let mut ana = stage.pool.person(ANA).await?;
    ana.run("GRANT DELETE ON OBJECT::sales.orders TO axon_reader").await?;

    let line = format!(
        "! GRANT DELETE on sales.orders to axon_reader stands by the word of {ANA}: they must revoke it"
    );
    lists(place, &line).await?;
    stays_as_it_is(place).await?;
    lists(place, &line).await?;
    ensure!(stage.catalog().await?.held.iter().any(|held| held.contains("DELETE")), "it stands");

    ana.run("REVOKE DELETE ON OBJECT::sales.orders FROM axon_reader").await?;
    place.axon(&["drift", "list"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn what_a_managed_name_owns_is_a_state_with_its_remedy() -> anyhow::Result<()> {
    let stage = Stage::set_with(&[KIM], MAP).await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    let place = &stage.place;
    place.axon(&["drift", "list"]).await?.exits(0)?;

    let mut admin = stage.pool.admin().await?;
    for (thing, owner, said, back) in [
        ("SCHEMA::sales", KIM, "schema sales, and so has every right on what is in it", "dbo"),
        ("ROLE::axon_region", KIM, "role axon_region, and so decides who is in it", "dbo"),
        ("ROLE::axon_region", "axon_writer", "role axon_region, and so decides who is in it", "dbo"),
        ("OBJECT::sales.regions", KIM, "sales.regions, and so has every right on it", "SCHEMA OWNER"),
    ] {
        admin.run(&format!("ALTER AUTHORIZATION ON {thing} TO [{owner}]")).await?;
        // What a change of owner took away is given again.
        place.axon(&["apply"]).await?;
        let line = format!("! {owner} owns {said}: ALTER AUTHORIZATION ON {thing} TO {back}");
        lists(place, &line).await?;
        stays_as_it_is(place).await?;
        lists(place, &line).await?;
        let status = place.status().await?.to_string();
        ensure!(status.contains(&format!("{owner} owns {said}")), "{status}");
        // The emulator reads no SCHEMA OWNER, and that is dbo here.
        admin.run(&format!("ALTER AUTHORIZATION ON {thing} TO dbo")).await.context(thing)?;
        place.axon(&["apply"]).await?;
        place.axon(&["drift", "list"]).await?.exits(0)?;
    }
    Ok(())
}

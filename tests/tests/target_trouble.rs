//! A target that is down, paused, refuses or breaks off: SCIM goes on, the state is visible, and the work is done afterwards.

use std::net::TcpListener;

use anyhow::ensure;
use axon_tests::{
    ADMIN, Catalog, ENTRA_ADMIN, MAP, PASSWORD, Place, Pool, SOON, Serve, Stage, entra_token, until,
};

const KIM: &str = "kim@acme.example";
const ANA: &str = "ana@acme.example";

#[tokio::test]
async fn pushes_to_a_target_that_is_down_are_kept_and_done_when_it_comes() -> anyhow::Result<()> {
    let place = Place::new([KIM])?;
    // A port that was free a moment ago, and that the pool takes later.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    place.furnish(MAP, port)?;
    let scim_token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&scim_token);
    let kim = scim.person(KIM).await?;
    scim.group("Readers", &[&kim]).await?;
    until("/readyz says unreachable", SOON, async || {
        Ok((serve.state().await? == "unreachable").then_some(()))
    })
    .await?;
    let summary = until("the summary says so", SOON, async || {
        let summary = place.summary().await?;
        Ok((summary["state"] == "unreachable").then_some(summary))
    })
    .await?;
    ensure!(summary["trouble"].as_str().is_some_and(|t| !t.is_empty()), "{summary}");
    let said = place.axon(&["status"]).await?.exits(0)?;
    ensure!(said.out.contains("warehouse: unreachable"), "{}", said.out);
    until("the breaker opens", SOON, async || {
        Ok((serve.ready().await?["breakers"]["warehouse"] == "open").then_some(()))
    })
    .await?;
    let said = until("the status says so", SOON, async || {
        let said = place.axon(&["status"]).await?.exits(0)?.out;
        Ok(said.contains("breaker: ").then_some(said))
    })
    .await?;
    ensure!(said.contains("failures in a row"), "{said}");
    ensure!(serve.metric("axon_target_failures_total").await? >= 3.0, "failures are counted");
    place.axon(&["plan", "--check"]).await?.exits(1)?.says(&["warehouse", &port.to_string()])?;
    place.axon(&["apply"]).await?.exits(1)?;

    let pool = Pool::start(&place, port).await?;
    let mut admin = pool.admin().await?;
    until("kim reads", SOON, async || {
        let catalog = Catalog::read(&mut admin).await?;
        Ok((catalog.roles_of(KIM) == ["axon_reader"]).then_some(()))
    })
    .await?;
    until("/readyz says converged", SOON, async || Ok((serve.state().await? == "converged").then_some(())))
        .await?;
    let ready = serve.ready().await?;
    ensure!(ready["breakers"]["warehouse"] == "closed", "{ready}");
    ensure!(!place.axon(&["status"]).await?.exits(0)?.out.contains("breaker: "), "it is closed");
    Ok(())
}

#[tokio::test]
async fn a_paused_pool_leaves_scim_answering_and_the_work_pending() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM, ANA]).await?;
    let kim = stage.scim.person(KIM).await?;
    let readers = stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    stage.state("converged").await?;

    stage.pool.lever("power paused").await?;
    let ana = stage.scim.person(ANA).await?;
    stage.scim.join(&readers, &ana).await?;
    stage.scim.activate(&kim, "False").await?;
    let members = stage.scim.get(&format!("/Groups/{readers}")).await?.is(200)?;
    ensure!(members.body["members"].as_array().is_some_and(|m| m.len() == 2), "{}", members.body);
    stage.state("paused").await?;
    let summary = until("the summary says why", SOON, async || {
        let summary = stage.place.summary().await?;
        Ok((summary["state"] == "paused").then_some(summary))
    })
    .await?;
    ensure!(summary["trouble"].as_str().is_some_and(|t| t.contains("42108")), "{summary}");
    stage.place.axon(&["plan", "--check"]).await?.exits(1)?.says(&["42108"])?;

    stage.pool.lever("power resuming").await?;
    stage.state("busy").await?;
    stage.pool.lever("power online").await?;
    let catalog = stage
        .catalog_when("the pushes take effect", |c| {
            c.roles_of(ANA) == ["axon_reader"] && c.shut_out.contains(KIM) && c.roles_of(KIM).is_empty()
        })
        .await?;
    ensure!(catalog.canaries_live(), "{catalog:#?}");
    stage.state("converged").await
}

#[tokio::test]
async fn a_refused_login_is_told_and_mended_by_a_good_token() -> anyhow::Result<()> {
    let place = Place::new([KIM])?;
    let pool = Pool::start(&place, 0).await?;
    place.furnish(MAP, pool.port()?)?;
    place.write("pool.token", &entra_token("somebody.else@acme.example"))?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let kim = scim.person(KIM).await?;
    scim.group("Readers", &[&kim]).await?;
    until("the refusal shows", SOON, async || Ok((serve.state().await? == "login-refused").then_some(())))
        .await?;
    let summary = until("the summary says why", SOON, async || {
        let summary = place.summary().await?;
        Ok((summary["state"] == "login-refused").then_some(summary))
    })
    .await?;
    ensure!(summary["trouble"].as_str().is_some_and(|t| t.contains("18456")), "{summary}");
    // Nothing that is logged or kept holds the token.
    let secret = entra_token("somebody.else@acme.example");
    ensure!(!place.read("serve.log")?.contains(&secret) && !summary.to_string().contains(&secret));

    std::fs::remove_file(place.file("pool.token"))?;
    place.write("pool.token", &entra_token(ENTRA_ADMIN))?;
    let mut admin = pool.admin().await?;
    until("kim reads", SOON, async || {
        let catalog = Catalog::read(&mut admin).await?;
        Ok((catalog.roles_of(KIM) == ["axon_reader"]).then_some(()))
    })
    .await
}

#[tokio::test]
async fn sql_authentication_is_refused_where_the_work_needs_entra() -> anyhow::Result<()> {
    let place = Place::new([KIM])?;
    let pool = Pool::start(&place, 0).await?;
    let sql = format!("{{ sql: {{ user: {ADMIN}, password: \"${{file:password}}\" }} }}");
    place.furnish(&MAP.replace("{ token-file: pool.token }", &sql), pool.port()?)?;
    place.write("password", PASSWORD)?;
    let said = place.axon(&["serve"]).await?.exits(1)?.says(&["33159", "warehouse"])?;
    ensure!(said.err.contains("role-map.yaml:"), "it names no place: {}", said.err);
    let catalog = Catalog::read(&mut pool.admin().await?).await?;
    ensure!(!catalog.roles.iter().any(|r| r.starts_with("axon_")) && catalog.canaries_live(), "{catalog:#?}");
    Ok(())
}

#[tokio::test]
async fn somebody_whom_the_target_does_not_know_blocks_nobody_else() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM, ANA]).await?;
    let stranger = stage.scim.person("stranger@acme.example").await?;
    let kim = stage.scim.person(KIM).await?;
    let readers = stage.scim.group("Readers", &[&stranger, &kim]).await?;
    let ana = stage.scim.person(ANA).await?;
    stage.scim.join(&readers, &ana).await?;
    let catalog = stage
        .catalog_when("the others read", |c| {
            c.roles_of(KIM) == ["axon_reader"] && c.roles_of(ANA) == ["axon_reader"]
        })
        .await?;
    ensure!(!catalog.people.contains("stranger@acme.example"));
    stage.state("pending").await?;
    let summary = stage.place.summary().await?;
    let waiting = summary["waiting"].as_array().cloned().unwrap_or_default();
    ensure!(
        waiting.iter().any(|w| w["what"].as_str().is_some_and(|t| t.contains("stranger@acme.example"))
            && w["why"].as_str().is_some_and(|t| t.contains("33130"))),
        "{summary}"
    );
    Ok(())
}

#[tokio::test]
async fn a_statement_that_fails_or_breaks_off_is_not_replayed_blindly_and_converges() -> anyhow::Result<()> {
    for lever in [
        "hangup before sp_addrolemember",
        "hangup after sp_addrolemember",
        "hangup after CREATE USER",
        "hangup before GRANT SELECT ON",
        "hangup after GRANT SELECT ON",
        "cut",
        "directory-down 1",
        "statement 40613 before sp_addrolemember",
    ] {
        let stage = Stage::set(&[KIM, ANA]).await?;
        stage.state("converged").await?;
        stage.pool.lever(lever).await?;
        if lever.contains("GRANT") {
            // The start gave the grants already: take one away behind Axon's back. The cut is mended within one call.
            let mut admin = stage.pool.admin().await?;
            admin.run("REVOKE SELECT ON OBJECT::sales.regions FROM axon_region").await?;
            stage.place.axon(&["apply"]).await?.exits(0)?;
        }
        let (kim, ana) = (stage.scim.person(KIM).await?, stage.scim.person(ANA).await?);
        stage.scim.group("Readers", &[&kim, &ana]).await?;
        let catalog = stage
            .catalog_when(lever, |c| {
                c.roles_of(KIM) == ["axon_reader"]
                    && c.roles_of(ANA) == ["axon_reader"]
                    && c.held.contains("axon_region: SELECT on sales.regions")
            })
            .await?;
        ensure!(catalog.canaries_live(), "{lever}: {catalog:#?}");
        stage.state("converged").await?;
        stage.place.axon(&["plan", "--check"]).await?.exits(0)?;
        stage.place.axon(&["audit", "verify"]).await?.exits(0)?;
    }
    Ok(())
}

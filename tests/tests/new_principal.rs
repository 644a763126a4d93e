//! Axon enters as a principal that was made a moment ago: the pool refuses its login for a while (18456), and then accepts it.

use anyhow::ensure;
use axon_tests::{Catalog, ENTRA_ADMIN, MAP, Place, Pool, SOON, Serve, entra_token, until};
use serde_json::json;

const KIM: &str = "kim@acme.example";
/// Whom Axon enters as.
const AXON: &str = "axon-service@acme.example";
/// How many logins are refused after the principal was made.
const REFUSED: u32 = 2;

/// Waits until `axon status` says that the login is refused, and with which number.
async fn refused(place: &Place) -> anyhow::Result<()> {
    until("the summary says that the login is refused", SOON, async || {
        let summary = place.summary().await?;
        ensure!(summary["state"] == "login-refused", "{summary}");
        ensure!(summary["trouble"].as_str().is_some_and(|why| why.contains("18456")), "{summary}");
        Ok(Some(()))
    })
    .await
}

#[tokio::test]
async fn a_principal_that_was_just_made_is_refused_for_a_while_and_then_works_by_itself() -> anyhow::Result<()>
{
    let place = Place::new([KIM, AXON])?;
    let pool = Pool::start(&place, 0).await?;
    place.furnish(MAP, pool.port()?)?;
    place.write("pool.token", &entra_token(AXON))?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    // The directory knows Axon's principal, the database does not.
    refused(&place).await?;

    // It is made, and whoever else enters as it is let in. Axon meets a gateway that has not heard of it yet.
    let failures = serve.metric("axon_target_failures_total").await?;
    let message = "Login failed for user '<token-identified principal>'.";
    let what = json!({ "login": { "number": 18456, "message": message } });
    let order = json!({ "what": what, "times": REFUSED, "matching": "axon" });
    pool.ask("POST", "/pool/faults", Some(order)).await?;
    let mut admin = pool.person(ENTRA_ADMIN).await?;
    admin.run(&format!("CREATE USER [{AXON}] FROM EXTERNAL PROVIDER")).await?;
    admin.run(&format!("EXEC sp_addrolemember N'db_owner', N'{AXON}'")).await?;
    pool.person(AXON).await?;
    let kim = scim.person(KIM).await?;
    scim.group("Readers", &[&kim]).await?;
    refused(&place).await?;

    // Nobody does anything about it.
    until("kim reads", SOON * 3, async || {
        let catalog = Catalog::read(&mut admin).await?;
        Ok((catalog.roles_of(KIM) == ["axon_reader"]).then_some(()))
    })
    .await?;
    until("/readyz says converged", SOON, async || Ok((serve.state().await? == "converged").then_some(())))
        .await?;
    ensure!(pool.ask("GET", "/pool", None).await?["faultsWaiting"] == 0, "the pool refused each of them");
    let after = serve.metric("axon_target_failures_total").await?;
    ensure!(after >= failures + f64::from(REFUSED), "{failures} failures before, {after} after");
    place.axon(&["plan", "--check"]).await?.exits(0)?;
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

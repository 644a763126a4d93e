//! Where no folder is there for the key that signs the journal, the server says so at its start, and so does the doctor.

use anyhow::ensure;
use axon_tests::{Place, Pool, Postgres, Serve, Stage};

use super::{ANN, BOB, map, stage_in};

const SAYS: &str = "the journal is not signed after probes of views";

/// Names a folder for Axon's own secrets, which has to be done beside a store that is no file.
pub fn name_a_folder(place: &Place) -> anyhow::Result<()> {
    let folder = place.file("own-secrets").display().to_string();
    let config = place.read("axon.yaml")?;
    place.write("axon.yaml", &format!("{config}integrations: {{ secrets: {folder} }}\n"))
}

#[tokio::test]
async fn a_server_that_cannot_sign_says_so_once_with_what_helps() -> anyhow::Result<()> {
    let place = Place::with_store([ANN, BOB], Some(Postgres::shared()?.database()?))?;
    let stage = stage_in(place, &map(false), async |_: &Pool| Ok(())).await?;
    let Stage { place, serve, .. } = stage;
    let told = |place: &Place| -> anyhow::Result<Vec<String>> {
        let log = place.read("serve.log")?;
        Ok(log.lines().filter(|line| line.contains(SAYS)).map(str::to_owned).collect())
    };
    let lines = told(&place)?;
    ensure!(lines.len() == 1 && lines[0].contains("integrations.secrets"), "{lines:?}");
    let found = place.axon(&["doctor"]).await?.exits(3)?.out;
    ensure!(found.contains(SAYS) && found.contains("integrations.secrets"), "{found}");

    // With a folder nothing is said, and there is a key.
    serve.stop().await?;
    name_a_folder(&place)?;
    let serve = Serve::start(&place).await?;
    ensure!(told(&place)?.len() == 1, "{:?}", told(&place)?);
    let sound = place.axon(&["doctor"]).await?.out;
    ensure!(!sound.contains(SAYS), "{sound}");
    place.axon(&["audit", "key"]).await?.exits(0)?;
    serve.stop().await?;
    Ok(())
}

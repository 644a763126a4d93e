//! A target whose steps people run: files are written, run by hand, confirmed or seen; nothing is ever sent by Axon.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use axon_tests::{CONFIG, Catalog, ENTRA_ADMIN, Place, Pool, SOON, Serve, entra_token, until};
use serde_json::Value;

const KIM: &str = "kim@acme.example";
const ZOE: &str = "zo\u{eb}.o'neil@acme.example";

/// The suites' map for a target that nobody enters; `HOW` says where its catalog is seen.
const MAP: &str = r#"
axon: 1
targets:
  warehouse:
    kind: script
    dialect: dedicated
    database: dw
    out: ./pending
    HOW
    mode: authoritative
roles:
  reader:
    grants: { warehouse: [select on sales.orders, "per person: member of mediumrc"] }
mappings:
  - groups: { any: [Readers] }
    source: entra
    roles: [reader]
"#;

struct ByHand {
    pool: Pool,
    serve: Serve,
    scim: axon_tests::Scim,
    place: Place,
}

async fn set(how: &str) -> anyhow::Result<ByHand> {
    let place = Place::new([KIM, ZOE])?;
    let pool = Pool::start(&place, 0).await?;
    place.write("axon.yaml", CONFIG)?;
    let how = how.replace("PORT", &pool.port()?.to_string());
    place.write("role-map.yaml", &MAP.replace("HOW", &how))?;
    place.write("pool.token", &entra_token(ENTRA_ADMIN))?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    Ok(ByHand { pool, serve, scim, place })
}

impl ByHand {
    /// The files that wait.
    async fn waiting(&self) -> anyhow::Result<Vec<Value>> {
        let said = self.place.axon(&["script", "list", "--json"]).await?.json()?;
        Ok(said.as_array().context("a list")?.clone())
    }

    /// Waits for one file whose steps are about all of these words.
    async fn file(&self, words: &[&str]) -> anyhow::Result<PathBuf> {
        until(&format!("a file about {words:?}"), SOON, async || {
            let waiting = self.waiting().await?;
            let [one] = waiting.as_slice() else { return Ok(None) };
            let steps = one["steps"].to_string();
            Ok(words
                .iter()
                .all(|word| steps.contains(word))
                .then(|| PathBuf::from(one["file"].as_str().unwrap_or(""))))
        })
        .await
    }

    /// Runs a file as `sqlcmd` does.
    async fn run(&self, file: &PathBuf) -> anyhow::Result<()> {
        let mut dba = self.pool.person(ENTRA_ADMIN).await?;
        for batch in std::fs::read_to_string(file)?.split("\nGO\n") {
            if batch.lines().any(|line| !line.is_empty() && !line.starts_with("--")) {
                dba.run(batch).await.with_context(|| batch.to_owned())?;
            }
        }
        Ok(())
    }

    async fn catalog(&self) -> anyhow::Result<Catalog> {
        Catalog::read(&mut self.pool.admin().await?).await
    }

    async fn state(&self, wanted: &str) -> anyhow::Result<()> {
        until(&format!("the target is {wanted}"), SOON * 3, async || {
            Ok((self.serve.state().await? == wanted).then_some(()))
        })
        .await
    }
}

#[tokio::test]
async fn what_a_person_confirms_counts_as_done_and_the_next_file_follows_from_it() -> anyhow::Result<()> {
    let hand = set("").await?;
    let (kim, zoe) = (hand.scim.person(KIM).await?, hand.scim.person(ZOE).await?);
    hand.scim.group("Readers", &[&kim, &zoe]).await?;
    let file = hand.file(&["add kim@acme.example to role axon_reader", "o'neil", "mediumrc"]).await?;
    hand.state("pending").await?;
    let before = hand.catalog().await?;
    ensure!(before.roles_of(KIM).is_empty(), "nobody has run it: {before:#?}");
    let text = std::fs::read_to_string(&file)?;
    ensure!(text.is_ascii() && text.contains("by role-map.yaml:"), "{text}");
    let listed = hand.place.axon(&["script", "list"]).await?.exits(3)?.out;
    ensure!(listed.contains("warehouse: ") && listed.contains(" steps, written "), "{listed}");
    // Looked at again, the same steps make no other file.
    hand.place.axon(&["apply"]).await?;
    ensure!(hand.waiting().await?.len() == 1);

    hand.run(&file).await?;
    hand.run(&file).await?;
    ensure!(hand.catalog().await?.roles_of(ZOE).len() == 2, "{:#?}", hand.catalog().await?);
    let name = file.file_name().context("a name")?.to_string_lossy().into_owned();
    hand.place.axon(&["script", "confirm", &name, "--reason", " "]).await?.exits(1)?;
    hand.place
        .axon(&["script", "confirm", "nothing.sql", "--reason", "x"])
        .await?
        .exits(1)?
        .says(&["waits"])?;
    hand.place.axon(&["script", "confirm", &name, "--reason", "ran it on Sunday"]).await?.exits(0)?;
    hand.place.axon(&["script", "confirm", &name, "--reason", "twice"]).await?.exits(1)?;
    hand.state("converged").await?;
    hand.place.axon(&["script", "list"]).await?.exits(0)?;
    hand.place.axon(&["plan", "--check"]).await?.exits(0)?;

    // Somebody leaves: the file takes away, ends sessions, and an edited one cannot be confirmed.
    hand.scim.activate(&kim, "false").await?;
    let file = hand.file(&["deny connect to kim@acme.example", "kill the sessions"]).await?;
    let written = std::fs::read_to_string(&file)?;
    std::fs::write(&file, format!("{written}DROP ROLE [axon_reader];\n"))?;
    let name = file.file_name().context("a name")?.to_string_lossy().into_owned();
    hand.place
        .axon(&["script", "confirm", &name, "--reason", "x"])
        .await?
        .exits(1)?
        .says(&["is not as Axon wrote it"])?;
    std::fs::write(&file, written)?;
    let mut session = hand.pool.person(KIM).await?;
    hand.run(&file).await?;
    ensure!(session.run("SELECT 1 AS one").await.is_err(), "the session is ended");
    hand.place.axon(&["script", "confirm", &name, "--reason", "ran it"]).await?.exits(0)?;
    hand.state("converged").await?;
    let catalog = hand.catalog().await?;
    ensure!(catalog.roles_of(KIM).is_empty() && !catalog.roles_of(ZOE).is_empty(), "{catalog:#?}");

    let journal = hand.place.journal().await?;
    let scripts: Vec<String> = journal
        .iter()
        .filter(|record| record.kind == "script-change")
        .map(|record| record.record["facts"]["verb"].as_str().unwrap_or_default().to_owned())
        .collect();
    ensure!(scripts.iter().filter(|verb| *verb == "confirmed").count() == 2, "{scripts:?}");
    ensure!(scripts.iter().filter(|verb| *verb == "written").count() >= 2, "{scripts:?}");
    ensure!(journal.iter().all(|record| record.kind != "step-outcome"), "Axon sent nothing");
    hand.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn what_is_read_tells_what_became_of_a_file() -> anyhow::Result<()> {
    let hand =
        set("host: 127.0.0.1\n    port: PORT\n    tls: off\n    auth: { token-file: pool.token }").await?;
    // Somebody stays: a source in which nobody is left would be a hold.
    let (kim, _) = (hand.scim.person(KIM).await?, hand.scim.person(ZOE).await?);
    hand.scim.group("Readers", &[&kim]).await?;
    let file = hand.file(&["add kim@acme.example to role axon_reader"]).await?;
    ensure!(hand.catalog().await?.roles_of(KIM).is_empty());
    hand.run(&file).await?;
    hand.place.axon(&["apply"]).await?.exits(0)?;
    hand.place.axon(&["script", "list"]).await?.exits(0)?;
    let verbs = async || -> anyhow::Result<Vec<String>> {
        let journal = hand.place.journal().await?;
        let scripts = journal.into_iter().filter(|record| record.kind == "script-change");
        Ok(scripts
            .map(|record| record.record["facts"]["verb"].as_str().unwrap_or_default().to_owned())
            .collect())
    };
    ensure!(verbs().await?.contains(&"inspected".to_owned()), "{:?}", verbs().await?);

    // What was written and not run is superseded by what is asked for now, and a catalog file shows the same.
    hand.scim.activate(&kim, "false").await?;
    hand.file(&["deny connect to kim@acme.example"]).await?;
    hand.scim.activate(&kim, "true").await?;
    until("nothing waits", SOON, async || Ok(hand.waiting().await?.is_empty().then_some(()))).await?;
    ensure!(verbs().await?.last().is_some_and(|verb| verb == "superseded"), "{:?}", verbs().await?);
    hand.place
        .axon(&["script", "catalog", "--target", "warehouse", "--out", "catalog.txt"])
        .await?
        .exits(0)?;
    hand.place.write("role-map.yaml", &MAP.replace("HOW", "catalog: catalog.txt"))?;
    hand.place.axon(&["plan", "--check"]).await?.exits(0)?;
    Ok(())
}

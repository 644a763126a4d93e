//! A disk that is full under the store of a running server: what gives stops, what takes away goes on through the spool, and nothing
//! is acknowledged and lost.

use anyhow::{Context, ensure};
use axon_tests::{MAP, Place, Pool, SOON, Stage, Tds, number, until, user};
use serde_json::json;

use crate::disk::Disk;

const KIM: &str = "kim@acme.example";
const ANA: &str = "ana@acme.example";
const LEE: &str = "lee@acme.example";

/// What takes kim's access away.
const DENY: &str = "DENY CONNECT";
const KILL: &str = "KILL '";
const STRIP: &str = "sp_droprolemember";

/// Kim and Ana read, Kim is in.
struct Story {
    stage: Stage,
    disk: Disk,
    kim: String,
    ana: String,
    readers: String,
}

impl Story {
    async fn told() -> anyhow::Result<Self> {
        let place = Place::new([KIM, ANA, LEE])?;
        let disk = Disk::make(&place)?;
        let pool = Pool::start(&place, 0).await?;
        place.furnish(MAP, pool.port()?)?;
        let token = place.token("entra").await?;
        let serve = disk.serve(&place).await?;
        let scim = serve.scim(&token);
        let stage = Stage { pool, serve, scim, token, place };
        let (kim, ana) = (stage.scim.person(KIM).await?, stage.scim.person(ANA).await?);
        let readers = stage.scim.group("Readers", &[&kim, &ana]).await?;
        stage
            .catalog_when("both read", |c| !c.roles_of(KIM).is_empty() && !c.roles_of(ANA).is_empty())
            .await?;
        stage.settled().await?;
        stage.state("converged").await?;
        Ok(Self { stage, disk, kim, ana, readers })
    }

    /// Axon is refused at the pool's door until [`Story::let_in`]; everybody else may enter. Lee's coming is what Axon notices it by.
    async fn keep_out(&self) -> anyhow::Result<()> {
        let order =
            json!({ "what": { "login": { "number": 40613 } }, "times": 1_000_000, "matching": "axon" });
        self.stage.pool.ask("POST", "/pool/faults", Some(order)).await?;
        self.stage.pool.lever("cut").await?;
        let lee = self.stage.scim.person(LEE).await?;
        self.stage.scim.join(&self.readers, &lee).await?;
        self.stage.state("busy").await
    }

    async fn let_in(&self) -> anyhow::Result<()> {
        self.stage.pool.ask("DELETE", "/pool/faults", None).await.map(drop)
    }

    async fn is_out(&self, session: &mut Tds) -> anyhow::Result<()> {
        until("the open session is cut", SOON, async || {
            Ok(session.run("SELECT order_id FROM sales.orders").await.is_err().then_some(()))
        })
        .await?;
        self.stage
            .catalog_when("kim is shut out and holds nothing", |c| {
                c.shut_out.contains(KIM) && c.roles_of(KIM).is_empty()
            })
            .await?;
        let refused = self.stage.pool.person(KIM).await.err();
        ensure!(refused.as_ref().and_then(number) == Some(18456), "{refused:?}");
        Ok(())
    }

    /// The spool as text.
    fn spooled(&self) -> anyhow::Result<String> {
        let bytes = std::fs::read(self.stage.place.file("axon.db-spool").join("warehouse.spool"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Waits until the spool has what came of these steps.
    async fn spool_has(&self, words: &[&str]) -> anyhow::Result<()> {
        until("the spool has it", SOON, async || {
            let spooled = self.spooled()?;
            let lacks: Vec<_> = words.iter().filter(|word| !spooled.contains(**word)).collect();
            ensure!(lacks.is_empty(), "it lacks {lacks:?}");
            Ok(Some(()))
        })
        .await
    }

    /// The process dies, there is room again, and another process follows.
    async fn dies_and_is_followed(self) -> anyhow::Result<Self> {
        let Self { stage, disk, kim, ana, readers } = self;
        let Stage { pool, serve, scim: _, token, place } = stage;
        serve.kill().await?;
        disk.full(false)?;
        let serve = disk.serve(&place).await?;
        let scim = serve.scim(&token);
        Ok(Self { stage: Stage { pool, serve, scim, token, place }, disk, kim, ana, readers })
    }

    /// What was done to kim stands in the journal, each step with one intent and one outcome; the spool is empty; the chain holds.
    async fn is_on_record(&self) -> anyhow::Result<()> {
        until("the spool is empty", SOON, async || {
            Ok(self.spooled()?.bytes().all(|byte| byte == 0).then_some(()))
        })
        .await?;
        let journal = self.stage.place.journal().await?;
        let steps = |kind: &str| {
            let of = journal.iter().filter(|r| r.kind == kind).map(|r| &r.record);
            let mut steps: Vec<String> =
                of.map(|r| format!("{} {} {}", r["run"], r["facts"]["plan"], r["facts"]["index"])).collect();
            steps.sort();
            steps
        };
        ensure!(steps("step-intent") == steps("step-outcome"), "each intent has one outcome: {journal:#?}");
        let sent = self.stage.place.statements().await?;
        let of_kim = |part: &str| {
            let sent = sent
                .iter()
                .enumerate()
                .filter(|(_, s)| s.contains(part) && (part == KILL || s.contains(KIM)));
            sent.map(|(at, _)| at).collect::<Vec<_>>()
        };
        let taken = [of_kim(DENY), of_kim(KILL), of_kim(STRIP)];
        ensure!(
            taken.iter().all(|at| at.len() == 1) && taken[0] < taken[1],
            "each once: {taken:?} of {sent:#?}"
        );
        let proved = self.stage.place.axon(&["audit", "verify"]).await?.exits(0)?.out;
        ensure!(proved.contains("the chain holds"), "{proved}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_full_disk_who_left_is_out_nothing_is_given_and_no_push_is_lost() -> anyhow::Result<()> {
    let story = Story::told().await?;
    let (stage, disk) = (&story.stage, &story.disk);
    story.keep_out().await?;
    let mut session = stage.pool.person(KIM).await?;
    session.run("SELECT order_id FROM sales.orders").await?;

    // Acknowledged before the disk is full, and not done yet: lee comes, kim leaves.
    stage.scim.activate(&story.kim, "False").await?;
    disk.full(true)?;

    // What cannot be written is not acknowledged, in words that tell nobody of files. Reads go on.
    let leaves = json!([{ "op": "Replace", "path": "active", "value": "False" }]);
    for n in 0..3 {
        let body = user(&format!("lost-{n}@acme.example"));
        for answer in [
            stage.scim.post("/Users", &body).await?,
            stage.scim.patch(&format!("/Users/{}", story.ana), &leaves).await?,
            stage.scim.delete(&format!("/Groups/{}", story.readers)).await?,
        ] {
            ensure!(matches!(answer.status, 500 | 503 | 507), "answered {} {}", answer.status, answer.body);
            ensure!(!answer.body.to_string().contains("axon.db"), "{}", answer.body);
        }
    }
    ensure!(disk.refused()? > 0, "no write was refused");
    let ana = stage.scim.get(&format!("/Users/{}", story.ana)).await?.is(200)?;
    ensure!(ana.body["active"] == true, "{}", ana.body);

    session.run("SELECT order_id FROM sales.orders").await.context("nobody was in the way of kim yet")?;
    story.let_in().await?;
    story.is_out(&mut session).await?;
    story.spool_has(&[DENY, KILL, STRIP, KIM]).await?;
    let ticks = async || stage.serve.metric("axon_reconcile_tick_seconds_count").await;
    let so_far = ticks().await?;
    until("it was looked at three times", SOON * 2, async || {
        Ok((ticks().await? > so_far + 2.5).then_some(()))
    })
    .await?;
    let catalog = stage.catalog().await?;
    ensure!(!catalog.people.contains(LEE), "nothing is given without its record: {catalog:#?}");
    ensure!(catalog.roles_of(ANA) == ["axon_reader"] && catalog.canaries_live(), "{catalog:#?}");
    stage.state("store-failed").await?;
    disk.axon(&stage.place, &["audit", "verify"]).await?.exits(0)?;

    // There is room again. The provider repeats what was refused.
    disk.full(false)?;
    until("ana's leaving is taken", SOON, async || {
        Ok((stage.scim.patch(&format!("/Users/{}", story.ana), &leaves).await?.status == 200).then_some(()))
    })
    .await?;
    stage
        .catalog_when("ana is out, lee reads", |c| {
            c.shut_out.contains(ANA) && c.roles_of(LEE) == ["axon_reader"]
        })
        .await?;
    stage.state("converged").await?;
    story.is_on_record().await?;
    let found = stage.scim.get("/Users?filter=userName+sw+%22lost-%22").await?.is(200)?;
    ensure!(found.total()? == 0, "what was refused is there: {}", found.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_under_a_statement_and_a_process_that_dies_then_leave_all_on_record()
-> anyhow::Result<()> {
    let story = Story::told().await?;
    let (stage, disk) = (&story.stage, &story.disk);
    let mut session = stage.pool.person(KIM).await?;
    stage.pool.lever("latency 5000 1 DENY CONNECT").await?;
    stage.scim.activate(&story.kim, "False").await?;
    until("the statement is on its way", SOON, async || {
        Ok((stage.pool.ask("GET", "/pool", None).await?["faultsWaiting"] == 0).then_some(()))
    })
    .await?;
    disk.full(true)?;
    story.is_out(&mut session).await?;
    story.spool_has(&[DENY, KILL, STRIP, KIM]).await?;
    let journal = stage.place.journal().await?;
    let told = journal.iter().any(|r| r.kind == "step-outcome" && r.clear.to_string().contains(DENY));
    ensure!(!told, "the journal took a record on a full disk");

    let story = story.dies_and_is_followed().await?;
    story.stage.state("converged").await?;
    story.is_on_record().await?;
    let catalog = story.stage.catalog().await?;
    ensure!(catalog.roles_of(ANA) == ["axon_reader"] && catalog.canaries_live(), "{catalog:#?}");
    Ok(())
}

//! A delete whose pool is busy, breaks off, or changes under it: what the role map made goes in waves, and nothing of the integration goes before
//! that is gone by which people hold anything.

use std::time::Duration;

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, Postgres, SOON, entra_token, until, user};
use serde_json::{Value, json};

use crate::kit::{BETWEEN, MEMBERS, PRINCIPALS, Stand, Steps, run_as, test};
use crate::target::{ANN, WITHOUT_TARGETS, integration_by};

/// A busy server is asked four times, with pauses of five seconds.
const BUSY: Duration = Duration::from_mins(1);
/// What takes ann out of the role.
const FIRST: &str = "sp_droprolemember N'axon_reader'";
const REMOVAL: &str = "remove ann@acme.example from role axon_reader";
const MEMBER: &str = "axon_reader ann@acme.example";

struct Made {
    stand: Stand,
    /// Of whoever administers.
    credentials: Value,
    /// The map with the target.
    map: String,
}

/// An integration in whose database the map made a role, a user, a membership and a permission, and which is a target no more.
async fn made() -> anyhow::Result<Made> {
    let stand = Stand::in_azure("none").await?;
    let port = stand.pool.port()?;
    made_by(stand, port).await
}

/// The same, whose pool is reached by this port.
async fn made_by(stand: Stand, port: u16) -> anyhow::Result<Made> {
    let credentials = integration_by(&stand, port).await?;
    let entry = stand.place.axon(&["integration", "target", "1"]).await?.exits(0)?.out;
    let name = entry.lines().nth(1).context("a name")?.trim().trim_end_matches(':');
    let map = format!(
        "axon: 1\n{entry}roles:\n  reader:\n    grants: {{ {name}: [member of planners] }}\n\
         mappings:\n  - {{ groups: {{ any: [Readers] }}, source: entra, roles: [reader] }}\n"
    );
    stand.place.write("role-map.yaml", &map)?;
    let scim = stand.serve.scim(&stand.place.token("entra").await?);
    let mut ann = user(ANN);
    ann["externalId"] = json!("bbbbbbbb-0000-0000-0000-000000000098");
    let ann = scim.post("/Users", &ann).await?.is(201)?.id()?;
    scim.group("Readers", &[&ann]).await?;
    is_member(&stand, true).await?;
    stand.place.write("role-map.yaml", WITHOUT_TARGETS)?;
    Ok(Made { stand, credentials, map })
}

async fn is_member(stand: &Stand, wanted: bool) -> anyhow::Result<()> {
    let mut last = String::new();
    let seen = until("ann is in the role, or not", SOON, async || {
        let said = stand.place.axon(&["status"]).await?;
        last = format!("{}{}", said.out, said.err);
        let there = stand.column(MEMBERS).await?.iter().any(|row| row == MEMBER);
        Ok((there == wanted).then_some(()))
    })
    .await;
    seen.with_context(|| last)
}

impl Made {
    async fn fails(&self, what: Value, times: u32, matching: &str) -> anyhow::Result<()> {
        let fault = json!({ "what": what, "times": times, "matching": matching });
        self.stand.pool.ask("POST", "/pool/faults", Some(fault)).await.map(drop)
    }

    /// Begins once the database is no target any more.
    async fn begin(&self) -> anyhow::Result<()> {
        until("the delete begins", SOON, async || {
            let answer = self.stand.delete("/1", Some(&self.credentials)).await?;
            tokio::time::sleep(BETWEEN).await;
            Ok((answer.status == 200).then_some(()))
        })
        .await
    }

    async fn ends(&self, wanted: &str) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        let seen = until("the delete ends", BUSY, async || {
            last = self.stand.get("/1/status").await?.is(200)?.body;
            tokio::time::sleep(BETWEEN).await;
            Ok((last["status"] != "deleting").then_some(()))
        })
        .await;
        seen.with_context(|| last.to_string())?;
        ensure!(last["status"] == wanted, "{last}");
        Ok(last)
    }

    /// Begins, and waits until the first statement is under way, for six seconds.
    async fn is_at_work(&self) -> anyhow::Result<()> {
        self.fails(json!({ "latency": { "millis": 6000 } }), 1, FIRST).await?;
        self.begin().await?;
        until("the delete is at work", SOON, async || {
            let log = self.stand.place.axon(&["audit", "export"]).await?.exits(0)?.out;
            Ok(log.lines().any(|line| line.contains(REMOVAL) && line.contains("intent")).then_some(()))
        })
        .await
    }

    /// Alters the row of the target's lease, as if another process had it by now.
    fn lease(&self, set: &str) -> anyhow::Result<()> {
        let set = format!("UPDATE leases SET {set}");
        if let Some(database) = self.stand.place.database() {
            return Postgres::shared()?.changes(database, &set, 1);
        }
        let store = rusqlite::Connection::open(self.stand.place.file("axon.db"))?;
        store.busy_timeout(SOON)?;
        ensure!(store.execute(&set, [])? == 1, "{set}: there is one such lease");
        Ok(())
    }

    /// As the administrator of Entra.
    async fn by_others(&self, batches: &str) -> anyhow::Result<()> {
        let refused = run_as(Steps::Token(&self.stand, &entra_token(ENTRA_ADMIN)), batches).await?;
        ensure!(refused.is_empty(), "{batches}: {refused:?}");
        Ok(())
    }

    /// Fails with these words, and nothing of the integration is gone.
    async fn fails_with(&self, words: &str) -> anyhow::Result<()> {
        let told = self.ends("deleteError").await?;
        ensure!(told["message"].as_str().is_some_and(|text| text.contains(words)), "{words}: {told}");
        let there = self.stand.column(PRINCIPALS).await?;
        for name in ["axon-mi", "axon_owner", "axon_reader", ANN] {
            ensure!(there.iter().any(|one| one == name), "{name} went: {there:?}");
        }
        Ok(())
    }

    /// A second delete takes all of it.
    async fn goes(&self) -> anyhow::Result<Value> {
        self.begin().await?;
        let told = self.ends("deleted").await?;
        let there = self.stand.column(PRINCIPALS).await?;
        ensure!(there == ["bob@acme.example", "planners", "setup"], "{there:?}: {told}");
        Ok(told)
    }

    /// What the journal says of a step that was sent.
    async fn results(&self, step: &str) -> anyhow::Result<Vec<String>> {
        let log = self.stand.place.axon(&["audit", "export"]).await?.exits(0)?.out;
        let of_step = log.lines().filter(|line| line.contains(step));
        let records = of_step.map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        Ok(records.iter().filter_map(|record| find(record, "result")).collect())
    }
}

/// The first text of this name, however deep.
fn find(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Object(map) => {
            let own = map.get(name).and_then(Value::as_str).map(str::to_owned);
            own.or_else(|| map.values().find_map(|one| find(one, name)))
        }
        Value::Array(all) => all.iter().find_map(|one| find(one, name)),
        _ => None,
    }
}

#[tokio::test]
async fn a_busy_pool_is_asked_again_and_one_that_stays_busy_keeps_all() -> anyhow::Result<()> {
    let made = made().await?;
    let busy = || json!({ "statement": { "number": 10928, "applied": false } });
    made.fails(busy(), 4, FIRST).await?;
    made.begin().await?;
    made.fails_with("somebody would keep what this gives").await?;
    ensure!(made.stand.column(MEMBERS).await?.iter().any(|row| row == MEMBER));
    let refused = made.results(REMOVAL).await?;
    ensure!(refused == ["refused"], "{refused:?}");
    // No role and no user was tried before the membership was gone.
    ensure!(made.results("drop role axon_reader").await?.is_empty());
    ensure!(made.results("drop user ann@acme.example").await?.is_empty());
    made.fails(busy(), 1, FIRST).await?;
    made.goes().await?;
    let results = made.results(REMOVAL).await?;
    ensure!(results == ["refused", "done"], "{results:?}");
    Ok(())
}

#[tokio::test]
async fn a_connection_that_breaks_ends_the_delete_whether_the_statement_took_effect_or_not()
-> anyhow::Result<()> {
    for applied in [false, true] {
        let made = made().await?;
        made.fails(json!({ "hangup": { "applied": applied } }), 1, FIRST).await?;
        made.begin().await?;
        made.fails_with("the connection broke").await?;
        let results = made.results(REMOVAL).await?;
        ensure!(results == ["unknown"], "{applied}: {results:?}");
        let there = made.stand.column(MEMBERS).await?.iter().any(|row| row == MEMBER);
        ensure!(there != applied, "{applied}");
        ensure!(made.results("drop role axon_reader").await?.is_empty());
        made.goes().await?;
    }
    Ok(())
}

/// A way to the pool that can be closed to whoever comes anew. Who is on it stays.
struct Door {
    port: u16,
    pool: String,
    way: tokio::task::JoinHandle<()>,
}

impl Door {
    async fn open(pool: String, port: u16) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        let (port, behind) = (listener.local_addr()?.port(), pool.clone());
        let way = tokio::spawn(async move {
            while let Ok((mut came, _)) = listener.accept().await {
                let behind = behind.clone();
                tokio::spawn(async move {
                    let Ok(mut there) = tokio::net::TcpStream::connect(behind).await else { return };
                    // It ends with either side.
                    let _ = tokio::io::copy_bidirectional(&mut came, &mut there).await;
                });
            }
        });
        Ok(Self { port, pool, way })
    }

    async fn close(&mut self) {
        self.way.abort();
        // The port is free once the task is gone.
        let _ = (&mut self.way).await;
    }

    async fn open_again(self) -> anyhow::Result<Self> {
        Self::open(self.pool, self.port).await
    }
}

#[tokio::test]
async fn where_there_is_no_way_to_the_pool_nothing_is_sent_and_that_is_on_record() -> anyhow::Result<()> {
    let stand = Stand::in_azure("none").await?;
    let mut door = Door::open(stand.pool.address().to_owned(), 0).await?;
    let made = made_by(stand, door.port).await?;
    // The last that is read before the first statement goes by a connection of its own.
    let latency = json!({ "latency": { "millis": 3000 } });
    made.fails(latency, 1, "u.create_date FROM sys.database_principals u WHERE u.type = 'R'").await?;
    made.begin().await?;
    until("the last of the look is under way", SOON, async || {
        let pool = made.stand.pool.ask("GET", "/pool", None).await?;
        Ok((pool["faultsWaiting"] == 0).then_some(()))
    })
    .await?;
    door.close().await;
    made.fails_with("there is no way to the pool").await?;
    ensure!(made.results(REMOVAL).await? == ["not-tried"]);
    ensure!(made.stand.column(MEMBERS).await?.iter().any(|row| row == MEMBER));
    let _door = door.open_again().await?;
    made.goes().await?;
    ensure!(made.results(REMOVAL).await? == ["not-tried", "done"]);
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_a_target_again_while_it_is_taken_away_is_left() -> anyhow::Result<()> {
    let made = made().await?;
    made.is_at_work().await?;
    made.stand.place.write("role-map.yaml", &made.map)?;
    made.fails_with("as its target").await?;
    ensure!(made.results("drop role axon_reader").await?.is_empty());
    // Its targets are read whole every five minutes, and the membership was there when this one was read first: what was under way then
    // took it. It is put back as soon as the delete has stopped.
    ensure!(made.results(REMOVAL).await? == ["done"]);
    is_member(&made.stand, true).await?;
    made.stand.place.write("role-map.yaml", WITHOUT_TARGETS)?;
    made.goes().await?;
    ensure!(made.results(REMOVAL).await? == ["done", "done"]);
    Ok(())
}

#[tokio::test]
async fn a_delete_whose_target_another_process_took_sends_nothing_more() -> anyhow::Result<()> {
    let made = made().await?;
    made.is_at_work().await?;
    made.lease("holder = 'other', generation = generation + 1 WHERE holder LIKE 'delete-%'")?;
    made.fails_with("a run on target").await?;
    // What was under way is told as what it was. Nothing was begun after it.
    ensure!(made.results(REMOVAL).await? == ["done"]);
    let log = made.stand.place.axon(&["audit", "export"]).await?.exits(0)?.out;
    let is_begun = |line: &&str| line.contains("drop role axon_reader") && line.contains("intent");
    ensure!(log.lines().find(is_begun).is_none(), "{log}");
    // As long as the other one has it, none begins.
    made.begin().await?;
    made.fails_with("a run on target").await?;
    made.lease("until = 0 WHERE holder = 'other'")?;
    made.goes().await?;
    Ok(())
}

#[tokio::test]
async fn a_role_that_others_made_again_is_theirs_and_stays() -> anyhow::Result<()> {
    let made = made().await?;
    made.is_no_target().await?;
    let gone = format!("EXEC sp_droprolemember 'axon_reader', '{ANN}'\nGO\nDROP ROLE axon_reader");
    made.by_others(&gone).await?;
    made.stand.pool.ask("POST", "/clock", Some(json!({ "advanceSeconds": 3600 }))).await?;
    made.by_others("CREATE ROLE axon_reader").await?;
    made.begin().await?;
    let told = made.ends("deleted").await?;
    let of_map = test(&told, "What The Role Map Made")?;
    let message = of_map["message"].as_str().unwrap_or_default();
    ensure!(message.contains("role axon_reader: it was made at another time"), "{of_map}");
    let there = made.stand.column(PRINCIPALS).await?;
    ensure!(there == ["axon_reader", "bob@acme.example", "planners", "setup"], "{there:?}");
    Ok(())
}

impl Made {
    /// Waits until the map in force has no target here: before that the reconciler would mend what others do.
    async fn is_no_target(&self) -> anyhow::Result<()> {
        until("the map without the target is in force", SOON, async || {
            let told = self.stand.get("/1/status").await?.is(200)?.body;
            tokio::time::sleep(BETWEEN).await;
            Ok((test(&told, "Validate Role Map Target")?["status"] == "skipped").then_some(()))
        })
        .await
    }
}

#[tokio::test]
async fn where_not_all_can_be_seen_all_is_kept_and_what_hides_nothing_keeps_nothing() -> anyhow::Result<()> {
    let made = made().await?;
    // A role that nobody can name could keep its members out of something. It comes while the delete is at work.
    made.is_at_work().await?;
    made.by_others("CREATE ROLE [ hidden]").await?;
    made.fails_with("not all of the catalog can be read any more").await?;
    ensure!(made.results(REMOVAL).await? == ["done"]);
    made.begin().await?;
    made.fails_with("what cannot may keep somebody out").await?;
    ensure!(made.results("drop role axon_reader").await?.is_empty());
    // What is read as more than it is hides nothing.
    made.by_others("DROP ROLE [ hidden]").await?;
    let bob = "bob@acme.example";
    let table = "CREATE TABLE dbo.t (a int, b int)\nGO\nGRANT SELECT ON dbo.t TO";
    made.by_others(&format!("{table} [{bob}] WITH GRANT OPTION")).await?;
    let by_bob = "GRANT SELECT ON dbo.t TO planners\nGO\nREVOKE SELECT ON dbo.t (a) FROM planners";
    let refused = run_as(Steps::Token(&made.stand, &entra_token(bob)), by_bob).await?;
    ensure!(refused.is_empty(), "{refused:?}");
    let told = made.goes().await?;
    let of_map = test(&told, "What The Role Map Made")?;
    ensure!(
        of_map["message"].as_str().is_some_and(|text| text.contains("leaves out a by a REVOKE")),
        "{of_map}"
    );
    Ok(())
}

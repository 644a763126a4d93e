//! Leavers are out at once, also with an open session; movers keep what stays.

use anyhow::ensure;
use axon_tests::{CONFIG, MAP, Place, Pool, SOON, Serve, Stage, Tds, number, until};
use serde_json::json;

const KIM: &str = "kim@acme.example";
const ANA: &str = "ana@acme.example";
const BOB: &str = "bob@acme.example";
const LEE: &str = "lee@acme.example";

/// Waits until the pool has ended this session.
async fn cut(session: &mut Tds) -> anyhow::Result<()> {
    until("the open session is cut", SOON, async || {
        Ok(session.run("SELECT order_id FROM sales.orders").await.is_err().then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_leaver_with_an_open_session_is_cut_and_cannot_come_back() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM, ANA]).await?;
    let (kim, ana) = (stage.scim.person(KIM).await?, stage.scim.person(ANA).await?);
    stage.scim.group("Readers", &[&kim, &ana]).await?;
    stage.catalog_when("both read", |c| !c.roles_of(KIM).is_empty() && !c.roles_of(ANA).is_empty()).await?;
    let mut of_kim = stage.pool.person(KIM).await?;
    let mut of_ana = stage.pool.person(ANA).await?;
    ensure!(
        of_kim.column("SELECT region FROM sales.orders").await? == ["north"],
        "kim reads through the role"
    );
    of_ana.run("SELECT order_id FROM sales.orders").await?;

    // By hand, on a thing that no statement of Axon's is about: named while kim is here, and when kim has left.
    let key = json!({"grantee": KIM, "class": 25, "id": 257, "permission": "CONTROL", "state": "GRANT"});
    stage.pool.ask("POST", "/pool/permissions", Some(key)).await?;
    let named = format!("GRANT CONTROL on certificate with id 257 to {KIM}: Axon sends no statement");
    let drift = stage.place.axon(&["drift", "list"]).await?.exits(3)?.out;
    ensure!(drift.contains(&named), "{drift}");

    stage.scim.activate(&kim, "False").await?;
    cut(&mut of_kim).await?;
    let refused = stage.pool.person(KIM).await.err();
    ensure!(refused.as_ref().and_then(number) == Some(18456), "{refused:?}");
    let catalog = stage.catalog_when("kim is shut out", |c| c.shut_out.contains(KIM)).await?;
    ensure!(catalog.people.contains(KIM), "the principal stays as a tombstone");
    stage.catalog_when("nothing is left", |c| c.roles_of(KIM).is_empty()).await?;
    let drift = stage.place.axon(&["drift", "list"]).await?.exits(3)?.out;
    ensure!(drift.contains(&named), "{drift}");
    of_ana.run("SELECT order_id FROM sales.orders").await?;
    let sent = stage.place.statements().await?;
    let place = |part: &str| sent.iter().position(|s| s.contains(part) && s.contains(KIM));
    let (denied, stripped) = (place("DENY CONNECT"), place("sp_droprolemember"));
    ensure!(denied.is_some() && denied < stripped, "the door is shut first: {sent:#?}");
    ensure!(sent.iter().any(|s| s.starts_with("KILL '")), "{sent:#?}");

    // Who comes back may enter again and has what the map gives, no more.
    stage.scim.activate(&kim, "True").await?;
    stage
        .catalog_when("kim is back", |c| !c.shut_out.contains(KIM) && c.roles_of(KIM) == ["axon_reader"])
        .await?;
    let mut back = stage.pool.person(KIM).await?;
    back.run("SELECT order_id FROM sales.orders").await?;

    // Names of people are in the journal, where they can be erased: not in logs, not in metrics.
    let (_, metrics) = stage.serve.page("/metrics").await?;
    let log = stage.place.read("serve.log")?;
    ensure!(metrics.contains("axon_reconcile_steps_total") && !metrics.contains("acme.example"), "{metrics}");
    ensure!(log.contains("\"serving SCIM") && !log.contains(KIM) && !log.contains(ANA), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_deleted_user_leaves_a_tombstone_that_a_namesake_does_not_open_by_itself() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM]).await?;
    let kim = stage.scim.person(KIM).await?;
    let readers = stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    let mut session = stage.pool.person(KIM).await?;
    stage.scim.delete(&format!("/Users/{kim}")).await?.is(204)?;
    stage.scim.get(&format!("/Users/{kim}")).await?.refuses(404, "", &[])?;
    let group = stage.scim.get(&format!("/Groups/{readers}")).await?.is(200)?;
    ensure!(group.body["members"].as_array().is_none_or(Vec::is_empty), "{}", group.body);
    cut(&mut session).await?;
    let catalog = stage
        .catalog_when("kim is a tombstone", |c| c.shut_out.contains(KIM) && c.roles_of(KIM).is_empty())
        .await?;
    ensure!(catalog.people.contains(KIM), "{catalog:#?}");
    ensure!(stage.pool.person(KIM).await.err().as_ref().and_then(number) == Some(18456));

    // The same user name again, in no group: has nothing, and may not enter.
    stage.scim.person(KIM).await?;
    stage.settled().await?;
    let catalog = stage.catalog().await?;
    ensure!(catalog.shut_out.contains(KIM) && catalog.roles_of(KIM).is_empty(), "{catalog:#?}");
    Ok(())
}

#[tokio::test]
async fn a_mover_keeps_what_stays_and_the_open_session() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM]).await?;
    let kim = stage.scim.person(KIM).await?;
    let readers = stage.scim.group("Readers", &[&kim]).await?;
    let writers = stage.scim.group("Writers", &[]).await?;
    stage.scim.group("Regions", &[&kim]).await?;
    stage.catalog_when("kim has two roles", |c| c.roles_of(KIM) == ["axon_reader", "axon_region"]).await?;
    let mut session = stage.pool.person(KIM).await?;
    stage.scim.join(&writers, &kim).await?;
    stage.scim.part(&readers, &kim).await?;
    stage.catalog_when("kim moved", |c| c.roles_of(KIM) == ["axon_region", "axon_writer"]).await?;
    stage.settled().await?;
    session.run("SELECT region_id FROM sales.regions").await?;
    session.run("INSERT INTO sales.orders VALUES (2, N'south', 1.00)").await?;
    let sent: Vec<String> = stage.place.statements().await?.into_iter().filter(|s| s.contains(KIM)).collect();
    let gives = sent.iter().position(|s| s.contains("sp_addrolemember N'axon_writer'"));
    let takes = sent.iter().position(|s| s.contains("sp_droprolemember N'axon_reader'"));
    ensure!(gives.is_some() && gives < takes, "what stays is never away in between: {sent:#?}");
    ensure!(
        !sent.iter().any(|s| s.contains("DENY") || s.contains("N'axon_region'") && s.contains("drop")),
        "{sent:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn who_is_refused_by_the_killing_of_sessions_is_still_shut_out() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM]).await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    let mut session = stage.pool.person(KIM).await?;
    stage.pool.lever("statement 40613 before KILL").await?;
    stage.scim.activate(&kim, "False").await?;
    stage.catalog_when("kim is shut out", |c| c.shut_out.contains(KIM) && c.roles_of(KIM).is_empty()).await?;
    cut(&mut session).await
}

#[tokio::test]
async fn who_left_is_dropped_when_the_time_has_come_and_made_anew_when_back() -> anyhow::Result<()> {
    let place = Place::new([KIM, ANA])?;
    let pool = Pool::start(&place, 0).await?;
    place.furnish(&format!("{MAP}guards: {{ tombstones: 1s }}\n"), pool.port()?)?;
    place.write(
        "axon.yaml",
        &CONFIG.replace("retry_seconds: 1", "retry_seconds: 1, inspect_every_seconds: 1"),
    )?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let stage = Stage { pool, serve, scim, token, place };
    let (kim, ana) = (stage.scim.person(KIM).await?, stage.scim.person(ANA).await?);
    stage.scim.group("Readers", &[&kim, &ana]).await?;
    stage.catalog_when("both read", |c| !c.roles_of(KIM).is_empty() && !c.roles_of(ANA).is_empty()).await?;
    let mut session = stage.pool.person(KIM).await?;

    // Kim owns a schema, which no plan gives away.
    let mut admin = stage.pool.admin().await?;
    admin.run(&format!("CREATE SCHEMA lab AUTHORIZATION [{KIM}]")).await?;
    stage.scim.activate(&kim, "False").await?;
    cut(&mut session).await?;
    let words = format!(
        "{KIM}, who left, is shut out and not dropped: it owns schema lab (ALTER AUTHORIZATION ON SCHEMA::lab TO dbo)"
    );
    until("the schema is named", SOON, async || {
        Ok(stage.place.axon(&["status"]).await?.out.contains(&words).then_some(()))
    })
    .await?;
    let why = stage.place.axon(&["explain", KIM]).await?.exits(0)?.out;
    ensure!(why.contains("in warehouse: shut out since"), "{why}");
    let plan = stage.place.axon(&["plan"]).await?.out;
    ensure!(plan.contains(&words), "{plan}");
    // Nobody can do more than was asked for: the target is behind in nothing, and the metric of its own tells.
    stage.state("converged").await?;
    ensure!(stage.serve.metric("axon_target_converged_bool").await? > 0.5);
    ensure!(stage.serve.metric("axon_tombstones_stuck_users").await? > 0.5);
    admin.run("ALTER AUTHORIZATION ON SCHEMA::lab TO dbo").await?;
    stage.catalog_when("kim is dropped", |c| !c.people.contains(KIM)).await?;
    stage.state("converged").await?;
    let sent: Vec<String> = stage.place.statements().await?.into_iter().filter(|s| s.contains(KIM)).collect();
    let place_of = |words: &str| sent.iter().rposition(|statement| statement.contains(words));
    ensure!(place_of("DENY CONNECT") < place_of("DROP USER"), "{sent:#?}");

    stage.scim.activate(&kim, "True").await?;
    stage.catalog_when("kim is back", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    stage.pool.person(KIM).await?.run("SELECT order_id FROM sales.orders").await?;
    stage.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

/// These people leave as one wave: all but the first while the statement that shuts the first one out takes its time.
async fn leave_at_once(stage: &Stage, people: &[&str]) -> anyhow::Result<()> {
    stage.pool.lever("latency 5000 1 DENY CONNECT").await?;
    for (n, who) in people.iter().enumerate() {
        stage.scim.activate(who, "False").await?;
        if n == 0 {
            until("the first one's statement is on its way", SOON, async || {
                let pool = stage.pool.ask("GET", "/pool", None).await?;
                Ok((pool["faultsWaiting"] == 0).then_some(()))
            })
            .await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_wave_of_leavers_that_was_announced_goes_and_one_that_was_not_waits() -> anyhow::Result<()> {
    let names: Vec<String> = (0..7).map(|n| format!("user{n}@acme.example")).collect();
    let map = format!("{MAP}guards: {{ leavers: {{ window: 24h, most: 0%, floor: 0 }} }}\n");
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = Stage::set_with(&known, &map).await?;
    let mut ids = Vec::new();
    for who in &names {
        ids.push(stage.scim.person(who).await?);
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    stage.scim.group("Readers", &ids).await?;
    stage.catalog_when("all read", |c| names.iter().all(|who| !c.roles_of(who).is_empty())).await?;

    let place = &stage.place;
    let announce = |target: &'static str, time: &'static str| {
        let words = ["holds", "announce", "--target", target, "--leavers", "3", "--for", time];
        [&words[..], &["--reason", "a team ends"]].concat()
    };
    place.axon(&announce("dw", "1h")).await?.exits(1)?.says(&["names no target", "warehouse"])?;
    place.axon(&announce("warehouse", "8d")).await?.exits(1)?.says(&["over 7 days"])?;
    let said = place.axon(&announce("warehouse", "1h")).await?.exits(0)?.out;
    ensure!(said.starts_with("released ") && said.contains("up to 3 people more than usual"), "{said}");
    place.axon(&["holds", "list", "--check"]).await?.exits(0)?;
    leave_at_once(&stage, &ids[..3]).await?;
    stage.catalog_when("three are out", |c| names[..3].iter().all(|who| c.shut_out.contains(who))).await?;
    stage.settled().await?;
    place.axon(&["holds", "list", "--check"]).await?.exits(0)?;

    // The first of these goes as a single one, and two at once were not announced.
    leave_at_once(&stage, &ids[3..6]).await?;
    until("the two are held", SOON, async || {
        let said = place.axon(&["holds", "list", "--check"]).await?;
        Ok((said.code == Some(3) && said.out.contains(&names[4]) && said.out.contains(&names[5]))
            .then_some(()))
    })
    .await?;
    let catalog = stage.catalog().await?;
    ensure!(catalog.shut_out.contains(&names[3]), "{catalog:#?}");
    ensure!(names[4..6].iter().all(|who| !catalog.shut_out.contains(who)), "{catalog:#?}");
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

const LEAVING: &str = "urn:example:leaving:2.0:User";

/// A source that says when people really left, and ten seconds to be out.
async fn timed(objective: &str) -> anyhow::Result<Stage> {
    let place = Place::new([KIM, ANA, BOB, LEE])?;
    let pool = Pool::start(&place, 0).await?;
    place.furnish(MAP, pool.port()?)?;
    let schema = json!({ "id": LEAVING, "attributes": [{ "name": "leaveDateTime", "type": "dateTime" }] });
    place.write("leaving.json", &schema.to_string())?;
    let config = CONFIG
        .replace("retry_seconds: 1", &format!("retry_seconds: 1, leaver_objective: {objective}"))
        .replace("entra: { kind: entra }", "entra: { kind: entra, leaver_event: leaveDateTime }");
    place.write("axon.yaml", &format!("{config}extensions: [leaving.json]\n"))?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    Ok(Stage { pool, serve, scim, token, place })
}

async fn leaving(stage: &Stage, who: &str, at: &str) -> anyhow::Result<String> {
    let mut body = axon_tests::user(who);
    body["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User", LEAVING]);
    body[LEAVING] = json!({ "leaveDateTime": at });
    stage.scim.post("/Users", &body).await?.is(201)?.id()
}

/// The one target of the report.
async fn report(stage: &Stage, status: i32) -> anyhow::Result<serde_json::Value> {
    let told = stage.place.axon(&["report", "leavers", "--json"]).await?.exits(status)?.out;
    let told: serde_json::Value = serde_json::from_str(&told)?;
    ensure!(told["percentiles"] == "nearest-rank", "{told}");
    Ok(told["targets"][0].clone())
}

#[tokio::test]
async fn a_leaver_is_timed_from_the_push_and_from_the_providers_own_event_and_both_are_evidence()
-> anyhow::Result<()> {
    let stage = timed("1m").await?;
    let (kim, ana) = (
        leaving(&stage, KIM, "2026-01-01T00:00:00Z").await?,
        leaving(&stage, ANA, "9999-12-31T00:00:00Z").await?,
    );
    let bob = leaving(&stage, BOB, "2026-02-01T00:00:00Z").await?;
    // Somebody stays: a source in which nobody is active any more is no mass removal.
    let lee = stage.scim.person(LEE).await?;
    stage.scim.group("Readers", &[&kim, &ana, &bob, &lee]).await?;
    stage.catalog_when("all read", |c| [KIM, ANA, BOB].iter().all(|who| !c.roles_of(who).is_empty())).await?;
    let mut session = stage.pool.person(KIM).await?;
    stage.scim.activate(&kim, "False").await?;
    stage.scim.activate(&ana, "False").await?;
    stage.scim.delete(&format!("/Users/{bob}")).await?.is(204)?;
    cut(&mut session).await?;
    let told = until("all three are timed", SOON, async || {
        let told = report(&stage, 0).await?;
        Ok((told["out"] == 3).then_some(told))
    })
    .await?;
    ensure!(told["within_objective"] == 3 && told["open"] == json!([]) && told["returned"] == 0, "{told:#}");
    ensure!(told["from_push"]["count"] == 3 && told["from_event"]["count"] == 2, "{told:#}");
    let of =
        |who: &str| told["leavers"].as_array().unwrap().iter().find(|one| one["principal"] == who).unwrap();
    let month = 86_400_000_u64 * 28;
    for (who, way, event) in
        [(KIM, "deactivated", "known"), (ANA, "deactivated", "ahead"), (BOB, "deleted", "known")]
    {
        let one = of(who);
        ensure!(
            (&one["way"], &one["event"], &one["within"]) == (&json!(way), &json!(event), &json!(true)),
            "{one:#}"
        );
        ensure!(one["millis"].as_u64().is_some_and(|millis| millis < 60_000), "{one:#}");
        ensure!(one["shut_out_at"].is_string(), "{one:#}");
        let long = one["event_millis"].as_u64().is_some_and(|millis| millis > month);
        ensure!(long == (event == "known"), "{one:#}");
    }
    let people = stage.place.axon(&["report", "leavers", "--since", "2026-01-01"]).await?.exits(0)?.out;
    ensure!(people.contains("3 left and are out, 3 of them in time") && people.contains(KIM), "{people}");
    let none = stage.place.axon(&["report", "leavers", "--until", "2026-01-01"]).await?.exits(0)?.out;
    ensure!(none.contains("0 left and are out") && !none.contains(KIM), "{none}");
    let proved = stage.place.axon(&["audit", "verify"]).await?.exits(0)?.out;
    ensure!(proved.contains("the chain holds"), "{proved}");
    let (_, metrics) = stage.serve.page("/metrics").await?;
    ensure!(metrics.contains("axon_leaver_seconds_count{target=\"warehouse\"} 3"), "{metrics}");
    ensure!(metrics.contains("axon_leaver_event_seconds_count{target=\"warehouse\"} 2"), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn who_leaves_while_the_pool_is_paused_is_late_by_name_also_over_a_kill_of_the_server()
-> anyhow::Result<()> {
    let mut stage = timed("1s").await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    stage.pool.lever("power paused").await?;
    stage.scim.activate(&kim, "False").await?;
    for again in [true, false] {
        until("kim is late", SOON, async || {
            let late = stage.serve.metric("axon_leaver_overdue_bool").await? > 0.0;
            let runs = stage.serve.metric("axon_leaver_oldest_open_seconds").await? > 1.0;
            Ok((late && runs).then_some(()))
        })
        .await?;
        let status = until("it is told why", SOON, async || {
            let status = stage.place.axon(&["status"]).await?.out;
            Ok(status.contains("which is too long: the target is paused").then_some(status))
        })
        .await?;
        ensure!(status.contains(&format!("note: {KIM} left at")), "{status}");
        let told = report(&stage, 3).await?;
        ensure!(told["out"] == 0 && told["open"][0]["principal"] == KIM, "{told:#}");
        ensure!(told["open"][0]["late"] == true, "{told:#}");
        if again {
            let Stage { pool, serve, scim: _, token, place } = stage;
            serve.kill().await?;
            let serve = Serve::start(&place).await?;
            let scim = serve.scim(&token);
            stage = Stage { pool, serve, scim, token, place };
        }
    }
    stage.pool.lever("power online").await?;
    let told = until("kim is out", SOON * 4, async || {
        let told = report_any(&stage).await?;
        Ok((told["out"] == 1).then_some(told))
    })
    .await?;
    ensure!(told["within_objective"] == 0 && told["open"] == json!([]), "{told:#}");
    let one = &told["leavers"][0];
    ensure!(one["event"] == "absent" && one["within"] == false, "{one:#}");
    ensure!(stage.serve.metric("axon_leaver_overdue_bool").await? < 0.5);
    stage.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

/// The same, whether somebody is late or not.
async fn report_any(stage: &Stage) -> anyhow::Result<serde_json::Value> {
    let told = stage.place.axon(&["report", "leavers", "--json"]).await?.out;
    Ok(serde_json::from_str::<serde_json::Value>(&told)?["targets"][0].clone())
}

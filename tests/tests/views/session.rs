//! Reading as another person in a pool whose sessions have no context: the permission names one session.

use anyhow::{Context, ensure};
use axon_tests::{Pool, SOON, Serve, Stage, Tds, until};
use serde_json::json;

use super::acting::{CARA, acting_map};
use super::{ANN, ASKED, BOB, Rows, people, read_when, stage_where};

/// What a pool says that does not know the function. Nothing that a view asks for may hold it then.
pub(super) async fn lacks_session_context(pool: &Pool) -> anyhow::Result<()> {
    let no = json!({ "statement": { "number": 195, "message": "'SESSION_CONTEXT' is not a recognized built-in function name." } });
    let order = json!({ "what": no, "times": 1_000_000, "matching": "SESSION_CONTEXT(" });
    pool.ask("POST", "/pool/faults", Some(order)).await.map(drop)
}

pub(super) async fn id_of(session: &mut Tds) -> anyhow::Result<String> {
    session.column("SELECT SESSION_ID()").await?.pop().context("a session has an id")
}

pub(super) async fn permissions(pool: &Pool) -> anyhow::Result<Vec<String>> {
    pool.admin().await?.column("SELECT a.session_id FROM axon.acting_sessions AS a WHERE a.role = N''").await
}

/// Waits until this session reads so many rows.
pub(super) async fn reads(session: &mut Tds, rows: usize) -> anyhow::Result<Rows> {
    let mut last = String::new();
    let found = until("the session reads as it should", SOON, async || {
        let seen = session.rows(ASKED).await;
        last = format!("{seen:?}");
        Ok(seen.ok().filter(|seen| seen.len() == rows))
    })
    .await;
    found.with_context(|| last)
}

/// Cara is of support, in a pool that lacks SESSION_CONTEXT, and Ann reads these rows.
pub(super) async fn cara_supports() -> anyhow::Result<(Stage, Rows)> {
    let stage = stage_where(&[ANN, BOB, CARA], &acting_map(), lacks_session_context).await?;
    people(&stage.scim).await?;
    let cara = stage.scim.person(CARA).await?;
    stage.scim.group("Support", &[&cara]).await?;
    let own = read_when(&stage.pool, ANN, "ann reads her rows", ASKED, |rows| rows.len() == 1).await?;
    read_when(&stage.pool, CARA, "cara reads nothing as herself", ASKED, Vec::is_empty).await?;
    Ok((stage, own))
}

#[tokio::test]
async fn without_a_session_context_a_permission_holds_in_one_session_and_not_after_a_pause()
-> anyhow::Result<()> {
    let (mut stage, own) = cara_supports().await?;
    let asks = async |more: &[&str]| -> anyhow::Result<String> {
        let mut start = vec!["impersonate", "start", "--user", CARA, "--as", ANN, "--for", "30m"];
        start.extend(["--reason", "ticket 7"]);
        start.extend(more);
        let said = stage.place.axon(&start).await?.exits(0)?;
        Ok(said.out.split_whitespace().next().unwrap_or_default().to_owned())
    };
    let ends =
        async |id: &str| stage.place.axon(&["impersonate", "stop", id, "--reason", "done"]).await?.exits(0);
    let waits_because = async |why: &str| {
        until(why, SOON, async || Ok(stage.place.axon(&["status"]).await?.out.contains(why).then_some(())))
            .await
    };

    // Without a session, or in one that is somebody else's, it gives nothing and says why.
    let (mut one, mut other) = (stage.pool.person(CARA).await?, stage.pool.person(CARA).await?);
    let mut bobs = stage.pool.person(BOB).await?;
    let (id, bob) = (id_of(&mut one).await?, id_of(&mut bobs).await?);
    for (more, why) in [
        (vec![], "the target has no SESSION_CONTEXT()"),
        (vec!["--session", bob.as_str()], "is not one of cara@acme.example"),
        (vec!["--session", "SID900900"], "session SID900900 has ended, or was never there"),
    ] {
        let request = asks(&more).await?;
        waits_because(why).await?;
        ensure!(permissions(&stage.pool).await?.is_empty(), "{why}");
        ends(&request).await?;
    }
    ensure!(reads(&mut bobs, 2).await?.len() == 2, "bob reads as himself all the while");
    stage
        .place
        .axon(&["impersonate", "start", "--as", ANN, "--user", CARA, "--for", "1m", "--session", "7 OR 1"])
        .await?
        .exits(1)?
        .says(&["the session is none"])?;

    // In the one that was named she reads what Ann reads, to the letter, and in no other one; nor does anybody else.
    let request = asks(&["--session", &id]).await?;
    ensure!(reads(&mut one, 1).await? == own);
    ensure!(other.rows(ASKED).await?.is_empty(), "another session of hers is herself");
    ensure!(bobs.rows(ASKED).await?.len() == 2, "bob is himself");
    ensure!(permissions(&stage.pool).await? == std::slice::from_ref(&id));
    for table in ["base.customers", "axon.acting_sessions", "axon.profile"] {
        ensure!(one.run(&format!("SELECT * FROM {table}")).await.is_err(), "{table}");
    }
    // The session's id of another person's permission, another security id, an end that is over: nothing, not even her own rows.
    let mut admin = stage.pool.admin().await?;
    admin.run("UPDATE axon.acting_sessions SET actor_sid = 0x00112233445566778899AABBCCDDEEFF").await?;
    ensure!(one.rows(ASKED).await?.is_empty(), "another security id");
    reads(&mut one, 1).await?;
    admin.run("UPDATE axon.acting_sessions SET until = CAST(N'2020-01-01T00:00:00' AS datetime2(0))").await?;
    ensure!(one.rows(ASKED).await?.is_empty(), "its end is over");
    reads(&mut one, 1).await?;

    // The session ends: so does the permission, and no later session gets it.
    drop(one);
    until("it ended with its session", SOON, async || {
        Ok(permissions(&stage.pool).await?.is_empty().then_some(()))
    })
    .await?;
    waits_because("has ended, or was never there").await?;
    ends(&request).await?;

    // Ids of sessions begin anew after a pause. Whoever has the same one then is not who asked.
    let mut one = stage.pool.person(CARA).await?;
    let id = id_of(&mut one).await?;
    let request = asks(&["--session", &id]).await?;
    reads(&mut one, 1).await?;
    ensure!(stage.serve.stop().await?.success());
    stage.pool.lever("power paused").await?;
    stage.pool.lever("power online").await?;
    let mut again = stage.pool.person(CARA).await?;
    while id_of(&mut again).await? != id {
        again = stage.pool.person(CARA).await?;
    }
    stage.serve = Serve::start(&stage.place).await?;
    until("the permission is taken out", SOON, async || {
        Ok(permissions(&stage.pool).await?.is_empty().then_some(()))
    })
    .await?;
    until("it is said why", SOON, async || {
        let said = stage.place.axon(&["status"]).await?.out;
        Ok(said.contains("began after it was asked for").then_some(()))
    })
    .await?;
    ensure!(permissions(&stage.pool).await?.is_empty() && again.rows(ASKED).await?.is_empty());
    stage.place.axon(&["impersonate", "stop", &request, "--reason", "done"]).await?.exits(0)?;

    // Where nobody looks whether the session lives, it holds for minutes only, whatever was asked for.
    let id = id_of(&mut again).await?;
    let start = ["impersonate", "start", "--user", CARA, "--as", ANN, "--for", "30m", "--reason", "ticket 8"];
    stage.place.axon(&[&start[..], &["--session", &id]].concat()).await?.exits(0)?;
    reads(&mut again, 1).await?;
    ensure!(stage.serve.stop().await?.success());
    stage.pool.ask("POST", "/clock", Some(json!({ "advanceSeconds": 601 }))).await?;
    ensure!(again.rows(ASKED).await?.is_empty(), "nobody renewed it");
    ensure!(permissions(&stage.pool).await? == [id]);
    Ok(())
}

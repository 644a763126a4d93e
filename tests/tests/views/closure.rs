//! Ways past a view, by whatever grant or role, as they are found in a running target; and who is let in by Axon's own plan.

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, Place, Pool, SOON, Stage, until};

use super::acting::{CARA, acting_map, cara_may_ask};
use super::{
    ANN, ASKED, BOB, living_in, map, people, read, read_when, refused, stage, stage_of, stage_that_looks,
};

async fn is_closed(stage: &Stage, words: &str) -> anyhow::Result<()> {
    let mut last = String::new();
    until("the view is closed", SOON, async || {
        last = stage.place.axon(&["status"]).await?.out;
        let closed = refused(&stage.pool, BOB, ASKED).await? == Some(207);
        Ok((closed && last.contains(words)).then_some(()))
    })
    .await
    .with_context(|| format!("{words}: {last}"))
}

#[tokio::test]
async fn keys_to_roles_people_and_code_close_the_view_until_they_are_taken_away() -> anyhow::Result<()> {
    let stage = stage(&map(false)).await?;
    people(&stage.scim).await?;
    let one = |rows: &super::Rows| rows.len() == 1 && rows[0][1].as_deref() == Some("E***");
    read_when(&stage.pool, ANN, "ann reads her rows", ASKED, one).await?;
    let mut admin = stage.pool.admin().await?;
    admin.run("CREATE ROLE passing").await?;
    admin.run(&format!("EXEC sp_addrolemember N'passing', N'{ANN}'")).await?;
    let granted = |what: &str| {
        let (give, take) = (format!("GRANT {what} TO passing"), format!("REVOKE {what} FROM passing"));
        (give, take, "by role passing".to_owned())
    };
    for (give, take, words) in [
        granted("ALTER ANY ROLE"),
        granted("ALTER ANY USER"),
        granted("ALTER ANY SCHEMA"),
        granted("EXECUTE ON SCHEMA::base"),
        granted("ALTER ON ROLE::axon_finance"),
        granted(&format!("IMPERSONATE ON USER::[{BOB}]")),
        (
            "EXEC sp_addrolemember N'db_datawriter', N'passing'".to_owned(),
            "EXEC sp_droprolemember N'db_datawriter', N'passing'".to_owned(),
            "by role db_datawriter".to_owned(),
        ),
        (
            format!("ALTER AUTHORIZATION ON ROLE::axon_finance TO [{ANN}]"),
            "ALTER AUTHORIZATION ON ROLE::axon_finance TO dbo".to_owned(),
            "by ownership of role axon_finance".to_owned(),
        ),
    ] {
        admin.run(&give).await.with_context(|| give.clone())?;
        is_closed(&stage, &words).await.with_context(|| give.clone())?;
        admin.run(&take).await.with_context(|| take.clone())?;
        read_when(&stage.pool, ANN, "the view is open again", ASKED, one)
            .await
            .with_context(|| take.clone())?;
    }
    Ok(())
}

#[tokio::test]
async fn whom_the_plan_lets_in_is_looked_at_before_it_does() -> anyhow::Result<()> {
    // The pool is looked at once: what is found later is found in what is planned.
    let never = "inspect_every_seconds: 3600, probe_views_hours: 0";
    let stage = stage_that_looks(never, Place::new([ANN, BOB])?, &map(false), async |pool: &Pool| {
        let mut entra = pool.person(ENTRA_ADMIN).await?;
        entra.run(&format!("CREATE USER [{ANN}] FROM EXTERNAL PROVIDER")).await?;
        let mut admin = pool.admin().await?;
        admin.run(&format!("EXEC sp_addrolemember N'db_datawriter', N'{ANN}'")).await?;
        Ok(())
    })
    .await?;
    let ann = stage.scim.post("/Users", &living_in(ANN, "north")).await?.is(201)?.id()?;
    let bob = stage.scim.post("/Users", &living_in(BOB, "nowhere")).await?.is(201)?.id()?;
    stage.scim.group("Finance", &[&bob]).await?;
    read_when(&stage.pool, BOB, "bob reads every row", ASKED, |rows| rows.len() == 2).await?;

    // Ann writes what views believe. The step that lets her read one closes it first.
    stage.scim.group("Analysts", &[&ann]).await?;
    is_closed(&stage, "by role db_datawriter").await?;
    ensure!(read(&stage.pool, ANN, ASKED).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_view_is_closed_in_mode_additive_too_and_a_finding_keeps_no_other_view_from_its_probe()
-> anyhow::Result<()> {
    let additive = map(false).replace("mode: authoritative", "mode: additive");
    let stage = stage(&additive).await?;
    people(&stage.scim).await?;
    let one = |rows: &super::Rows| rows.len() == 1;
    read_when(&stage.pool, ANN, "ann reads her rows", ASKED, one).await?;
    let mut admin = stage.pool.admin().await?;
    admin.run("CREATE ROLE passing").await?;
    admin.run(&format!("EXEC sp_addrolemember N'passing', N'{ANN}'")).await?;
    admin.run("GRANT SELECT ON OBJECT::base.customers TO passing").await?;
    is_closed(&stage, "view secure.customers shows nothing, since it does not close its table").await?;

    // The other view is read by nobody who passes it: it changes, and is probed all the same.
    let probes = async || {
        let journal = stage.place.journal().await?;
        let probes = journal.iter().filter(|record| record.kind == "view-probe");
        let of_it = probes.filter(|record| record.record["facts"]["view"] == "every.base_customers");
        anyhow::Ok(of_it.rev().find_map(|record| record.record["facts"]["text"].as_str().map(str::to_owned)))
    };
    let before = until("it was probed", SOON, probes).await?;
    let changed = stage.place.read("role-map.yaml")?.replace(
        "      id: show\n      \"tag:pii\": { mask: \"null\" }",
        "      id: { mask: redact }\n      \"tag:pii\": { mask: \"null\" }",
    );
    stage.place.write("role-map.yaml", &changed)?;
    until("its new text was probed", SOON, async || Ok(probes().await?.filter(|text| *text != before)))
        .await?;
    Ok(())
}

/// EXECUTE AS asks for no permission of Axon's: who may put on another by a hand's grant is told, with what to do about it.
#[tokio::test]
async fn who_may_put_on_another_by_hand_is_told_with_the_remedy() -> anyhow::Result<()> {
    let stage = stage_of(&[ANN, BOB, CARA], &acting_map()).await?;
    cara_may_ask(&stage).await?;
    let mut admin = stage.pool.admin().await?;
    let one = format!("{BOB} may become {ANN} by EXECUTE AS and reads views so: take that permission away");
    let all = |by: &str| {
        format!(
            "{CARA} may become anybody by EXECUTE AS and reads views so, by {by}: take that away, or know that views \
             keep nothing from them"
        )
    };
    for (give, take, words) in [
        (
            format!("GRANT IMPERSONATE ON USER::[{ANN}] TO [{BOB}]"),
            format!("REVOKE IMPERSONATE ON USER::[{ANN}] FROM [{BOB}]"),
            one.clone(),
        ),
        (
            format!("GRANT CONTROL ON USER::[{ANN}] TO [{BOB}]"),
            format!("REVOKE CONTROL ON USER::[{ANN}] FROM [{BOB}]"),
            one,
        ),
        (
            format!("GRANT CONTROL TO [{CARA}]"),
            format!("REVOKE CONTROL FROM [{CARA}]"),
            all("CONTROL on the database"),
        ),
        (
            format!("EXEC sp_addrolemember N'db_owner', N'{CARA}'"),
            format!("EXEC sp_droprolemember N'db_owner', N'{CARA}'"),
            all("membership of db_owner"),
        ),
    ] {
        admin.run(&give).await.with_context(|| give.clone())?;
        for command in ["status", "plan"] {
            told_when(&stage, command, &words, true).await.with_context(|| give.clone())?;
        }
        // It is no empty word.
        let mut holder = stage.pool.person(if words.starts_with(BOB) { BOB } else { CARA }).await?;
        holder.run(&format!("EXECUTE AS USER = '{ANN}'")).await?;
        let name = holder.rows("SELECT USER_NAME() AS name").await?;
        ensure!(name == [[Some(ANN.to_owned())]], "{give}: {name:?}");
        admin.run(&take).await.with_context(|| take.clone())?;
        told_when(&stage, "status", &words, false).await.with_context(|| take.clone())?;
    }
    Ok(())
}

/// Waits until a command says these words, or says them no more.
async fn told_when(stage: &Stage, command: &str, words: &str, told: bool) -> anyhow::Result<()> {
    let mut last = String::new();
    let found = until("it is told", SOON, async || {
        last = stage.place.axon(&[command]).await?.out;
        Ok((last.contains(words) == told).then_some(()))
    })
    .await;
    found.with_context(|| format!("axon {command}: {words}\n{last}"))
}

//! Reading as another person: only with a written permission, only through secure views, and for a while.

use anyhow::{Context, ensure};
use axon_tests::{Pool, SOON, Serve, Stage, Tds, until};

use super::{ANN, ASKED, BOB, Rows, map, people, read, refused, stage_of, stage_that_looks, texts};

pub(super) const CARA: &str = "cara@acme.example";
pub(super) const DAN: &str = "dan@acme.example";

/// The map with two roles that let people act, the second of which asks for a second person.
pub(super) fn acting_map() -> String {
    let roles = "roles:\n  support: { impersonate: { warehouse: { roles: [analyst], for: 1h } } }\n  \
                 deputy: { impersonate: { warehouse: { roles: [analyst, finance], for: 2h, reason: optional, second_person: true } } }\n";
    let mappings = "mappings:\n  - { groups: { any: [Support] }, source: entra, roles: [support] }\n  \
                    - { groups: { any: [Deputies] }, source: entra, roles: [deputy] }\n";
    map(false).replace("roles:\n  analyst", &format!("{roles}  analyst")).replace("mappings:\n", mappings)
}

pub(super) async fn act_as(pool: &Pool, who: &str, person: &str) -> anyhow::Result<Tds> {
    let mut tds = pool.person(who).await?;
    tds.run(&format!("EXEC sys.sp_set_session_context @key = N'axon_act_as', @value = N'{person}'")).await?;
    Ok(tds)
}

pub(super) async fn seen_as(pool: &Pool, who: &str, person: &str) -> anyhow::Result<Rows> {
    act_as(pool, who, person).await?.rows(ASKED).await
}

pub(super) async fn sees_when(pool: &Pool, who: &str, person: &str, rows: usize) -> anyhow::Result<Rows> {
    let mut last = String::new();
    let found = until("reads as another", SOON, async || {
        let seen = seen_as(pool, who, person).await;
        last = format!("{who} as {person}: {seen:?}");
        Ok(seen.ok().filter(|seen| seen.len() == rows))
    })
    .await;
    found.with_context(|| last)
}

pub(super) async fn start(stage: &Stage, who: &str, person: &str, code: i32) -> anyhow::Result<String> {
    let start =
        ["impersonate", "start", "--user", who, "--as", person, "--for", "30m", "--reason", "ticket 7"];
    let said = stage.place.axon(&start).await?.exits(code)?;
    Ok(said.out.split_whitespace().next().unwrap_or_default().to_owned())
}

/// The records of requests to act as another: where each stands then, what both are called in it, and the reason.
pub(super) async fn on_record(stage: &Stage, id: Option<&str>) -> anyhow::Result<Vec<(String, [String; 3])>> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let journal = stage.place.journal().await?;
    let of_it = journal.iter().filter(|record| {
        let request = record.record["facts"]["access_request"].as_str();
        record.kind == "access-request" && id.is_none_or(|id| request == Some(id))
    });
    let said = of_it.map(|record| {
        let body = &record.clear["body"];
        let words = ["user_name", "person", "reason"].map(|part| text(&body[part]));
        (text(&record.record["facts"]["state"]), words)
    });
    Ok(said.collect())
}

pub(super) fn said(state: &str, who: &str, person: &str, reason: &str) -> (String, [String; 3]) {
    (state.to_owned(), [who, person, reason].map(str::to_owned))
}

pub(super) async fn actors(stage: &Stage) -> anyhow::Result<Vec<String>> {
    stage.pool.admin().await?.column("SELECT actor FROM axon.acting WHERE role = N''").await
}

/// What is refused is on record with both names, as far as they can be read.
async fn refusals_are_on_record(stage: &Stage) -> anyhow::Result<()> {
    // What the map does not allow is refused, and on record: more roles than it says, whoever may not act, oneself.
    for (who, person) in [(CARA, BOB), (BOB, ANN), (CARA, CARA), (CARA, DAN)] {
        start(stage, who, person, 1).await?;
    }
    let all = stage.place.axon(&["impersonate", "list", "--all"]).await?.exits(0)?;
    ensure!(all.out.matches("  rejected: ").count() == 4, "{}", all.out);
    let told = on_record(stage, None).await?;
    for (who, person) in [(CARA, BOB), (BOB, ANN), (CARA, CARA), (CARA, DAN)] {
        let refused = |(state, [user, other, _]): &&(String, [String; 3])| {
            state == "rejected" && user == who && other == person
        };
        ensure!(told.iter().filter(refused).count() == 1, "{who} as {person}: {told:?}");
    }
    // A missing reason is no less a refusal: with both names.
    let bare = ["impersonate", "start", "--user", CARA, "--as", ANN, "--for", "30m"];
    stage.place.axon(&bare).await?.exits(1)?.says(&["on record", "the reason is missing"])?;
    let all = stage.place.axon(&["impersonate", "list", "--all"]).await?.exits(0)?;
    ensure!(all.out.matches("  rejected: ").count() == 5, "{}", all.out);
    let both =
        |line: &str| line.contains(CARA) && line.contains(ANN) && line.contains("the reason is missing");
    ensure!(all.out.lines().any(both), "{}", all.out);
    // One that means nobody can be no request, and is on record all the same: who asked, and what was typed.
    let nobody = "nobody@acme.example";
    let bare =
        ["impersonate", "start", "--user", CARA, "--as", nobody, "--for", "30m", "--reason", "ticket 8"];
    stage.place.axon(&bare).await?.exits(1)?.says(&["no source knows"])?;
    let words = format!("{CARA} wished to read as {nobody}: no source knows {nobody}");
    let told = |record: &axon_tests::Record| record.clear.to_string().contains(&words);
    ensure!(stage.place.journal().await?.iter().any(told), "{words}");
    // So is a program's, also where nothing of it can be read.
    let key =
        stage.place.axon(&["token", "create", "--operator", "eve", "--may", "grant"]).await?.exits(0)?;
    let address = format!("{}/api/v1/impersonations", stage.serve.address());
    let soon = serde_json::json!({ "user": CARA, "as": ANN, "seconds": "soon" }).to_string();
    for (body, words) in [
        (soon, format!("{CARA} wished to read as {ANN}: `seconds` is missing")),
        ("{\"user\": ".to_owned(), "somebody wished to read as somebody: ".to_owned()),
    ] {
        let request = reqwest::Client::new().post(&address).bearer_auth(key.out.trim());
        let answer = request.header("content-type", "application/json").body(body).send().await?;
        ensure!(answer.status() == 400, "{answer:?}");
        let journal = stage.place.journal().await?;
        let told = journal.iter().find(|record| record.clear.to_string().contains(&words)).context(words)?;
        ensure!(
            told.record.to_string().contains("eve") || told.clear.to_string().contains("eve"),
            "{told:?}"
        );
    }
    Ok(())
}

/// Cara, of the support, may ask the view; until she acts as somebody it shows her nothing.
pub async fn cara_may_ask(stage: &Stage) -> anyhow::Result<()> {
    people(&stage.scim).await?;
    let cara = stage.scim.person(CARA).await?;
    stage.scim.group("Support", &[&cara]).await?;
    until("cara may ask the view", SOON, async || {
        Ok(read(&stage.pool, CARA, ASKED).await.ok().filter(Vec::is_empty))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn who_acts_as_another_reads_what_that_one_reads_until_it_ends() -> anyhow::Result<()> {
    let stage = stage_of(&[ANN, BOB, CARA, DAN], &acting_map()).await?;
    let (ann, _) = people(&stage.scim).await?;
    let (cara, dan) = (stage.scim.person(CARA).await?, stage.scim.person(DAN).await?);
    let support = stage.scim.group("Support", &[&cara]).await?;
    stage.scim.group("Deputies", &[&dan]).await?;
    // The views are there and Cara may ask them: as herself she reads nothing, and the key alone gives nothing.
    until("cara may ask the view", SOON, async || {
        Ok(read(&stage.pool, CARA, ASKED).await.ok().filter(Vec::is_empty))
    })
    .await?;
    let own = super::read_when(&stage.pool, ANN, "ann reads her rows", ASKED, |rows| rows.len() == 1).await?;
    for who in [CARA, BOB, ANN] {
        ensure!(seen_as(&stage.pool, who, ANN).await?.is_empty(), "the key alone shows {who} something");
    }

    // With a permission she reads what Ann reads, to the letter, and no table.
    let id = start(&stage, CARA, ANN, 0).await?;
    ensure!(sees_when(&stage.pool, CARA, ANN, 1).await? == own);
    ensure!(texts(&own[0])[..2] == ["1", "E***"], "{own:?}");
    ensure!(read(&stage.pool, CARA, ASKED).await?.is_empty(), "without the key she is herself");
    ensure!(seen_as(&stage.pool, CARA, BOB).await?.is_empty(), "another one than she asked for");
    ensure!(seen_as(&stage.pool, BOB, ANN).await?.is_empty(), "another one than who asked");
    let mut tds = act_as(&stage.pool, CARA, ANN).await?;
    for table in ["base.customers", "axon.acting", "axon.profile"] {
        ensure!(tds.run(&format!("SELECT * FROM {table}")).await.is_err(), "{table}");
    }
    let write = format!("UPDATE axon.acting SET person = N'{BOB}'");
    ensure!(refused(&stage.pool, CARA, &write).await?.is_some(), "she writes her own permission");
    // A permission of somebody else's security id is none: what a recycled name would find.
    let mut admin = stage.pool.admin().await?;
    admin.run("UPDATE axon.acting SET actor_sid = 0x00112233445566778899AABBCCDDEEFF").await?;
    ensure!(seen_as(&stage.pool, CARA, ANN).await?.is_empty(), "another security id");
    sees_when(&stage.pool, CARA, ANN, 1).await?;
    admin.run("UPDATE axon.acting SET until = CAST(N'2020-01-01T00:00:00' AS datetime2(0))").await?;
    ensure!(seen_as(&stage.pool, CARA, ANN).await?.is_empty(), "its end is over");
    sees_when(&stage.pool, CARA, ANN, 1).await?;

    // Everything is on record with both names, and can be listed for the person acted as.
    let listed = stage.place.axon(&["impersonate", "list", "--user", ANN, "--json"]).await?.exits(0)?;
    ensure!(listed.out.contains(&id) && listed.out.contains(CARA), "{}", listed.out);
    let done: Vec<String> = stage
        .place
        .journal()
        .await?
        .iter()
        .filter_map(|r| r.clear["body"]["text"].as_str().map(str::to_owned))
        .collect();
    let begun = format!("let {CARA} read views as {ANN} until ");
    ensure!(done.iter().any(|text| text.starts_with(&begun)), "{done:?}");

    refusals_are_on_record(&stage).await?;
    ensure!(actors(&stage).await? == [CARA], "nothing came of it");

    // It ends by `stop`, whose record names both as that of the start does.
    stage.place.axon(&["impersonate", "stop", &id, "--reason", "done"]).await?.exits(0)?;
    let told = on_record(&stage, Some(&id)).await?;
    let both = [said("in-force", CARA, ANN, "ticket 7"), said("lifted", CARA, ANN, "done")];
    ensure!(told == both, "{told:?}");
    until("stopped", SOON, async || Ok(actors(&stage).await?.is_empty().then_some(()))).await?;
    ensure!(seen_as(&stage.pool, CARA, ANN).await?.is_empty());

    // It ends when the role goes, at once by the view's own test and then in the table.
    start(&stage, CARA, ANN, 0).await?;
    sees_when(&stage.pool, CARA, ANN, 1).await?;
    admin.run(&format!("EXEC sp_droprolemember N'AXON_IMPERSONATION', N'{CARA}'")).await?;
    let left = seen_as(&stage.pool, CARA, ANN).await;
    ensure!(left.is_err() || left.is_ok_and(|rows| rows.is_empty()), "without the role");
    let out = serde_json::json!([{ "op": "Remove", "path": format!("members[value eq \"{cara}\"]") }]);
    stage.scim.patch(&format!("/Groups/{support}"), &out).await?;
    until("the role went", SOON, async || Ok(actors(&stage).await?.is_empty().then_some(()))).await?;

    // A second person, where the map asks for one; and it ends when the person acted as leaves.
    let id = start(&stage, DAN, ANN, 3).await?;
    ensure!(seen_as(&stage.pool, DAN, ANN).await?.is_empty(), "it waits");
    stage.place.axon(&["impersonate", "release", &id, "--reason", "me, too"]).await?.exits(1)?;
    let token = stage
        .place
        .axon(&["token", "create", "--operator", "zoe", "--may", "holds.release"])
        .await?
        .exits(0)?;
    stage.place.write("zoe.token", token.out.trim())?;
    let release = ["impersonate", "release", &id, "--reason", "seen", "--token-file", "zoe.token"];
    stage.place.axon(&release).await?.exits(0)?;
    sees_when(&stage.pool, DAN, ANN, 1).await?;
    stage.scim.activate(&ann, "False").await?;
    until("it ended with who left", SOON, async || Ok(actors(&stage).await?.is_empty().then_some(())))
        .await?;
    ensure!(seen_as(&stage.pool, DAN, ANN).await?.is_empty());
    Ok(())
}

/// Nobody stops it, nobody leaves, and no look at the pool is due: its own end is what ends it.
#[tokio::test]
async fn it_is_taken_out_of_the_pool_when_its_time_is_over() -> anyhow::Result<()> {
    let place = axon_tests::Place::new([ANN, BOB, CARA])?;
    let rarely = "inspect_every_seconds: 3600";
    let stage = stage_that_looks(rarely, place, &acting_map(), async |_: &Pool| Ok(())).await?;
    cara_may_ask(&stage).await?;
    stage.settled().await?;
    // Cara's security id is known to a look since she was made: another process has one at once.
    let Stage { pool, serve, token, place, .. } = stage;
    ensure!(serve.stop().await?.success());
    let serve = Serve::start(&place).await?;
    let stage = Stage { scim: serve.scim(&token), pool, serve, token, place };
    stage.settled().await?;
    let start = ["impersonate", "start", "--user", CARA, "--as", ANN, "--for", "12s", "--reason", "ticket 7"];
    let id = stage.place.axon(&start).await?.exits(0)?.out;
    let id = id.split_whitespace().next().context("an id")?.to_owned();
    sees_when(&stage.pool, CARA, ANN, 1).await?;
    ensure!(actors(&stage).await? == [CARA]);
    until("its row is gone", SOON, async || Ok(actors(&stage).await?.is_empty().then_some(()))).await?;
    ensure!(seen_as(&stage.pool, CARA, ANN).await?.is_empty(), "its end is over");
    let rows = stage.pool.admin().await?.column("SELECT actor FROM axon.acting").await?;
    ensure!(rows.is_empty(), "{rows:?}");

    // The end of the request is a record with both names, and so is what was taken out of the pool.
    let ended = [said("in-force", CARA, ANN, "ticket 7"), said("over", CARA, ANN, "its time is over")];
    let mut last = Vec::new();
    let told = until("the end is on record", SOON, async || {
        last = on_record(&stage, Some(&id)).await?;
        Ok((last == ended).then_some(()))
    })
    .await;
    told.with_context(|| format!("{last:?}"))?;
    let words = format!("stop {CARA} from reading views as {ANN}");
    let done = until("what was taken out is on record", SOON, async || {
        let journal = stage.place.journal().await?;
        let done = journal.into_iter().find(|record| {
            record.kind == "step-outcome" && record.clear["body"]["text"].as_str() == Some(&words)
        });
        Ok(done)
    })
    .await?;
    ensure!(done.record["facts"]["result"] == "done", "{done:?}");
    let all = listed(&stage, &id).await?;
    ensure!(all.contains(CARA) && all.contains(ANN) && all.contains("its time is over"), "{all}");
    Ok(())
}

/// What is said of one request in the list of all.
async fn listed(stage: &Stage, id: &str) -> anyhow::Result<String> {
    let all = stage.place.axon(&["impersonate", "list", "--all"]).await?.exits(0)?.out;
    let of_it = all.split_inclusive('\n').skip_while(|line| !line.contains(id));
    Ok(of_it.take(3).collect())
}

#[tokio::test]
async fn it_ends_for_good_when_either_of_the_two_leaves() -> anyhow::Result<()> {
    let stage = stage_of(&[ANN, BOB, CARA], &acting_map()).await?;
    let (ann, _) = people(&stage.scim).await?;
    let cara = stage.scim.person(CARA).await?;
    stage.scim.group("Support", &[&cara]).await?;
    until("cara may ask the view", SOON, async || {
        Ok(read(&stage.pool, CARA, ASKED).await.ok().filter(Vec::is_empty))
    })
    .await?;
    for (leaver, name, other) in [(&cara, CARA, ANN), (&ann, ANN, CARA)] {
        let id = start(&stage, CARA, ANN, 0).await?;
        sees_when(&stage.pool, CARA, ANN, 1).await?;
        // A session that read as Ann before somebody left.
        let mut open = act_as(&stage.pool, CARA, ANN).await?;
        ensure!(open.rows(ASKED).await?.len() == 1);
        stage.scim.activate(leaver, "False").await?;
        until("the permission is gone", SOON, async || Ok(actors(&stage).await?.is_empty().then_some(())))
            .await?;
        let seen = open.rows(ASKED).await;
        ensure!(seen.is_err() || seen.is_ok_and(|rows| rows.is_empty()), "the open session reads on");
        let mut last = String::new();
        let ended = until("the request has ended", SOON, async || {
            last = listed(&stage, &id).await?;
            Ok(last.contains(&format!("{name} left")).then_some(()))
        })
        .await;
        ended.with_context(|| last)?;

        // Who comes back within the time has to ask again.
        stage.scim.activate(leaver, "True").await?;
        super::read_when(&stage.pool, ANN, "ann reads as herself", ASKED, |rows| rows.len() == 1).await?;
        super::read_when(&stage.pool, CARA, "cara may ask the view", ASKED, Vec::is_empty).await?;
        ensure!(seen_as(&stage.pool, CARA, ANN).await?.is_empty(), "{name} is back, {other} never left");
        ensure!(actors(&stage).await?.is_empty());
    }
    // Asked for anew it is given anew.
    start(&stage, CARA, ANN, 0).await?;
    sees_when(&stage.pool, CARA, ANN, 1).await?;
    Ok(())
}

#[tokio::test]
async fn whoever_administers_by_hand_is_acted_as_by_nobody() -> anyhow::Result<()> {
    let stage = stage_of(&[ANN, BOB, CARA], &acting_map()).await?;
    cara_may_ask(&stage).await?;
    start(&stage, CARA, ANN, 0).await?;
    sees_when(&stage.pool, CARA, ANN, 1).await?;
    let mut admin = stage.pool.admin().await?;
    admin.run(&format!("EXEC sp_addrolemember N'db_owner', N'{ANN}'")).await?;
    until("the permission is gone", SOON, async || Ok(actors(&stage).await?.is_empty().then_some(())))
        .await?;
    ensure!(seen_as(&stage.pool, CARA, ANN).await?.is_empty());
    let words = format!("{ANN} administers the target by hand (member of db_owner)");
    let mut last = String::new();
    let told = until("it is told", SOON, async || {
        last = stage.place.axon(&["status"]).await?.out;
        Ok(last.contains(&words).then_some(()))
    })
    .await;
    told.with_context(|| last)?;
    // Whoever administers no more is acted as again, while the request lasts.
    admin.run(&format!("EXEC sp_droprolemember N'db_owner', N'{ANN}'")).await?;
    sees_when(&stage.pool, CARA, ANN, 1).await?;
    Ok(())
}

#[tokio::test]
async fn who_is_off_and_on_while_the_pool_is_paused_has_left() -> anyhow::Result<()> {
    let stage = stage_of(&[ANN, BOB, CARA], &acting_map()).await?;
    let (ann, _) = people(&stage.scim).await?;
    let cara = stage.scim.person(CARA).await?;
    stage.scim.group("Support", &[&cara]).await?;
    until("cara may ask the view", SOON, async || {
        Ok(read(&stage.pool, CARA, ASKED).await.ok().filter(Vec::is_empty))
    })
    .await?;
    let id = start(&stage, CARA, ANN, 0).await?;
    sees_when(&stage.pool, CARA, ANN, 1).await?;
    stage.settled().await?;
    stage.pool.lever("power paused").await?;
    stage.scim.activate(&ann, "False").await?;
    stage.scim.activate(&ann, "True").await?;
    let mut last = String::new();
    let ended = until("the request has ended", SOON, async || {
        last = listed(&stage, &id).await?;
        Ok(last.contains(&format!("{ANN} left")).then_some(()))
    })
    .await;
    ended.with_context(|| last)?;
    stage.pool.lever("power online").await?;
    until("the permission is gone", SOON, async || {
        Ok(actors(&stage).await.ok().filter(Vec::is_empty).map(drop))
    })
    .await?;
    stage.settled().await?;
    super::read_when(&stage.pool, ANN, "ann reads as herself", ASKED, |rows| rows.len() == 1).await?;
    ensure!(seen_as(&stage.pool, CARA, ANN).await?.is_empty(), "she is back, and was away");
    Ok(())
}

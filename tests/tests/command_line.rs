//! The command line: exit statuses, and errors that name key, file, place and remedy.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, ensure};
use axon_tests::{CONFIG, MAP, Place, SOON, Stage, run, until, user};
use rusqlite::Connection;

/// A running server believes what it knows of a token for a second; the rest is for slow machines.
const REVOKED: Duration = Duration::from_secs(3);

fn furnished() -> anyhow::Result<Place> {
    let place = Place::new([""; 0])?;
    place.furnish(MAP, 1)?;
    Ok(place)
}

#[tokio::test]
async fn wrong_usage_is_2_and_a_failure_is_1_with_its_remedy() -> anyhow::Result<()> {
    let place = furnished()?;
    place.axon(&[]).await?.exits(2)?;
    place.axon(&["sreve"]).await?.exits(2)?.says(&["serve"])?;
    place.axon(&["plan", "--chekc"]).await?.exits(2)?.says(&["--check"])?;
    place.axon(&["token", "create"]).await?.exits(2)?.says(&["--source"])?;
    place
        .axon(&["token", "create", "--source", "entra", "--days", "many"])
        .await?
        .exits(2)?
        .says(&["--days"])?;
    place
        .axon(&["emulator", "--admin", "sa:x", "--listen", "nowhere"])
        .await?
        .exits(2)?
        .says(&["--listen"])?;
    place.axon(&["emulator", "--admin", "sa"]).await?.exits(1)?.says(&["NAME:PASSWORD"])?;
    place
        .axon(&["emulator", "--admin", "sa:x", "--listen", "0.0.0.0:0"])
        .await?
        .exits(1)?
        .says(&["loopback"])?;
    place
        .axon(&["emulator", "--admin", "sa:x", "--control", "0.0.0.0:0"])
        .await?
        .exits(1)?
        .says(&["loopback"])?;
    place.write("people.json", "{\"people\": []}")?;
    let said = place.axon(&["emulator", "--admin", "sa:x", "--directory", "people.json"]).await?.exits(1)?;
    said.says(&["people.json", "docs/EMULATOR.md"])?;

    let said = place.axon(&["token", "create", "--source", "netra"]).await?.exits(1)?;
    said.says(&["no source \"netra\"", "entra, okta"])?;
    place.axon(&["token", "revoke", "not-an-id"]).await?.exits(1)?.says(&["axon token list"])?;
    for command in ["plan", "apply"] {
        place
            .axon(&[command, "--target", "werehouse"])
            .await?
            .exits(1)?
            .says(&["\"werehouse\"", "warehouse"])?;
    }
    place.axon(&["explain", "nobody@acme.example"]).await?.exits(1)?;
    let said = place.axon(&["explain", "x", "--target", "werehouse"]).await?.exits(1)?;
    said.says(&["\"werehouse\"", "warehouse"])?;
    place
        .axon(&["audit", "verify", "--export", "nowhere.jsonl"])
        .await?
        .exits(1)?
        .says(&["nowhere.jsonl"])?;
    place.axon(&["--help"]).await?.exits(0)?;
    place.axon(&["--version"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_told_by_key_and_place() -> anyhow::Result<()> {
    let place = furnished()?;
    let wrong = async |text: &str, words: &[&str]| {
        place.write("axon.yaml", text)?;
        // Every command reads it alike, and none starts.
        for command in [["config", "check"].as_slice(), &["serve"]] {
            place.axon(command).await?.exits(1)?.says(words).with_context(|| text.to_owned())?;
        }
        anyhow::Ok(())
    };
    wrong(
        &format!("{CONFIG}limits:\n  body_byte: 5\n"),
        &["axon.yaml:10:3", "body_byte", "did you mean `body_bytes`?"],
    )
    .await?;
    wrong(
        &CONFIG.replace("role_map:", "rolemap:"),
        &["axon.yaml:3:1", "rolemap", "did you mean `role_map`?"],
    )
    .await?;
    wrong(&CONFIG.replace("kind: okta", "kind: octa"), &["axon.yaml:8:", "octa", "okta"]).await?;
    wrong(&CONFIG.replace("127.0.0.1:0", "localhost"), &["axon.yaml:1:9", "listen"]).await?;
    wrong(&format!("{CONFIG}limits: {{ body_bytes: 10 }}\n"), &["limits.body_bytes", "10", "1024"]).await?;
    let misspelt = CONFIG.replace("sqlite:axon.db", "postgres://axon@db/axon?sslmod=x");
    wrong(&misspelt, &["store", "sslmod", "sslmode"]).await?;
    wrong(&CONFIG.replace("sqlite:axon.db", "axon.db"), &["store", "sqlite:FILE"]).await?;
    wrong("listen: [", &["axon.yaml:1:"]).await?;
    wrong("", &["axon.yaml"]).await?;
    wrong(&CONFIG.replace("role-map.yaml", "missing.yaml"), &["missing.yaml"]).await?;
    ensure!(!place.file("axon.db").exists(), "a wrong configuration made a store");

    std::fs::remove_file(place.file("axon.yaml"))?;
    place.axon(&["serve"]).await?.exits(1)?.says(&["axon.yaml", "--config FILE"])?;
    place.write("axon.yaml", CONFIG)?;
    let environment = [("AXON_LIMITS__BODY_BITES", "1")];
    run(place.path(), &["config", "check"], &environment).await?.exits(1)?.says(&["AXON_", "body_bites"])?;
    let said =
        run(place.path(), &["config", "check", "--json"], &[("AXON_LIMITS__BODY_BYTES", "4096")]).await?;
    ensure!(said.exits(0)?.json()?["limits"]["body_bytes"] == 4096);

    // A port that is taken, and a store that is none.
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    run(place.path(), &["serve"], &[("AXON_LISTEN", &address)])
        .await?
        .exits(1)?
        .says(&[&address, "`listen`"])?;
    ensure!(!place.file("axon.db").exists(), "a server that did not start made a store");
    place.write("axon.db", &"this is no database at all ".repeat(100))?;
    place.axon(&["serve"]).await?.exits(1)?.says(&["axon.db"])?;
    ensure!(place.read("axon.db")?.starts_with("this is no database"), "a foreign file was overwritten");
    let folder = place.file("folder");
    std::fs::create_dir(&folder)?;
    place.write("axon.yaml", &CONFIG.replace("axon.db", "folder"))?;
    place.axon(&["serve"]).await?.exits(1)?.says(&["folder"])?;
    Ok(())
}

#[tokio::test]
async fn a_map_that_cannot_be_used_is_quoted_where_it_is_wrong() -> anyhow::Result<()> {
    let place = furnished()?;
    let map = |from: &str, to: &str| MAP.replace("PORT", "1").replace(from, to);
    for (text, words) in [
        (
            map("roles: [reader]", "roles: [raeder]"),
            ["role-map.yaml:", "raeder", "did you mean `reader`?"].as_slice(),
        ),
        (
            map("mode: authoritative", "mod: authoritative"),
            &["role-map.yaml:11:5", "`mod`", "did you mean `mode`?"],
        ),
        (map("select on sales.orders", "selct on sales.orders"), &["role-map.yaml:", "selct", "select"]),
        (map("select on sales.orders", "select on sales.[orders"), &["role-map.yaml:", "sales.[orders"]),
        (map("includes: [reader]", "includes: [writer]"), &["role-map.yaml:", "writer"]),
        (map("any: [Readers]", "any: []"), &["role-map.yaml:"]),
        (map("host: 127.0.0.1", "host: warehouse.example"), &["role-map.yaml:", "tls"]),
        (map("axon: 1", "axon: 2"), &["role-map.yaml:2:", "axon"]),
        (map("axon: 1", "axon: 1\nveiws: {}"), &["role-map.yaml:3:1", "veiws", "did you mean `views`?"]),
        ("axon: 1\ntargets: [".to_owned(), &["role-map.yaml:"]),
    ] {
        place.write("role-map.yaml", &text)?;
        for command in [["map", "check"].as_slice(), &["serve"], &["plan"]] {
            place.axon(command).await?.exits(1)?.says(words).with_context(|| text.clone())?;
        }
        let said = place.axon(&["map", "check", "role-map.yaml"]).await?.exits(1)?;
        said.says(words)?;
    }
    place.write("role-map.yaml", &map("", ""))?;
    let said = place.axon(&["map", "check"]).await?;
    ensure!(said.out.contains("1 target, 3 roles, 3 mappings"), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn tokens_are_shown_once_listed_without_secrets_and_refused_when_revoked() -> anyhow::Result<()> {
    let stage = Stage::set(&[]).await?;
    let place = &stage.place;
    let said = place
        .axon(&["token", "create", "--source", "entra", "--label", "second", "--days", "30"])
        .await?
        .exits(0)?;
    let second = said.out.trim().to_owned();
    ensure!(said.out == format!("{second}\n") && second.starts_with("axon_"), "{said:?}");
    let scim = stage.scim.with_token(&second);
    scim.get("/Users").await?.is(200)?;
    let list = place.axon(&["token", "list"]).await?.exits(0)?;
    let json = place.axon(&["token", "list", "--json"]).await?.exits(0)?;
    for text in [&list.out, &json.out, &place.read("serve.log")?] {
        ensure!(!text.contains(&second) && !text.contains(&stage.token), "a secret is shown: {text}");
    }
    let store = std::fs::read(place.file("axon.db"))?;
    let wal = std::fs::read(place.file("axon.db-wal")).unwrap_or_default();
    for kept in [store, wal] {
        ensure!(!kept.windows(second.len()).any(|w| w == second.as_bytes()), "a secret is in the store");
    }
    let json = json.json()?;
    let tokens = json.as_array().context("a list")?;
    let row = tokens.iter().find(|t| t["label"] == "second").context("the second token")?;
    ensure!(row["accepted"] == true && row["source"] == "entra" && row["expires"].is_number(), "{row}");
    let id = row["id"].as_str().context("its id")?;
    place.axon(&["token", "revoke", id]).await?.exits(0)?;
    until("the revoked token is refused", REVOKED, async || {
        Ok((scim.get("/Users").await?.status == 401).then_some(()))
    })
    .await?;
    stage.scim.get("/Users").await?.is(200)?;
    place.axon(&["token", "revoke", id]).await?.exits(1)?.says(&["axon token list"])?;
    let journal = place.journal().await?;
    ensure!(
        journal.iter().filter(|r| r.kind.contains("token")).count() == 3,
        "two made, one revoked: {journal:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_request_can_be_followed_from_its_id_to_the_statements() -> anyhow::Result<()> {
    let stage = Stage::set(&["kim@acme.example"]).await?;
    let kim = stage.scim.person("kim@acme.example").await?;
    let readers = stage.scim.group("Readers", &[]).await?;
    stage.settled().await?;
    let body = format!(
        "{{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\
         \"Operations\":[{{\"op\":\"add\",\"path\":\"members\",\"value\":[{{\"value\":\"{kim}\"}}]}}]}}"
    );
    let answer = reqwest::Client::new()
        .patch(format!("{}/scim/v2/Groups/{readers}", stage.serve.address()))
        .bearer_auth(&stage.token)
        .header("X-Request-Id", "change-4711")
        .header("Content-Type", "application/scim+json")
        .body(body)
        .send()
        .await?;
    ensure!(answer.status().is_success());
    ensure!(answer.headers()["x-request-id"] == "change-4711");
    let own = stage.scim.get("/Users").await?.is(200)?.request;
    ensure!(!own.is_empty(), "who brings no id gets one");
    stage.catalog_when("kim reads", |c| c.roles_of("kim@acme.example") == ["axon_reader"]).await?;
    let of_request = until("the journal has it all", SOON, async || {
        let journal = stage.place.journal().await?;
        let records: Vec<_> = journal.into_iter().filter(|r| r.request() == Some("change-4711")).collect();
        Ok(records.iter().any(|r| r.kind == "read-back").then_some(records))
    })
    .await?;
    let kinds: Vec<&str> = of_request.iter().map(|r| r.kind.as_str()).collect();
    for kind in ["directory-change", "step-intent", "step-outcome", "read-back"] {
        ensure!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    let sent: Vec<&str> = of_request.iter().flat_map(axon_tests::Record::statements).collect();
    ensure!(
        sent == [
            "CREATE USER [kim@acme.example] FROM EXTERNAL PROVIDER",
            "EXEC sp_addrolemember N'axon_reader', N'kim@acme.example'",
        ],
        "{sent:?}"
    );
    Ok(())
}

#[tokio::test]
async fn audit_verify_names_the_first_record_that_was_tampered_with() -> anyhow::Result<()> {
    let stage = Stage::set(&["kim@acme.example"]).await?;
    for n in 0..5 {
        stage.scim.post("/Users", &user(&format!("p{n}@acme.example"))).await?.is(201)?;
    }
    let Stage { serve, place, pool, .. } = stage;
    ensure!(serve.stop().await?.code() == Some(0));
    drop(pool);
    let said = place.axon(&["audit", "verify"]).await?.exits(0)?;
    ensure!(said.out.contains("the chain holds"), "{said:?}");
    let export = place.file("journal.jsonl").display().to_string();
    place.axon(&["audit", "export", "--out", &export]).await?.exits(0)?;
    place.axon(&["audit", "verify", "--export", &export]).await?.exits(0)?;
    place.axon(&["audit", "export", "--out", &export, "--without-names"]).await?.exits(0)?;
    ensure!(!place.read("journal.jsonl")?.contains("p3@acme.example"), "names are left out");
    place.axon(&["audit", "verify", "--export", &export]).await?.exits(0)?;
    let exported = place.read("journal.jsonl")?;
    place.write("journal.jsonl", &exported.replacen("create-user", "patch-user", 1))?;
    place.axon(&["audit", "verify", "--export", &export]).await?.exits(3)?;

    let last = place.head().await?;
    let store = std::fs::read(place.file("axon.db"))?;
    let untrigger = "DROP TRIGGER journal_never_changes; DROP TRIGGER journal_keeps_its_records;";
    let third: i64 = Connection::open(place.file("axon.db"))?.query_row(
        "SELECT seq FROM journal_clear WHERE body LIKE '%p3@acme.example%'",
        [],
        |row| row.get(0),
    )?;
    for tamper in [
        "UPDATE journal SET facts = replace(facts, 'create-user', 'delete-user') WHERE seq = ?1",
        "UPDATE journal SET at = at + 1 WHERE seq = ?1",
        "UPDATE journal SET actor = replace(actor, 'entra', 'okta') WHERE seq >= ?1 AND actor LIKE '%entra%'",
        "UPDATE journal SET request = 'another' WHERE seq = ?1",
        "UPDATE journal_clear SET body = replace(body, 'p3@', 'p9@') WHERE seq = ?1",
        "UPDATE journal_clear SET salt = zeroblob(16) WHERE seq = ?1",
        "UPDATE journal SET hash = zeroblob(32) WHERE seq = ?1",
        "DELETE FROM journal WHERE seq = ?1",
    ] {
        std::fs::write(place.file("axon.db"), &store)?;
        let connection = Connection::open(place.file("axon.db"))?;
        connection.execute_batch(untrigger)?;
        ensure!(connection.execute(tamper, [third])? > 0, "{tamper} changes nothing");
        connection.close().map_err(|(_, error)| error)?;
        let said = place.axon(&["audit", "verify"]).await?.exits(3).with_context(|| tamper.to_owned())?;
        ensure!(said.out.contains(&format!("broken at record {third}:")), "{tamper}: {}", said.out);
        let json = place.axon(&["audit", "verify", "--json"]).await?.exits(3)?.json()?;
        ensure!(json["ok"] == false && json["record"] == third, "{tamper}: {json}");
    }
    // The end cut off.
    std::fs::write(place.file("axon.db"), &store)?;
    let connection = Connection::open(place.file("axon.db"))?;
    connection.execute_batch(untrigger)?;
    let changed =
        connection.execute("UPDATE journal SET seq = seq + 100 WHERE seq = ?1", [i64::try_from(last)?])?;
    ensure!(changed == 1);
    drop(connection);
    place.axon(&["audit", "verify"]).await?.exits(3)?;
    Ok(())
}

#[tokio::test]
async fn a_rotated_source_has_a_new_token_and_with_now_no_other() -> anyhow::Result<()> {
    let stage = Stage::set(&[]).await?;
    let rotated = stage.place.axon(&["token", "rotate", "--source", "entra"]).await?.exits(0)?;
    let rotated = rotated.says(&["still accepted", "axon token revoke"])?;
    stage.scim.with_token(rotated.out.trim()).get("/Users").await?.is(200)?;
    stage.scim.get("/Users").await?.is(200)?;
    let last = stage.place.axon(&["token", "rotate", "--source", "entra", "--now"]).await?.exits(0)?;
    until("the tokens before it are refused", REVOKED, async || {
        let old = stage.scim.get("/Users").await?.status;
        let rotated = stage.scim.with_token(rotated.out.trim()).get("/Users").await?.status;
        Ok((old == 401 && rotated == 401).then_some(()))
    })
    .await?;
    stage.scim.with_token(last.out.trim()).get("/Users").await?.is(200)?;
    stage
        .place
        .axon(&["token", "rotate", "--source", "nobody"])
        .await?
        .exits(1)?
        .says(&["nobody", "entra"])?;
    Ok(())
}

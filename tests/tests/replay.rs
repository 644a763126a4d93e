//! Recorded sessions, replayed by the real binary; the health of a source; clients that are slow or go away.

use std::time::Duration;

use anyhow::{Context, ensure};
use axon_tests::{CONFIG, MAP, Place, SOON, Serve, until, user};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A server whose target is nowhere: pushes are kept all the same.
async fn serve(more: &str) -> anyhow::Result<(Place, Serve)> {
    let place = Place::new([""; 0])?;
    place.furnish(MAP, 1)?;
    place.write("axon.yaml", &format!("{CONFIG}{more}"))?;
    let serve = Serve::start(&place).await?;
    Ok((place, serve))
}

fn fixture(name: &str) -> String {
    format!("{}/fixtures/sessions/{name}.jsonl", env!("CARGO_MANIFEST_DIR"))
}

/// Replays a file against a server; gives the exit status and the report.
async fn replay(
    place: &Place,
    serve: &Serve,
    source: &str,
    file: &str,
) -> anyhow::Result<(Option<i32>, Value)> {
    place.write("token", &place.token(source).await?)?;
    let to = format!("{}/scim/v2", serve.address());
    let token = place.file("token").display().to_string();
    let said = place
        .axon(&["scim", "replay", file, "--to", &to, "--token-file", &token, "--values", "--json"])
        .await?;
    Ok((said.code, said.json()?))
}

#[tokio::test]
async fn sessions_of_entra_and_okta_are_answered_as_they_were_recorded() -> anyhow::Result<()> {
    let (place, serve) = serve("").await?;
    for (source, least) in [("entra", 29), ("okta", 25)] {
        let (code, report) = replay(&place, &serve, source, &fixture(source)).await?;
        ensure!(code == Some(0), "{source}: {report:#}");
        ensure!(
            report["exchanges"].as_u64() >= Some(least) && report["left_out"] == 0,
            "{source}: {report:#}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_answers_otherwise_is_told_by_request_and_place() -> anyhow::Result<()> {
    let (place, serve) = serve("").await?;
    let recorded = std::fs::read_to_string(fixture("entra"))?;
    let mut changed = Vec::new();
    for line in recorded.lines() {
        let mut exchange: Value = serde_json::from_str(line)?;
        if changed.len() == 3 {
            exchange["status"] = json!(202);
            exchange["response"]["body"]["displayName"] = json!(["Kim"]);
            exchange["response"]["body"]["nickName"] = json!("K");
        }
        changed.push(exchange.to_string());
    }
    place.write("changed.jsonl", &changed.join("\n"))?;
    let file = place.file("changed.jsonl").display().to_string();
    let (code, report) = replay(&place, &serve, "entra", &file).await?;
    ensure!(code == Some(3) && report["differ"] == 1, "{report:#}");
    let told = &report["lines"][0];
    ensure!(told["number"] == 4 && told["method"] == "POST" && told["path"] == "/Users", "{told:#}");
    let wanted =
        json!(["status 201, recorded 202", "displayName is a text, recorded a list", "nickName is missing"]);
    ensure!(told["differences"] == wanted, "{told:#}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_replayed_is_told() -> anyhow::Result<()> {
    let place = Place::new([""; 0])?;
    place.write("token", "t")?;
    let two = [fixture("entra"), fixture("okta")].map(std::fs::read_to_string);
    place.write("two.jsonl", &two.into_iter().collect::<Result<Vec<_>, _>>()?.concat())?;
    place.write("broken.jsonl", "\n{\"source\": 7}\n")?;
    let entra = fixture("entra");
    for (file, token, more, words) in [
        ("two.jsonl", "token", &[][..], &["--source", "entra, okta"][..]),
        ("two.jsonl", "token", &["--source", "ping"], &["nothing of that source"]),
        ("broken.jsonl", "token", &[], &["broken.jsonl", "line 2"]),
        ("gone.jsonl", "token", &[], &["gone.jsonl"]),
        (&entra, "gone", &[], &["token file gone"]),
        // Nobody listens there.
        (&entra, "token", &[], &["no answer to GET /Users"]),
    ] {
        let arguments = ["scim", "replay", file, "--to", "http://127.0.0.1:1/scim/v2", "--token-file", token];
        place.axon(&[&arguments[..], more].concat()).await?.exits(1)?.says(words)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_recorded_can_be_replayed_elsewhere() -> anyhow::Result<()> {
    let (place, recording) = serve("record: { file: session.jsonl, sources: [entra] }\n").await?;
    let token = place.token("entra").await?;
    let scim = recording.scim(&token);
    let kim = json!({"userName": "kim@acme.example", "password": "s3cret"});
    let id = scim.post("/Users", &kim).await?.is(201)?.id()?;
    scim.group("SG", &[&id]).await?;
    let lines = || place.read("session.jsonl").map_or(0, |text| text.lines().count());
    until("two lines in the recording", SOON, async || Ok((lines() == 2).then_some(()))).await?;
    let text = place.read("session.jsonl")?;
    ensure!(!text.contains("s3cret") && !text.contains(&token), "{text}");
    recording.stop().await?;

    let (other, serve) = self::serve("").await?;
    let file = place.file("session.jsonl").display().to_string();
    let (code, report) = replay(&other, &serve, "entra", &file).await?;
    ensure!(code == Some(0) && report["exchanges"] == 2, "{report:#}");
    let again = replay(&other, &serve, "entra", &file).await?;
    ensure!(
        again.0 == Some(3) && again.1["differ"] == 2,
        "a POST that is replayed twice is 409: {:#}",
        again.1
    );
    Ok(())
}

#[tokio::test]
async fn the_health_of_a_source_outlives_a_restart() -> anyhow::Result<()> {
    let (place, serve) = serve("").await?;
    let scim = serve.scim(&place.token("entra").await?);
    scim.person("kim@acme.example").await?;
    for _ in 0..25 {
        scim.post("/Users", &json!({"userName": {"is": "s3cret"}})).await?.is(400)?;
    }
    ensure!(serve.ready().await?["sources"]["entra"] == "failing", "{}", serve.ready().await?);
    let (_, metrics) = serve.page("/metrics").await?;
    for line in [
        "axon_source_window_calls{source=\"entra\",outcome=\"failed\"} 25",
        "axon_source_window_calls{source=\"entra\",outcome=\"ok\"} 1",
        "axon_source_healthy_bool{source=\"entra\"} 0",
        "axon_source_healthy_bool{source=\"okta\"} 1",
    ] {
        ensure!(metrics.contains(line), "{line}: {metrics}");
    }
    let logged = place.read("serve.log")?;
    ensure!(logged.matches("calls of a source fail").count() == 1, "told once: {logged}");
    serve.stop().await?;
    let status = place.status().await?;
    let health = &status["health"]["entra"];
    ensure!(health["state"] == "failing" && health["failed"] == 25 && health["calls"] == 26, "{health:#}");
    ensure!(health["last_failure"]["shape"] == "{userName: {is: text}}", "{health:#}");
    ensure!(!status.to_string().contains("s3cret"), "{status:#}");
    let serve = Serve::start(&place).await?;
    let failing = async || Ok((serve.ready().await?["sources"]["entra"] == "failing").then_some(()));
    until("the health is read back", SOON, failing).await?;
    let said = place.axon(&["status"]).await?.exits(0)?;
    ensure!(said.out.contains("calls: failing; 26 in 24 hours, 25 of them failed (96 %)"), "{}", said.out);
    Ok(())
}

/// The head of a POST that says it sends `length` bytes.
fn head(token: &str, length: usize) -> String {
    format!(
        "POST /scim/v2/Users HTTP/1.1\r\nhost: axon.test\r\nauthorization: Bearer {token}\r\n\
         content-type: application/scim+json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_client_that_sends_a_byte_now_and_then_is_cut_off() -> anyhow::Result<()> {
    let (place, serve) = serve("limits: { request_seconds: 1 }\n").await?;
    let token = place.token("entra").await?;
    let address = serve.address().trim_start_matches("http://").to_owned();
    let head_before = place.head().await?;
    let (mut reading, mut writing) = TcpStream::connect(&address).await?.into_split();
    writing.write_all(head(&token, 1000).as_bytes()).await?;
    let began = tokio::time::Instant::now();
    // The client's own pace: a byte every tenth of a second, for as long as anybody takes it.
    let trickle = tokio::spawn(async move {
        let mut tenths = tokio::time::interval(Duration::from_millis(100));
        while writing.write_all(b" ").await.is_ok() {
            tenths.tick().await;
        }
    });
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), reading.read_to_end(&mut answer)).await;
    let _ = ended.context("the connection is still open")?;
    ensure!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let answer = String::from_utf8_lossy(&answer);
    ensure!(answer.starts_with("HTTP/1.1 408") && answer.contains("did not arrive in time"), "{answer}");
    trickle.abort();
    ensure!(place.head().await? == head_before, "nothing was written");
    Ok(())
}

/// The connection is gone as soon as the request is out. The retry finds what came of it.
#[tokio::test]
async fn a_client_that_hangs_up_and_sends_again_makes_one_user() -> anyhow::Result<()> {
    let (place, serve) = serve("").await?;
    let token = place.token("entra").await?;
    let address = serve.address().trim_start_matches("http://").to_owned();
    let scim = serve.scim(&token);
    for n in 0..20 {
        let kim = user(&format!("kim{n}@acme.example"));
        let body = kim.to_string();
        let mut connection = TcpStream::connect(&address).await?;
        connection.set_zero_linger()?;
        connection.write_all(head(&token, body.len()).as_bytes()).await?;
        connection.write_all(body.as_bytes()).await?;
        drop(connection);
        let again = scim.post("/Users", &kim).await?;
        let is_told = again.status == 409 && again.body["scimType"] == "uniqueness";
        ensure!(again.status == 201 || is_told, "{}: {}", again.status, again.body);
        let filter = format!("/Users?filter=userName+eq+%22kim{n}%40acme.example%22");
        ensure!(scim.get(&filter).await?.total()? == 1, "Entra matches by this filter");
    }
    Ok(())
}

//! The journal on its way to Azure Monitor: the real server against the emulator's neighbours, with the rule that deploy/azure defines.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use axon_tests::{
    CONFIG, Catalog, ENTRA_ADMIN, MAP, Place, Pool, Postgres, SOON, Scim, Serve, entra_token, group, until,
    user,
};
use serde_json::{Value, json};

const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
const OWN: &str = "33333333-3333-3333-3333-333333333333";
const RULE: &str = "dcr-0123456789abcdef0123456789abcdef";
const PLACE: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/dataCollectionRules/axon-log";
const SECRET: &str = "a-secret-that-nobody-may-see";

struct Story {
    pool: Pool,
    place: Place,
    serve: Serve,
    scim: Scim,
    token: String,
}

/// The columns of the stream, as the template declares them.
fn columns() -> anyhow::Result<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/azure/log.json");
    let template: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let resources = template["resources"].as_array().context("resources")?;
    let rule = resources.iter().find(|r| r["type"] == "Microsoft.Insights/dataCollectionRules");
    let rule = rule.context("the template has a rule")?;
    let list = rule["properties"]["streamDeclarations"]["Custom-Axon_CL"]["columns"].as_array();
    let list = list.context("the rule declares the stream")?;
    let column = |c: &Value| Some((c["name"].as_str()?.to_owned(), c["type"].clone()));
    Ok(Value::Object(list.iter().filter_map(column).collect()))
}

impl Story {
    async fn begin(names: bool) -> anyhow::Result<Self> {
        Self::begin_in(Place::new(["kim@acme.com", "ben@acme.com"])?, names).await
    }

    async fn begin_in(place: Place, names: bool) -> anyhow::Result<Self> {
        let publisher = json!({"name": "55555555-5555-5555-5555-555555555555", "scope": PLACE,
            "role": "3913510d-42f4-4e42-8a64-420c390055eb", "principalId": OWN, "principalType": "ServicePrincipal"});
        let rule = json!({"immutableId": RULE, "resourceId": PLACE, "streams": ["Custom-Axon_CL"], "columns": columns()?});
        let cloud = json!({"tenantId": TENANT, "assignments": [publisher], "rules": [rule]});
        place.write("cloud.json", &cloud.to_string())?;
        let file = place.file("cloud.json").display().to_string();
        let pool = Pool::start_with(&place, 0, &["--rest-listen", "127.0.0.1:0", "--cloud", &file]).await?;
        let base = pool.rest()?;
        let app =
            json!({"appId": CLIENT, "displayName": "axon", "objectId": OWN, "secrets": [{"value": SECRET}]});
        pool.ask("POST", "/directory", Some(json!({"apps": [app]}))).await?;
        place.furnish(MAP, pool.port()?)?;
        place.write("pool.token", &entra_token(ENTRA_ADMIN))?;
        place.write("secret", SECRET)?;
        let ship = format!(
            "audit:\n  ship:\n    kind: azure-monitor\n    endpoint: \"{base}\"\n    rule_id: {RULE}\n    names: {names}\n    \
             auth: {{ client-secret: {{ tenant_id: {TENANT}, client_id: {CLIENT}, secret: \"${{file:secret}}\" }} }}\n"
        );
        place.write("axon.yaml", &format!("{CONFIG}azure: {{ authority: \"{base}\" }}\n{ship}"))?;
        let token = place.token("entra").await?;
        let serve = Serve::start(&place).await?;
        let scim = serve.scim(&token);
        Ok(Self { pool, place, serve, scim, token })
    }

    async fn push(&self, name: &str) -> anyhow::Result<String> {
        self.scim.post("/Users", &user(name)).await?.is(201)?.id()
    }

    /// What arrived of one kind, of all if none is named.
    async fn rows(&self, kind: Option<&str>) -> anyhow::Result<Vec<Value>> {
        let logs = self.pool.ask("GET", "/cloud/logs", None).await?;
        let rows = logs["logs"].as_array().context("rows")?.iter().map(|row| row["record"].clone());
        Ok(rows.filter(|row| kind.is_none_or(|kind| row["Kind"] == kind)).collect())
    }

    /// Waits until everything that is in the journal has arrived, each record; gives the positions as they came.
    async fn arrived(&self, patience: Duration) -> anyhow::Result<Vec<u64>> {
        until("the whole journal has arrived", patience, async || {
            let head = self.place.journal().await?.len() as u64;
            let rows = self.rows(None).await?;
            let came: Vec<u64> = rows.iter().filter_map(|row| row["Position"].as_u64()).collect();
            let all: BTreeSet<u64> = came.iter().copied().collect();
            Ok((all == (1..=head).collect()).then_some(came))
        })
        .await
    }

    async fn fault(&self, what: Value, times: u32) -> anyhow::Result<()> {
        let fault = json!({"service": "ingest", "times": times, "what": what});
        self.pool.ask("POST", "/cloud/faults", Some(fault)).await.map(|_| ())
    }

    async fn ship(&self) -> anyhow::Result<Value> {
        Ok(self.place.status().await?["ship"].clone())
    }
}

#[tokio::test]
async fn every_record_arrives_as_a_row_of_the_table_that_is_deployed() -> anyhow::Result<()> {
    let story = Story::begin(false).await?;
    story.push("kim@acme.com").await?;
    story.push("ben@acme.com").await?;
    let turned_away = story.serve.scim("not-a-token").get("/Users").await?;
    turned_away.is(401)?;
    let came = story.arrived(SOON).await?;
    ensure!(came.windows(2).all(|pair| pair[0] < pair[1]), "in order, each once: {came:?}");

    let declared = columns()?;
    let declared: BTreeSet<&String> = declared.as_object().context("columns")?.keys().collect();
    let journal = story.place.journal().await?;
    for row in story.rows(None).await? {
        let fields: BTreeSet<&String> = row.as_object().context("a row")?.keys().collect();
        ensure!(fields == declared, "{row}");
        ensure!(row["TimeGenerated"].is_string() && row["Cut"] == false && row["Facts"].is_object(), "{row}");
        if let Some(position) = row["Position"].as_u64() {
            let record = &journal[usize::try_from(position)? - 1];
            ensure!(row["Kind"] == record.kind.as_str() && row["Hash"].is_string(), "{row}");
        }
    }
    let changes = story.rows(Some("directory-change")).await?;
    ensure!(changes.len() == 2 && changes[0]["Action"] == "create-user", "{changes:?}");
    ensure!(changes[0]["Source"] == "entra" && changes[0]["ActorKind"] == "source", "{changes:?}");

    let all = until("how things stand is told, too", SOON, async || {
        let told = ["source-health", "target-health", "refusals"];
        for kind in told {
            if story.rows(Some(kind)).await?.is_empty() {
                return Ok(None);
            }
        }
        story.rows(None).await.map(Some)
    })
    .await?;
    let text = Value::from(all).to_string();
    let log = story.place.read("serve.log")?;
    for secret in [SECRET, story.token.as_str(), "not-a-token"] {
        ensure!(!text.contains(secret) && !log.contains(secret), "a secret went out");
    }
    ensure!(!text.contains("@acme.com") || text.matches("@acme.com").count() == 0, "names stay here: {text}");
    let ship = story.ship().await?;
    ensure!(ship["trouble"].is_null() && ship["last_taken"].is_string(), "{ship}");
    Ok(())
}

#[tokio::test]
async fn provisioning_waits_for_nobody_and_a_killed_server_goes_on_where_it_was() -> anyhow::Result<()> {
    let mut story = Story::begin(false).await?;
    story.arrived(SOON).await?;
    let hasty =
        json!({"status": {"status": 429, "code": "TooManyRequests", "headers": [["Retry-After", "600"]]}});
    story.fault(hasty, 100).await?;
    let id = story.push("kim@acme.com").await?;
    let trouble = until("status tells of it", SOON, async || {
        let ship = story.ship().await?;
        Ok((!ship["trouble"].is_null()).then_some(ship))
    })
    .await?;
    ensure!(trouble["trouble"]["what"].as_str().is_some_and(|what| what.contains("600 s")), "{trouble}");
    ensure!(trouble["lag_records"].as_u64() > Some(0), "{trouble}");
    let said = story.place.axon(&["status"]).await?.exits(0)?.out;
    ensure!(said.contains("log at azure-monitor") && said.contains("trouble since"), "{said}");

    // The group that gives a role, and the pool, while nothing is taken.
    story.scim.post("/Groups", &group("Readers", &[&id])).await?.is(201)?;
    until("the pool has what was pushed", SOON, async || {
        let catalog = Catalog::read(&mut story.pool.admin().await?).await?;
        Ok(catalog.people.contains("kim@acme.com").then_some(()))
    })
    .await?;
    ensure!(story.serve.metric("axon_log_ship_trouble_bool").await? > 0.0, "the metric tells of it");

    story.pool.ask("DELETE", "/cloud/faults", None).await?;
    let (serve, place) = (story.serve, &story.place);
    serve.kill().await?;
    story.serve = Serve::start(place).await?;
    // A killed server's lease runs out after a minute.
    let came = story.arrived(Duration::from_mins(2)).await?;
    let once: BTreeSet<u64> = came.iter().copied().collect();
    ensure!(once.len() == came.len(), "429 took nothing, so nothing came twice: {came:?}");
    let ship = story.ship().await?;
    ensure!(ship["trouble"].is_null(), "{ship}");
    Ok(())
}

#[tokio::test]
async fn slow_lost_and_endless_answers_lose_nothing() -> anyhow::Result<()> {
    let story = Story::begin(true).await?;
    story.arrived(SOON).await?;
    story.fault(json!({"delay": 1500}), 1).await?;
    story.fault(json!({"drop": true}), 1).await?;
    story.fault(json!({"big": 50 * 1024 * 1024}), 1).await?;
    story.push("kim@acme.com").await?;
    until("the slow call is over", SOON, async || {
        let faults = story.pool.ask("GET", "/cloud/faults", None).await?;
        Ok((!faults.to_string().contains("delay")).then_some(()))
    })
    .await?;
    story.push("ben@acme.com").await?;
    until("all faults were met, and the log is taken again", Duration::from_secs(90), async || {
        let faults = story.pool.ask("GET", "/cloud/faults", None).await?;
        let ship = story.ship().await?;
        let met = faults["faults"].as_array().is_some_and(Vec::is_empty);
        Ok((met && ship["trouble"].is_null() && ship["lag_records"] == 0).then_some(()))
    })
    .await?;
    let came = story.arrived(SOON).await?;
    let once: BTreeSet<u64> = came.iter().copied().collect();
    ensure!(came.len() > once.len(), "what was perhaps taken was sent again: {came:?}");
    let rows = story.rows(None).await?;
    let of_change = rows.iter().filter(|row| row["Kind"] == "directory-change");
    ensure!(
        of_change.clone().any(|row| row["Clear"].to_string().contains("ben@acme.com")),
        "names are asked for"
    );
    for row in rows.iter().filter(|row| row["Position"].is_u64()) {
        let same = rows.iter().filter(|other| other["RecordId"] == row["RecordId"]);
        ensure!(same.clone().all(|other| other == row), "what came twice is the same: {row}");
    }
    Ok(())
}

#[tokio::test]
async fn of_two_replicas_one_sends() -> anyhow::Result<()> {
    let store = Postgres::shared()?.database()?;
    let place = Place::with_store(["kim@acme.com", "ben@acme.com"], Some(store))?;
    let told = Story::begin_in(place, false).await?;
    let second = Serve::start(&told.place).await?;
    for n in 0..20 {
        let scim = if n % 2 == 0 { &told.scim } else { &second.scim(&told.token) };
        scim.post("/Users", &user(&format!("person{n}@acme.com"))).await?.is(201)?;
    }
    let came = told.arrived(SOON).await?;
    ensure!(came.windows(2).all(|pair| pair[0] < pair[1]), "in order, each once: {came:?}");
    let calls = told.pool.ask("GET", "/cloud/requests", None).await?;
    let calls = calls["requests"].as_array().context("calls")?.iter();
    ensure!(calls.filter(|c| c["service"] == "ingest").all(|c| c["status"] == 204), "one after the other");
    ensure!(second.metric("axon_log_shipped_records_total").await? < 1.0, "the second one sent nothing");
    Ok(())
}

#[tokio::test]
async fn the_doctor_says_whether_rows_would_be_taken_and_what_helps_where_not() -> anyhow::Result<()> {
    let story = Story::begin(false).await?;
    story.arrived(SOON).await?;
    let Story { pool, place, serve, .. } = story;
    serve.stop().await?;
    let before = pool.ask("GET", "/cloud/logs", None).await?;
    let error = |status: u16, code: &str| json!({"status": {"status": status, "code": code, "headers": [["Retry-After", "600"]]}});
    let inside = json!({"error": {"code": "GatewayTimeout", "message": "no answer"}});
    for (what, words) in [
        (error(429, "TooManyRequests"), ["Azure Monitor", "left alone for 600 s"]),
        (
            json!({"body": {"status": 200, "body": inside}}),
            ["Azure Monitor answers 200 GatewayTimeout", "asked again"],
        ),
        (
            json!({"body": {"status": 200, "body": {}}}),
            ["Azure Monitor answers 200", "says 204 when it takes rows"],
        ),
        (json!({"big": 52_428_800}), ["answered more than 8388608 bytes", "a proxy"]),
        (json!({"drop": true}), ["did not finish its answer", "docs/AZURE.md"]),
        (error(403, "OperationFailed"), ["403 OperationFailed", "Monitoring Metrics Publisher"]),
        (error(404, "NotFound"), ["there is no such rule", "audit.ship.rule_id"]),
        (error(404, "InvalidStream"), ["declares no such stream", "audit.ship.stream"]),
        (error(401, "InvalidToken"), ["the token is not taken", "tenant and cloud"]),
    ] {
        let fault = json!({"service": "ingest", "times": 1, "what": what});
        pool.ask("POST", "/cloud/faults", Some(fault)).await?;
        let said = place.axon(&["doctor"]).await?.exits(3)?.out;
        ensure!(said.contains("FOUND audit.ship"), "{what}: {said}");
        for word in words {
            ensure!(said.contains(word), "{what} lacks {word:?}: {said}");
        }
        ensure!(!said.contains(SECRET), "{said}");
    }
    let said = place.axon(&["doctor"]).await?.out;
    ensure!(said.contains("takes calls of Axon's for stream Custom-Axon_CL"), "{said}");
    ensure!(pool.ask("GET", "/cloud/logs", None).await? == before, "a question is no row");
    Ok(())
}

//! A job's token is exchanged for what its service identity holds.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::kit::{Answer, Ci, Stand, post_form};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

fn role_map(issuer: &str) -> String {
    format!(
        "axon: 1
targets:
  dw: {{ kind: synapse-dedicated, host: h.sql.azuresynapse.net, database: d, auth: {{ token-file: t }}, mode: observe }}
roles:
  loader: {{ grants: {{ dw: [\"insert on sales.orders\"] }} }}
  other: {{ grants: {{ dw: [\"select on sales.regions\"] }} }}
services:
  ci-deploy:
    principal: axon-ci
    token: {{ issuer: \"{issuer}\", audience: axon, subject: job-1, claims: {{ repository: acme/w }} }}
  ci-other:
    principal: axon-other
    token: {{ issuer: \"{issuer}\", audience: axon, subject: job-2, claims: {{ repository: acme/w }} }}
mappings:
  - {{ service: ci-deploy, roles: [loader] }}
  - {{ service: ci-other, roles: [other] }}
"
    )
}

async fn exchange(stand: &Stand, token: &str) -> anyhow::Result<Answer> {
    let form = [("grant_type", GRANT), ("subject_token_type", JWT), ("subject_token", token)];
    let address = format!("{}/api/v1/token", stand.serve.address());
    post_form(&address, &form).await
}

#[tokio::test]
async fn a_job_gets_what_its_service_holds_for_a_short_time() -> anyhow::Result<()> {
    let ci = Ci::start().await;
    let operators = format!("  exchange: [{{ issuer: \"{}\", audience: axon }}]\n", ci.name);
    let place = axon_tests::Place::new([""; 0])?;
    place.write("t", "x")?;
    let stand = Stand::start_on(place, &operators, &role_map(&ci.name)).await?;
    let token = ci.token(&json!({ "repository": "acme/w", "actor": "kim" }));
    let given = exchange(&stand, &token).await?.is(200)?;
    ensure!(given.headers["cache-control"] == "no-store");
    let body = given.body;
    ensure!(body["token_type"] == "Bearer" && body["service"] == "ci-deploy", "{body}");
    let life = body["expires_in"].as_i64().context("a life")?;
    ensure!((1..=900).contains(&life), "{life}");
    let held = json!([{ "target": "dw", "principal": "axon-ci", "roles": ["loader"], "grants": ["insert on sales.orders"] }]);
    ensure!(body["entitlements"] == held, "{}", body["entitlements"]);
    let service = stand.client(body["access_token"].as_str().context("a token")?);
    let told = service.get("/entitlements").await?.is(200)?.body;
    ensure!(told["entitlements"] == body["entitlements"] && told["job"]["triggered_by"] == "kim", "{told}");
    // It is no operator's and no source's.
    service.get("/map").await?.refuses(401, "unauthorized")?;
    stand.serve.scim(&service.token).get("/Users").await?.refuses(401, "", &[])?;
    let ana = stand.operator("ana", "map.read,map.push").await?;
    ana.get("/entitlements").await?.refuses(401, "unauthorized")?;
    // What the map no longer gives is gone at once.
    let first = stand.version().await?;
    let without = role_map(&ci.name).replace("  - { service: ci-deploy, roles: [loader] }\n", "");
    ana.push(&without, &first).await?.is(201)?;
    let second = stand.version_after(&first).await?;
    ensure!(service.get("/entitlements").await?.is(200)?.body["entitlements"] == json!([]));
    let another = role_map(&ci.name).replace("subject: job-1", "subject: job-9");
    ana.push(&another, &second).await?.is(201)?;
    stand.version_after(&second).await?;
    service.get("/entitlements").await?.refuses(401, "unauthorized")?;
    let export = stand.place.axon(&["audit", "export"]).await?.exits(0)?.out;
    let record = export.lines().find(|line| line.contains("\"exchanged\"")).context("a record")?;
    ensure!(
        record.contains("ci-deploy") && record.contains("kim") && !record.contains(&service.token),
        "{record}"
    );
    stand.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_no_service_s_is_refused_and_counted() -> anyhow::Result<()> {
    let ci = Ci::start().await;
    let operators = format!("  exchange: [{{ issuer: \"{}\", audience: axon }}]\n", ci.name);
    let place = axon_tests::Place::new([""; 0])?;
    place.write("t", "x")?;
    let stand = Stand::start_on(place, &operators, &role_map(&ci.name)).await?;
    let good = json!({ "repository": "acme/w" });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        ci.token(&claims)
    };
    for (token, why) in [
        (with("sub", json!("job-3")), "no-service"),
        (with("repository", json!("evil/w")), "no-service"),
        (with("aud", json!("other")), "wrong-audience"),
        (with("iss", json!("https://ci.example")), "unknown-issuer"),
        (with("exp", json!(1_000_000_000)), "expired"),
        ("axon_op_x".to_owned(), "not-a-token"),
    ] {
        let answer = exchange(&stand, &token).await?.is(400)?;
        ensure!(
            answer.body["error"] == "invalid_request" && !answer.body.to_string().contains(why),
            "{}",
            answer.body
        );
        ensure!(stand.counted("axon_token_exchanges_total", why).await? >= 1.0, "{why} was not counted");
    }
    // The rules that are shipped speak of metrics that there are, and of ones that operators are told of.
    let (_, shown) = stand.serve.page("/metrics").await?;
    let rules = include_str!("../../../deploy/alerts.yaml");
    ensure!(
        rules.contains("axon_token_exchanges_total{outcome!=\"issued\"}")
            && shown.contains("axon_token_exchanges_total{")
    );
    let told = include_str!("../../../docs/OPERATIONS.md");
    for name in
        rules.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).filter(|word| word.starts_with("axon_"))
    {
        ensure!(told.contains(name), "{name} is not told of in docs/OPERATIONS.md");
    }
    // A server without `exchange` takes none.
    let plain = Stand::start("").await?;
    exchange(&plain, &ci.token(&good)).await?.is(400)?;
    Ok(())
}

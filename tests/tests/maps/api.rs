//! The operators' API: who gets in, what it answers, what it refuses.

use std::time::Instant;

use anyhow::{Context, ensure};
use axon_tests::{SOON, until};
use reqwest::Method;
use serde_json::json;

use crate::kit::{Stand, failing, files, map, post_form};

#[tokio::test]
async fn operators_and_sources_never_pass_for_each_other() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let source = stand.place.token("entra").await?;
    let operator = stand.operator("ana", "map.read").await?;
    let first = stand.version().await?;
    operator.get("/map").await?.is(200)?;
    for token in ["", &source, "axon_op_guess", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0."] {
        let client = stand.client(token);
        for path in ["/map", "/map/versions", "/map/proposals", "/entitlements"] {
            client.get(path).await?.refuses(401, "unauthorized")?;
        }
        client.push(&map("x"), &first).await?.refuses(401, "unauthorized")?;
    }
    // An operator's token opens no SCIM, also not as a client's secret.
    let scim = stand.serve.scim(&operator.token);
    scim.get("/Users").await?.refuses(401, "", &[])?;
    let secret =
        [("grant_type", "client_credentials"), ("client_id", "ana"), ("client_secret", &operator.token)];
    post_form(&format!("{}/oauth2/token", stand.serve.address()), &secret).await?.is(401)?;
    ensure!(stand.counted("axon_operators_refused_total", "unknown").await? >= 2.0);
    ensure!(stand.counted("axon_operators_refused_total", "no-token").await? >= 1.0);
    ensure!(stand.version().await? == first);
    Ok(())
}

#[tokio::test]
async fn a_token_does_what_it_was_made_for_until_it_is_revoked() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let reader = stand.operator("rea", "map.read").await?;
    let pusher = stand.operator("pia", "map.push").await?;
    let first = stand.version().await?;
    reader.push(&map("x"), &first).await?.refuses(403, "not-permitted")?;
    pusher.get("/map").await?.refuses(403, "not-permitted")?;
    pusher.push(&map("x"), &first).await?.is(201)?;
    let listed = stand.place.axon(&["token", "list", "--operators", "--json"]).await?.exits(0)?.json()?;
    let row =
        listed.as_array().context("rows")?.iter().find(|row| row["operator"] == "pia").context("pia")?;
    ensure!(row["may"] == "map.push" && row["accepted"] == true && row["lastUsed"].is_number(), "{row}");
    ensure!(!listed.to_string().contains(&pusher.token[8..]), "the token is not shown");
    let sources = stand.place.axon(&["token", "list", "--json"]).await?.exits(0)?.json()?;
    ensure!(sources.as_array().is_some_and(Vec::is_empty), "{sources}");
    stand.place.axon(&["token", "revoke", row["id"].as_str().context("an id")?]).await?.exits(0)?;
    pusher.push(&map("y"), &first).await?.refuses(401, "unauthorized")?;
    ensure!(stand.counted("axon_operators_refused_total", "expired-or-revoked").await? >= 1.0);
    for (arguments, words) in [
        (&["token", "create", "--operator", "x"][..], "--may"),
        (&["token", "create", "--operator", "x", "--may", "map.pish"], "map.push"),
        (&["token", "create", "--operator", "x", "--may", "map.read", "--source", "entra"], "--source"),
        (&["token", "create", "--source", "entra", "--may", "map.read"], "--may"),
    ] {
        stand.place.axon(arguments).await?.exits(2)?.says(&[words])?;
    }
    Ok(())
}

#[tokio::test]
async fn the_api_refuses_what_is_stale_bad_or_too_much() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let ana = stand.operator("ana", "map.read,map.push").await?;
    let current = ana.get("/map").await?.is(200)?;
    let tag = current.headers["etag"].to_str()?.to_owned();
    let first = current.body["version"].as_str().context("a hash")?.to_owned();
    ensure!(tag == format!("\"{first}\"") && current.body["files"][0]["text"] == map("first"));
    let body = |text: &str| json!({ "files": files(text), "comment": "why" });
    let put = async |text: &str, tag: &str| {
        ana.send(Method::POST, "/map", Some(body(text)), &[("if-match", tag)]).await
    };
    ana.post("/map", body(&map("x"))).await?.refuses(428, "parent-missing")?;
    put(&map("x"), &tag).await?.is(201)?;
    let stale = put(&map("y"), &tag).await?.refuses(412, "conflict")?;
    ensure!(stale.body["in_force"]["author"]["name"] == "ana", "{}", stale.body);
    let stale = ana.push(&map("y"), &first).await?.refuses(409, "conflict")?;
    ensure!(stale.body["in_force"]["comment"] == "why", "{}", stale.body);
    put(&map("x"), "*").await?.is(200)?;
    // What is wrong with a map is told as a compiler does.
    let faults = put(&map("y").replace("roles", "rols"), "*").await?.refuses(422, "faults")?;
    ensure!(
        faults.body["detail"].as_str().is_some_and(|d| d.contains("role-map.yaml:2:1")),
        "{}",
        faults.body
    );
    put(&failing("y"), "*").await?.refuses(422, "tests-fail")?;
    let no_way = "axon: 1\ntargets: { dw: { kind: synapse-dedicated, host: h, database: d, auth: { sql: { user: u, password: \"${env:NO_SUCH}\" } } } }\n";
    let refused = put(no_way, "*").await?;
    ensure!(refused.status == 422, "{refused:?}");
    for (wrong, code) in [
        (json!([]), "bad-request"),
        (json!({ "files": "x", "comment": "c", "parent": null }), "bad-request"),
        (json!({ "files": files("axon: 1\n"), "coment": "c", "parent": null }), "bad-request"),
        (json!({ "files": files("axon: 1\n"), "comment": 7, "parent": null }), "bad-request"),
        (json!({ "files": files("axon: 1\n"), "comment": "c", "parent": "xyz" }), "bad-request"),
        (json!({ "files": files("axon: 1\n"), "comment": "a\nb", "parent": null }), "malformed"),
        (
            json!({ "files": [{ "name": "../x", "text": "axon: 1\n" }], "comment": "c", "parent": null }),
            "malformed",
        ),
        (json!({ "files": [], "comment": "c", "parent": null }), "malformed"),
    ] {
        ana.post("/map", wrong).await?.refuses(400, code)?;
    }
    let huge = "#".repeat(9 * 1024 * 1024);
    ana.send(Method::POST, "/map", Some(body(&huge)), &[("if-match", "*")]).await?.refuses(413, "refused")?;
    ana.get("/map/versions/short").await?.refuses(400, "bad-request")?;
    ana.get(&format!("/map/versions/{}", "0".repeat(64))).await?.refuses(404, "not-found")?;
    ana.get("/nothing").await?.refuses(404, "refused")?;
    ana.send(Method::DELETE, "/map", None, &[]).await?.refuses(405, "refused")?;
    let page = ana.get("/map/versions?limit=1").await?.is(200)?.body;
    ensure!(
        page["versions"].as_array().is_some_and(|list| list.len() == 1) && page["next_before"].is_number()
    );
    ana.get("/map/versions?limit=1000").await?.refuses(400, "bad-request")?;
    ensure!(ana.get(&format!("/map/versions/{first}")).await?.is(200)?.body["files"].is_array());
    Ok(())
}

#[tokio::test]
async fn guesses_are_slowed_and_one_that_runs_wild_waits_for_itself() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let guess = stand.client("axon_op_guess");
    let began = Instant::now();
    for _ in 0..9 {
        guess.get("/map").await?.refuses(401, "unauthorized")?;
    }
    ensure!(
        began.elapsed().as_millis() >= 1_400,
        "5 at once, then 100, 200, 400, 800 ms: {:?}",
        began.elapsed()
    );
    let ana = stand.operator("ana", "map.read").await?;
    let lee = stand.operator("lee", "map.read").await?;
    until("there are too many of one", SOON, async || {
        Ok((ana.get("/map/proposals").await?.status == 429).then_some(()))
    })
    .await?;
    lee.get("/map/proposals").await?.is(200)?;
    ensure!(stand.counted("axon_operators_refused_total", "rate").await? >= 1.0);
    Ok(())
}

#[tokio::test]
async fn a_preview_over_the_api_tells_who_gains() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let scim = stand.serve.scim(&stand.place.token("entra").await?);
    let kim = scim.person("kim@acme.example").await?;
    scim.group("Readers", &[&kim]).await?;
    let ana = stand.operator("ana", "map.read").await?;
    let text = "axon: 1\ntargets:\n  dw: { kind: synapse-dedicated, host: h.sql.azuresynapse.net, database: d, auth: { token-file: t }, \
                mode: authoritative }\nroles: { r: { grants: { dw: [select on sales.orders] } } }\n\
                mappings: [{ groups: { any: [Readers] }, source: entra, roles: [r] }]\n";
    let seen = ana.post("/map/preview", json!({ "files": files(text) })).await?.is(200)?.body;
    ensure!(seen["gives"] == true && seen["preview"]["people_gaining"] == 1, "{seen}");
    ensure!(seen["markdown"].as_str().is_some_and(|text| text.starts_with("## Role map preview")), "{seen}");
    let steps = &seen["steps"][0];
    ensure!(
        steps["target"] == "dw" && steps["would_wait"] == 0 && steps["mode"] == "authoritative",
        "{seen}"
    );
    let told = steps["steps"].as_array().context("steps")?;
    let step = |words: &str| told.iter().find(|step| step["step"] == words).with_context(|| words.to_owned());
    let grant = step("grant SELECT on sales.orders to axon_r")?;
    ensure!(
        grant["statements"] == json!(["GRANT SELECT ON OBJECT::[sales].[orders] TO [axon_r]"]),
        "{grant}"
    );
    step("add kim@acme.example to role axon_r")?;
    ensure!(told.len() as u64 == steps["to_do"].as_u64().context("a count")?, "{steps}");
    ana.post("/map/preview", json!({ "files": files("axon: 2\n") })).await?.refuses(422, "faults")?;
    ensure!(stand.log().await?.len() == 1, "nothing was put in force");
    Ok(())
}

//! The API's document: what is printed, served and kept is one, every route of the API is in it (pages for people are none of it), and a client that is made of it finds
//! nothing that the server does otherwise.

use std::collections::BTreeSet;
use std::process::Stdio;

use anyhow::{Context, ensure};
use axon_tests::{ADMIN, PASSWORD, Place, Pool, SOON, Serve, until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

/// An operator may ask as often as the client does, and each request may come from an address of its own.
const CONFIG: &str = "\
listen: 127.0.0.1:0
store: sqlite:axon.db
role_map: role-map.yaml
sources: { entra: { kind: entra } }
trusted_proxies: [127.0.0.1]
operators: { requests_per_second: 10000 }
integrations: { hosts: [\"127.0.0.1\"], requests_per_second: 10000 }
";
const MAY: &str = "map.read,map.push,map.release,holds.read,holds.release,offboard,grant,integrations.write";
/// Operations whose payload is that of `createIntegration`, or of `scriptOfCreate`, to the letter.
const SAME_PAYLOAD: [&str; 5] =
    ["updateIntegration", "scriptOfEdit", "scriptOfInitialCreate", "scriptOfCleanup", "scriptOfPostCleanup"];
/// Where the document is kept.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
/// Which requests the client makes; another number makes others.
const SEED: &str = "20261122";

async fn served() -> anyhow::Result<(Place, Serve)> {
    let place = Place::new([""; 0])?;
    place.write("role-map.yaml", "axon: 1\nroles: { reader: {} }\n")?;
    place.write("axon.yaml", CONFIG)?;
    let serve = Serve::start(&place).await?;
    Ok((place, serve))
}

#[tokio::test]
async fn the_document_that_is_printed_served_and_kept_is_one() -> anyhow::Result<()> {
    let (place, serve) = served().await?;
    let printed = place.axon(&["openapi"]).await?.exits(0)?.out;
    if std::env::var_os("AXON_TEST_WRITE").is_some() {
        std::fs::write(KEPT, &printed)?;
    }
    let kept = std::fs::read_to_string(KEPT).context(KEPT)?;
    ensure!(printed == kept, "docs/openapi.json is of another version: AXON_TEST_WRITE=1 writes it anew");
    let (status, text) = serve.page("/openapi.json").await?;
    ensure!(status == 200 && text == kept, "{status}");

    let page = reqwest::get(format!("{}/docs", serve.address())).await?;
    let policy = page.headers().get("content-security-policy").context("a policy")?.to_str()?.to_owned();
    ensure!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    let html = page.text().await?;
    ensure!(
        html.contains("createIntegration") && !html.contains("<script"),
        "the page tells of the operations"
    );
    let (status, style) = serve.page("/docs/style.css").await?;
    ensure!(status == 200 && style.contains("body {"), "{status}");
    Ok(())
}

#[tokio::test]
async fn each_path_answers_the_methods_of_the_document_and_no_other() -> anyhow::Result<()> {
    let (_place, serve) = served().await?;
    let document: Value = serde_json::from_str(&serve.page("/openapi.json").await?.1)?;
    let client = reqwest::Client::new();
    let all = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];
    for (path, item) in document["paths"].as_object().context("paths")? {
        let told: BTreeSet<String> =
            item.as_object().context("a path")?.keys().map(|method| method.to_uppercase()).collect();
        let address = format!("{}{}", serve.address(), path.replace("{id}", "1").replace("{version}", "x"));
        for method in &all {
            let answer = client.request(method.clone(), &address).send().await?;
            let (status, allow) = (answer.status(), answer.headers().get("allow").cloned());
            if told.contains(method.as_str()) {
                ensure!(status != StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                let text = answer.text().await?;
                ensure!(!text.contains("nothing at this path"), "{method} {path}: {text}");
                continue;
            }
            ensure!(status == StatusCode::METHOD_NOT_ALLOWED, "{method} {path}: {status}");
            let allow = allow.with_context(|| format!("{method} {path}: which methods it has"))?;
            let allow: BTreeSet<String> = allow
                .to_str()?
                .split(',')
                .map(|one| one.trim().to_owned())
                .filter(|one| one != "HEAD")
                .collect();
            ensure!(allow == told, "{path}: {allow:?} and {told:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_client_made_of_the_document_finds_nothing_that_the_server_does_otherwise() -> anyhow::Result<()> {
    let (place, serve) = served().await?;
    let pool = Pool::start_empty(&place, 0, &[]).await?;
    let said = place.axon(&["token", "create", "--operator", "ana", "--may", MAY]).await?.exits(0)?;
    let python = std::env::var("AXON_TEST_PYTHON").context("AXON_TEST_PYTHON: run `make test`")?;
    let program = std::path::Path::new(&python).with_file_name("schemathesis");
    let client = Client { program, key: said.out.trim().to_owned(), port: pool.port()? };
    client.integrates(&serve).await?;
    // What the fuzzing phase draws, of every operation; and the edges of each member. Operations that take the payload of another one
    // by the same reader are left to that one.
    client.played(&place, &serve, &["--phases", "fuzzing", "--max-examples", "15"]).await?;
    let mut edges = vec!["--phases", "coverage"];
    edges.extend(SAME_PAYLOAD.iter().flat_map(|operation| ["--exclude-operation-id", operation]));
    client.played(&place, &serve, &edges).await?;
    let log = place.read("serve.log")?;
    ensure!(!log.contains("panicked"), "{log}");
    Ok(())
}

/// Who makes requests of the document.
struct Client {
    program: std::path::PathBuf,
    key: String,
    /// Where the pool is that integrations are about.
    port: u16,
}

impl Client {
    /// Makes one integration, so that not every id is made up.
    async fn integrates(&self, serve: &Serve) -> anyhow::Result<()> {
        let config = json!({
            "host": "127.0.0.1", "port": self.port, "tls": "off", "database": "dw", "schema": "secure",
            "username": ADMIN, "password": PASSWORD,
        });
        let payload = json!({ "type": "Azure Synapse Analytics", "autoBootstrap": true, "config": config });
        let address = format!("{}/integrations", serve.address());
        let client = reqwest::Client::new();
        let request = client.post(&address).header("authorization", &self.key);
        let request = request.header("content-type", "application/json").body(payload.to_string());
        let answer = request.send().await?;
        ensure!(answer.status() == 201, "{}", answer.text().await?);
        until("the integration is there", SOON, async || {
            let request = client.get(format!("{address}/1/status")).header("authorization", &self.key);
            let told: Value = serde_json::from_str(&request.send().await?.text().await?)?;
            Ok((told["status"] == "enabled").then_some(()))
        })
        .await
    }

    async fn played(&self, place: &Place, serve: &Serve, how: &[&str]) -> anyhow::Result<()> {
        let hooks = concat!(env!("CARGO_MANIFEST_DIR"), "/python/openapi");
        let pool = json!({ "port": self.port, "username": ADMIN, "password": PASSWORD });
        let output = Command::new(&self.program)
            .args(["--config-file", &format!("{hooks}/schemathesis.toml"), "run"])
            .arg(format!("{}/openapi.json", serve.address()))
            .args(how)
            .args(["--checks", "all", "--no-shrink", "--seed", SEED, "--generation-database", "none"])
            .arg("--continue-on-failure")
            .env("PYTHONPATH", hooks)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("AXON_KEY", &self.key)
            .env("AXON_POOL", pool.to_string())
            .current_dir(place.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("schemathesis: run `make test`, which installs it")?;
        let told = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        // A run in which nothing was tried would be well, too.
        ensure!(told.contains("Selected: ") && told.contains(" passed"), "{told}");
        Ok(())
    }
}

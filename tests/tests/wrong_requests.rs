//! Wrong requests get the precise error, and nothing changes: not the directory, not the journal, not the pool.

use anyhow::{Context, ensure};
use axon_tests::{Catalog, SOON, Scim, Stage, group, user};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A stage on which all is done, and what it must still look like at the end.
struct Quiet {
    stage: Stage,
    head: u64,
    catalog: Catalog,
    /// Ana, as she is.
    user: Value,
    user_path: String,
    group_path: String,
}

impl Quiet {
    async fn set() -> anyhow::Result<Self> {
        let stage = Stage::set(&["kim@acme.example"]).await?;
        let kim = stage.scim.person("kim@acme.example").await?;
        let user_path = format!("/Users/{}", stage.scim.person("ana@acme.example").await?);
        let group_path = format!("/Groups/{}", stage.scim.group("Readers", &[&kim]).await?);
        stage.catalog_when("kim reads", |c| c.roles_of("kim@acme.example") == ["axon_reader"]).await?;
        stage.settled().await?;
        let (head, catalog) = (stage.place.head().await?, stage.catalog().await?);
        let user = stage.scim.get(&user_path).await?.is(200)?.body;
        Ok(Self { stage, head, catalog, user, user_path, group_path })
    }

    async fn is_as_before(&self) -> anyhow::Result<()> {
        let journal = self.stage.place.journal().await?;
        let new = &journal[usize::try_from(self.head)?..];
        ensure!(new.is_empty(), "the journal moved: {new:#?}");
        ensure!(self.stage.catalog().await? == self.catalog);
        let user = self.stage.scim.get(&self.user_path).await?.is(200)?.body;
        ensure!(user == self.user, "{user} instead of {}", self.user);
        let all = self.stage.scim.get("/Users").await?.is(200)?.body;
        ensure!(all["totalResults"] == 2, "{all}");
        Ok(())
    }
}

/// Sends bytes that no connector would, and gives the status.
async fn status_of(
    stage: &Stage,
    method: Method,
    path: &str,
    kind: &str,
    body: Vec<u8>,
) -> anyhow::Result<u16> {
    let address = format!("{}/scim/v2{path}", stage.serve.address());
    let request = reqwest::Client::new().request(method, address).bearer_auth(&stage.token);
    let answer = request.header("Content-Type", kind).body(body).send().await?;
    let status = answer.status().as_u16();
    let error: Value = answer.json().await?;
    ensure!(error["status"] == *status.to_string(), "{error}");
    Ok(status)
}

/// Sends these bytes alone, and gives what is answered to them.
async fn answer_to(stage: &Stage, bytes: &[u8]) -> anyhow::Result<String> {
    let address = stage.serve.address().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(bytes).await?;
    let mut told = vec![0; 4096];
    let length = tokio::time::timeout(SOON, stream.read(&mut told)).await.context("no answer")??;
    told.truncate(length);
    Ok(String::from_utf8(told)?)
}

#[tokio::test]
async fn bodies_that_are_no_json_or_not_of_a_user_are_refused() -> anyhow::Result<()> {
    let quiet = Quiet::set().await?;
    let Quiet { stage: Stage { scim, .. }, user_path, .. } = &quiet;
    let with = |key: &str, value: Value| {
        let mut body = user("new@acme.example");
        body[key] = value;
        body
    };
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let twice =
        br#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a","userName":"b"}"#;
    for (body, words) in [
        (b"{".to_vec(), ""),
        (b" ".to_vec(), "empty"),
        (b"[]".to_vec(), "object"),
        (b"{}]".to_vec(), ""),
        (b"{\"userName\": \"\xff\"}".to_vec(), ""),
        (b"{\"userName\": \"\\ud800\"}".to_vec(), ""),
        (deep.into_bytes(), ""),
        (twice.to_vec(), "twice"),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        scim.raw(Method::POST, "/Users", body)
            .await?
            .refuses(400, "invalidSyntax", &[words])
            .context(shown)?;
    }
    for (body, keyword, words) in [
        (json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"] }), "invalidValue", "userName"),
        (with("userName", json!(5)), "invalidValue", "userName"),
        (with("userName", json!("")), "invalidValue", "userName"),
        (with("userName", json!("a\0b")), "invalidValue", "U+0000"),
        (with("displayName", json!("\0")), "invalidValue", "U+0000"),
        (with("active", json!("perhaps")), "invalidValue", "active"),
        (with("emails", json!([[5]])), "invalidValue", "emails"),
        (with("name", json!(["Kim"])), "invalidValue", "name"),
    ] {
        let shown = body.to_string();
        scim.post("/Users", &body).await?.refuses(400, keyword, &[words]).context(shown)?;
    }
    scim.post("/Groups", &group("a\0b", &[])).await?.refuses(400, "invalidValue", &["U+0000"])?;
    let taken = with("userName", json!("KIM@acme.example"));
    scim.post("/Users", &taken).await?.refuses(409, "uniqueness", &["userName"])?;
    scim.put(user_path, &taken).await?.refuses(409, "uniqueness", &["userName"])?;
    quiet.is_as_before().await
}

/// Each comes behind an operation that could be made: none of the request is kept.
#[tokio::test]
async fn changes_that_cannot_be_made_are_refused_whole() -> anyhow::Result<()> {
    let quiet = Quiet::set().await?;
    let Quiet { stage: Stage { scim, .. }, user_path, group_path, .. } = &quiet;
    let sound_first = json!({ "op": "replace", "path": "displayName", "value": "Changed" });
    for (path, operation, keyword) in [
        (user_path, json!({ "op": "frobnicate", "path": "active", "value": true }), "invalidSyntax"),
        (user_path, json!({ "op": "replace", "path": "emails[type eq", "value": "x" }), "invalidPath"),
        (user_path, json!({ "op": "replace", "path": "active", "value": "perhaps" }), "invalidValue"),
        (
            user_path,
            json!({ "op": "replace", "path": "userName", "value": "kim@acme.example" }),
            "uniqueness",
        ),
        (user_path, json!({ "op": "replace", "path": "userName", "value": "a\0b" }), "invalidValue"),
        (user_path, json!({ "op": "remove" }), "noTarget"),
        (group_path, json!({ "op": "remove", "path": "members[value" }), "invalidPath"),
        (group_path, json!({ "op": "remove", "path": "displayName" }), "mutability"),
    ] {
        let shown = operation.to_string();
        let answer = scim.patch(path, &json!([sound_first, operation])).await?;
        let status = if keyword == "uniqueness" { 409 } else { 400 };
        answer.refuses(status, keyword, &[]).context(shown)?;
    }
    scim.raw(Method::PATCH, user_path, b"{}".to_vec()).await?.refuses(
        400,
        "invalidSyntax",
        &["Operations"],
    )?;
    quiet.is_as_before().await
}

#[tokio::test]
async fn filters_ids_paths_verbs_and_sizes_are_checked() -> anyhow::Result<()> {
    let quiet = Quiet::set().await?;
    let Quiet { stage: Stage { scim, .. }, .. } = &quiet;
    for filter in [
        "userName",
        "userName+eq",
        "userName+zz+%22a%22",
        "userName+eq+%22a",
        "(userName+pr",
        "userName+eq+%22a%22+and",
    ] {
        scim.get(&format!("/Users?filter={filter}"))
            .await?
            .refuses(400, "invalidFilter", &[])
            .context(filter)?;
    }
    let deep = format!("/Users?filter={}userName+pr{}", "(".repeat(3_000), ")".repeat(3_000));
    scim.get(&deep).await?.refuses(400, "invalidFilter", &[])?;
    let quoted = "userName+eq+%22x'+OR+1%3D1--%22";
    let found = scim.get(&format!("/Users?filter={quoted}")).await?.is(200)?;
    ensure!(found.body["totalResults"] == 0, "{}", found.body);
    scim.get("/Users?count=many").await?.refuses(400, "invalidValue", &["count"])?;
    for path in ["/Users/nobody", "/Users/%00", "/Users/00000000-0000-7000-8000-000000000000", "/Nothing"] {
        scim.get(path).await?.refuses(404, "", &[]).context(path)?;
    }
    scim.delete("/Groups/00000000-0000-7000-8000-000000000000").await?.refuses(404, "", &[])?;
    scim.put("/Users", &user("new@acme.example")).await?.refuses(405, "", &[])?;
    scim.get(&format!("/Users?filter={}", "x".repeat(40_000))).await?.refuses(431, "", &[])?;
    ensure!(status_of(&quiet.stage, Method::POST, "/Users", "text/plain", b"{}".to_vec()).await? == 415);
    // A body that says it is too long is refused at once, whatever of it comes.
    let head = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/scim+json\r\nContent-Length: 9000000\r\n\r\n{{",
        quiet.stage.token
    );
    let told = answer_to(&quiet.stage, head.as_bytes()).await?;
    ensure!(told.starts_with("HTTP/1.1 413 ") && told.contains("application/scim+json"), "{told}");
    quiet.is_as_before().await
}

#[tokio::test]
async fn tokens_that_are_none_open_nothing() -> anyhow::Result<()> {
    let quiet = Quiet::set().await?;
    let Quiet { stage: Stage { scim, .. }, .. } = &quiet;
    for token in ["", "axon_wrong", "\u{e9}", "a b", &"x".repeat(9_000)] {
        let answer = Scim::with_token(scim, token).post("/Users", &user("new@acme.example")).await?;
        answer.refuses(401, "", &[]).with_context(|| token.chars().take(20).collect::<String>())?;
    }
    let answer = reqwest::get(format!("{}/scim/v2/Users", quiet.stage.serve.address())).await?;
    ensure!(answer.status() == 401 && answer.headers().contains_key("www-authenticate"), "{answer:?}");
    quiet.is_as_before().await
}

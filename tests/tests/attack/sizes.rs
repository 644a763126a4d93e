//! Large bodies, and small ones that stand for much.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use reqwest::Method;
use serde_json::json;

use super::siege::{Siege, within};

const LIMIT: Duration = Duration::from_secs(20);
const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn twenty_mebibytes_are_refused_before_they_are_held() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let before = siege.memory()?;
    let body = format!("{{\"userName\":\"new\",\"displayName\":\"{}\"}}", "x".repeat(20 * MIB));
    // Told its length, the server refuses at once; sent in chunks, as soon as it is too much.
    let head = siege.head("POST", "/Users", &format!("Content-Length: {}\r\n", body.len()));
    let told = siege.told(&[&head, body.as_bytes()].concat()).await?;
    ensure!(told.starts_with("HTTP/1.1 413 ") && told.contains("application/scim+json"), "{told}");
    let mut chunked = siege.head("POST", "/Users", "Transfer-Encoding: chunked\r\n");
    for chunk in body.as_bytes().chunks(MIB) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let told = siege.told(&chunked).await?;
    ensure!(told.starts_with("HTTP/1.1 413 ") && told.contains("application/scim+json"), "{told}");
    // Eight at once, as an ordinary client sends them.
    let eight = (0..8).map(|_| siege.scim.raw(Method::POST, "/Users", body.clone().into_bytes()));
    for answer in try_join_all(eight).await? {
        answer.refuses(413, "", &[])?;
    }
    siege.grew_less(before, 120)?;
    siege.is_unmoved().await
}

#[tokio::test]
async fn a_million_elements_are_bounded_in_time_and_memory() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let before = siege.memory()?;
    let million = |element: &str| format!("[{}]", vec![element; 1_000_000].join(","));
    let user = |name: &str, list: &str| {
        format!(
            "{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"new\",\"{name}\":{list}}}"
        )
    };
    for (name, body) in [
        ("numbers for e-mails", user("emails", &million("0"))),
        ("lists for e-mails", user("emails", &million("[]"))),
        ("numbers for a name", user("name", &million("0"))),
        ("numbers for a text", user("displayName", &million("0"))),
        ("numbers for schemas", format!("{{\"userName\":\"new\",\"schemas\":{}}}", million("0"))),
    ] {
        let answer =
            within(LIMIT, siege.scim.raw(Method::POST, "/Users", body.into_bytes())).await.context(name)?;
        ensure!(answer.status == 400, "{name}: {} {}", answer.status, answer.body);
    }
    let operations = format!("{{\"Operations\":{}}}", million("{}"));
    let answer = within(LIMIT, siege.scim.raw(Method::PATCH, &siege.user, operations.into_bytes())).await?;
    ensure!(matches!(answer.status, 400 | 413), "{} {}", answer.status, answer.body);
    let members = format!("{{\"displayName\":\"Big\",\"members\":{}}}", million("0"));
    let answer = within(LIMIT, siege.scim.raw(Method::POST, "/Groups", members.into_bytes())).await?;
    ensure!(answer.status == 400, "{} {}", answer.status, answer.body);
    // One takes 75 MiB; what each of a few threads freed goes back to the system a moment later (ADR 1).
    siege.grew_less(before, 250)?;
    // Eight at once are eight times one at most.
    let eight =
        (0..8).map(|_| siege.scim.raw(Method::POST, "/Users", user("emails", &million("0")).into_bytes()));
    for answer in try_join_all(eight).await? {
        ensure!(answer.status == 400, "{} {}", answer.status, answer.body);
    }
    siege.grew_less(before, 600)?;
    siege.is_unmoved().await
}

/// Elements that say nothing are no elements; that there are a million of them is no reason to store them.
#[tokio::test]
async fn a_million_empty_elements_leave_nothing() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let list = vec!["{}"; 1_000_000].join(",");
    let body = format!("{{\"userName\":\"kim@acme.example\",\"externalId\":\"x\",\"emails\":[{list}]}}");
    let answer = within(LIMIT, siege.scim.raw(Method::PUT, &siege.user, body.into_bytes())).await?;
    ensure!(matches!(answer.status, 200 | 400 | 413), "{}", answer.status);
    let user = siege.scim.get(&siege.user).await?.is(200)?.body;
    ensure!(user.get("emails").is_none() && user.to_string().len() < 2000, "{user}");
    Ok(())
}

/// One small request must not make much: every value that is named costs its own bytes in the request.
#[tokio::test]
async fn operations_that_multiply_are_bounded() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let before = siege.memory()?;
    // Each operation copies what the ones before made, where it can.
    let long = "x".repeat(60_000);
    let operations: Vec<_> = (0..100)
        .map(|n| json!({ "op": "add", "path": format!("emails[type eq \"{n}\"].value"), "value": long }))
        .collect();
    let answer = within(LIMIT, siege.scim.patch(&siege.user, &json!(operations))).await?;
    ensure!(matches!(answer.status, 200 | 204 | 400 | 413), "{} {}", answer.status, answer.body);
    let many: Vec<_> =
        (0..20_000).map(|n| json!({ "op": "add", "path": "members", "value": format!("m{n}") })).collect();
    let answer = within(LIMIT, siege.scim.patch(&siege.group, &json!(many))).await?;
    ensure!(matches!(answer.status, 200 | 204 | 400 | 413), "{} {}", answer.status, answer.body);
    siege.grew_less(before, 200)
}

#[tokio::test]
async fn names_and_addresses_are_bounded() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let long = "x".repeat(100_000);
    for path in [format!("/Users/{long}"), format!("/Users?attributes={long}")] {
        let told = siege.told(&siege.head("GET", &path, "")).await?;
        ensure!(told.starts_with("HTTP/1.1 414 ") || told.starts_with("HTTP/1.1 431 "), "{told}");
    }
    let mut told = siege.head("GET", "/Users", "");
    told.truncate(told.len() - 2);
    for n in 0..10_000 {
        told.extend_from_slice(format!("X-{n}: y\r\n").as_bytes());
    }
    told.extend_from_slice(b"\r\n");
    let told = siege.told(&told).await?;
    ensure!(told.starts_with("HTTP/1.1 431 "), "{told}");
    siege.is_unmoved().await
}

//! Bodies and addresses that are no JSON, no UTF-8, no number, or mean two things at once.

use std::time::Duration;

use anyhow::Context;
use axon_tests::Rows;
use reqwest::Method;
use serde_json::json;

use super::siege::{Siege, within};

const SOON: Duration = Duration::from_secs(5);
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// A user's body with this text in the place of its display name's value.
fn with_value(text: &str) -> Vec<u8> {
    with_bytes(text.as_bytes())
}

fn with_bytes(bytes: &[u8]) -> Vec<u8> {
    [
        &br#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"new","displayName":"#[..],
        bytes,
        b"}",
    ]
    .concat()
}

/// What is sent, and the keyword that refuses it.
fn bodies() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let utf16: Vec<u8> = "{\"userName\":\"new\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        ("a key twice", br#"{"userName":"new","userName":"other"}"#.to_vec(), "invalidSyntax"),
        (
            "a key twice, one escaped",
            br#"{"userName":"new","userN\u0061me":"other"}"#.to_vec(),
            "invalidSyntax",
        ),
        (
            "a key twice within",
            br#"{"userName":"new","name":{"givenName":"a","givenName":"b"}}"#.to_vec(),
            "invalidSyntax",
        ),
        (
            "a key twice in other letters",
            br#"{"userName":"new","USERNAME":"other"}"#.to_vec(),
            "invalidSyntax",
        ),
        ("no UTF-8", with_bytes(b"\"\xff\xfe\""), "invalidSyntax"),
        ("an overlong slash", with_bytes(b"\"\xc0\xaf\""), "invalidSyntax"),
        ("a surrogate in UTF-8", with_bytes(b"\"\xed\xa0\x80\""), "invalidSyntax"),
        ("a character cut short", with_bytes(b"\"\xf0\x9f\x98\""), "invalidSyntax"),
        ("no UTF-8 in a key", b"{\"userName\":\"new\",\"\xff\":1}".to_vec(), "invalidSyntax"),
        ("UTF-16", utf16, "invalidSyntax"),
        ("a high surrogate alone", with_value(r#""\ud800""#), "invalidSyntax"),
        ("a low surrogate alone", with_value(r#""\udc00""#), "invalidSyntax"),
        ("surrogates the wrong way round", with_value(r#""\udc00\ud800""#), "invalidSyntax"),
        ("a surrogate in a key", br#"{"userName":"new","\ud800":1}"#.to_vec(), "invalidSyntax"),
        ("half an escape", with_value(r#""\u12""#), "invalidSyntax"),
        ("a control character", with_bytes(b"\"a\nb\""), "invalidSyntax"),
        ("a NUL", with_value(r#""\u0000""#), "invalidValue"),
        ("a number over every range", with_value("1e999"), "invalidSyntax"),
        ("NaN", with_value("NaN"), "invalidSyntax"),
        ("a number in octal", with_value("007"), "invalidSyntax"),
        (
            "a boolean that is a number of 40 digits",
            br#"{"userName":"new","active":1234567890123456789012345678901234567890}"#.to_vec(),
            "invalidValue",
        ),
        ("a comma too many", br#"{"userName":"new",}"#.to_vec(), "invalidSyntax"),
        ("a comment", br#"{"userName":"new"/* */}"#.to_vec(), "invalidSyntax"),
        ("two values", br#"{"userName":"new"}{"userName":"other"}"#.to_vec(), "invalidSyntax"),
        ("no end", br#"{"userName":"new""#.to_vec(), "invalidSyntax"),
        ("a list", br#"[{"userName":"new"}]"#.to_vec(), "invalidSyntax"),
        ("a text", br#""userName""#.to_vec(), "invalidSyntax"),
    ]
}

#[tokio::test]
async fn bodies_that_are_wrong_on_the_wire_are_refused_and_change_nothing() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let mut rows = Rows::of("bodies on the wire");
    let all = bodies();
    let count = all.len();
    for (name, body, keyword) in all {
        let posted = async {
            let answer = within(SOON, siege.scim.raw(Method::POST, "/Users", body.clone())).await?;
            answer.refuses(400, keyword, &[]).context("POST")?;
            within(SOON, siege.scim.raw(Method::PUT, &siege.user, body)).await?.is(400).context("PUT")?;
            Ok(())
        };
        rows.row(name, posted).await;
    }
    rows.all_hold(count)?;
    siege.is_unmoved().await
}

#[tokio::test]
async fn numbers_beyond_every_range_in_addresses_and_messages_are_refused() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let scim = &siege.scim;
    for number in ["1e9", "0x10", "1.5", "%00", "%D9%A3", "1%00", "99999999999999999999999999x"] {
        for name in ["count", "startIndex"] {
            scim.get(&format!("/Users?{name}={number}"))
                .await?
                .refuses(400, "invalidValue", &[name])
                .with_context(|| number.to_owned())?;
        }
    }
    // What is a number is beyond the end of the list, or all that a page holds, or nothing (RFC 7644 section 3.4.2.4).
    for (query, shown) in [
        ("startIndex=9223372036854775807&count=2147483647", 0),
        ("startIndex=99999999999999999999999999", 0),
        ("count=99999999999999999999999999", 1),
        ("startIndex=-99999999999999999999999999", 1),
        ("count=-99999999999999999999999999", 0),
    ] {
        let page = scim.get(&format!("/Users?{query}")).await?.is(200)?;
        anyhow::ensure!(page.resources()?.len() == shown && page.total()? == 1, "{query}: {}", page.body);
    }
    for body in [
        r#"{"startIndex":1e30}"#,
        r#"{"count":99999999999999999999999}"#,
        r#"{"count":"1e1"}"#,
        r#"{"count":[1]}"#,
    ] {
        let answer = scim.raw(Method::POST, "/Users/.search", body.as_bytes().to_vec()).await?;
        anyhow::ensure!(answer.status == 400, "{body}: {} {}", answer.status, answer.body);
    }
    siege.is_unmoved().await
}

/// Deep in every place where depth can be.
#[tokio::test]
async fn depth_is_refused_without_a_stack() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let scim = &siege.scim;
    let deep = 100_000;
    let nested = |open: &str, inside: &str, close: &str| {
        format!("{}{inside}{}", open.repeat(deep), close.repeat(deep))
    };
    let lists = nested("[", "", "]");
    let objects = nested("{\"a\":", "1", "}");
    for (name, body) in [
        ("lists", lists.clone()),
        ("lists without an end", "[".repeat(deep)),
        ("objects", objects.clone()),
        ("in a value", String::from_utf8(with_value(&objects))?),
        ("in an unknown key", format!("{{\"userName\":\"new\",\"unknown\":{objects}}}")),
        ("in an unknown schema", format!("{{\"userName\":\"new\",\"urn:x:y\":{lists}}}")),
    ] {
        let answer = within(SOON, scim.raw(Method::POST, "/Users", body.into_bytes())).await.context(name)?;
        answer.refuses(400, "invalidSyntax", &[]).context(name)?;
    }
    for times in [10_000, deep] {
        let filters = [
            format!("{}userName pr{}", "(".repeat(times), ")".repeat(times)),
            format!("{}userName pr{}", "not (".repeat(times), ")".repeat(times)),
            "(".repeat(times),
            "emails[".repeat(times),
            vec!["userName eq \"x\""; times].join(" or "),
        ];
        for filter in filters {
            let start = filter[..20].to_owned();
            let search = json!({ "schemas": [SEARCH], "filter": filter });
            let answer = within(SOON, scim.post("/Users/.search", &search)).await?;
            answer.refuses(400, "invalidFilter", &[]).context(start)?;
        }
        let paths = [
            format!("emails[{}type eq \"x\"{}]", "(".repeat(times), ")".repeat(times)),
            "emails[".repeat(times),
            "a.".repeat(times),
        ];
        for path in paths {
            let start = path[..20].to_owned();
            let operation = json!([{ "op": "replace", "path": path, "value": "x" }]);
            let answer = within(SOON, scim.patch(&siege.user, &operation)).await?;
            // Over 64 KiB it is too long for any text, whatever it says.
            let keyword = if answer.body["detail"].to_string().contains("65536") {
                "invalidValue"
            } else {
                "invalidPath"
            };
            answer.refuses(400, keyword, &[]).context(start)?;
        }
    }
    // In the address it is the address that is too long.
    let head = siege.head("GET", &format!("/Users?filter={}", "(".repeat(deep)), "");
    let told = siege.told(&head).await?;
    anyhow::ensure!(told.starts_with("HTTP/1.1 414 ") || told.starts_with("HTTP/1.1 431 "), "{told}");
    siege.is_unmoved().await
}

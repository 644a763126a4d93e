//! The Okta org's story: match, create, read and replace, group push, and a deactivation without a path.

use std::collections::BTreeMap;

use anyhow::Context;
use reqwest::Method;
use serde_json::{Value, json};

use super::people::OKTA;
use super::push::Connector;
use super::scene::Scenes;

/// Percent-encodes as Okta does in queries: spaces as `%20`.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

/// Plays the story.
pub async fn play(connector: &Connector, scenes: &mut Scenes) -> anyhow::Result<()> {
    let mut users: BTreeMap<&str, String> = BTreeMap::new();

    scenes.begin("Okta tests the connection, then assigns 6 people", OKTA.len() + 1);
    connector.matching("/Users?startIndex=1&count=2").await?;
    scenes.pushed();
    for (n, (user_name, given, family)) in OKTA.iter().enumerate() {
        let filter = percent(&format!("userName eq \"{user_name}\""));
        let path = format!("/Users?filter={filter}&startIndex=1&count=100");
        anyhow::ensure!(connector.matching(&path).await?.is_empty(), "{user_name} is new");
        users.insert(user_name, connector.create("/Users", user(n, user_name, given, family)).await?);
        scenes.pushed();
    }
    scenes.settle().await?;

    scenes.begin("Okta updates a profile: GET, then PUT of what it got, edited", 1);
    let robin = format!("/Users/{}", users["robin.ford@partner.example"]);
    let mut profile = connector.expect(Method::GET, &robin, None, &[200]).await?;
    profile["title"] = json!("Analyst");
    let after = connector.expect(Method::PUT, &robin, Some(profile), &[200]).await?;
    anyhow::ensure!(
        after["title"] == "Analyst" && after["active"] == true,
        "the PUT changed the title alone"
    );
    scenes.pushed();
    scenes.settle().await?;

    scenes.begin("Okta pushes the group BI Contractors", 4);
    let contractors = push_group(connector, "BI Contractors").await?;
    scenes.pushed();
    // Every push repeats the name, with the id in the value.
    let path = format!("/Groups/{contractors}");
    let same = json!([{ "op": "replace", "value": { "id": contractors, "displayName": "BI Contractors" } }]);
    connector.patch(&path, same).await?;
    scenes.pushed();
    let members = ["pat.kelly@partner.example", "robin.ford@partner.example", "sam.ortiz@partner.example"]
        .map(|user_name| json!({ "value": users[user_name], "display": user_name }));
    connector.patch(&path, json!([{ "op": "add", "path": "members", "value": members }])).await?;
    scenes.pushed();
    let read = connector.expect(Method::GET, &path, None, &[200]).await?;
    anyhow::ensure!(read["members"].as_array().is_some_and(|m| m.len() == 3), "Okta verifies the members");
    scenes.pushed();
    scenes.settle().await?;

    scenes.begin("Okta pushes the group Loaders as a full list", 2);
    let loaders = format!("/Groups/{}", push_group(connector, "Loaders").await?);
    scenes.pushed();
    replace_members(connector, &loaders, &users, ["wes.hart@partner.example", "toni.lang@partner.example"])
        .await?;
    scenes.pushed();
    scenes.settle().await?;

    scenes.begin("Okta pushes another full list: Val Berg for Wes Hart", 1);
    replace_members(connector, &loaders, &users, ["toni.lang@partner.example", "val.berg@partner.example"])
        .await?;
    scenes.pushed();
    scenes.settle().await?;

    scenes.begin("Okta removes Robin Ford from BI Contractors", 1);
    let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", users["robin.ford@partner.example"]) }]);
    connector.patch(&format!("/Groups/{contractors}"), remove).await?;
    scenes.pushed();
    scenes.settle().await?;

    scenes.begin("Okta deactivates Sam Ortiz, without a path", 1);
    let off = json!([{ "op": "replace", "value": { "active": false } }]);
    connector.patch(&format!("/Users/{}", users["sam.ortiz@partner.example"]), off).await?;
    scenes.pushed();
    scenes.settle().await
}

async fn replace_members(
    connector: &Connector,
    group: &str,
    users: &BTreeMap<&str, String>,
    list: [&str; 2],
) -> anyhow::Result<()> {
    let members = list.map(|user_name| json!({ "value": users[user_name], "display": user_name }));
    connector.patch(group, json!([{ "op": "replace", "path": "members", "value": members }])).await
}

async fn push_group(connector: &Connector, name: &str) -> anyhow::Result<String> {
    let filter = percent(&format!("displayName eq \"{name}\""));
    let path = format!("/Groups?filter={filter}&startIndex=1&count=100");
    anyhow::ensure!(connector.matching(&path).await?.is_empty(), "{name} is new");
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
        "members": [],
    });
    connector.create("/Groups", body).await.with_context(|| format!("push of {name}"))
}

fn user(n: usize, user_name: &str, given: &str, family: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": user_name,
        "name": { "givenName": given, "familyName": family },
        "emails": [{ "primary": true, "value": user_name, "type": "work" }],
        "displayName": format!("{given} {family}"),
        "locale": "en-US",
        "externalId": format!("00u{n}demo{n}okta{n}"),
        "groups": [],
        "password": "what Okta always sends",
        "active": true,
    })
}

//! The Entra tenant's story, in the default dialect of its provisioning service: capitalised operations, a path each.

use std::collections::BTreeMap;

use anyhow::Context;
use reqwest::Method;
use serde_json::{Value, json};

use super::people::{self, object_id};
use super::push::Connector;
use super::scene::Scenes;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The tenant's groups: displayName, object id, and the people put into them at first.
pub const GROUPS: [(&str, &str, &[&str]); 6] = [
    (
        "SG-Sales-Analysts",
        "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0001",
        &["kim.lee", "ana.souza", "ben.carter", "chloe.martin", "dmitri.volkov", "sean.o'brien"],
    ),
    ("SG-Sales-Leads", "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0002", &["elif.yilmaz", "femi.adeyemi", "ana.souza"]),
    ("syn-sales-writer", "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0003", &["grace.okafor", "hugo.bianchi"]),
    (
        "SG-Data-Engineers",
        "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0004",
        &[
            "lena.fischer",
            "mateo.garcia",
            "nadia.haddad",
            "oskar.lindqvist",
            "priya.raman",
            "quentin.dubois",
            "rosa.moretti",
            "sven.nilsen",
        ],
    ),
    ("SG-HR-Partners", "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0005", &["tara.singh", "uma.patel", "viktor.horak"]),
    ("SG-Finance", "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0006", &["yusuf.demir", "zoe.papas", "arun.mehta"]),
];

/// Percent-encodes as Entra does in queries: form encoding, spaces as `+`.
fn form(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'*' => {
                char::from(b).to_string()
            }
            b' ' => "+".to_owned(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

/// Plays the story.
pub async fn play(connector: &Connector, scenes: &mut Scenes) -> anyhow::Result<()> {
    let people = people::entra()?;
    let mut users: BTreeMap<String, String> = BTreeMap::new();
    let mut groups: BTreeMap<&str, String> = BTreeMap::new();

    scenes.begin("Entra tests the connection", 2);
    for path in ["/Users?filter=", "/Groups?excludedAttributes=members&filter="] {
        let attribute = if path.starts_with("/U") { "userName" } else { "displayName" };
        let nobody = form(&format!("{attribute} eq \"{}\"", object_id(7, 7)));
        anyhow::ensure!(
            connector.matching(&format!("{path}{nobody}")).await?.is_empty(),
            "a random name is nobody's"
        );
        scenes.pushed();
    }
    scenes.settle().await?;

    scenes.begin("Entra pushes 40 people, each matched first", people.len());
    for (n, person) in people.iter().enumerate() {
        let user_name = person.user_name();
        let filter = form(&format!("userName eq \"{user_name}\""));
        anyhow::ensure!(
            connector.matching(&format!("/Users?filter={filter}")).await?.is_empty(),
            "{user_name} is new"
        );
        let id = connector.create("/Users", user(person, n)).await?;
        users.insert(person.upn.clone(), id);
        scenes.pushed();
    }
    scenes.settle().await?;

    scenes.begin("Entra sets managers", 4);
    for (person, manager) in [
        ("kim.lee", "elif.yilmaz"),
        ("ana.souza", "femi.adeyemi"),
        ("lena.fischer", "sven.nilsen"),
        ("tara.singh", "uma.patel"),
    ] {
        let manager = users.get(manager).context("a manager of the story")?;
        connector
            .patch(
                &user_path(&users, person)?,
                json!([{ "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": manager }]),
            )
            .await?;
        scenes.pushed();
    }
    scenes.settle().await?;

    scenes.begin("Entra creates 6 groups, empty", GROUPS.len());
    for (name, external_id, _) in GROUPS {
        let filter = form(&format!("displayName eq \"{name}\""));
        let path = format!("/Groups?excludedAttributes=members&filter={filter}");
        anyhow::ensure!(connector.matching(&path).await?.is_empty(), "{name} is new");
        groups.insert(name, connector.create("/Groups", group(name, external_id)).await?);
        scenes.pushed();
    }
    scenes.settle().await?;

    let pushes = GROUPS.iter().map(|(_, _, members)| members.chunks(4).count()).sum();
    scenes.begin("Entra adds members, a few in each PATCH", pushes);
    for (name, _, members) in GROUPS {
        let path = format!("/Groups/{}", groups.get(name).context("a group of the story")?);
        for some in members.chunks(4) {
            let mut value = Vec::new();
            for member in some {
                value.push(
                    json!({ "$ref": null, "value": users.get(*member).context("a person of the story")? }),
                );
            }
            connector.patch(&path, json!([{ "op": "Add", "path": "members", "value": value }])).await?;
            scenes.pushed();
        }
    }
    scenes.settle().await?;

    scenes.begin("A mover: Kim Lee goes from Sales to Finance", 2);
    let kim = users.get("kim.lee").context("Kim")?;
    let joins = json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": kim }] }]);
    connector.patch(&format!("/Groups/{}", groups["SG-Finance"]), joins).await?;
    scenes.pushed();
    let leaves = json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": kim }] }]);
    connector.patch(&format!("/Groups/{}", groups["SG-Sales-Analysts"]), leaves).await?;
    scenes.pushed();
    scenes.settle().await?;

    scenes.begin("A rename of a group that the map names by its id: nothing may change", 1);
    rename(connector, &groups["SG-HR-Partners"], "SG-People-Partners").await?;
    scenes.pushed();
    scenes.settle().await?;

    scenes.begin("A rename of a group that the map names by its name: its people lose what it gave", 1);
    rename(connector, &groups["SG-Sales-Leads"], "SG-Sales-Coaches").await?;
    scenes.pushed();
    scenes.settle().await?;

    scenes.begin("A leaver: Ben Carter, active \"False\" as a string", 1);
    let off = json!([{ "op": "Replace", "path": "active", "value": "False" }]);
    connector.patch(&user_path(&users, "ben.carter")?, off).await?;
    scenes.pushed();
    scenes.settle().await?;

    scenes.begin("A hard delete: Dmitri Volkov", 1);
    connector.expect(Method::DELETE, &user_path(&users, "dmitri.volkov")?, None, &[204]).await?;
    scenes.pushed();
    scenes.settle().await
}

async fn rename(connector: &Connector, id: &str, name: &str) -> anyhow::Result<()> {
    connector
        .patch(&format!("/Groups/{id}"), json!([{ "op": "Replace", "path": "displayName", "value": name }]))
        .await
}

fn user_path(users: &BTreeMap<String, String>, upn: &str) -> anyhow::Result<String> {
    Ok(format!("/Users/{}", users.get(upn).with_context(|| format!("{upn} is in the story"))?))
}

fn user(person: &people::Person, n: usize) -> Value {
    let user_name = person.user_name();
    let full = format!("{} {}", person.given, person.family);
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "externalId": person.upn,
        "userName": user_name,
        "active": true,
        "displayName": full,
        "emails": [{ "primary": true, "type": "work", "value": user_name }],
        "name": { "formatted": full, "familyName": person.family, "givenName": person.given },
        "addresses": [{ "type": "work", "country": null, "formatted": null }],
        "title": null,
        "roles": [],
        "userType": person.kind.as_deref().unwrap_or("Employee"),
        "meta": { "resourceType": "User" },
        ENTERPRISE: { "department": person.department, "employeeNumber": format!("{}", 1000 + n), "manager": null },
    })
}

fn group(name: &str, external_id: &str) -> Value {
    json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:Group",
            "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
        ],
        "externalId": external_id,
        "displayName": name,
        "meta": { "resourceType": "Group" },
    })
}

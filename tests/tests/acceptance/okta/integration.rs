//! The two kinds of Okta integration, and how each words what it wants.

use anyhow::ensure;
use axon_tests::{Provider, Scim};
use serde_json::{Value, json};

/// What Okta's client sends with every request.
const HEADERS: [(&str, &str); 5] = [
    ("accept-encoding", "gzip,deflate"),
    ("user-agent", "Okta SCIM Client 1.0.0"),
    ("accept", "application/scim+json"),
    ("accept-charset", "utf-8"),
    ("content-type", "application/scim+json; charset=utf-8"),
];

/// How an app was made in Okta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An app of the catalogue: PUT for profiles, PATCH for states and groups.
    Catalogue,
    /// An app of the App Integration Wizard: PUT for everything.
    Wizard,
}

/// A connection from Okta.
pub struct Integration {
    /// The connector.
    pub scim: Scim,
    /// How it words things.
    pub kind: Kind,
}

/// The connector with Okta's headers.
pub async fn connector(provider: &Provider) -> anyhow::Result<Scim> {
    Ok(provider.connector("okta").await?.with_headers(&HEADERS))
}

/// A person as Okta creates one.
pub fn profile(login: &str, given: &str, family: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": login, "name": { "givenName": given, "familyName": family },
        "emails": [{ "primary": true, "value": login, "type": "work" }],
        "displayName": format!("{given} {family}"), "locale": "en-US",
        "externalId": format!("00u{}", login.len()), "groups": [], "password": "1mz050nq", "active": true,
    })
}

impl Integration {
    /// Both kinds, on one server.
    pub async fn both(provider: &Provider) -> anyhow::Result<[Self; 2]> {
        let scim = connector(provider).await?;
        Ok([Kind::Catalogue, Kind::Wizard].map(|kind| Self { scim: scim.clone(), kind }))
    }

    /// Looks a person up, as before an assignment.
    pub async fn find(&self, login: &str) -> anyhow::Result<Vec<Value>> {
        let login = login.replace('@', "%40");
        let path = format!("/Users?filter=userName%20eq%20%22{login}%22&startIndex=1&count=100");
        let found = self.scim.get(&path).await?.is(200)?;
        for name in ["totalResults", "startIndex", "itemsPerPage"] {
            ensure!(found.body[name].is_u64(), "{name} is no number: {}", found.body);
        }
        Ok(found.resources()?.to_vec())
    }

    /// Assigns a person who is not there yet.
    pub async fn assign(&self, login: &str) -> anyhow::Result<String> {
        ensure!(self.find(login).await?.is_empty(), "{login} is there already");
        let made = self.scim.post("/Users", &profile(login, "Kim", "Lee")).await?.is(201)?;
        ensure!(made.body["userName"] == *login && made.body["active"] == true, "{}", made.body);
        ensure!(made.body.get("password").is_none(), "the password came back");
        made.id()
    }

    /// Reads a person.
    pub async fn user(&self, id: &str) -> anyhow::Result<Value> {
        Ok(self.scim.get(&format!("/Users/{id}")).await?.is(200)?.body)
    }

    /// Reads the person, edits the answer, and puts it back whole: id, meta and groups with it.
    pub async fn update(&self, id: &str, edit: impl FnOnce(&mut Value)) -> anyhow::Result<Value> {
        let mut body = self.user(id).await?;
        edit(&mut body);
        Ok(self.scim.put(&format!("/Users/{id}"), &body).await?.is(200)?.body)
    }

    /// Turns a person on or off.
    pub async fn switch(&self, id: &str, active: bool) -> anyhow::Result<()> {
        match self.kind {
            Kind::Wizard => {
                self.update(id, |body| body["active"] = json!(active)).await?;
            }
            Kind::Catalogue => {
                let operation = json!([{ "op": "replace", "value": { "active": active } }]);
                let answer = self.scim.patch(&format!("/Users/{id}"), &operation).await?;
                ensure!(matches!(answer.status, 200 | 204), "answered {}: {}", answer.status, answer.body);
            }
        }
        ensure!(self.user(id).await?["active"] == active, "it did not become {active}");
        Ok(())
    }
}

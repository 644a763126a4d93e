//! Okta's group push, and what its integration review tries on groups by hand.

use anyhow::ensure;
use axon_tests::{Provider, Rows};
use serde_json::{Value, json};

use super::OKTA;
use super::integration::{Integration, Kind};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

#[tokio::test]
async fn okta_group_push_of_a_catalogue_app_by_patch() -> anyhow::Result<()> {
    let provider = Provider::start(&[OKTA]).await?;
    let [catalogue, _] = Integration::both(&provider).await?;
    pushes(&catalogue).await
}

#[tokio::test]
async fn okta_group_push_of_a_wizard_app_by_put() -> anyhow::Result<()> {
    let provider = Provider::start(&[OKTA]).await?;
    let [_, wizard] = Integration::both(&provider).await?;
    pushes(&wizard).await
}

async fn pushes(app: &Integration) -> anyhow::Result<()> {
    let push = Push { app };
    let mut rows = Rows::of(format!("Okta group push, {:?}", app.kind));
    rows.row("a group is looked up, created and verified", push.created()).await;
    rows.row("a group is linked to one that exists", push.linked()).await;
    rows.row("a rename, as in every push", push.renamed()).await;
    rows.row("a member is added", push.added()).await;
    rows.row("a member is removed", push.removed()).await;
    rows.row("members come and go in one request", push.both()).await;
    rows.row("the members are pushed again, whole", push.resynced()).await;
    rows.row("more than a hundred members", push.many()).await;
    rows.row("an empty group", push.emptied()).await;
    rows.row("a group is deleted", push.deleted()).await;
    rows.all_hold(10)
}

struct Push<'a> {
    app: &'a Integration,
}

impl Push<'_> {
    async fn people(&self, row: &str, count: usize) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        for n in 0..count {
            ids.push(self.app.assign(&format!("{row}{n}@acme.example")).await?);
        }
        ids.sort_unstable();
        Ok(ids)
    }

    async fn find(&self, name: &str) -> anyhow::Result<Vec<Value>> {
        let name = name.replace(' ', "%20").replace('"', "%5C%22");
        let path = format!("/Groups?filter=displayName%20eq%20%22{name}%22&startIndex=1&count=100");
        Ok(self.app.scim.get(&path).await?.is(200)?.resources()?.to_vec())
    }

    async fn create(&self, name: &str, members: &[String]) -> anyhow::Result<String> {
        ensure!(self.find(name).await?.is_empty());
        let body = json!({ "schemas": [GROUP], "displayName": name, "members": refs(members) });
        let id = self.app.scim.post("/Groups", &body).await?.is(201)?.id()?;
        self.shows(&id, name, members).await?;
        Ok(id)
    }

    /// Verifies a push: the group is read with its members.
    async fn shows(&self, id: &str, name: &str, members: &[String]) -> anyhow::Result<()> {
        let group = self.app.scim.get(&format!("/Groups/{id}")).await?.is(200)?.body;
        ensure!(group["displayName"] == *name, "{group}");
        let listed = group["members"].as_array().into_iter().flatten();
        let mut ids: Vec<&str> = listed.filter_map(|member| member["value"].as_str()).collect();
        ids.sort_unstable();
        ensure!(ids == members, "{ids:?} instead of {members:?}");
        Ok(())
    }

    /// Brings the group into this state: by operations, or by a PUT of the whole.
    async fn push(&self, id: &str, name: &str, members: &[String], operations: Value) -> anyhow::Result<()> {
        let path = format!("/Groups/{id}");
        let answer = match self.app.kind {
            Kind::Catalogue => self.app.scim.patch(&path, &operations).await?,
            Kind::Wizard => {
                let body =
                    json!({ "schemas": [GROUP], "id": id, "displayName": name, "members": refs(members) });
                self.app.scim.put(&path, &body).await?.is(200)?
            }
        };
        ensure!(matches!(answer.status, 200 | 204), "answered {}: {}", answer.status, answer.body);
        self.shows(id, name, members).await
    }

    async fn created(&self) -> anyhow::Result<()> {
        let people = self.people("created", 2).await?;
        self.create("Created empty", &[]).await?;
        self.create("Created with \"members\"", &people).await?;
        Ok(())
    }

    async fn linked(&self) -> anyhow::Result<()> {
        let id = self.create("Linked", &[]).await?;
        let [found] = &self.find("LINKED").await?[..] else { anyhow::bail!("not found") };
        ensure!(found["id"] == *id, "{found}");
        Ok(())
    }

    async fn renamed(&self) -> anyhow::Result<()> {
        let people = self.people("renamed", 1).await?;
        let id = self.create("Renamed", &people).await?;
        for name in ["Renamed to this", "Renamed to this"] {
            let operation = json!([{ "op": "replace", "value": { "id": id, "displayName": name } }]);
            self.push(&id, name, &people, operation).await?;
        }
        ensure!(self.find("Renamed").await?.is_empty());
        Ok(())
    }

    async fn added(&self) -> anyhow::Result<()> {
        let people = self.people("added", 2).await?;
        let id = self.create("Added", &people[..1]).await?;
        let value = json!([{ "value": people[1], "display": "kim@acme.example" }]);
        let operation = json!([{ "op": "add", "path": "members", "value": value }]);
        self.push(&id, "Added", &people, operation.clone()).await?;
        self.push(&id, "Added", &people, operation).await
    }

    async fn removed(&self) -> anyhow::Result<()> {
        let people = self.people("removed", 2).await?;
        let id = self.create("Removed", &people).await?;
        let operation = json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", people[0]) }]);
        self.push(&id, "Removed", &people[1..], operation).await
    }

    async fn both(&self) -> anyhow::Result<()> {
        let people = self.people("both", 3).await?;
        let id = self.create("Both", &people[..2]).await?;
        let operations = json!([
            { "op": "remove", "path": format!("members[value eq \"{}\"]", people[0]) },
            { "op": "add", "path": "members", "value": [{ "value": people[2], "display": "x" }] },
        ]);
        self.push(&id, "Both", &people[1..], operations).await
    }

    async fn resynced(&self) -> anyhow::Result<()> {
        let people = self.people("resynced", 4).await?;
        let id = self.create("Resynced", &people[..2]).await?;
        let operation = json!([{ "op": "replace", "path": "members", "value": refs(&people[1..]) }]);
        self.push(&id, "Resynced", &people[1..], operation).await
    }

    async fn many(&self) -> anyhow::Result<()> {
        let people = self.people("many", 120).await?;
        let id = self.create("Many", &[]).await?;
        let operation = json!([{ "op": "add", "path": "members", "value": refs(&people) }]);
        self.push(&id, "Many", &people, operation).await
    }

    async fn emptied(&self) -> anyhow::Result<()> {
        let people = self.people("emptied", 2).await?;
        let id = self.create("Emptied", &people).await?;
        self.push(&id, "Emptied", &[], json!([{ "op": "replace", "path": "members", "value": [] }])).await
    }

    async fn deleted(&self) -> anyhow::Result<()> {
        let people = self.people("deleted", 1).await?;
        let id = self.create("Deleted", &people).await?;
        self.app.scim.delete(&format!("/Groups/{id}")).await?.is(204)?;
        self.app.scim.get(&format!("/Groups/{id}")).await?.refuses(404, "", &[])?;
        let user = self.app.user(&people[0]).await?;
        ensure!(user.get("groups").is_none(), "{user}");
        // A group of that name can be pushed again.
        self.create("Deleted", &people).await?;
        Ok(())
    }
}

fn refs(ids: &[String]) -> Value {
    ids.iter().map(|id| json!({ "value": id, "display": "somebody" })).collect()
}

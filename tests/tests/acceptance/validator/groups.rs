//! The Validator's mandatory rows for groups.

use anyhow::ensure;
use axon_tests::{Rows, Scim, group, user};
use serde_json::{Value, json};

use super::dialect::Dialect;
use super::users::form;

/// G1 to G12.
pub const ROWS: usize = 12;

/// One run's connector.
pub struct Groups<'a> {
    pub scim: &'a Scim,
    pub dialect: Dialect,
    /// Tells this run's groups from those of other runs.
    pub run: String,
}

impl Groups<'_> {
    pub async fn all(&self, rows: &mut Rows) {
        rows.row("G1 GET group by id, excluding members", self.by_id_without_members()).await;
        rows.row("G2 filter existing group, excluding members", self.filter_without_members()).await;
        rows.row("G3 filter existing group", self.filter_existing()).await;
        rows.row("G4 filter unknown group", self.filter_unknown()).await;
        rows.row("G5 filter in other letter case", self.filter_other_case()).await;
        rows.row("G6 POST group", self.created()).await;
        rows.row("G7 POST duplicate group", self.duplicate()).await;
        rows.row("G8 PATCH replace attributes", self.patched_whole()).await;
        rows.row("G9 PATCH displayName and externalId", self.patched_by_path()).await;
        rows.row("G10 PATCH add member", self.member_added()).await;
        rows.row("G11 PATCH remove member", self.member_removed()).await;
        rows.row("G12 DELETE group", self.deleted()).await;
    }

    fn name(&self, row: &str) -> String {
        format!("Group {row} {}", self.run)
    }

    async fn person(&self, row: &str) -> anyhow::Result<String> {
        let name = format!("{row}-{}@acme.example", self.run);
        self.scim.post("/Users", &user(&name)).await?.is(201)?.id()
    }

    async fn make(&self, row: &str, members: &[&str]) -> anyhow::Result<String> {
        let made = self.scim.post("/Groups", &group(&self.name(row), members)).await?.is(201)?;
        made.id()
    }

    async fn filter(&self, name: &str, more: &str) -> anyhow::Result<axon_tests::Answer> {
        let filter = form(&format!("displayName eq \"{name}\""));
        let found = self.scim.get(&format!("/Groups?{more}filter={filter}")).await?.is(200)?;
        ensure!(found.resources()?.len() as u64 == found.total()?, "{}", found.body);
        Ok(found)
    }

    async fn read(&self, id: &str) -> anyhow::Result<Value> {
        Ok(self.scim.get(&format!("/Groups/{id}")).await?.is(200)?.body)
    }

    async fn patch(&self, id: &str, operations: &Value) -> anyhow::Result<()> {
        let answer = self.scim.patch(&format!("/Groups/{id}"), operations).await?;
        ensure!(matches!(answer.status, 200 | 204), "answered {}: {}", answer.status, answer.body);
        Ok(())
    }

    async fn by_id_without_members(&self) -> anyhow::Result<()> {
        let person = self.person("g1").await?;
        let id = self.make("g1", &[&person]).await?;
        let read = self.scim.get(&format!("/Groups/{id}?excludedAttributes=members")).await?.is(200)?.body;
        ensure!(read["displayName"] == *self.name("g1") && read.get("members").is_none(), "{read}");
        ensure!(members(&self.read(&id).await?) == [person]);
        Ok(())
    }

    async fn filter_without_members(&self) -> anyhow::Result<()> {
        let person = self.person("g2").await?;
        let id = self.make("g2", &[&person]).await?;
        let found = self.filter(&self.name("g2"), "excludedAttributes=members&").await?;
        let [only] = found.resources()? else { anyhow::bail!("{}", found.body) };
        ensure!(only["id"] == *id && only.get("members").is_none(), "{only}");
        Ok(())
    }

    async fn filter_existing(&self) -> anyhow::Result<()> {
        let id = self.make("g3", &[]).await?;
        let found = self.filter(&self.name("g3"), "").await?;
        ensure!(found.total()? == 1 && found.resources()?[0]["id"] == *id, "{}", found.body);
        Ok(())
    }

    async fn filter_unknown(&self) -> anyhow::Result<()> {
        let found = self.filter("5be1c1a8-7f6d-4a52-9d0e-60f1e2d3c4b5", "").await?;
        ensure!(found.total()? == 0 && found.body["Resources"] == json!([]), "{}", found.body);
        Ok(())
    }

    async fn filter_other_case(&self) -> anyhow::Result<()> {
        let id = self.make("g5", &[]).await?;
        let found = self.filter(&self.name("g5").to_uppercase(), "").await?;
        ensure!(found.total()? == 1 && found.resources()?[0]["id"] == *id, "{}", found.body);
        Ok(())
    }

    /// As Entra creates one: empty, and with a schema of Microsoft's own.
    async fn created(&self) -> anyhow::Result<()> {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group",
                "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "externalId": format!("oid-g6-{}", self.run), "displayName": self.name("g6"),
            "meta": { "resourceType": "Group" },
        });
        let made = self.scim.post("/Groups", &body).await?.is(201)?;
        let read = self.read(&made.id()?).await?;
        ensure!(
            read["displayName"] == body["displayName"] && read["externalId"] == body["externalId"],
            "{read}"
        );
        ensure!(read["schemas"] == json!(["urn:ietf:params:scim:schemas:core:2.0:Group"]), "{read}");
        Ok(())
    }

    async fn duplicate(&self) -> anyhow::Result<()> {
        self.make("g7", &[]).await?;
        let mut again = group(&self.name("g7"), &[]);
        again["externalId"] = json!("another");
        self.scim.post("/Groups", &again).await?.refuses(409, "uniqueness", &["displayName"])?;
        Ok(())
    }

    async fn patched_whole(&self) -> anyhow::Result<()> {
        let id = self.make("g8", &[]).await?;
        let operation = json!([{ "op": self.dialect.op("replace"), "value": { "externalId": "oid new" } }]);
        self.patch(&id, &operation).await?;
        let read = self.read(&id).await?;
        ensure!(read["externalId"] == "oid new" && read["displayName"] == *self.name("g8"), "{read}");
        Ok(())
    }

    async fn patched_by_path(&self) -> anyhow::Result<()> {
        let id = self.make("g9", &[]).await?;
        let op = self.dialect.op("replace");
        let operations = json!([
            { "op": op, "path": "displayName", "value": self.name("g9 new") },
            { "op": op, "path": "externalId", "value": "oid newer" },
        ]);
        self.patch(&id, &operations).await?;
        let read = self.read(&id).await?;
        ensure!(read["displayName"] == *self.name("g9 new") && read["externalId"] == "oid newer", "{read}");
        ensure!(self.filter(&self.name("g9"), "").await?.total()? == 0);
        ensure!(self.filter(&self.name("g9 new"), "").await?.total()? == 1);
        Ok(())
    }

    /// By `replace` and by `add`.
    async fn member_added(&self) -> anyhow::Result<()> {
        let (kim, ana) = (self.person("g10a").await?, self.person("g10b").await?);
        let id = self.make("g10", &[]).await?;
        let replace =
            json!([{ "op": self.dialect.op("replace"), "path": "members", "value": [{ "value": kim }] }]);
        self.patch(&id, &replace).await?;
        ensure!(members(&self.read(&id).await?) == std::slice::from_ref(&kim));
        self.patch(&id, &json!([self.dialect.add_members(&[&ana, &kim])])).await?;
        let read = self.read(&id).await?;
        ensure!(sorted(members(&read)) == sorted(vec![kim, ana]), "{read}");
        Ok(())
    }

    async fn member_removed(&self) -> anyhow::Result<()> {
        let (kim, ana) = (self.person("g11a").await?, self.person("g11b").await?);
        let id = self.make("g11", &[&kim, &ana]).await?;
        self.patch(&id, &json!([self.dialect.remove_member(&kim)])).await?;
        ensure!(members(&self.read(&id).await?) == [ana.clone()], "only the one goes");
        let by_filter =
            json!([{ "op": self.dialect.op("remove"), "path": format!("members[value eq \"{ana}\"]") }]);
        self.patch(&id, &by_filter).await?;
        ensure!(members(&self.read(&id).await?).is_empty());
        Ok(())
    }

    async fn deleted(&self) -> anyhow::Result<()> {
        let id = self.make("g12", &[]).await?;
        self.scim.delete(&format!("/Groups/{id}")).await?.is(204)?;
        self.scim.get(&format!("/Groups/{id}")).await?.refuses(404, "", &[])?;
        ensure!(self.filter(&self.name("g12"), "").await?.total()? == 0);
        Ok(())
    }
}

/// The ids of a group's members.
pub fn members(group: &Value) -> Vec<String> {
    let list = group["members"].as_array().into_iter().flatten();
    list.filter_map(|member| member["value"].as_str()).map(str::to_owned).collect()
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_unstable();
    ids
}

//! The Validator's seven preview rows.

use anyhow::ensure;
use axon_tests::{Rows, Scim, group, user};
use serde_json::{Value, json};

use super::dialect::Dialect;
use super::groups::members;

/// P1 to P7.
pub const ROWS: usize = 7;
const NOBODY: &str = "3f1d8a52-6c0b-4e97-a1f4-2b9c8d7e6f50";

/// One run's connector.
pub struct Preview<'a> {
    pub scim: &'a Scim,
    pub dialect: Dialect,
    /// Tells this run's resources from those of other runs.
    pub run: String,
}

impl Preview<'_> {
    pub async fn all(&self, rows: &mut Rows) {
        rows.row("P1 PATCH user, several operations on different attributes", self.several()).await;
        rows.row("P2 PATCH user, several operations on one attribute", self.in_order()).await;
        rows.row("P3 DELETE unknown user", self.unknown("/Users")).await;
        rows.row("P4 DELETE user twice", self.twice("/Users")).await;
        rows.row("P5 PATCH group, a member comes and goes", self.comes_and_goes()).await;
        rows.row("P6 DELETE unknown group", self.unknown("/Groups")).await;
        rows.row("P7 DELETE group twice", self.twice("/Groups")).await;
    }

    async fn person(&self, row: &str) -> anyhow::Result<String> {
        let mut body = user(&format!("{row}-{}@acme.example", self.run));
        body["title"] = json!("before");
        body["nickName"] = json!("before");
        self.scim.post("/Users", &body).await?.is(201)?.id()
    }

    async fn patch(&self, path: &str, operations: &Value) -> anyhow::Result<Value> {
        let answer = self.scim.patch(path, operations).await?;
        ensure!(matches!(answer.status, 200 | 204), "answered {}: {}", answer.status, answer.body);
        Ok(self.scim.get(path).await?.is(200)?.body)
    }

    async fn several(&self) -> anyhow::Result<()> {
        let path = format!("/Users/{}", self.person("p1").await?);
        let op = |lower| self.dialect.op(lower);
        let operations = json!([
            { "op": op("remove"), "path": "title" },
            { "op": op("add"), "path": "displayName", "value": "Kim" },
            { "op": op("replace"), "path": "nickName", "value": "after" },
            { "op": op("add"), "path": "emails[type eq \"work\"].value", "value": "kim@acme.example" },
        ]);
        let read = self.patch(&path, &operations).await?;
        ensure!(read.get("title").is_none(), "{read}");
        ensure!(read["displayName"] == "Kim" && read["nickName"] == "after", "{read}");
        ensure!(read["emails"] == json!([{ "type": "work", "value": "kim@acme.example" }]), "{read}");
        Ok(())
    }

    async fn in_order(&self) -> anyhow::Result<()> {
        let path = format!("/Users/{}", self.person("p2").await?);
        let op = |lower| self.dialect.op(lower);
        let operations = json!([
            { "op": op("remove"), "path": "displayName" },
            { "op": op("add"), "path": "displayName", "value": "second" },
            { "op": op("replace"), "path": "displayName", "value": "third" },
        ]);
        ensure!(self.patch(&path, &operations).await?["displayName"] == "third");
        let operations = json!([
            { "op": op("replace"), "path": "displayName", "value": "fourth" },
            { "op": op("remove"), "path": "displayName" },
        ]);
        let read = self.patch(&path, &operations).await?;
        ensure!(read.get("displayName").is_none(), "{read}");
        Ok(())
    }

    async fn unknown(&self, endpoint: &str) -> anyhow::Result<()> {
        self.scim.delete(&format!("{endpoint}/{NOBODY}")).await?.refuses(404, "", &[])?;
        Ok(())
    }

    async fn twice(&self, endpoint: &str) -> anyhow::Result<()> {
        let body = if endpoint == "/Users" {
            user(&format!("p4-{}@acme.example", self.run))
        } else {
            group(&format!("Group p7 {}", self.run), &[])
        };
        let path = format!("{endpoint}/{}", self.scim.post(endpoint, &body).await?.is(201)?.id()?);
        self.scim.delete(&path).await?.is(204)?;
        self.scim.delete(&path).await?.refuses(404, "", &[])?;
        Ok(())
    }

    async fn comes_and_goes(&self) -> anyhow::Result<()> {
        let person = self.person("p5").await?;
        let made =
            self.scim.post("/Groups", &group(&format!("Group p5 {}", self.run), &[])).await?.is(201)?;
        let path = format!("/Groups/{}", made.id()?);
        let operations = json!([self.dialect.add_members(&[&person]), self.dialect.remove_member(&person)]);
        let read = self.patch(&path, &operations).await?;
        ensure!(members(&read).is_empty(), "{read}");
        Ok(())
    }
}

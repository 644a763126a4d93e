//! The Validator's mandatory rows for users.

use anyhow::{Context, ensure};
use axon_tests::{Answer, Rows, Scim};
use serde_json::{Value, json};

use super::dialect::Dialect;
use super::shape::Shape;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// How many rows there are: U1 to U15, the filters once for each joining property.
pub const ROWS: usize = 12 + 3 * JOINS.len();
/// What an administrator may choose to join people by.
const JOINS: [&str; 3] = ["userName", "externalId", "emails[type eq \"work\"].value"];

/// One run's connector and what it sends.
pub struct Users<'a> {
    pub scim: &'a Scim,
    pub dialect: Dialect,
    pub shape: &'a Shape,
    /// Tells this run's people from those of other runs.
    pub run: String,
}

impl Users<'_> {
    pub async fn all(&self, rows: &mut Rows) {
        rows.row("U1 POST user", self.created()).await;
        rows.row("U2 POST duplicate user", self.duplicate()).await;
        for join in JOINS {
            rows.row(&format!("U3 filter existing user by {join}"), self.filter_existing(join)).await;
            rows.row(&format!("U4 filter unknown user by {join}"), self.filter_unknown(join)).await;
            rows.row(&format!("U5 filter in other letter case by {join}"), self.filter_other_case(join))
                .await;
        }
        rows.row("U6 PATCH replace attributes", self.patched("u6", "replace", false)).await;
        rows.row("U7 PATCH replace attributes, verbose", self.patched("u7", "replace", true)).await;
        rows.row("U8 PATCH userName", self.renamed()).await;
        rows.row("U9 PATCH disable", self.disabled()).await;
        rows.row("U10 PATCH add attributes", self.patched("u10", "add", false)).await;
        rows.row("U11 PATCH add attributes, verbose", self.patched("u11", "add", true)).await;
        rows.row("U12 PATCH add manager", self.manager_added()).await;
        rows.row("U13 PATCH replace manager", self.manager_replaced()).await;
        rows.row("U14 PATCH remove manager", self.manager_removed()).await;
        rows.row("U15 DELETE user", self.deleted()).await;
    }

    fn name(&self, row: &str) -> String {
        format!("{row}-{}@acme.example", self.run)
    }

    /// A user with every attribute, as the Validator sends it.
    fn body(&self, row: &str) -> Value {
        let mut body = self.shape.user(&self.name(row), row);
        body["externalId"] = json!(format!("X-{row}-{}", self.run));
        body["emails"] = json!([{ "type": "work", "primary": true, "value": format!("Mail.{row}-{}@acme.example", self.run) }]);
        body
    }

    async fn full(&self, row: &str) -> anyhow::Result<String> {
        self.scim.post("/Users", &self.body(row)).await?.is(201)?.id()
    }

    async fn bare(&self, row: &str) -> anyhow::Result<String> {
        let body =
            json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": self.name(row) });
        self.scim.post("/Users", &body).await?.is(201)?.id()
    }

    async fn by_id(&self, id: &str) -> anyhow::Result<Value> {
        Ok(self.scim.get(&format!("/Users/{id}")).await?.is(200)?.body)
    }

    /// As Entra words it: blanks as `+`, quotes and what else is special as percent codes.
    async fn filter(&self, attribute: &str, value: &str) -> anyhow::Result<Answer> {
        let filter = format!("{attribute} eq \"{value}\"");
        let found = self.scim.get(&format!("/Users?filter={}", form(&filter))).await?.is(200)?;
        ensure!(found.resources()?.len() as u64 == found.total()?, "{}", found.body);
        Ok(found)
    }

    async fn patch(&self, id: &str, operations: &Value) -> anyhow::Result<()> {
        let answer = self.scim.patch(&format!("/Users/{id}"), operations).await?;
        ensure!(matches!(answer.status, 200 | 204), "answered {}: {}", answer.status, answer.body);
        Ok(())
    }

    async fn created(&self) -> anyhow::Result<()> {
        let sent = self.body("u1");
        let made = self.scim.post("/Users", &sent).await?.is(201)?;
        let id = made.id()?;
        ensure!(made.header("location").ends_with(&format!("/Users/{id}")), "{:?}", made.headers);
        let user = self.by_id(&id).await?;
        has(&user, &sent)?;
        let found = self.filter("userName", &self.name("u1")).await?;
        has(found.resources()?.first().context("it is found")?, &sent)
    }

    async fn duplicate(&self) -> anyhow::Result<()> {
        self.full("u2").await?;
        self.scim.post("/Users", &self.body("u2")).await?.refuses(409, "uniqueness", &["userName"])?;
        Ok(())
    }

    fn joined(&self, join: &str, row: &str) -> String {
        match join {
            "userName" => self.name(row),
            "externalId" => format!("X-{row}-{}", self.run),
            _ => format!("Mail.{row}-{}@acme.example", self.run),
        }
    }

    async fn filter_existing(&self, join: &str) -> anyhow::Result<()> {
        let row = format!("u3{}", join.len());
        let id = self.full(&row).await?;
        let found = self.filter(join, &self.joined(join, &row)).await?;
        ensure!(found.total()? == 1 && found.resources()?[0]["id"] == *id, "{}", found.body);
        Ok(())
    }

    async fn filter_unknown(&self, join: &str) -> anyhow::Result<()> {
        let found = self.filter(join, "9f0a2c1e-3b5d-4c7f-8e6a-1d2b3c4d5e6f").await?;
        ensure!(found.total()? == 0 && found.body["Resources"] == json!([]), "{}", found.body);
        Ok(())
    }

    /// `externalId` compares with case (RFC 7643 section 3.1), so another case of it is another id.
    async fn filter_other_case(&self, join: &str) -> anyhow::Result<()> {
        let row = format!("u5{}", join.len());
        let id = self.full(&row).await?;
        let found = self.filter(join, &self.joined(join, &row).to_uppercase()).await?;
        let expected = u64::from(join != "externalId");
        ensure!(found.total()? == expected, "{}", found.body);
        ensure!(found.resources()?.iter().all(|user| user["id"] == *id), "{}", found.body);
        // The attribute's own name is compared without case, whatever its values are.
        let found = self
            .filter(
                &join.to_uppercase().replace("WORK", "work").replace(" EQ ", " eq "),
                &self.joined(join, &row),
            )
            .await?;
        ensure!(found.total()? == 1, "{}", found.body);
        Ok(())
    }

    async fn patched(&self, row: &str, op: &str, verbose: bool) -> anyhow::Result<()> {
        let id = if op == "add" { self.bare(row).await? } else { self.full(row).await? };
        let values = self.shape.values(&format!("{row} new"), self.dialect.text_booleans());
        let operations =
            if verbose { self.dialect.verbose(op, &values) } else { self.dialect.folded(op, &values) };
        self.patch(&id, &operations).await?;
        self.shape.reads(&self.by_id(&id).await?, &values)
    }

    async fn renamed(&self) -> anyhow::Result<()> {
        let id = self.full("u8").await?;
        let operation =
            json!([{ "op": self.dialect.op("replace"), "value": { "userName": self.name("u8-new") } }]);
        self.patch(&id, &operation).await?;
        ensure!(self.by_id(&id).await?["userName"] == *self.name("u8-new"));
        ensure!(self.filter("userName", &self.name("u8-new")).await?.total()? == 1);
        ensure!(self.filter("userName", &self.name("u8")).await?.total()? == 0);
        Ok(())
    }

    async fn disabled(&self) -> anyhow::Result<()> {
        let id = self.full("u9").await?;
        let off = self.dialect.boolean(false);
        let operation = match self.dialect {
            Dialect::Standing => json!([{ "op": "Replace", "path": "active", "value": off }]),
            Dialect::Flagged => json!([{ "op": "replace", "value": { "active": off } }]),
        };
        self.patch(&id, &operation).await?;
        ensure!(self.by_id(&id).await?["active"] == json!(false));
        let found = self.filter("userName", &self.name("u9")).await?;
        ensure!(found.total()? == 1 && found.resources()?[0]["active"] == json!(false), "{}", found.body);
        Ok(())
    }

    async fn manager(&self, id: &str) -> anyhow::Result<Value> {
        Ok(self.by_id(id).await?[ENTERPRISE]["manager"]["value"].clone())
    }

    async fn set_manager(&self, id: &str, op: &str, value: Value) -> anyhow::Result<()> {
        let path = format!("{ENTERPRISE}:manager");
        self.patch(id, &json!([{ "op": self.dialect.op(op), "path": path, "value": value }])).await
    }

    /// As text, and as an object; the value names nobody.
    async fn manager_added(&self) -> anyhow::Result<()> {
        for (row, value) in [("u12", json!("random 1")), ("u12o", json!({ "value": "random 1" }))] {
            let id = self.bare(row).await?;
            self.set_manager(&id, "add", value).await?;
            ensure!(self.manager(&id).await? == "random 1");
        }
        Ok(())
    }

    async fn manager_replaced(&self) -> anyhow::Result<()> {
        let id = self.bare("u13").await?;
        self.set_manager(&id, "add", json!("random 1")).await?;
        for (n, value) in [
            json!("random 2"),
            json!({ "value": "random 3" }),
            json!([{ "$ref": null, "value": "random 4" }]),
        ]
        .into_iter()
        .enumerate()
        {
            self.set_manager(&id, "replace", value).await?;
            ensure!(self.manager(&id).await? == format!("random {}", n + 2));
        }
        Ok(())
    }

    async fn manager_removed(&self) -> anyhow::Result<()> {
        let id = self.bare("u14").await?;
        for value in [json!({ "value": "" }), json!(""), Value::Null] {
            self.set_manager(&id, "add", json!("random 1")).await?;
            self.set_manager(&id, "replace", value.clone()).await?;
            let user = self.by_id(&id).await?;
            ensure!(user.get(ENTERPRISE).is_none(), "{value}: {user}");
            ensure!(!user["schemas"].to_string().contains(ENTERPRISE), "{user}");
        }
        self.set_manager(&id, "add", json!("random 1")).await?;
        let remove = json!([{ "op": self.dialect.op("remove"), "path": format!("{ENTERPRISE}:manager") }]);
        self.patch(&id, &remove).await?;
        ensure!(self.manager(&id).await?.is_null());
        Ok(())
    }

    async fn deleted(&self) -> anyhow::Result<()> {
        let id = self.full("u15").await?;
        self.scim.delete(&format!("/Users/{id}")).await?.is(204)?;
        self.scim.get(&format!("/Users/{id}")).await?.refuses(404, "", &[])?;
        ensure!(self.filter("userName", &self.name("u15")).await?.total()? == 0);
        // The same person can come back.
        self.full("u15").await?;
        Ok(())
    }
}

/// Insists that everything that was sent is there, unchanged.
fn has(found: &Value, sent: &Value) -> anyhow::Result<()> {
    match (found, sent) {
        (Value::Object(found), Value::Object(sent)) => {
            for (key, value) in sent.iter().filter(|(key, _)| *key != "schemas") {
                has(found.get(key).with_context(|| format!("{key} is missing"))?, value)
                    .context(key.clone())?;
            }
        }
        (Value::Array(found), Value::Array(sent)) => {
            ensure!(found.len() == sent.len(), "{found:?} instead of {sent:?}");
            for value in sent {
                ensure!(found.iter().any(|one| has(one, value).is_ok()), "{value} is not among {found:?}");
            }
        }
        _ => ensure!(found == sent, "{found} instead of {sent}"),
    }
    Ok(())
}

/// Form encoding: a blank is `+`, and what is not plain is a percent code.
pub fn form(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

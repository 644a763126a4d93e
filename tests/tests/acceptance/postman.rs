//! The shapes of the Postman collection that comes with Microsoft's SCIM reference, on an empty server.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use axon_tests::{Answer, Provider, Rows, Scim};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// The collection wants 204 for every PATCH.
const ENTRA: (&str, &str) = ("entra", "{ kind: entra, switches: { user_patch_no_content: true } }");

struct Collection {
    scim: Scim,
    /// What was made, by the name that the rows call it.
    ids: Mutex<BTreeMap<&'static str, String>>,
}

/// Somebody with keys in the wrong case, nulls, and much that is empty.
fn employee(user_name: &str, family: &str, mail: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE], "userName": user_name, "active": true, "displayName": "Lea Nay",
        "externalId": format!("e-{user_name}"),
        "name": { "formatted": null, "FamilyName": family, "givenName": "Lea", "honorificPrefix": null },
        "addresses": [
            { "type": "work", "primary": false, "country": "Bermuda", "formatted": "1 Fork Way\nWest Town", "locality": "West Town" },
            { "type": "other", "primary": false, "country": null, "formatted": "2 Union\nEast Town", "locality": null, "region": null },
        ],
        "emails": [
            { "Primary": true, "type": "work", "Value": mail },
            { "Primary": false, "type": "home", "value": format!("home.{mail}") },
        ],
        "phoneNumbers": [], "roles": [], "title": "Engineer", "meta": { "resourceType": "User" },
        ENTERPRISE: { "Department": "bob", "Manager": { "Value": "Suzy" }, "costCenter": null },
    })
}

#[tokio::test]
async fn postman_collection() -> anyhow::Result<()> {
    let provider = Provider::start(&[ENTRA]).await?;
    let scim = provider.connector("entra").await?.with_headers(&[("content-type", "application/json")]);
    let of = Collection { scim, ids: Mutex::default() };
    let mut rows = Rows::of("Postman collection");
    endpoints(&of, &mut rows).await;
    users(&of, &mut rows).await;
    bad_bodies(&of, &mut rows).await;
    queries(&of, &mut rows).await;
    groups(&of, &mut rows).await;
    rows.row("everything is deleted, and nothing is left", of.torn_down()).await;
    rows.all_hold(40)
}

async fn endpoints(of: &Collection, rows: &mut Rows) {
    rows.row("no users yet", of.counts("/Users", 0)).await;
    rows.row("no groups yet", of.counts("/Groups", 0)).await;
    rows.row(
        "ResourceTypes begin with /Users",
        of.says("/ResourceTypes", "/Resources/0/endpoint", json!("/Users")),
    )
    .await;
    rows.row("PATCH is supported", of.says("/ServiceProviderConfig", "/patch/supported", json!(true))).await;
    rows.row("Schemas are a list", of.says("/Schemas", "/startIndex", json!(1))).await;
}

async fn users(of: &Collection, rows: &mut Rows) {
    rows.row(
        "a user with keys in another case",
        of.makes("one", employee("one", "Leenay", "one@acme.example")),
    )
    .await;
    rows.row("... reads in the schema's spelling", of.reads_one()).await;
    rows.row("a user whose `active` is text", of.active_text()).await;
    rows.row("attributes=userName,emails", of.only_attributes()).await;
    rows.row(
        "an attribute's name in another case",
        of.counts("/Users?filter=DisplayName+eq+%22Lea+Nay%22", 2),
    )
    .await;
    rows.row(
        "PATCH userName",
        of.patches("one", json!([{ "op": "replace", "path": "userName", "value": "one.b" }])),
    )
    .await;
    rows.row("... reads", of.says_of("one", "/userName", json!("one.b"))).await;
    rows.row(
        "PATCH active, a boolean",
        of.patches("one", json!([{ "op": "Replace", "path": "active", "value": false }])),
    )
    .await;
    rows.row("... reads", of.says_of("one", "/active", json!(false))).await;
    rows.row("PUT replaces", of.replaced()).await;
    rows.row("PUT with a misspelt attribute", of.misspelt()).await;
}

async fn bad_bodies(of: &Collection, rows: &mut Rows) {
    rows.row("a user without userName is 400", of.refuses(without_name(), 400, "invalidValue")).await;
    rows.row("broken JSON is 400", of.junk()).await;
    rows.row(
        "a user who exists is 409",
        of.refuses(employee("TWO", "x", "x@acme.example"), 409, "uniqueness"),
    )
    .await;
    rows.row("... and again", of.refuses(employee("two", "x", "x@acme.example"), 409, "uniqueness")).await;
    rows.row("PUT without userName is 400", of.put_without_name()).await;
}

async fn queries(of: &Collection, rows: &mut Rows) {
    for (key, family, mail) in [
        ("O'three", "Employee", "c@acme.example"),
        ("Ofour", "Employee", "d@acme.org"),
        ("five", "Employee", "e@acme.net"),
    ] {
        rows.row(&format!("user {key}"), of.makes(key, employee(key, family, mail))).await;
    }
    let either = "/Users?filter=name.FamilyName eq Employee and (emails.Value co acme.example or emails.Value co acme.org)";
    rows.row("eq and (co or co), unquoted", of.counts(either, 2)).await;
    rows.row("sw, unquoted", of.counts("/Users?filter=userName sw O", 3)).await;
    let since = "/Users?filter=meta.Created gt 2015-10-10T14:38:21.8617979-07:00";
    rows.row("gt of an instant, unquoted, with seven digits and an offset", of.counts(since, 5)).await;
    rows.row("a page of two", of.page_of_two()).await;
    let by_type = "/Users?attributes=emails%5Btype+eq+%22work%22%5D";
    rows.row("attributes with a filter on the type", of.shows(by_type, "c@acme.example")).await;
    let by_value = "/Users?attributes=emails%5Bvalue+eq+%22c@acme.example%22%5D";
    rows.row("attributes with a filter on the value", of.shows(by_value, "c@acme.example")).await;
}

async fn groups(of: &Collection, rows: &mut Rows) {
    let empty = json!({ "schemas": [GROUP], "displayName": "Group 1", "externalId": "g-1", "members": [] });
    rows.row("an empty group", of.makes_group("group", empty)).await;
    rows.row("a group with a member who has a display", of.filled_group()).await;
    rows.row("PUT gives it two members", of.put_members()).await;
    rows.row("a member is added by an operation with a name", of.member_comes()).await;
    rows.row("... removed by a filter", of.member_goes()).await;
    rows.row("... and all by the path alone", of.all_members_go()).await;
    rows.row("members that are plain text and name nobody", of.text_members()).await;
    rows.row("PUT of a group", of.put_group()).await;
    rows.row("a list of groups without members", of.groups_without_members()).await;
}

fn without_name() -> Value {
    let mut body = employee("x", "x", "x@acme.example");
    body["userName"] = Value::Null;
    body
}

impl Collection {
    async fn id(&self, name: &str) -> anyhow::Result<String> {
        Ok(self.ids.lock().await.get(name).with_context(|| format!("{name} was not made"))?.clone())
    }

    async fn counts(&self, path: &str, wanted: u64) -> anyhow::Result<()> {
        let list = self.scim.get(path).await?.is(200)?;
        ensure!(list.total()? == wanted, "{}", list.body);
        Ok(())
    }

    async fn shows(&self, path: &str, words: &str) -> anyhow::Result<()> {
        let list = self.scim.get(path).await?.is(200)?;
        ensure!(list.body.to_string().contains(words), "{}", list.body);
        Ok(())
    }

    async fn says(&self, path: &str, pointer: &str, wanted: Value) -> anyhow::Result<()> {
        let body = self.scim.get(path).await?.is(200)?.body;
        ensure!(body.pointer(pointer) == Some(&wanted), "{body}");
        Ok(())
    }

    async fn makes(&self, key: &'static str, body: Value) -> anyhow::Result<()> {
        let made = self.scim.post("/Users", &body).await?.is(201)?;
        ensure!(made.body["userName"] == body["userName"] && made.body["active"] == true, "{}", made.body);
        self.ids.lock().await.insert(key, made.id()?);
        Ok(())
    }

    async fn makes_group(&self, key: &'static str, body: Value) -> anyhow::Result<()> {
        let made = self.scim.post("/Groups", &body).await?.is(201)?;
        self.ids.lock().await.insert(key, made.id()?);
        Ok(())
    }

    async fn user(&self, key: &str) -> anyhow::Result<Value> {
        Ok(self.scim.get(&format!("/Users/{}", self.id(key).await?)).await?.is(200)?.body)
    }

    async fn says_of(&self, key: &str, pointer: &str, wanted: Value) -> anyhow::Result<()> {
        self.says(&format!("/Users/{}", self.id(key).await?), pointer, wanted).await
    }

    async fn patches(&self, key: &str, operations: Value) -> anyhow::Result<()> {
        self.scim.patch(&format!("/Users/{}", self.id(key).await?), &operations).await?.is(204).map(drop)
    }

    async fn reads_one(&self) -> anyhow::Result<()> {
        let user = self.user("one").await?;
        ensure!(user["name"] == json!({ "familyName": "Leenay", "givenName": "Lea" }), "{user}");
        ensure!(
            user["emails"][0] == json!({ "primary": true, "type": "work", "value": "one@acme.example" }),
            "{user}"
        );
        ensure!(
            user[ENTERPRISE]["department"] == "bob" && user[ENTERPRISE]["manager"]["value"] == "Suzy",
            "{user}"
        );
        ensure!(user.get("roles").is_none() && user[ENTERPRISE].get("costCenter").is_none(), "{user}");
        Ok(())
    }

    async fn active_text(&self) -> anyhow::Result<()> {
        let mut body = employee("two", "Leenay", "two@acme.example");
        body["active"] = json!("True");
        let made = self.scim.post("/Users", &body).await?.is(201)?;
        ensure!(made.body["active"] == json!(true), "{}", made.body);
        self.ids.lock().await.insert("two", made.id()?);
        Ok(())
    }

    async fn only_attributes(&self) -> anyhow::Result<()> {
        let list = self.scim.get("/Users?attributes=userName,emails").await?.is(200)?;
        for user in list.resources()? {
            let mut keys: Vec<&str> =
                user.as_object().context("an object")?.keys().map(String::as_str).collect();
            keys.sort_unstable();
            ensure!(keys == ["emails", "id", "schemas", "userName"], "{user}");
        }
        ensure!(list.total()? == 2, "{}", list.body);
        Ok(())
    }

    async fn put(&self, key: &str, body: &Value) -> anyhow::Result<Answer> {
        self.scim.put(&format!("/Users/{}", self.id(key).await?), body).await
    }

    async fn replaced(&self) -> anyhow::Result<()> {
        let mut body = employee("two.b", "Leenay", "two.b@acme.example");
        body["name"]["formatted"] = json!("New Name");
        body["id"] = json!(self.id("two").await?);
        let put = self.put("two", &body).await?.is(200)?.body;
        ensure!(put["name"]["formatted"] == "New Name" && put["userName"] == "two.b", "{put}");
        self.put("two", &employee("two", "Leenay", "two@acme.example")).await?.is(200)?;
        Ok(())
    }

    async fn misspelt(&self) -> anyhow::Result<()> {
        let mut body = employee("one", "Leenay", "one@acme.example");
        let addresses =
            body.as_object_mut().context("an object")?.remove("addresses").context("addresses")?;
        body["adreses"] = addresses;
        let put = self.put("one", &body).await?.is(200)?.body;
        ensure!(put.get("addresses").is_none() && put.get("adreses").is_none(), "{put}");
        Ok(())
    }

    async fn refuses(&self, body: Value, status: u16, keyword: &str) -> anyhow::Result<()> {
        self.scim.post("/Users", &body).await?.refuses(status, keyword, &["userName"])?;
        self.counts("/Users", 2).await
    }

    async fn junk(&self) -> anyhow::Result<()> {
        let junk = br#"{ "acve": tre, "adadfdresses": [ { "coudftry": "Beruda", les": [], }"#;
        self.scim.raw(Method::POST, "/Users", junk.to_vec()).await?.refuses(400, "invalidSyntax", &[])?;
        self.counts("/Users", 2).await
    }

    async fn put_without_name(&self) -> anyhow::Result<()> {
        let before = self.user("one").await?;
        self.put("one", &without_name()).await?.refuses(400, "invalidValue", &["userName"])?;
        ensure!(self.user("one").await? == before);
        Ok(())
    }

    async fn page_of_two(&self) -> anyhow::Result<()> {
        let page = self.scim.get("/Users?startIndex=1&count=2").await?.is(200)?;
        ensure!(page.total()? == 5 && page.body["itemsPerPage"] == 2, "{}", page.body);
        ensure!(page.resources()?.len() == 2, "{}", page.body);
        Ok(())
    }

    /// The members as they are read, in no order.
    async fn members(&self, key: &str) -> anyhow::Result<Vec<String>> {
        let group = self.scim.get(&format!("/Groups/{}", self.id(key).await?)).await?.is(200)?.body;
        let list = group["members"].as_array().into_iter().flatten();
        let mut ids: Vec<String> = list.filter_map(|m| m["value"].as_str()).map(str::to_owned).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    async fn filled_group(&self) -> anyhow::Result<()> {
        let one = self.id("one").await?;
        let body = json!({ "schemas": [GROUP], "displayName": "Group 2", "members": [{ "value": one, "display": "VP" }] });
        self.makes_group("filled", body).await?;
        ensure!(self.members("filled").await? == [one]);
        Ok(())
    }

    async fn put_members(&self) -> anyhow::Result<()> {
        let mut two = vec![self.id("one").await?, self.id("two").await?];
        let members: Vec<Value> = two.iter().map(|id| json!({ "value": id, "display": "VP" })).collect();
        let path = format!("/Groups/{}", self.id("filled").await?);
        let body = json!({ "schemas": [GROUP], "id": self.id("filled").await?, "displayName": "put name", "members": members });
        let put = self.scim.put(&path, &body).await?.is(200)?.body;
        ensure!(put["displayName"] == "put name", "{put}");
        two.sort_unstable();
        ensure!(self.members("filled").await? == two);
        Ok(())
    }

    async fn patch_group(&self, operations: Value) -> anyhow::Result<()> {
        self.scim.patch(&format!("/Groups/{}", self.id("group").await?), &operations).await?.is(204).map(drop)
    }

    async fn member_comes(&self) -> anyhow::Result<()> {
        let two = self.id("two").await?;
        let value = json!([{ "displayName": "new User", "value": two }]);
        self.patch_group(json!([{ "name": "addMember", "op": "add", "path": "members", "value": value }]))
            .await?;
        ensure!(self.members("group").await? == [two]);
        Ok(())
    }

    async fn member_goes(&self) -> anyhow::Result<()> {
        let path = format!("members[value eq \"{}\"]", self.id("two").await?);
        self.patch_group(json!([{ "op": "remove", "path": path }])).await?;
        ensure!(self.members("group").await?.is_empty());
        Ok(())
    }

    async fn all_members_go(&self) -> anyhow::Result<()> {
        self.member_comes().await?;
        self.patch_group(json!([{ "op": "remove", "path": "members" }])).await?;
        ensure!(self.members("group").await?.is_empty());
        Ok(())
    }

    /// They are accepted, since Entra counts a refusal as a failure; nobody is in the group by it.
    async fn text_members(&self) -> anyhow::Result<()> {
        for name in ["string id 1", "string id 2"] {
            self.patch_group(json!([{ "op": "add", "path": "members", "value": name }])).await?;
        }
        let path = format!("/Groups/{}?excludedAttributes=members", self.id("group").await?);
        let group = self.scim.get(&path).await?.is(200)?.body;
        ensure!(group.get("members").is_none(), "{group}");
        Ok(())
    }

    async fn put_group(&self) -> anyhow::Result<()> {
        let id = self.id("group").await?;
        let body = json!({ "schemas": [GROUP], "id": id, "displayName": "Tiffany", "externalId": "g-1b" });
        let put = self.scim.put(&format!("/Groups/{id}"), &body).await?.is(200)?.body;
        ensure!(put["displayName"] == "Tiffany" && put["externalId"] == "g-1b", "{put}");
        ensure!(self.members("group").await?.is_empty());
        Ok(())
    }

    async fn groups_without_members(&self) -> anyhow::Result<()> {
        let list = self.scim.get("/Groups?excludedAttributes=members").await?.is(200)?;
        ensure!(
            list.total()? == 2 && list.resources()?.iter().all(|g| g.get("members").is_none()),
            "{}",
            list.body
        );
        Ok(())
    }

    async fn torn_down(&self) -> anyhow::Result<()> {
        let ids = self.ids.lock().await.clone();
        ensure!(ids.len() == 7, "{ids:?}");
        for (key, id) in ids {
            let endpoint = if key == "group" || key == "filled" { "/Groups" } else { "/Users" };
            self.scim.delete(&format!("{endpoint}/{id}")).await?.is(204).context(key)?;
        }
        for endpoint in ["/Users?attributes=userName", "/Groups"] {
            let list = self.scim.get(endpoint).await?.is(200)?;
            ensure!(list.body["Resources"] == json!([]) && list.total()? == 0, "{}", list.body);
        }
        Ok(())
    }
}

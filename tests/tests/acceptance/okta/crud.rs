//! Okta's CRUD story: one person from assignment to unassignment and back, in both kinds of integration.

use anyhow::ensure;
use axon_tests::{Provider, Rows};
use serde_json::{Value, json};

use super::OKTA;
use super::integration::{Integration, Kind};

#[tokio::test]
async fn okta_crud_story_of_a_catalogue_app() -> anyhow::Result<()> {
    let provider = Provider::start(&[OKTA]).await?;
    let [catalogue, _] = Integration::both(&provider).await?;
    story(&catalogue).await
}

#[tokio::test]
async fn okta_crud_story_of_a_wizard_app_that_only_puts() -> anyhow::Result<()> {
    let provider = Provider::start(&[OKTA]).await?;
    let [_, wizard] = Integration::both(&provider).await?;
    story(&wizard).await
}

async fn story(app: &Integration) -> anyhow::Result<()> {
    let mut rows = Rows::of(format!("Okta CRUD story, {:?}", app.kind));
    rows.row("the credentials are tested", credentials(app)).await;
    rows.row("an assigned person exists", assigned(app)).await;
    rows.row("a changed first name arrives", first_name(app)).await;
    rows.row("a deactivated person is inactive and visible", deactivated(app)).await;
    rows.row("a reactivated person is active with all that they had", reactivated(app)).await;
    rows.row("an unassigned person is inactive, and linked when assigned again", unassigned(app)).await;
    rows.row("a person who exists is linked", linked(app)).await;
    rows.row("empty values are taken", emptied(app)).await;
    rows.row("what is left out is cleared, but not `active`", left_out(app)).await;
    rows.row("a password is taken and never shown", password(app)).await;
    rows.row("an unchanged push changes nothing", unchanged(app)).await;
    rows.all_hold(11)
}

async fn credentials(app: &Integration) -> anyhow::Result<()> {
    for path in
        ["/Users?startIndex=1&count=2", "/Users?startIndex=1&count=1", "/Groups?startIndex=1&count=100"]
    {
        let list = app.scim.get(path).await?.is(200)?;
        ensure!(
            list.body["startIndex"] == 1 && list.resources()?.len() as u64 <= list.total()?,
            "{}",
            list.body
        );
    }
    Ok(())
}

async fn assigned(app: &Integration) -> anyhow::Result<()> {
    let id = app.assign("assigned@acme.example").await?;
    let user = app.user(&id).await?;
    ensure!(user["externalId"] == "00u21" && user["name"]["familyName"] == "Lee", "{user}");
    ensure!(app.find("ASSIGNED@acme.example").await?.len() == 1);
    Ok(())
}

async fn first_name(app: &Integration) -> anyhow::Result<()> {
    let id = app.assign("named@acme.example").await?;
    let put = app.update(&id, |body| body["name"]["givenName"] = json!("Kimberly")).await?;
    ensure!(put["name"] == json!({ "givenName": "Kimberly", "familyName": "Lee" }), "{put}");
    let user = app.user(&id).await?;
    ensure!(user["name"]["givenName"] == "Kimberly" && user["active"] == true, "{user}");
    Ok(())
}

async fn deactivated(app: &Integration) -> anyhow::Result<()> {
    let id = app.assign("off@acme.example").await?;
    app.switch(&id, false).await?;
    let [found] = &app.find("off@acme.example").await?[..] else { anyhow::bail!("not found") };
    ensure!(found["active"] == false && found["id"] == *id, "{found}");
    Ok(())
}

async fn reactivated(app: &Integration) -> anyhow::Result<()> {
    let id = app.assign("back@acme.example").await?;
    let before = app.user(&id).await?;
    app.switch(&id, false).await?;
    app.switch(&id, true).await?;
    let after = app.user(&id).await?;
    ensure!(without_meta(after) == without_meta(before));
    Ok(())
}

async fn unassigned(app: &Integration) -> anyhow::Result<()> {
    let login = "gone@acme.example";
    let id = app.assign(login).await?;
    app.switch(&id, false).await?;
    // Assigned again: Okta finds the person, links, reads and puts.
    let [found] = &app.find(login).await?[..] else { anyhow::bail!("not found") };
    ensure!(found["id"] == *id && found["active"] == false, "{found}");
    let put = app.update(&id, |body| body["active"] = json!(true)).await?;
    ensure!(put["active"] == true && put["userName"] == login, "{put}");
    Ok(())
}

/// Somebody whom Okta did not create.
async fn linked(app: &Integration) -> anyhow::Result<()> {
    let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Linked@acme.example" });
    let id = app.scim.post("/Users", &body).await?.is(201)?.id()?;
    let [found] = &app.find("linked@acme.example").await?[..] else { anyhow::bail!("not found") };
    ensure!(found["id"] == *id, "{found}");
    let put = app
        .update(&id, |body| {
            body["externalId"] = json!("00uLinked");
            body["name"] = json!({ "givenName": "Lin", "familyName": "Ked" });
        })
        .await?;
    ensure!(put["externalId"] == "00uLinked" && put["userName"] == "Linked@acme.example", "{put}");
    Ok(())
}

async fn emptied(app: &Integration) -> anyhow::Result<()> {
    let id = app.assign("empty@acme.example").await?;
    let put = app
        .update(&id, |body| {
            body["displayName"] = json!("");
            body["title"] = json!("");
            body["phoneNumbers"] = json!([]);
            body["name"]["middleName"] = Value::Null;
        })
        .await?;
    ensure!(put["active"] == true && put.get("phoneNumbers").is_none(), "{put}");
    ensure!(put["displayName"].as_str().unwrap_or_default().is_empty(), "{put}");
    Ok(())
}

async fn left_out(app: &Integration) -> anyhow::Result<()> {
    let id = app.assign("leftout@acme.example").await?;
    for active in [true, false] {
        app.switch(&id, active).await?;
        let put = app
            .update(&id, |body| {
                let map = body.as_object_mut().expect("a user is an object");
                map.remove("active");
                map.remove("displayName");
            })
            .await?;
        ensure!(put["active"] == active && put.get("displayName").is_none(), "{put}");
    }
    Ok(())
}

async fn password(app: &Integration) -> anyhow::Result<()> {
    let id = app.assign("secret@acme.example").await?;
    let secret = "correct horse battery staple";
    let answer = match app.kind {
        Kind::Wizard => app.update(&id, |body| body["password"] = json!(secret)).await?,
        Kind::Catalogue => {
            let operation = json!([{ "op": "replace", "value": { "password": secret } }]);
            let answer = app.scim.patch(&format!("/Users/{id}"), &operation).await?;
            ensure!(matches!(answer.status, 200 | 204), "answered {}: {}", answer.status, answer.body);
            answer.body
        }
    };
    let shown = answer.to_string() + &app.user(&id).await?.to_string();
    ensure!(!shown.contains("password") && !shown.contains(secret), "{shown}");
    Ok(())
}

async fn unchanged(app: &Integration) -> anyhow::Result<()> {
    let id = app.assign("same@acme.example").await?;
    let before = app.user(&id).await?;
    let put = app.update(&id, |_| ()).await?;
    ensure!(put == before, "{put} instead of {before}");
    Ok(())
}

fn without_meta(mut user: Value) -> Value {
    user["meta"] = Value::Null;
    user
}

//! Okta's SPEC test: twelve requests and what is asserted of each, on an empty server but for one complete person.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axon_tests::{Answer, Provider, Rows, Scim};
use serde_json::{Value, json};

use super::OKTA;
use super::integration::{connector, profile};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const LOGIN: &str = "Runscope300Xyz@acme.example";

struct Spec {
    scim: Scim,
}

#[tokio::test]
async fn okta_spec_test() -> anyhow::Result<()> {
    let provider = Provider::start(&[OKTA]).await?;
    let spec = Spec { scim: connector(&provider).await? };
    spec.scim.post("/Users", &profile("first@acme.example", "Fay", "First")).await?.is(201)?;
    let mut rows = Rows::of("Okta SPEC test");
    rows.row("1 users exist, and the first one is complete", spec.first_user()).await;
    rows.row("2 the first user by id", spec.first_user_by_id()).await;
    rows.row("3 a random user name is in no list", spec.random_name()).await;
    rows.row("4 an unknown user is 404", spec.unknown_user()).await;
    rows.row("5 the user to be made does not exist", spec.not_there_yet()).await;
    rows.row("6 a user is created", spec.created()).await;
    rows.row("7 the user is there", spec.there()).await;
    rows.row("8 the same user again is 409", spec.again()).await;
    rows.row("9 the user name is found in other letters", spec.other_case()).await;
    rows.row("10 groups are listed in time", spec.groups()).await;
    rows.row("11 a wrong token is 401", spec.wrong_token()).await;
    rows.row("12 an id of digits is 404", spec.digits()).await;
    rows.all_hold(12)
}

/// What is asserted of a person who is shown.
fn complete(user: &Value) -> anyhow::Result<()> {
    let texts = [
        &user["id"],
        &user["userName"],
        &user["name"]["familyName"],
        &user["name"]["givenName"],
        &user["emails"][0]["value"],
    ];
    for text in texts {
        ensure!(text.as_str().is_some_and(|text| !text.is_empty()), "{user}");
    }
    ensure!(user["active"].is_boolean(), "{user}");
    Ok(())
}

impl Spec {
    async fn list(&self, query: &str) -> anyhow::Result<Answer> {
        let list = self.scim.get(&format!("/Users?{query}")).await?.is(200)?;
        ensure!(list.body["schemas"] == json!([LIST]), "{}", list.body);
        for name in ["itemsPerPage", "startIndex", "totalResults"] {
            ensure!(list.body[name].is_u64(), "{name} is no number: {}", list.body);
        }
        Ok(list)
    }

    async fn first_user(&self) -> anyhow::Result<()> {
        let list = self.list("count=1&startIndex=1").await?;
        ensure!(list.body["itemsPerPage"] == 1 && list.body["startIndex"] == 1, "{}", list.body);
        complete(list.resources()?.first().context("a user")?)
    }

    async fn first_user_by_id(&self) -> anyhow::Result<()> {
        let list = self.list("count=1&startIndex=1").await?;
        let first = list.resources()?.first().context("a user")?;
        let id = first["id"].as_str().context("its id")?;
        let user = self.scim.get(&format!("/Users/{id}")).await?.is(200)?.body;
        complete(&user)?;
        ensure!(user == *first, "{user} instead of {first}");
        Ok(())
    }

    async fn random_name(&self) -> anyhow::Result<()> {
        let list = self.list("filter=userName%20eq%20%22abcdefgh%40atko.com%22").await?;
        ensure!(list.total()? == 0 && list.body["Resources"] == json!([]), "{}", list.body);
        Ok(())
    }

    async fn unknown_user(&self) -> anyhow::Result<()> {
        self.scim.get("/Users/010101001010101011001010101011").await?.refuses(404, "", &["User"])?;
        Ok(())
    }

    async fn not_there_yet(&self) -> anyhow::Result<()> {
        let login = LOGIN.replace('@', "%40");
        ensure!(self.list(&format!("filter=userName%20eq%20%22{login}%22")).await?.total()? == 0);
        Ok(())
    }

    async fn created(&self) -> anyhow::Result<()> {
        let made = self.scim.post("/Users", &profile(LOGIN, "Runscope", "Xyz")).await?.is(201)?;
        ensure!(made.body["active"] == true && made.body["userName"] == LOGIN, "{}", made.body);
        ensure!(
            made.body["name"]["givenName"] == "Runscope" && made.body["name"]["familyName"] == "Xyz",
            "{}",
            made.body
        );
        ensure!(
            made.body["schemas"].as_array().is_some_and(|urns| urns.contains(&json!(USER))),
            "{}",
            made.body
        );
        complete(&made.body)
    }

    async fn made(&self) -> anyhow::Result<Value> {
        let login = LOGIN.replace('@', "%40");
        let list = self.list(&format!("filter=userName%20eq%20%22{login}%22")).await?;
        Ok(list.resources()?.first().context("the user of row 6")?.clone())
    }

    async fn there(&self) -> anyhow::Result<()> {
        let made = self.made().await?;
        let id = made["id"].as_str().context("its id")?;
        let user = self.scim.get(&format!("/Users/{id}")).await?.is(200)?.body;
        ensure!(user["userName"] == LOGIN && user["name"] == made["name"], "{user}");
        complete(&user)
    }

    async fn again(&self) -> anyhow::Result<()> {
        self.scim.post("/Users", &profile(LOGIN, "Runscope", "Xyz")).await?.refuses(
            409,
            "uniqueness",
            &["userName"],
        )?;
        Ok(())
    }

    async fn other_case(&self) -> anyhow::Result<()> {
        let login = LOGIN.to_uppercase().replace('@', "%40");
        let list = self.list(&format!("filter=userName%20eq%20%22{login}%22")).await?;
        ensure!(list.total()? == 1 && list.resources()?[0]["userName"] == LOGIN, "{}", list.body);
        Ok(())
    }

    async fn groups(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        self.scim.get("/Groups").await?.is(200)?;
        ensure!(began.elapsed() < Duration::from_millis(600), "it took {:?}", began.elapsed());
        Ok(())
    }

    async fn wrong_token(&self) -> anyhow::Result<()> {
        let answer = self.scim.with_token("not-a-token").get("/Users?startIndex=1&count=1").await?;
        ensure!(answer.header("www-authenticate").starts_with("Bearer"), "{:?}", answer.headers);
        answer.refuses(401, "", &[])?;
        Ok(())
    }

    async fn digits(&self) -> anyhow::Result<()> {
        self.scim.get("/Users/00919288221112222").await?.refuses(404, "", &["00919288221112222"])?;
        Ok(())
    }
}

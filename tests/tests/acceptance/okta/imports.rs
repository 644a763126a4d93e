//! Okta's import: everybody, page by page of a hundred, in one order.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use axon_tests::Provider;

use super::OKTA;
use super::integration::{Integration, profile};

const PEOPLE: usize = 250;
const PAGE: usize = 100;

#[tokio::test]
async fn okta_imports_everybody_once_in_pages_of_a_hundred() -> anyhow::Result<()> {
    let provider = Provider::start(&[OKTA]).await?;
    let [app, _] = Integration::both(&provider).await?;
    let mut made = BTreeSet::new();
    for n in 0..PEOPLE {
        let login = format!("person{n:03}@acme.example");
        let id = app.scim.post("/Users", &profile(&login, "Kim", "Lee")).await?.is(201)?.id()?;
        // People who left are imported as well: else they would be created again.
        if n % 50 == 7 {
            app.switch(&id, false).await?;
        }
        made.insert(id);
    }
    let (first, second) = (import(&app).await?, import(&app).await?);
    ensure!(first == second, "the order changed between two imports");
    let seen: BTreeSet<String> = first.iter().cloned().collect();
    ensure!(first.len() == PEOPLE && seen == made, "{} of {PEOPLE} seen, {} once", first.len(), seen.len());
    Ok(())
}

async fn import(app: &Integration) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    loop {
        let path = format!("/Users?startIndex={}&count={PAGE}", ids.len() + 1);
        let page = app.scim.get(&path).await?.is(200)?;
        let left = PEOPLE - ids.len();
        ensure!(page.total()? == PEOPLE as u64 && page.body["startIndex"] == ids.len() + 1, "{}", page.body);
        ensure!(page.body["itemsPerPage"] == left.min(PAGE), "{}", page.body);
        for user in page.resources()? {
            ids.push(user["id"].as_str().context("an id")?.to_owned());
        }
        if ids.len() >= PEOPLE {
            return Ok(ids);
        }
        ensure!(!page.resources()?.is_empty(), "an empty page in the middle");
    }
}

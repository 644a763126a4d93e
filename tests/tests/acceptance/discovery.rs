//! Entra's account discovery: it pages all users, compares them by the matching attribute, and must miss nobody, although people
//! are created and deleted while it reads.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use axon_tests::{Provider, Scim, user};
use serde_json::{Value, json};

const PEOPLE: usize = 230;
const PAGE: usize = 50;

async fn people(scim: &Scim) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut made = BTreeMap::new();
    for n in 0..PEOPLE {
        let mut body = user(&format!("person{n:03}@acme.example"));
        // Every tenth is inactive: discovery finds whoever has an account.
        body["active"] = json!(n % 10 != 3);
        let answer = scim.post("/Users", &body).await?.is(201)?;
        made.insert(answer.id()?, answer.body);
    }
    Ok(made)
}

/// One reading of everybody; `between` is done after each page.
async fn discovered(
    scim: &Scim,
    mut between: impl AsyncFnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Value>> {
    let (mut found, mut start) = (Vec::new(), 1);
    loop {
        let page = scim.get(&format!("/Users?startIndex={start}&count={PAGE}")).await?.is(200)?;
        let resources = page.resources()?;
        ensure!(
            page.body["startIndex"] == start && page.body["itemsPerPage"] == resources.len(),
            "{}",
            page.body
        );
        found.extend_from_slice(resources);
        start += resources.len();
        if start as u64 > page.total()? {
            return Ok(found);
        }
        ensure!(!resources.is_empty(), "an empty page before the end");
        between(start).await?;
    }
}

#[tokio::test]
async fn account_discovery_finds_everybody_once_active_or_not() -> anyhow::Result<()> {
    let provider = Provider::start(&[("entra", "{ kind: entra }")]).await?;
    let scim = provider.connector("entra").await?;
    let made = people(&scim).await?;
    let found = discovered(&scim, async |_| Ok(())).await?;
    ensure!(found.len() == PEOPLE, "{} instead of {PEOPLE}", found.len());
    for user in &found {
        let id = user["id"].as_str().context("an id")?;
        let sent = made.get(id).context("somebody who was made")?;
        // The matching attribute and the state are read from the page itself.
        for attribute in ["userName", "externalId", "active"] {
            ensure!(user[attribute] == sent[attribute], "{user} instead of {sent}");
        }
    }
    let ids: std::collections::BTreeSet<_> = found.iter().map(|user| user["id"].to_string()).collect();
    ensure!(ids.len() == PEOPLE, "somebody was shown twice");
    Ok(())
}

#[tokio::test]
async fn account_discovery_misses_nobody_while_people_are_created() -> anyhow::Result<()> {
    let provider = Provider::start(&[("entra", "{ kind: entra }")]).await?;
    let scim = provider.connector("entra").await?;
    let made = people(&scim).await?;
    let found = discovered(&scim, async |start| {
        // Names that sort before, within and after those that are there.
        for name in ["a", "person100", "z"] {
            scim.person(&format!("{name}-{start}@acme.example")).await?;
        }
        Ok(())
    })
    .await?;
    let mut ids: Vec<&str> = found.iter().filter_map(|user| user["id"].as_str()).collect();
    for id in made.keys() {
        ensure!(ids.contains(&id.as_str()), "{id} was missed");
    }
    ids.sort_unstable();
    ids.dedup();
    ensure!(ids.len() == found.len(), "somebody was shown twice");
    Ok(())
}

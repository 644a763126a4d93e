//! The tenant as it is when the story has been told: what Graph then shows, with one thing that was never pushed.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::{Value, json};

use super::entra;

/// Who was taken out of a group in the tenant, by a request that never arrived.
pub const LOST: (&str, &str) = ("hugo.bianchi", "syn-sales-writer");
/// How the difference is told.
const KIND: &str = "member-gone";

/// Lets the tenant of the emulator hold what was pushed, but for the one request.
pub async fn follow(control: &str) -> anyhow::Result<()> {
    let url = format!("http://{control}/directory");
    let client = reqwest::Client::new();
    let mut directory: Value = client.get(&url).send().await?.error_for_status()?.json().await?;
    story(&mut directory)?;
    client.put(&url).body(directory.to_string()).send().await?.error_for_status()?;
    Ok(())
}

fn upn(person: &str) -> String {
    format!("{person}@acme.example")
}

fn story(directory: &mut Value) -> anyhow::Result<()> {
    let users = directory["users"].as_array_mut().context("people")?;
    users.retain(|user| user["upn"] != upn("dmitri.volkov").as_str());
    let ben = users.iter_mut().find(|user| user["upn"] == upn("ben.carter").as_str()).context("Ben")?;
    ben["accountEnabled"] = false.into();
    let groups = entra::GROUPS.map(|(name, id, members)| {
        let mut members: BTreeSet<&str> = members.iter().copied().collect();
        members.remove("dmitri.volkov");
        match name {
            "SG-Sales-Analysts" => drop(members.remove("kim.lee")),
            "SG-Finance" => drop(members.insert("kim.lee")),
            _ => {}
        }
        if name == LOST.1 {
            members.remove(LOST.0);
        }
        let name = match name {
            "SG-HR-Partners" => "SG-People-Partners",
            "SG-Sales-Leads" => "SG-Sales-Coaches",
            other => other,
        };
        let members: Vec<String> = members.into_iter().map(upn).collect();
        json!({ "displayName": name, "objectId": id, "members": members })
    });
    directory["groups"] = groups.to_vec().into();
    Ok(())
}

/// What parity found that was not planted, and the planted difference where it was not found.
pub fn surprises(found: &Value) -> Vec<String> {
    let differences = found["sources"]["entra"]["differences"].as_array();
    let told = |one: &Value| {
        format!("{}: {}", one["kind"].as_str().unwrap_or("?"), one["what"].as_str().unwrap_or("?"))
    };
    let is_planted = |one: &Value| {
        let what = one["what"].as_str().unwrap_or_default();
        one["kind"] == KIND && what.contains(LOST.0) && what.contains(LOST.1)
    };
    let all: Vec<&Value> = differences.into_iter().flatten().collect();
    let mut surprises: Vec<String> =
        all.iter().filter(|one| !is_planted(one)).map(|one| format!("parity: {}", told(one))).collect();
    if all.len() == surprises.len() {
        surprises.push(format!("parity: does not tell that {} is not in {} any more", LOST.0, LOST.1));
    }
    if !found["sources"]["entra"]["trouble"].is_null() {
        surprises.push(format!("parity: {}", found["sources"]["entra"]["trouble"]));
    }
    surprises
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::people;

    #[test]
    fn the_tenant_holds_what_was_pushed_but_for_one_request() {
        let mut directory = people::directory("secret").unwrap();
        story(&mut directory).unwrap();
        let members = |id: &str| {
            let groups = directory["groups"].as_array().unwrap();
            let group =
                groups.iter().find(|group| group["objectId"].as_str().unwrap().ends_with(id)).unwrap();
            (group["displayName"].clone(), group["members"].as_array().unwrap().len())
        };
        assert_eq!(members("0003"), ("syn-sales-writer".into(), 1));
        assert_eq!(members("0001"), ("SG-Sales-Analysts".into(), 4), "Kim and Dmitri are not there");
        assert_eq!(members("0002").0, "SG-Sales-Coaches");
        assert_eq!(directory["apps"].as_array().unwrap().len(), 1, "Axon still enters");
    }

    #[test]
    fn whatever_else_differs_fails_the_demo() {
        let planted = json!({ "kind": KIND, "what": "hugo.bianchi@acme.example is in group syn-sales-writer here and not" });
        let other = json!({ "kind": "person-gone", "what": "x" });
        let found = |all: Value| json!({ "sources": { "entra": { "differences": all, "trouble": null } } });
        assert_eq!(surprises(&found(json!([planted.clone()]))), Vec::<String>::new());
        assert_eq!(surprises(&found(json!([planted, other]))), ["parity: person-gone: x"]);
        assert_eq!(surprises(&found(json!([]))).len(), 1);
        assert_eq!(surprises(&json!({})).len(), 1);
    }
}

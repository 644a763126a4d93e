//! Laws of bulk requests: whatever names whatever, in circles or not, each operation is done once, in an order in which what it
//! names is there, and in the end each resource has what it was given.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed law")]

use std::collections::{BTreeMap, BTreeSet};

use axon_scim::bulk::Done;
use axon_scim::{BulkMethod, BulkRequest, BulkRun, BulkStep, ScimError};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Groups by id, each with its name and its members.
#[derive(Default)]
struct Server {
    groups: BTreeMap<String, (String, BTreeSet<String>)>,
    refused: BTreeSet<String>,
}

impl Server {
    fn members(data: &Value) -> BTreeSet<String> {
        let list = data.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
    }

    fn carry_out(&mut self, step: BulkStep) -> Result<Done, ScimError> {
        let done = |status, id: String| Ok(Done { status, id, version: Some("W/\"1\"".to_owned()) });
        if let Some(id) = step.id {
            assert_eq!(step.method, BulkMethod::Patch);
            let known: BTreeSet<String> = self.groups.keys().cloned().collect();
            let group = self.groups.get_mut(&id).expect("what is joined was made");
            for operation in step.data["Operations"].as_array().unwrap() {
                assert_eq!(operation["path"], "members");
                let members = Self::members(&operation["value"]);
                assert!(members.is_subset(&known), "whoever is named is there");
                group.1.extend(members);
            }
            return done(200, id);
        }
        let name = step.data["displayName"].as_str().unwrap().to_owned();
        let members = Self::members(&step.data["members"]);
        assert!(members.iter().all(|id| self.groups.contains_key(id)), "{name} is made after {members:?}");
        if self.refused.contains(&name) {
            return Err(ScimError::uniqueness("refused"));
        }
        let id = format!("id-{name}");
        assert!(self.groups.insert(id.clone(), (name, members)).is_none(), "made once");
        done(201, id)
    }
}

fn play(edges: &[Vec<usize>], refused: &BTreeSet<usize>, most_errors: Option<usize>) -> (Server, Value) {
    let member = |to: &usize| json!({"value": format!("bulkId:{to}")});
    let operation = |(place, to): (usize, &Vec<usize>)| {
        let members: Vec<Value> = to.iter().map(member).collect();
        json!({"method": "POST", "path": "/Groups", "bulkId": place.to_string(),
            "data": {"displayName": place.to_string(), "members": members}})
    };
    let operations: Vec<Value> = edges.iter().enumerate().map(operation).collect();
    let body = json!({"failOnErrors": most_errors, "Operations": operations});
    let mut run = BulkRun::new(BulkRequest::parse(body, 100, "https://x").unwrap(), "https://x");
    let mut server = Server { refused: refused.iter().map(usize::to_string).collect(), ..Server::default() };
    while let Some(step) = run.next_step() {
        let outcome = server.carry_out(step);
        run.done(outcome);
    }
    let answer = serde_json::to_value(run.finish()).unwrap()["Operations"].clone();
    (server, answer)
}

fn graph() -> impl Strategy<Value = Vec<Vec<usize>>> {
    (1_usize..9).prop_flat_map(|n| prop::collection::vec(prop::collection::vec(0..n, 0..4), n..=n))
}

proptest! {
    #[test]
    fn everybody_is_made_once_and_has_whom_it_named(edges in graph()) {
        let (server, answer) = play(&edges, &BTreeSet::new(), None);
        let entries = answer.as_array().unwrap();
        prop_assert_eq!(entries.len(), edges.len());
        for (place, (entry, to)) in entries.iter().zip(&edges).enumerate() {
            prop_assert_eq!(&entry["status"], "201");
            prop_assert_eq!(&entry["bulkId"], &place.to_string());
            let wanted: BTreeSet<String> = to.iter().map(|to| format!("id-{to}")).collect();
            prop_assert_eq!(&server.groups[&format!("id-{place}")].1, &wanted);
        }
    }

    #[test]
    fn who_answers_success_has_all_and_who_failed_says_so(
        edges in graph(),
        refused in prop::collection::btree_set(0_usize..9, 0..4),
    ) {
        let (server, answer) = play(&edges, &refused, None);
        let entries = answer.as_array().unwrap();
        prop_assert_eq!(entries.len(), edges.len());
        for (place, (entry, to)) in entries.iter().zip(&edges).enumerate() {
            let made = server.groups.get(&format!("id-{place}"));
            if entry["status"] == "201" {
                let wanted: BTreeSet<String> = to.iter().map(|to| format!("id-{to}")).collect();
                prop_assert_eq!(&made.unwrap().1, &wanted);
            } else {
                prop_assert!(entry["response"]["detail"].is_string());
                // One that was made, but not joined, has its address.
                prop_assert_eq!(entry.get("location").is_some(), made.is_some());
                let names_a_failure = to.iter().any(|to| entries[*to]["status"] != "201");
                prop_assert!(refused.contains(&place) || names_a_failure);
            }
        }
    }

    #[test]
    fn after_the_errors_that_were_allowed_nothing_is_begun(
        edges in graph(),
        refused in prop::collection::btree_set(0_usize..9, 1..5),
        most in 1_usize..4,
    ) {
        let (server, answer) = play(&edges, &refused, Some(most));
        let entries = answer.as_array().unwrap();
        let failed = entries.iter().filter(|entry| entry["status"] != "201").count();
        let all = entries.len() == edges.len();
        prop_assert!(all || failed >= most);
        // What was made is told, whether or not it could be joined.
        let told = entries.iter().filter(|entry| entry.get("location").is_some()).count();
        prop_assert_eq!(told, server.groups.len());
    }
}

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::routes::Route;

fn value() -> Value {
    serde_json::to_value(document()).unwrap()
}

fn each_operation(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((path.clone(), method.clone(), operation.clone()));
        }
    }
    all
}

/// Of the API: pages for people come in beside the table and are none of it (ADR 44).
#[test]
fn each_route_is_in_the_document_once() {
    let document = value();
    assert_eq!(document["openapi"], "3.1.0");
    let told: BTreeSet<(String, String)> =
        each_operation(&document).into_iter().map(|(path, method, _)| (path, method)).collect();
    let lines = crate::table().lines();
    let routed: Vec<(String, String)> = lines
        .iter()
        .map(|line| {
            (
                line.path.to_owned(),
                serde_json::to_value(line.method.clone()).unwrap().as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let once: BTreeSet<(String, String)> = routed.iter().cloned().collect();
    assert_eq!(once.len(), routed.len(), "a route stands twice");
    let others: BTreeSet<(String, String)> = [Route::Live, Route::Ready, Route::Metrics]
        .map(|route| (route.name().to_owned(), "get".to_owned()))
        .into();
    assert_eq!(told, once.union(&others).cloned().collect());
}

#[test]
fn names_of_operations_differ_and_names_of_shapes_lead_somewhere() {
    let document = value();
    let mut ids: BTreeMap<String, u32> = BTreeMap::new();
    for (path, _, operation) in each_operation(&document) {
        *ids.entry(operation["operationId"].as_str().unwrap().to_owned()).or_default() += 1;
        let told = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let named: BTreeSet<&str> =
            told.iter().filter(|one| one["in"] == "path").filter_map(|one| one["name"].as_str()).collect();
        let wanted: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(named, wanted, "{path}");
        assert!(
            operation["responses"].as_object().unwrap().len() > usize::from(path.starts_with("/api")),
            "{path}"
        );
    }
    assert!(ids.values().all(|times| *times == 1), "{ids:?}");
    let text = document.to_string();
    let shapes = document["components"]["schemas"].as_object().unwrap();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(shapes.contains_key(name), "{name}");
    }
    for name in shapes.keys() {
        assert!(text.contains(&format!("#/components/schemas/{name}\"")), "{name} is used nowhere");
    }
}

#[test]
fn who_may_call_is_said_of_each() {
    for (path, _, operation) in each_operation(&value()) {
        let security = operation["security"].as_array().unwrap();
        let is_open =
            !path.starts_with("/integrations") && (!path.starts_with("/api") || path == "/api/v1/token");
        assert_eq!(security.is_empty(), is_open, "{path}");
    }
}

//! What `deploy/azure` defines is what is sent: table, stream, queries, alert rules and workbook.

mod kql;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use axon_audit::Payload;
use axon_audit::payload::{DirectoryChange, WriteVerb};
use axon_audit::payload::{HoldChange, HoldClear, HoldVerb, StepClear, StepRef, StepWithheld};
use axon_controller::Summary;
use axon_model::{Delta, HoldId, IdSource, PlanId, SourceHealth, UserId};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::health::{source_facts, target_facts};
use super::row::COLUMNS;

fn folder() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/azure")).to_owned()
}

fn files(folder: &Path, ending: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == ending) {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            found.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

fn queries() -> BTreeMap<String, String> {
    files(&folder().join("queries"), "kql")
}

fn json_of(name: &str) -> Value {
    serde_json::from_str(&files(&folder(), "json")[name]).unwrap()
}

fn columns(list: &Value) -> Vec<(String, String)> {
    let column = |c: &Value| (text(&c["name"]), text(&c["type"]).to_lowercase());
    list.as_array().unwrap().iter().map(column).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn table_and_stream_have_exactly_the_columns_that_are_sent() {
    let log = json_of("log");
    let resource = |kind: &str| {
        let all = log["resources"].as_array().unwrap();
        all.iter().find(|r| text(&r["type"]).ends_with(kind)).unwrap_or_else(|| panic!("{kind}"))
    };
    let expected: Vec<_> =
        COLUMNS.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect();
    let table = &resource("workspaces/tables")["properties"]["schema"];
    assert_eq!(columns(&table["columns"]), expected);
    let rule = &resource("dataCollectionRules")["properties"];
    let stream = format!("Custom-{}", text(&table["name"]));
    assert_eq!(columns(&rule["streamDeclarations"][&stream]["columns"]), expected);
    let flow = &rule["dataFlows"][0];
    assert_eq!((&flow["streams"], &flow["outputStream"]), (&json!([stream]), &json!(stream)));
    assert_eq!(log["outputs"]["stream"]["value"], stream);
    // The service's own rules for names (reference, section 8.6).
    for (name, _) in COLUMNS {
        assert!(name.len() <= 45 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{name}");
        assert!(!["Type", "TenantId", "Resource", "ResourceId", "SubscriptionId"].contains(&name), "{name}");
    }
}

#[test]
fn every_file_is_json_of_its_kind() {
    let files = files(&folder(), "json");
    assert_eq!(files.keys().collect::<Vec<_>>(), ["alerts", "log", "workbook", "workbook-template"]);
    for (name, text) in &files {
        let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        if name == "workbook" {
            assert_eq!(value["version"], "Notebook/1.0");
            continue;
        }
        assert!(self::text(&value["$schema"]).ends_with("deploymentTemplate.json#"), "{name}");
        for resource in value["resources"].as_array().unwrap() {
            assert!(resource["type"].is_string() && resource["apiVersion"].is_string(), "{name}: {resource}");
        }
    }
}

#[test]
fn templates_are_what_a_deployment_takes() {
    for name in ["alerts", "log", "workbook-template"] {
        template::read(&json_of(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    let log = json_of("log");
    let rule = log["resources"].as_array().unwrap().iter().find(|r| text(&r["type"]).ends_with("Rules"));
    let rule = &rule.unwrap()["properties"];
    let places: Vec<&Value> =
        rule["destinations"]["logAnalytics"].as_array().unwrap().iter().map(|place| &place["name"]).collect();
    for flow in rule["dataFlows"].as_array().unwrap() {
        assert!(
            flow["destinations"].as_array().unwrap().iter().all(|place| places.contains(&place)),
            "{flow}"
        );
        let streams = flow["streams"].as_array().unwrap();
        assert!(
            streams.iter().all(|stream| rule["streamDeclarations"][stream.as_str().unwrap()].is_object())
        );
    }
    // The only role that a deployment gives: to send rows, at the rule itself.
    let given =
        log["resources"].as_array().unwrap().iter().filter(|r| text(&r["type"]).ends_with("roleAssignments"));
    let given: Vec<&Value> = given.collect();
    assert!(given.len() == 1 && text(&given[0]["scope"]).contains("dataCollectionRules"), "{given:?}");
    assert!(
        text(&given[0]["properties"]["roleDefinitionId"]).contains("3913510d-42f4-4e42-8a64-420c390055eb")
    );
}

#[test]
fn alert_rules_are_on_and_tell_somebody() {
    // Spans that Azure takes for how often it looks and how far back.
    let spans = [
        "PT5M", "PT10M", "PT15M", "PT30M", "PT45M", "PT1H", "PT2H", "PT3H", "PT4H", "PT5H", "PT6H", "P1D",
        "P2D",
    ];
    let minutes = |span: &Value| {
        let text = span.as_str().unwrap();
        assert!(spans.contains(&text), "{text}");
        let number: u32 = text.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
        number
            * if text.ends_with('D') {
                1_440
            } else if text.ends_with('H') {
                60
            } else {
                1
            }
    };
    let alerts = json_of("alerts");
    for alert in alerts["resources"].as_array().unwrap() {
        let (name, own) = (text(&alert["name"]), &alert["properties"]);
        assert_eq!(own["enabled"], true, "{name}");
        assert!((0..=4).contains(&own["severity"].as_i64().unwrap()), "{name}");
        let (often, back) = (minutes(&own["evaluationFrequency"]), minutes(&own["windowSize"]));
        assert!(often <= back, "{name}: what happens between two looks is seen by neither");
        assert_eq!(own["actions"]["actionGroups"], "[parameters('actionGroups')]", "{name}");
        assert!(text(&own["scopes"][0]).contains("parameters('workspace')"), "{name}");
        let rule = &own["criteria"]["allOf"][0];
        let any_row = (&rule["timeAggregation"], &rule["operator"], &rule["threshold"]);
        assert_eq!(any_row, (&json!("Count"), &json!("GreaterThan"), &json!(0)), "{name}: a row is an alert");
    }
}

#[test]
fn alert_rules_and_workbook_ask_what_the_query_files_say() {
    let queries = queries();
    let is_a_file = |query: &Value| queries.values().any(|file| file.trim() == query.as_str().unwrap());
    let alerts = json_of("alerts");
    let alerts = alerts["resources"].as_array().unwrap();
    for alert in alerts {
        let query = &alert["properties"]["criteria"]["allOf"][0]["query"];
        let name = text(&alert["name"]);
        assert_eq!(queries[name.strip_prefix("axon-").unwrap()].trim(), query.as_str().unwrap(), "{name}");
    }
    let names: BTreeSet<String> = alerts.iter().map(|alert| text(&alert["name"])).collect();
    for wanted in
        ["failed-tokens", "refused-authentications", "holds", "late-leavers", "drift", "quarantine-near"]
    {
        assert!(names.contains(&format!("axon-{wanted}")), "{wanted}");
    }
    let workbook = json_of("workbook");
    let asked: Vec<&Value> =
        workbook["items"].as_array().unwrap().iter().filter(|item| item["type"] == 3).collect();
    assert_eq!(asked.len(), queries.len(), "each query is in the workbook");
    assert!(asked.iter().all(|item| is_a_file(&item["content"]["query"])));
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for name in queries.keys() {
        assert!(readme.contains(&format!("`{name}.kql`")), "{name} is not told of");
    }
}

/// The words of a query, without comments and texts, each with the character before and what follows.
fn words(query: &str) -> Vec<(char, String, String)> {
    let mut bare = String::new();
    for line in query.lines() {
        let mut in_text = false;
        for (at, c) in line.char_indices() {
            if !in_text && line[at..].starts_with("//") {
                break;
            }
            if c == '"' {
                in_text = !in_text;
            }
            bare.push(if in_text || c == '"' { '\u{1}' } else { c });
        }
        bare.push('\n');
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut begin = None;
    for (at, c) in bare.char_indices() {
        match (begin, is_word(c)) {
            (None, true) => begin = Some(at),
            (Some(from), false) => {
                let before = bare[..from].chars().next_back().unwrap_or(' ');
                found.push((
                    before,
                    bare[from..at].to_owned(),
                    bare[at..].trim_start().chars().take(2).collect(),
                ));
                begin = None;
            }
            _ => {}
        }
    }
    found
}

fn table() -> kql::Columns {
    let kind = |kind: &str| kql::Kind::named(kind).unwrap_or_else(|| panic!("{kind}"));
    COLUMNS.iter().map(|(name, own)| ((*name).to_owned(), kind(own))).collect()
}

#[test]
fn each_query_names_what_is_there_at_its_step_with_the_type_that_it_has() {
    for (name, query) in queries() {
        assert!(query.starts_with("// "), "{name} says what it is for");
        let columns = kql::read(&query, "Axon_CL", &table()).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(columns.contains_key("Log") || ["rows", "steps"].contains(&name.as_str()), "{name}");
    }
}

#[test]
fn a_query_that_is_wrong_is_told_where() {
    for (query, why) in [
        ("Axom_CL | where Kind == \"hold\"", "no table Axom_CL"),
        ("Axon_CL | where Hue == \"hold\"", "no column Hue"),
        ("Axon_CL | summarize Last = max(TimeGenerated) by Log | where Kind == \"hold\"", "no column Kind"),
        ("Axon_CL | project Log | order by Position asc", "no column Position"),
        ("Axon_CL | where Position == \"1\"", "Long == Text"),
        ("Axon_CL | where Facts.waiting > 0", "Dynamic > Long"),
        ("Axon_CL | summarize N = count() by Facts.hold", "nothing can be grouped by it"),
        ("Axon_CL | where Kind.name == \"x\"", "has no parts"),
        ("Axon_CL | where Position", "asks for Long"),
        ("Axon_CL | extend X = tostringg(Log)", "tostringg"),
        ("Axon_CL | wear Log", "wear"),
        ("Axon_CL | where TimeGenerated < ago(10x)", "10x"),
        ("Axon_CL | where Log == \"x", "no end"),
        ("let T = Axon_CL | project Kind; Axon_CL | join kind=inner T on Log", "joined on Log"),
        ("union (Axon_CL | project X = Log), (Axon_CL | project X = Position)", "two types"),
    ] {
        let told = kql::read(query, "Axon_CL", &table()).unwrap_err();
        assert!(told.contains(why), "{query}: {told}");
    }
}

fn facts_of<P: Payload>(payload: P) -> Value {
    serde_json::to_value(payload.split().0).unwrap()
}

#[test]
fn every_fact_that_a_query_names_is_one_that_is_sent() {
    let now = OffsetDateTime::UNIX_EPOCH;
    let id = IdSource::counting().uuid(now);
    let plan = PlanId::from_uuid(id);
    let sent = [
        facts_of(HoldChange {
            verb: HoldVerb::Opened,
            hold: HoldId::from_uuid(id),
            about: "step".into(),
            source: None,
            target: None,
            clear: HoldClear::default(),
        }),
        facts_of(StepWithheld {
            step: StepRef { target: "t".into(), plan, index: 0, action: "grant".into() },
            guards: vec!["never-made".into()],
            clear: StepClear::default(),
        }),
        facts_of(DirectoryChange {
            verb: WriteVerb::DeleteUser,
            source: "entra".parse().unwrap(),
            deltas: vec![Delta::UserRemoved { id: UserId::from_uuid(id) }],
            external_id_changed: false,
            parked: 0,
            joined: 0,
        }),
        source_facts(&SourceHealth::default(), now),
        target_facts(&Summary::starting(), now),
        json!({ "total": 1, "counts": {} }),
    ];
    assert_eq!(sent[2]["deltas"][0]["delta"], "user-removed", "what late-leavers.kql looks for");
    let known: BTreeSet<&String> = sent.iter().flat_map(|facts| facts.as_object().unwrap().keys()).collect();
    for (name, query) in queries() {
        let words = words(&query);
        let pairs = words.windows(2).filter(|pair| pair[0].1 == "Facts" && pair[1].0 == '.');
        for pair in pairs {
            assert!(known.contains(&pair[1].1), "{name}: Facts.{}", pair[1].1);
        }
    }
}

//! An extension that the configuration declares: shown, checked, patched, filtered, sorted and chosen like any other schema.

use axon_scim::{Registry, ResourceKind, Schema};
use serde_json::{Value, json};

use crate::kit::{ENTERPRISE, LIMITS, Server, USER};

const BADGE: &str = "urn:example:params:scim:badge:2.0:User";
const TEAM: &str = "urn:example:params:scim:team:2.0:Group";

async fn server() -> Server {
    let badge = json!({"id": BADGE, "name": "Badge", "description": "What opens doors.", "attributes": [
        {"name": "level", "type": "integer"},
        {"name": "colour", "caseExact": true, "canonicalValues": ["red", "blue"]},
        {"name": "serial", "mutability": "immutable"},
        {"name": "pin", "mutability": "writeOnly", "returned": "never"},
        {"name": "note", "returned": "request"},
        {"name": "since", "type": "dateTime"},
        {"name": "doors", "type": "complex", "multiValued": true, "subAttributes": [
            {"name": "value", "required": true}, {"name": "type"}, {"name": "primary", "type": "boolean"}]},
        {"name": "desk", "type": "complex", "subAttributes": [{"name": "floor", "type": "integer"}, {"name": "row"}]},
    ]});
    let team = json!({"id": TEAM, "attributes": [{"name": "cost"}]});
    Server::with(LIMITS, |parts| {
        let mut registry = Registry::standard();
        for (kind, schema) in [(ResourceKind::User, badge), (ResourceKind::Group, team)] {
            registry.add_extension(kind, Schema::from_json(&schema.to_string()).unwrap(), false).unwrap();
        }
        parts.registry = registry.into();
    })
    .await
}

#[tokio::test]
async fn discovery_shows_it() {
    let server = server().await;
    let client = server.entra();
    let schemas = client.get("/Schemas").await;
    assert_eq!(schemas.total(), 5);
    let badge = client.get(&format!("/Schemas/{BADGE}")).await.ok(200);
    let names: Vec<_> =
        badge["attributes"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["level", "colour", "serial", "note", "since", "doors", "desk"],
        "what is never read is not shown"
    );
    let user = client.get("/ResourceTypes/User").await.ok(200);
    assert_eq!(
        user["schemaExtensions"],
        json!([{"schema": ENTERPRISE, "required": false}, {"schema": BADGE, "required": false}])
    );
    let group = client.get("/ResourceTypes/Group").await.ok(200);
    assert_eq!(group["schemaExtensions"], json!([{"schema": TEAM, "required": false}]));
}

#[tokio::test]
async fn a_body_is_checked_by_it_and_its_urn_is_listed() {
    let server = server().await;
    let client = server.entra();
    // As Entra sends it: the URN is the key, and `schemas` does not list it.
    let body = json!({"schemas": [USER], "userName": "kim", BADGE: {"Level": "7", "pin": "1234", "note": "n", "shoe": 44,
        "doors": [{"value": "front", "primary": "True"}], "desk": {"floor": 3}}});
    let made = client.post("/Users", body).await.ok(201);
    assert_eq!(made["schemas"], json!([USER, BADGE]));
    assert_eq!(
        made[BADGE],
        json!({"level": 7, "note": "n", "doors": [{"value": "front", "primary": true}], "desk": {"floor": 3}})
    );
    for (bad, part) in [
        (json!({"level": "high"}), "level"),
        (json!({"since": "yesterday"}), "since"),
        (json!({"doors": [{"type": "x"}, {"type": "y", "primary": true, "value": 7}]}), "value"),
        (json!([]), "takes an object"),
    ] {
        let refused = client.post("/Users", json!({"userName": "bad", BADGE: bad})).await;
        assert!(refused.refused(400, "invalidValue").contains(part), "{}", refused.body);
    }
    client.post("/Groups", json!({"displayName": "G", TEAM: {"cost": "C1"}})).await.ok(201);
    assert_eq!(client.find("/Groups", "cost eq \"c1\"").await.total(), 1);
}

#[tokio::test]
async fn a_patch_reaches_every_part_of_it_in_every_dialect() {
    let server = server().await;
    let client = server.entra();
    let kim = client.user("kim").await;
    let patched = client
        .patch(
            &kim.path,
            json!([
                {"op": "Add", "path": format!("{BADGE}:level"), "value": "3"},
                {"op": "Replace", "path": format!("{BADGE}:doors[type eq \"main\"].value"), "value": "front"},
                {"op": "add", "value": {format!("{BADGE}:colour"): "red", format!("{BADGE}:desk.row"): "B",
                    BADGE: {"serial": "S1"}}},
            ]),
        )
        .await
        .ok(200);
    let badge = json!({"level": 3, "colour": "red", "serial": "S1", "doors": [{"type": "main", "value": "front"}],
        "desk": {"row": "B"}});
    assert_eq!((&patched[BADGE], &patched["schemas"]), (&badge, &json!([USER, BADGE])));
    let op = |op: &str, path: &str, value: Value| json!([{"op": op, "path": format!("{BADGE}:{path}"), "value": value}]);
    client.patch(&kim.path, op("replace", "serial", json!("S2"))).await.refused(400, "mutability");
    client.patch(&kim.path, op("replace", "level", json!("x"))).await.refused(400, "invalidValue");
    client.patch(&kim.path, op("replace", "levle", json!(1))).await.refused(400, "invalidPath");
    let put = json!({"userName": "kim", BADGE: {"serial": "S2"}});
    client.put(&kim.path, put).await.refused(400, "mutability");
    let other = client.user("lee").await;
    client.patch(&other.path, op("add", "level", json!(1))).await.ok(200);
    let cleared = client.patch(&other.path, json!([{"op": "remove", "path": BADGE}])).await.ok(200);
    assert_eq!(cleared["schemas"], json!([USER]));
    assert!(cleared.get(BADGE).is_none());
}

#[tokio::test]
async fn filters_sorts_and_choices_see_it() {
    let server = server().await;
    let client = server.entra();
    for (name, level, colour) in [("a", 10, "red"), ("b", 9, "Red"), ("c", 100, "blue")] {
        let badge =
            json!({"level": level, "colour": colour, "note": "n", "since": "2026-01-01T00:00:00+02:00"});
        client.post("/Users", json!({"userName": name, BADGE: badge})).await.ok(201);
    }
    client.user("none").await;
    for (filter, total) in [
        ("level gt 9", 2),
        ("level ge \"9\"", 3),
        (&format!("{BADGE}:level eq 100"), 1),
        ("colour eq \"red\"", 1),
        ("since lt \"2026-01-01T00:00:00Z\"", 3),
        (&format!("schemas eq \"{BADGE}\""), 3),
        ("not (level pr)", 1),
        ("doors pr", 0),
    ] {
        assert_eq!(client.find("/Users", filter).await.total(), total, "{filter}");
    }
    client.find("/Users", "level co \"1\"").await.refused(400, "invalidFilter");
    client.find("/Users", "pin eq \"1234\"").await.refused(403, "sensitive");
    let sorted = client.get(&format!("/Users?sortBy={BADGE}:level&attributes=userName")).await;
    let names: Vec<_> =
        sorted.body["Resources"].as_array().unwrap().iter().map(|u| u["userName"].clone()).collect();
    assert_eq!(names, ["b", "a", "c", "none"]);
    let chosen = client.get(&format!("/Users?count=1&attributes={BADGE}:note,{BADGE}:level")).await;
    assert_eq!(chosen.body["Resources"][0][BADGE], json!({"level": 10, "note": "n"}));
    let without = client.get(&format!("/Users?count=1&excludedAttributes={BADGE}")).await;
    assert!(without.body["Resources"][0].get(BADGE).is_none());
}

/// RFC 7643 section 7: what is returned on request is shown to who asks for it, and to who writes it.
#[tokio::test]
async fn what_is_returned_on_request_is_answered_to_a_write_of_it() {
    let server = server().await;
    let client = server.okta();
    let body = |note: &str| json!({"userName": "kim", BADGE: {"level": 1, "note": note}});
    let made = client.post("/Users", body("a")).await.ok(201);
    assert_eq!(made[BADGE], json!({"level": 1, "note": "a"}));
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.ok(200)[BADGE], json!({"level": 1}));
    let asked = client.get(&format!("{path}?attributes={BADGE}:note")).await.ok(200);
    assert_eq!(asked[BADGE], json!({"note": "a"}));
    assert_eq!(client.put(&path, body("b")).await.ok(200)[BADGE], json!({"level": 1, "note": "b"}));
    let of = async |operation: Value| client.patch(&path, json!([operation])).await.ok(200)[BADGE].clone();
    let named = json!({"op": "replace", "path": format!("{BADGE}:note"), "value": "c"});
    assert_eq!(of(named).await, json!({"level": 1, "note": "c"}));
    let spread = json!({"op": "add", "value": {BADGE: {"note": "d"}}});
    assert_eq!(of(spread).await, json!({"level": 1, "note": "d"}));
    let other = json!({"op": "replace", "path": format!("{BADGE}:level"), "value": 2});
    assert_eq!(of(other).await, json!({"level": 2}), "the note was not written");
    // Who says what it wants gets that.
    let chosen = client.put(&format!("{path}?attributes={BADGE}:level"), body("e")).await.ok(200);
    assert_eq!(chosen[BADGE], json!({"level": 1}));
    let without = client.put(&format!("{path}?excludedAttributes={BADGE}:note"), body("f")).await.ok(200);
    assert_eq!(without[BADGE], json!({"level": 1}));
}

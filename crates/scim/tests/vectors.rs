//! The acceptance vectors, as data: PATCH on users and groups, bodies, filters. Each file is a list of
//! cases; a case that fails is named.
#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use axon_scim::{
    Filter, Meta, Op, PatchRequest, Profile, Registry, Resource, ResourceKind, ScimError, apply, parse_new,
    parse_resource, replace,
};
use serde_json::{Map, Value, json};

fn cases(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn profile(case: &Value) -> Profile {
    match case["profile"].as_str() {
        Some("strict") => Profile::strict(),
        Some("okta") => Profile::okta(),
        Some("generic") => Profile::generic(),
        _ => Profile::entra(),
    }
}

fn meta(kind: ResourceKind) -> Meta {
    Meta {
        resource_type: kind.name().into(),
        created: "2026-01-01T00:00:00Z".into(),
        last_modified: "2026-01-01T00:00:00Z".into(),
        location: None,
        version: None,
    }
}

/// The start of a case: what it says over a small resource, decorated as a store does.
fn start(registry: &Registry, kind: ResourceKind, case: &Value) -> Resource {
    let mut body = match kind {
        ResourceKind::User => json!({"userName": "kim"}),
        ResourceKind::Group => json!({"displayName": "G"}),
    };
    if let Some(Value::Object(more)) = case.get("start") {
        body.as_object_mut().unwrap().extend(more.clone());
    }
    let mut resource = parse_new(registry, kind, body, &Profile::entra()).unwrap().resource;
    resource.decorate(if kind == ResourceKind::User { "U" } else { "G" }, &meta(kind));
    resource
}

fn refusal(error: &ScimError) -> Value {
    json!([error.status, error.scim_type.map(axon_scim::ScimType::as_str)])
}

fn without_schemas(resource: &Resource) -> Value {
    let mut map = resource.clone().into_document();
    map.remove("schemas");
    Value::Object(map)
}

/// Members as a store keeps them: in order of arrival, each once.
fn apply_members(ops: &[Op], members: &mut Vec<String>) {
    let add = |members: &mut Vec<String>, id: &str| {
        if !members.iter().any(|m| m == id) {
            members.push(id.to_owned());
        }
    };
    for op in ops {
        match op {
            Op::Attribute(_) => {}
            Op::AddMembers(new) => {
                for member in new {
                    add(members, &member.value);
                }
            }
            Op::RemoveMembers(ids) => members.retain(|m| !ids.contains(m)),
            Op::RemoveMembersWhere(filter) => members.retain(|m| {
                let element = Map::from_iter([("value".to_owned(), Value::from(m.as_str()))]);
                !filter.matches_element(&element)
            }),
            Op::ReplaceMembers(new) => {
                members.retain(|m| new.iter().any(|n| n.value == *m));
                for member in new {
                    add(members, &member.value);
                }
            }
            Op::ClearMembers => members.clear(),
        }
    }
}

fn patch(case: &Value, kind: ResourceKind) {
    let name = &case["name"];
    let registry = Registry::standard();
    let profile = profile(case);
    let before = start(&registry, kind, case);
    let mut resource = before.clone();
    let mut members: Vec<String> = ["A", "B", "C"].map(str::to_owned).to_vec();
    let body =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": case["ops"]});
    let outcome = PatchRequest::parse(body, &registry, kind, &profile).and_then(|request| {
        let changed = apply(&request.ops, &mut resource, &profile)?;
        apply_members(&request.ops, &mut members);
        Ok((changed, request))
    });
    match (outcome, case.get("error")) {
        (Err(error), Some(expected)) => {
            assert_eq!(&refusal(&error), expected, "{name}: {error}");
            assert_eq!(resource, before, "{name}: nothing changes");
        }
        (Err(error), None) => panic!("{name}: {error}"),
        (Ok(_), Some(_)) => panic!("{name}: is to be refused"),
        (Ok((changed, request)), None) => {
            let expect = case.get("expect").cloned().unwrap_or_else(|| without_schemas(&before));
            assert_eq!(without_schemas(&resource), expect, "{name}");
            if kind == ResourceKind::Group {
                assert_eq!(json!(members), case["members"], "{name}");
            }
            let moved = changed || members != ["A", "B", "C"];
            assert_eq!(
                moved,
                case.get("changed").and_then(Value::as_bool).unwrap_or(true),
                "{name}: changed"
            );
            if let Some(schemas) = case.get("schemas") {
                assert_eq!(&resource.as_map()["schemas"], schemas, "{name}");
            }
            if let Some(notices) = case.get("notices") {
                assert_eq!(&json!(request.notices.items().len()), notices, "{name}: {:?}", request.notices);
            }
            assert_eq!(resource.id(), before.id(), "{name}: the id stays");
        }
    }
}

#[test]
fn patches_on_users() {
    for case in cases(include_str!("vectors/patch-user.json")) {
        patch(&case, ResourceKind::User);
    }
}

#[test]
fn patches_on_groups() {
    for case in cases(include_str!("vectors/patch-group.json")) {
        patch(&case, ResourceKind::Group);
    }
}

#[test]
fn bodies() {
    let registry = Registry::standard();
    for case in cases(include_str!("vectors/bodies.json")) {
        let name = &case["name"];
        let kind = case["kind"].as_str().and_then(ResourceKind::parse).unwrap_or(ResourceKind::User);
        match (parse_new(&registry, kind, case["body"].clone(), &profile(&case)), case.get("error")) {
            (Err(error), Some(expected)) => assert_eq!(&refusal(&error), expected, "{name}: {error}"),
            (Err(error), None) => panic!("{name}: {error}"),
            (Ok(_), Some(_)) => panic!("{name}: is to be refused"),
            (Ok(parsed), None) => {
                assert_eq!(Value::Object(parsed.resource.into_document()), case["expect"], "{name}");
                let members = parsed.members.map(|m| m.into_iter().map(|m| m.value).collect::<Vec<_>>());
                assert_eq!(json!(members), case.get("members").cloned().unwrap_or(Value::Null), "{name}");
                if let Some(notices) = case.get("notices") {
                    assert_eq!(&json!(parsed.notices.items().len()), notices, "{name}: {:?}", parsed.notices);
                }
            }
        }
    }
}

#[test]
fn filters() {
    let registry = Registry::standard();
    let user = json!({"start": {
        "userName": "kim@ex.test", "nickName": "o\"neil (a) and b", "active": true,
        "emails": [{"type": "work", "value": "x@y"}, {"type": "home", "value": "home@x"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "R&D", "manager": {"value": "M"}},
    }});
    let user = start(&registry, ResourceKind::User, &user);
    for case in cases(include_str!("vectors/filters.json")) {
        let name = &case["name"];
        let text = case["filter"].as_str().unwrap();
        match Filter::parse(text, &registry, ResourceKind::User, &profile(&case)) {
            Ok(filter) => assert_eq!(json!(filter.matches(&user)), case["matches"], "{name}"),
            Err(error) => {
                let kind = ScimError::from(error).scim_type.map(axon_scim::ScimType::as_str);
                assert_eq!(json!(kind), case["error"], "{name}");
            }
        }
    }
}

/// V33 and the rules of PUT.
#[test]
fn a_put_of_what_was_read_changes_nothing() {
    let registry = Registry::standard();
    let case = json!({"start": {"title": "T", "active": false, "emails": [{"value": "a", "type": "work"}]}});
    let old = start(&registry, ResourceKind::User, &case);
    let mut echo = old.clone();
    echo.set_groups(vec![json!({"value": "G"})]);
    let body = Value::Object(echo.into_map());
    let profile = Profile::okta();
    let parsed = parse_resource(&registry, ResourceKind::User, body, &profile).unwrap();
    assert_eq!(replace(&registry, &old, parsed.resource, &profile).unwrap(), old);
}

#[test]
fn a_put_clears_what_it_leaves_out_but_not_active() {
    let registry = Registry::standard();
    let case = json!({"start": {"title": "T", "active": false}});
    let old = start(&registry, ResourceKind::User, &case);
    let put = |body: Value, profile: &Profile| {
        let parsed = parse_resource(&registry, ResourceKind::User, body, profile).unwrap();
        without_schemas(&replace(&registry, &old, parsed.resource, profile).unwrap())
    };
    let body = json!({"schemas": [ResourceKind::User.urn()], "userName": "kim2"});
    assert_eq!(put(body.clone(), &Profile::okta()), json!({"userName": "kim2", "active": false}));
    assert_eq!(put(body, &Profile::strict()), json!({"userName": "kim2", "active": true}));
    let woken = json!({"userName": "kim2", "active": "true"});
    assert_eq!(put(woken, &Profile::entra()), json!({"userName": "kim2", "active": true}));
}

/// The vectors that need no server are all here; V31 to V33, V35 and V36 are in the store's contract and in `api`.
#[test]
fn each_numbered_vector_is_there_by_name() {
    let files = [
        include_str!("vectors/patch-user.json"),
        include_str!("vectors/patch-group.json"),
        include_str!("vectors/bodies.json"),
        include_str!("vectors/filters.json"),
    ];
    let names: Vec<String> =
        files.iter().flat_map(|file| cases(file)).map(|c| c["name"].as_str().unwrap().to_owned()).collect();
    for number in (1..=18).chain([34, 46]) {
        let head = format!("V{number} ");
        assert!(names.iter().any(|name| name.starts_with(&head)), "no case is named {head}");
    }
}

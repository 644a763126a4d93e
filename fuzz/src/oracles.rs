//! What must be true of any bytes that a client sends. A broken law panics.
//!
//! The fuzz targets run these over what libFuzzer invents; the test `fuzz_corpus` of the crate `axon-scim` runs them over the
//! kept corpus with the usual toolchain, so that what was found once stays found.

/// What the server reads bodies with.
#[path = "../../crates/api/src/body/strict.rs"]
mod strict;

/// What it writes of them into its log.
#[path = "../../crates/api/src/body/outline.rs"]
mod outline;

use std::sync::LazyLock;

use axon_scim::bulk::{BulkMethod, BulkRequest, BulkRun, Done};
use axon_scim::{
    Filter, Group, ListQuery, PatchRequest, Path, Profile, Projection, Registry, Resource, ResourceKind,
    Schema, ScimError, User, apply, compare, parse_new, parse_resource, replace,
};
use serde_json::{Value, json};

/// An extension as an installation may declare it, with every type that the usual schemas leave out.
const BADGE: &str = r#"{"id": "urn:example:badge:1.0:User", "name": "Badge", "attributes": [
    {"name": "number", "type": "integer"}, {"name": "weight", "type": "decimal"}, {"name": "issued", "type": "dateTime"},
    {"name": "valid", "type": "boolean"}, {"name": "photo", "type": "binary"},
    {"name": "owner", "type": "reference", "referenceTypes": ["User"]},
    {"name": "serial", "type": "string", "mutability": "immutable", "caseExact": true},
    {"name": "words", "type": "string", "multiValued": true},
    {"name": "doors", "type": "complex", "multiValued": true, "subAttributes": [
        {"name": "value", "type": "integer"}, {"name": "primary", "type": "boolean"}, {"name": "since", "type": "dateTime"}]}]}"#;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::standard();
    let badge = Schema::from_json(BADGE).expect("a sound schema");
    registry.add_extension(ResourceKind::User, badge, false).expect("an extension");
    registry
});

/// The most lenient profile and the strictest one: what lies between is made of their parts.
fn profiles() -> [Profile; 2] {
    [Profile::entra(), Profile::strict()]
}

/// Longest detail of a refusal, characters: a client's text is quoted shortened, if at all.
const DETAIL: usize = 1000;

/// A refusal is a 4xx that can be shown in one line of an administrator's log.
fn is_sound(error: &ScimError) {
    assert!((400..500).contains(&error.status), "{error:?}");
    assert!(!error.detail.is_empty() && error.detail.chars().count() <= DETAIL, "{error:?}");
    assert!(!error.detail.chars().any(char::is_control), "{error:?}");
}

fn made(kind: ResourceKind, body: Value) -> Resource {
    parse_new(&REGISTRY, kind, body, &Profile::entra()).expect("a sample is sound").resource
}

/// Resources that filters and PATCHes are tried on: nearly empty, and with most shapes of values.
static SAMPLES: LazyLock<Vec<Resource>> = LazyLock::new(|| {
    vec![
        made(ResourceKind::User, json!({"userName": "kim"})),
        made(
            ResourceKind::User,
            json!({"userName": "Kim@ex.test", "externalId": "x", "title": "", "active": false, "displayName": "a",
                "name": {"givenName": "é", "familyName": "b"},
                "emails": [{"type": "work", "value": "w@x", "primary": true}, {"type": "home", "value": "h@x"}, {"value": "v"}],
                "addresses": [{"type": "work", "country": "NO", "locality": "Oslo"}],
                "roles": [{"value": "Admin", "primary": true, "type": "t", "display": "d"}],
                "x509Certificates": [{"value": "AAAA"}],
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
                    {"department": "R&D", "manager": {"value": "M"}, "employeeNumber": "7"}}),
        ),
        made(
            ResourceKind::User,
            json!({"userName": "lee", "urn:example:badge:1.0:User": {"number": 7, "weight": 0.5, "valid": true,
                "issued": "2026-01-01T00:00:00Z", "serial": "S", "words": ["a", "b"],
                "doors": [{"value": 1, "primary": true, "since": "2026-01-01T00:00:00Z"}, {"value": 2}]}}),
        ),
        made(ResourceKind::Group, json!({"displayName": "G"})),
        made(ResourceKind::Group, json!({"displayName": "a b \"c\"", "externalId": "g"})),
    ]
});

/// A filter prints as what it means, and the ways to evaluate it agree.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for profile in profiles() {
        for kind in ResourceKind::ALL {
            match Filter::parse(text, &REGISTRY, kind, &profile) {
                Ok(filter) => filter_holds(text, &filter, kind),
                Err(error) => {
                    let error = ScimError::from(error);
                    is_sound(&error);
                    assert_eq!(error.status / 100, 4);
                }
            }
        }
    }
    if let Err(error) = ListQuery::parse(text) {
        is_sound(&error);
    }
    for kind in ResourceKind::ALL {
        let projection = Projection::parse(Some(text), None, &REGISTRY, kind);
        for sample in SAMPLES.iter().filter(|sample| sample.kind() == kind) {
            let mut shown = sample.as_map().clone();
            projection.apply(&mut shown, &REGISTRY, kind);
            assert!(shown.keys().all(|key| sample.as_map().contains_key(key)), "a projection adds nothing");
        }
    }
    let folded = compare::fold(text);
    assert_eq!(compare::fold(&folded), folded, "folding once is folding");
}

fn filter_holds(text: &str, filter: &Filter, kind: ResourceKind) {
    assert!(text.len() <= axon_scim::MAX_FILTER_LENGTH);
    let printed = filter.to_string();
    // What is printed may be longer than what was given, never than what a look at it needs.
    if printed.len() <= axon_scim::MAX_FILTER_LENGTH {
        let again = Filter::parse(&printed, &REGISTRY, kind, &Profile::strict())
            .unwrap_or_else(|error| panic!("{text:?} printed as {printed:?}: {error}"));
        assert_eq!(&again, filter, "{text:?} printed as {printed:?}");
        assert_eq!(again.to_string(), printed);
    }
    assert!(filter.terms() <= text.len(), "a term is at least a character");
    let plan = filter.index_terms();
    for sample in SAMPLES.iter().filter(|sample| sample.kind() == kind) {
        let matches = filter.matches(sample);
        match filter.evaluate(sample).truth {
            axon_scim::Truth::True => assert!(matches, "{printed}"),
            axon_scim::Truth::False => assert!(!matches, "{printed}"),
            axon_scim::Truth::Unknown => {}
        }
        // What the index leaves over must hold wherever the whole holds.
        if let (true, Some(rest)) = (matches, &plan.rest) {
            assert!(rest.matches(sample), "{printed} holds, and the rest of its plan does not: {rest}");
        }
    }
}

/// A path prints as what it means.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for profile in profiles() {
        for kind in ResourceKind::ALL {
            match Path::parse(text, &REGISTRY, kind, &profile) {
                // The resource itself has no name that could be printed.
                Ok(Path::Whole) => {}
                Ok(path) => {
                    let printed = path.to_string();
                    if printed.len() <= axon_scim::MAX_FILTER_LENGTH {
                        let again = Path::parse(&printed, &REGISTRY, kind, &Profile::strict())
                            .unwrap_or_else(|error| panic!("{text:?} printed as {printed:?}: {error}"));
                        assert_eq!(again, path, "{text:?} printed as {printed:?}");
                    }
                }
                Err(error) => is_sound(&error),
            }
        }
    }
}

/// A JSON document, as the server reads it: what the usual reader takes, unless a key stands twice. Its outline is one short line.
fn json(data: &[u8]) -> Option<Value> {
    let (ours, theirs) = (strict::from_slice(data), serde_json::from_slice::<Value>(data));
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, theirs);
            let outline = outline::of(&ours);
            assert!(outline.len() <= 4096 && !outline.chars().any(char::is_control), "{outline:?}");
            Some(ours)
        }
        (Err(ours), Ok(_)) => {
            assert!(ours.is_data(), "refused for another reason than a key that stands twice: {ours}");
            None
        }
        (Ok(ours), Err(theirs)) => panic!("taken as {ours}, and is no JSON: {theirs}"),
        (Err(_), Err(_)) => None,
    }
}

/// A PATCH is applied whole or not at all, and leaves what a body could say.
pub fn patch(data: &[u8]) {
    let Some(body) = json(data) else { return };
    for profile in profiles() {
        for sample in SAMPLES.iter() {
            let kind = sample.kind();
            let request = match PatchRequest::parse(body.clone(), &REGISTRY, kind, &profile) {
                Ok(request) => request,
                Err(error) => {
                    is_sound(&error);
                    continue;
                }
            };
            for shape in request.shape() {
                assert!(!shape.chars().any(char::is_control), "{shape:?}");
            }
            let mut after = sample.clone();
            match apply(&request.ops, &mut after, &profile) {
                Err(error) => {
                    is_sound(&error);
                    assert_eq!(&after, sample, "refused, and yet changed");
                }
                Ok(changed) => {
                    assert_eq!(changed, after != *sample, "what it says of itself");
                    is_fixed_point(&after);
                }
            }
        }
    }
}

/// A body is refused, or read as something that reads as itself.
pub fn body(data: &[u8]) {
    let Some(body) = json(data) else { return };
    for profile in profiles() {
        for kind in ResourceKind::ALL {
            match parse_new(&REGISTRY, kind, body.clone(), &profile) {
                Err(error) => is_sound(&error),
                Ok(parsed) => {
                    is_fixed_point(&parsed.resource);
                    let size = Value::Object(parsed.resource.clone().into_document()).to_string().len();
                    assert!(size <= 2 * data.len() + 4096, "{size} bytes out of {}", data.len());
                    for old in SAMPLES.iter().filter(|sample| sample.kind() == kind) {
                        if let Ok(joined) = replace(&REGISTRY, old, parsed.resource.clone(), &profile) {
                            is_fixed_point(&joined);
                        }
                    }
                }
            }
        }
    }
    if let Err(error) = ListQuery::from_search(body) {
        is_sound(&error);
    }
}

/// What is stored is a body that the strictest reader takes, and reads as the same; the typed form leaves nothing out; one
/// element of a list is primary at most.
fn is_fixed_point(resource: &Resource) {
    let kind = resource.kind();
    let document = Value::Object(resource.clone().into_document());
    let again = parse_resource(&REGISTRY, kind, document.clone(), &Profile::strict())
        .unwrap_or_else(|error| panic!("{document} is stored and not accepted: {error}"));
    assert_eq!(&again.resource, resource);
    for value in resource.as_map().values() {
        let primary = |item: &&Value| item.get("primary") == Some(&Value::Bool(true));
        assert!(value.as_array().into_iter().flatten().filter(primary).count() <= 1, "{document}");
    }
    if resource.extension("urn:example:badge:1.0:User").is_some() {
        // The typed form knows the usual schemas alone.
        return;
    }
    let typed = match kind {
        ResourceKind::User => User::try_from(resource).expect("a user").to_resource(&REGISTRY),
        ResourceKind::Group => Group::try_from(resource).expect("a group").to_resource(&REGISTRY),
    };
    assert_eq!(&typed.expect("a resource"), resource);
}

/// Most operations of a bulk request here.
const OPERATIONS: usize = 50;
/// Where SCIM lives.
const BASE: &str = "https://axon.test/scim/v2";

/// A bulk request is refused whole, or carried out in so many steps, each of which names only what is there.
pub fn bulk(data: &[u8]) {
    let Some(body) = json(data) else { return };
    let request = match BulkRequest::parse(body, OPERATIONS, BASE) {
        Ok(request) => request,
        Err(error) => return is_sound(&error),
    };
    assert!(request.operations.len() <= OPERATIONS);
    // A server that refuses nothing, and one that refuses some, by what the input says.
    for refusing in [0, 3] {
        let (log, answer) = carried_out(request.clone(), refusing);
        assert_eq!((log, answer), carried_out(request.clone(), refusing), "the same request, the same run");
    }
}

fn carried_out(request: BulkRequest, refusing: usize) -> (Vec<String>, Value) {
    let asked = request.operations.len();
    let names: Vec<String> = request.operations.iter().filter_map(|o| o.bulk_id.clone()).collect();
    let allowed = request.fail_on_errors.unwrap_or(usize::MAX);
    let mut run = BulkRun::new(request, BASE);
    let (mut log, mut refused, mut made) = (Vec::new(), 0, Vec::new());
    while let Some(step) = run.next_step() {
        // Each operation is one step, and those that wait in circles are two.
        assert!(log.len() < 2 * asked, "{log:?}");
        assert_eq!(step.method == BulkMethod::Post, step.id.is_none());
        assert!(step.method == BulkMethod::Delete || step.data.is_object(), "{step:?}");
        // No name is left that the request gives to something; the others were refused before.
        let whole =
            |text: &str| text.strip_prefix("bulkId:").is_some_and(|name| names.iter().any(|n| n == name));
        assert!(!step.id.as_deref().is_some_and(whole), "{step:?}");
        assert!(!has_text(&step.data, &|text| whole(text)), "{step:?}");
        log.push(format!("{} {:?} {:?} {}", step.method.as_str(), step.kind, step.id, step.data));
        run.done(if refusing > 0 && log.len() % refusing == 0 {
            refused += 1;
            Err(ScimError::uniqueness("taken"))
        } else {
            let id = step.id.unwrap_or_else(|| {
                made.push(format!("id{}", made.len()));
                made[made.len() - 1].clone()
            });
            Ok(Done { status: 200, id, version: None })
        });
    }
    assert!(refused <= allowed, "no more is done after the errors that were allowed");
    let answer = serde_json::to_value(run.finish()).expect("an answer serialises");
    let entries = answer["Operations"].as_array().map_or(0, Vec::len);
    assert!(entries <= asked, "{answer}");
    for entry in answer["Operations"].as_array().into_iter().flatten() {
        let status: u16 = entry["status"].as_str().expect("a text").parse().expect("a number");
        assert_eq!(status >= 400, entry.get("response").is_some(), "{entry}");
    }
    (log, answer)
}

fn has_text(value: &Value, wanted: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => wanted(text),
        Value::Array(list) => list.iter().any(|item| has_text(item, wanted)),
        Value::Object(map) => map.values().any(|item| has_text(item, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

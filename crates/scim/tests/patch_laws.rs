//! Laws of PATCH and of bodies: the engine agrees with a naive model, an error changes nothing, what
//! comes out is what would be accepted again, and no JSON makes anything panic.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed law")]

use axon_scim::{
    Group, PatchRequest, Profile, Registry, Resource, ResourceKind, User, apply, parse_new, parse_resource,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A person as a beginner would keep one: three fields and a list of e-mails by type.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    title: Option<String>,
    given: Option<String>,
    family: Option<String>,
    department: Option<String>,
    emails: Vec<(String, Option<String>, Option<bool>)>,
}

#[derive(Clone, Debug)]
enum Step {
    Title(Option<String>),
    Given(Option<String>),
    /// Path-less: given and family name at once.
    Names(String, String),
    Department(Option<String>),
    EmailValue(String, String),
    EmailPrimary(String, bool),
    RemoveEmail(String),
    RemoveEmailValue(String),
    ReplaceEmails(Vec<(String, String)>),
}

impl Step {
    fn json(&self) -> Value {
        let set = |path: &str, value: &Option<String>| match value {
            Some(value) => json!({"op": "Replace", "path": path, "value": value}),
            None => json!({"op": "remove", "path": path}),
        };
        match self {
            Self::Title(value) => set("title", value),
            Self::Given(value) => set("name.givenName", value),
            Self::Department(value) => {
                set("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", value)
            }
            Self::Names(given, family) => {
                json!({"op": "add", "value": {"name.givenName": given, "name": {"familyName": family}}})
            }
            Self::EmailValue(kind, value) => {
                json!({"op": "Add", "path": format!("emails[type eq \"{kind}\"].value"), "value": value})
            }
            Self::EmailPrimary(kind, primary) => {
                json!({"op": "replace", "path": format!("emails[type eq \"{kind}\"].primary"), "value": primary.to_string()})
            }
            Self::RemoveEmail(kind) => json!({"op": "remove", "path": format!("emails[type eq \"{kind}\"]")}),
            Self::RemoveEmailValue(kind) => {
                json!({"op": "remove", "path": format!("emails[type eq \"{kind}\"].value")})
            }
            Self::ReplaceEmails(list) => {
                let list: Vec<_> =
                    list.iter().map(|(kind, value)| json!({"type": kind, "value": value})).collect();
                json!({"op": "replace", "path": "emails", "value": list})
            }
        }
    }

    fn run(&self, model: &mut Model) {
        let place = |model: &mut Model, kind: &str| {
            model.emails.iter().position(|e| e.0 == kind).unwrap_or_else(|| {
                model.emails.push((kind.to_owned(), None, None));
                model.emails.len() - 1
            })
        };
        match self {
            Self::Title(value) => model.title.clone_from(value),
            Self::Given(value) => model.given.clone_from(value),
            Self::Department(value) => model.department.clone_from(value),
            Self::Names(given, family) => {
                model.given = Some(given.clone());
                model.family = Some(family.clone());
            }
            Self::EmailValue(kind, value) => {
                let at = place(model, kind);
                model.emails[at].1 = Some(value.clone());
            }
            Self::EmailPrimary(kind, primary) => {
                let at = place(model, kind);
                if *primary {
                    for email in &mut model.emails {
                        if email.2 == Some(true) {
                            email.2 = Some(false);
                        }
                    }
                }
                model.emails[at].2 = Some(*primary);
            }
            Self::RemoveEmail(kind) => model.emails.retain(|e| e.0 != *kind),
            Self::RemoveEmailValue(kind) => {
                for email in model.emails.iter_mut().filter(|e| e.0 == *kind) {
                    email.1 = None;
                }
            }
            Self::ReplaceEmails(list) => {
                model.emails = list.iter().map(|(k, v)| (k.clone(), Some(v.clone()), None)).collect();
            }
        }
    }
}

impl Model {
    /// What is read after the request: elements without a value are gone.
    fn json(&self) -> Value {
        let mut out =
            Map::from_iter([("userName".to_owned(), json!("kim")), ("active".to_owned(), json!(true))]);
        let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
        if let Some(title) = &self.title {
            put("title", json!(title));
        }
        let mut name = Map::new();
        name.extend(self.given.iter().map(|v| ("givenName".to_owned(), json!(v))));
        name.extend(self.family.iter().map(|v| ("familyName".to_owned(), json!(v))));
        if !name.is_empty() {
            put("name", Value::Object(name));
        }
        if let Some(department) = &self.department {
            put(
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                json!({"department": department}),
            );
        }
        let emails: Vec<Value> = self
            .emails
            .iter()
            .filter_map(|(kind, value, primary)| {
                let mut email = json!({"type": kind, "value": value.as_ref()?});
                if let Some(primary) = primary {
                    email["primary"] = json!(primary);
                }
                Some(email)
            })
            .collect();
        if !emails.is_empty() {
            put("emails", json!(emails));
        }
        Value::Object(out)
    }
}

fn step() -> impl Strategy<Value = Step> {
    let word = || prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
    let kind = || prop::sample::select(vec!["work", "home", "other"]).prop_map(str::to_owned);
    let emails = prop::sample::subsequence(vec!["work", "home", "other"], 0..=3)
        .prop_map(|kinds| kinds.into_iter().map(|k| (k.to_owned(), format!("{k}@x"))).collect());
    prop_oneof![
        prop::option::of(word()).prop_map(Step::Title),
        prop::option::of(word()).prop_map(Step::Given),
        prop::option::of(word()).prop_map(Step::Department),
        (word(), word()).prop_map(|(g, f)| Step::Names(g, f)),
        (kind(), word()).prop_map(|(k, v)| Step::EmailValue(k, v)),
        (kind(), any::<bool>()).prop_map(|(k, p)| Step::EmailPrimary(k, p)),
        kind().prop_map(Step::RemoveEmail),
        kind().prop_map(Step::RemoveEmailValue),
        emails.prop_map(Step::ReplaceEmails),
    ]
}

fn kim() -> Resource {
    parse_new(&Registry::standard(), ResourceKind::User, json!({"userName": "kim"}), &Profile::entra())
        .unwrap()
        .resource
}

fn seen(resource: &Resource) -> Value {
    let mut map = resource.clone().into_document();
    map.remove("schemas");
    Value::Object(map)
}

/// JSON that often has the names that matter.
fn json_tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|f| json!(f)),
        ".{0,8}".prop_map(Value::from),
        prop::sample::select(vec![
            "True",
            "add",
            "Replace",
            "remove",
            "x@y",
            "work",
            "",
            "members",
            "emails[type eq \"work\"].value"
        ])
        .prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "op",
        "path",
        "value",
        "Operations",
        "schemas",
        "userName",
        "displayName",
        "active",
        "emails",
        "type",
        "primary",
        "name",
        "name.givenName",
        "givenName",
        "members",
        "members[value eq \"x\"]",
        "groups",
        "id",
        "meta",
        "manager",
        "title",
        "password",
        "roles[primary eq \"True\"].value",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "$ref",
        "x",
    ]);
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((keys.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

/// A body that is mostly right, in odd spellings.
fn body_json() -> impl Strategy<Value = Value> {
    let word = || prop::option::of("[ -~é😀]{0,5}");
    let texts = [
        "displayName",
        "TITLE",
        "externalId",
        "locale",
        "profileUrl",
        "NickName",
        "userType",
        "preferredLanguage",
        "timezone",
    ];
    let lists = ["emails", "phoneNumbers", "Ims", "photos", "entitlements", "roles", "x509Certificates"];
    let flag =
        || prop::sample::select(vec![json!(null), json!(true), json!(false), json!("True"), json!("FALSE")]);
    let entry = (word(), word(), word(), flag())
        .prop_map(|(value, kind, display, primary)| json!({"Value": value, "type": kind, "display": display, "primary": primary, "x": 1}));
    let text = (prop::sample::select(texts.to_vec()), word()).prop_map(|(k, v)| (k, json!(v)));
    let list = (prop::sample::select(lists.to_vec()), prop::collection::vec(entry, 0..3))
        .prop_map(|(k, v)| (k, json!(v)));
    let address = (word(), word(), flag()).prop_map(|(country, street, primary)| {
        (
            "addresses",
            json!([{"country": country, "streetAddress": street, "type": "work", "primary": primary}]),
        )
    });
    let name = (word(), word())
        .prop_map(|(given, formatted)| ("name", json!({"GivenName": given, "formatted": formatted})));
    let enterprise = (word(), word(), any::<bool>()).prop_map(|(department, manager, plain)| {
        let manager = if plain {
            json!(manager)
        } else {
            json!({"value": manager, "$ref": manager, "displayName": "x"})
        };
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            json!({"Department": department, "manager": manager}),
        )
    });
    let active = flag().prop_map(|v| ("active", v));
    let any = prop_oneof![4 => text, 4 => list, 1 => address, 1 => name, 1 => enterprise, 1 => active];
    prop::collection::vec(any, 0..10).prop_map(|pairs| {
        let mut out =
            Map::from_iter([("userName".to_owned(), json!("kim")), ("displayName".to_owned(), json!("K"))]);
        out.extend(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)));
        Value::Object(out)
    })
}

fn patch_json() -> impl Strategy<Value = Value> {
    let paths = vec![
        "title",
        "userName",
        "active",
        "emails",
        "emails.value",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[primary eq true].type",
        "name",
        "name.givenName",
        "manager",
        "manager.value",
        "manager[value eq \"M\"]",
        "groups",
        "id",
        "members",
        "members[value eq \"A\"]",
        "members[type eq \"User\"]",
        "schemas",
        "meta.created",
        "password",
        "addresses.country",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "displayName",
    ];
    let op = (
        prop::sample::select(vec!["add", "Replace", "REMOVE"]),
        prop::option::of(prop::sample::select(paths)),
        prop::option::of(json_tree()),
    )
        .prop_map(|(op, path, value)| {
            let mut out = json!({"op": op});
            if let Some(path) = path {
                out["path"] = json!(path);
            }
            if let Some(value) = value {
                out["value"] = value;
            }
            out
        });
    prop::collection::vec(op, 1..5).prop_map(|ops| json!({"Operations": ops}))
}

proptest! {
    #[test]
    fn the_engine_agrees_with_a_naive_model(steps in prop::collection::vec(step(), 1..12)) {
        let body = json!({"Operations": steps.iter().map(Step::json).collect::<Vec<_>>()});
        let profile = Profile::entra();
        let request = PatchRequest::parse(body, &Registry::standard(), ResourceKind::User, &profile).unwrap();
        let mut resource = kim();
        let changed = apply(&request.ops, &mut resource, &profile).unwrap();
        let mut model = Model::default();
        for step in &steps {
            step.run(&mut model);
        }
        prop_assert_eq!(seen(&resource), model.json());
        prop_assert_eq!(changed, model.json() != seen(&kim()));
    }

    #[test]
    fn one_request_equals_its_operations_one_by_one_but_for_hollow_elements(
        steps in prop::collection::vec(step(), 1..8)
    ) {
        // Hollow elements are pruned per request, so only steps that never leave one are compared.
        let steps: Vec<_> = steps.into_iter()
            .filter(|s| !matches!(s, Step::EmailPrimary(..) | Step::RemoveEmailValue(_))).collect();
        prop_assume!(!steps.is_empty());
        let profile = Profile::entra();
        let run = |resource: &mut Resource, steps: &[Step]| {
            let body = json!({"Operations": steps.iter().map(Step::json).collect::<Vec<_>>()});
            let request = PatchRequest::parse(body, &Registry::standard(), ResourceKind::User, &profile).unwrap();
            apply(&request.ops, resource, &profile).unwrap();
        };
        let (mut whole, mut single) = (kim(), kim());
        run(&mut whole, &steps);
        for step in &steps {
            run(&mut single, std::slice::from_ref(step));
        }
        prop_assert_eq!(whole, single);
    }

    #[test]
    fn any_patch_is_applied_whole_or_not_at_all(body in patch_json()) {
        let registry = Registry::standard();
        for profile in [Profile::entra(), Profile::strict()] {
            for (kind, start) in [
                (ResourceKind::User, json!({"userName": "kim", "emails": [{"type": "work", "value": "w"}, {"value": "v", "primary": true}],
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": "M"}})),
                (ResourceKind::Group, json!({"displayName": "G"})),
            ] {
                let before = parse_new(&registry, kind, start, &Profile::entra()).unwrap().resource;
                let mut after = before.clone();
                let Ok(request) = PatchRequest::parse(body.clone(), &registry, kind, &profile) else { continue };
                match apply(&request.ops, &mut after, &profile) {
                    Err(_) => prop_assert_eq!(&after, &before),
                    Ok(changed) => {
                        prop_assert_eq!(changed, after != before);
                        // What is stored is a body that is accepted, and is read as itself.
                        let again = parse_resource(&registry, kind, Value::Object(after.clone().into_document()), &Profile::strict());
                        prop_assert_eq!(again.unwrap().resource, after.clone());
                        let primaries = after.emails().filter(|e| e.get("primary") == Some(&json!(true))).count();
                        prop_assert!(primaries <= 1);
                    }
                }
            }
        }
    }

    #[test]
    fn any_body_is_refused_or_read_as_a_fixed_point(body in prop_oneof![json_tree(), body_json()]) {
        let registry = Registry::standard();
        for kind in ResourceKind::ALL {
            let Ok(parsed) = parse_new(&registry, kind, body.clone(), &Profile::entra()) else { continue };
            let again = parse_new(&registry, kind, Value::Object(parsed.resource.clone().into_document()), &Profile::strict());
            prop_assert_eq!(&again.unwrap().resource, &parsed.resource);
            // The structs leave nothing out.
            let typed = match kind {
                ResourceKind::User => User::try_from(&parsed.resource).unwrap().to_resource(&registry),
                ResourceKind::Group => Group::try_from(&parsed.resource).unwrap().to_resource(&registry),
            };
            prop_assert_eq!(typed.unwrap(), parsed.resource);
        }
    }
}

//! Laws of filters: print and parse are inverse, the two evaluators agree where both know, an index
//! plan says what its filter says, and no text makes the parser panic.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed law")]

use axon_scim::{
    Filter, IndexTerm, ListQuery, Path, Profile, Projection, Registry, Resource, ResourceKind, Truth,
    compare, parse_new,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn parse(text: &str) -> Filter {
    Filter::parse(text, &Registry::standard(), ResourceKind::User, &Profile::entra())
        .unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn string_literal() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["a", "A", "b", "work", "home", "x@y", ""]).prop_map(str::to_owned),
        "[a-zA-Z0-9 \"\\\\()\\[\\].éß\u{202e}😀]{0,6}",
    ]
    .prop_map(|text| serde_json::to_string(&text).unwrap())
}

fn comparison(path: &'static str) -> impl Strategy<Value = String> {
    let ops = vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ", "Ne"];
    (prop::sample::select(ops), string_literal())
        .prop_map(move |(op, literal)| format!("{path} {op} {literal}"))
}

fn element_filter() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        comparison("type"),
        comparison("value"),
        Just("display pr".to_owned()),
        Just("primary eq \"True\"".to_owned())
    ];
    nested(leaf.boxed())
}

fn nested(leaf: BoxedStrategy<String>) -> BoxedStrategy<String> {
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} or {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
    .boxed()
}

fn filter_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        comparison("userName"),
        comparison("externalId"),
        comparison("displayName"),
        comparison("id"),
        comparison("title"),
        comparison("emails.value"),
        comparison("emails"),
        comparison("department"),
        comparison("urn:ietf:params:scim:schemas:core:2.0:User:name.givenName"),
        Just("active eq True".to_owned()),
        Just("active ne false".to_owned()),
        Just("title pr".to_owned()),
        Just("manager pr".to_owned()),
        Just("title eq null".to_owned()),
        Just("title ne null".to_owned()),
        Just("meta.created ge 2026-01-01T00:00:00Z".to_owned()),
        element_filter().prop_map(|f| format!("emails[{f}]")),
        (element_filter(), comparison("value")).prop_map(|(f, tail)| format!("emails[{f}].{tail}")),
    ];
    nested(leaf.boxed())
}

fn user() -> impl Strategy<Value = Resource> {
    let word = || prop::option::of(prop::sample::select(vec!["a", "A", "b", "work", "x@y", ""]));
    let email = (word(), word(), prop::option::of(any::<bool>()))
        .prop_map(|(kind, value, display)| json!({"type": kind, "value": value, "display": display.map(|d| d.to_string())}));
    (word(), word(), prop::collection::vec(email, 0..3), prop::option::of(any::<bool>()), word(), word()).prop_map(
        |(title, external, emails, active, department, given)| {
            let body = json!({"userName": "a", "title": title, "externalId": external, "emails": emails, "active": active,
                "name": {"givenName": given},
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": department}});
            parse_new(&Registry::standard(), ResourceKind::User, body, &Profile::entra()).unwrap().resource
        },
    )
}

fn term_holds(term: &IndexTerm, user: &Resource) -> bool {
    let folded = |text: Option<&str>, key: &str| text.is_some_and(|t| compare::fold(t) == key);
    match term {
        IndexTerm::Id(id) => user.id() == Some(id),
        IndexTerm::UserName(key) => folded(user.user_name(), key),
        IndexTerm::ExternalId(id) => user.external_id() == Some(id),
        IndexTerm::DisplayName(key) => folded(user.display_name(), key),
        IndexTerm::Email { kind, value } => user.emails().any(|e| {
            let text = |name: &str| e.get(name).and_then(Value::as_str);
            folded(text("value"), value) && kind.as_ref().is_none_or(|kind| folded(text("type"), kind))
        }),
        IndexTerm::Member(_) => false,
    }
}

proptest! {
    #[test]
    fn print_and_parse_are_inverse(text in filter_text()) {
        let filter = parse(&text);
        let printed = filter.to_string();
        prop_assert_eq!(&parse(&printed), &filter, "{} printed as {}", text, printed);
        prop_assert_eq!(parse(&printed).to_string(), printed);
    }

    #[test]
    fn paths_print_and_parse_too(condition in element_filter(), part in prop::sample::select(vec!["", ".value", ".Type"])) {
        let read = |text: &str| Path::parse(text, &Registry::standard(), ResourceKind::User, &Profile::entra());
        let path = read(&format!("emails[{condition}]{part}")).unwrap();
        prop_assert_eq!(read(&path.to_string()).unwrap(), path);
    }

    #[test]
    fn the_evaluators_agree_where_both_know(text in filter_text(), user in user()) {
        let filter = parse(&text);
        match filter.evaluate(&user).truth {
            Truth::True => prop_assert!(filter.matches(&user), "{}", filter),
            Truth::False => prop_assert!(!filter.matches(&user), "{}", filter),
            Truth::Unknown => {}
        }
    }

    #[test]
    fn not_turns_the_answer_round(text in filter_text(), user in user()) {
        prop_assert_eq!(parse(&format!("not ({text})")).matches(&user), !parse(&text).matches(&user));
    }

    #[test]
    fn an_index_plan_says_what_its_filter_says(text in filter_text(), user in user()) {
        let filter = parse(&text);
        let plan = filter.index_terms();
        let split = plan.terms.iter().all(|t| term_holds(t, &user)) && plan.rest.is_none_or(|r| r.matches(&user));
        prop_assert_eq!(split, filter.matches(&user), "{}", filter);
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>()) {
        let registry = Registry::standard();
        for profile in [Profile::entra(), Profile::strict()] {
            for kind in ResourceKind::ALL {
                let _ = Filter::parse(&text, &registry, kind, &profile);
                let _ = Path::parse(&text, &registry, kind, &profile);
                let _ = Projection::parse(Some(&text), Some(&text), &registry, kind);
            }
        }
        let _ = ListQuery::parse(&text);
        let _ = compare::instant(&text);
        prop_assert_eq!(compare::fold(&compare::fold(&text)), compare::fold(&text));
    }

    #[test]
    fn no_text_like_a_filter_makes_a_parser_panic(
        text in "(userName|emails|members|urn:ietf|not|and|or|eq|pr|\\(|\\)|\\[|\\]|\"|\\\\|\\.|:| |é|a|1|null|true){0,24}"
    ) {
        let registry = Registry::standard();
        for kind in ResourceKind::ALL {
            if let Ok(filter) = Filter::parse(&text, &registry, kind, &Profile::entra()) {
                let again = Filter::parse(&filter.to_string(), &registry, kind, &Profile::entra());
                prop_assert_eq!(again.unwrap(), filter);
            }
            if let Ok(path) = Path::parse(&text, &registry, kind, &Profile::entra()) {
                prop_assert!(Path::parse(&path.to_string(), &registry, kind, &Profile::entra()).is_ok() || path == Path::Whole);
            }
        }
    }
}

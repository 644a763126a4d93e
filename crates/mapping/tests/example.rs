//! The language's own example: read where it is built, refused at the right line where it is not.

use axon_mapping::{Auth, RoleMap, Tls};

const WHOLE: &str = include_str!("fixtures/language.yaml");
const BUILT: &str = include_str!("fixtures/built.yaml");

#[test]
fn the_whole_language_is_read_and_all_of_it_is_carried_out() {
    let map = RoleMap::parse(&[("role-map.yaml", WHOLE)]).unwrap_or_else(|e| panic!("{e}"));
    let told: Vec<String> = map.not_carried_out().iter().map(|m| m.what.clone()).collect();
    assert_eq!(told, [""; 0]);
    let now = time::macros::datetime!(2026-11-22 12:00 UTC);
    assert_eq!(axon_mapping::map_test::run(&map, now), []);
    let view = &map.views[0];
    assert_eq!((view.columns.len(), view.rows.len()), (5, 2));
    assert_eq!(map.roles["support"].impersonate["warehouse"].longest, time::Duration::hours(1));
    assert_eq!(map.rules.separate[0].roles.len(), 2);
}

#[test]
fn what_is_built_is_read() {
    let map = RoleMap::parse(&[("role-map.yaml", BUILT)]).unwrap_or_else(|e| panic!("{e}"));
    let warehouse = &map.targets["warehouse"];
    let server = warehouse.sql_server().unwrap();
    assert_eq!((server.port, &server.tls), (1433, &Tls::System));
    let loopback = &map.targets["loopback"];
    let server = loopback.sql_server().unwrap();
    assert_eq!((server.database.as_str(), server.port), ("dw_prod", 14330));
    assert!(matches!(&loopback.auth, Some(Auth::Sql { user, .. }) if user == "axon"));
    let held = &map.roles["data-engineer"].held["warehouse"];
    let lines: Vec<String> = held.iter().map(|h| h.grant.line.to_string()).collect();
    assert_eq!(
        lines,
        [
            "select, insert, update, delete on schema::staging",
            "select on [odd schema].[table.with.dots]",
            "deny select on sales.salaries",
            "per person: member of mediumrc",
            "select on secure.orders",
            "select on sales.regions (region_id, name)",
        ]
    );
    assert_eq!(held.last().unwrap().through.len(), 2);
    assert_eq!(map.roles_in(&"warehouse".parse().unwrap()).count(), 2);
    assert_eq!(map.mappings.len(), 4);
    assert_eq!(map.guards.hold.len(), 2);
}

#[test]
fn no_secret_and_no_reference_to_one_is_in_what_debug_shows() {
    let map = RoleMap::parse(&[("role-map.yaml", BUILT)]).unwrap();
    assert!(!format!("{map:?}").contains("AXON_DW_PASSWORD"));
}

#[test]
fn a_folder_of_files_is_one_map_and_a_key_given_twice_names_both_places() {
    let (head, tail) = BUILT.split_once("\nmappings:").unwrap();
    let tail = format!("mappings:{tail}");
    let one = RoleMap::parse(&[("a.yaml", head), ("b.yaml", &tail)]).unwrap_or_else(|e| panic!("{e}"));
    let two = RoleMap::parse(&[("b.yaml", &tail), ("a.yaml", head)]).unwrap();
    assert_eq!(one.version(), two.version());
    let again = "roles:\n  finance: {}\nguards:\n  steps: { hold: [grant] }\n";
    let faults = RoleMap::parse(&[("a.yaml", head), ("b.yaml", &tail), ("c.yaml", again)]).unwrap_err();
    let text = faults.to_string();
    assert!(text.contains("c.yaml:2:3: key `finance` is given twice; first at a.yaml:"), "{text}");
    assert!(text.contains("c.yaml:4:3: key `steps` is given twice; first at b.yaml:"), "{text}");
}

#[test]
fn variables_can_be_set_from_outside_and_only_known_ones() {
    let set = |name: &str| {
        RoleMap::parse_with(&[("m.yaml", BUILT)], &[(name.to_owned(), "test".to_owned())].into())
    };
    assert_eq!(set("env").unwrap().targets["loopback"].sql_server().unwrap().database, "dw_test");
    let faults = set("evn").unwrap_err().to_string();
    assert!(faults.contains("variable `evn` was set, but `vars` does not have it"), "{faults}");
}

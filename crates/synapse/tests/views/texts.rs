//! The texts themselves, to be read.

use axon_model::SqlName;
use axon_reconcile::view_body::{Cell, Literal, RowRule, Rows, ShownColumn, Test, TypedMask, ViewBody, Who};
use axon_reconcile::{ColumnType, ObjectName};
use axon_synapse::render::{Managed, RoleTest, ViewVerb, closed_view, secure_view, shown_text};

use crate::policy::name;

fn column(text: &str, ty: ColumnType, cell: Cell) -> ShownColumn {
    ShownColumn { name: name(text), ty, cell }
}

fn body(hostile: &str) -> ViewBody {
    let text = ColumnType::Text { national: true, fixed: false, length: Some(50) };
    let object = |schema: &str| ObjectName { schema: name(schema), name: name(hostile) };
    let unless = [Who::Role(name(hostile)), Who::Has { attribute: "a'".into(), value: "v'; DROP".into() }];
    ViewBody {
        name: object("secure"),
        from: object("sales"),
        columns: vec![
            column("id", ColumnType::Int, Cell::Clear),
            column(
                hostile,
                text,
                Cell::Masked {
                    mask: TypedMask::Hash { key: "k'".into(), digits: 50 },
                    unless: unless.into(),
                    to: [].into(),
                },
            ),
        ],
        rows: Rows::Any(vec![
            RowRule::To(Who::Role(name("axon_global"))),
            RowRule::All(vec![
                Test::Attribute { column: name("region"), ty: text, attribute: "region".into() },
                Test::In {
                    column: name(hostile),
                    ty: text,
                    values: vec![Literal::Text("it's".into()), Literal::Text("%[]".into())],
                },
                Test::LastDays { column: name("placed"), days: 90 },
            ]),
        ]),
    }
}

#[test]
fn a_view_is_one_statement_with_every_name_and_value_quoted() {
    let managed = Managed {
        schema: SqlName::parse("ax]on").unwrap(),
        roles: RoleTest::IsMember,
        delimiters: None,
        impersonation: None,
        by_session: false,
    };
    let text = secure_view(&body("x]; DROP '--"), ViewVerb::Create, managed);
    insta::assert_snapshot!(text.as_str());
    let mut closed = body("orders").closed();
    closed.columns.truncate(1);
    let text = secure_view(&closed, ViewVerb::Alter, managed);
    let lines: Vec<&str> = text.as_str().lines().collect();
    assert_eq!(lines[0], "ALTER VIEW [secure].[orders] ([id]) AS");
    assert_eq!(lines[2..], ["SELECT", "    t.[id] AS [id]", "FROM [sales].[orders] AS t", "WHERE 1 = 0"]);
}

#[test]
fn a_text_is_known_by_its_digest_and_a_hand_in_it_is_seen() {
    let managed = Managed {
        schema: name("axon"),
        roles: RoleTest::IsRoleMember,
        delimiters: None,
        impersonation: None,
        by_session: false,
    };
    let text = |verb| secure_view(&body("orders"), verb, managed).into_string();
    let (made, altered) = (shown_text(&text(ViewVerb::Create)), shown_text(&text(ViewVerb::Alter)));
    assert_eq!(made, altered, "a catalog shows both as CREATE, and some with other line ends");
    assert_eq!(made, shown_text(&format!("{}\r\n", text(ViewVerb::Create).replace('\n', "\r\n"))));
    assert!(made.made && made.intact);
    let by_hand = shown_text(&text(ViewVerb::Create).replace(" = 1", " = 0"));
    assert!(by_hand.made && !by_hand.intact && by_hand.digest != made.digest);
    let other = shown_text("CREATE VIEW [secure].[orders] AS SELECT 1 AS x");
    assert!(!other.made && !other.intact);
    let closed = closed_view(body("orders").name, ViewVerb::Alter);
    assert!(shown_text(closed.as_str()).intact && !closed.as_str().contains("FROM"));
}

#[test]
fn a_profile_in_one_string_is_still_one_semi_join() {
    let delimiters = axon_mapping::views::Delimiters::new('|', ':', ',');
    let managed = Managed {
        schema: name("axon"),
        roles: RoleTest::IsRoleMember,
        delimiters,
        impersonation: None,
        by_session: false,
    };
    insta::assert_snapshot!(secure_view(&body("orders"), ViewVerb::Create, managed).as_str());
}

fn every_layout() -> Vec<Managed> {
    let mut all = Vec::new();
    for delimiters in [None, axon_mapping::views::Delimiters::new('|', ':', ',')] {
        for (impersonation, by_session) in
            [(None, false), (Some(name("acting")), false), (Some(name("acting")), true)]
        {
            let roles = RoleTest::IsRoleMember;
            all.push(Managed { schema: name("axon"), roles, delimiters, impersonation, by_session });
        }
    }
    all
}

/// The shape of a view's predicate: how often it looks into the profile, and how many queries stand in it that are about a row.
fn shape(view: &ViewBody, managed: Managed) -> (usize, usize) {
    let text = secure_view(view, ViewVerb::Create, managed);
    let text = text.as_str();
    assert_eq!(text.matches("FROM [sales].[orders] AS t").count(), 1, "the table is read once: {text}");
    let predicate = text.split_once("\nWHERE ").unwrap().1;
    assert!(!predicate.contains("JOIN") && !predicate.contains(" IN (SELECT"), "{predicate}");
    let joins: Vec<&str> =
        predicate.split("EXISTS (SELECT 1 FROM [axon].[profile] AS p WHERE ").skip(1).collect();
    for join in &joins {
        // Whose profile it is hangs on nothing of the row: it is one value for the whole query.
        let whose = join.strip_prefix("p.[principal] = ").unwrap();
        let whose = whose.split(" AND p.[attribute]").next().unwrap();
        assert!(!whose.contains("t.["), "{whose}");
    }
    // Each look into the profile is such a semi-join: nothing else of the predicate asks it.
    assert_eq!(predicate.matches("[axon].[profile]").count(), joins.len(), "{predicate}");
    (joins.len(), text.matches("[axon].[profile]").count())
}

/// What decides over a row is one look into the profile for each attribute or group that a rule compares, whatever the layout and
/// however somebody reads as another; roles and plain values take none, and the table itself is read once.
#[test]
fn each_attribute_of_a_rule_is_one_semi_join() {
    let text = ColumnType::Text { national: true, fixed: false, length: Some(50) };
    let attribute =
        |attribute: &str| Test::Attribute { column: name("region"), ty: text, attribute: attribute.into() };
    let whole = |attribute: &str| Test::Attribute {
        column: name("level"),
        ty: ColumnType::Int,
        attribute: attribute.into(),
    };
    let plain = || Test::In { column: name("kind"), ty: text, values: vec![Literal::Text("a".into())] };
    let days = || Test::LastDays { column: name("placed"), days: 90 };
    let role = |role: &str| RowRule::To(Who::Role(name(role)));
    let group = |group: &str| RowRule::To(Who::Has { attribute: "@group".into(), value: group.into() });
    let only = || Test::Is([Who::Role(name("axon_analyst")), Who::Role(name("axon_finance"))].into());
    for (rules, joins) in [
        // The common rule: one attribute, with whatever else the row must hold, and whole roles beside it.
        (vec![RowRule::All(vec![attribute("region")])], 1),
        (vec![RowRule::All(vec![only(), attribute("region"), plain(), days()])], 1),
        (vec![role("axon_global"), role("axon_audit"), RowRule::All(vec![whole("level"), days()])], 1),
        (vec![group("entra Sales")], 1),
        // Several rules and attributes: one for each, and no more.
        (vec![RowRule::All(vec![attribute("region"), whole("level")])], 2),
        (vec![RowRule::All(vec![attribute("region")]), RowRule::All(vec![attribute("region"), days()])], 2),
        (
            vec![
                role("axon_global"),
                group("entra Sales"),
                group("okta Sales"),
                RowRule::All(vec![only(), attribute("region"), whole("level"), plain()]),
                RowRule::All(vec![attribute("title")]),
            ],
            5,
        ),
        // Nothing of a profile, no look into it.
        (vec![role("axon_global"), RowRule::All(vec![only(), plain(), days()])], 0),
    ] {
        for managed in every_layout() {
            let mut view = body("orders");
            // The masks' own conditions are not about rows.
            view.columns.truncate(1);
            view.rows = Rows::Any(rules.clone());
            assert_eq!(shape(&view, managed), (joins, joins), "{managed:?} {rules:?}");
        }
    }
}

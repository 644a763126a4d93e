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

/// What decides over a row is one look into the profile for each attribute that a rule compares, whatever the layout and however
/// somebody reads as another; the table itself is read once.
#[test]
fn each_attribute_of_a_rule_is_one_semi_join() {
    for delimiters in [None, axon_mapping::views::Delimiters::new('|', ':', ',')] {
        for (impersonation, by_session) in
            [(None, false), (Some(name("acting")), false), (Some(name("acting")), true)]
        {
            let managed = Managed {
                schema: name("axon"),
                roles: RoleTest::IsRoleMember,
                delimiters,
                impersonation,
                by_session,
            };
            let mut view = body("orders");
            // One rule with one attribute; the mask's own conditions are not about rows.
            view.columns.truncate(1);
            let text = secure_view(&view, ViewVerb::Create, managed);
            let text = text.as_str();
            let joins =
                text.matches("EXISTS (SELECT 1 FROM [axon].[profile] AS p WHERE p.[principal] = ").count();
            assert_eq!((joins, text.matches("[axon].[profile]").count()), (1, 1), "{text}");
            assert_eq!(text.matches("FROM [sales].[orders] AS t").count(), 1, "{text}");
            // Whose profile it is hangs on nothing of the row: it is one value for the whole query.
            let whose = text.split("p.[principal] = ").nth(1).unwrap();
            let whose = whose.split(" AND p.[attribute]").next().unwrap();
            assert!(!whose.contains("t.["), "{whose}");
        }
    }
}

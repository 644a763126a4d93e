//! The texts themselves, to be read.

use axon_model::SqlName;
use axon_reconcile::view_body::{Cell, Literal, RowRule, Rows, ShownColumn, Test, TypedMask, ViewBody, Who};
use axon_reconcile::{ColumnType, ObjectName};
use axon_synapse::render::{Managed, RoleTest, ViewVerb, secure_view};

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
    let managed = Managed { schema: SqlName::parse("ax]on").unwrap(), roles: RoleTest::IsMember };
    let text = secure_view(&body("x]; DROP '--"), ViewVerb::Create, managed);
    insta::assert_snapshot!(text.as_str());
    let mut closed = body("orders").closed();
    closed.columns.truncate(1);
    let text = secure_view(&closed, ViewVerb::Alter, managed);
    assert_eq!(
        text.as_str(),
        "ALTER VIEW [secure].[orders] ([id]) AS\nSELECT\n    t.[id] AS [id]\nFROM [sales].[orders] AS t\nWHERE 1 = 0"
    );
}

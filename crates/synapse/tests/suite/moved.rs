//! A table that changes between the inspection and the view's statement: the statement is not sent.

use axon_emulator::PoolKind;
use axon_reconcile::secure::{Metadata, SecureStep};
use axon_reconcile::view_body::{Cell, Rows, ShownColumn, ViewBody};
use axon_reconcile::{ColumnType, InspectScope, ObjectName, Outcome, RefusalKind, Step, Target as _, Wave};

use crate::ability::Ability::{Dedicated, ExternalTables, Tables, Views};
use crate::named::needs;
use crate::stage::{Stage, Who, name, run};

fn object(schema: &str, table: &str) -> ObjectName {
    ObjectName { schema: name(schema), name: name(table) }
}

#[tokio::test]
async fn a_column_that_was_renamed_or_retyped_meanwhile_and_a_table_that_vanished_make_no_view() {
    needs(&[Dedicated, Tables, Views, ExternalTables]);
    let stage = Stage::of(PoolKind::Dedicated).await;
    let mut raw = stage.enter(Who::Sa).await.unwrap();
    for batch in
        ["CREATE SCHEMA base", "CREATE SCHEMA secure", "CREATE TABLE base.t (id int, name nvarchar(40))"]
    {
        run(&mut raw, batch).await.unwrap();
    }
    let target = stage.target();
    target.inspect(InspectScope::Full).await.unwrap();
    let wide = ColumnType::Text { national: true, fixed: false, length: Some(40) };
    let shown = |text: &str, ty| ShownColumn { name: name(text), ty, cell: Cell::Clear };
    let view = ViewBody {
        name: object("secure", "t"),
        from: object("base", "t"),
        columns: vec![shown("id", ColumnType::Int), shown("name", wide)],
        rows: Rows::All,
    };
    let metadata = Metadata::new(name("axon"), name("axon_owner"));
    let apply = async |alter: bool| {
        let view = Box::new(view.clone());
        let step = if alter {
            SecureStep::AlterView { view, metadata, unseen: false }
        } else {
            SecureStep::CreateView { view, metadata }
        };
        target.apply(&Wave::for_test(vec![Step::Secure(step)])).await.remove(0)
    };
    let views = async || {
        stage.catalog("SELECT v.name FROM sys.views v JOIN sys.schemas s ON s.schema_id = v.schema_id WHERE s.name = 'secure'").await
    };
    for (change, says) in [
        (
            &["ALTER TABLE base.t DROP COLUMN name", "ALTER TABLE base.t ADD title nvarchar(40)"][..],
            "has no column name any more",
        ),
        (&["ALTER TABLE base.t ADD name nvarchar(20)"], "is nvarchar(20) now, and was nvarchar(40)"),
        (&["DROP TABLE base.t"], "is not there any more"),
    ] {
        for batch in change {
            run(&mut raw, batch).await.unwrap();
        }
        for alter in [false, true] {
            let outcome = apply(alter).await;
            let Outcome::Refused { statements, refusal } = &outcome else { panic!("{outcome:?}") };
            assert!(statements.is_empty() && refusal.message.contains(says), "{outcome:?}");
            assert_eq!(refusal.kind, RefusalKind::Missing);
        }
        assert!(views().await.is_empty(), "{says}");
    }
    run(&mut raw, "CREATE TABLE base.t (id int, name nvarchar(40))").await.unwrap();
    let outcome = apply(false).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    assert_eq!(views().await, ["t"]);
}

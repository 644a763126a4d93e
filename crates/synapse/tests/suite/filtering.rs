//! The filter of a table over a wire, whatever its table and columns are called: what was set is found again as it ought to be, so that
//! nothing is mended for ever.

use std::collections::BTreeMap;

use axon_emulator::faults::{Armed, Fault, transient};
use axon_reconcile::secure::{ManagedTable, Metadata, PolicyWork, TableFilter};
use axon_reconcile::view_body::{RowRule, Rows, Test};
use axon_reconcile::{
    ColumnType, Glob, InspectScope, ObjectName, SecureStep, Step, Target as _, ViewsAsked, ViewsThere,
};
use axon_synapse::SynapseTarget;

use crate::ability::Ability::{Brackets, Dedicated, ExternalTables, Faults, ManagedSchema, SecurityPolicies};
use crate::named::needs;
use crate::stage::{Stage, Who, apply, name, run};

const WIDE: ColumnType = ColumnType::Text { national: true, fixed: false, length: Some(40) };

fn metadata() -> Metadata {
    Metadata::new(name("axon"), name("axon_owner"))
}

/// Shows rows of the north, by an attribute that somebody may have.
fn filter(odd: &str) -> TableFilter {
    let column = name(odd);
    let north = Test::Attribute { column, ty: WIDE, attribute: "region".into() };
    TableFilter {
        table: ObjectName { schema: name("base"), name: name(odd) },
        columns: vec![(column, WIDE)],
        rows: Rows::Any(vec![RowRule::All(vec![north])]),
        unfiltered: [name("db_owner")].into(),
        open: BTreeMap::new(),
    }
}

async fn views(target: &SynapseTarget) -> ViewsThere {
    let glob = |text| Glob::new(text);
    let asked = ViewsAsked { metadata: metadata(), schemas: vec![glob("secure")], bases: vec![glob("base")] };
    target.inspect_views(&asked).await.unwrap().unwrap()
}

fn set(filter: &TableFilter, make: bool, policy: PolicyWork) -> Step {
    let metadata = metadata();
    Step::Secure(SecureStep::SetFilter { filter: Box::new(filter.clone()), metadata, make, policy })
}

#[tokio::test]
async fn a_filter_is_found_as_it_was_set_whatever_its_table_is_called() {
    needs(&[Dedicated, Brackets, ManagedSchema, SecurityPolicies, ExternalTables]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    target.inspect(InspectScope::Full).await.unwrap();
    let (schema, owner) = (name("axon"), name("axon_owner"));
    let steps = [
        SecureStep::CreateOwner { name: owner },
        SecureStep::CreateSchema { name: schema, owner },
        SecureStep::CreateSchema { name: name("base"), owner },
        SecureStep::CreateTable { schema, table: ManagedTable::Profile },
    ];
    apply(&target, &steps.map(Step::Secure)).await;
    let mut raw = stage.enter(Who::Sa).await.unwrap();
    let schemas = BTreeMap::from([(schema, Some(owner))]);
    for odd in ["plain", "orders by day", "a, do not edit: b", "x */ y /* z", "**//", "a]b by [c", "100%20*"]
    {
        let quoted = odd.replace(']', "]]");
        run(&mut raw, &format!("CREATE TABLE base.[{quoted}] ([{quoted}] nvarchar(40))")).await.unwrap();
        run(&mut raw, &format!("INSERT INTO base.[{quoted}] VALUES (N'north')")).await.unwrap();
        let filter = filter(odd);
        let shown = target.filter_shown(&filter, &metadata()).unwrap();
        apply(&target, &[set(&filter, true, PolicyWork::Create)]).await;
        let there = views(&target).await;
        assert!(there.filtered(&metadata(), &schemas, filter.table, &shown), "{odd}: {:?}", there.filters);
        assert!(there.filtered_somehow(&metadata(), &schemas).contains(&filter.table), "{odd}");
        let rows = run(&mut raw, &format!("SELECT t.[{quoted}] FROM base.[{quoted}] AS t")).await.unwrap();
        assert!(rows.is_empty(), "nobody has the attribute: {odd}");
        // A hand in it is seen under such a name, too.
        let policy = format!("axon.[{}]", shown.policy.as_str().replace(']', "]]"));
        run(&mut raw, &format!("ALTER SECURITY POLICY {policy} WITH (STATE = OFF)")).await.unwrap();
        let there = views(&target).await;
        assert!(!there.filtered(&metadata(), &schemas, filter.table, &shown), "{odd}");
        apply(&target, &[set(&filter, false, PolicyWork::TurnOn)]).await;
        // And it is found again as what is called.
        let called = there.filters.unwrap().predicates.iter().any(|found| found.call == shown.call);
        assert!(called, "{odd}: {}", shown.call);
    }
}

#[tokio::test]
async fn a_pool_that_is_busy_has_told_nothing_of_what_it_keeps() {
    needs(&[Faults]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    target.inspect(InspectScope::Full).await.unwrap();
    let asked = ViewsAsked { metadata: metadata(), schemas: Vec::new(), bases: Vec::new() };
    assert!(target.inspect_views(&asked).await.unwrap().unwrap().result_set_caching.is_some());
    // Of both questions, the joint one and the one alone: that nothing is kept is not said by either.
    let error = transient(49918).unwrap();
    let fault = Fault::Statement { error, applied: false };
    let matching = Some("is_result_set_caching_on".to_owned());
    stage.emulator().pool().arm_for(Armed { fault, times: 2, matching });
    assert!(target.inspect_views(&asked).await.is_err());
    assert!(target.inspect_views(&asked).await.unwrap().unwrap().filters.is_some(), "and it tells it later");
}

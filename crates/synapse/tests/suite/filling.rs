//! The first fill of profiles: by a bulk load, or by statements where the pool takes none. It stands whole, or not at all.

use axon_emulator::faults::{Armed, Fault};
use axon_emulator::{PoolKind, ServerError};
use axon_reconcile::secure::{ManagedTable, ProfileRow, SecureStep};
use axon_reconcile::{InspectScope, Outcome, RefusalKind, Seen, Step, Target as _, Wave};
use axon_synapse::SynapseTarget;
use axon_synapse::render::managed_schema;

use crate::ability::Ability::{Dedicated, Faults, ManagedSchema, ManagedTables, Zeros};
use crate::named::{can, needs};
use crate::stage::{Raw, Stage, Who, name, run};

fn rows(people: usize) -> Vec<ProfileRow> {
    let row = |n: usize, attribute: &str, value: String| ProfileRow {
        principal: name(&format!("o'neill-{n}@acme.com")),
        attribute: attribute.into(),
        value,
    };
    let mut all: Vec<ProfileRow> =
        (0..people).map(|n| row(n, "re'gion", format!("N'x'; DROP TABLE t--[{n}] 😀 "))).collect();
    // As long as the column, empty, and with what a text is taken for otherwise.
    all.push(row(0, "long", "ż".repeat(3_000)));
    all.push(row(0, "none", String::new()));
    let zero = if can(Zeros) { "\0" } else { "" };
    all.push(row(1, "lines", format!("a\r\n{zero}\u{1f}%_|:,\"")));
    all
}

fn fill(people: usize) -> Step {
    Step::Secure(SecureStep::FillProfiles { schema: name("axon"), people, rows: rows(people) })
}

async fn stage() -> (Stage, SynapseTarget, Raw) {
    let stage = Stage::of(PoolKind::Dedicated).await;
    let target = stage.target();
    target.inspect(InspectScope::Full).await.unwrap();
    let (schema, owner) = (name("axon"), name("axon_owner"));
    if !can(ManagedSchema) {
        // The table is what this is about, and not who owns it.
        let statements = managed_schema(schema, name("dbo"));
        stage
            .place()
            .run(&statements.iter().map(|sql| sql.as_str().to_owned()).collect::<Vec<_>>())
            .await
            .unwrap();
        let raw = stage.enter(Who::Sa).await.unwrap();
        return (stage, target, raw);
    }
    for step in [
        SecureStep::CreateOwner { name: owner },
        SecureStep::CreateSchema { name: schema, owner },
        SecureStep::CreateTable { schema, table: ManagedTable::Profile },
    ] {
        let outcomes = target.apply(&Wave::for_test(vec![Step::Secure(step)])).await;
        assert!(matches!(outcomes[0], Outcome::Done { .. }), "{outcomes:?}");
    }
    let raw = stage.enter(Who::Sa).await.unwrap();
    (stage, target, raw)
}

async fn apply(target: &SynapseTarget, step: Step) -> (Outcome, Seen) {
    let wave = Wave::for_test(vec![step]);
    let outcome = target.apply(&wave).await.remove(0);
    let seen = target.read_back(&wave).await.unwrap().remove(0);
    (outcome, seen)
}

async fn count(raw: &mut Raw) -> usize {
    run(raw, "SELECT p.[value] FROM axon.profile AS p").await.unwrap().len()
}

fn statements(outcome: &Outcome) -> Vec<&str> {
    match outcome {
        Outcome::Done { statements, .. }
        | Outcome::Refused { statements, .. }
        | Outcome::Unknown { statements, .. } => statements.iter().map(String::as_str).collect(),
        Outcome::NotTried => Vec::new(),
    }
}

fn fault(fault: Fault, matching: &str, times: u32) -> Armed {
    Armed { fault, times, matching: Some(matching.to_owned()) }
}

fn refusal(number: i32) -> Fault {
    Fault::Statement { error: ServerError::new(number, "no"), applied: false }
}

#[tokio::test]
async fn thousands_of_rows_are_one_bulk_load_and_come_back_to_the_letter() {
    needs(&[Dedicated, ManagedTables]);
    let (_stage, target, mut raw) = stage().await;
    let (outcome, seen) = apply(&target, fill(2_000)).await;
    let sent = statements(&outcome);
    assert!(matches!(outcome, Outcome::Done { .. }) && sent.len() == 1, "{outcome:?}");
    assert_eq!(seen, Seen::InForce);
    assert!(sent[0].starts_with("INSERT BULK [axon].[profile] /* ") && !sent[0].contains("DROP"), "{sent:?}");
    assert_eq!(count(&mut raw).await, 2_003);
}

#[tokio::test]
async fn a_pool_that_takes_no_bulk_load_gets_statements_and_is_not_asked_again() {
    needs(&[Faults]);
    let (stage, target, mut raw) = stage().await;
    stage.emulator().pool().arm_for(fault(refusal(103_010), "INSERT BULK", 1));
    for (times, all) in [(1, 503), (2, 1_006)] {
        let (outcome, seen) = apply(&target, fill(500)).await;
        assert_eq!(seen, Seen::InForce);
        let sent = statements(&outcome);
        let bulks = sent.iter().filter(|text| text.starts_with("INSERT BULK")).count();
        assert_eq!((bulks, sent.len()), if times == 1 { (1, 3) } else { (0, 2) }, "{sent:?}");
        assert_eq!(count(&mut raw).await, all);
    }
    // Where the configuration says so it is never asked.
    let told = stage.target().saying([("bulk-load".to_owned(), false)].into());
    told.inspect(InspectScope::Full).await.unwrap();
    let (outcome, _) = apply(&told, fill(10)).await;
    assert!(statements(&outcome).iter().all(|text| text.starts_with("INSERT INTO")), "{outcome:?}");
}

#[tokio::test]
async fn a_bulk_load_that_breaks_leaves_nothing_half() {
    needs(&[Faults]);
    let (stage, target, mut raw) = stage().await;
    // Busy: nothing else is tried.
    stage.emulator().pool().arm_for(fault(refusal(40_501), "BULK LOAD", 1));
    let (outcome, seen) = apply(&target, fill(300)).await;
    let Outcome::Refused { refusal, .. } = &outcome else { panic!("{outcome:?}") };
    assert_eq!((refusal.kind, seen), (RefusalKind::Busy, Seen::NotInForce));
    assert_eq!(count(&mut raw).await, 0);
    // Cut before the rows were taken in, and after it: the outcome is unknown, what stands is read.
    for (applied, wanted, rows) in [(false, Seen::NotInForce, 0), (true, Seen::InForce, 303)] {
        stage.emulator().pool().arm_for(fault(Fault::Hangup { applied }, "BULK LOAD", 1));
        let (outcome, seen) = apply(&target, fill(300)).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
        assert_eq!((seen, count(&mut raw).await), (wanted, rows));
    }
}

#[tokio::test]
async fn a_value_that_no_column_holds_is_refused_by_name_and_leaves_the_rest() {
    needs(&[Dedicated, ManagedTables]);
    let (_stage, target, mut raw) = stage().await;
    let mut many = rows(10);
    many.push(ProfileRow { value: "x".repeat(4_000), ..many[0].clone() });
    let step = SecureStep::FillProfiles { schema: name("axon"), people: 11, rows: many };
    let (outcome, seen) = apply(&target, Step::Secure(step)).await;
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    assert_eq!((seen, count(&mut raw).await), (Seen::NotInForce, 0));
    assert!(matches!(apply(&target, fill(10)).await.0, Outcome::Done { .. }), "the session goes on");
}

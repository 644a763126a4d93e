//! A hand in a table's filter while the journal takes no records: what hides is done all the same, what gives waits with its record.

use anyhow::{Context, ensure};
use axon_tests::{Place, SOON, until};

use super::native::{TABLE, column, done, native, one, policy};
use super::{ANN, ASKED, people, read, read_when, refused, stage};

/// A disk that is full for every other process, until there is room again.
struct Disk(rusqlite::Connection);

impl Disk {
    fn under(place: &Place) -> anyhow::Result<Self> {
        let store = rusqlite::Connection::open(place.file("axon.db"))?;
        store.busy_timeout(SOON)?;
        Ok(Self(store))
    }

    /// One statement for each table and each way to change it.
    fn for_each(&self, write: impl Fn(&str, &str) -> String) -> anyhow::Result<()> {
        let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let mut statement = self.0.prepare(names)?;
        let tables =
            statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        let all =
            tables.iter().flat_map(|table| ["INSERT", "UPDATE", "DELETE"].map(|verb| write(verb, table)));
        let all: String = all.collect();
        Ok(self.0.execute_batch(&format!("BEGIN IMMEDIATE; {all} COMMIT;"))?)
    }

    fn fill(&self) -> anyhow::Result<()> {
        self.for_each(|verb, table| {
            format!(
                "CREATE TRIGGER full_{verb}_{table} BEFORE {verb} ON {table} \
                 BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END;"
            )
        })
    }

    fn make_room(&self) -> anyhow::Result<()> {
        self.for_each(|verb, table| format!("DROP TRIGGER full_{verb}_{table};"))
    }
}

#[tokio::test]
async fn while_the_journal_is_full_a_filter_comes_back_and_an_altered_one_leaves_no_column_open()
-> anyhow::Result<()> {
    let stage = stage(&native()).await?;
    // Triggers of another store would be written otherwise; what is asked here is no store's own.
    if !stage.place.has_its_store() {
        return Ok(());
    }
    people(&stage.scim).await?;
    read_when(&stage.pool, ANN, "ann reads her row of the table", TABLE, one).await?;
    stage.settled().await?;
    let mut admin = stage.pool.admin().await?;
    let everything = "CREATE FUNCTION dbo.everything (@c nvarchar(20)) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS x";
    admin.run(everything).await?;
    let name = policy(&stage).await?.context("a policy")?;
    let before = done(&stage).await?.len();
    let disk = Disk::under(&stage.place)?;
    disk.fill()?;

    // Off: it is put back, since that hides; the columns stay revoked, since to give them needs a record.
    admin.run(&format!("ALTER SECURITY POLICY axon.[{name}] WITH (STATE = OFF)")).await?;
    until("the filter is back, and the columns are gone", SOON, async || {
        let shut = matches!(refused(&stage.pool, ANN, TABLE).await?, Some(229 | 230));
        Ok((shut && policy(&stage).await?.is_some()).then_some(()))
    })
    .await?;
    // Altered: another predicate may show more, so it waits; nobody holds a column that it would filter, and the view has its own rule.
    let by_hand = format!(
        "ALTER SECURITY POLICY axon.[{name}] ALTER FILTER PREDICATE dbo.everything(region) ON base.customers"
    );
    admin.run(&by_hand).await?;
    let ticks = async || stage.serve.metric("axon_reconcile_tick_seconds_count").await;
    let so_far = ticks().await?;
    until("it was looked at three times", SOON, async || Ok((ticks().await? > so_far + 2.5).then_some(())))
        .await?;
    ensure!(stage.serve.state().await? == "store-failed");
    ensure!(matches!(refused(&stage.pool, ANN, TABLE).await?, Some(229 | 230)), "the table is closed");
    let seen = read(&stage.pool, ANN, ASKED).await;
    ensure!(seen.as_ref().is_ok_and(one) || seen.is_err(), "the view shows no more than before: {seen:?}");
    let calls = column(&stage, "SELECT q.predicate_definition FROM sys.security_predicates q").await?;
    ensure!(calls.iter().all(|call| call.contains("everything")), "it waits for its record: {calls:?}");

    // There is room again: all is mended, and on record.
    disk.make_room()?;
    read_when(&stage.pool, ANN, "ann reads her row of the table again", TABLE, one).await?;
    read_when(&stage.pool, ANN, "and the view", ASKED, one).await?;
    let steps = done(&stage).await?.split_off(before);
    for words in [
        "revoke SELECT on base.customers",
        "turn on the filter of base.customers",
        "change the filter of base.customers",
    ] {
        ensure!(steps.iter().any(|step| step.starts_with(words)), "{words}: {steps:#?}");
    }
    Ok(())
}

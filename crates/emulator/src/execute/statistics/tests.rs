use std::sync::Arc;

use crate::answer::{Answer, Value};
use crate::pool::Pool;
use crate::pool::config::PoolKind;
use crate::session::Session;
use crate::testing::{enter, error_of, fails, number, ok, pool, pool_of, sa};

const PARTITIONS: &str = "SELECT SUM(p.row_count) FROM sys.dm_pdw_nodes_db_partition_stats p \
    JOIN sys.tables t ON t.object_id = p.object_id WHERE t.name = 't'";
const SPACE: &str = "DBCC PDW_SHOWSPACEUSED (\"s.t\")";
const STATISTICS: &str = "DBCC SHOW_STATISTICS (\"s.t\", on_a)";

/// A table of 100 rows with statistics, a view of some of them, and somebody who reads the view.
fn start() -> (Arc<Pool>, Session, Session) {
    let pool = pool();
    let mut admin = enter(&pool, "admin@x.org");
    ok(
        &mut admin,
        &[
            "CREATE SCHEMA s",
            "CREATE TABLE s.t (a int, b nvarchar(10))",
            "CREATE STATISTICS on_a ON s.t (a) WITH FULLSCAN",
            "CREATE STATISTICS on_both ON s.t (b, a)",
            "CREATE VIEW s.v AS SELECT a FROM s.t WHERE b = N'y'",
            "CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER",
            "GRANT SELECT ON s.v TO [ann@x.org]",
        ],
    );
    for number in 0..100 {
        ok(&mut admin, &[&format!("INSERT INTO s.t VALUES ({}, N'x{}')", number / 30, number % 2)]);
    }
    let ann = enter(&pool, "ann@x.org");
    (pool, admin, ann)
}

fn told(session: &mut Session, batch: &str) -> Vec<Vec<Value>> {
    let answers = session.batch(batch);
    assert_eq!(error_of(&answers), None, "{batch}");
    let row = |answer| if let Answer::Row(row) = answer { Some(row) } else { None };
    answers.into_iter().filter_map(row).collect()
}

/// The sum of a column of whole numbers.
fn sum(rows: &[Vec<Value>], at: usize) -> i64 {
    let number = |row: &Vec<Value>| if let Value::Int(number) = row[at] { number } else { panic!("{row:?}") };
    rows.iter().map(number).sum()
}

#[test]
fn what_statistics_tell_is_what_the_table_holds() {
    let (_pool, mut admin, _) = start();
    assert_eq!(told(&mut admin, PARTITIONS), [[Value::Int(100)]]);
    let rows = told(&mut admin, SPACE);
    assert_eq!((rows.len(), sum(&rows, 0)), (60, 100));
    assert_eq!(
        rows.iter().map(|row| row[6].clone()).collect::<Vec<_>>(),
        (1..=60).map(Value::Int).collect::<Vec<_>>()
    );
    // The size of all is that of its one table that holds something.
    assert_eq!(sum(&told(&mut admin, "DBCC PDW_SHOWSPACEUSED"), 0), sum(&rows, 1));
    // And it follows the rows.
    ok(&mut admin, &["DELETE FROM s.t WHERE a = 0"]);
    assert_eq!(sum(&told(&mut admin, SPACE), 0), 70);
    assert_eq!(told(&mut admin, PARTITIONS), [[Value::Int(70)]]);

    let header = told(&mut admin, &format!("{STATISTICS} WITH STAT_HEADER"));
    assert_eq!(header[0][0], Value::Text("on_a".to_owned()));
    assert_eq!((&header[0][2], &header[0][4]), (&Value::Int(70), &Value::Int(3)));
    let steps = told(&mut admin, &format!("{STATISTICS} WITH HISTOGRAM"));
    let steps: Vec<_> = steps.into_iter().map(|row| (row[0].clone(), row[2].clone())).collect();
    let wanted = [(1, 30), (2, 30), (3, 10)].map(|(key, rows)| (Value::Int(key), Value::Int(rows)));
    assert_eq!(steps, wanted);
    let density = told(&mut admin, "DBCC SHOW_STATISTICS (\"s.t\", on_both) WITH DENSITY_VECTOR");
    assert_eq!(density.len(), 2);
    assert_eq!((&density[0][0], &density[1][2]), (&Value::Float(0.5), &Value::Text("b, a".to_owned())));
    assert_eq!(told(&mut admin, STATISTICS).len(), 1 + 1 + 3);

    // A table that stands on every node is told of once.
    ok(&mut admin, &["CREATE TABLE s.r WITH (DISTRIBUTION = REPLICATE) AS SELECT a FROM s.t"]);
    let rows = told(&mut admin, "DBCC PDW_SHOWSPACEUSED (\"s.r\")");
    assert_eq!((rows.len(), &rows[0][0], &rows[0][6]), (1, &Value::Int(70), &Value::Int(-1)));
}

#[test]
fn who_reads_a_view_is_told_nothing_of_its_table() {
    let (_pool, mut admin, mut ann) = start();
    assert_eq!(
        fails(&mut ann, PARTITIONS),
        (262, "VIEW DATABASE STATE permission denied in database 'dw'.".to_owned())
    );
    assert_eq!(
        fails(&mut ann, SPACE),
        (2571, "User 'ann@x.org' does not have permission to run DBCC PDW_SHOWSPACEUSED.".to_owned())
    );
    assert_eq!(number(&mut ann, "DBCC PDW_SHOWSPACEUSED"), 2571);
    assert_eq!(number(&mut ann, STATISTICS), 2501);
    assert_eq!(told(&mut ann, "SELECT COUNT(*) FROM sys.stats"), [[Value::Int(0)]]);

    // Each by a right of its own.
    ok(&mut admin, &["GRANT VIEW DATABASE STATE TO [ann@x.org]"]);
    assert_eq!(sum(&told(&mut ann, SPACE), 0), 100);
    assert_eq!(
        fails(&mut ann, PARTITIONS),
        (262, "VIEW DEFINITION permission denied in database 'dw'.".to_owned())
    );
    ok(&mut admin, &["GRANT VIEW DEFINITION TO [ann@x.org]"]);
    assert_eq!(told(&mut ann, PARTITIONS), [[Value::Int(100)]]);
    assert_eq!(told(&mut ann, "SELECT COUNT(*) FROM sys.stats_columns"), [[Value::Int(3)]]);
    assert_eq!(
        fails(&mut ann, STATISTICS),
        (
            2557,
            "User 'ann@x.org' does not have permission to run DBCC SHOW_STATISTICS for object 't'."
                .to_owned()
        )
    );

    // Statistics need SELECT on their columns.
    ok(&mut admin, &["GRANT SELECT ON s.t (a) TO [ann@x.org]"]);
    assert_eq!(told(&mut ann, STATISTICS).len(), 1 + 1 + 4);
    assert_eq!(number(&mut ann, "DBCC SHOW_STATISTICS (\"s.t\", on_both)"), 2557);
    // They count what a filter hides, so that where there is one SELECT is not enough.
    ok(
        &mut admin,
        &[
            "CREATE FUNCTION s.none (@a int) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS ok WHERE @a < 0",
            "CREATE SECURITY POLICY s.p ADD FILTER PREDICATE s.none (a) ON s.t",
        ],
    );
    assert_eq!(number(&mut ann, STATISTICS), 2557);
    ok(&mut admin, &["EXEC sp_addrolemember 'db_ddladmin', 'ann@x.org'"]);
    assert_eq!(told(&mut ann, &format!("{STATISTICS} WITH STAT_HEADER"))[0][2], Value::Int(100));
}

#[test]
fn statistics_are_made_and_dropped_by_who_may_alter_the_table() {
    let (_pool, mut admin, mut ann) = start();
    assert_eq!(number(&mut ann, "CREATE STATISTICS x ON s.t (a)"), 1088);
    assert_eq!(number(&mut admin, "CREATE STATISTICS x ON s.v (a)"), 1088);
    assert_eq!(number(&mut admin, "CREATE STATISTICS ON_A ON s.t (a)"), 1927);
    assert_eq!(number(&mut admin, "CREATE STATISTICS x ON s.t (c)"), 1911);
    assert_eq!(
        number(&mut admin, "DBCC SHOW_STATISTICS (\"s.t\", a)"),
        2767,
        "a column is no name of statistics"
    );
    assert_eq!(number(&mut admin, "ALTER TABLE s.t DROP COLUMN b"), 5074);
    ok(&mut admin, &["DROP STATISTICS s.t.on_both", "ALTER TABLE s.t DROP COLUMN b"]);
    assert_eq!(number(&mut admin, "DROP STATISTICS s.t.on_both"), 3701);
    assert_eq!(number(&mut admin, "DBCC SHOW_STATISTICS (\"s.nothing\", on_a)"), 2501);
    assert_eq!(number(&mut admin, "DBCC CHECKDB"), 103_010);

    let mut serverless = sa(&pool_of(PoolKind::Serverless));
    assert_eq!(number(&mut serverless, "DBCC PDW_SHOWSPACEUSED"), 103_010);
}

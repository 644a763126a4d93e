//! Permissions are checked for every object and column that a query touches.

use crate::fixture::{ALICE, BOB, expect};

#[test]
fn a_reader_reads_what_is_granted() {
    expect(
        ALICE,
        &[
            ("SELECT COUNT(*) FROM sales.orders", "4"),
            ("SELECT name FROM hr.people ORDER BY name", "Max\nZo\u{eb}"),
            ("SELECT name, salary FROM hr.people", "error 230"),
            ("SELECT * FROM hr.people", "error 230"),
            ("SELECT name FROM hr.people WHERE salary > 1", "error 230"),
            ("SELECT name FROM hr.people ORDER BY salary", "error 230"),
            ("SELECT total FROM sales.totals WHERE name = 'ada'", "30.50"),
            ("SELECT nick FROM sales.staff", "error 230"),
            ("SELECT 1 WHERE EXISTS (SELECT salary FROM hr.people)", "error 230"),
        ],
    );
}

#[test]
fn without_a_grant_nothing_is_read_and_views_are_hidden() {
    expect(
        BOB,
        &[
            ("SELECT * FROM sales.orders", "error 229"),
            ("SELECT name FROM sales.totals", "error 229"),
            ("SELECT COUNT(*) FROM sales.orders", "error 229"),
            ("SELECT salary FROM hr.people ORDER BY id", "1000\n2000"),
            ("SELECT name FROM sys.objects", "people"),
            ("SELECT OBJECT_ID('sales.orders')", "NULL"),
            ("SELECT COUNT(*) FROM sys.dm_pdw_exec_sessions", "1"),
        ],
    );
}

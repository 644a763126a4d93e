//! INSERT, UPDATE and DELETE.

use crate::fixture::{ALICE, login, pool, query_in, result, said};

/// The people after a statement, or its error.
fn after(sql: &str) -> String {
    let mut session = login(&pool(), 1);
    match result(&session.batch(sql)) {
        Ok(_) => said(&query_in(&mut session, "SELECT * FROM hr.people ORDER BY id")),
        Err(error) => format!("error {}", error.number),
    }
}

#[test]
fn rows_are_added() {
    let before = "1|Zo\u{eb}|1000\n2|Max|2000";
    assert_eq!(after("INSERT INTO hr.people VALUES (3, N'Ann', '30')"), format!("{before}\n3|Ann|30"));
    assert_eq!(
        after("INSERT hr.people (name, id) SELECT UPPER(name), id + 10 FROM hr.people WHERE id = 2"),
        format!("{before}\n12|MAX|NULL")
    );
    for (sql, number) in [
        ("INSERT hr.people (id) VALUES (1)", 515),
        ("INSERT hr.people VALUES (1)", 213),
        ("INSERT hr.people (id, id) VALUES (1, 2)", 264),
        ("INSERT hr.people (nope) VALUES (1)", 207),
        ("INSERT hr.people VALUES ('x', 'a', 1)", 245),
        ("INSERT hr.nothing VALUES (1)", 208),
        ("INSERT sys.objects (name) VALUES ('x')", 259),
    ] {
        assert_eq!(after(sql), format!("error {number}"), "{sql}");
    }
    let long = format!("INSERT hr.people VALUES (1, '{}', 1)", "x".repeat(51));
    assert_eq!(after(&long), "error 2628");
}

#[test]
fn rows_are_changed_and_removed() {
    assert_eq!(
        after("UPDATE hr.people SET salary = salary + 5, name = 'Zoe' WHERE id = 1"),
        "1|Zoe|1005\n2|Max|2000"
    );
    assert_eq!(
        after(
            "UPDATE p SET salary = c.id FROM hr.people p JOIN sales.customers c ON c.id = p.id WHERE c.name = 'ADA'"
        ),
        "1|Zo\u{eb}|1\n2|Max|2000"
    );
    assert_eq!(after("UPDATE hr.people SET name = NULL"), "error 515");
    assert_eq!(
        after("DELETE FROM hr.people WHERE salary > (SELECT AVG(salary) FROM hr.people)"),
        "1|Zo\u{eb}|1000"
    );
    assert_eq!(after("DELETE hr.people"), "");
    assert_eq!(after("DELETE FROM sales.totals"), "error 4406");
}

#[test]
fn each_change_needs_its_own_permission() {
    let mut session = login(&pool(), ALICE);
    for sql in [
        "INSERT sales.orders VALUES (9, 1, 1, '2024-01-01', NULL)",
        "UPDATE sales.orders SET id = 1",
        "DELETE sales.orders",
    ] {
        assert_eq!(result(&session.batch(sql)).unwrap_err().number, 229, "{sql}");
    }
}

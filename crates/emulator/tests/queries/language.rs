//! Joins, grouping, windows, sets, types and their errors.

use axon_emulator::SqlType;

use crate::fixture::{expect, login, pool, query, query_in, result, said};

#[test]
fn joins_and_subqueries() {
    expect(
        1,
        &[
            (
                "SELECT c.name, o.id FROM sales.customers c LEFT JOIN sales.orders o ON o.customer_id = c.id ORDER BY c.id, o.id",
                "Ada|1\nAda|2\nbj\u{f6}rn|3\nChen|NULL",
            ),
            (
                "SELECT c.name, o.id FROM sales.customers c RIGHT OUTER JOIN sales.orders o ON o.customer_id = c.id ORDER BY o.id",
                "Ada|1\nAda|2\nbj\u{f6}rn|3\nNULL|4",
            ),
            ("SELECT COUNT(*) FROM sales.customers c FULL JOIN sales.orders o ON o.customer_id = c.id", "5"),
            ("SELECT COUNT(*) FROM sales.customers CROSS JOIN sales.orders", "12"),
            ("SELECT COUNT(*) FROM sales.customers a, sales.customers b WHERE a.country = b.country", "5"),
            (
                "SELECT a.id FROM sales.orders a JOIN (sales.customers b JOIN hr.people p ON p.id = b.id) ON a.customer_id = b.id ORDER BY a.id",
                "1\n2\n3",
            ),
            (
                "SELECT name FROM sales.customers WHERE id IN (SELECT customer_id FROM sales.orders)  ORDER BY name",
                "Ada\nbj\u{f6}rn",
            ),
            ("SELECT name FROM sales.customers WHERE id NOT IN (SELECT customer_id FROM sales.orders)", ""),
            (
                "SELECT name FROM sales.customers c WHERE NOT EXISTS (SELECT 1 FROM sales.orders o WHERE o.customer_id = c.id)",
                "Chen",
            ),
            ("SELECT (SELECT id FROM sales.orders)", "error 512"),
            ("SELECT (SELECT id, amount FROM sales.orders)", "error 116"),
            ("SELECT d.n FROM (SELECT COUNT(*) AS n FROM sales.orders) AS d", "4"),
            ("SELECT x.b FROM (VALUES (1, 'one'), (2, 'two')) AS x (a, b) WHERE x.a = 2", "two"),
            (
                "WITH big (k, v) AS (SELECT id, amount FROM sales.orders WHERE amount > 15), n AS (SELECT COUNT(*) AS c FROM big) SELECT k, c FROM big, n ORDER BY k",
                "2|2\n4|2",
            ),
            ("SELECT * FROM sales.orders CROSS APPLY (SELECT 1 AS x) y", "error 103010"),
            ("SELECT COUNT(*) FROM sales.big", "1"),
        ],
    );
}

#[test]
fn grouping_and_aggregates() {
    expect(
        1,
        &[
            (
                "SELECT customer_id, SUM(amount), MIN(placed), COUNT(note) FROM sales.orders GROUP BY customer_id ORDER BY customer_id",
                "NULL|100.00|2024-12-31 00:00:00.000|1\n1|30.50|2024-01-15 00:00:00.000|1\n2|5.25|2024-02-29 00:00:00.000|1",
            ),
            ("SELECT AVG(id), AVG(amount), AVG(CAST(id AS float)) FROM sales.orders", "2|33.937500|2.5f"),
            ("SELECT country, COUNT(*) FROM sales.customers GROUP BY country HAVING COUNT(*) > 1", "GB|2"),
            (
                "SELECT COUNT(DISTINCT country), COUNT(DISTINCT customer_id) FROM sales.customers, sales.orders",
                "2|2",
            ),
            (
                "SELECT YEAR(placed) * 100 + MONTH(placed) AS m, COUNT(*) FROM sales.orders GROUP BY YEAR(placed) * 100 + MONTH(placed) ORDER BY m",
                "202401|1\n202402|2\n202412|1",
            ),
            ("SELECT note, COUNT(*) FROM sales.orders", "error 8120"),
            ("SELECT id FROM sales.orders GROUP BY customer_id", "error 8120"),
            ("SELECT * FROM sales.orders WHERE SUM(amount) > 1", "error 147"),
            ("SELECT SUM(note) FROM sales.orders", "error 8117"),
            ("SELECT MAX(name) FROM sales.customers WHERE 1 = 0", "NULL"),
            (
                "SELECT STRING_AGG(name, ', ') WITHIN GROUP (ORDER BY name DESC) FROM sales.customers",
                "Chen, bj\u{f6}rn, Ada",
            ),
            ("SELECT DISTINCT country FROM sales.customers ORDER BY country DESC", "SE\nGB"),
            ("SELECT SUM(x) FROM (VALUES (2000000000), (2000000000)) v (x)", "error 8115"),
        ],
    );
}

#[test]
fn windows_order_and_top() {
    expect(
        1,
        &[
            (
                "SELECT id, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY amount DESC) FROM sales.orders WHERE customer_id = 1 ORDER BY id",
                "1|2\n2|1",
            ),
            (
                "SELECT id, SUM(amount) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) FROM sales.orders ORDER BY id",
                "1|10.50\n2|30.50\n3|35.75\n4|135.75",
            ),
            (
                "SELECT RANK() OVER (ORDER BY country), DENSE_RANK() OVER (ORDER BY country) FROM sales.customers ORDER BY id",
                "1|1\n3|2\n1|1",
            ),
            (
                "SELECT id, LAG(id) OVER (ORDER BY id), LEAD(id, 2, 0) OVER (ORDER BY id) FROM sales.orders ORDER BY id",
                "1|NULL|3\n2|1|4\n3|2|0\n4|3|0",
            ),
            ("SELECT ROW_NUMBER() OVER () FROM sales.orders", "error 4112"),
            ("SELECT id FROM sales.orders WHERE ROW_NUMBER() OVER (ORDER BY id) = 1", "error 4108"),
            ("SELECT TOP 2 id FROM sales.orders ORDER BY amount DESC", "4\n2"),
            ("SELECT TOP (@n) id FROM sales.orders ORDER BY id DESC", "4\n3\n2\n1"),
            ("SELECT TOP (1) WITH TIES id FROM sales.orders ORDER BY id", "error 103010"),
            ("SELECT id FROM sales.orders ORDER BY 2", "error 108"),
            ("SELECT id FROM sales.orders ORDER BY id OFFSET 1 ROWS", "error 103010"),
            ("SELECT id AS note FROM sales.orders ORDER BY note DESC", "4\n3\n2\n1"),
            ("SELECT d.id FROM (SELECT id FROM sales.orders ORDER BY id) d", "error 1033"),
            ("SELECT d.id FROM (SELECT TOP 1 id FROM sales.orders ORDER BY id DESC) d", "4"),
            ("SELECT DISTINCT country FROM sales.customers ORDER BY id", "error 145"),
        ],
    );
}

#[test]
fn sets() {
    expect(
        1,
        &[
            ("SELECT 1 UNION SELECT 1 UNION ALL SELECT 2", "1\n2"),
            ("SELECT COUNT(*) FROM (SELECT 'a' AS x UNION SELECT N'A ') u", "1"),
            ("SELECT 1 EXCEPT SELECT 1", ""),
            ("SELECT 1 UNION SELECT 2 INTERSECT SELECT 2", "1\n2"),
            ("(SELECT 3 AS n UNION ALL SELECT 1) ORDER BY n", "1\n3"),
            ("SELECT 1 UNION ALL SELECT 2.50", "1.00\n2.50"),
            ("SELECT 1 UNION ALL SELECT 'x'", "error 245"),
            ("SELECT NULL UNION ALL SELECT 'x'", "NULL\nx"),
            ("SELECT 1, 2 UNION SELECT 1", "error 205"),
        ],
    );
}

#[test]
fn arithmetic_and_conversions() {
    expect(
        1,
        &[
            ("SELECT 7 / 2, -7 / 2, 7 % 3, 7 / 2.0", "3|-3|1|3.500000"),
            ("SELECT 10.0 / 3, 1.5 * 2.25, 0.1 + 0.2", "3.333333|3.375|0.3"),
            ("SELECT 1 / 0", "error 8134"),
            ("SELECT 2147483647 + 1", "error 8115"),
            ("SELECT 3000000000 + 1", "3000000001"),
            ("SELECT 1 + '2', 'a' + 'b', 'a' + NULL", "3|ab|NULL"),
            ("SELECT 'a' + 1", "error 245"),
            ("SELECT 5 & 3, 5 | 3, 5 ^ 3, ~5", "1|7|6|-6"),
            ("SELECT - - 3, -(2 + 1)", "3|-3"),
            ("SELECT CAST(1.95 AS decimal(5, 1)), CAST(1.95 AS int), CAST('7' AS tinyint)", "2.0|1|7"),
            ("SELECT CAST(300 AS tinyint)", "error 220"),
            ("SELECT TRY_CAST('x' AS int), TRY_CONVERT(date, '2024-02-30')", "NULL|NULL"),
            (
                "SELECT CONVERT(varchar(30), CAST('2024-03-05T14:07:09.123' AS datetime), 121)",
                "2024-03-05 14:07:09.123",
            ),
            (
                "SELECT CONVERT(varchar(19), CAST('20240305 14:07:09' AS datetime2), 126), CONVERT(char(8), CAST('2024-03-05' AS date), 112)",
                "2024-03-05T14:07:09|20240305",
            ),
            (
                "SELECT CONVERT(varchar(10), 0x0AFF, 1), CONVERT(varchar(10), 0x0AFF, 2), CONVERT(varbinary(4), '0x0AFF', 1)",
                "0x0AFF|0AFF|0x0AFF",
            ),
            ("SELECT CAST('zz' AS uniqueidentifier)", "error 8169"),
            ("SELECT CAST('abc' AS date)", "error 241"),
            ("SELECT CAST(1 AS varbinary(4)), CAST(0x000102 AS int)", "0x00000001|258"),
            ("SELECT CAST(12345 AS varchar(3)), CAST('abc' AS char(5)) + '|'", "*|abc  |"),
            ("SELECT CAST(GETDATE() AS xml)", "error 103010"),
            ("SELECT CAST(1e0 AS varchar(20)), CAST(0.1 AS float) * 3", "1|0.30000000000000004f"),
        ],
    );
}

#[test]
fn conditions_and_null() {
    expect(
        1,
        &[
            ("SELECT CASE WHEN NULL = NULL THEN 1 WHEN NULL IS NULL THEN 2 END", "2"),
            ("SELECT id FROM sales.orders WHERE note <> 'first' ORDER BY id", "3\n4"),
            ("SELECT id FROM sales.orders WHERE NOT (note = 'FIRST') OR note IS NULL ORDER BY id", "2\n3\n4"),
            ("SELECT id FROM sales.orders WHERE note = 'third'", "3"),
            ("SELECT id FROM sales.orders WHERE note LIKE '%!%%' ESCAPE '!'", "4"),
            ("SELECT id FROM sales.orders WHERE note LIKE '[^f]%' ORDER BY id", "3\n4"),
            (
                "SELECT name FROM sales.customers WHERE name BETWEEN 'a' AND 'c' ORDER BY id",
                "Ada\nbj\u{f6}rn",
            ),
            ("SELECT name FROM sales.customers WHERE name = @name", "Ada"),
            ("SELECT name FROM sales.customers WHERE name COLLATE Latin1_General_BIN2 = @name", ""),
            ("SELECT name FROM sales.customers ORDER BY name", "Ada\nbj\u{f6}rn\nChen"),
            ("SELECT COUNT(*) FROM sales.customers WHERE country IN ('gb', NULL)", "2"),
            ("SELECT id FROM sales.orders WHERE customer_id = @none", ""),
            (
                "SELECT IIF(1 > 0, 'y', 'n'), COALESCE(NULL, 2, 3), ISNULL(@none, 9), NULLIF(3, 3)",
                "y|2|9|NULL",
            ),
            ("SELECT ISNULL(CAST(NULL AS varchar(2)), 'abc')", "ab"),
            ("SELECT CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END", "two"),
            ("SELECT CASE WHEN 1 = 1 THEN NULL END", "error 8133"),
            ("SELECT id FROM sales.orders WHERE 1", "error 4145"),
            (
                "SELECT id FROM sales.orders WHERE placed > '2024-02-28' AND placed < CAST('2024-06-01' AS datetime)",
                "3",
            ),
            ("SELECT 1 WHERE 1 = ANY (SELECT 1)", "1"),
            ("SELECT 1 WHERE 1 > ALL (SELECT 1)", "error 103010"),
            ("SELECT CAST(SESSION_CONTEXT(N'none') AS nvarchar(10))", "NULL"),
        ],
    );
}

#[test]
fn names_that_lead_nowhere() {
    expect(
        1,
        &[
            ("SELECT nope FROM sales.orders", "error 207"),
            ("SELECT o.nope FROM sales.orders o", "error 207"),
            ("SELECT x.id FROM sales.orders o", "error 4104"),
            ("SELECT id FROM sales.orders, sales.customers", "error 209"),
            ("SELECT id FROM orders", "error 208"),
            ("SELECT * FROM sales.orders sales JOIN sales.customers sales ON 1 = 1", "error 1011"),
            ("SELECT @missing", "error 137"),
            ("SELECT nothing(1)", "error 195"),
            ("SELECT LEN('a', 'b')", "error 174"),
            ("SELECT a.x FROM (SELECT 1) a", "error 8155"),
            ("SELECT a.x FROM (SELECT 1 AS x, 2 AS x) a", "error 8156"),
            ("SELECT * FROM OPENROWSET(BULK 'x', FORMAT = 'CSV') AS r", "error 103010"),
            ("SELECT 1 FOR XML PATH('')", "error 103010"),
            ("SELECT id INTO #t FROM sales.orders", "error 103010"),
            ("SELECT * FROM sales.orders PIVOT (SUM(amount) FOR id IN ([1])) p", "error 103010"),
            ("SELECT @n = 1", "error 103010"),
            ("SELECT 1 FROM", "error 103010"),
        ],
    );
}

#[test]
fn columns_have_the_types_of_the_language() {
    let result = query(
        1,
        "SELECT id, amount, id + amount AS s, N'x' + 'yz', COUNT(*) OVER () AS n, GETDATE() AS d, NULL AS z, \
         CASE WHEN id = 1 THEN 1 ELSE CAST(2 AS bigint) END AS b FROM sales.orders",
    )
    .unwrap();
    let types: Vec<SqlType> = result.columns.iter().map(|column| column.ty).collect();
    assert_eq!(
        types,
        [
            SqlType::Int,
            SqlType::Decimal { precision: 10, scale: 2 },
            SqlType::Decimal { precision: 13, scale: 2 },
            SqlType::NVarChar(3),
            SqlType::Int,
            SqlType::DateTime,
            SqlType::Int,
            SqlType::BigInt,
        ]
    );
    let names: Vec<&str> = result.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "amount", "s", "", "n", "d", "z", "b"]);
    assert!(!result.columns[0].nullable && result.columns[6].nullable);
}

#[test]
fn the_session_context_is_read_back() {
    let mut session = login(&pool(), 1);
    result(&session.batch("EXEC sys.sp_set_session_context @key = N'tenant', @value = N'north'")).unwrap();
    assert_eq!(
        said(&query_in(&mut session, "SELECT CAST(SESSION_CONTEXT(N'Tenant') AS nvarchar(10))")),
        "north"
    );
}

//! String, date, number and hash functions.

use crate::fixture::{ask, expect};

#[test]
fn strings() {
    expect(
        1,
        &[
            ("SELECT LEN('abc  '), DATALENGTH('abc  '), DATALENGTH(N'abc'), LEN(N'\u{1f600}')", "3|5|6|2"),
            (
                "SELECT LEFT('hello', 2), RIGHT('hello', 2), SUBSTRING('hello', 2, 3), SUBSTRING('hello', 0, 2)",
                "he|lo|ell|h",
            ),
            ("SELECT LEFT('x', -1)", "error 537"),
            (
                "SELECT UPPER('a\u{f6}'), LOWER('A\u{d6}'), LTRIM('  a '), RTRIM(' a  ') + '|', TRIM('  a  ')",
                "A\u{d6}|a\u{f6}|a | a||a",
            ),
            ("SELECT TRIM('x' FROM 'xxaxx')", "a"),
            ("SELECT CHARINDEX('L', 'hello'), CHARINDEX('l', 'hello', 4), CHARINDEX('z', 'hello')", "3|4|0"),
            ("SELECT PATINDEX('%[0-9]%', 'ab1'), PATINDEX('a%', 'ba')", "3|0"),
            (
                "SELECT REPLACE('aAbB', 'A', 'x'), STUFF('abcdef', 2, 3, 'X'), REVERSE('abc'), REPLICATE('ab', 3)",
                "xxbB|aXef|cba|ababab",
            ),
            (
                "SELECT QUOTENAME('a]b'), QUOTENAME('it''s', ''''), QUOTENAME(REPLICATE('x', 129))",
                "[a]]b]|'it''s'|NULL",
            ),
            ("SELECT PARSENAME('s.d.[o.x]', 1), PARSENAME('s.d.o', 3), PARSENAME('a.b', 3)", "o.x|s|NULL"),
            ("SELECT CONCAT('a', NULL, 1, N'b'), CONCAT_WS('-', 'a', NULL, 'b')", "a1b|a-b"),
            (
                "SELECT ASCII('A'), CHAR(66), UNICODE(N'\u{e9}'), NCHAR(8364), CHAR(256)",
                "65|B|233|\u{20ac}|NULL",
            ),
            ("SELECT SPACE(2) + 'x', STUFF('abc', 9, 1, 'x')", "  x|NULL"),
            ("SELECT CAST(N'\u{5b57}' AS varchar(5))", "?"),
            ("SELECT FORMAT(1, 'N')", "error 195"),
        ],
    );
}

#[test]
fn dates() {
    expect(
        1,
        &[
            (
                "SELECT CONVERT(varchar(30), GETDATE(), 121), CONVERT(varchar(30), SYSUTCDATETIME(), 121)",
                "2024-05-17 09:30:15.123|2024-05-17 09:30:15.1230000",
            ),
            ("SELECT YEAR(GETDATE()), MONTH('2024-02-29'), DAY(GETUTCDATE())", "2024|2|17"),
            (
                "SELECT CONVERT(char(10), DATEADD(month, 1, CAST('2024-01-31' AS date)), 23), CONVERT(char(10), DATEADD(day, -1, '2024-03-01'), 23)",
                "2024-02-29|2024-02-29",
            ),
            (
                "SELECT DATEDIFF(day, '2024-02-28', '2024-03-01'), DATEDIFF(year, '2023-12-31', '2024-01-01'), DATEDIFF(second, '2024-01-01', '2024-01-02')",
                "2|1|86400",
            ),
            (
                "SELECT DATEDIFF(week, '2024-03-02', '2024-03-03'), DATEPART(weekday, '2024-03-03'), DATEPART(quarter, '2024-05-01')",
                "1|1|2",
            ),
            ("SELECT DATENAME(month, '2024-03-03'), DATENAME(dw, '2024-03-03')", "March|Sunday"),
            (
                "SELECT CONVERT(varchar(10), EOMONTH('2024-02-10'), 120), CONVERT(varchar(10), EOMONTH('2024-02-10', 1), 120)",
                "2024-02-29|2024-03-31",
            ),
            ("SELECT CONVERT(varchar(10), DATEFROMPARTS(2024, 2, 29), 23)", "2024-02-29"),
            ("SELECT DATEFROMPARTS(2023, 2, 29)", "error 289"),
            ("SELECT DATEPART(hour, CAST('2024-01-01' AS date))", "error 9810"),
            ("SELECT DATEPART(fortnight, GETDATE())", "error 155"),
            ("SELECT DATEDIFF(millisecond, '2000-01-01', '2024-01-01')", "error 535"),
            ("SELECT CONVERT(varchar(30), CAST('2024-05-17' AS datetime) + 1, 0)", "May 18 2024 12:00AM"),
            (
                "SELECT CASE WHEN GETDATE() BETWEEN '2024-05-17' AND '2024-05-18' THEN 'in' ELSE 'out' END",
                "in",
            ),
        ],
    );
}

#[test]
fn numbers_and_hashes() {
    expect(
        1,
        &[
            (
                "SELECT ABS(-5), SIGN(-2.5), FLOOR(-1.5), CEILING(1.2), ROUND(123.456, 1), ROUND(155, -1)",
                "5|-1.0|-2|2|123.500|160",
            ),
            ("SELECT ROUND(1.97, 1, 1), SQRT(16), POWER(2, 10)", "1.90|4f|1024"),
            ("SELECT ISNUMERIC('12.5'), ISNUMERIC('abc'), ISNUMERIC(NULL), ISNUMERIC('1e5')", "1|0|0|1"),
            (
                "SELECT CONVERT(varchar(64), HASHBYTES('SHA2_256', 'abc'), 2)",
                "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
            ),
            (
                "SELECT LOWER(LEFT(CONVERT(varchar(64), HASHBYTES('SHA2_256', N'abc'), 2), 8))",
                "13e228567e8249fce53337f25d7970de".get(..8).unwrap(),
            ),
            ("SELECT HASHBYTES('MD5', 'abc')", "error 103010"),
            ("SELECT DATALENGTH(NEWID()), LEN(CAST(NEWID() AS varchar(36)))", "16|36"),
        ],
    );
    assert_ne!(ask("SELECT NEWID()"), ask("SELECT NEWID()"));
}

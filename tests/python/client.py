"""Speaks to the emulator with python-tds: client.py PORT USER PASSWORD ADMIN_TOKEN PERSON_TOKEN."""

import datetime
import decimal
import sys

import pytds

PORT, USER, PASSWORD, ADMIN, PERSON = sys.argv[1:]


def enter(**how):
    how = how or {"user": USER, "password": PASSWORD}
    return pytds.connect("127.0.0.1", "dw", port=int(PORT), autocommit=True, **how)


def refused(number, run):
    try:
        run()
    except pytds.Error as error:
        found = getattr(error, "number", None) or getattr(error, "msg_no", None)
        assert found == number, (number, found, error)
    else:
        raise AssertionError(f"{number} was expected")


def rows(cursor, query, parameters=()):
    cursor.execute(query, parameters)
    return [tuple(row) for row in cursor.fetchall()]


with enter() as connection, connection.cursor() as cursor:
    found = rows(cursor, "SELECT order_id, region, amount FROM sales.orders WHERE region = %s", ("north",))
    assert found == [(1, "north", decimal.Decimal("10.50"))], found
    hostile = "x]; DROP USER canary_user--' OR 1=1"
    assert rows(cursor, "SELECT %s", (hostile,)) == [(hostile,)]
    assert rows(cursor, "SELECT name FROM sys.database_principals WHERE name = %s", (hostile,)) == []
    found = rows(cursor, "SELECT CAST('2026-11-22T04:05:06.789' AS datetime2(3)), CAST(NULL AS int), N'\U0001f600'")
    assert found == [(datetime.datetime(2026, 11, 22, 4, 5, 6, 789000), None, "\U0001f600")], found
    found = rows(cursor, """SELECT s.name, COUNT(o.object_id) FROM sys.schemas s
                            LEFT JOIN sys.objects o ON o.schema_id = s.schema_id
                            WHERE s.name IN ('sales') GROUP BY s.name HAVING COUNT(*) > 1""")
    assert found == [("sales", 2)], found
    assert rows(cursor, "SELECT IS_ROLEMEMBER('canary', 'canary_user')") == [(1,)]
    cursor.execute("SELECT 1; SELECT N'second'")
    assert cursor.fetchall()[0][0] == 1 and cursor.nextset() and cursor.fetchall()[0][0] == "second"
    refused(208, lambda: rows(cursor, "SELECT * FROM sales.nowhere"))
    refused(15151, lambda: cursor.execute("DROP ROLE nobody_made_it"))
    refused(33159, lambda: cursor.execute("CREATE USER [kim@acme.example] FROM EXTERNAL PROVIDER"))
    assert rows(cursor, "SELECT 'usable after errors'") == [("usable after errors",)]

refused(18456, lambda: enter(user=USER, password="wrong"))
refused(18456, lambda: enter(access_token_callable=lambda: PERSON))
with enter(access_token_callable=lambda: ADMIN) as connection, connection.cursor() as cursor:
    cursor.execute("CREATE USER [kim@acme.example] FROM EXTERNAL PROVIDER")
    refused(33130, lambda: cursor.execute("CREATE USER [nobody@acme.example] FROM EXTERNAL PROVIDER"))
    refused(15023, lambda: cursor.execute("CREATE USER [kim@acme.example] FROM EXTERNAL PROVIDER"))
with enter(access_token_callable=lambda: PERSON) as connection, connection.cursor() as cursor:
    assert rows(cursor, "SELECT USER_NAME()") == [("kim@acme.example",)]
    refused(229, lambda: rows(cursor, "SELECT * FROM sales.orders"))

print("all as expected")

"""Reads the demo's catalog with python-tds and compares it with the table that was written by hand.

catalog.py HOST:PORT USER PASSWORD EXPECTED.txt; exit 1 and a line for each difference.
"""

import sys

import pytds

HELD = """
SELECT r.name, p.state_desc, p.permission_name, p.class_desc, s.name, os.name, o.name, c.name
FROM sys.database_permissions p
INNER JOIN sys.database_principals r ON p.grantee_principal_id = r.principal_id
LEFT OUTER JOIN sys.schemas s ON p.class_desc = 'SCHEMA' AND p.major_id = s.schema_id
LEFT OUTER JOIN sys.objects o ON p.class_desc = 'OBJECT_OR_COLUMN' AND p.major_id = o.object_id
LEFT OUTER JOIN sys.schemas os ON o.schema_id = os.schema_id
LEFT OUTER JOIN sys.columns c ON p.minor_id <> 0 AND c.object_id = p.major_id AND c.column_id = p.minor_id
WHERE r.type_desc = 'DATABASE_ROLE'"""

MEMBERS = """
SELECT m.name, r.name
FROM sys.database_role_members rm
INNER JOIN sys.database_principals m ON rm.member_principal_id = m.principal_id
INNER JOIN sys.database_principals r ON rm.role_principal_id = r.principal_id
WHERE m.authentication_type_desc = 'EXTERNAL'"""

SHUT_OUT = """
SELECT u.name
FROM sys.database_permissions p, sys.database_principals u
WHERE p.grantee_principal_id = u.principal_id AND p.permission_name = 'CONNECT' AND p.state_desc = 'DENY'"""


def held(row):
    holder, state, permission, kind, schema, object_schema, name, column = row
    where = {"SCHEMA": f"schema {schema}", "OBJECT_OR_COLUMN": f"{object_schema}.{name}"}.get(kind, "database")
    column = f" ({column})" if column else ""
    state = "DENY " if state == "DENY" else ""
    return f"{holder} holds {state}{permission} on {where}{column}"


def read(address, user, password):
    host, port = address.rsplit(":", 1)
    found = set()
    with pytds.connect(host, "dw", user, password, port=int(port)) as connection, connection.cursor() as cursor:
        cursor.execute(HELD)
        found.update(held(row) for row in cursor.fetchall())
        cursor.execute(MEMBERS)
        found.update(f"{member} is in {role}" for member, role in cursor.fetchall())
        cursor.execute(SHUT_OUT)
        found.update(f"{who} may not enter" for (who,) in cursor.fetchall())
    return found


def written(path):
    lines, part = set(), 0
    with open(path, encoding="utf-8") as file:
        texts = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    count = 0
    for line in texts:
        if line.startswith("["):
            part += 1
            continue
        count += 1
        first, _, rest = line.partition(" ")
        if part == 1:
            lines.add(f"{first} holds {rest.strip()}")
        elif part == 2:
            lines.update(f"{first} is in {role.strip()}" for role in rest.split(","))
        else:
            lines.add(f"{first} may not enter")
    return lines, count


def main():
    address, user, password, path = sys.argv[1:]
    expected, count = written(path)
    found = read(address, user, password)
    for line in sorted(expected - found):
        print("missing:", line)
    for line in sorted(found - expected):
        print("unexpected:", line)
    if found != expected:
        return 1
    print(f"{count} lines agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())

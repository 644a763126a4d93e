//! A small pool, and a way to ask it.

use std::fmt::Write as _;
use std::sync::Arc;

use axon_emulator::catalog::Catalog;
use axon_emulator::catalog::object::{Distribution, Object, ObjectKind, Schema, TableColumn};
use axon_emulator::catalog::permission::{Action, PermissionKey, Securable, State};
use axon_emulator::catalog::principal::{Authentication, Principal, PrincipalKind};
use axon_emulator::clock::FixedClock;
use axon_emulator::session::Session;
use axon_emulator::{
    Answer, Column, Credentials, Directory, LoginRequest, Param, Pool, PoolConfig, ServerError, SqlType,
    Value,
};
use time::PrimitiveDateTime;
use time::macros::{date, datetime};

pub const NOW: PrimitiveDateTime = datetime!(2024-05-17 09:30:15.123);
pub const ALICE: i32 = 17;
pub const BOB: i32 = 18;
pub const ANALYSTS: i32 = 20;
pub const READERS: i32 = 21;
pub const ORDERS: i32 = 1001;
pub const PEOPLE: i32 = 1003;

fn principal(id: i32, name: &str, kind: PrincipalKind, sid: &[u8]) -> Principal {
    let role = kind == PrincipalKind::Role;
    Principal {
        id,
        name: name.into(),
        kind,
        sid: Some(sid.to_vec()),
        default_schema: (!role).then(|| "dbo".into()),
        owner: role.then_some(1),
        fixed: false,
        authentication: match kind {
            PrincipalKind::Role => Authentication::None,
            PrincipalKind::SqlUser => Authentication::Instance,
            _ => Authentication::External,
        },
        created: datetime!(2024-05-01 12:00),
        modified: datetime!(2024-05-02 12:00),
    }
}

fn column(id: i32, name: &str, ty: SqlType, nullable: bool) -> TableColumn {
    TableColumn { id, name: name.into(), ty, nullable, identity: None, default: None }
}

fn table(id: i32, schema: i32, name: &str, columns: Vec<TableColumn>, rows: Vec<Vec<Value>>) -> Object {
    Object {
        id,
        name: name.into(),
        schema,
        owner: None,
        kind: ObjectKind::Table,
        columns,
        definition: None,
        distribution: Some(Distribution::RoundRobin),
        rows: Arc::new(rows),
        references: None,
        policy: None,
        statistics: Vec::new(),
        created: datetime!(2024-05-03 12:00),
        modified: datetime!(2024-05-03 12:00),
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn money(value: &str) -> Value {
    Value::Decimal(value.into())
}

fn day(value: time::Date) -> Value {
    Value::DateTime(value.midnight())
}

fn tables() -> Vec<Object> {
    let decimal = SqlType::Decimal { precision: 10, scale: 2 };
    let int = Value::Int;
    let orders = vec![
        vec![int(1), int(1), money("10.50"), day(date!(2024 - 01 - 15)), text("first")],
        vec![int(2), int(1), money("20.00"), day(date!(2024 - 02 - 20)), Value::Null],
        vec![int(3), int(2), money("5.25"), day(date!(2024 - 02 - 29)), text("Third ")],
        vec![int(4), Value::Null, money("100.00"), day(date!(2024 - 12 - 31)), text("50% off")],
    ];
    let customers = vec![
        vec![int(1), text("Ada"), text("GB")],
        vec![int(2), text("bj\u{f6}rn"), text("SE")],
        vec![int(3), text("Chen"), text("gb")],
    ];
    let people = vec![vec![int(1), text("Zo\u{eb}"), int(1000)], vec![int(2), text("Max"), int(2000)]];
    vec![
        table(
            ORDERS,
            5,
            "orders",
            vec![
                column(1, "id", SqlType::Int, false),
                column(2, "customer_id", SqlType::Int, true),
                column(3, "amount", decimal, false),
                column(4, "placed", SqlType::Date, false),
                column(5, "note", SqlType::VarChar(20), true),
            ],
            orders,
        ),
        table(
            1002,
            5,
            "customers",
            vec![
                column(1, "id", SqlType::Int, false),
                column(2, "name", SqlType::NVarChar(50), false),
                column(3, "country", SqlType::Char(2), true),
            ],
            customers,
        ),
        table(
            PEOPLE,
            6,
            "people",
            vec![
                column(1, "id", SqlType::Int, false),
                column(2, "name", SqlType::NVarChar(50), false),
                column(3, "salary", SqlType::Int, true),
            ],
            people,
        ),
    ]
}

const VIEWS: [&str; 3] = [
    "CREATE VIEW sales.totals AS SELECT c.name, SUM(o.amount) AS total FROM sales.customers c \
     JOIN sales.orders o ON o.customer_id = c.id GROUP BY c.name",
    "CREATE VIEW sales.staff (nick, pay) AS SELECT name, salary FROM hr.people",
    "CREATE VIEW sales.big AS WITH t AS (SELECT * FROM sales.totals) SELECT name FROM t WHERE total > 10",
];

fn grant(catalog: &mut Catalog, grantee: i32, securable: Securable, action: Action, state: State) {
    catalog.put_permission(PermissionKey { grantee, securable, action, grantor: 1 }, state);
}

/// Principals of every kind, two schemas, three tables.
fn furnish(catalog: &mut Catalog) {
    let guid = [0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
    catalog.put_principal(principal(ALICE, "Alice", PrincipalKind::SqlUser, &[9; 16]));
    catalog.put_principal(principal(BOB, "bob@example.com", PrincipalKind::ExternalUser, &guid));
    catalog.put_principal(principal(19, "Team", PrincipalKind::ExternalGroup, &[7; 16]));
    catalog.put_principal(principal(ANALYSTS, "analysts", PrincipalKind::Role, &[1, 2]));
    catalog.put_principal(principal(READERS, "readers", PrincipalKind::Role, &[1, 3]));
    catalog.add_member(ANALYSTS, ALICE);
    catalog.add_member(READERS, ANALYSTS);
    catalog.put_schema(Schema { id: 5, name: "sales".into(), owner: 1 });
    catalog.put_schema(Schema { id: 6, name: "hr".into(), owner: BOB });
    for table in tables() {
        catalog.put_object(table);
    }
    for id in [ALICE, BOB, 19] {
        grant(catalog, id, Securable::DATABASE, Action::Connect, State::Grant);
    }
    grant(catalog, READERS, Securable::schema(5), Action::Select, State::Grant);
    grant(catalog, ALICE, Securable::column(PEOPLE, 2), Action::Select, State::Grant);
}

const DIRECTORY: &str = r#"{"users": [{"upn": "bob@example.com", "objectId": "01234567-89ab-cdef-0123-456789abcdef"},
                  {"upn": "root@example.com", "objectId": "01234567-89ab-cdef-0123-456789abcdee"}]}"#;

/// A running pool with these, and three views.
pub fn pool() -> Arc<Pool> {
    pool_with(|_| ())
}

/// The same with more in its catalog.
pub fn pool_with(more: impl FnOnce(&mut Catalog)) -> Arc<Pool> {
    let mut config = PoolConfig::new("sa", "secret");
    config.clock = Arc::new(FixedClock(NOW.assume_utc()));
    config.entra_admin = Some("root@example.com".into());
    config.directory = Directory::parse(DIRECTORY).expect("the directory is valid");
    let pool = Pool::new(config);
    let mut catalog = Catalog::clone(&pool.snapshot());
    furnish(&mut catalog);
    more(&mut catalog);
    pool.restore(&Arc::new(catalog));
    let mut admin = login(&pool, 1);
    for view in VIEWS {
        result(&admin.batch(view)).expect("the view is valid");
    }
    pool
}

/// A session of the administrator, of Alice (impersonated) or of Bob (by token).
pub fn login(pool: &Arc<Pool>, id: i32) -> Session {
    let credentials = if id == BOB {
        // {"alg":"none"} . {"upn":"bob@example.com"}
        Credentials::Token { jwt: "eyJhbGciOiJub25lIn0.eyJ1cG4iOiJib2JAZXhhbXBsZS5jb20ifQ.x".into() }
    } else {
        Credentials::Sql { user: "sa".into(), password: "secret".into() }
    };
    let mut session = pool
        .login(LoginRequest {
            credentials,
            database: Some("dw".into()),
            app_name: "tests".into(),
            host_name: "station".into(),
            client_addr: "127.0.0.1:50000".into(),
            language: None,
        })
        .expect("the login is valid");
    if id == ALICE {
        result(&session.batch("EXECUTE AS USER = 'Alice'")).expect("sa may impersonate");
    }
    session
}

/// What a query gave.
#[derive(Debug)]
pub struct Given {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
}

/// The rows of an answer, or its first error.
pub fn result(answers: &[Answer]) -> Result<Given, ServerError> {
    let mut given = Given { columns: Vec::new(), rows: Vec::new() };
    for answer in answers {
        match answer {
            Answer::Error(error) => return Err(error.clone()),
            Answer::Columns(columns) => given.columns.clone_from(columns),
            Answer::Row(row) => given.rows.push(row.clone()),
            _ => {}
        }
    }
    Ok(given)
}

/// Runs one query with the parameters `@n`, `@name` and `@none`.
pub fn query_in(session: &mut Session, sql: &str) -> Result<Given, ServerError> {
    let param = |name: &str, ty, value| Param { name: name.into(), ty, value, output: false };
    result(&session.execute_sql(
        sql,
        vec![
            param("@n", SqlType::Int, Value::Int(7)),
            param("@name", SqlType::NVarChar(40), text("ADA")),
            param("@none", SqlType::Int, Value::Null),
        ],
    ))
}

/// Runs one query as a principal in a pool of its own.
pub fn query(id: i32, sql: &str) -> Result<Given, ServerError> {
    query_in(&mut login(&pool(), id), sql)
}

/// Rows as text: values between `|`, rows between line ends.
pub fn show(rows: &[Vec<Value>]) -> String {
    rows.iter().map(|row| row.iter().map(value).collect::<Vec<_>>().join("|")).collect::<Vec<_>>().join("\n")
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bool(bit) => u8::from(*bit).to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => format!("{number}f"),
        Value::Decimal(text) | Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => bytes.iter().fold("0x".into(), |mut text, byte| {
            let _ = write!(text, "{byte:02X}");
            text
        }),
        Value::Guid(bytes) => format!("{:032x}", u128::from_be_bytes(*bytes)),
        Value::DateTime(moment) => {
            let (hour, minute, second, milli) = moment.as_hms_milli();
            format!("{} {hour:02}:{minute:02}:{second:02}.{milli:03}", moment.date())
        }
    }
}

/// Rows as text, or `error N`.
pub fn said(given: &Result<Given, ServerError>) -> String {
    match given {
        Ok(given) => show(&given.rows),
        Err(error) => format!("error {}", error.number),
    }
}

/// Asks as the administrator.
pub fn ask(sql: &str) -> String {
    said(&query(1, sql))
}

/// Asks every query and compares all of them before failing.
pub fn expect(id: i32, cases: &[(&str, &str)]) {
    let mut session = login(&pool(), id);
    let mut wrong = String::new();
    for (sql, expected) in cases {
        let given = query_in(&mut session, sql);
        let found = said(&given);
        if found != *expected {
            let detail = given.err().map(|error| error.message).unwrap_or_default();
            let _ = write!(wrong, "\n{sql}\n  expected {expected:?}\n  found    {found:?} {detail}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

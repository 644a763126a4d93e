//! A pool with the table, the managed schema and the readers.

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_emulator::clock::FixedClock;
use axon_emulator::session::Session;
use axon_emulator::{Answer, Credentials, LoginRequest, Pool, PoolConfig, Value};
use axon_mapping::views::ProfileRow;
use axon_synapse::render::managed_schema;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::policy::{ACTING, Datum, OWNER, Reader, Row, name};

pub const NOW: OffsetDateTime = datetime!(2024-05-17 09:30 UTC);
pub const KEY: &str = "6a09e667f3bcc908b2fb1366ea957d3e3adec17512775099da2f590b0667322a";

pub struct Running {
    session: Session,
    _pool: Arc<Pool>,
}

fn quoted(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

fn literal(value: &Datum) -> String {
    match value {
        Datum::Null => "NULL".into(),
        Datum::Int(n) => n.to_string(),
        Datum::Cents(n) => crate::interpreter::cents(*n),
        Datum::Text(text) => quoted(text),
        Datum::Day(day) => format!("'{:04}{:02}{:02}'", day.year(), u8::from(day.month()), day.day()),
    }
}

impl Running {
    /// A pool without anything in it.
    pub fn empty() -> Self {
        let mut config = PoolConfig::new("sa", "secret");
        config.clock = Arc::new(FixedClock(NOW));
        let pool = Pool::new(config);
        let session = pool
            .login(LoginRequest {
                credentials: Credentials::Sql { user: "sa".into(), password: "secret".into() },
                database: Some("dw".into()),
                app_name: "tests".into(),
                host_name: "station".into(),
                client_addr: "127.0.0.1:50000".into(),
                language: None,
            })
            .unwrap();
        Self { session, _pool: pool }
    }

    pub fn start(rows: &[Row], people: &[Reader]) -> Self {
        let mut running = Self::empty();
        for batch in [
            "CREATE USER axon_owner WITHOUT LOGIN",
            "CREATE ROLE axon_finance",
            "CREATE ROLE axon_global",
            "CREATE ROLE AXON_IMPERSONATION",
            "CREATE SCHEMA sales AUTHORIZATION axon_owner",
            "CREATE SCHEMA secure AUTHORIZATION axon_owner",
            "CREATE TABLE sales.orders (qty smallint, amount decimal(6, 2), region nvarchar(20), \
             email varchar(30), [co]]de] char(6), placed date)",
        ] {
            running.run(batch);
        }
        for statement in managed_schema(name("axon"), name(OWNER)) {
            running.run(statement.as_str());
        }
        for column in ["region", "email"] {
            running.run(&format!("INSERT INTO axon.mask_keys VALUES (N'sales.orders.{column}', N'{KEY}')"));
        }
        for row in rows {
            let values: Vec<String> = row.iter().map(literal).collect();
            running.run(&format!("INSERT INTO sales.orders VALUES ({})", values.join(", ")));
        }
        for reader in people {
            let name = reader.person.principal;
            running.run(&format!("CREATE USER [{name}] WITHOUT LOGIN"));
            for role in reader.roles.iter().filter(|role| **role != "audit") {
                running.run(&format!("EXEC sp_addrolemember N'axon_{role}', N'{name}'"));
            }
        }
        running
    }

    pub fn write_profile(&mut self, rows: &BTreeSet<ProfileRow>) {
        for ProfileRow { principal, attribute, value } in rows {
            let values = [quoted(principal.as_str()), quoted(attribute), quoted(value)].join(", ");
            self.run(&format!("INSERT INTO axon.profile VALUES ({values})"));
        }
    }

    pub fn run(&mut self, batch: &str) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        for answer in self.session.batch(batch) {
            match answer {
                Answer::Error(error) => panic!("{error}\n{batch}"),
                Answer::Row(row) => rows.push(row),
                _ => {}
            }
        }
        rows
    }

    /// Writes the permission by which one reads as another, as the product does.
    pub fn let_act(&mut self, actor: &Reader, person: &Reader) {
        let (actor, whom) = (actor.person.principal, person.person.principal);
        self.run(&format!("EXEC sp_addrolemember N'{ACTING}', N'{actor}'"));
        let roles = person.roles.iter().filter(|role| **role != "audit").map(|role| format!("axon_{role}"));
        for role in std::iter::once(String::new()).chain(roles) {
            self.run(&format!(
                "INSERT INTO axon.acting SELECT N'{actor}', u.sid, N'{whom}', N'{role}', CAST('2030-01-01' AS datetime2(0)) \
                 FROM sys.database_principals u WHERE u.name = N'{actor}'"
            ));
        }
    }

    /// The id of the one session that everything here is done in.
    pub fn session_id(&mut self) -> String {
        let rows = self.run("SELECT SESSION_ID() AS id");
        shown(&rows[0][0]).unwrap()
    }

    /// Writes the permission by which one reads as another in a session, in the place of those that stood.
    pub fn let_act_here(&mut self, actor: &Reader, person: &Reader, session: &str) {
        let (actor, whom) = (actor.person.principal, person.person.principal);
        self.run("DELETE FROM axon.acting_sessions");
        let roles = person.roles.iter().filter(|role| **role != "audit").map(|role| format!("axon_{role}"));
        for role in std::iter::once(String::new()).chain(roles) {
            self.run(&format!(
                "INSERT INTO axon.acting_sessions SELECT N'{actor}', u.sid, N'{whom}', N'{role}', \
                 CAST('2030-01-01' AS datetime2(0)), N'{session}', CAST('2024-05-17' AS datetime2(3)) \
                 FROM sys.database_principals u WHERE u.name = N'{actor}'"
            ));
        }
    }

    /// What a person reads through the view with a key of the session that names another one.
    pub fn read_as(&mut self, reader: &Reader, whom: &Reader) -> Vec<Vec<Option<String>>> {
        let whom = whom.person.principal;
        self.run(&format!("EXEC sys.sp_set_session_context @key = N'axon_act_as', @value = N'{whom}'"));
        let rows = self.read(reader);
        self.run("EXEC sys.sp_set_session_context @key = N'axon_act_as', @value = NULL");
        rows
    }

    /// What a person reads through the view.
    pub fn read(&mut self, reader: &Reader) -> Vec<Vec<Option<String>>> {
        self.read_from(reader, "* FROM secure.orders")
    }

    /// What a person reads of these columns.
    pub fn read_from(&mut self, reader: &Reader, what: &str) -> Vec<Vec<Option<String>>> {
        self.run(&format!("EXECUTE AS USER = '{}'", reader.person.principal));
        let rows = self.run(&format!("SELECT {what}"));
        self.run("REVERT");
        rows.iter().map(|row| row.iter().map(shown).collect()).collect()
    }
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Int(number) => Some(number.to_string()),
        Value::Decimal(text) | Value::Text(text) => Some(text.clone()),
        Value::DateTime(moment) => Some(moment.date().to_string()),
        other => panic!("{other:?} is of no column's type"),
    }
}

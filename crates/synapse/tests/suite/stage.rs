//! The emulator with a small warehouse in it, a target as its Entra administrator, and clients beside the target.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axon_emulator::clock::MovableClock;
use axon_emulator::{Directory, Emulator, EmulatorConfig, PoolKind, Running};
use axon_model::SqlName;
use axon_reconcile::target::TokenError;
use axon_reconcile::{
    InspectScope, Inspection, ObjectName, Outcome, Permission, PrincipalKind, Securable, Seen, Sid, Step,
    Target as _, TokenSource, Wave,
};
use axon_synapse::{Auth, Connection, Dialect, SynapseTarget, Tls};
use secrecy::SecretString;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

pub const PASSWORD: &str = "Tr0ub4dor&3";
pub const HOSTILE: &str = "x]; DROP USER [dbo]--";

/// Tokens for people of the fake tenant: an unsigned JWT each.
pub const ADMIN: &str = "eyJhbGciOiJub25lIn0.eyJ1cG4iOiJhZG1pbkBhY21lLmNvbSJ9.";
pub const KIM: &str = "eyJhbGciOiJub25lIn0.eyJ1cG4iOiJraW1AYWNtZS5jb20ifQ.";

pub const LEE: &str = "eyJhbGciOiJub25lIn0.eyJ1cG4iOiJsZWVAYWNtZS5jb20ifQ.";

const TENANT: &str = r#"{
    "users": [
        {"upn": "admin@acme.com", "objectId": "00000000-0000-0000-0000-00000000000a"},
        {"upn": "kim@acme.com", "objectId": "01234567-89ab-cdef-0123-456789abcdef"},
        {"upn": "lee@acme.com", "objectId": "00000000-0000-0000-0000-00000000000c"},
        {"upn": "O'Brien@acme.com", "objectId": "00000000-0000-0000-0000-00000000000d"},
        {"upn": "x]; DROP USER [dbo]--", "objectId": "00000000-0000-0000-0000-00000000000e"}
    ],
    "groups": [
        {"displayName": "gr\u202eup", "objectId": "00000000-0000-0000-0000-0000000000f1"},
        {"displayName": "twins", "objectId": "00000000-0000-0000-0000-0000000000f2"},
        {"displayName": "twins", "objectId": "00000000-0000-0000-0000-0000000000f3"},
        {"displayName": "SG-Everybody", "objectId": "00000000-0000-0000-0000-0000000000f4", "members": ["kim@acme.com"]}
    ]
}"#;

const WAREHOUSE: [&str; 5] = [
    "CREATE SCHEMA [sales]",
    "CREATE SCHEMA [odd]]schema]",
    "CREATE TABLE [sales].[orders] ([id] int, [region] nvarchar(10), [amount] int)",
    "CREATE TABLE [odd]]schema].[t'able.with, dots)] ([c]]1] int)",
    "INSERT INTO [sales].[orders] VALUES (1, N'north', 100)",
];

#[derive(Debug)]
struct Token(&'static str);

#[async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<SecretString, TokenError> {
        Ok(SecretString::from(self.0))
    }
}

pub fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

pub fn orders() -> ObjectName {
    ObjectName { schema: name("sales"), name: name("orders") }
}

pub fn kim_sid() -> Option<Sid> {
    Sid::from_object_id("01234567-89ab-cdef-0123-456789abcdef")
}

/// To `axon_reader`.
pub fn grant(permission: Permission, on: Securable, columns: &[&str]) -> Step {
    let columns = columns.iter().map(|c| name(c)).collect();
    Step::Grant { grantee: name("axon_reader"), permission, on, columns }
}

/// What brings Kim into the role `axon_reader`.
pub fn joiner() -> Vec<Step> {
    vec![
        Step::CreateRole { name: name("axon_reader") },
        Step::CreatePrincipal { name: name("kim@acme.com"), kind: PrincipalKind::External, sid: kim_sid() },
        Step::AddMember { role: name("axon_reader"), member: name("kim@acme.com") },
        Step::AddMember { role: name("mediumrc"), member: name("kim@acme.com") },
        grant(Permission::Select, Securable::Object(orders()), &["id", "region"]),
        grant(Permission::Insert, Securable::Schema(name("sales")), &[]),
        grant(Permission::ViewDefinition, Securable::Database, &[]),
        Step::Deny {
            grantee: name("axon_reader"),
            permission: Permission::Delete,
            on: Securable::Object(orders()),
            columns: vec![],
        },
    ]
}

pub type Raw = Client<Compat<TcpStream>>;

pub struct Stage {
    pub emulator: Running,
    /// The pool's clock.
    pub clock: Arc<MovableClock>,
    dialect: Dialect,
}

impl Stage {
    pub async fn of(kind: PoolKind) -> Self {
        Self::with(kind, false).await
    }

    /// A database that Spark owns.
    pub async fn lake() -> Self {
        Self::with(PoolKind::Serverless, true).await
    }

    pub fn kind(&self) -> PoolKind {
        if self.dialect == Dialect::Dedicated { PoolKind::Dedicated } else { PoolKind::Serverless }
    }

    /// A serverless pool in which VIEW SERVER STATE alone shows the sessions of others.
    pub async fn serverless_whose_sessions_are_the_servers() -> Self {
        let mut config = EmulatorConfig::new("sa", PASSWORD);
        config.pool.sessions_at_server = true;
        Self::from(config, PoolKind::Serverless, false).await
    }

    async fn with(kind: PoolKind, lake: bool) -> Self {
        Self::from(EmulatorConfig::new("sa", PASSWORD), kind, lake).await
    }

    async fn from(mut config: EmulatorConfig, kind: PoolKind, lake: bool) -> Self {
        config.pool.kind = kind;
        config.pool.lake = lake;
        config.pool.entra_admin = Some("admin@acme.com".into());
        config.pool.directory = Directory::parse(TENANT).unwrap();
        let clock = Arc::new(MovableClock::default());
        config.pool.clock = clock.clone();
        let emulator = Emulator::bind("127.0.0.1:0", config).await.unwrap().spawn();
        let dialect = match kind {
            PoolKind::Dedicated => Dialect::Dedicated,
            PoolKind::Serverless => Dialect::Serverless,
        };
        Self { emulator, clock, dialect }
    }

    /// A dedicated pool with the warehouse in it.
    pub async fn dedicated() -> Self {
        let stage = Self::of(PoolKind::Dedicated).await;
        let mut raw = stage.raw(AuthMethod::sql_server("sa", PASSWORD)).await.unwrap();
        for statement in WAREHOUSE {
            run(&mut raw, statement).await.unwrap();
        }
        stage
    }

    /// A serverless pool with what it can hold of the warehouse.
    pub async fn serverless() -> Self {
        let stage = Self::of(PoolKind::Serverless).await;
        let mut raw = stage.raw(AuthMethod::sql_server("sa", PASSWORD)).await.unwrap();
        let views = "CREATE VIEW [sales].[orders] AS SELECT 1 AS id, N'north' AS region, 100 AS amount";
        for statement in [WAREHOUSE[0], WAREHOUSE[1], views] {
            run(&mut raw, statement).await.unwrap();
        }
        stage
    }

    pub fn connection(&self, auth: Auth) -> Connection {
        Connection {
            host: "127.0.0.1".into(),
            port: self.emulator.address().port(),
            database: name("dw"),
            tls: Tls::Off,
            auth,
            login_timeout: Duration::from_secs(10),
            command_timeout: Duration::from_secs(10),
        }
    }

    pub fn target_as(&self, auth: Auth) -> SynapseTarget {
        SynapseTarget::new("warehouse", self.dialect, self.connection(auth)).unwrap()
    }

    /// As the Entra administrator.
    pub fn target(&self) -> SynapseTarget {
        self.target_as(token(ADMIN))
    }

    /// A client that is not ours.
    pub async fn raw(&self, auth: AuthMethod) -> Result<Raw, tiberius::error::Error> {
        self.raw_in("dw", auth).await
    }

    pub async fn raw_in(&self, database: &str, auth: AuthMethod) -> Result<Raw, tiberius::error::Error> {
        let mut config = Config::new();
        config.host("127.0.0.1");
        config.port(self.emulator.address().port());
        config.database(database);
        config.encryption(EncryptionLevel::NotSupported);
        config.authentication(auth);
        let stream = TcpStream::connect(self.emulator.address()).await.unwrap();
        Box::pin(Client::connect(config, stream.compat_write())).await
    }

    /// What the catalog answers to a query of one text column, as `sa` sees it.
    pub async fn catalog(&self, sql: &str) -> Vec<String> {
        let mut raw = self.raw(AuthMethod::sql_server("sa", PASSWORD)).await.unwrap();
        let rows = run(&mut raw, sql).await.unwrap();
        rows.iter().map(|row| row.get::<&str, _>(0).unwrap().to_owned()).collect()
    }
}

pub fn token(jwt: &'static str) -> Auth {
    Auth::Token(Arc::new(Token(jwt)))
}

pub async fn run(raw: &mut Raw, sql: &str) -> Result<Vec<Row>, tiberius::error::Error> {
    raw.simple_query(sql.to_owned()).await?.into_first_result().await
}

/// Applies steps, all of which must be done, and reads each back.
pub async fn apply(target: &SynapseTarget, steps: &[Step]) {
    let wave = Wave::for_test(steps.to_vec());
    let outcomes = target.apply(&wave).await;
    for (step, outcome) in steps.iter().zip(&outcomes) {
        assert!(matches!(outcome, Outcome::Done { .. }), "{step}: {outcome:?}");
    }
    let seen = target.read_back(&wave).await.unwrap();
    for (step, seen) in steps.iter().zip(&seen) {
        assert_eq!(*seen, Seen::InForce, "{step}");
    }
    assert_eq!((outcomes.len(), seen.len()), (steps.len(), steps.len()));
}

pub async fn outcomes(target: &SynapseTarget, steps: &[Step]) -> Vec<Outcome> {
    target.apply(&Wave::for_test(steps.to_vec())).await
}

pub async fn inspect(target: &SynapseTarget) -> Inspection {
    target.inspect(InspectScope::Full).await.unwrap()
}

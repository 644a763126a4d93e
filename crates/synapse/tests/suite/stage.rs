//! A small warehouse in the emulator, or in the server that the environment names; a target as its administrator, and clients beside
//! the target.

use std::sync::Arc;

use axon_emulator::clock::MovableClock;
use axon_emulator::{Directory, Emulator, EmulatorConfig, PoolKind, Running};
use axon_model::SqlName;
use axon_reconcile::{
    InspectScope, Inspection, ObjectName, Outcome, Permission, PrincipalKind, Securable, Seen, Sid, Step,
    Target as _, Wave,
};
use axon_synapse::{Auth, Connection, Dialect, SynapseTarget};
use tiberius::AuthMethod;
use tiberius::error::Error;

use crate::ability::Ability;
use crate::named;
use crate::place::{Entry, OURS, Place};
pub use crate::place::{PASSWORD, Raw, run};
use crate::tidy::tidy;

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

/// The tables as views, where a pool has no tables.
const ORDERS: &str = "CREATE VIEW [sales].[orders] AS SELECT 1 AS id, N'north' AS region, 100 AS amount";
const ODD: &str = "CREATE VIEW [odd]]schema].[t'able.with, dots)] AS SELECT 1 AS [c]]1]";

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

/// Who enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The emulator's SQL administrator; on a named server whoever it is entered as.
    Sa,
    /// The Entra administrator; on a named server whoever it is entered as.
    Admin,
    /// People of the directory; on a named server SQL logins.
    Kim,
    Lee,
}

/// What only the emulator has.
struct Levers {
    running: Running,
    clock: Arc<MovableClock>,
}

pub struct Stage {
    place: Place,
    levers: Option<Levers>,
}

impl Stage {
    pub async fn of(kind: PoolKind) -> Self {
        match Self::on_the_named_server(kind).await {
            Some(stage) => stage,
            None => Self::with(kind, false).await,
        }
    }

    /// A database that Spark owns.
    pub async fn lake() -> Self {
        Self::with(PoolKind::Serverless, true).await
    }

    pub fn kind(&self) -> PoolKind {
        if self.dialect() == Dialect::Dedicated { PoolKind::Dedicated } else { PoolKind::Serverless }
    }

    pub fn dialect(&self) -> Dialect {
        self.place.dialect
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
        assert!(named::place().is_none(), "a named server is no emulator: ask for the lever");
        config.pool.lake = lake;
        let clock = Arc::new(MovableClock::default());
        config.pool.clock = clock.clone();
        let (place, running) = emulator(config, kind).await;
        Self { place, levers: Some(Levers { running, clock }) }
    }

    /// The server of the environment, tidy, where this test is played on one.
    async fn on_the_named_server(kind: PoolKind) -> Option<Self> {
        let (place, found) = named::place()?;
        tidy(&place, &found.kept).await;
        let stage = Self { place, levers: None };
        // A story of dedicated pools goes as well with what another dialect can do, unless it asks for the dialect.
        assert!(kind == PoolKind::Dedicated || stage.kind() == kind, "ask for the dialect");
        Some(stage)
    }

    /// A dedicated pool with the warehouse in it; a named server with what it can hold of it.
    pub async fn dedicated() -> Self {
        let stage = Self::of(PoolKind::Dedicated).await;
        if stage.emulated() {
            stage.prepare(&WAREHOUSE).await;
        } else {
            stage.prepare_what_it_can().await;
        }
        stage
    }

    /// A serverless pool with what it can hold of the warehouse.
    pub async fn serverless() -> Self {
        let stage = Self::of(PoolKind::Serverless).await;
        if stage.emulated() {
            stage.prepare(&[WAREHOUSE[0], WAREHOUSE[1], ORDERS]).await;
        } else {
            stage.prepare_what_it_can().await;
        }
        stage
    }

    /// One or the other.
    pub async fn with_orders(kind: PoolKind) -> Self {
        match kind {
            PoolKind::Dedicated => Self::dedicated().await,
            PoolKind::Serverless => Self::serverless().await,
        }
    }

    async fn prepare(&self, statements: &[&str]) {
        let mut raw = self.enter(Who::Sa).await.unwrap();
        for statement in statements {
            run(&mut raw, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    async fn prepare_what_it_can(&self) {
        let tables = named::can(Ability::Tables);
        self.prepare(&WAREHOUSE[..1]).await;
        self.prepare(if tables { &[WAREHOUSE[2], WAREHOUSE[4]] } else { &[ORDERS] }).await;
        if named::can(Ability::Brackets) {
            self.prepare(&[WAREHOUSE[1], if tables { WAREHOUSE[3] } else { ODD }]).await;
        }
    }

    pub fn emulated(&self) -> bool {
        self.levers.is_some()
    }

    /// The emulator itself. A test that takes it asks for a lever first.
    pub fn emulator(&self) -> &Running {
        &self.levers.as_ref().expect("a named server has no levers").running
    }

    /// The pool's clock. A test that takes it asks for the lever first.
    pub fn clock(&self) -> &Arc<MovableClock> {
        &self.levers.as_ref().expect("a named server has no levers").clock
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn connection(&self, auth: Auth) -> Connection {
        self.place.connection(auth)
    }

    pub fn target_as(&self, auth: Auth) -> SynapseTarget {
        self.place.target_as(auth)
    }

    /// As the Entra administrator.
    pub fn target(&self) -> SynapseTarget {
        self.place.target()
    }

    pub fn target_of(&self, who: Who) -> SynapseTarget {
        self.place.target_as(self.entry(who).auth())
    }

    fn entry(&self, who: Who) -> Entry {
        match (who, self.emulated()) {
            (Who::Sa, true) => Entry::Sql("sa".into(), PASSWORD.into()),
            (Who::Kim, true) => Entry::Token(KIM.into()),
            (Who::Lee, true) => Entry::Token(LEE.into()),
            (Who::Sa | Who::Admin, _) => self.place.admin.clone(),
            (Who::Kim | Who::Lee, false) => Entry::Sql(self.called(who).as_str().into(), PASSWORD.into()),
        }
    }

    /// The name that somebody's user has.
    fn called(&self, who: Who) -> SqlName {
        match (who, self.emulated()) {
            (Who::Sa | Who::Admin, _) => panic!("{who:?} has no user"),
            (Who::Kim, true) => name("kim@acme.com"),
            (Who::Lee, true) => name("lee@acme.com"),
            (Who::Kim, false) => name(&format!("{OURS}kim")),
            (Who::Lee, false) => name(&format!("{OURS}lee")),
        }
    }

    pub fn kim(&self) -> SqlName {
        self.called(Who::Kim)
    }

    pub fn lee(&self) -> SqlName {
        self.called(Who::Lee)
    }

    /// What a user of these people is: external, or a SQL user on a named server.
    pub fn kind_of_people(&self) -> PrincipalKind {
        if self.emulated() { PrincipalKind::External } else { PrincipalKind::Sql }
    }

    /// Somebody gets a user: by Axon's own step, or as a SQL user, which Axon never makes.
    pub async fn comes(&self, target: &SynapseTarget, who: Who) {
        let name = self.called(who);
        if self.emulated() {
            let sid = if who == Who::Kim { kim_sid() } else { None };
            apply(target, &[Step::CreatePrincipal { name, kind: PrincipalKind::External, sid }]).await;
        } else {
            self.place.make_login(name.as_str()).await.unwrap();
        }
    }

    /// A role that the pool has of itself.
    pub fn given_role(&self) -> SqlName {
        name(match (self.emulated(), self.dialect()) {
            (true, Dialect::Dedicated) => "mediumrc",
            (true, Dialect::Serverless | Dialect::Server) => "db_datareader",
            (false, _) => "db_securityadmin",
        })
    }

    /// [`joiner`], as far as Axon's steps can do it here.
    pub fn joiner(&self) -> Vec<Step> {
        let (kim, given) = (self.kim(), self.given_role());
        let mut steps = joiner();
        for step in &mut steps {
            if let Step::AddMember { role, member } = step {
                *member = kim;
                if *role == name("mediumrc") {
                    *role = given;
                }
            }
        }
        steps.retain(|step| self.emulated() || !matches!(step, Step::CreatePrincipal { .. }));
        steps
    }

    /// Kim comes and joins.
    pub async fn joins(&self, target: &SynapseTarget) {
        if !self.emulated() {
            self.comes(target, Who::Kim).await;
        }
        apply(target, &self.joiner()).await;
    }

    /// The statement of the dialect that puts somebody into a role.
    pub fn adds(&self, role: &str, member: &str) -> String {
        match self.dialect() {
            Dialect::Dedicated => format!("EXEC sp_addrolemember N'{role}', N'{member}'"),
            Dialect::Serverless | Dialect::Server => format!("ALTER ROLE [{role}] ADD MEMBER [{member}]"),
        }
    }

    pub async fn enter(&self, who: Who) -> Result<Raw, Error> {
        self.place.raw(self.entry(who).method()).await
    }

    /// As whoever a token of the emulator's tenant names.
    pub async fn raw(&self, auth: AuthMethod) -> Result<Raw, Error> {
        self.place.raw(auth).await
    }

    pub async fn raw_in(&self, database: &str, auth: AuthMethod) -> Result<Raw, Error> {
        self.place.dial(database, auth).await
    }

    /// What the catalog answers to a query of one text column, as `sa` sees it.
    pub async fn catalog(&self, sql: &str) -> Vec<String> {
        let mut raw = self.enter(Who::Sa).await.unwrap();
        let rows = run(&mut raw, sql).await.unwrap();
        rows.iter().map(|row| row.get::<&str, _>(0).unwrap().to_owned()).collect()
    }
}

/// An emulated pool with the tenant, and where it is.
pub async fn emulator(mut config: EmulatorConfig, kind: PoolKind) -> (Place, Running) {
    config.pool.kind = kind;
    config.pool.entra_admin = Some("admin@acme.com".into());
    config.pool.directory = Directory::parse(TENANT).unwrap();
    let running = Emulator::bind("127.0.0.1:0", config).await.unwrap().spawn();
    let dialect = match kind {
        PoolKind::Dedicated => Dialect::Dedicated,
        PoolKind::Serverless => Dialect::Serverless,
    };
    (Place::emulated(running.address(), dialect, Entry::Token(ADMIN.into())), running)
}

pub fn token(jwt: &str) -> Auth {
    Entry::Token(jwt.to_owned()).auth()
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

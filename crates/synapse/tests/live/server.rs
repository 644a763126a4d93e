//! A server to play on: the emulator, or the one that the environment names.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axon_emulator::{Directory, Emulator, EmulatorConfig, PoolKind, Running};
use axon_model::SqlName;
use axon_reconcile::target::TokenError;
use axon_reconcile::{InspectScope, Inspection, Outcome, Seen, Step, Target as _, TokenSource, Wave};
use axon_synapse::{Auth, Connection, Dialect, SynapseTarget, Tls};
use secrecy::SecretString;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use crate::people::{DIRECTORY, admin_token};

/// What everything that a case makes begins with: whatever begins so is dropped.
pub const OURS: &str = "axon_live_";
const PASSWORD: &str = "Tr0ub4dor&3";

pub type Raw = Client<Compat<TcpStream>>;

pub fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

/// A name of ours.
pub fn ours(text: &str) -> SqlName {
    name(&format!("{OURS}{text}"))
}

#[derive(Debug)]
struct Token(String);

#[async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<SecretString, TokenError> {
        Ok(SecretString::from(self.0.clone()))
    }
}

#[derive(Clone)]
enum Entry {
    Sql(String, String),
    Token(String),
}

/// A server, and how it is entered.
pub struct Server {
    host: String,
    port: u16,
    database: String,
    tls: Tls,
    entry: Entry,
    pub dialect: Dialect,
    /// A person that the server's directory knows, and whom cases may create and drop.
    pub person: Option<String>,
    _emulator: Option<Running>,
}

impl Server {
    pub async fn emulated(kind: PoolKind) -> Self {
        let mut config = EmulatorConfig::new("sa", PASSWORD);
        config.pool.kind = kind;
        config.pool.entra_admin = Some("admin@acme.com".into());
        config.pool.directory = Directory::parse(DIRECTORY).unwrap();
        let emulator = Emulator::bind("127.0.0.1:0", config).await.unwrap().spawn();
        Self {
            host: "127.0.0.1".into(),
            port: emulator.address().port(),
            database: "dw".into(),
            tls: Tls::Off,
            entry: Entry::Token(admin_token()),
            dialect: if kind == PoolKind::Dedicated { Dialect::Dedicated } else { Dialect::Serverless },
            person: Some("kim@acme.com".into()),
            _emulator: Some(emulator),
        }
    }

    /// The server of the environment, if it names one.
    pub fn named() -> Option<Self> {
        let set = |key: &str| std::env::var(key).ok().filter(|value| !value.is_empty());
        let place = set("AXON_LIVE_TDS")?;
        let (address, database) = place.split_once('/').expect("AXON_LIVE_TDS is host:port/database");
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "1433"));
        let entry = match (set("AXON_LIVE_TDS_TOKEN_FILE"), set("AXON_LIVE_TDS_USER")) {
            (Some(file), _) => Entry::Token(std::fs::read_to_string(file).unwrap().trim().to_owned()),
            (None, Some(user)) => Entry::Sql(user, set("AXON_LIVE_TDS_PASSWORD").unwrap_or_default()),
            (None, None) => {
                panic!("set AXON_LIVE_TDS_USER and AXON_LIVE_TDS_PASSWORD, or AXON_LIVE_TDS_TOKEN_FILE")
            }
        };
        let tls = match set("AXON_LIVE_TDS_TLS").as_deref() {
            None | Some("system") => Tls::Verify,
            Some("off") => Tls::Off,
            Some(file) => Tls::Ca(std::fs::read(file).unwrap()),
        };
        let dialect = match set("AXON_LIVE_TDS_DIALECT").as_deref() {
            None | Some("dedicated") => Dialect::Dedicated,
            Some("serverless") => Dialect::Serverless,
            Some(other) => panic!("AXON_LIVE_TDS_DIALECT is dedicated or serverless, not {other}"),
        };
        Some(Self {
            host: host.to_owned(),
            port: port.parse().expect("a port"),
            database: database.to_owned(),
            tls,
            entry,
            dialect,
            person: set("AXON_LIVE_TDS_PERSON"),
            _emulator: None,
        })
    }

    pub fn database(&self) -> SqlName {
        name(&self.database)
    }

    pub fn target_with(&self, auth: Auth) -> SynapseTarget {
        let connection = Connection {
            host: self.host.clone(),
            port: self.port,
            database: self.database(),
            tls: self.tls.clone(),
            auth,
            login_timeout: Duration::from_mins(1),
            command_timeout: Duration::from_mins(1),
        };
        SynapseTarget::new("live", self.dialect, connection).unwrap()
    }

    pub fn target(&self) -> SynapseTarget {
        self.target_with(match &self.entry {
            Entry::Sql(user, password) => Auth::Sql { user: user.clone(), password: password.clone().into() },
            Entry::Token(token) => Auth::Token(Arc::new(Token(token.clone()))),
        })
    }

    /// A client that is not Axon's, as whoever the server is entered as.
    pub async fn raw(&self) -> Raw {
        let auth = match &self.entry {
            Entry::Sql(user, password) => AuthMethod::sql_server(user, password),
            Entry::Token(token) => AuthMethod::aad_token(token),
        };
        self.raw_as(auth)
            .await
            .unwrap_or_else(|e| panic!("{}:{} cannot be entered: {e}", self.host, self.port))
    }

    pub async fn raw_as(&self, auth: AuthMethod) -> Result<Raw, String> {
        self.raw_in(&self.database, auth).await
    }

    async fn raw_in(&self, database: &str, auth: AuthMethod) -> Result<Raw, String> {
        let mut config = Config::new();
        config.host(&self.host);
        config.port(self.port);
        config.database(database);
        config.authentication(auth);
        match &self.tls {
            Tls::Off => config.encryption(EncryptionLevel::NotSupported),
            _ => config.encryption(EncryptionLevel::Required),
        }
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Box::pin(Client::connect(config, stream.compat_write())).await.map_err(|e| e.to_string())
    }

    /// Runs statements, each alone; the first that fails ends it.
    pub async fn run(&self, statements: &[String]) -> Result<(), String> {
        let mut raw = self.raw().await;
        for statement in statements {
            query(&mut raw, statement).await.map_err(|words| format!("{statement}: {words}"))?;
        }
        Ok(())
    }

    /// Drops whatever is ours. What cannot be dropped in the first round may be in the second.
    pub async fn tidy(&self) {
        for _ in 0..2 {
            let mut raw = self.raw().await;
            let ours = format!("{OURS}%");
            let people = self.person.as_deref().unwrap_or("axon_live_nobody").replace('\'', "''");
            let find = [
                (
                    "VIEW",
                    format!(
                        "SELECT s.name + '].[' + o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE s.name LIKE '{ours}' AND o.type = 'V'"
                    ),
                ),
                (
                    "TABLE",
                    format!(
                        "SELECT s.name + '].[' + o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE s.name LIKE '{ours}' AND o.type = 'U'"
                    ),
                ),
                ("SCHEMA", format!("SELECT name FROM sys.schemas WHERE name LIKE '{ours}'")),
                (
                    "members",
                    format!(
                        "SELECT r.name, u.name FROM sys.database_role_members m JOIN sys.database_principals r ON r.principal_id = m.role_principal_id JOIN sys.database_principals u ON u.principal_id = m.member_principal_id WHERE r.name LIKE '{ours}'"
                    ),
                ),
                (
                    "USER",
                    format!(
                        "SELECT name FROM sys.database_principals WHERE type <> 'R' AND (name LIKE '{ours}' OR name = N'{people}')"
                    ),
                ),
                (
                    "ROLE",
                    format!(
                        "SELECT name FROM sys.database_principals WHERE type = 'R' AND name LIKE '{ours}'"
                    ),
                ),
            ];
            for (what, select) in find {
                let found = query(&mut raw, &select).await.unwrap_or_default();
                for row in found {
                    let one = row.get::<&str, _>(0).unwrap_or_default();
                    let statement = match (what, self.dialect) {
                        ("members", dialect) => {
                            let member = row.get::<&str, _>(1).unwrap_or_default();
                            match dialect {
                                Dialect::Dedicated => format!(
                                    "EXEC sp_droprolemember N'{}', N'{}'",
                                    one.replace('\'', "''"),
                                    member.replace('\'', "''")
                                ),
                                Dialect::Serverless | Dialect::Server => format!(
                                    "ALTER ROLE [{}] DROP MEMBER [{}]",
                                    one.replace(']', "]]"),
                                    member.replace(']', "]]")
                                ),
                            }
                        }
                        ("VIEW" | "TABLE", _) => format!("DROP {what} [{one}]"),
                        _ => format!("DROP {what} [{}]", one.replace(']', "]]")),
                    };
                    let _ = query(&mut raw, &statement).await;
                }
            }
            let drop = format!("DROP LOGIN [{OURS}login]");
            if query(&mut raw, &drop).await.is_err() {
                let _ = self.in_master(&drop).await;
            }
        }
    }

    /// A statement in `master`, where some servers keep logins.
    async fn in_master(&self, statement: &str) -> Result<(), String> {
        let auth = match &self.entry {
            Entry::Sql(user, password) => AuthMethod::sql_server(user, password),
            Entry::Token(token) => AuthMethod::aad_token(token),
        };
        let mut raw = self.raw_in("master", auth).await?;
        query(&mut raw, statement).await.map(drop)
    }

    /// A SQL login with a user of its name in the database.
    pub async fn make_login(&self) -> Result<(), String> {
        let create = format!("CREATE LOGIN [{OURS}login] WITH PASSWORD = '{PASSWORD}'");
        if let Err(here) = self.run(std::slice::from_ref(&create)).await {
            self.in_master(&create).await.map_err(|there| format!("{here}; in master: {there}"))?;
        }
        self.run(&[format!("CREATE USER [{OURS}login] FOR LOGIN [{OURS}login]")]).await
    }

    /// Enters as that login.
    pub async fn enter(&self) -> Result<Raw, String> {
        self.raw_as(AuthMethod::sql_server(format!("{OURS}login"), PASSWORD)).await
    }

    pub async fn inspect(&self) -> Result<Inspection, String> {
        self.target().inspect(InspectScope::Full).await.map_err(|e| e.to_string())
    }

    /// Applies steps, all of which must be done and seen.
    pub async fn apply(&self, steps: &[Step]) -> Result<(), String> {
        let target = self.target();
        let wave = Wave::for_test(steps.to_vec());
        for (step, outcome) in steps.iter().zip(target.apply(&wave).await) {
            if !matches!(outcome, Outcome::Done { .. }) {
                return Err(format!("{step}: {outcome:?}"));
            }
        }
        let seen = target.read_back(&wave).await.map_err(|e| e.to_string())?;
        match steps.iter().zip(seen).find(|(_, seen)| *seen != Seen::InForce) {
            Some((step, _)) => Err(format!("{step}: done, and the catalog does not show it")),
            None => Ok(()),
        }
    }

    pub async fn outcomes(&self, steps: &[Step]) -> Vec<Outcome> {
        self.target().apply(&Wave::for_test(steps.to_vec())).await
    }

    pub async fn greeting(&self) -> String {
        let greeting = self.target().greet().await.unwrap();
        format!("{} (EngineEdition {}), entered as {}", greeting.version, greeting.edition, greeting.own)
    }
}

/// Rows of the first result set.
pub async fn query(raw: &mut Raw, sql: &str) -> Result<Vec<Row>, String> {
    let stream = raw.simple_query(sql.to_owned()).await.map_err(|e| e.to_string())?;
    stream.into_first_result().await.map_err(|e| e.to_string())
}

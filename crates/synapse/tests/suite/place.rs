//! Where a server is, and how it is entered: the emulator of a test, or the server that the environment names.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axon_model::SqlName;
use axon_reconcile::TokenSource;
use axon_reconcile::target::TokenError;
use axon_synapse::{Auth, Connection, Dialect, SynapseTarget, Tls};
use secrecy::SecretString;
use tiberius::error::Error;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

pub const PASSWORD: &str = "Tr0ub4dor&3";
/// What logins of a named server begin with, and what the oldest cases call everything.
pub const OURS: &str = "axon_live_";

pub type Raw = Client<Compat<TcpStream>>;

#[derive(Debug)]
struct Token(String);

#[async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<SecretString, TokenError> {
        Ok(SecretString::from(self.0.clone()))
    }
}

#[derive(Clone)]
pub enum Entry {
    Sql(String, String),
    Token(String),
}

impl Entry {
    pub fn auth(&self) -> Auth {
        match self {
            Self::Sql(user, password) => Auth::Sql { user: user.clone(), password: password.clone().into() },
            Self::Token(token) => Auth::Token(Arc::new(Token(token.clone()))),
        }
    }

    pub fn method(&self) -> AuthMethod {
        match self {
            Self::Sql(user, password) => AuthMethod::sql_server(user, password),
            Self::Token(token) => AuthMethod::aad_token(token),
        }
    }
}

/// A server.
#[derive(Clone)]
pub struct Place {
    host: String,
    port: u16,
    database: String,
    tls: Tls,
    patience: Duration,
    pub admin: Entry,
    pub dialect: Dialect,
    /// A person that the server's directory knows, and whom tests may create and drop.
    pub person: Option<String>,
}

/// A variable that is set to something.
pub fn variable(key: &str) -> Option<String> {
    std::env::var(key).ok().filter(|value| !value.is_empty())
}

impl Place {
    /// An emulator on this machine.
    pub fn emulated(address: SocketAddr, dialect: Dialect, admin: Entry) -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: address.port(),
            database: "dw".into(),
            tls: Tls::Off,
            patience: Duration::from_secs(10),
            admin,
            dialect,
            person: Some("kim@acme.com".into()),
        }
    }

    /// The server of the environment, if it names one.
    pub fn named() -> Option<Self> {
        let place = variable("AXON_LIVE_TDS")?;
        let (address, database) = place.split_once('/').expect("AXON_LIVE_TDS is host:port/database");
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "1433"));
        let admin = match (variable("AXON_LIVE_TDS_TOKEN_FILE"), variable("AXON_LIVE_TDS_USER")) {
            (Some(file), _) => Entry::Token(std::fs::read_to_string(file).unwrap().trim().to_owned()),
            (None, Some(user)) => Entry::Sql(user, variable("AXON_LIVE_TDS_PASSWORD").unwrap_or_default()),
            (None, None) => {
                panic!("set AXON_LIVE_TDS_USER and AXON_LIVE_TDS_PASSWORD, or AXON_LIVE_TDS_TOKEN_FILE")
            }
        };
        let tls = match variable("AXON_LIVE_TDS_TLS").as_deref() {
            None | Some("system") => Tls::Verify,
            Some("off") => Tls::Off,
            Some(file) => Tls::Ca(std::fs::read(file).unwrap()),
        };
        let dialect = match variable("AXON_LIVE_TDS_DIALECT").as_deref() {
            None | Some("dedicated") => Dialect::Dedicated,
            Some("serverless") => Dialect::Serverless,
            Some(other) => panic!("AXON_LIVE_TDS_DIALECT is dedicated or serverless, not {other}"),
        };
        Some(Self {
            host: host.to_owned(),
            port: port.parse().expect("a port"),
            database: database.to_owned(),
            tls,
            patience: Duration::from_mins(1),
            admin,
            dialect,
            person: variable("AXON_LIVE_TDS_PERSON"),
        })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn database(&self) -> SqlName {
        SqlName::parse(&self.database).unwrap()
    }

    pub fn connection(&self, auth: Auth) -> Connection {
        Connection {
            host: self.host.clone(),
            port: self.port,
            database: self.database(),
            tls: self.tls.clone(),
            auth,
            login_timeout: self.patience,
            command_timeout: self.patience,
        }
    }

    pub fn target_as(&self, auth: Auth) -> SynapseTarget {
        SynapseTarget::new("warehouse", self.dialect, self.connection(auth)).unwrap()
    }

    pub fn target(&self) -> SynapseTarget {
        self.target_as(self.admin.auth())
    }

    /// A client that is not Axon's.
    pub async fn dial(&self, database: &str, method: AuthMethod) -> Result<Raw, Error> {
        let mut config = Config::new();
        config.host(&self.host);
        config.port(self.port);
        config.database(database);
        config.authentication(method);
        match &self.tls {
            Tls::Off => config.encryption(EncryptionLevel::NotSupported),
            _ => config.encryption(EncryptionLevel::Required),
        }
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Box::pin(Client::connect(config, stream.compat_write())).await
    }

    pub async fn raw(&self, method: AuthMethod) -> Result<Raw, Error> {
        self.dial(&self.database, method).await
    }

    /// As whoever the server is entered as.
    pub async fn admin(&self) -> Raw {
        let raw = self.raw(self.admin.method()).await;
        raw.unwrap_or_else(|e| panic!("{}:{} cannot be entered: {e}", self.host, self.port))
    }

    /// Runs statements, each alone; the first that fails ends it.
    pub async fn run(&self, statements: &[String]) -> Result<(), String> {
        let mut raw = self.admin().await;
        for statement in statements {
            query(&mut raw, statement).await.map_err(|words| format!("{statement}: {words}"))?;
        }
        Ok(())
    }

    /// A statement about logins: some servers take it in `master` only.
    pub async fn about_logins(&self, statement: &str) -> Result<(), String> {
        let Err(here) = self.run(&[statement.to_owned()]).await else { return Ok(()) };
        let there = match self.dial("master", self.admin.method()).await {
            Ok(mut raw) => query(&mut raw, statement).await.map(drop),
            Err(error) => Err(error.to_string()),
        };
        there.map_err(|there| format!("{here}; in master: {there}"))
    }

    /// A SQL login with a user of its name in the database. A login that is there stays what it is.
    pub async fn make_login(&self, login: &str) -> Result<(), String> {
        let made = self.about_logins(&format!("CREATE LOGIN [{login}] WITH PASSWORD = '{PASSWORD}'")).await;
        match self.run(&[format!("CREATE USER [{login}] FOR LOGIN [{login}]")]).await {
            Ok(()) => Ok(()),
            Err(words) => Err(made.err().unwrap_or(words)),
        }
    }

    /// Enters as a login that was made so.
    pub async fn enter(&self, login: &str) -> Result<Raw, Error> {
        self.raw(AuthMethod::sql_server(login, PASSWORD)).await
    }

    pub async fn greeting(&self) -> String {
        let greeting = self.target().greet().await.unwrap();
        format!("{} (EngineEdition {}), entered as {}", greeting.version, greeting.edition, greeting.own)
    }
}

/// Rows of the first result set.
pub async fn run(raw: &mut Raw, sql: &str) -> Result<Vec<Row>, Error> {
    raw.simple_query(sql.to_owned()).await?.into_first_result().await
}

/// The same, with an error as the server's words.
pub async fn query(raw: &mut Raw, sql: &str) -> Result<Vec<Row>, String> {
    run(raw, sql).await.map_err(|error| error.to_string())
}

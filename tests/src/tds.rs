//! A TDS client of the suites' own.

use anyhow::Context;
use tiberius::error::Error;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

/// A session.
pub struct Tds(Client<Compat<TcpStream>>);

/// The server's error number, if the server refused.
pub fn number(error: &Error) -> Option<u32> {
    match error {
        Error::Server(token) => Some(token.code()),
        _ => None,
    }
}

impl Tds {
    /// Enters with SQL authentication.
    pub async fn with_password(address: &str, user: &str, password: &str) -> Result<Self, Error> {
        Self::enter(address, "dw", AuthMethod::sql_server(user, password)).await
    }

    /// The same in another database, such as `master`.
    pub async fn in_database(
        address: &str,
        database: &str,
        user: &str,
        password: &str,
    ) -> Result<Self, Error> {
        Self::enter(address, database, AuthMethod::sql_server(user, password)).await
    }

    /// Enters another database with an access token.
    pub async fn with_token_in(address: &str, database: &str, token: &str) -> Result<Self, Error> {
        Self::enter(address, database, AuthMethod::aad_token(token)).await
    }

    /// Enters with an access token.
    pub async fn with_token(address: &str, token: &str) -> Result<Self, Error> {
        Self::enter(address, "dw", AuthMethod::aad_token(token)).await
    }

    async fn enter(address: &str, database: &str, auth: AuthMethod) -> Result<Self, Error> {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "1433"));
        let mut config = Config::new();
        config.host(host);
        config.port(port.parse().unwrap_or(1433));
        config.database(database);
        config.authentication(auth);
        config.encryption(EncryptionLevel::NotSupported);
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        // The handshake is a large state machine: it is not copied into every test's own.
        Ok(Self(Box::pin(Client::connect(config, stream.compat_write())).await?))
    }

    /// Runs one batch.
    pub async fn run(&mut self, batch: &str) -> Result<(), Error> {
        self.0.simple_query(batch).await?.into_results().await.map(drop)
    }

    /// The first result set of a query whose columns are all texts.
    pub async fn rows(&mut self, query: &str) -> anyhow::Result<Vec<Vec<Option<String>>>> {
        let rows = self.0.simple_query(query).await?.into_first_result().await?;
        let cells = |row: tiberius::Row| {
            (0..row.len())
                .map(|i| {
                    Ok(row.try_get::<&str, _>(i).with_context(|| format!("column {i}"))?.map(str::to_owned))
                })
                .collect()
        };
        rows.into_iter().map(cells).collect()
    }

    /// The first column of a query, which holds texts.
    pub async fn column(&mut self, query: &str) -> anyhow::Result<Vec<String>> {
        let rows = self.rows(query).await?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }
}

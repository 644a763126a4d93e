//! A server with people in it, and what it must still be after an attack.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axon_tests::{Answer, Memory, Provider, SOON, Scim};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server under attack.
pub struct Siege {
    pub provider: Provider,
    pub scim: Scim,
    /// Somebody's path.
    pub user: String,
    /// A group's path.
    pub group: String,
    before: Vec<Value>,
    head: u64,
}

impl Siege {
    pub async fn lay(more: &str) -> anyhow::Result<Self> {
        let provider = Provider::start_with(&[("entra", "{ kind: entra }")], more).await?;
        let scim = provider.connector("entra").await?.anew()?;
        let kim = scim.person("kim@acme.example").await?;
        let group = format!("/Groups/{}", scim.group("Readers", &[&kim]).await?);
        let mut siege =
            Self { user: format!("/Users/{kim}"), group, before: Vec::new(), head: 0, scim, provider };
        siege.before = siege.now().await?;
        siege.head = siege.provider.place.head().await?;
        Ok(siege)
    }

    async fn now(&self) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        for path in ["/Users", "/Groups"] {
            all.push(self.scim.get(path).await?.is(200)?.body);
        }
        Ok(all)
    }

    /// Nothing changed: neither what is stored nor the journal.
    pub async fn is_unmoved(&self) -> anyhow::Result<()> {
        let now = self.now().await?;
        ensure!(now == self.before, "{now:?} instead of {:?}", self.before);
        ensure!(self.provider.place.head().await? == self.head, "the journal moved");
        Ok(())
    }

    /// The server's memory.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        Memory::of(self.provider.serve.child())
    }

    /// Insists that the server never held more than this many MiB above what it held then.
    pub fn grew_less(&self, since: Memory, mebibytes: u64) -> anyhow::Result<()> {
        let grown = self.memory()?.peak.saturating_sub(since.peak.max(since.resident)) / 1024;
        ensure!(grown < mebibytes, "it grew by {grown} MiB");
        Ok(())
    }

    /// A connection of one's own, to say whatever one likes.
    pub async fn connect(&self) -> anyhow::Result<TcpStream> {
        let address = self.provider.serve.address().trim_start_matches("http://");
        Ok(TcpStream::connect(address).await?)
    }

    /// The head of a request with the token.
    pub fn head(&self, verb: &str, path: &str, more: &str) -> Vec<u8> {
        format!(
            "{verb} /scim/v2{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/scim+json\r\n{more}\r\n",
            self.scim.token()
        )
        .into_bytes()
    }

    /// Sends what the server takes of it, and gives the answer's text.
    pub async fn told(&self, bytes: &[u8]) -> anyhow::Result<String> {
        let (mut read, mut write) = self.connect().await?.into_split();
        // A server that has answered need not read on.
        let send = async {
            let _ = write.write_all(bytes).await;
        };
        let ((), answer) = tokio::join!(send, heard(&mut read));
        answer
    }
}

/// What comes back until the end of the answer's head, or of the connection.
pub async fn heard(read: &mut (impl AsyncReadExt + Unpin)) -> anyhow::Result<String> {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    let until_the_end = async {
        loop {
            let length = read.read(&mut buffer).await?;
            text.extend_from_slice(&buffer[..length]);
            if length == 0 || text.windows(4).any(|four| four == b"\r\n\r\n") {
                return Ok::<_, std::io::Error>(());
            }
        }
    };
    tokio::time::timeout(SOON, until_the_end).await.context("no answer")??;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The answer of something that must not take longer.
pub async fn within(
    limit: Duration,
    attack: impl Future<Output = anyhow::Result<Answer>>,
) -> anyhow::Result<Answer> {
    let began = Instant::now();
    let answer = attack.await?;
    ensure!(began.elapsed() < limit, "it took {:?}", began.elapsed());
    Ok(answer)
}

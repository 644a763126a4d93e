//! A load of many keep-alive clients that spend as little as they can: prepared bytes out, status and length in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// One connection.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What a load came to.
pub struct Load {
    /// How often each status was answered.
    pub statuses: BTreeMap<u16, u64>,
    times: Vec<Duration>,
    span: Duration,
}

/// A GET as bytes.
pub fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    let authorization = token.map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{authorization}\r\n").into_bytes()
}

/// A POST as bytes.
pub fn post(path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/scim+json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A user as Entra pushes one.
pub fn user(user_name: &str) -> String {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"x-{user_name}","userName":"{user_name}","active":true,"displayName":"A Person","emails":[{{"primary":true,"type":"work","value":"{user_name}"}}],"name":{{"formatted":"A Person","familyName":"Person","givenName":"A"}},"title":null,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"department":"Sales","employeeNumber":"7","manager":null}}}}"#
    )
}

/// An instant of the journal.
pub fn instant(text: &str) -> anyhow::Result<time::OffsetDateTime> {
    Ok(time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)?)
}

impl Client {
    async fn connect(host: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8192) })
    }

    /// Sends and reads one answer; its status.
    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            let Some(head) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.buffer[..head])?;
            let status = text.split(' ').nth(1).context("a status")?.parse()?;
            let length: usize = text
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned)
                })
                .context("a content length")?
                .parse()?;
            while self.buffer.len() < head + 4 + length {
                if self.stream.read_buf(&mut self.buffer).await? == 0 {
                    bail!("the server closed the connection");
                }
            }
            return Ok(status);
        }
    }
}

impl Load {
    /// Lets `clients` ask one request after the other for `span`.
    pub async fn run(
        host: &str,
        clients: usize,
        span: Duration,
        request: impl Fn(usize, u64) -> Vec<u8> + Send + Sync,
    ) -> anyhow::Result<Self> {
        let host: Arc<str> = host.into();
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        // Requests are made here, since the closure borrows; each client takes them from its own channel.
        let mut senders = Vec::new();
        for _ in 0..clients {
            let (send, mut receive) = tokio::sync::mpsc::channel::<Vec<u8>>(4);
            senders.push(send);
            let host = host.clone();
            tasks.spawn(async move {
                let mut client = Client::connect(&host).await?;
                let mut seen: Vec<(u16, Duration)> = Vec::new();
                while let Some(request) = receive.recv().await {
                    let asked = Instant::now();
                    let status = client.ask(&request).await?;
                    seen.push((status, asked.elapsed()));
                }
                anyhow::Ok(seen)
            });
        }
        let feeds = senders.into_iter().enumerate().map(|(client, send)| {
            let request = &request;
            async move {
                let mut n = 0;
                while began.elapsed() < span && send.send(request(client, n)).await.is_ok() {
                    n += 1;
                }
            }
        });
        futures_util::future::join_all(feeds).await;
        let mut load = Self { statuses: BTreeMap::new(), times: Vec::new(), span: Duration::ZERO };
        while let Some(seen) = tasks.join_next().await {
            for (status, took) in seen?? {
                *load.statuses.entry(status).or_default() += 1;
                load.times.push(took);
            }
        }
        load.span = began.elapsed();
        load.times.sort();
        Ok(load)
    }

    /// Answers per second.
    pub fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a count of answers")]
        let count = self.times.len() as f64;
        count / self.span.as_secs_f64()
    }

    /// A percentile, milliseconds.
    pub fn p(&self, percent: usize) -> f64 {
        let at = (self.times.len() * percent / 100).min(self.times.len().saturating_sub(1));
        self.times.get(at).map_or(0.0, |t| t.as_secs_f64() * 1e3)
    }
}

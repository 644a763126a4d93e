//! A load of many keep-alive clients on one thread, which spends as little as it can: bytes out, status and length in.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::usage::thread_cpu;

/// What one kind of request came to.
#[derive(Debug, Default)]
pub struct Times {
    micros: Vec<u32>,
}

/// What a load came to.
#[derive(Debug, Default)]
pub struct Load {
    /// By kind of request.
    pub kinds: BTreeMap<&'static str, Times>,
    /// How often each status was answered.
    pub statuses: BTreeMap<u16, u64>,
    /// How long it took.
    pub span: Duration,
    /// What the clients themselves spent of one core.
    pub client_cpu: Duration,
}

/// One connection.
pub struct Client {
    host: String,
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One answer.
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The body as it came; of a chunked one, with the chunks' sizes in it.
    pub body: &'a [u8],
}

impl Client {
    /// Connects.
    pub async fn connect(host: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await.with_context(|| format!("connect to {host}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { host: host.to_owned(), stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and reads its answer. A server that closes after each answer is connected to anew.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (mut looked, mut ends) = (0, None);
        let mut head = Head::default();
        loop {
            if let Some(ends) = ends
                && self.buffer.len() >= ends
            {
                break;
            }
            let read = self.stream.read_buf(&mut self.buffer).await?;
            if read == 0 {
                if ends == Some(usize::MAX) && head.is_last {
                    break;
                }
                bail!("the server closed the connection");
            }
            if ends.is_none() {
                if let Some(at) = end_of_head(&self.buffer, looked) {
                    head = Head::of(&self.buffer[..at])?;
                    ends = Some(head.ends());
                }
                looked = self.buffer.len().saturating_sub(3);
            }
            if ends == Some(usize::MAX) && !head.is_last && self.buffer.ends_with(b"\r\n0\r\n\r\n") {
                break;
            }
        }
        if head.is_last {
            let stream = TcpStream::connect(&self.host).await?;
            stream.set_nodelay(true)?;
            self.stream = stream;
        }
        Ok(Answer { status: head.status, body: &self.buffer[head.bytes..] })
    }
}

/// What the client looks at in the head of an answer.
#[derive(Default)]
struct Head {
    bytes: usize,
    status: u16,
    length: Option<usize>,
    is_chunked: bool,
    is_last: bool,
}

/// Behind the empty line, if it came.
fn end_of_head(buffer: &[u8], from: usize) -> Option<usize> {
    let text = &buffer[from..];
    let mut at = 0;
    while let Some(step) = text[at..].iter().position(|byte| *byte == b'\r') {
        at += step;
        if text[at..].starts_with(b"\r\n\r\n") {
            return Some(from + at + 4);
        }
        at += 1;
    }
    None
}

impl Head {
    /// Reads it, each line once: what the clients spend the server does not have.
    fn of(text: &[u8]) -> anyhow::Result<Self> {
        let bytes = text.len();
        let text = std::str::from_utf8(text)?;
        let status = text.get(9..12).context("a status")?.parse()?;
        let mut head =
            Self { bytes, status, length: None, is_chunked: false, is_last: text.starts_with("HTTP/1.0") };
        for line in text.lines().skip(1) {
            // The names that matter, by their lengths.
            match line.find(':') {
                Some(10) if line[..10].eq_ignore_ascii_case("connection") => {
                    head.is_last |= line[11..].trim() == "close";
                }
                Some(14) if line[..14].eq_ignore_ascii_case("content-length") => {
                    head.length = Some(line[15..].trim().parse()?);
                }
                Some(17) if line[..17].eq_ignore_ascii_case("transfer-encoding") => head.is_chunked = true,
                _ => {}
            }
        }
        Ok(head)
    }

    /// Where the answer ends; nowhere before its last chunk, or the connection's end.
    fn ends(&self) -> usize {
        match self.length {
            Some(length) => self.bytes + length,
            None if !self.is_chunked && (self.status == 204 || self.status == 304) => self.bytes,
            None => usize::MAX,
        }
    }
}

/// Lets `clients` ask one request after the other for `span`, on a thread of their own. `render` writes the `n`th request of a
/// client and names its kind.
pub fn load<F>(host: &str, clients: usize, span: Duration, render: F) -> anyhow::Result<Load>
where
    F: Fn(&mut Vec<u8>, usize, u64) -> &'static str + Send + 'static,
{
    let host = host.to_owned();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(LocalSet::new().run_until(run(host, clients, span, render)))
    });
    thread.join().map_err(|_| anyhow::anyhow!("the clients panicked"))?
}

async fn run<F>(host: String, clients: usize, span: Duration, render: F) -> anyhow::Result<Load>
where
    F: Fn(&mut Vec<u8>, usize, u64) -> &'static str + 'static,
{
    let mut connected = Vec::with_capacity(clients);
    for _ in 0..clients {
        connected.push(Client::connect(&host).await?);
    }
    let render = Rc::new(render);
    let total = Rc::new(RefCell::new(Load::default()));
    let (began, cpu) = (Instant::now(), thread_cpu());
    let mut tasks = Vec::with_capacity(clients);
    for (number, mut client) in connected.into_iter().enumerate() {
        let (render, total) = (render.clone(), total.clone());
        tasks.push(tokio::task::spawn_local(async move {
            let mut request = Vec::with_capacity(2048);
            let mut n = 0;
            while began.elapsed() < span {
                request.clear();
                let kind = render(&mut request, number, n);
                n += 1;
                let asked = Instant::now();
                let status = client.ask(&request).await?.status;
                let micros = u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX);
                let mut total = total.borrow_mut();
                *total.statuses.entry(status).or_default() += 1;
                total.kinds.entry(kind).or_default().micros.push(micros);
            }
            anyhow::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let mut load = total.take();
    load.span = began.elapsed();
    load.client_cpu = thread_cpu().saturating_sub(cpu);
    for times in load.kinds.values_mut() {
        times.micros.sort_unstable();
    }
    Ok(load)
}

impl Load {
    /// How many were answered.
    pub fn count(&self) -> usize {
        self.kinds.values().map(|t| t.micros.len()).sum()
    }

    /// Answers per second.
    pub fn rate(&self) -> f64 {
        as_f64(self.count()) / self.span.as_secs_f64()
    }

    /// A percentile over all kinds, milliseconds.
    pub fn p(&self, percent: usize) -> f64 {
        let mut all: Vec<u32> = self.kinds.values().flat_map(|t| t.micros.iter().copied()).collect();
        all.sort_unstable();
        Times { micros: all }.p(percent)
    }

    /// What the clients used of one core, 0 to 1.
    pub fn client_share(&self) -> f64 {
        self.client_cpu.as_secs_f64() / self.span.as_secs_f64()
    }

    /// Fails unless every answer had one of these statuses.
    pub fn expect(self, what: &str, wanted: &[u16]) -> anyhow::Result<Self> {
        if self.statuses.keys().all(|status| wanted.contains(status)) {
            return Ok(self);
        }
        bail!("{what}: answers other than {wanted:?}: {:?}", self.statuses)
    }
}

impl Times {
    /// How many.
    pub fn count(&self) -> usize {
        self.micros.len()
    }

    /// A percentile, milliseconds.
    pub fn p(&self, percent: usize) -> f64 {
        let at = (self.micros.len() * percent / 100).min(self.micros.len().saturating_sub(1));
        self.micros.get(at).map_or(0.0, |micros| f64::from(*micros) / 1e3)
    }
}

/// A count as a float.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
pub fn as_f64(n: usize) -> f64 {
    n as f64
}

//! `axon scim replay`: sends a recorded session to a server and tells where it answers otherwise.

mod compare;
mod names;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, bail};
use axon_api::care::{Exchange, Recorded, read_recording};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use self::compare::Comparison;
use self::names::Names;
use super::{Status, print_json};
use crate::cli::ReplayArgs;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// The largest answer that is read, bytes.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// What came of one exchange.
#[derive(Debug, Serialize)]
struct Line {
    number: usize,
    method: String,
    path: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<String>,
    /// Why it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<String>,
}

/// What a server answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    response: Recorded,
}

/// Replays the file.
pub async fn run(args: ReplayArgs) -> anyhow::Result<Status> {
    let exchanges = chosen(&args)?;
    let token = std::fs::read_to_string(&args.token_file)
        .with_context(|| format!("cannot read the token file {}", args.token_file.display()))?;
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("the HTTP client")?;
    let server =
        Server { client, base: args.to.trim_end_matches('/').to_owned(), token: token.trim().to_owned() };
    let comparison = Comparison { values: args.values };
    let mut names = Names::default();
    let mut lines = Vec::with_capacity(exchanges.len());
    for (at, exchange) in exchanges.iter().enumerate() {
        let mut line = Line {
            number: at + 1,
            method: exchange.method.clone(),
            path: exchange.path.clone(),
            differences: Vec::new(),
            left_out: exchange.request.left_out.clone(),
        };
        if line.left_out.is_none() {
            let answer = server.send(exchange, &names).await?;
            names.learn(exchange, &answer.response);
            line.differences = comparison.of(exchange, answer.status, &answer.response, &names);
        }
        lines.push(line);
    }
    tell(&lines, args.json)
}

/// The exchanges of one source: the token speaks for one.
fn chosen(args: &ReplayArgs) -> anyhow::Result<Vec<Exchange>> {
    let mut exchanges = read_recording(&args.file)
        .with_context(|| format!("cannot read the recording {}", args.file.display()))?;
    if let Some(source) = &args.source {
        exchanges.retain(|exchange| exchange.source.as_str() == source);
    }
    let sources: BTreeSet<&str> = exchanges.iter().map(|exchange| exchange.source.as_str()).collect();
    match sources.len() {
        0 => bail!("the recording holds nothing{}", args.source.as_ref().map_or("", |_| " of that source")),
        1 => Ok(exchanges),
        _ => {
            let known: Vec<&str> = sources.into_iter().collect();
            bail!("the recording has several sources; choose one with --source: {}", known.join(", "))
        }
    }
}

fn tell(lines: &[Line], json: bool) -> anyhow::Result<Status> {
    let differ = lines.iter().filter(|line| !line.differences.is_empty()).count();
    let left_out = lines.iter().filter(|line| line.left_out.is_some()).count();
    if json {
        print_json(&serde_json::json!({ "exchanges": lines.len(), "differ": differ, "left_out": left_out,
            "lines": lines.iter().filter(|line| line.left_out.is_some() || !line.differences.is_empty())
                .collect::<Vec<_>>() }))?;
    } else {
        for line in lines {
            for difference in &line.differences {
                println!("{} {} {}: {difference}", line.number, line.method, line.path);
            }
            if let Some(why) = &line.left_out {
                println!("{} {} {}: not sent: {why}", line.number, line.method, line.path);
            }
        }
        let same = lines.len() - differ - left_out;
        println!("{} exchanges: {same} the same, {differ} differ, {left_out} not sent", lines.len());
    }
    Ok(if differ == 0 { Status::Done } else { Status::Found })
}

struct Server {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Server {
    /// Sends a request as it was recorded, with this server's ids in it.
    async fn send(&self, exchange: &Exchange, names: &Names) -> anyhow::Result<Answer> {
        let path = names.put_into(&exchange.path);
        let url = format!("{}{path}", self.base);
        let what = format!("{} {path}", exchange.method);
        let method = exchange.method.parse().with_context(|| format!("the method of {what}"))?;
        let mut request =
            self.client.request(method, url).headers(asked(exchange, names)?).bearer_auth(&self.token);
        if let Some(body) = &exchange.request.body {
            let mut body = body.clone();
            names.put_into_value(&mut body);
            request = request.body(body.to_string());
        }
        let answer = request.send().await.with_context(|| format!("no answer to {what}"))?;
        let status = answer.status().as_u16();
        let headers = answer.headers().iter();
        let headers = headers
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let bytes = bounded(answer).await.with_context(|| format!("the answer to {what}"))?;
        let body = if bytes.is_empty() { None } else { serde_json::from_slice(&bytes).ok() };
        let left_out = (body.is_none() && !bytes.is_empty()).then(|| "it is not JSON".to_owned());
        Ok(Answer { status, response: Recorded { headers, body, left_out } })
    }
}

async fn bounded(mut answer: reqwest::Response) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if bytes.len() + piece.len() > LARGEST_ANSWER {
            bail!("is larger than {LARGEST_ANSWER} bytes");
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The recorded headers, entity tags in this server's words.
fn asked(exchange: &Exchange, names: &Names) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &exchange.request.headers {
        let value =
            if name.starts_with("if-") { names.tags_of(&exchange.path, value) } else { value.clone() };
        headers.insert(
            HeaderName::try_from(name).with_context(|| format!("the header {name}"))?,
            HeaderValue::try_from(value).with_context(|| format!("the value of the header {name}"))?,
        );
    }
    Ok(headers)
}

//! `axon integration`: a client of the API, so that both do the same.

mod server;

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use axon_store::integrations::IntegrationStatus;
use reqwest::Method;
use serde_json::Value;

use super::{Status, print_json};
use crate::cli::{IntegrationCommand, Reach, ScriptArgs, ScriptKind};
use crate::integrations::target_entry;
use crate::wiring::{Parts, load_config};
use server::Server;

/// The largest payload, bytes.
const LARGEST: u64 = 64 * 1024;
/// How long the end of work is waited for.
const PATIENCE: Duration = Duration::from_mins(15);
/// How often it is asked for.
const EVERY: Duration = Duration::from_millis(500);

/// One of the commands.
pub async fn run(config: &Path, command: IntegrationCommand) -> anyhow::Result<Status> {
    use IntegrationCommand as C;
    match command {
        C::List { reach } => shown(&reach, "").await,
        C::Show(one) => shown(&one.reach, &format!("/{}", one.id)).await,
        C::Status(one) => shown(&one.reach, &format!("/{}/status", one.id)).await,
        C::Create(new) => work(&new.reach, Method::POST, "", Some(read(&new.payload)?), !new.no_wait).await,
        C::Update(change) => {
            let (path, new) = (format!("/{}", change.id), change.create);
            work(&new.reach, Method::PUT, &path, Some(read(&new.payload)?), !new.no_wait).await
        }
        C::Delete(end) => {
            let force = if end.disable { "?force=true" } else { "" };
            let body = end.credentials.as_deref().map(read).transpose()?;
            work(&end.reach, Method::DELETE, &format!("/{}{force}", end.id), body, !end.no_wait).await
        }
        C::Regenerate(renew) => {
            let path = format!("/{}/regenerate", renew.id);
            work(&renew.reach, Method::POST, &path, Some(read(&renew.credentials)?), true).await
        }
        C::Script(args) => script(&args).await,
        C::Target { id, name } => target(config, id, &name).await,
    }
}

fn server(reach: &Reach) -> anyhow::Result<Server> {
    let url = reach.url.as_deref().context("which server? --url URL, or AXON_URL")?;
    Server::new(url, &reach.proof)
}

async fn shown(reach: &Reach, path: &str) -> anyhow::Result<Status> {
    print_json(&server(reach)?.json(Method::GET, path, None).await?)?;
    Ok(Status::Done)
}

/// Begins a piece of work, and waits for its end.
async fn work(
    reach: &Reach,
    method: Method,
    path: &str,
    body: Option<String>,
    waits: bool,
) -> anyhow::Result<Status> {
    let server = server(reach)?;
    let mut now = server.json(method, path, body).await?;
    let id = now["id"].as_str().context("the server told no number")?.to_owned();
    let until = tokio::time::Instant::now() + PATIENCE;
    while waits && status(&now)?.is_busy() {
        if tokio::time::Instant::now() > until {
            bail!("it is not at its end after {} s: axon integration status {id}", PATIENCE.as_secs());
        }
        tokio::time::sleep(EVERY).await;
        now = server.json(Method::GET, &format!("/{id}/status"), None).await?;
    }
    print_json(&now)?;
    Ok(match status(&now)? {
        IntegrationStatus::Enabled | IntegrationStatus::Deleted | IntegrationStatus::Disabled => Status::Done,
        busy if busy.is_busy() => Status::Found,
        _ => Status::Failed,
    })
}

fn status(told: &Value) -> anyhow::Result<IntegrationStatus> {
    let word = told["status"].as_str().context("the server told no status")?;
    Ok(word.parse()?)
}

async fn script(args: &ScriptArgs) -> anyhow::Result<Status> {
    let of_one = matches!(args.kind, ScriptKind::Edit | ScriptKind::Delete);
    let path = match (args.kind, args.id) {
        (ScriptKind::Edit, Some(id)) => format!("/{id}/scripts/edit"),
        (ScriptKind::Delete, Some(id)) => format!("/{id}/scripts/delete"),
        (ScriptKind::Edit | ScriptKind::Delete, None) => bail!("which one? --id NUMBER"),
        (_, Some(_)) => bail!("--id is for edit and delete"),
        (ScriptKind::InitialCreate, None) => "/scripts/initial-create".to_owned(),
        (ScriptKind::Create, None) => "/scripts/create".to_owned(),
        (ScriptKind::Cleanup, None) => "/scripts/cleanup".to_owned(),
        (ScriptKind::PostCleanup, None) => "/scripts/post-cleanup".to_owned(),
    };
    let body = args.payload.as_deref().map(read).transpose()?;
    if body.is_none() && !(of_one && args.kind == ScriptKind::Delete) {
        bail!("--payload FILE says what is asked for");
    }
    let text = server(&args.reach)?.text(Method::POST, &path, body).await?;
    print!("{text}");
    Ok(Status::Done)
}

async fn target(config: &Path, id: u64, name: &str) -> anyhow::Result<Status> {
    let parts = Parts::open_existing(load_config(config)?).await?;
    let found = parts.store.integration(id).await;
    parts.store.close().await;
    let found = found?.with_context(|| format!("no integration has the number {id}"))?;
    let login = found.body.login.as_ref().context("it is not in use: it is not known how Axon enters")?;
    let asked = serde_json::from_value(found.body.config.clone()).context("its configuration")?;
    // The role map takes relative paths from its own folder.
    let secret = parts.secrets().file(id).ok().map(std::path::absolute).transpose()?;
    print!("{}", target_entry(name, &asked, login, secret.as_deref())?);
    Ok(Status::Done)
}

/// A payload as it stands in a file. It may hold credentials: it is read, sent and forgotten.
fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(LARGEST + 1).read_to_string(&mut text).context("the standard input")?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
        opened
            .take(LARGEST + 1)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read {}", file.display()))?;
    }
    if text.len() as u64 > LARGEST {
        bail!("the payload is over {LARGEST} bytes");
    }
    Ok(text)
}

//! The processes that the demo starts: this same binary, as it runs in production.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::workplace::Workplace;

const START: Duration = Duration::from_secs(15);
const STOP: Duration = Duration::from_secs(10);

/// A server that was started here, and is stopped with it.
pub struct Child {
    process: tokio::process::Child,
    address: String,
    said: Vec<String>,
}

fn axon() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program's own path")?);
    // The demo shows its own configuration, whatever this shell has set.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AXON_") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

impl Child {
    /// Starts `axon …` and waits until it says where it listens. Its log goes to a file of that name.
    pub async fn start(place: &Workplace, name: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let log = File::create(place.file(&format!("{name}.log")))?;
        let mut child = axon()?
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("axon {name} does not start"))?;
        let stdout = child.stdout.take().context("its standard output")?;
        let (mut lines, mut before) = (BufReader::new(stdout).lines(), Vec::new());
        let found = tokio::time::timeout(START, async {
            while let Some(line) = lines.next_line().await? {
                if let Some(address) = line.strip_prefix("listening on ") {
                    return Ok::<_, std::io::Error>(Some(address.to_owned()));
                }
                before.push(line);
            }
            Ok(None)
        })
        .await;
        let Ok(Ok(Some(address))) = found else {
            let said = std::fs::read_to_string(place.file(&format!("{name}.log"))).unwrap_or_default();
            bail!("axon {name} did not say where it listens; it said:\n{said}");
        };
        Ok(Self { process: child, address, said: before })
    }

    /// What it said behind these words before it said where it listens.
    pub fn said(&self, words: &str) -> anyhow::Result<&str> {
        let found = self.said.iter().find_map(|line| line.strip_prefix(words));
        found.with_context(|| format!("it did not say {words:?}"))
    }

    /// Where it listens, as it said.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks it to end and waits; a child that does not is killed.
    pub async fn stop(mut self) {
        if let Some(id) = self.process.id() {
            let asked = Command::new("kill").arg("-TERM").arg(id.to_string()).status().await;
            if asked.is_ok_and(|status| status.success())
                && tokio::time::timeout(STOP, self.process.wait()).await.is_ok()
            {
                return;
            }
        }
        if let Err(error) = self.process.kill().await {
            eprintln!("a process of the demo could not be stopped: {error}");
        }
    }
}

/// Runs `axon …` and gives what it printed.
pub async fn output(arguments: &[&str]) -> anyhow::Result<String> {
    let output = axon()?.args(arguments).stdin(Stdio::null()).output().await?;
    if !output.status.success() {
        bail!("axon {} failed:\n{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs `axon …`, which is to find something (exit status 3), and gives what it printed.
pub async fn found(arguments: &[&str]) -> anyhow::Result<String> {
    let output = axon()?.args(arguments).stdin(Stdio::null()).output().await?;
    if !matches!(output.status.code(), Some(0 | 3)) {
        bail!("axon {} failed:\n{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs `axon …`, lets it print, and says whether it was done.
pub async fn show(arguments: &[&str]) -> anyhow::Result<bool> {
    Ok(axon()?.args(arguments).stdin(Stdio::null()).status().await?.success())
}

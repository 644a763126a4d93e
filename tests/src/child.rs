//! A process of the binary that runs until it is told to stop.

use std::fs::File;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use crate::binary;
use crate::place::Place;

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(25);

/// A running `axon serve` or `axon emulator`. It is killed when this is dropped.
pub struct Child {
    process: tokio::process::Child,
    // A pipe that nobody holds would end whoever writes to it.
    lines: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl Child {
    /// Starts it and waits until it says where it listens. Its log is `NAME.log` in the folder.
    pub async fn start(
        place: &Place,
        name: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(place.file(&format!("{name}.log")))?;
        let mut command = binary::command(place.path(), arguments)?;
        command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().with_context(|| format!("axon {name} does not start"))?;
        let stdout = child.stdout.take().context("its standard output")?;
        let mut started = Self { process: child, lines: BufReader::new(stdout).lines(), said: Vec::new() };
        let listening = tokio::time::timeout(START, async {
            while let Some(line) = started.lines.next_line().await? {
                let last = line.starts_with("listening on ");
                started.said.push(line);
                if last {
                    return Ok::<_, std::io::Error>(true);
                }
            }
            Ok(false)
        })
        .await;
        if !matches!(listening, Ok(Ok(true))) {
            bail!("axon {name} did not say where it listens:\n{}", place.read(&format!("{name}.log"))?);
        }
        Ok(started)
    }

    /// What stands behind these words in what it printed at the start.
    pub fn said(&self, before: &str) -> anyhow::Result<String> {
        let line = self.said.iter().find_map(|line| line.strip_prefix(before));
        Ok(line.with_context(|| format!("it did not say {before:?}"))?.to_owned())
    }

    /// Its process id.
    pub fn id(&self) -> anyhow::Result<u32> {
        self.process.id().context("it has ended")
    }

    /// Sends it a signal by name.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id()?.to_string()).status().await?;
        ensure!(sent.success(), "kill -{name} failed");
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(tokio::time::timeout(STOP, self.process.wait()).await.context("it does not end")??)
    }

    /// SIGTERM; gives how it ended.
    pub async fn stop(mut self) -> anyhow::Result<ExitStatus> {
        self.signal("TERM").await?;
        self.ended().await
    }

    /// SIGKILL.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("SIGKILL")
    }
}

//! The binary under test, and one command of it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail, ensure};
use tokio::process::Command;

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Said {
    /// The exit status; none where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Insists on an exit status.
    pub fn exits(self, code: i32) -> anyhow::Result<Self> {
        ensure!(self.code == Some(code), "exit {:?} instead of {code}: {}{}", self.code, self.out, self.err);
        Ok(self)
    }

    /// Insists on words on standard error.
    pub fn says(self, words: &[&str]) -> anyhow::Result<Self> {
        for word in words {
            ensure!(self.err.contains(word), "standard error lacks {word:?}: {}", self.err);
        }
        Ok(self)
    }

    /// Standard output as JSON.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_str(&self.out).with_context(|| format!("no JSON: {}{}", self.out, self.err))
    }
}

/// The binary: `AXON_BIN`, or the one that was built beside this test.
pub fn axon() -> anyhow::Result<PathBuf> {
    let path = if let Some(path) = std::env::var_os("AXON_BIN") {
        PathBuf::from(path)
    } else {
        // target/debug/deps/story-… -> target/debug/axon
        let test = std::env::current_exe().context("this test's own path")?;
        test.parent().and_then(Path::parent).context("the folder of the build")?.join("axon")
    };
    if !path.is_file() {
        bail!("{} is not there: run `cargo build --bin axon` first", path.display());
    }
    Ok(path)
}

/// A command of it in this folder. The shell's own `AXON_…` variables do not reach it.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(axon()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AXON_") {
            command.env_remove(name);
        }
    }
    command.env("AXON_CONFIG", folder.join("axon.yaml")).args(arguments).stdin(Stdio::null());
    command.current_dir(folder).kill_on_drop(true);
    Ok(command)
}

/// Runs `axon …` to its end in a folder whose `axon.yaml` is the configuration.
pub async fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Said> {
    let output = command(folder, arguments)?.envs(environment.iter().copied()).output().await?;
    Ok(Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).context("standard output is UTF-8")?,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

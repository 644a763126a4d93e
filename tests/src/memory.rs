//! How much memory a process holds, as Linux tells it.

use anyhow::Context;

use crate::child::Child;

/// A process's memory in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// What it holds now.
    pub resident: u64,
    /// The most that it ever held.
    pub peak: u64,
}

impl Memory {
    /// What `/proc` says of the process.
    pub fn of(child: &Child) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()?))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("a line of it")?;
            let number = line.split_whitespace().next().context("a number")?;
            Ok::<u64, anyhow::Error>(number.parse()?)
        };
        Ok(Self { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
    }
}

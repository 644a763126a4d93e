//! What a process costs, as the kernel counts it.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// What a process has used since its start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Time on a core, user and kernel.
    pub cpu: Duration,
    /// read-like calls.
    pub reads: u64,
    /// write-like calls.
    pub writes: u64,
}

/// One tick of `/proc/PID/stat` on Linux.
const TICK: Duration = Duration::from_millis(10);

/// Reads it.
pub fn usage(pid: u32) -> anyhow::Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("/proc/PID/stat")?;
    let fields = stat.rsplit_once(')').context("a process name")?.1;
    let tick = |n: usize| fields.split_whitespace().nth(n).and_then(|f| f.parse::<u32>().ok());
    let ticks = tick(11).zip(tick(12)).map(|(user, kernel)| user + kernel).context("times")?;
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    Ok(Usage { cpu: TICK * ticks, reads: line(&io, "syscr:"), writes: line(&io, "syscw:") })
}

/// Resident memory now and at its highest, MiB.
pub fn resident(pid: u32) -> anyhow::Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("/proc/PID/status")?;
    Ok((line(&status, "VmRSS:") / 1024, line(&status, "VmHWM:") / 1024))
}

fn line(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

/// How long the thread that asks was on a core.
pub fn thread_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or_default())
}

//! An acceptance list: named rows that are all tried, whatever becomes of the ones before.

use std::future::Future;

use anyhow::ensure;

/// The rows of one list, and which of them failed.
pub struct Rows {
    list: String,
    tried: usize,
    failed: Vec<String>,
}

impl Rows {
    /// An empty list of this name.
    pub fn of(list: impl Into<String>) -> Self {
        Self { list: list.into(), tried: 0, failed: Vec::new() }
    }

    /// Tries a row.
    pub async fn row(&mut self, name: &str, row: impl Future<Output = anyhow::Result<()>>) {
        self.tried += 1;
        if let Err(error) = row.await {
            self.failed.push(format!("{name}: {error:#}"));
        }
    }

    /// Insists that this many rows were tried and that all of them held.
    pub fn all_hold(self, rows: usize) -> anyhow::Result<()> {
        let Self { list, tried, failed } = self;
        ensure!(failed.is_empty(), "{list}: {} of {tried} rows failed:\n{}", failed.len(), failed.join("\n"));
        ensure!(tried == rows, "{list}: {tried} rows were tried instead of {rows}");
        Ok(())
    }
}

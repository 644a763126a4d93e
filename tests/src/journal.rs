//! The journal, as `axon audit export` gives it.

use serde_json::Value;

use crate::place::Place;

/// One record with its clear part.
#[derive(Debug, Clone)]
pub struct Record {
    /// The position.
    pub seq: u64,
    /// The kind, as `step-outcome`.
    pub kind: String,
    /// The whole record.
    pub record: Value,
    /// What names people.
    pub clear: Value,
}

impl Record {
    /// The request that caused it.
    pub fn request(&self) -> Option<&str> {
        self.record["request"].as_str()
    }

    /// The statements that a step's outcome sent.
    pub fn statements(&self) -> Vec<&str> {
        let sent = self.clear["body"]["statements"].as_array();
        sent.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

impl Place {
    /// Exports the whole journal.
    pub async fn journal(&self) -> anyhow::Result<Vec<Record>> {
        let said = self.axon(&["audit", "export"]).await?.exits(0)?;
        said.out
            .lines()
            .skip(1)
            .map(|line| {
                let mut line: Value = serde_json::from_str(line)?;
                let (record, clear) = (line["record"].take(), line["clear"].take());
                let seq = record["seq"].as_u64().unwrap_or_default();
                let kind = record["kind"].as_str().unwrap_or_default().to_owned();
                Ok(Record { seq, kind, record, clear })
            })
            .collect()
    }

    /// The statements that were sent to the target so far, without those that only look.
    pub async fn statements(&self) -> anyhow::Result<Vec<String>> {
        let journal = self.journal().await?;
        let outcomes = journal.iter().filter(|record| record.kind == "step-outcome");
        let sent = outcomes.flat_map(Record::statements).filter(|s| !s.trim_start().starts_with("SELECT"));
        Ok(sent.map(str::to_owned).collect())
    }
}

//! How the shipping stands, for `axon status`.

use axon_audit::record::instant;
use axon_model::RecordSeq;
use axon_store::{Shipped, Store, StoreError};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::SINK;

/// How the shipping stands, as any process sees it.
#[derive(Debug, Clone)]
pub struct Standing {
    shipped: Shipped,
    head: RecordSeq,
    /// When the first record happened that waits.
    oldest: Option<OffsetDateTime>,
}

impl Standing {
    /// Reads the cursor and the first record behind it.
    pub async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let shipped = store.shipped(SINK).await?;
        let head = store.head().await?.seq;
        let oldest = if head > shipped.position {
            store.records(shipped.position.next(), 1).await?.first().map(|entry| entry.record.at)
        } else {
            None
        };
        Ok(Self { shipped, head, oldest })
    }

    /// How many records wait.
    pub(super) fn behind(&self) -> u64 {
        self.head.0.saturating_sub(self.shipped.position.0)
    }

    /// Whether the last call was not taken.
    pub fn in_trouble(&self) -> bool {
        self.shipped.trouble.is_some()
    }

    /// For how long the oldest of them does.
    pub fn lag(&self, now: OffsetDateTime) -> time::Duration {
        self.oldest.map_or(time::Duration::ZERO, |at| (now - at).max(time::Duration::ZERO))
    }

    /// Where the sink is.
    pub(super) fn shipped(&self) -> &Shipped {
        &self.shipped
    }

    /// As JSON.
    pub fn as_json(&self, now: OffsetDateTime) -> Value {
        let trouble = self.shipped.trouble.as_ref();
        json!({
            "sink": SINK,
            "position": self.shipped.position,
            "lag_records": self.behind(),
            "lag_seconds": self.lag(now).whole_seconds(),
            "last_taken": self.shipped.at.map(instant::text),
            "trouble": trouble.map(|(what, since)| json!({ "what": what, "since": instant::text(*since) })),
        })
    }

    /// As lines.
    pub fn lines(&self, now: OffsetDateTime) -> Vec<String> {
        let taken = self.shipped.at.map_or_else(|| "never".to_owned(), instant::text);
        let waits = match self.behind() {
            0 => "nothing waits".to_owned(),
            n => format!("{n} wait, the oldest for {} s", self.lag(now).whole_seconds()),
        };
        let Self { shipped, head, .. } = self;
        let place = shipped.position;
        let mut out =
            vec![format!("log at {SINK}: up to record {place} of {head}; {waits}; last taken {taken}")];
        let trouble = shipped.trouble.iter();
        out.extend(
            trouble.map(|(what, since)| format!("    trouble since {}: {what}", instant::text(*since))),
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn what_waits_and_what_hinders_is_told() {
        let now = datetime!(2026-11-22 10:00 UTC);
        let (at, since) = (datetime!(2026-11-22 9:00 UTC), datetime!(2026-11-22 9:30 UTC));
        let shipped = Shipped {
            position: RecordSeq(5),
            at: Some(at),
            trouble: Some(("Azure Monitor answers 403".into(), since)),
        };
        let stuck = Standing { shipped, head: RecordSeq(9), oldest: Some(since) };
        assert_eq!(
            stuck.lines(now),
            [
                "log at azure-monitor: up to record 5 of 9; 4 wait, the oldest for 1800 s; last taken 2026-11-22T09:00:00.000000Z",
                "    trouble since 2026-11-22T09:30:00.000000Z: Azure Monitor answers 403",
            ]
        );
        let json = stuck.as_json(now);
        assert_eq!((json["lag_records"].as_u64(), json["lag_seconds"].as_i64()), (Some(4), Some(1800)));
        let new = Standing { shipped: Shipped::default(), head: RecordSeq(0), oldest: None };
        assert_eq!(
            new.lines(now),
            ["log at azure-monitor: up to record 0 of 0; nothing waits; last taken never"]
        );
    }
}

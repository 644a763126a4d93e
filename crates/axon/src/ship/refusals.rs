//! Who was turned away: refused requests are no records, since anybody can make them. They are counted, and the growth is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::row::Row;

/// What is counted: the metric, the label that tells why, and the word of the row.
const COUNTED: [(&str, &str, &str); 6] = [
    ("axon_http_unauthorized_total", "why", "requests"),
    ("axon_operators_refused_total", "why", "operators"),
    ("axon_token_exchanges_total", "outcome", "exchanges"),
    ("axon_oauth_tokens_total", "outcome", "grants"),
    ("axon_azure_tokens_total", "result", "azure_tokens"),
    ("axon_auth_floods_total", "", "floods"),
];
/// Outcomes that are no refusals.
const WELL: [&str; 2] = ["issued", "given"];

/// Gives the metrics of this process as text.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

type Counts = BTreeMap<(&'static str, String), u64>;

/// What was counted and sent.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    sent: Counts,
    /// A row that was perhaps sent, and what was counted then: it stays as it is until it was taken.
    pending: Option<(Row, Counts)>,
    number: u64,
}

impl Refusals {
    /// The row of what grew since the last one was taken; none where nothing did.
    pub(super) fn row(
        &mut self,
        metrics: &str,
        holder: &str,
        log: &str,
        now: OffsetDateTime,
    ) -> Option<&Row> {
        if self.pending.is_none() {
            let counts = counts(metrics);
            let facts = grown(&self.sent, &counts)?;
            self.number += 1;
            let id = format!("refusals/{holder}/{}", self.number);
            let mut row = Row::standing("refusals", log, id, now, facts);
            row.result = Some("refused".to_owned());
            self.pending = Some((row, counts));
        }
        self.pending.as_ref().map(|(row, _)| row)
    }

    /// The row was taken.
    pub(super) fn taken(&mut self) {
        if let Some((_, counts)) = self.pending.take() {
            self.sent = counts;
        }
    }
}

/// What of the counts is more than before, by word and reason.
fn grown(before: &Counts, now: &Counts) -> Option<Value> {
    let mut all: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut total = 0;
    for ((word, why), count) in now {
        let more = count.saturating_sub(before.get(&(*word, why.clone())).copied().unwrap_or(0));
        if more > 0 {
            all.entry(word).or_default().insert(why, more);
            total += more;
        }
    }
    (total > 0).then(|| json!({ "total": total, "counts": all }))
}

/// The counts in a text of metrics.
fn counts(metrics: &str) -> Counts {
    let mut counts = Counts::new();
    for line in metrics.lines().filter(|line| line.starts_with("axon_")) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let Some((_, label, word)) = COUNTED.iter().find(|(metric, _, _)| *metric == name) else { continue };
        let why = labelled(labels, label).unwrap_or("all");
        if WELL.contains(&why) {
            continue;
        }
        // Counters are whole numbers in this text.
        *counts.entry((*word, why.to_owned())).or_default() += value.parse::<u64>().unwrap_or(0);
    }
    counts
}

/// The value of a label; it is one of a closed set, without quotes inside.
fn labelled<'t>(labels: &'t str, name: &str) -> Option<&'t str> {
    let pairs = labels.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    #[test]
    fn what_grew_is_sent_once_and_a_row_that_was_perhaps_sent_stays_as_it_is() {
        let text = |n: u32| {
            format!(
                "# TYPE axon_http_unauthorized_total counter\naxon_http_unauthorized_total{{why=\"unknown\"}} {n}\n\
                 axon_auth_floods_total 1\naxon_token_exchanges_total{{outcome=\"issued\"}} 9\naxon_other_total 4\n"
            )
        };
        let mut refusals = Refusals::default();
        assert!(refusals.row("", "a", "l", NOW).is_none());
        let first = refusals.row(&text(3), "a", "l", NOW).unwrap().clone();
        assert_eq!(
            first.facts,
            json!({ "total": 4, "counts": { "requests": { "unknown": 3 }, "floods": { "all": 1 } } })
        );
        assert_eq!(refusals.row(&text(5), "a", "l", NOW).unwrap(), &first);
        refusals.taken();
        let second = refusals.row(&text(5), "a", "l", NOW).unwrap().clone();
        assert_eq!(second.facts, json!({ "total": 2, "counts": { "requests": { "unknown": 2 } } }));
        assert_ne!(second.record_id, first.record_id);
        refusals.taken();
        assert!(refusals.row(&text(5), "a", "l", NOW).is_none());
    }
}

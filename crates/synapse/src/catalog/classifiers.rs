//! Workload classifiers as values: a row for each detail, put together by name.

use std::collections::BTreeMap;

use axon_model::SqlName;
use axon_reconcile::{Classified, Classifier, Hours, MinuteOfDay};
use tiberius::Row;

use super::rows::text;

/// The rows that [`crate::render::classifiers`] gives.
#[derive(Debug, Default)]
pub(crate) struct RawClassifiers {
    all: BTreeMap<String, Raw>,
}

#[derive(Debug, Default)]
struct Raw {
    group: String,
    importance: Option<String>,
    details: BTreeMap<String, String>,
}

impl RawClassifiers {
    /// Takes one row.
    pub(crate) fn take(&mut self, row: &Row) -> Result<(), String> {
        let optional =
            |at| row.try_get::<&str, _>(at).map(|v| v.map(str::to_owned)).map_err(|e| e.to_string());
        let raw = self.all.entry(text(row, 0)?.to_owned()).or_default();
        text(row, 1)?.clone_into(&mut raw.group);
        raw.importance = optional(2)?;
        if let (Some(kind), Some(value)) = (optional(3)?, optional(4)?) {
            raw.details.insert(kind, value);
        }
        Ok(())
    }

    /// Those whose names can be names here; the others are none of Axon's.
    pub(crate) fn into_classifiers(self) -> Vec<Classifier> {
        self.all.into_iter().filter_map(|(name, raw)| one(&name, &raw)).collect()
    }
}

fn one(name: &str, raw: &Raw) -> Option<Classifier> {
    let name = SqlName::parse(name).ok()?;
    let member = SqlName::parse(raw.details.get("membername")?).ok()?;
    let detail = |kind: &str| raw.details.get(kind).map(|value| SqlName::parse(value)).transpose();
    let known = ["membername", "wlm_label", "wlm_context", "start_time", "end_time"];
    let more = raw.details.keys().any(|kind| !known.contains(&kind.as_str()));
    let hours = match (raw.details.get("start_time"), raw.details.get("end_time")) {
        (None, None) => Some(None),
        (Some(from), Some(until)) => {
            time(from).zip(time(until)).map(|(from, until)| Some(Hours { from, until }))
        }
        _ => None,
    };
    let does = || {
        let importance =
            raw.importance.as_deref().map_or(Ok(axon_reconcile::Importance::default()), str::parse);
        Some(Classified {
            group: SqlName::parse(&raw.group).ok()?,
            importance: importance.ok()?,
            label: detail("wlm_label").ok()?,
            context: detail("wlm_context").ok()?,
            hours: hours?,
        })
    };
    Some(Classifier { name, member, does: if more { None } else { does() }, unread: hours.is_none() })
}

/// How the catalog writes it is not documented: seconds of nothing are none.
fn time(text: &str) -> Option<MinuteOfDay> {
    let (minute, seconds) = text.trim().split_at_checked(5)?;
    if !seconds.trim_start_matches(':').chars().all(|c| matches!(c, '0' | '.')) {
        return None;
    }
    minute.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(details: &[(&str, &str)]) -> Raw {
        let mut details: BTreeMap<String, String> =
            details.iter().map(|(kind, value)| ((*kind).to_owned(), (*value).to_owned())).collect();
        details.insert("membername".into(), "axon_loader".into());
        Raw { group: "largerc".into(), importance: Some("high".into()), details }
    }

    fn hours(details: &[(&str, &str)]) -> Option<String> {
        let found = one("axon_loader:largerc", &raw(details)).unwrap();
        let times = details.iter().any(|(kind, _)| kind.ends_with("_time"));
        assert_eq!(found.unread, found.does.is_none() && times, "{found:?}");
        let does = found.does?;
        Some(does.hours.map_or_else(|| "always".into(), |hours| hours.to_string()))
    }

    #[test]
    fn hours_are_read_and_what_is_none_is_more_than_a_line_says() {
        let of = |from, until| hours(&[("start_time", from), ("end_time", until)]);
        assert_eq!(hours(&[]).as_deref(), Some("always"));
        assert_eq!(of("22:00", "06:30").as_deref(), Some("from 22:00 until 06:30"));
        assert_eq!(of("22:00:00.0000000", "06:30:00").as_deref(), Some("from 22:00 until 06:30"));
        for (from, until) in [("22:00:30", "06:30"), ("late", "06:30"), ("22:00", "25:00"), ("", "06:30")] {
            assert_eq!(of(from, until), None, "{from} {until}");
        }
        assert_eq!(hours(&[("start_time", "22:00")]), None, "an end is missing");
        assert_eq!(hours(&[("wlm_colour", "red")]), None);
    }
}

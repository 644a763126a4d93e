//! Workload classifiers as values: a row for each detail, put together by name.

use std::collections::BTreeMap;

use axon_model::SqlName;
use axon_reconcile::{Classified, Classifier};
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
    let known = ["membername", "wlm_label", "wlm_context"];
    let more = raw.details.keys().any(|kind| !known.contains(&kind.as_str()));
    let does = || {
        let importance =
            raw.importance.as_deref().map_or(Ok(axon_reconcile::Importance::default()), str::parse);
        Some(Classified {
            group: SqlName::parse(&raw.group).ok()?,
            importance: importance.ok()?,
            label: detail("wlm_label").ok()?,
            context: detail("wlm_context").ok()?,
        })
    };
    Some(Classifier { name, member, does: if more { None } else { does() } })
}

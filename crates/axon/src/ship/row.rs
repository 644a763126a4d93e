//! What is sent of a record: one row of the table that `deploy/azure` defines.

use axon_audit::record::instant;
use axon_azure::MOST_FIELD;
use axon_model::Actor;
use axon_store::JournalEntry;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

/// How much of a value that is too large is sent.
const HEAD: usize = 8 * 1024;

/// A row. Every column is always there, with null where there is nothing to say.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Row {
    /// When it happened. Azure replaces what is older than two days by the time of arrival.
    pub(super) time_generated: String,
    /// When it happened, in the journal's own spelling.
    pub(super) at: String,
    /// The same whenever the row is sent again.
    pub(super) record_id: String,
    /// Which journal: the beginning of its first record's hash.
    pub(super) log: String,
    /// The position in the journal; none of what is not in it.
    pub(super) position: Option<u64>,
    /// What it tells of.
    pub(super) kind: String,
    /// `source`, `operator` or `axon`.
    pub(super) actor_kind: String,
    /// Which source, or which operator.
    pub(super) actor: Option<String>,
    /// The source that it is about.
    pub(super) source: Option<String>,
    /// The target that it is about.
    pub(super) target: Option<String>,
    /// What was done.
    pub(super) action: Option<String>,
    /// How it ended, or how it stands.
    pub(super) result: Option<String>,
    /// What it is about, in a word.
    pub(super) about: Option<String>,
    /// The HTTP request that caused it.
    pub(super) request: Option<String>,
    /// The run that it belongs to.
    pub(super) run: Option<String>,
    /// Ids, counts, codes.
    pub(super) facts: Value,
    /// What names people; null where names stay here.
    pub(super) clear: Value,
    /// Whether facts or names were too large and are not whole.
    pub(super) cut: bool,
    /// The digest of what names people.
    pub(super) commitment: Option<String>,
    /// The hash of the record before.
    pub(super) prev: Option<String>,
    /// The hash of the record.
    pub(super) hash: Option<String>,
}

/// The columns, each with its type as Azure Monitor calls it.
#[cfg(test)]
pub(super) const COLUMNS: [(&str, &str); 21] = [
    ("TimeGenerated", "datetime"),
    ("At", "string"),
    ("RecordId", "string"),
    ("Log", "string"),
    ("Position", "long"),
    ("Kind", "string"),
    ("ActorKind", "string"),
    ("Actor", "string"),
    ("Source", "string"),
    ("Target", "string"),
    ("Action", "string"),
    ("Result", "string"),
    ("About", "string"),
    ("Request", "string"),
    ("Run", "string"),
    ("Facts", "dynamic"),
    ("Clear", "dynamic"),
    ("Cut", "boolean"),
    ("Commitment", "string"),
    ("Prev", "string"),
    ("Hash", "string"),
];

impl Row {
    /// A row about how something stands: not of the journal.
    pub(super) fn standing(kind: &str, log: &str, id: String, at: OffsetDateTime, facts: Value) -> Self {
        let (facts, cut) = within(facts);
        Self {
            time_generated: instant::text(at),
            at: instant::text(at),
            record_id: id,
            log: log.to_owned(),
            position: None,
            kind: kind.to_owned(),
            actor_kind: "axon".to_owned(),
            actor: None,
            source: None,
            target: None,
            action: None,
            result: None,
            about: None,
            request: None,
            run: None,
            facts,
            clear: Value::Null,
            cut,
            commitment: None,
            prev: None,
            hash: None,
        }
    }

    /// The row of a record.
    pub(super) fn of(entry: &JournalEntry, log: &str, names: bool) -> Self {
        let record = &entry.record;
        let word = |keys: &[&str]| keys.iter().find_map(|key| record.facts.get(*key)).and_then(word);
        let (actor_kind, actor, source) = match &record.actor {
            Actor::Source { source } => ("source", Some(source.to_string()), Some(source.to_string())),
            Actor::Operator { name } => ("operator", Some(short(name)), None),
            Actor::Axon => ("axon", None, None),
        };
        let result = word(&["result", "code"]).or_else(|| {
            word(&["in_force"]).map(|so| if so == "true" { "in-force" } else { "not-in-force" }.to_owned())
        });
        let clear = entry.clear.as_ref().filter(|_| names).map_or(Value::Null, |clear| clear.body.clone());
        let ((facts, facts_cut), (clear, clear_cut)) = (within(record.facts.clone()), within(clear));
        Self {
            time_generated: instant::text(record.at),
            at: instant::text(record.at),
            record_id: record.id.to_string(),
            log: log.to_owned(),
            position: Some(record.seq.0),
            kind: record.kind.as_str().to_owned(),
            actor_kind: actor_kind.to_owned(),
            actor,
            source: word(&["source"]).or(source),
            target: word(&["target"]),
            action: word(&["verb", "action", "act", "way"]),
            result,
            about: word(&["about", "guards"]),
            request: record.request.as_ref().map(|request| short(&request.to_string())),
            run: record.run.as_ref().map(ToString::to_string),
            facts,
            clear,
            cut: facts_cut || clear_cut,
            commitment: record.commitment.map(|digest| digest.to_string()),
            prev: Some(record.prev.to_string()),
            hash: Some(record.hash.to_string()),
        }
    }

    /// The row as JSON.
    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// A fact that is a word, or a list of them.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(short(text)),
        Value::Bool(so) => Some(so.to_string()),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            (!words.is_empty()).then(|| short(&words.join(" ")))
        }
        _ => None,
    }
}

fn short(text: &str) -> String {
    text.chars().take(500).collect()
}

/// A value within what a column takes: Azure would cut it without a word, and what is left would be no JSON.
fn within(value: Value) -> (Value, bool) {
    let text = value.to_string();
    if text.len() <= MOST_FIELD {
        return (value, false);
    }
    let end = (0..=HEAD).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    (json!({ "cut": true, "bytes": text.len(), "begins": &text[..end] }), true)
}

#[cfg(test)]
mod tests {
    use axon_audit::payload::{HoldChange, HoldClear, HoldVerb, StepClear, StepOutcome, StepRef, StepResult};
    use axon_audit::{Chain, ClearPart, NewRecord, Payload, seal};
    use axon_model::{HoldId, IdSource, PlanId, RunId};
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00:00.5 UTC);

    fn entry<P: Payload>(actor: Actor, payload: P) -> JournalEntry {
        let ids = IdSource::counting();
        let new = NewRecord::of(&ids, NOW, actor, payload).unwrap();
        let new = new.with_run(RunId::from_uuid(ids.uuid(NOW)));
        let clear = new.clear.clone();
        JournalEntry { record: seal(Chain::EMPTY, new).unwrap().record, clear }
    }

    fn outcome(text: &str) -> JournalEntry {
        let plan = PlanId::from_uuid(IdSource::counting().uuid(NOW));
        let step = StepRef { target: "warehouse".into(), plan, index: 1, action: "deny connect".into() };
        let clear = StepClear { text: text.into(), ..StepClear::default() };
        entry(
            Actor::Axon,
            StepOutcome { step, result: StepResult::Done, number: None, micros: Some(7), clear },
        )
    }

    #[test]
    fn a_row_has_exactly_the_columns_of_the_table() {
        let whole: Value = serde_json::from_str(&Row::of(&outcome("x"), "l", true).json().unwrap()).unwrap();
        let health = Row::standing("source-health", "l", "i".into(), NOW, json!({}));
        let other: Value = serde_json::from_str(&health.json().unwrap()).unwrap();
        for row in [whole, other] {
            let fields = row.as_object().unwrap();
            assert_eq!(fields.len(), COLUMNS.len());
            for (name, kind) in COLUMNS {
                let value = &fields[name];
                let fits = match kind {
                    "datetime" | "string" => value.is_string() || value.is_null(),
                    "long" => value.is_u64() || value.is_null(),
                    "boolean" => value.is_boolean(),
                    "dynamic" => value.is_object() || value.is_null(),
                    other => panic!("{other}"),
                };
                assert!(fits, "{name}: {value}");
            }
        }
    }

    #[test]
    fn a_record_s_words_have_columns_of_their_own_and_names_stay_here_unless_they_are_asked_for() {
        let entry = outcome("deny connect to kim@acme.com");
        let row = Row::of(&entry, "l", false);
        let words = (row.kind.as_str(), row.target.as_deref(), row.action.as_deref(), row.result.as_deref());
        assert_eq!(words, ("step-outcome", Some("warehouse"), Some("deny connect"), Some("done")));
        assert!(!row.json().unwrap().contains("kim@acme.com"));
        assert_eq!(row.time_generated, "2026-11-22T10:00:00.500000Z");
        assert_eq!(row.hash, Some(entry.record.hash.to_string()));
        assert!(Row::of(&entry, "l", true).json().unwrap().contains("kim@acme.com"));
        let hold = HoldChange {
            verb: HoldVerb::Opened,
            hold: HoldId::from_uuid(IdSource::counting().uuid(NOW)),
            about: "new-person".into(),
            source: Some("entra".parse().unwrap()),
            target: None,
            clear: HoldClear::default(),
        };
        let row = Row::of(&self::entry(Actor::Operator { name: "ana".into() }, hold), "l", false);
        assert_eq!((row.action.as_deref(), row.about.as_deref()), (Some("opened"), Some("new-person")));
        assert_eq!((row.source.as_deref(), row.actor.as_deref()), (Some("entra"), Some("ana")));
    }

    #[test]
    fn a_value_over_the_limit_is_cut_and_says_so_and_stays_json() {
        let mut entry = outcome(&"\u{e9}\"\\".repeat(60_000));
        let row = Row::of(&entry, "l", true);
        assert!(row.cut && row.clear["cut"] == true && row.clear["bytes"].as_u64().unwrap() > 64_000);
        assert!(row.clear.to_string().len() < MOST_FIELD, "{}", row.clear.to_string().len());
        assert_eq!(row.facts, entry.record.facts, "the rest is whole");
        entry.clear = Some(ClearPart { body: json!("x".repeat(MOST_FIELD - 2)), ..entry.clear.unwrap() });
        assert!(!Row::of(&entry, "l", true).cut, "to the byte");
        entry.clear = Some(ClearPart { body: json!("x".repeat(MOST_FIELD - 1)), ..entry.clear.unwrap() });
        assert!(Row::of(&entry, "l", true).cut);
    }
}

//! What Axon made, as the journal tells it.

use std::collections::BTreeMap;

use axon_audit::RecordKind;
use axon_audit::payload::{StepOutcome, StepResult};
use axon_model::RecordSeq;
use axon_store::{Store, StoreError};
use time::OffsetDateTime;

/// How many records are read at once.
const PAGE: u32 = 2_000;
/// Steps that made something, in words, and when.
pub(super) type Created = BTreeMap<String, OffsetDateTime>;

/// The steps by which Axon made the roles and users of these targets that it did not drop since, as records tell them.
pub(super) async fn created(store: &dyn Store, targets: &[String]) -> Result<Created, StoreError> {
    let mut created = Created::new();
    let mut from = RecordSeq(1);
    loop {
        let page = store.records_of(RecordKind::StepOutcome, from, PAGE).await?;
        let Some(last) = page.last() else { return Ok(created) };
        from = RecordSeq(last.record.seq.0 + 1);
        for entry in &page {
            let Ok(outcome) = entry.record.facts_of::<StepOutcome>() else { continue };
            let text = entry.clear.as_ref().and_then(|clear| clear.body["text"].as_str());
            let is_done = outcome.result == StepResult::Done && targets.contains(&outcome.step.target);
            if let Some(text) = text.filter(|_| is_done) {
                fold(&mut created, &outcome.step.action, text, entry.record.at);
            }
        }
    }
}

/// Takes in one step that was done, by its kind and its words.
fn fold(created: &mut Created, action: &str, text: &str, at: OffsetDateTime) {
    match action {
        "create-role" | "create-user" => drop(created.insert(text.to_owned(), at)),
        "drop-role" => {
            let name = text.strip_prefix("drop role ");
            created.retain(|made, _| made.strip_prefix("create role ").is_none_or(|own| Some(own) != name));
        }
        "drop-user" => {
            let Some(name) = text.strip_prefix("drop user ") else { return };
            created.retain(|made, _| {
                let user = made.strip_prefix("create external ").and_then(|rest| rest.split_once(' '));
                let rest = user.and_then(|(_, user)| user.strip_prefix(name));
                rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with(" with sid "))
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn what_axon_dropped_again_it_did_not_make() {
        let mut created = Created::new();
        let made = [
            ("create-role", "create role sales"),
            ("create-role", "create role sales2"),
            ("create-user", "create external user kim with sid 0x01"),
            ("create-user", "create external user kim lee"),
            ("create-user", "create external group ana"),
        ];
        for (action, text) in made {
            fold(&mut created, action, text, AT);
        }
        for (action, text) in
            [("drop-role", "drop role sales"), ("drop-user", "drop user kim"), ("drop-user", "drop user ana")]
        {
            fold(&mut created, action, text, AT);
        }
        let left: Vec<&str> = created.keys().map(String::as_str).collect();
        assert_eq!(left, ["create external user kim lee", "create role sales2"]);
    }
}

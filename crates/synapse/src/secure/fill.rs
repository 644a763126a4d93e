//! The first fill of people's profiles: rows of thousands at once, by a bulk load where the pool takes one, else by statements of some
//! hundreds. A bulk load stands as a whole or not at all; what stands is read back either way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axon_model::SqlName;
use axon_reconcile::secure::ProfileRow;
use axon_reconcile::{RefusalKind, Retry};

use crate::connect::Session;
use crate::error::CallError;
use crate::render::{self, PROFILE_COLUMNS, PROFILE_LENGTHS};

/// Whether a pool refuses bulk loads, as far as it is known: once it did, it is not asked again by this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct BulkLoads {
    refused: Arc<AtomicBool>,
}

impl BulkLoads {
    /// What the configuration says instead: no bulk loads.
    pub(crate) fn none() -> Self {
        Self { refused: Arc::new(AtomicBool::new(true)) }
    }

    fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }
}

/// Puts rows in. What is recorded of each statement goes into `sent` before its answer is known.
pub(crate) async fn fill(
    session: &mut Session<'_>,
    bulk: &BulkLoads,
    schema: SqlName,
    rows: &[ProfileRow],
    sent: &mut Vec<String>,
) -> Result<(), CallError> {
    // What is too long for its column is for the pool to refuse, by name: a bulk load would break in the middle.
    if !bulk.refused() && rows.iter().all(fits) {
        sent.push(render::bulk_recorded(schema, rows));
        match load(session, schema, rows).await {
            Err(CallError::Refused { refusal, retry }) if falls_back(refusal.kind, &retry) => {
                tracing::info!(
                    refusal.number,
                    "the pool takes no bulk load: profiles are written by statements"
                );
                if refusal.kind != RefusalKind::Missing {
                    bulk.refuse();
                }
            }
            other => return other,
        }
    }
    for statement in render::insert_rows(schema, rows) {
        sent.push(statement.recorded);
        session.run(&statement.sent).await?;
    }
    Ok(())
}

/// Whether statements may do what a bulk load was refused: not where the pool is busy or away.
fn falls_back(kind: RefusalKind, retry: &Retry) -> bool {
    let away = matches!(kind, RefusalKind::Busy | RefusalKind::Paused | RefusalKind::Login);
    !away && matches!(retry, Retry::Never)
}

fn fits(row: &ProfileRow) -> bool {
    let lengths =
        [row.principal.as_str(), &row.attribute, &row.value].map(|text| text.encode_utf16().count());
    lengths.iter().zip(PROFILE_LENGTHS).all(|(length, most)| *length <= most)
}

async fn load(session: &mut Session<'_>, schema: SqlName, rows: &[ProfileRow]) -> Result<(), CallError> {
    let table = render::profile_table(schema);
    let texts = rows.iter().map(|row| [row.principal.as_str(), row.attribute.as_str(), row.value.as_str()]);
    let taken = session.load(&table, &PROFILE_COLUMNS, texts).await?;
    if taken == rows.len() as u64 {
        Ok(())
    } else {
        Err(CallError::Unreadable(format!("{taken} rows were taken of {} that were sent", rows.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_pool_will_never_take_is_tried_in_another_way() {
        for (kind, retry, other) in [
            (RefusalKind::Unsupported, Retry::Never, true),
            (RefusalKind::Forbidden, Retry::Never, true),
            (RefusalKind::Other, Retry::Never, true),
            (RefusalKind::Other, Retry::Now, false),
            (RefusalKind::Busy, Retry::Never, false),
            (RefusalKind::Paused, Retry::Never, false),
        ] {
            assert_eq!(falls_back(kind, &retry), other, "{kind:?}");
        }
    }

    #[test]
    fn what_is_too_long_in_utf_16_does_not_fit() {
        let row = |value: String| ProfileRow {
            principal: SqlName::parse("kim").unwrap(),
            attribute: "title".into(),
            value,
        };
        assert!(fits(&row("x".repeat(3_000))) && fits(&row("😀".repeat(1_500))));
        assert!(!fits(&row("x".repeat(3_001))) && !fits(&row("😀".repeat(1_501))));
    }
}

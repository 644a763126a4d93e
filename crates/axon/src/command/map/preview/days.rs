//! `axon map preview --days N`: each of the last days, rebuilt from the journal.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use axon_audit::payload::Erased;
use axon_audit::{DirectoryChange, RecordKind};
use axon_controller::World;
use axon_mapping::preview::{Backtest, Backtester};
use axon_mapping::{Identity, Touched};
use axon_model::{Delta, Directory, RecordSeq};
use axon_store::JournalEntry;
use time::{Date, OffsetDateTime, Time};

use super::{Maps, tell};
use crate::cli::PreviewArgs;
use crate::command::{Status, print_json};
use crate::wiring::{Parts, load_config};

/// Records read in one go.
const SOME: u32 = 1_000;

/// What came of going through the journal.
struct Rebuilt {
    backtest: Backtest,
    /// Changes whose people were erased since: they are left out.
    erased: u64,
}

/// Compares the maps over each of the last `days` days, today being the last.
pub(super) async fn run(
    config: &Path,
    args: &PreviewArgs,
    maps: &Maps,
    days: u16,
    now: OffsetDateTime,
) -> anyhow::Result<Status> {
    let parts = Parts::open_existing(load_config(config)?).await?;
    let rebuilt = rebuild(&parts, maps, &ends(days, now)?).await;
    parts.store.close().await;
    let Rebuilt { backtest, erased } = rebuilt?;
    let comment = || {
        let text = backtest.text(args.steps).replace("```", "'''");
        format!("## Role map over past days\n\n```\n{text}```\n")
    };
    tell(args, &comment, &|| {
        if args.json {
            let mut value = serde_json::to_value(&backtest)?;
            value["erased"] = erased.into();
            return print_json(&value);
        }
        print!("{}", backtest.text(args.steps));
        Ok(())
    })?;
    if erased > 0 {
        eprintln!("{erased} changes of people who were erased since are left out");
    }
    if backtest.days.len() < usize::from(days) {
        eprintln!("the journal is younger than {days} days");
    }
    Ok(if backtest.gives() { Status::Found } else { Status::Done })
}

/// The last days, each with its end; today ends now.
fn ends(days: u16, now: OffsetDateTime) -> anyhow::Result<Vec<(Date, OffsetDateTime)>> {
    let now = now.to_offset(time::UtcOffset::UTC);
    let today = now.date();
    (0..days)
        .rev()
        .map(|back| {
            let date = today
                .checked_sub(time::Duration::days(back.into()))
                .with_context(|| format!("no day lies {back} days back"))?;
            let end = date.next_day().map(|next| next.with_time(Time::MIDNIGHT).assume_utc());
            Ok((date, end.map_or(now, |end| end.min(now))))
        })
        .collect()
}

async fn rebuild(parts: &Parts, maps: &Maps, ends: &[(Date, OffsetDateTime)]) -> anyhow::Result<Rebuilt> {
    // Whom names belong to now, as far as it was said by then.
    let mut world = World::of(parts.config.claims());
    world.follow(parts.store.as_ref(), parts.clock.now()).await?;
    let identity = world.identity().clone();
    let mut walk = Walk {
        backtester: Backtester::new(maps.old.as_ref(), &maps.new),
        identity,
        directory: Directory::default(),
        touched: Touched::default(),
        ends,
        begun: false,
        erased: 0,
    };
    let mut next = RecordSeq(1);
    loop {
        let some = parts.store.records(next, SOME).await?;
        let Some(last) = some.last() else { break };
        next = last.record.seq.next();
        for entry in &some {
            walk.take(entry)?;
        }
    }
    walk.close_until(None);
    Ok(Rebuilt { backtest: walk.backtester.finish(), erased: walk.erased })
}

/// The journal gone through in order, day by day.
struct Walk<'a> {
    backtester: Backtester<'a>,
    identity: Arc<Identity>,
    directory: Directory,
    touched: Touched,
    /// The days that are still to come.
    ends: &'a [(Date, OffsetDateTime)],
    /// Whether there was a record before the end of the day.
    begun: bool,
    erased: u64,
}

impl Walk<'_> {
    fn take(&mut self, entry: &JournalEntry) -> anyhow::Result<()> {
        let record = &entry.record;
        self.close_until(Some(record.at));
        self.begun = true;
        if record.kind == RecordKind::DirectoryChange {
            let deltas = match DirectoryChange::deltas_of(record, entry.clear.as_ref()) {
                Ok(deltas) => deltas,
                Err(Erased::Gone(_)) => {
                    self.erased += 1;
                    return Ok(());
                }
                Err(error @ Erased::Payload(_)) => {
                    return Err(error).with_context(|| format!("record {}", record.seq));
                }
            };
            for delta in &deltas {
                self.apply(delta, record.seq);
            }
        }
        self.directory.advance(record.seq);
        Ok(())
    }

    fn apply(&mut self, delta: &Delta, seq: RecordSeq) {
        self.touched.note(&self.directory, delta);
        self.directory.apply(delta, seq);
    }

    /// Looks at every day that ended before this instant, or at all that are left.
    fn close_until(&mut self, at: Option<OffsetDateTime>) {
        while let Some(((date, end), later)) = self.ends.split_first() {
            if at.is_some_and(|at| at < *end) {
                return;
            }
            self.ends = later;
            // Before its first record the journal says nothing of a day.
            if self.begun {
                let identity = Arc::new(self.identity.as_of(self.directory.position()));
                self.backtester.day(*date, &self.directory, &self.touched, &identity, *end);
                self.touched = Touched::default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn today_ends_now_and_the_days_before_it_at_midnight() {
        let now = datetime!(2026-03-01 10:00 +2);
        assert_eq!(
            ends(3, now).unwrap(),
            [
                (date!(2026 - 02 - 27), datetime!(2026-02-28 0:00 UTC)),
                (date!(2026 - 02 - 28), datetime!(2026-03-01 0:00 UTC)),
                (date!(2026 - 03 - 01), datetime!(2026-03-01 8:00 UTC)),
            ]
        );
        assert_eq!(ends(1, now).unwrap().len(), 1);
    }
}

//! How long people who left could still be in: times, percentiles, and who is not out yet.

use axon_audit::RecordKind;
use axon_audit::payload::{LeaverEnd, LeaverTime};
use axon_audit::record::instant;
use axon_mapping::RoleMap;
use axon_model::RecordSeq;
use axon_store::{Leaver, NextLeaver, Store, StoreError};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

/// Records read in one go.
const SOME: u32 = 1_000;

/// One clock that ended, as its record says it. The name is erasable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The record.
    pub record: RecordSeq,
    /// What it says.
    pub time: LeaverTime,
    /// Who.
    pub principal: Option<String>,
}

/// The clocks of all targets that ended, in the order of their records.
pub async fn past(store: &dyn Store) -> Result<Vec<Past>, StoreError> {
    let mut all = Vec::new();
    let mut next = RecordSeq(1);
    loop {
        let some = store.records_of(RecordKind::LeaverClock, next, SOME).await?;
        let Some(last) = some.last() else { return Ok(all) };
        next = last.record.seq.next();
        for entry in some {
            // A record of a later version that this one cannot read is in the journal all the same.
            let Ok(time) = entry.record.facts_of::<LeaverTime>() else { continue };
            let clear = entry.clear.and_then(|clear| clear.body_of::<LeaverTime>().ok());
            let principal = clear.map(|clear| clear.principal);
            all.push(Past { record: entry.record.seq, time, principal });
        }
    }
}

/// The percentile of times by the nearest rank: the smallest of them that is not smaller than `percent` of all.
pub fn percentile(times: &[u64], percent: u32) -> Option<u64> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as u64 * u64::from(percent.min(100))).div_ceil(100).max(1);
    sorted.get(usize::try_from(rank - 1).ok()?).copied()
}

/// The figures of one clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// How many were measured.
    pub count: usize,
    /// Milliseconds.
    pub p50: Option<u64>,
    /// Milliseconds.
    pub p99: Option<u64>,
    /// Milliseconds.
    pub longest: Option<u64>,
}

impl Figures {
    /// Of these times.
    pub fn of(times: &[u64]) -> Self {
        let of = |percent| percentile(times, percent);
        Self { count: times.len(), p50: of(50), p99: of(99), longest: times.iter().copied().max() }
    }

    fn as_json(&self) -> Value {
        json!({ "count": self.count, "p50_millis": self.p50, "p99_millis": self.p99, "longest_millis": self.longest })
    }

    fn line(&self) -> String {
        match (self.p50, self.p99, self.longest) {
            (Some(p50), Some(p99), Some(longest)) => {
                format!("p50 {}, p99 {}, longest {}", shown(p50), shown(p99), shown(longest))
            }
            _ => "none".to_owned(),
        }
    }
}

/// Milliseconds as people read them.
pub fn shown(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0..60 => format!("{seconds}.{:03} s", millis % 1_000),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// How long an open clock runs, in milliseconds.
fn runs(leaver: &Leaver, now: OffsetDateTime) -> u64 {
    u64::try_from((now - leaver.arrived).max(Duration::ZERO).whole_milliseconds()).unwrap_or(u64::MAX)
}

/// Within which time whoever left ought to be out of a target: any, where the map shuts nobody out of it.
pub fn objective_in(map: &RoleMap, target: &str, objective: Duration) -> Option<Duration> {
    let spec = map.targets.iter().find(|(name, _)| name.as_str() == target).map(|(_, spec)| spec);
    spec.is_some_and(axon_controller::shuts_out).then_some(objective)
}

/// Whether somebody is late.
pub fn is_late(leaver: &Leaver, objective: Option<Duration>, now: OffsetDateTime) -> bool {
    objective.is_some_and(|objective| now - leaver.arrived > objective)
}

/// An open clock as JSON.
pub fn open_json(leaver: &Leaver, objective: Option<Duration>, now: OffsetDateTime) -> Value {
    json!({
        "principal": leaver.name.as_str(),
        "record": leaver.cause,
        "way": leaver.way,
        "arrived_at": instant::text(leaver.arrived),
        "shut_out_at": leaver.shut.map(instant::text),
        "millis": runs(leaver, now),
        "late": is_late(leaver, objective, now),
        "waits_for": leaver.why,
    })
}

/// An open clock in words.
pub fn open_line(leaver: &Leaver, objective: Option<Duration>, now: OffsetDateTime) -> String {
    let Leaver { name, cause, way, arrived, shut, why, former: _ } = leaver;
    let since = axon_store::stored::shown_instant(*arrived);
    let late = if is_late(leaver, objective, now) { ", which is too long" } else { "" };
    let shut = if shut.is_some() { "shut out, but a session may be left" } else { "not shut out" };
    let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let runs = shown(runs(leaver, now));
    format!(
        "{name} left at {since} (record {cause}, {}) and is {shut}, for {runs} by now{late}{why}",
        way.as_str()
    )
}

/// Who left under a name whose earlier bearer is not out, as JSON.
fn next_json(next: &NextLeaver) -> Value {
    json!({
        "principal": next.name.as_str(),
        "record": next.cause,
        "way": next.way,
        "arrived_at": instant::text(next.arrived),
    })
}

/// The same in words.
fn next_line(next: &NextLeaver) -> String {
    let NextLeaver { name, cause, way, arrived, behind: _ } = next;
    let since = axon_store::stored::shown_instant(*arrived);
    let way = way.as_str();
    format!(
        "{name} left at {since} (record {cause}, {way}): counted from there once who left under that name before is out"
    )
}

/// How long it took, in milliseconds: not known where it ended before it began, by the clocks of two processes that disagree.
fn took(time: &LeaverTime) -> Option<u64> {
    (time.ended_at >= time.arrived_at).then_some(time.millis)
}

/// One target's part of the report.
pub struct Told<'a> {
    /// Its name.
    pub target: &'a str,
    /// Within which time whoever leaves it ought to be out; none where nobody is shut out.
    pub objective: Option<Duration>,
    /// Who is out or came back.
    pub past: Vec<&'a Past>,
    /// Who is not out yet, the oldest first.
    pub open: Vec<Leaver>,
    /// Who left under the name of one of these since.
    pub next: Vec<NextLeaver>,
}

impl Told<'_> {
    fn out(&self) -> impl Iterator<Item = &LeaverTime> {
        self.past.iter().map(|past| &past.time).filter(|time| time.result == LeaverEnd::Out)
    }

    fn figures(&self) -> (Figures, Figures) {
        let pushed: Vec<u64> = self.out().filter_map(took).collect();
        let events: Vec<u64> = self.out().filter_map(|time| time.event_millis).collect();
        (Figures::of(&pushed), Figures::of(&events))
    }

    /// As JSON.
    pub fn as_json(&self, now: OffsetDateTime) -> Value {
        let (pushed, events) = self.figures();
        let leavers = self.past.iter().map(|past| {
            let Past { record, time, principal } = past;
            json!({
                "principal": principal,
                "clock_record": record,
                "record": time.cause,
                "way": time.way,
                "result": time.result,
                "arrived_at": instant::text(time.arrived_at),
                "event": time.event,
                "event_at": time.event_at.map(instant::text),
                "shut_out_at": time.shut_out_at.map(instant::text),
                "ended_at": instant::text(time.ended_at),
                "millis": took(time),
                "event_millis": time.event_millis,
                "objective_millis": time.objective_millis,
                "within": time.within,
            })
        });
        json!({
            "target": self.target,
            "shuts_out": self.objective.is_some(),
            "out": self.out().count(),
            "within_objective": self.out().filter(|time| time.within).count(),
            "returned": self.past.len() - self.out().count(),
            "from_push": pushed.as_json(),
            "from_event": events.as_json(),
            "next": self.next.iter().map(next_json).collect::<Vec<_>>(),
            "open": self.open.iter().map(|leaver| open_json(leaver, self.objective, now)).collect::<Vec<_>>(),
            "leavers": leavers.collect::<Vec<_>>(),
        })
    }

    /// As people read it.
    pub fn lines(&self, now: OffsetDateTime) -> Vec<String> {
        let (pushed, events) = self.figures();
        let (out, within) = (self.out().count(), self.out().filter(|time| time.within).count());
        let returned = self.past.len() - out;
        let mut lines = vec![format!(
            "target {}: {out} left and are out, {within} of them in time; {returned} came back before; {} are not out yet",
            self.target,
            self.open.len()
        )];
        if self.objective.is_none() {
            lines.push("    the map shuts nobody out of it: nobody is late here".to_owned());
        }
        lines.push(format!("    from the push to the last session gone: {}", pushed.line()));
        lines.push(format!(
            "    from the provider's own event, known of {}: {}",
            events.count,
            events.line()
        ));
        lines.extend(
            self.open.iter().map(|leaver| format!("    open: {}", open_line(leaver, self.objective, now))),
        );
        lines.extend(self.next.iter().map(|next| format!("    next: {}", next_line(next))));
        for Past { time, principal, .. } in &self.past {
            let who = principal.as_deref().map_or_else(|| "(erased)".to_owned(), axon_model::name::shown);
            let at = axon_store::stored::shown_instant;
            let (arrived, ended) = (at(time.arrived_at), at(time.ended_at));
            let way = time.way.as_str();
            lines.push(match time.result {
                LeaverEnd::Out => {
                    let late = if time.within || took(time).is_none() { "" } else { ", too late" };
                    let event = time
                        .event_millis
                        .map(|millis| format!(", {} after the provider's event", shown(millis)));
                    let took = took(time)
                        .map_or_else(|| "in a time that is not known: two clocks disagree".to_owned(), shown);
                    let event = event.unwrap_or_default();
                    format!(
                        "    {who}: left {arrived} (record {}, {way}), out {ended}, {took}{late}{event}",
                        time.cause
                    )
                }
                LeaverEnd::Returned => {
                    format!(
                        "    {who}: left {arrived} (record {}, {way}), came back before {ended}",
                        time.cause
                    )
                }
            });
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use axon_audit::payload::{LeaverClear, LeaverEvent, LeftBy};

    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times_by_the_nearest_rank() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!((percentile(&[7], 1), percentile(&[7], 99)), (Some(7), Some(7)));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        let at = |percent| percentile(&hundred, percent);
        assert_eq!((at(0), at(50), at(99), at(100)), (Some(1), Some(50), Some(99), Some(100)));
        assert_eq!((percentile(&[1, 2, 3], 50), percentile(&[1, 2, 3, 4], 50)), (Some(2), Some(2)));
        assert_eq!(percentile(&[1, 2], 99), Some(2), "never between two times");
        for times in [&[3, 1, 2][..], &[5, 5], &[0, u64::MAX]] {
            let all: Vec<u64> = (0..=100).filter_map(|percent| percentile(times, percent)).collect();
            assert!(
                all.windows(2).all(|pair| pair[0] <= pair[1]) && all.iter().all(|time| times.contains(time))
            );
        }
    }

    #[test]
    fn an_end_before_the_beginning_is_no_time() {
        let at = |second| OffsetDateTime::UNIX_EPOCH + Duration::seconds(second);
        let past = |arrived, ended, millis, within| Past {
            record: RecordSeq(9),
            time: LeaverTime {
                target: "warehouse".into(),
                cause: RecordSeq(7),
                way: LeftBy::Deactivated,
                result: LeaverEnd::Out,
                arrived_at: at(arrived),
                event: LeaverEvent::NotAsked,
                event_at: None,
                shut_out_at: Some(at(ended)),
                ended_at: at(ended),
                millis,
                event_millis: None,
                objective_millis: 300_000,
                within,
                clear: LeaverClear::default(),
            },
            principal: Some("ann@acme.example".into()),
        };
        let (known, unknown) = (past(10, 12, 2_000, true), past(10, 8, 0, false));
        let told = Told {
            target: "warehouse",
            objective: Some(Duration::minutes(5)),
            past: vec![&known, &unknown],
            open: Vec::new(),
            next: vec![NextLeaver {
                name: "kim".parse().unwrap(),
                cause: RecordSeq(9),
                way: LeftBy::Deleted,
                arrived: at(15),
                behind: String::new(),
            }],
        };
        let json = told.as_json(at(20));
        assert_eq!((&json["out"], &json["within_objective"]), (&json!(2), &json!(1)));
        assert_eq!(
            json["from_push"],
            json!({ "count": 1, "p50_millis": 2_000, "p99_millis": 2_000, "longest_millis": 2_000 })
        );
        assert_eq!(json["leavers"][1]["millis"], Value::Null);
        let lines = told.lines(at(20));
        assert!(lines[0].contains("2 left and are out, 1 of them in time"), "{lines:?}");
        assert!(
            lines.last().unwrap().contains("in a time that is not known: two clocks disagree"),
            "{lines:?}"
        );
        assert!(!lines.last().unwrap().contains("too late"), "{lines:?}");
    }

    #[test]
    fn times_are_told_in_words() {
        let told = [0, 412, 59_999, 60_000, 3_600_000, 90_000_000].map(shown);
        assert_eq!(told, ["0.000 s", "0.412 s", "59.999 s", "1 min 0 s", "1 h 0 min", "1 d 1 h"]);
    }
}

//! What a tick came to: the summary, when the next one is due, and what is said of trouble.

use axon_reconcile::admit::{Reason, Withheld};
use axon_reconcile::{RefusalKind, Retry, TargetError};
use time::OffsetDateTime;

use super::decide::Decided;
use super::work::Ran;
use super::{Tick, Ticker};
use crate::error::ControllerError;
use crate::record::trouble;
use crate::summary::{State, Summary, Waiting};

/// The most waiting things, and the most notes, that a summary spells out.
const SHOWN: usize = 100;

impl Ticker {
    pub(super) fn conclude(&mut self, decided: &Decided, ran: &Ran) -> Tick {
        let now = self.clock.now();
        let withheld = decided.admitted.withheld();
        let waiting = self.waiting(decided, now);
        let total = waiting.len() as u64;
        // Whoever left is out, and has what was asked for: nothing.
        let behind = waiting.len().saturating_sub(self.drops_waiting(&decided.admitted, now));
        let only_watched = |w: &Withheld| w.reasons.contains(&Reason::Observe);
        let observed = !withheld.is_empty() && withheld.iter().all(only_watched);
        // Who was dropped as another one's is made anew by the next tick.
        let renews = decided.renews && ran.applied > 0;
        let again = ran.again
            || renews
            || decided.suspects
            || decided.refiltered
            || ran.tried < decided.admitted.steps().len();
        let settled = if again { self.summary.settled } else { decided.position };
        self.summary = Summary {
            state: match (total, behind, observed) {
                (0, _, _) | (_, 0, false) => State::Converged,
                (_, _, true) => State::Observed,
                (_, _, false) => State::Pending,
            },
            position: decided.position,
            settled,
            applied: if ran.applied > 0 { ran.applied } else { self.summary.applied },
            waiting: waiting.into_iter().take(SHOWN).collect(),
            waiting_total: total,
            notes: self.notes().into_iter().chain(self.probing.notes()).take(SHOWN).collect(),
            trouble: None,
            breaker: None,
        };
        let settles = self.target.look_again().map(|wait| now + wait);
        let sessions = self.next_look_at_sessions(now);
        let next =
            [Some(self.next_look(now)), decided.next_change, self.blocked.next(now), settles, sessions];
        Tick { summary: self.summary.clone(), next: next.into_iter().flatten().min(), again }
    }

    /// All that waits: withheld, refused, or on what is not there or cannot be seen.
    fn waiting(&self, decided: &Decided, now: OffsetDateTime) -> Vec<Waiting> {
        let mut waiting: Vec<Waiting> = Vec::new();
        // What the target refused is told below, with its words.
        for withheld in decided.admitted.withheld().iter().filter(|w| w.reasons != [Reason::Refused]) {
            let why: Vec<String> = withheld.reasons.iter().map(ToString::to_string).collect();
            waiting.push(Waiting { what: withheld.planned.to_string(), why: why.join("; ") });
        }
        for blocked in self.blocked.waiting(now) {
            waiting.push(Waiting { what: blocked.step.to_string(), why: blocked.refusal.to_string() });
        }
        let settling = self.target.settling();
        let told = [
            (&settling, "time: it is configured, and the target lets it have effect by and by"),
            (&decided.pending, "the target or the directory"),
            (&decided.unseen, "a person: what cannot be seen is neither compared nor taken away"),
        ];
        for (texts, why) in told {
            waiting.extend(texts.iter().map(|what| Waiting { what: what.clone(), why: why.into() }));
        }
        waiting.extend(self.probing.waiting());
        waiting.extend(
            decided.plan.findings.iter().map(|f| Waiting { what: f.to_string(), why: "a person".into() }),
        );
        waiting
    }

    pub(super) async fn failed(&mut self, error: &ControllerError, now: OffsetDateTime) -> Tick {
        let state = match error {
            ControllerError::Target(error) => target_state(error),
            ControllerError::Store(_) | ControllerError::Unrecorded(_) | ControllerError::Record(_) => {
                State::StoreFailed
            }
            ControllerError::NoSuchTarget(_) => State::Refused,
        };
        if self.last_trouble != Some(state) {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                state = state.as_str(),
                "a tick failed; it is tried again"
            );
            if let ControllerError::Target(inside) = error {
                let record = trouble(&self.ids, self.name.as_str(), state.as_str(), inside, now);
                match record {
                    Ok(record) => {
                        if let Err(error) = self.store.append(vec![record], None).await {
                            tracing::error!(
                                error = &error as &dyn std::error::Error,
                                "trouble could not be recorded"
                            );
                        }
                    }
                    Err(error) => {
                        tracing::error!(error = &error as &dyn std::error::Error, "trouble has no record");
                    }
                }
            }
            self.last_trouble = Some(state);
        }
        if let Some(known) = self.actual.take() {
            // Where some are hidden, it may be anybody.
            let all = !known.inspection.hides().principals;
            self.see_no_more(all.then(|| known.inspection.graph.principals.keys().copied().collect()));
        }
        self.summary.state = state;
        self.summary.trouble = Some(told(error));
        self.leavers_wait(error, state, now).await;
        self.save(now).await;
        Tick { summary: self.summary.clone(), next: throttled(error).map(|wait| now + wait), again: false }
    }

    pub(super) async fn save(&self, now: OffsetDateTime) {
        let value = match serde_json::to_value(&self.summary) {
            Ok(value) => value,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a summary has no JSON");
                return;
            }
        };
        if let Err(error) = self.store.save_summary(self.name.as_str(), value, now).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a summary could not be kept");
        }
    }
}

/// The trouble in words: of the store's with what lies behind it, since "cannot be written" is mended by knowing why.
fn told(error: &ControllerError) -> String {
    let mut words = error.to_string();
    if let ControllerError::Store(_) | ControllerError::Unrecorded(_) = error {
        let mut inside = std::error::Error::source(error);
        while let Some(source) = inside {
            words.push_str(": ");
            words.push_str(&source.to_string());
            inside = source.source();
        }
    }
    words
}

fn target_state(error: &TargetError) -> State {
    match error {
        TargetError::Unreachable { .. } => State::Unreachable,
        TargetError::NoToken { .. } => State::LoginRefused,
        TargetError::Unreadable { .. } => State::Refused,
        TargetError::Refused { refusal, .. } => match refusal.kind {
            RefusalKind::Paused => State::Paused,
            RefusalKind::Busy => State::Busy,
            RefusalKind::Login => State::LoginRefused,
            _ => State::Refused,
        },
    }
}

/// For how long a server that is throttling asks to be left alone. Other troubles are tried again at the loop's own pace.
fn throttled(error: &ControllerError) -> Option<std::time::Duration> {
    /// No server throttles for less.
    const LEAST: std::time::Duration = std::time::Duration::from_secs(10);
    match error {
        ControllerError::Target(TargetError::Refused { refusal, retry: Retry::After(wait), .. })
            if refusal.kind == RefusalKind::Busy && *wait >= LEAST =>
        {
            Some(*wait)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axon_reconcile::Refusal;

    use super::*;

    #[test]
    fn only_a_server_that_throttles_is_left_alone_as_long_as_it_asks() {
        let wait = |kind, seconds| {
            let refusal = Refusal { kind, number: 0, message: String::new() };
            let retry = Retry::After(Duration::from_secs(seconds));
            let error = TargetError::Refused { target: "dw".into(), attempt: "it", refusal, retry };
            throttled(&error.into()).map(|wait| wait.as_secs())
        };
        assert_eq!(wait(RefusalKind::Busy, 40), Some(40));
        assert_eq!(wait(RefusalKind::Busy, 2), None, "warming up");
        assert_eq!(wait(RefusalKind::Paused, 60), None);
        assert_eq!(wait(RefusalKind::Login, 300), None);
    }
}

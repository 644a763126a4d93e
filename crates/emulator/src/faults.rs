//! Failures on order: what a test or the control socket arms, the next login or statement meets.

use std::collections::VecDeque;
use std::time::Duration;

use crate::answer::ServerError;
use crate::catalog::name::fold;
use crate::errors;

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A login is refused.
    Login(ServerError),
    /// A statement answers an error, after it took effect or without.
    Statement {
        /// What it answers.
        error: ServerError,
        /// Whether it took effect.
        applied: bool,
    },
    /// The connection is cut in the middle of a statement, after it took effect or without.
    Hangup {
        /// Whether it took effect.
        applied: bool,
    },
    /// A statement takes this long before it runs.
    Latency(Duration),
    /// `FROM EXTERNAL PROVIDER` cannot reach the directory (33134).
    DirectoryDown,
}

/// The service's transient errors by number, with the texts that it gives them: 40613, 40501, 10928, 10929, 49918,
/// 42108, 42109.
pub fn transient(number: i32) -> Option<ServerError> {
    Some(match number {
        40613 => errors::not_available("dw", "axon-emulator"),
        40501 => errors::busy(10),
        10928 => errors::resource_limit(128),
        10929 => errors::resource_share(),
        49918 => errors::not_enough_resources(),
        42108 => errors::paused(),
        42109 => errors::warming_up(),
        _ => return None,
    })
}

/// A fault that waits for its moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Armed {
    /// What happens.
    pub fault: Fault,
    /// How often it happens before it is spent.
    pub times: u32,
    /// Statements it waits for: those whose batch contains this text, compared without case. `None` is any.
    pub matching: Option<String>,
}

/// Where in the work a fault can strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// A login.
    Login,
    /// A statement is about to run, or has run.
    Statement,
    /// A statement is about to run and may be late.
    Delay,
    /// A look-up in the directory.
    Directory,
}

/// The armed faults, in the order in which they were armed.
#[derive(Debug, Default)]
pub struct Faults {
    armed: VecDeque<Armed>,
    /// How often all were forgotten: a statement that is late by one of them goes on then.
    cleared: u64,
}

impl Faults {
    /// Arms a fault once for whatever comes next.
    pub fn arm(&mut self, fault: Fault) {
        self.arm_for(Armed { fault, times: 1, matching: None });
    }

    /// Arms a fault.
    pub fn arm_for(&mut self, armed: Armed) {
        if armed.times > 0 {
            self.armed.push_back(armed);
        }
    }

    /// Forgets all; statements that they keep waiting go on.
    pub fn clear(&mut self) {
        self.armed.clear();
        self.cleared += 1;
    }

    /// How often all were forgotten.
    pub(crate) fn cleared(&self) -> u64 {
        self.cleared
    }

    /// How many faults still wait.
    pub fn waiting(&self) -> usize {
        self.armed.len()
    }

    /// The first fault that strikes at this point on this text; it is spent by one.
    pub(crate) fn strike(&mut self, point: Point, text: &str) -> Option<Fault> {
        if self.armed.is_empty() {
            return None;
        }
        let folded = fold(text);
        let index = self.armed.iter().position(|armed| {
            let here = match armed.fault {
                Fault::Login(_) => point == Point::Login,
                Fault::Statement { .. } | Fault::Hangup { .. } => point == Point::Statement,
                Fault::Latency(_) => point == Point::Delay,
                Fault::DirectoryDown => point == Point::Directory,
            };
            here && armed.matching.as_ref().is_none_or(|part| folded.contains(&fold(part)))
        })?;
        let armed = &mut self.armed[index];
        let fault = armed.fault.clone();
        armed.times -= 1;
        if armed.times == 0 {
            self.armed.remove(index);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_for_its_text_and_is_spent() {
        let mut faults = Faults::default();
        faults.arm_for(Armed {
            fault: Fault::Hangup { applied: true },
            times: 2,
            matching: Some("GRANT select".into()),
        });
        assert_eq!(faults.strike(Point::Statement, "SELECT 1"), None);
        assert_eq!(faults.strike(Point::Login, "grant select"), None);
        assert!(faults.strike(Point::Statement, "grant SELECT on x to y").is_some());
        assert!(faults.strike(Point::Statement, "grant SELECT on x to y").is_some());
        assert_eq!(faults.waiting(), 0);
    }
}

//! What can go wrong, and how often it did.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is named by its word")]
pub enum Kind {
    LostBefore,
    LostDuring,
    LostAfter,
    Busy40501,
    Limit10928,
    Limit10929,
    Resources49918,
    Failover40613,
    Paused42108,
    Warming42109,
    Directory33134,
    Directory33136,
    Login18456,
    Deadlock1205,
    LockWait1222,
    Hang,
    TokenExpired,
    NeverShown,
    ReadBackLost,
    InspectLost,
    TwoReplicas,
    ClockJump,
    DiskFull,
    PushMidRun,
    MapMidRun,
    Crash,
    ForgottenLeaver,
    NameTaken,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 28] = [
        Self::LostBefore,
        Self::LostDuring,
        Self::LostAfter,
        Self::Busy40501,
        Self::Limit10928,
        Self::Limit10929,
        Self::Resources49918,
        Self::Failover40613,
        Self::Paused42108,
        Self::Warming42109,
        Self::Directory33134,
        Self::Directory33136,
        Self::Login18456,
        Self::Deadlock1205,
        Self::LockWait1222,
        Self::Hang,
        Self::TokenExpired,
        Self::NeverShown,
        Self::ReadBackLost,
        Self::InspectLost,
        Self::TwoReplicas,
        Self::ClockJump,
        Self::DiskFull,
        Self::PushMidRun,
        Self::MapMidRun,
        Self::Crash,
        Self::ForgottenLeaver,
        Self::NameTaken,
    ];

    /// Those that are armed and meet the next login, statement or look.
    pub const ARMED: &'static [Self] = Self::ALL.split_at(20).0;

    /// Those that are armed for the KILL of a leaver's sessions.
    pub const AT_KILL: [Self; 8] = [
        Self::LostBefore,
        Self::LostDuring,
        Self::LostAfter,
        Self::Busy40501,
        Self::Deadlock1205,
        Self::LockWait1222,
        Self::Hang,
        Self::NeverShown,
    ];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::LostBefore => "connection lost before a statement",
            Self::LostDuring => "connection lost during a statement",
            Self::LostAfter => "connection lost after a statement",
            Self::Busy40501 => "throttled (40501)",
            Self::Limit10928 => "resource limit (10928)",
            Self::Limit10929 => "resource share (10929)",
            Self::Resources49918 => "not enough resources (49918)",
            Self::Failover40613 => "failing over (40613)",
            Self::Paused42108 => "paused (42108)",
            Self::Warming42109 => "warming up (42109)",
            Self::Directory33134 => "directory not to be asked (33134)",
            Self::Directory33136 => "directory not to be asked (33136)",
            Self::Login18456 => "login refused (18456)",
            Self::Deadlock1205 => "deadlock (1205)",
            Self::LockWait1222 => "lock wait (1222)",
            Self::Hang => "a statement that hangs",
            Self::TokenExpired => "token expired",
            Self::NeverShown => "an effect that the catalog never shows",
            Self::ReadBackLost => "connection lost at the read-back",
            Self::InspectLost => "connection lost at the inspection",
            Self::TwoReplicas => "two replicas at once",
            Self::ClockJump => "clock jump",
            Self::DiskFull => "full disk under the store",
            Self::PushMidRun => "push in the middle of a run",
            Self::MapMidRun => "map change in the middle of a run",
            Self::Crash => "crash in the middle of a run",
            Self::ForgottenLeaver => "full disk and a crash between DENY CONNECT and KILL",
            Self::NameTaken => "another object under the name right before a DROP USER",
        }
    }

    /// The server's number, where it is a refusal of a statement.
    pub const fn number(self) -> Option<i64> {
        Some(match self {
            Self::Busy40501 => 40501,
            Self::Limit10928 => 10928,
            Self::Limit10929 => 10929,
            Self::Resources49918 => 49918,
            Self::Failover40613 => 40613,
            Self::Directory33134 => 33134,
            Self::Directory33136 => 33136,
            Self::Deadlock1205 => 1205,
            Self::LockWait1222 => 1222,
            Self::Paused42108 => 42108,
            Self::Warming42109 => 42109,
            Self::Login18456 => 18456,
            _ => return None,
        })
    }

    /// Whether it meets statements; of some, only those that make somebody.
    pub const fn at_statement(self, makes: bool) -> bool {
        match self {
            Self::Directory33134 | Self::Directory33136 => makes,
            Self::LostBefore | Self::LostDuring | Self::LostAfter | Self::Hang | Self::NeverShown => true,
            other => other.number().is_some() && !other.at_login(),
        }
    }

    /// Whether it meets logins.
    pub const fn at_login(self) -> bool {
        matches!(self, Self::Paused42108 | Self::Warming42109 | Self::Login18456 | Self::TokenExpired)
    }
}

/// How often each kind struck.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Struck(pub BTreeMap<Kind, u64>);

impl Struck {
    /// It struck once more.
    pub fn note(&mut self, kind: Kind) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Adds what another story met.
    pub fn add(&mut self, other: &Self) {
        for (kind, times) in &other.0 {
            *self.0.entry(*kind).or_default() += times;
        }
    }

    /// How often a kind struck.
    pub fn times(&self, kind: Kind) -> u64 {
        self.0.get(&kind).copied().unwrap_or(0)
    }
}

/// Troubles that wait for their moment, and those that had it.
#[derive(Debug, Default)]
pub struct Troubles {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    armed: Vec<(Kind, u32)>,
    /// What meets the next KILL, and nothing else.
    at_kill: Vec<Kind>,
    /// Whose user is dropped by the next statement.
    drops: Option<String>,
    struck: Struck,
}

impl Troubles {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Arms a kind so many times.
    pub fn arm(&self, kind: Kind, times: u32) {
        self.lock().armed.push((kind, times));
    }

    /// Arms a kind for the next KILL.
    pub fn arm_at_kill(&self, kind: Kind) {
        self.lock().at_kill.push(kind);
    }

    /// Forgets what is armed.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.armed.clear();
        inner.at_kill.clear();
        inner.drops = None;
    }

    /// Whether anything is armed.
    pub fn waits(&self) -> bool {
        let inner = self.lock();
        !inner.armed.is_empty() || !inner.at_kill.is_empty()
    }

    /// The first armed kind that fits this moment; it struck.
    pub fn strike(&self, fits: impl Fn(Kind) -> bool) -> Option<Kind> {
        let mut inner = self.lock();
        let at = inner.armed.iter().position(|(kind, _)| fits(*kind))?;
        let kind = inner.armed[at].0;
        inner.armed[at].1 -= 1;
        if inner.armed[at].1 == 0 {
            inner.armed.remove(at);
        }
        inner.struck.note(kind);
        Some(kind)
    }

    /// What meets a KILL; it struck.
    pub fn strike_kill(&self) -> Option<Kind> {
        let mut inner = self.lock();
        let kind = inner.at_kill.pop()?;
        inner.struck.note(kind);
        Some(kind)
    }

    /// A user of this name is dropped by the next statement.
    pub fn tell_drop(&self, name: &str) {
        self.lock().drops = Some(name.to_owned());
    }

    /// Whose user is dropped by the next statement, told once.
    pub fn take_drop(&self) -> Option<String> {
        self.lock().drops.take()
    }

    /// Something struck that is not armed here.
    pub fn note(&self, kind: Kind) {
        self.lock().struck.note(kind);
    }

    /// What struck so far.
    pub fn struck(&self) -> Struck {
        self.lock().struck.clone()
    }
}

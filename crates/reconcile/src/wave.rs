//! Approved steps under a lease: the only thing that a target applies.

use time::OffsetDateTime;

use crate::step::Step;

/// The proof that this process holds the lease of one target. Unleased work does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseProof {
    target: String,
    holder: String,
    generation: u64,
    until: OffsetDateTime,
}

impl LeaseProof {
    /// The proof of a lease that was just taken or prolonged. Only for stores: whoever else calls it lies.
    pub fn taken(target: String, holder: String, generation: u64, until: OffsetDateTime) -> Self {
        Self { target, holder, generation, until }
    }

    /// The target that it is for.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Who holds it.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Grows by one whenever the lease changes hands: what a conditional write compares.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The first instant at which it holds no longer.
    pub fn until(&self) -> OffsetDateTime {
        self.until
    }

    /// Whether it still holds.
    pub fn holds_at(&self, now: OffsetDateTime) -> bool {
        now < self.until
    }
}

/// Consecutive steps of an admitted plan, under a lease. Made by [`Admitted::wave`](crate::Admitted::wave) alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    steps: Vec<Step>,
    lease: LeaseProof,
}

impl Wave {
    pub(crate) fn of(steps: Vec<Step>, lease: LeaseProof) -> Self {
        Self { steps, lease }
    }

    /// A wave that nobody admitted, for the tests of a target.
    #[cfg(any(test, feature = "test"))]
    pub fn for_test(steps: Vec<Step>) -> Self {
        let until = OffsetDateTime::UNIX_EPOCH + time::Duration::days(100 * 365);
        Self { steps, lease: LeaseProof::taken("test".into(), "test".into(), 1, until) }
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The lease that it was made under.
    pub fn lease(&self) -> &LeaseProof {
        &self.lease
    }
}

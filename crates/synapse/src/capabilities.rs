//! What a pool can do, as far as statements depend on it: what was probed, and what the configuration says instead.

use std::collections::BTreeMap;

use crate::probe::{Answer, Probes};
use crate::render;
use crate::statement::Dialect;

/// `CREATE USER … FROM EXTERNAL PROVIDER WITH OBJECT_ID`: names that several objects of the directory have need it.
pub(crate) const BY_OBJECT_ID: &str = "user-by-object-id";

/// Whether a database takes changes of what is in it: those that Spark owns do not.
pub(crate) const OWN_METADATA: &str = "own-metadata";

/// Whether rows are put in by bulk loads: not probed, since a pool that takes one waits for its rows; the first fill tells.
pub(crate) const BULK_LOAD: &str = "bulk-load";

/// `SESSION_CONTEXT()`, by which a session says as whom it reads views.
pub(crate) const SESSION_CONTEXT: &str = "session-context";

/// What is known of one pool.
#[derive(Debug, Clone, Default)]
pub(crate) struct Capabilities {
    said: BTreeMap<String, bool>,
    probed: Option<Probes>,
}

impl Capabilities {
    /// What the configuration says, whatever the pool does.
    pub fn saying(said: BTreeMap<String, bool>) -> Self {
        Self { said, probed: None }
    }

    /// Takes in what the pool told.
    pub fn probed(&mut self, probes: Probes) {
        self.probed = Some(probes);
    }

    /// Whether it is known that the pool cannot do it. What is not known, or did not become clear, is not.
    pub fn cannot(&self, name: &str) -> bool {
        let probed = || self.probed.iter().flat_map(|probes| &probes.probes);
        let told = || probed().any(|probe| probe.name == name && probe.answer == Answer::No);
        self.said.get(name).map_or_else(told, |can| !can)
    }

    /// The number that a probe was refused with, where the configuration says nothing of it.
    pub fn refused_with(&self, name: &str) -> Option<i64> {
        let probed = self.probed.iter().flat_map(|probes| &probes.probes);
        let number = probed.filter(|probe| probe.name == name).map(|probe| probe.number).next();
        if self.said.contains_key(name) { None } else { number }
    }

    /// Whether the pool can do it. What is not known, or did not become clear, is no.
    pub fn can(&self, name: &str) -> bool {
        let probed = || self.probed.iter().flat_map(|probes| &probes.probes);
        let told = || probed().any(|probe| probe.name == name && probe.answer == Answer::Yes);
        self.said.get(name).copied().unwrap_or_else(told)
    }
}

/// The names of everything that is probed.
pub fn capabilities() -> impl Iterator<Item = &'static str> {
    let dedicated = render::probes(Dialect::Dedicated).into_iter().map(|probe| probe.name);
    dedicated.chain([OWN_METADATA, BULK_LOAD])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Probe;

    fn probes(answer: Answer) -> Probes {
        let probe = Probe { name: BY_OBJECT_ID.to_owned(), answer, number: 0 };
        Probes { version: "v".into(), edition: 6, probes: vec![probe] }
    }

    #[test]
    fn the_configuration_is_believed_before_the_pool_and_what_is_unclear_is_no() {
        let mut known = Capabilities::default();
        assert!(!known.can(BY_OBJECT_ID));
        for (answer, can) in
            [(Answer::Yes, true), (Answer::No, false), (Answer::Forbidden, false), (Answer::Unclear, false)]
        {
            known.probed(probes(answer));
            assert_eq!(known.can(BY_OBJECT_ID), can);
        }
        for said in [true, false] {
            let mut known = Capabilities::saying([(BY_OBJECT_ID.to_owned(), said)].into());
            known.probed(probes(if said { Answer::No } else { Answer::Yes }));
            assert_eq!(known.can(BY_OBJECT_ID), said);
        }
    }

    #[test]
    fn what_statements_depend_on_is_probed() {
        assert!(capabilities().any(|name| name == BY_OBJECT_ID));
    }
}

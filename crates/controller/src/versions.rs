//! Versions of the role map: judged before they are kept, kept before they count.
//!
//! ```text
//!  file · push · API ─> Gate::offer ─> names, comment ─> parse ─> tests ─> can it be carried out here ─> store (parent?) ─> in force
//!                                                                             two persons: proposed ─> Gate::answer ─┘
//! ```
//!
//! Every way in goes through the one gate, so that no way is weaker than another.

mod accepted;
mod refusal;

use std::sync::Arc;

use axon_audit::payload::{MapAuthor, MapWay};
use axon_mapping::{RoleMap, map_test};
use axon_model::MapVersion;
use axon_scim::Registry;
use axon_store::maps::{Adopted, Answer, Answered, Expected, MapFiles, MapHead, NewMap, Proposal, Proposed};
use axon_store::{Act, Store};
use time::{Duration, OffsetDateTime};

pub use accepted::{Altered, accepted, current, is_of, version_of};
pub use refusal::Refusal;

/// The most files of a map, and the most bytes of all of them.
const FILES: usize = 256;
const BYTES: usize = 16 * 1024 * 1024;
/// The longest name of a file, and the longest comment, in characters.
const NAME: usize = 200;
const COMMENT: usize = 1_000;

/// Whether a map can be used on this machine: its targets connected, its secrets there. In words, why not.
pub type Usable = dyn Fn(&RoleMap) -> Result<(), String> + Send + Sync;

/// What every version goes through.
#[derive(Clone)]
pub struct Gate {
    /// The schemas that conditions are typed by.
    pub registry: Arc<Registry>,
    /// Whether a map can be used here.
    pub usable: Arc<Usable>,
    /// Whether every version needs a second person.
    pub second_person: bool,
    /// For how long a proposal can be released.
    pub proposals_last: Duration,
}

/// A version that somebody brings.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The files: name and text.
    pub files: MapFiles,
    /// Who brings it.
    pub author: MapAuthor,
    /// What they say.
    pub comment: String,
    /// What it was made from.
    pub expected: Expected,
    /// Whether its author's rule asks for a second person, beside what is asked of all.
    pub second_person: bool,
}

/// What came of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in force.
    Taken(MapHead),
    /// It was in force already.
    Same(MapHead),
    /// It waits for a second person.
    Waits(Proposal),
}

impl Gate {
    /// Parses a map, runs its tests, and asks whether it can be carried out here.
    pub fn judge(&self, files: &MapFiles, now: OffsetDateTime) -> Result<RoleMap, Refusal> {
        let borrowed: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        let map = RoleMap::parse_in(&borrowed, &std::collections::BTreeMap::new(), &self.registry)
            .map_err(Refusal::Faults)?;
        let failures = map_test::run(&map, now);
        if !failures.is_empty() {
            return Err(Refusal::Tests(failures));
        }
        let missing = map.not_carried_out();
        if !missing.is_empty() {
            return Err(Refusal::NotCarriedOut(missing));
        }
        (self.usable)(&map).map_err(Refusal::Unusable)?;
        Ok(map)
    }

    /// The same beside other work: a large map takes a moment.
    async fn judged(&self, files: MapFiles, now: OffsetDateTime) -> Result<(RoleMap, MapFiles), Refusal> {
        let gate = self.clone();
        let judging = tokio::task::spawn_blocking(move || gate.judge(&files, now).map(|map| (map, files)));
        match judging.await {
            Ok(judged) => judged,
            Err(panicked) => Err(Refusal::Unusable(format!("it cannot be judged: {panicked}"))),
        }
    }

    /// Takes a version, or keeps it for a second person, or says why neither.
    pub async fn offer(&self, store: &dyn Store, offer: Offer, act: Act) -> Result<Outcome, Refusal> {
        well_formed(&offer)?;
        let (map, files) = self.judged(offer.files, act.now).await?;
        let new = NewMap {
            version: map.version().clone(),
            files,
            author: offer.author,
            comment: offer.comment.trim().to_owned(),
            expected: offer.expected,
        };
        // Where nothing is in force yet the configured file is: there would be nobody to serve else.
        let is_first = new.author.way == MapWay::File && store.map_number().await?.is_none();
        if (self.second_person || offer.second_person) && !is_first {
            let expires = act.now.saturating_add(self.proposals_last);
            return match store.propose_map(new, expires, act).await? {
                Proposed::Waits(proposal) => {
                    tracing::warn!(map = %proposal.version, author = %proposal.author, "a version of the role map waits for a second person");
                    metrics::counter!("axon_map_proposals_total").increment(1);
                    Ok(Outcome::Waits(proposal))
                }
                Proposed::Already(proposal) => Ok(Outcome::Waits(proposal)),
                Proposed::Same(head) => Ok(Outcome::Same(head)),
                Proposed::Moved(head) => Err(Refusal::Moved(head.map(Box::new))),
                Proposed::Crowded => Err(Refusal::Crowded),
            };
        }
        match store.adopt_map(new, act).await? {
            Adopted::Taken(head) => {
                note(&head);
                Ok(Outcome::Taken(head))
            }
            Adopted::Same(head) => Ok(Outcome::Same(head)),
            Adopted::Moved(head) => Err(Refusal::Moved(head.map(Box::new))),
        }
    }

    /// Answers a proposal. One that is released is judged again: its tests may say otherwise by now. None where it was
    /// rejected, the head where it is in force.
    pub async fn answer(
        &self,
        store: &dyn Store,
        version: &MapVersion,
        answer: Answer,
        act: Act,
    ) -> Result<Option<MapHead>, Refusal> {
        sentence("the reason", &answer.reason)?;
        if answer.release {
            let files = store.proposed_files(version).await?.ok_or(Refusal::Gone)?;
            is_of(&files, version).map_err(Refusal::Altered)?;
            self.judged(files, act.now).await?;
        }
        match store.answer_map_proposal(version, answer, act).await? {
            Answered::Released(head) => {
                note(&head);
                Ok(Some(head))
            }
            Answered::Rejected(_) => Ok(None),
            Answered::Gone => Err(Refusal::Gone),
            Answered::Expired(proposal) => Err(Refusal::Expired(Box::new(proposal))),
            Answered::SamePerson(proposal) => Err(Refusal::SamePerson(Box::new(proposal))),
            Answered::Stale(stale) => Err(Refusal::Moved(stale.1.map(Box::new))),
        }
    }
}

fn note(head: &MapHead) {
    let author = head.author.as_ref().map(ToString::to_string).unwrap_or_default();
    tracing::info!(map = %head.version, author, "a new version of the role map is in force");
    let way = head.author.as_ref().map_or("file", |author| author.way.as_str());
    metrics::counter!("axon_map_versions_total", "way" => way).increment(1);
}

fn well_formed(offer: &Offer) -> Result<(), Refusal> {
    if offer.author.way != MapWay::File {
        sentence("the comment", &offer.comment)?;
    }
    let bad = |text: String| Err(Refusal::Malformed(text));
    if offer.files.is_empty() || offer.files.len() > FILES {
        return bad(format!("a map has 1 to {FILES} files, not {}", offer.files.len()));
    }
    if offer.files.iter().map(|(_, text)| text.len()).sum::<usize>() > BYTES {
        return bad(format!("its files are over {BYTES} bytes together"));
    }
    let mut names = std::collections::BTreeSet::new();
    for (name, _) in &offer.files {
        let shown = axon_model::name::shown(name);
        let plain = !name.is_empty()
            && name.chars().count() <= NAME
            && !name.contains(['/', '\\'])
            && !name.chars().any(char::is_control);
        if !plain {
            return bad(format!("{shown:?} is no plain name of a file"));
        }
        if !names.insert(name) {
            return bad(format!("{shown:?} stands twice among its files"));
        }
    }
    Ok(())
}

/// Whether words can stand in a list and in the journal.
fn sentence(what: &str, text: &str) -> Result<(), Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refusal::Malformed(format!("{what} is empty: say it in a few words")));
    }
    if text.chars().count() > COMMENT {
        return Err(Refusal::Malformed(format!("{what} is over {COMMENT} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::Malformed(format!("{what} holds a control character or a line break")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate {
            registry: Arc::new(Registry::standard()),
            usable: Arc::new(|map| if map.targets.is_empty() { Ok(()) } else { Err("no way in".into()) }),
            second_person: false,
            proposals_last: Duration::days(7),
        }
    }

    fn files(text: &str) -> MapFiles {
        vec![("m.yaml".to_owned(), text.to_owned())]
    }

    fn judge(text: &str) -> Result<RoleMap, Refusal> {
        gate().judge(&files(text), OffsetDateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_map_is_refused_for_its_faults_its_tests_and_what_is_not_there() {
        assert!(judge("axon: 1\n").is_ok());
        assert!(matches!(judge("axon: 1\nrols: {}\n"), Err(Refusal::Faults(_))));
        let failing = "axon: 1\nroles: { r: {} }\nmappings: [{ groups: { any: [G] }, source: entra, roles: [r] }]\n\
                       tests: [{ user: { userName: kim, groups: [] }, roles: [r] }]\n";
        assert!(matches!(judge(failing), Err(Refusal::Tests(failures)) if failures.len() == 1));
        let target = "axon: 1\ntargets: { dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t } } }\n";
        assert!(matches!(judge(target), Err(Refusal::Unusable(words)) if words == "no way in"));
    }

    #[test]
    fn an_offer_is_held_to_its_limits() {
        let offer = |files: MapFiles, comment: &str| {
            well_formed(&Offer {
                files,
                author: MapAuthor::login("kim"),
                comment: comment.into(),
                expected: Expected::Anything,
                second_person: false,
            })
            .map_err(|refusal| refusal.to_string())
        };
        let named = |name: &str| vec![(name.to_owned(), "axon: 1\n".to_owned())];
        assert_eq!(offer(named("m.yaml"), "why"), Ok(()));
        for (files, comment, words) in [
            (named("m.yaml"), " ", "comment is empty"),
            (named("m.yaml"), "a\nb", "line break"),
            (named("m.yaml"), &*"x".repeat(1_001), "over 1000"),
            (named("../m.yaml"), "why", "no plain name"),
            (named(""), "why", "no plain name"),
            (named("a\u{0}b"), "why", "no plain name"),
            (Vec::new(), "why", "1 to 256"),
            ([named("a"), named("a")].concat(), "why", "twice"),
            (vec![("a".to_owned(), "x".repeat(BYTES + 1))], "why", "bytes together"),
        ] {
            let said = offer(files, comment).unwrap_err();
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}

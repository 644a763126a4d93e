//! Lints: what a map that parses may still have wrong. Each has a name, a severity and a remedy, and a comment in place can
//! silence it with a reason.

mod contradictions;
mod groups;
mod lint;
mod names;
pub(crate) mod powers;
mod puts_on;
mod reach;
mod rewrites;
mod views;
mod ways;

use std::fmt;

use axon_model::Directory;
use serde::Serialize;
use time::OffsetDateTime;

use crate::identity::Identity;
use crate::map::RoleMap;
use crate::names::RoleName;
use crate::place::Place;
use crate::selection::Selection;
use crate::together::Together;

pub(crate) use groups::group_problems;
pub use lint::{Lint, Severity};

/// Something that a reviewer should look at. It does not keep the map from being used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// How much it matters.
    pub severity: Severity,
    /// Which lint says it.
    pub lint: Lint,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, severity, lint, message, help } = self;
        let word = match severity {
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        write!(f, "{place}: {word}: {message} [{}]", lint.name())?;
        help.as_ref().map_or(Ok(()), |help| write!(f, "\n    = {help}"))
    }
}

/// Where lints put what they find.
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, lint: Lint, place: &Place, message: impl Into<String>, help: Option<String>) {
        let help = help.or_else(|| Some(lint.remedy().to_owned()).filter(|h| !h.is_empty()));
        self.0.push(Finding {
            place: place.clone(),
            severity: lint.severity(),
            lint,
            message: message.into(),
            help,
        });
    }
}

/// Looks for what is most likely a mistake: in the map alone, or also against a directory.
pub fn check(map: &RoleMap, directory: Option<&Directory>, now: OffsetDateTime) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    reach::roles(map, &mut findings);
    reach::ends(map, now, &mut findings);
    reach::unbounded_removals(map, &mut findings);
    reach::not_carried_out(map, &mut findings);
    reach::person_by_person(map, &mut findings);
    let defined = crate::role::Definitions::of(map.roles.values());
    for role in map.roles.values() {
        powers::lines(map, &defined, role, &mut findings);
    }
    powers::mappings(map, &defined, &mut findings);
    let whole = |role: &RoleName| map.roles.get(role).map(|role| &role.whole);
    let together = Together::of(map.mappings.iter(), &map.rules.separate, whole);
    contradictions::all(map, &together, &mut findings);
    powers::credentials(map, &together, &mut findings);
    views::all(map, &together, &mut findings);
    puts_on::all(map, &defined, &mut findings);
    rewrites::all(map, &together, &mut findings);
    groups::patterns(map, &mut findings);
    groups::of_tests(map, &mut findings);
    if let Some(directory) = directory {
        let selection = Selection::of(map, directory, &Identity::default());
        groups::all(map, &selection, directory, &mut findings);
        names::refused(map, &selection, directory, now, &mut findings);
    }
    silenced(map, findings.0)
}

/// The findings that no comment silences, and the comments that silence nothing.
fn silenced(map: &RoleMap, mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut used = vec![false; map.silences.len()];
    findings.retain(|finding| {
        let silence = map.silences.iter().position(|silence| {
            silence.lint == finding.lint
                && silence.place.file == finding.place.file
                && silence.line == finding.place.line
        });
        if let Some(number) = silence {
            used[number] = true;
        }
        silence.is_none()
    });
    for (silence, _) in map.silences.iter().zip(used).filter(|(_, used)| !used) {
        let message = format!("this silences lint `{}`, which finds nothing here", silence.lint.name());
        findings.push(Finding {
            place: silence.place.clone(),
            severity: Lint::StaleSilence.severity(),
            lint: Lint::StaleSilence,
            message,
            help: Some(Lint::StaleSilence.remedy().to_owned()),
        });
    }
    findings.sort();
    findings.dedup();
    findings
}

/// The lints that comments silence, each with its reason and place, for whoever reviews the map.
pub fn silences(map: &RoleMap) -> impl Iterator<Item = (Lint, &str, &Place)> {
    map.silences.iter().map(|s| (s.lint, s.reason.as_str(), &s.place))
}

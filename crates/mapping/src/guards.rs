//! `guards`: what withholds steps, as the map says it.

pub mod break_glass;
pub mod tombstones;

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{Guards, Mode, RemovalBudget, StepKind, TargetFacts};
use time::OffsetDateTime;

pub use break_glass::{BreakGlass, NoGrant, may_be_given};
pub use tombstones::Tombstones;

use crate::diagnostic::Fault;
use crate::names::RoleName;
use crate::place::Place;
use crate::read::Reader;
use crate::yaml::{Node, shown};

/// A principal or role from which nothing is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Its name in the targets.
    pub principal: SqlName,
    /// Who answers for the exception.
    pub owner: String,
    /// The first instant at which it no longer holds.
    pub until: OffsetDateTime,
    /// Where it stands.
    pub place: Place,
}

/// The guards of a map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardRules {
    /// How much may be taken.
    pub removals: Option<RemovalBudget>,
    /// How many may be shut out.
    pub leavers: Option<RemovalBudget>,
    /// Who is never touched.
    pub protect: Vec<Protection>,
    /// Kinds of step that always wait for a person.
    pub hold: Vec<StepKind>,
    /// Whether a withheld step takes two persons to be released.
    pub two_release_steps: bool,
    /// What may be given for a while beside the map.
    pub break_glass: BreakGlass,
    /// When the users of people who left are dropped.
    pub tombstones: Tombstones,
}

impl GuardRules {
    /// Who is protected at this instant.
    pub fn protected(&self, now: OffsetDateTime) -> BTreeSet<SqlName> {
        self.protect.iter().filter(|p| now < p.until).map(|p| p.principal).collect()
    }

    /// The guards for one target as [`axon_reconcile::admit`] takes them.
    pub fn for_target(&self, mode: Mode, facts: &TargetFacts, now: OffsetDateTime) -> Guards {
        let mut hold_steps = self.hold.clone();
        // Where there is no engine, roles are only assigned: what one of the map's own allows may be assigned elsewhere, too.
        if facts.engine_edition == 0 && !hold_steps.contains(&StepKind::DropRole) {
            hold_steps.push(StepKind::DropRole);
        }
        Guards {
            mode,
            removals: self.removals,
            leavers: self.leavers,
            protect: self.protected(now),
            hold_steps,
            administrators: facts.administrators.iter().copied().collect(),
            own: facts.own_principal,
        }
    }
}

/// Keys of `guards`.
pub(crate) const KEYS: &[&str] = &["removals", "leavers", "protect", "steps", "break_glass", "tombstones"];
/// Keys of `guards.steps`.
pub(crate) const STEPS_KEYS: &[&str] = &["hold", "second_person"];
/// Keys of a budget.
pub(crate) const BUDGET_KEYS: &[&str] = &["window", "most", "floor"];
/// Keys of an entry of `protect`.
pub(crate) const PROTECT_KEYS: &[&str] = &["principal", "owner", "until"];

/// Reads `guards`, merged from all files.
pub(crate) fn read(
    reader: &Reader<'_>,
    sections: &[(&str, &Node)],
    roles: &BTreeSet<RoleName>,
) -> GuardRules {
    let mut guards = GuardRules::default();
    for (key, node) in sections {
        match *key {
            "removals" => guards.removals = budget(reader, node, "`guards.removals`"),
            "leavers" => guards.leavers = budget(reader, node, "`guards.leavers`"),
            "protect" => {
                let items = reader.list(node, "`guards.protect`");
                guards.protect = items.iter().filter_map(|n| protection(reader, n)).collect();
            }
            "steps" => {
                let Some(fields) = reader.fields(node, "`guards.steps`", STEPS_KEYS, &[]) else { continue };
                let words: Vec<(&str, StepKind)> = StepKind::ALL.iter().map(|k| (k.name(), *k)).collect();
                for item in fields.get("hold").map_or(&[][..], |n| reader.list(n, "`guards.steps.hold`")) {
                    let kind = reader.word(item, "a kind of step", &words);
                    if kind == Some(StepKind::CloseView) {
                        // Until somebody answered it would show what it must not.
                        let message = "`close view` is held by nothing: a view that must show nothing would show it until somebody answers";
                        reader.fault(Fault::Invalid, item.span, message);
                    }
                    guards.hold.extend(kind.filter(|kind| *kind != StepKind::CloseView));
                }
                if let Some(node) = fields.get("second_person") {
                    let words = [("true", true), ("false", false)];
                    guards.two_release_steps = reader.word(node, "`second_person`", &words).unwrap_or(true);
                }
            }
            "break_glass" => guards.break_glass = break_glass::read(reader, node, roles),
            "tombstones" => guards.tombstones = tombstones::read(reader, node),
            _ => {}
        }
    }
    guards
}

fn budget(reader: &Reader<'_>, node: &Node, what: &str) -> Option<RemovalBudget> {
    let fields = reader.fields(node, what, BUDGET_KEYS, &[])?;
    let window =
        fields.need(reader, "window").and_then(|n| reader.duration(n, &format!("`window` of {what}")));
    let most = fields.need(reader, "most").and_then(|n| percent(reader, n, &format!("`most` of {what}")));
    let floor = match fields.get("floor") {
        Some(node) => reader.number(node, &format!("`floor` of {what}"), 0..=u32::MAX)?,
        None => 0,
    };
    Some(RemovalBudget { window: window?, most_percent: most?, floor: floor.into() })
}

fn percent(reader: &Reader<'_>, node: &Node, what: &str) -> Option<u32> {
    let text = reader.text(node, what)?;
    let read = text.text.strip_suffix('%').and_then(|n| n.trim().parse().ok()).filter(|n| *n <= 100);
    if read.is_none() {
        let message = format!("{what} must be a share, but is `{}`", shown(&text.text));
        reader.fault_help(Fault::Invalid, text.span, message, "write it like 5%");
    }
    read
}

fn protection(reader: &Reader<'_>, node: &Node) -> Option<Protection> {
    let what = "an entry of `guards.protect`";
    let fields = reader.fields(node, what, PROTECT_KEYS, &[])?;
    let principal = fields.need(reader, "principal").and_then(|n| sql_name(reader, n, "`principal`"));
    let owner = fields.need(reader, "owner").and_then(|n| reader.text(n, "`owner`"));
    // An exception without an end is forgotten: the language wants one.
    let until = fields.need(reader, "until").and_then(|n| reader.instant(n, "`until`"));
    Some(Protection {
        principal: principal?,
        owner: owner?.text,
        until: until?,
        place: reader.place(node.span),
    })
}

/// A text that must be a name that T-SQL accepts.
pub(crate) fn sql_name(reader: &Reader<'_>, node: &Node, what: &str) -> Option<SqlName> {
    let text = reader.text(node, what)?;
    match SqlName::parse(&text.text) {
        Ok(name) => Some(name),
        Err(e) => {
            reader.fault(Fault::Invalid, text.span, format!("{what}: {e}"));
            None
        }
    }
}

//! What a new map would change for people: who gains what where, who loses what, and the widest new access first.
//!
//! A pure function of two maps and one directory. Targets are taken to hold everything that the lines name, so that a preview
//! needs no way into any of them.

mod besides;
mod change;
mod days;
mod in_target;
mod markdown;
mod net;
mod report;
mod seen;
mod sheet;
mod sides;
mod stays;
mod steps;
mod views;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_model::{Directory, MapVersion, SqlName, UserId};
use axon_reconcile::Mode;
use serde::Serialize;
use time::OffsetDateTime;

use crate::beside::Beside;
use crate::identity::Identity;
use crate::map::RoleMap;
use crate::names::TargetName;

pub use besides::{Reach, TextChange};
pub use change::Item;
pub use days::{Backtest, Backtester, Day, Difference};
pub use markdown::markdown;
pub use report::{MOST, Report};
pub(crate) use seen::seen_by;
pub use sides::{Both, Side, assumed_shape, sides};
pub use stays::Stay;
pub use steps::{TargetSteps, Told, steps};
pub use views::{Tables, TablesOf, tables_asked};
pub use waits::Wait;

/// What a preview looks at.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// The map in force; none before the first.
    pub old: Option<&'a Arc<RoleMap>>,
    /// The map that would follow it.
    pub new: &'a Arc<RoleMap>,
    /// The people and groups.
    pub directory: &'a Directory,
    /// Whom names belong to.
    pub identity: &'a Arc<Identity>,
    /// What stands beside the map: it stands beside both.
    pub beside: &'a Arc<Beside>,
    /// The instant.
    pub now: OffsetDateTime,
}

/// All that would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// The map in force.
    pub old: Option<MapVersion>,
    /// The map that would follow it.
    pub new: MapVersion,
    /// People who gain something anywhere.
    pub people_gaining: usize,
    /// People who lose something anywhere.
    pub people_losing: usize,
    /// Each target in which anything changes.
    pub targets: Vec<TargetPreview>,
    /// How many of [`Self::besides`] are widenings.
    pub widened: usize,
    /// How many of [`Self::besides`] are narrowings.
    pub narrowed: usize,
    /// What the text changes besides, which nobody's row tells: widenings first.
    pub besides: Vec<TextChange>,
}

/// What would change in one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetPreview {
    /// The target.
    pub target: TargetName,
    /// How far Axon may go there by the new map; none where that map does not have the target.
    pub mode: Option<Mode>,
    /// People who gain something here.
    pub people_gaining: usize,
    /// People who lose something here.
    pub people_losing: usize,
    /// Roles that people keep, as the new map leaves them to people.
    pub stays: Vec<Stay>,
    /// What is gained, the widest first, and what is lost.
    pub items: Vec<ItemPreview>,
    /// Who gains or loses, the most affected first.
    pub principals: Vec<PrincipalPreview>,
    /// What the new map asks for and would give nothing yet, where the old one did not.
    pub waits: Vec<Wait>,
}

/// One thing that is gained or lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemPreview {
    /// What.
    pub item: Item,
    /// How many principals gain it.
    pub gaining: usize,
    /// How many principals lose it.
    pub losing: usize,
    /// How many people stand behind those who gain it.
    pub people_gaining: usize,
    /// How many people stand behind those who lose it.
    pub people_losing: usize,
}

/// What stands behind a principal's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behind {
    /// One person.
    Person,
    /// A whole group.
    Group,
    /// A service identity.
    Service,
}

/// What changes for one principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrincipalPreview {
    /// Its name in the target.
    pub principal: SqlName,
    /// What it is.
    pub behind: Behind,
    /// How many people stand behind it: one, those of a group, or none for a service identity.
    pub people: usize,
    /// What it gains.
    pub gained: Vec<Item>,
    /// What it loses.
    pub lost: Vec<Item>,
}

impl Preview {
    /// Whether anybody gains anything, would as soon as a group is released, may come to hold more by what the text widens, or
    /// keeps what the new map leaves to people: a reviewer should look.
    pub fn gives(&self) -> bool {
        self.widened > 0 || self.gives_now() || self.stays().next().is_some()
    }

    /// Roles that people keep, as the new map leaves them to people.
    pub fn stays(&self) -> impl Iterator<Item = &Stay> {
        self.targets.iter().flat_map(|target| &target.stays)
    }

    /// Whether somebody who is there gains anything, or would as soon as a group is released.
    pub fn gives_now(&self) -> bool {
        self.targets.iter().any(|target| {
            target.items.iter().any(|item| item.gaining > 0) || target.waits.iter().any(Wait::would_give)
        })
    }

    /// Whether nothing changes for anybody, and the text says nothing else either.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.besides.is_empty()
    }
}

/// What the new map would change for everybody.
pub fn preview(compared: Compared<'_>) -> Preview {
    let sides = sides(compared);
    preview_of(compared, &sides)
}

/// The same, from desired states that are there already.
pub fn preview_of(compared: Compared<'_>, sides: &BTreeMap<TargetName, Both>) -> Preview {
    let mut found = rows_of(compared, sides);
    found.besides = besides::besides(compared.old, compared.new, sides, &found.targets);
    let count = |reach| found.besides.iter().filter(|change| change.reach == reach).count();
    (found.widened, found.narrowed) = (count(Reach::Widened), count(Reach::Narrowed));
    found
}

/// What changes in the rows of people and other principals alone.
fn rows_of(compared: Compared<'_>, sides: &BTreeMap<TargetName, Both>) -> Preview {
    let views = seen::changes(compared);
    let mut everywhere = Affected::default();
    let mut targets = Vec::new();
    for (name, both) in sides {
        targets.extend(in_target::of(name, both, views.get(name), compared, &mut everywhere));
    }
    Preview {
        old: compared.old.map(|map| map.version().clone()),
        new: compared.new.version().clone(),
        people_gaining: everywhere.gaining.len(),
        people_losing: everywhere.losing.len(),
        targets,
        widened: 0,
        narrowed: 0,
        besides: Vec::new(),
    }
}

/// Who gains and who loses.
#[derive(Debug, Default)]
struct Affected {
    gaining: BTreeSet<UserId>,
    losing: BTreeSet<UserId>,
}

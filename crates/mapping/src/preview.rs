//! What a new map would change for people: who gains what where, who loses what, and the widest new access first.
//!
//! A pure function of two maps and one directory. Targets are taken to hold everything that the lines name, so that a preview
//! needs no way into any of them.

mod change;
mod report;
mod seen;
mod steps;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use axon_model::{Directory, GroupId, MapVersion, SqlName, UserId};
use axon_reconcile::{GrantState, Graph, ObjectFacts, ObjectKind, Scope, Securable, Shape};
use serde::Serialize;
use time::OffsetDateTime;

use crate::desired::Surroundings;
use crate::effect::Holding;
use crate::evaluator::Evaluator;
use crate::grant::GrantLine;
use crate::identity::Identity;
use crate::map::RoleMap;
use crate::names::TargetName;
use crate::pending::Claimant;
use crate::selection::users_under;

use change::Change;
pub use change::Item;
pub use steps::{TargetSteps, steps};

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
}

/// What would change in one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetPreview {
    /// The target.
    pub target: TargetName,
    /// People who gain something here.
    pub people_gaining: usize,
    /// People who lose something here.
    pub people_losing: usize,
    /// What is gained, the widest first, and what is lost.
    pub items: Vec<ItemPreview>,
    /// Who gains or loses, the most affected first.
    pub principals: Vec<PrincipalPreview>,
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
}

/// What changes for one principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrincipalPreview {
    /// Its name in the target.
    pub principal: SqlName,
    /// How many people stand behind it: one, those of a group, or none for a service identity.
    pub people: usize,
    /// What it gains.
    pub gained: Vec<Item>,
    /// What it loses.
    pub lost: Vec<Item>,
}

impl Preview {
    /// Whether anybody gains anything: a reviewer should look.
    pub fn gives(&self) -> bool {
        self.targets.iter().any(|target| target.items.iter().any(|item| item.gaining > 0))
    }

    /// Whether nothing changes for anybody.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

/// One target as one of the two maps would have it; none where that map does not have the target.
#[derive(Debug, Clone, Default)]
pub struct Side(Option<Evaluator>);

impl Side {
    /// What it ought to hold.
    pub fn graph(&self) -> &Graph {
        static NOTHING: OnceLock<Graph> = OnceLock::new();
        self.0.as_ref().map_or_else(|| NOTHING.get_or_init(Graph::default), Evaluator::graph)
    }

    /// What may be touched there.
    pub fn scope(&self) -> Option<&Scope> {
        self.0.as_ref().map(Evaluator::scope)
    }

    fn claimants(&self, principal: SqlName) -> impl Iterator<Item = &Claimant> {
        self.0.iter().flat_map(move |evaluator| evaluator.claimants(principal))
    }
}

/// Both sides of one target: what stands behind a preview.
#[derive(Debug, Clone, Default)]
pub struct Both {
    /// As the map in force has it.
    pub old: Side,
    /// As the new one would.
    pub new: Side,
}

/// Both desired states of each target.
pub fn sides(compared: Compared<'_>) -> BTreeMap<TargetName, Both> {
    let maps: Vec<&Arc<RoleMap>> = compared.old.into_iter().chain([compared.new]).collect();
    let names: BTreeSet<&TargetName> = maps.iter().flat_map(|map| map.targets.keys()).collect();
    let mut sides = BTreeMap::new();
    for name in names {
        let shape = Arc::new(assumed_shape(&maps, name));
        let side =
            |map: Option<&Arc<RoleMap>>| map.map(|m| side(m, name, &shape, compared)).unwrap_or_default();
        sides.insert(name.clone(), Both { old: side(compared.old), new: side(Some(compared.new)) });
    }
    sides
}

fn side(map: &Arc<RoleMap>, target: &TargetName, shape: &Arc<Shape>, compared: Compared<'_>) -> Side {
    let around =
        Surroundings { shape: shape.clone(), identity: compared.identity.clone(), ..Surroundings::default() };
    let Ok(mut evaluator) = Evaluator::new(map.clone(), target, around) else { return Side::default() };
    evaluator.full(compared.directory, compared.now);
    Side(Some(evaluator))
}

/// A catalog that holds everything that the lines of these maps name.
pub fn assumed_shape(maps: &[&Arc<RoleMap>], target: &TargetName) -> Shape {
    let mut shape = Shape::default();
    for map in maps {
        for held in map.roles.values().filter_map(|role| role.held.get(target)).flatten() {
            for (_, on) in held.grant.line.atoms() {
                match on {
                    Securable::Schema(schema) => {
                        shape.schemas.entry(schema).or_default();
                    }
                    Securable::Object(object) | Securable::Column(object, _) => {
                        shape.schemas.entry(object.schema).or_default();
                        let facts = shape.objects.entry(object).or_insert_with(|| ObjectFacts {
                            kind: ObjectKind::Other,
                            owner: None,
                            columns: Vec::new(),
                        });
                        if let Securable::Column(_, column) = on
                            && !facts.columns.contains(&column)
                        {
                            facts.columns.push(column);
                        }
                    }
                    Securable::Database | Securable::Principal(_) => {}
                }
            }
        }
    }
    shape
}

/// What the new map would change for everybody.
pub fn preview(compared: Compared<'_>) -> Preview {
    let sides = sides(compared);
    preview_of(compared, &sides)
}

/// The same, from desired states that are there already.
pub fn preview_of(compared: Compared<'_>, sides: &BTreeMap<TargetName, Both>) -> Preview {
    let views = seen::changes(compared);
    let (mut gaining, mut losing) = (BTreeSet::new(), BTreeSet::new());
    let mut targets = Vec::new();
    for (name, both) in sides {
        let in_views = views.get(name);
        targets.extend(of_target(name, both, in_views, compared.directory, &mut gaining, &mut losing));
    }
    Preview {
        old: compared.old.map(|map| map.version().clone()),
        new: compared.new.version().clone(),
        people_gaining: gaining.len(),
        people_losing: losing.len(),
        targets,
    }
}

/// What everybody may do on one side: for each principal the numbers of its roles, and what each role amounts to.
struct Sheet {
    names: Vec<SqlName>,
    lines: Vec<Vec<(GrantState, crate::effect::Power)>>,
    of: HashMap<SqlName, Vec<usize>>,
}

impl Sheet {
    fn of(graph: &Graph) -> Self {
        let mut sheet = Self { names: Vec::new(), lines: Vec::new(), of: HashMap::new() };
        let mut numbers: HashMap<SqlName, usize> = HashMap::new();
        for membership in &graph.members {
            let number = *numbers.entry(membership.role).or_insert_with(|| {
                sheet.names.push(membership.role);
                sheet.lines.push(Vec::new());
                sheet.names.len() - 1
            });
            sheet.of.entry(membership.member).or_default().push(number);
        }
        for (key, grant) in &graph.grants {
            if let Some(number) = numbers.get(&key.grantee) {
                sheet.lines[*number].push((grant.state, (key.permission, key.securable)));
            }
        }
        sheet
    }

    fn roles(&self, member: SqlName) -> &[usize] {
        self.of.get(&member).map_or(&[], Vec::as_slice)
    }

    fn holding(&self, graph: &Graph, roles: &[usize]) -> Holding {
        let mut holding = Holding::default();
        for role in roles {
            for (state, power) in &self.lines[*role] {
                holding.put(*state, *power);
            }
            // A role that is not the map's own is one that people are only put into.
            if !graph.roles.contains_key(&self.names[*role]) {
                holding.take(&GrantLine::MemberOf(self.names[*role]));
            }
        }
        holding
    }
}

/// For each role of the old side its number on the new one, where both say the same.
fn unchanged(old: &Sheet, new: &Sheet) -> Vec<Option<usize>> {
    let numbers: HashMap<SqlName, usize> = new.names.iter().enumerate().map(|(n, name)| (*name, n)).collect();
    let same = |n: usize, name: &SqlName| {
        numbers.get(name).copied().filter(|other| old.lines[n] == new.lines[*other])
    };
    old.names.iter().enumerate().map(|(n, name)| same(n, name)).collect()
}

fn of_target(
    target: &TargetName,
    both: &Both,
    views: Option<&BTreeMap<SqlName, Change>>,
    directory: &Directory,
    gaining: &mut BTreeSet<UserId>,
    losing: &mut BTreeSet<UserId>,
) -> Option<TargetPreview> {
    let (old, new) = (Sheet::of(both.old.graph()), Sheet::of(both.new.graph()));
    let same = unchanged(&old, &new);
    let members: BTreeSet<SqlName> = old.of.keys().chain(new.of.keys()).copied().collect();
    // People with the same roles before and after change alike: few such pairs stand for many people.
    let mut classes: HashMap<(&[usize], &[usize]), Arc<Change>> = HashMap::new();
    let mut principals: Vec<PrincipalPreview> = Vec::new();
    let mut items: BTreeMap<Item, (usize, usize)> = BTreeMap::new();
    let (mut here_gaining, mut here_losing) = (BTreeSet::new(), BTreeSet::new());
    for member in members {
        let (before, after) = (old.roles(member), new.roles(member));
        let moved: Vec<Option<usize>> = before.iter().map(|n| same[*n]).collect();
        let as_before =
            moved.len() == after.len() && moved.iter().all(|n| n.is_some_and(|n| after.contains(&n)));
        let by_views = views.and_then(|views| views.get(&member));
        if as_before && by_views.is_none() {
            continue;
        }
        let change = classes.entry((before, after)).or_insert_with(|| {
            let (had, has) = (old.holding(both.old.graph(), before), new.holding(both.new.graph(), after));
            Arc::new(Change::between(&had, &has))
        });
        let mut change = Change::clone(change);
        if let Some(by_views) = by_views {
            change.gained.extend(by_views.gained.iter().cloned());
            change.lost.extend(by_views.lost.iter().cloned());
        }
        if change.is_empty() {
            continue;
        }
        let people = people(both, member, directory);
        if !change.gained.is_empty() {
            here_gaining.extend(&people);
        }
        if !change.lost.is_empty() {
            here_losing.extend(&people);
        }
        for item in &change.gained {
            items.entry(item.clone()).or_default().0 += 1;
        }
        for item in &change.lost {
            items.entry(item.clone()).or_default().1 += 1;
        }
        principals.push(PrincipalPreview {
            principal: member,
            people: people.len(),
            gained: change.gained.into_iter().collect(),
            lost: change.lost.into_iter().collect(),
        });
    }
    if principals.is_empty() {
        return None;
    }
    principals.sort_by_cached_key(|p| {
        (std::cmp::Reverse(p.gained.len()), std::cmp::Reverse(p.lost.len()), p.principal)
    });
    let mut items: Vec<ItemPreview> =
        items.into_iter().map(|(item, (gaining, losing))| ItemPreview { item, gaining, losing }).collect();
    items.sort_by_key(|i| (i.gaining == 0, i.item.breadth(), std::cmp::Reverse(i.gaining + i.losing)));
    gaining.extend(&here_gaining);
    losing.extend(&here_losing);
    Some(TargetPreview {
        target: target.clone(),
        people_gaining: here_gaining.len(),
        people_losing: here_losing.len(),
        items,
        principals,
    })
}

/// The people behind a principal on either side.
fn people(both: &Both, principal: SqlName, directory: &Directory) -> BTreeSet<UserId> {
    let mut people = BTreeSet::new();
    let mut groups: BTreeSet<GroupId> = BTreeSet::new();
    for side in [&both.old, &both.new] {
        for claimant in side.claimants(principal) {
            match claimant {
                Claimant::User { id, .. } => {
                    people.insert(*id);
                }
                Claimant::Group { id, .. } => {
                    groups.insert(*id);
                }
                Claimant::Service { .. } => {}
            }
        }
    }
    for group in groups {
        users_under(directory, group, &mut people);
    }
    people
}

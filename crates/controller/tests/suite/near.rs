//! Random stories. Wherever debug assertions are on, the controller holds each plan over what moved against the whole plan
//! (`tick/draft.rs`), so a story fails at the first decision that is another one. `AXON_NEAR_STORIES=6000` tells more of them.

use std::sync::atomic::Ordering;

use axon_controller::State;
use axon_model::UserId;
use axon_reconcile::secure::FoundView;
use axon_reconcile::{
    Connect, Grant, GrantKey, GrantState, Membership, ObjectName, Permission, Refusal, RefusalKind,
    Securable, StepKind, ViewsThere,
};
use axon_store::DirectoryStore as _;
use serde_json::json;
use time::Duration;

use crate::dangers::{join, leave};
use crate::stage::{MAP, Mischief, Stage, name};

const STEPS: usize = 30;

/// Roles with a DENY, a role that stands on people themselves, rules that keep two roles apart, budgets.
fn maps() -> [String; 3] {
    let roles = "
  denier: { grants: { warehouse: [\"deny select on sales.orders\"] } }
  writer: { grants: { warehouse: [\"insert on sales.orders\"] } }
";
    let base = MAP.replacen("mappings:\n", &format!("{}mappings:\n", &roles[1..]), 1);
    let lines = "  - { groups: { any: [Deniers] }, source: entra, roles: [denier] }
  - { groups: { any: [Writers] }, source: entra, roles: [writer] }
";
    let all = format!("{base}{lines}");
    let guarded = format!(
        "{all}guards: {{ removals: {{ window: 1h, most: 30%, floor: 1 }}, steps: {{ hold: [deny] }} }}\n"
    );
    [base, all, guarded]
}

/// Chance from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound.max(1) as u64).unwrap_or(0)
    }
}

struct Story {
    stage: Stage,
    chance: Chance,
    people: Vec<UserId>,
    born: usize,
    groups: Vec<axon_model::GroupId>,
    maps: [String; 3],
}

impl Story {
    async fn begin(seed: u64) -> Self {
        let maps = maps();
        let mut stage = Stage::set_with(&maps[1]).await;
        let mut people = Vec::new();
        for n in 0..4 {
            people.push(stage.user(&format!("person{n}")).await);
        }
        let mut groups = Vec::new();
        for (n, called) in ["Readers", "Deniers", "Writers"].into_iter().enumerate() {
            groups.push(stage.group(called, &people[n..=n]).await);
        }
        stage.settle().await;
        Self { stage, chance: Chance(seed.wrapping_mul(0x1000_0001)), people, born: 4, groups, maps }
    }

    fn person(&mut self) -> Option<(usize, UserId)> {
        let at = self.chance.below(self.people.len());
        self.people.get(at).map(|id| (at, *id))
    }

    async fn step(&mut self, n: usize) {
        let said = format!("step-{n}");
        match self.chance.below(14) {
            0 => {
                self.born += 1;
                let person = format!("person{}", self.born);
                self.people.push(self.stage.user(&person).await);
            }
            1..=4 => {
                let Some((_, id)) = self.person() else { return };
                let group = self.groups[self.chance.below(3)];
                let verb = if self.chance.below(3) == 0 { "Remove" } else { "Add" };
                let change = json!([{ "op": verb, "path": "members", "value": [{ "value": id }] }]);
                self.stage.patch(group, &said, change).await;
            }
            5 => {
                let Some((_, id)) = self.person() else { return };
                let active = self.chance.below(2) == 0;
                let change = json!([{ "op": "replace", "path": "active", "value": active }]);
                self.stage.patch_person(id, "entra", change).await;
            }
            6 => {
                let Some((at, id)) = self.person() else { return };
                self.people.remove(at);
                self.stage.store.delete_user(self.stage.context(&said), id).await.unwrap();
            }
            7 => self.drift(),
            8 => {
                let map = self.maps[self.chance.below(3)].clone();
                self.stage.read(&map);
            }
            9 | 10 => self.mischief(),
            11 => self.stage.pool.forgive(),
            12 => self.stage.clock.advance(Duration::seconds([5, 40, 310][self.chance.below(3)])),
            _ => {
                // Whoever knows nothing of the last decisions looks at all.
                self.stage.restart(["one", "two"][self.chance.below(2)]);
            }
        }
    }

    /// Somebody works in the target by hand.
    fn drift(&mut self) {
        let mut graph = self.stage.pool.graph.lock().unwrap();
        let names: Vec<_> = graph.principals.keys().copied().collect();
        let Some(who) = names.get(self.chance.below(names.len())).copied() else { return };
        let roles: Vec<_> = graph.roles.keys().copied().collect();
        let role = roles[self.chance.below(roles.len())];
        match self.chance.below(5) {
            0 => drop(graph.members.insert(Membership { role, member: who })),
            1 => drop(graph.members.remove(&Membership { role, member: who })),
            2 => {
                let grantee = if self.chance.below(2) == 0 { who } else { role };
                let key = GrantKey {
                    grantee,
                    securable: Securable::Schema(name("sales")),
                    permission: Permission::Select,
                };
                let state = if self.chance.below(2) == 0 { GrantState::Grant } else { GrantState::Deny };
                let mut row = Grant::wanted(state);
                if self.chance.below(3) == 0 {
                    row.foreign_grantors =
                        names.iter().copied().filter(|other| *other != who).take(1).collect();
                    row.own_row = false;
                }
                graph.grants.insert(key, row);
            }
            3 => graph.principals.get_mut(&who).unwrap().connect = Connect::Denied,
            _ => {
                graph.principals.remove(&who);
                graph.members.retain(|membership| membership.member != who);
                graph.grants.retain(|key, _| key.grantee != who);
            }
        }
    }

    fn mischief(&mut self) {
        let refusal = Refusal { kind: RefusalKind::Forbidden, number: 15247, message: String::new() };
        let names: Vec<_> = self.stage.pool.graph.lock().unwrap().principals.keys().copied().collect();
        let who = names.get(self.chance.below(names.len())).copied().unwrap_or(name("person0"));
        let kinds = [StepKind::AddMember, StepKind::Deny, StepKind::CreatePrincipal, StepKind::DropMember];
        let kind = kinds[self.chance.below(4)];
        self.stage.pool.plot(match self.chance.below(5) {
            0 => Mischief::Refuse(who, refusal),
            1 => Mischief::BreakAfter(who),
            2 => Mischief::BreakBefore(who),
            3 => Mischief::Lie(who),
            _ => Mischief::RefuseStep(kind, refusal),
        });
    }

    async fn tell(mut self) {
        for n in 0..STEPS {
            self.step(n).await;
            for _ in 0..=self.chance.below(3) {
                self.stage.ticker.tick(&self.stage.map).await;
            }
        }
        self.stage.pool.forgive();
        self.stage.clock.advance(Duration::hours(2));
        for _ in 0..20 {
            self.stage.ticker.tick(&self.stage.map).await;
        }
        let state = self.stage.ticker.tick(&self.stage.map).await.summary.state;
        assert!(matches!(state, State::Converged | State::Pending), "{state:?}");
        self.stage.proved().await;
    }
}

#[tokio::test]
async fn what_is_said_of_views_makes_no_plan_over_what_moved_a_whole_one() {
    let managed = MAP.replace("schemas: []", "schemas: [secure]");
    let mut stage = Stage::set_with(&managed).await;
    let there = FoundView { digest: None, made: false, intact: false, owner: None };
    let strange = ObjectName { schema: name("secure"), name: name("strange") };
    let views = ViewsThere { views: [(strange, there)].into(), ..ViewsThere::default() };
    *stage.pool.views.lock().unwrap() = Some(views);
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let readers = stage.readers(&[kim]).await;
    stage.settle().await;
    let compared = || stage.pool.compared.load(Ordering::SeqCst);
    let before = compared();
    for (n, change) in [join(&[ana]), leave(&[kim]), leave(&[ana])].into_iter().enumerate() {
        stage.patch(readers, &format!("change-{n}"), change).await;
        let summary = stage.ticker.tick(&stage.map).await.summary;
        let said = |what: &str| summary.waiting.iter().any(|waiting| waiting.what.contains(what));
        assert!(said("secure.strange"), "the finding stands: {summary:?}");
    }
    assert!(stage.pool.connect("ana") == Connect::Denied && stage.pool.connect("kim") == Connect::Denied);
    assert_eq!(compared(), before, "no tick looked at all of both sides");
    stage.restart("two");
    stage.settle().await;
    assert!(stage.pool.compared.load(Ordering::SeqCst) > before, "one that knows nothing does");
}

#[tokio::test]
async fn a_plan_over_what_moved_is_the_whole_plan_in_any_story() {
    let stories =
        std::env::var("AXON_NEAR_STORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(25_u64);
    for seed in 1..=stories {
        Box::pin(async { Story::begin(seed).await.tell().await }).await;
    }
}

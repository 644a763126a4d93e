//! What guards say of those who read views: whoever would newly read one waits for its text, and rows that are taken out of the
//! profiles of people who read on are removals.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::admit::{Known, admit_with};
use axon_reconcile::secure::{Delimiters, LINE, apart, profile_steps};
use axon_reconcile::{
    Admitted, Connect, Glob, Grant, GrantKey, GrantState, Graph, Guards, History, ManagedPrincipals,
    Membership, Mode, ObjectName, Permission, Plan, Planned, Principal, PrincipalKind, ProfileRow,
    RemovalBudget, Role, Scope, Securable, SecureStep, Sides, Step, StepKind, admit, plan,
};
use time::macros::datetime;

fn name(text: &str) -> SqlName {
    SqlName::parse(text).expect("a plain name")
}

fn view() -> ObjectName {
    ObjectName { schema: name("secure"), name: name("orders") }
}

/// Everybody is there; roles with their members.
fn graph(people: &[&str], roles: &[(&str, &[&str])]) -> Graph {
    let mut graph = Graph::default();
    for who in people {
        let kind = PrincipalKind::External;
        let there = Principal { kind, sid: None, connect: Connect::Granted, created: None };
        graph.principals.insert(name(who), there);
    }
    for (role, members) in roles {
        graph.roles.insert(name(role), Role::default());
        graph.members.extend(members.iter().map(|who| Membership { role: name(role), member: name(who) }));
    }
    graph
}

fn give(graph: &mut Graph, grantee: &str, on: Securable, state: GrantState) {
    let key = GrantKey { grantee: name(grantee), securable: on, permission: Permission::Select };
    graph.grants.insert(key, Grant::wanted(state));
}

fn sides(actual: &Graph, desired: &Graph) -> Sides {
    let scope = Scope {
        roles: vec![Glob::new("axon_*")],
        named_roles: [name("bi_users")].into(),
        given: BTreeSet::new(),
        schemas: vec![Glob::new("*")],
        principals: ManagedPrincipals::External,
        untouchable: BTreeSet::new(),
    };
    Sides { desired: desired.clone(), actual: actual.clone(), scope }
}

fn guards() -> Guards {
    Guards {
        mode: Mode::Authoritative,
        removals: None,
        leavers: None,
        protect: BTreeSet::new(),
        hold_steps: Vec::new(),
        administrators: BTreeSet::new(),
        own: name("axon-ci"),
    }
}

/// The plan from one to the other while the view is to be closed and that is held.
fn while_closing_is_held(actual: &Graph, desired: &Graph) -> Admitted {
    let sides = sides(actual, desired);
    let mut plan = plan(&sides);
    let close = SecureStep::CloseView { view: view(), because: "its column is gone".into(), unseen: false };
    plan.steps.insert(0, Planned::from(Step::Secure(close)));
    let guards = Guards { hold_steps: vec![StepKind::CloseView], ..guards() };
    admit(plan, &sides, &guards, &History::default(), datetime!(2026-11-23 00:00 UTC))
}

fn done(admitted: &Admitted) -> Vec<String> {
    admitted.steps().iter().map(|planned| planned.step.to_string()).collect()
}

fn waits(admitted: &Admitted, step: &str) -> bool {
    admitted.withheld().iter().any(|held| {
        held.planned.step.to_string() == step
            && held.reasons.iter().any(|reason| reason.to_string().contains("close view secure.orders"))
    })
}

/// A view that a role reads, which another role is in, and a role that reads something else.
fn reading(people: &[&str], nested: &[&str], other: &[&str]) -> Graph {
    let roles: [(&str, &[&str]); 3] =
        [("axon_analyst", &["bi_users"]), ("bi_users", nested), ("axon_other", other)];
    let mut graph = graph(people, &roles);
    give(&mut graph, "axon_analyst", Securable::Object(view()), GrantState::Grant);
    graph
}

#[test]
fn who_would_read_it_by_a_role_in_a_role_waits_and_others_do_not() {
    let before = reading(&["kim", "lee"], &[], &[]);
    let after = reading(&["kim", "lee"], &["kim"], &["lee"]);
    let admitted = while_closing_is_held(&before, &after);
    assert!(waits(&admitted, "add kim to role bi_users"), "{admitted:#?}");
    assert_eq!(done(&admitted), ["add lee to role axon_other"]);
}

#[test]
fn who_would_read_a_view_whose_text_is_not_shown_waits_until_it_is() {
    let before = reading(&["kim", "lee"], &["lee"], &[]);
    let sides = sides(&before, &reading(&["kim", "lee"], &["lee", "kim"], &[]));
    let mut plan = plan(&sides);
    let rows = axon_reconcile::view_body::Rows::All;
    let view = axon_reconcile::ViewBody { name: view(), from: view(), columns: Vec::new(), rows };
    let metadata = axon_reconcile::secure::Metadata::new(name("axon"), name("axon_owner"));
    let alter = SecureStep::AlterView { view: Box::new(view), metadata, unseen: true };
    plan.steps.insert(0, Planned::from(Step::Secure(alter)));
    let admitted = |hold_steps| {
        let guards = Guards { hold_steps, ..guards() };
        admit(plan.clone(), &sides, &guards, &History::default(), datetime!(2026-11-23 00:00 UTC))
    };
    assert_eq!(admitted(Vec::new()).steps().len(), 2, "the text comes first, in the same plan");
    let waits = admitted(vec![StepKind::AlterView]);
    assert!(done(&waits).is_empty() && waits.withheld().len() == 2, "{waits:#?}");
}

#[test]
fn who_is_let_in_again_waits_and_who_reads_nothing_of_it_does_not() {
    let mut before = reading(&["kim", "lee"], &["kim"], &["lee"]);
    let after = before.clone();
    for who in ["kim", "lee"] {
        before.principals.entry(name(who)).and_modify(|there| there.connect = Connect::Denied);
    }
    let admitted = while_closing_is_held(&before, &after);
    assert_eq!(admitted.withheld().len(), 2, "{admitted:#?}");
    let connects = |who: &str| done(&admitted).iter().any(|step| step.contains(who));
    assert!(connects("lee") && !connects("kim"), "{admitted:#?}");
}

#[test]
fn where_everybody_reads_it_nobody_new_comes() {
    let mut before = reading(&["lee"], &[], &["lee"]);
    give(&mut before, "public", Securable::Schema(name("secure")), GrantState::Grant);
    let mut after = before.clone();
    after.principals.insert(
        name("kim"),
        Principal { kind: PrincipalKind::External, sid: None, connect: Connect::Granted, created: None },
    );
    assert!(done(&while_closing_is_held(&before, &after)).is_empty());
    before.grants.clear();
    after.grants.clear();
    assert_eq!(done(&while_closing_is_held(&before, &after)).len(), 1);
}

#[test]
fn a_deny_on_it_stays_and_one_elsewhere_goes() {
    let mut before = reading(&["kim"], &["kim"], &[]);
    let elsewhere = Securable::Object(ObjectName { schema: name("sales"), name: name("refunds") });
    for on in [Securable::Object(view()), elsewhere] {
        give(&mut before, "axon_other", on, GrantState::Deny);
    }
    let mut after = before.clone();
    after.grants.retain(|_, grant| grant.state != GrantState::Deny);
    let admitted = while_closing_is_held(&before, &after);
    assert!(admitted.steps().iter().all(|planned| !planned.step.to_string().contains("secure.orders")));
    assert_eq!(admitted.steps().len(), 1, "{admitted:#?}");

    let before = {
        let mut graph = reading(&["kim"], &["kim"], &["kim"]);
        give(&mut graph, "axon_other", Securable::Object(view()), GrantState::Deny);
        graph
    };
    let mut after = before.clone();
    after.members.remove(&Membership { role: name("axon_other"), member: name("kim") });
    assert!(waits(&while_closing_is_held(&before, &after), "remove kim from role axon_other"));
    after.principals.clear();
    after.members.retain(|one| one.member != name("kim"));
    let admitted = while_closing_is_held(&before, &after);
    assert_eq!(admitted.withheld().len(), 1, "who leaves waits for nothing: {admitted:#?}");
}

/// Whether a mover leaves a role that denies this while a step about views waits.
fn leaves_while(waits: SecureStep, permission: Permission, on: Securable) -> bool {
    leaves_over(waits, permission, on, false)
}

/// The same, where the view may be closed.
fn leaves_over(waits: SecureStep, permission: Permission, on: Securable, closed: bool) -> bool {
    let mut before = reading(&["kim"], &["kim"], &["kim"]);
    let key = GrantKey { grantee: name("axon_other"), securable: on, permission };
    before.grants.insert(key, Grant::wanted(GrantState::Deny));
    let mut after = before.clone();
    after.members.remove(&Membership { role: name("axon_other"), member: name("kim") });
    let sides = sides(&before, &after);
    let mut plan = plan(&sides);
    let guards = Guards { hold_steps: vec![waits.kind()], ..guards() };
    plan.steps.insert(0, Planned::from(Step::Secure(waits)));
    let (history, now) = (History::default(), datetime!(2026-11-23 00:00 UTC));
    let is_closed = |name| closed && name == view();
    let known = Known {
        against: &|_| None,
        released: &|_, _| false,
        standing: &|_, _| false,
        announced: 0,
        totals: None,
        closed: &is_closed,
    };
    let admitted = admit_with(plan, &sides, &guards, &history, now, &known);
    assert_eq!(admitted.steps().len() + admitted.withheld().len(), 2, "{admitted:#?}");
    done(&admitted) == ["remove kim from role axon_other"]
}

#[test]
fn a_mover_leaves_a_role_at_once_unless_that_opens_a_text_which_is_too_wide() {
    let rows = axon_reconcile::view_body::Rows::All;
    let body = axon_reconcile::ViewBody { name: view(), from: view(), columns: Vec::new(), rows };
    let body = || Box::new(body.clone());
    let metadata = axon_reconcile::secure::Metadata::new(name("axon"), name("axon_owner"));
    let (because, schema) = ("its column is gone".to_owned(), name("axon"));
    let close = || SecureStep::CloseView { view: view(), because: because.clone(), unseen: false };
    let alter = |unseen| SecureStep::AlterView { view: body(), metadata, unseen };
    let (on_view, on_schema) = (Securable::Object(view()), Securable::Schema(name("secure")));
    for on in [on_view, on_schema, Securable::Database] {
        for waits in [close(), alter(false), alter(true)] {
            assert!(!leaves_while(waits.clone(), Permission::Select, on), "{waits} {on}");
            assert!(!leaves_while(waits.clone(), Permission::Control, on), "{waits} {on}");
            assert!(leaves_while(waits, Permission::Insert, on), "who is denied INSERT reads on");
        }
        // A view that is closed shows nobody anything until the text is written that waits. What is about to be closed is open.
        assert!(leaves_over(alter(false), Permission::Select, on, true), "{on}");
        assert!(!leaves_over(close(), Permission::Select, on, true), "{on}");
        let people = vec![name("lee")];
        let fill = SecureStep::FillProfiles { schema, people: 1, rows: Vec::new() };
        let create = SecureStep::CreateView { view: body(), metadata };
        for waits in [
            create,
            SecureStep::DropView { view: view() },
            SecureStep::CreateTable { schema, table: axon_reconcile::secure::ManagedTable::Profile },
            SecureStep::CreateKey { schema, id: "key".into() },
            SecureStep::DropProfiles { schema, people, loses: false },
            fill,
        ] {
            assert!(leaves_while(waits.clone(), Permission::Select, on), "{waits} {on}");
        }
    }
    let elsewhere = Securable::Schema(name("sales"));
    assert!(leaves_while(close(), Permission::Select, elsewhere), "the role has nothing to do with it");
}

#[test]
fn a_role_denies_by_the_roles_that_it_is_in_and_by_what_the_server_says_of_them() {
    let roles: [(&str, &[&str]); 4] = [
        ("axon_analyst", &["kim", "lee"]),
        ("axon_inner", &["kim"]),
        ("axon_outer", &["axon_inner"]),
        ("db_denydatareader", &["lee"]),
    ];
    let mut before = graph(&["kim", "lee"], &roles);
    give(&mut before, "axon_analyst", Securable::Object(view()), GrantState::Grant);
    give(&mut before, "axon_outer", Securable::Object(view()), GrantState::Deny);
    for (role, who) in [("axon_inner", "kim"), ("db_denydatareader", "lee")] {
        let mut after = before.clone();
        after.members.remove(&Membership { role: name(role), member: name(who) });
        let mut sides = sides(&before, &after);
        sides.scope.named_roles.insert(name(role));
        let mut plan = plan(&sides);
        let close = SecureStep::CloseView { view: view(), because: "gone".into(), unseen: false };
        plan.steps.insert(0, Planned::from(Step::Secure(close)));
        let guards = Guards { hold_steps: vec![StepKind::CloseView], ..guards() };
        let admitted = admit(plan, &sides, &guards, &History::default(), datetime!(2026-11-23 00:00 UTC));
        assert!(waits(&admitted, &format!("remove {who} from role {role}")), "{admitted:#?}");
    }
}

/// What the role itself gave goes with it: leaving it opens nothing.
#[test]
fn a_role_that_gives_a_view_and_denies_it_is_left_at_once() {
    let before = |readers: &[&str]| {
        let roles: [(&str, &[&str]); 3] =
            [("axon_analyst", readers), ("axon_inner", &["kim"]), ("axon_outer", &["axon_inner"])];
        let mut before = graph(&["kim"], &roles);
        give(&mut before, "axon_analyst", Securable::Object(view()), GrantState::Grant);
        give(&mut before, "axon_inner", Securable::Schema(name("secure")), GrantState::Grant);
        give(&mut before, "axon_outer", Securable::Object(view()), GrantState::Deny);
        before
    };
    let leave = |before: Graph| {
        let mut after = before.clone();
        after.members.remove(&Membership { role: name("axon_inner"), member: name("kim") });
        let sides = sides(&before, &after);
        let mut plan = plan(&sides);
        let close = SecureStep::CloseView { view: view(), because: "gone".into(), unseen: false };
        plan.steps.insert(0, Planned::from(Step::Secure(close)));
        let guards = Guards { hold_steps: vec![StepKind::CloseView], ..guards() };
        admit(plan, &sides, &guards, &History::default(), datetime!(2026-11-23 00:00 UTC))
    };
    let alone = leave(before(&[]));
    assert_eq!(done(&alone), ["remove kim from role axon_inner"], "{alone:#?}");
    assert!(waits(&leave(before(&["kim"])), "remove kim from role axon_inner"), "another role shows it");
}

type Rows = BTreeMap<SqlName, BTreeSet<ProfileRow>>;

fn profiles(people: usize, rows: &[(&str, &str)]) -> Rows {
    let of = |n: usize| {
        let principal = name(&format!("u{n}"));
        let row = |(attribute, value): &(&str, &str)| ProfileRow {
            principal,
            attribute: (*attribute).to_owned(),
            value: (*value).to_owned(),
        };
        (principal, rows.iter().map(row).collect())
    };
    (0..people).map(of).collect()
}

fn steps(there: &Rows, wanted: &Rows) -> Vec<SecureStep> {
    let all = there.keys().chain(wanted.keys()).copied().collect();
    profile_steps(name("axon"), Delimiters::new('|', ':', ','), &all, there, wanted)
}

fn losers(there: &Rows, wanted: &Rows) -> u64 {
    steps(there, wanted).iter().map(SecureStep::losers).sum()
}

#[test]
fn who_reads_on_and_sees_less_is_counted_and_who_goes_is_not() {
    for people in [3, 70] {
        let there = profiles(people, &[("region", "north")]);
        let count = people as u64;
        assert_eq!(losers(&there, &profiles(people, &[])), count, "nothing is left of the attribute");
        assert_eq!(losers(&there, &profiles(people, &[("region", "south")])), count, "moved");
        assert_eq!(losers(&there, &profiles(people, &[("region", "north"), ("region", "south")])), 0);
        assert_eq!(losers(&there, &Rows::new()), 0, "they read no view any more");
        assert_eq!(losers(&Rows::new(), &there), 0);
    }
    let line = |text: &str| profiles(1, &[(LINE, text)]);
    assert_eq!(losers(&line("region:north|title:boss"), &line("region:north,south|title:boss")), 0);
    assert_eq!(losers(&line("region:north|title:boss"), &line("title:boss")), 1);
    assert_eq!(losers(&line("region:north"), &line("region:south")), 1);
    // Letters of what is lost stand in what comes.
    assert_eq!(losers(&line("region:east"), &line("region:feasting|title:boss")), 1);
    assert_eq!(losers(&line("region:east|title:boss"), &line("region:boss|title:boss,east")), 1);
}

#[test]
fn what_is_lost_is_a_step_of_its_own_where_what_comes_waits() {
    let halves = |there: &Rows, wanted: &Rows| -> Vec<(bool, u64)> {
        let steps = apart(steps(there, wanted));
        steps.iter().map(|step| (step.gives(), step.losers())).collect()
    };
    let (north, south) = (profiles(1, &[("region", "north")]), profiles(1, &[("region", "south")]));
    let both = profiles(1, &[("region", "north"), ("region", "south")]);
    assert_eq!(halves(&north, &south), [(false, 1), (true, 0)]);
    assert_eq!(halves(&both, &south), [(false, 1)]);
    assert_eq!(halves(&north, &both), [(true, 0)], "nothing is lost");
    let line = |text: &str| profiles(1, &[(LINE, text)]);
    let of_line = |there: &str, wanted: &str| halves(&line(there), &line(wanted));
    assert_eq!(of_line("region:north|title:boss", "region:north,south|title:boss"), [(true, 0)]);
    for (there, wanted) in [
        ("region:north,south", "region:south"),
        ("region:north|title:boss", "title:boss"),
        // Each holds the letters of the one before, and none of its values.
        ("region:north", "region:northwest"),
        ("region:boss", "region:x|title:boss"),
    ] {
        assert_eq!(of_line(there, wanted), [(false, 1), (true, 0)], "{there}, {wanted}");
    }
}

#[test]
fn a_wave_that_blinds_people_waits_and_what_else_is_written_does_not() {
    let actual = graph(&[], &[]);
    let budget = RemovalBudget { window: time::Duration::hours(24), most_percent: 0, floor: 5 };
    let guards = Guards { removals: Some(budget), ..guards() };
    for (people, passes) in [(5, true), (6, false), (200, false)] {
        let there = profiles(people, &[("region", "north")]);
        let mut wanted = profiles(people, &[]);
        // One comes besides.
        wanted.extend(profiles(people + 1, &[("region", "east")]).remove_entry(&name(&format!("u{people}"))));
        let steps = steps(&there, &wanted).into_iter().map(|step| Planned::from(Step::Secure(step)));
        let plan = Plan { steps: steps.collect(), findings: Vec::new() };
        let sides = sides(&actual, &actual);
        let admitted = admit(plan, &sides, &guards, &History::default(), datetime!(2026-11-23 00:00 UTC));
        assert_eq!(admitted.withheld().is_empty(), passes, "{people}");
        let told = done(&admitted);
        assert!(told.iter().any(|step| step.contains("with 1 of region")), "{told:?}");
    }
}

//! How long a plan takes: a first fill of 100,000 people, a large move, and one change. `cargo bench -p axon-reconcile`.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Instant;

use axon_model::SqlName;
use axon_reconcile::{
    Connect, Glob, Grant, GrantKey, GrantState, Graph, ManagedPrincipals, Membership, ObjectName, Permission,
    Principal, PrincipalKind, Role, Scope, Securable, Sides, Tied, Ties, focus, plan,
};

/// The allocator of the binary: figures with another one say nothing of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is wanted of a full plan, by the time that its thread had a core, and of all that is in memory then.
const FULL: (f64, f64) = (2_000.0, 400e6 / (1024.0 * 1024.0));
/// And of a plan after one change, milliseconds.
const ONE: f64 = 5.0;

const PEOPLE: usize = 100_000;
const ROLES: usize = 500;
const ROLES_EACH: usize = 8;
const GRANTS_EACH: usize = 400;

fn name(text: &str) -> SqlName {
    SqlName::parse(text).expect("a plain name")
}

/// 100,000 people in 8 of 500 roles each; 400 grants to each role, every tenth role with a DENY.
fn world() -> Graph {
    let mut graph = Graph::default();
    let roles: Vec<SqlName> = (0..ROLES).map(|i| name(&format!("axon_role_{i}"))).collect();
    for (i, role) in roles.iter().enumerate() {
        graph.roles.insert(*role, Role::default());
        for j in 0..GRANTS_EACH {
            let nth = (i * 37 + j * 11) % 5_000;
            let object =
                ObjectName { schema: name(&format!("s{}", nth % 50)), name: name(&format!("t{nth}")) };
            let permission = if j % 3 == 0 { Permission::Insert } else { Permission::Select };
            let key = GrantKey { grantee: *role, securable: Securable::Object(object), permission };
            let state = if i % 10 == 0 && j % 100 == 0 { GrantState::Deny } else { GrantState::Grant };
            graph.grants.insert(key, Grant::wanted(state));
        }
    }
    for i in 0..PEOPLE {
        let who = name(&format!("user{i}@acme.example"));
        let principal =
            Principal { kind: PrincipalKind::External, sid: None, connect: Connect::Granted, created: None };
        graph.principals.insert(who, principal);
        for j in 0..ROLES_EACH {
            let role = roles[(i * 7 + j * j * 31 + i / 500) % ROLES];
            graph.members.insert(Membership { role, member: who });
        }
    }
    graph
}

fn main() {
    let full = world();
    let scope = Scope {
        roles: vec![Glob::new("axon_*")],
        named_roles: BTreeSet::new(),
        given: BTreeSet::new(),
        schemas: Vec::new(),
        principals: ManagedPrincipals::External,
        untouchable: BTreeSet::from([name("dbo"), name("public"), name("axon")]),
    };
    let edges = full.members.len() + full.grants.len();
    say(&format!("{PEOPLE} people, {ROLES} roles, {edges} memberships and grants"));

    // Nothing but the two sides is in memory beside the plan.
    let sides = Sides { desired: full, actual: Graph::default(), scope: scope.clone() };
    measure("first fill", &sides, FULL.0);
    let full = sides.desired;
    measure(
        "nothing to do",
        &Sides { desired: full.clone(), actual: full.clone(), scope: scope.clone() },
        FULL.0,
    );

    let mut moved = full.clone();
    let movers: Vec<Membership> = full.members.iter().copied().step_by(97).collect();
    for membership in &movers {
        moved.members.remove(membership);
        let role = name(&format!("axon_role_{}", membership.member.as_str().len() * 13 % ROLES));
        moved.members.insert(Membership { role, member: membership.member });
    }
    measure(
        "1 % of memberships moved",
        &Sides { desired: moved, actual: full.clone(), scope: scope.clone() },
        FULL.0,
    );

    let mut renamed = full.clone();
    let (old, new) = (name("axon_role_7"), name("axon_renamed"));
    rename(&mut renamed, old, new);
    measure(
        "a role renamed",
        &Sides { desired: renamed, actual: full.clone(), scope: scope.clone() },
        FULL.0,
    );

    let mut changed = full.clone();
    let keys: Vec<GrantKey> = full.grants.keys().copied().step_by(50).collect();
    for key in keys {
        changed.grants.remove(&key);
        let securable = Securable::Schema(name("s1"));
        changed.grants.insert(GrantKey { securable, ..key }, Grant::wanted(GrantState::Grant));
    }
    measure(
        "2 % of grants replaced",
        &Sides { desired: changed, actual: full.clone(), scope: scope.clone() },
        FULL.0,
    );

    let mut left = full.clone();
    let leaver = name("user5@acme.example");
    left.principals.remove(&leaver);
    left.members.retain(|m| m.member != leaver);
    let left = Sides { desired: left, actual: full, scope };
    measure("one leaver", &left, FULL.0);

    let started = Instant::now();
    let [wanted, there] = [&left.desired, &left.actual].map(Ties::of);
    say(&format!("{:<28} {:>51.1} ms", "ties of both sides", millis(started)));
    let desired = Tied { graph: &left.desired, ties: &wanted };
    let actual = Tied { graph: &left.actual, ties: &there };
    let started = Instant::now();
    let part = focus(desired, actual, &left.scope, &BTreeSet::from([leaver]));
    say(&format!("{:<28} {:>51.3} ms", "what one leaver concerns", millis(started)));
    measure("that leaver alone", &part, ONE);
}

fn millis(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}

fn rename(graph: &mut Graph, old: SqlName, new: SqlName) {
    graph.roles.remove(&old);
    graph.roles.insert(new, Role::default());
    graph.members = graph
        .members
        .iter()
        .map(|m| if m.role == old { Membership { role: new, ..*m } } else { *m })
        .collect();
    let grants = std::mem::take(&mut graph.grants);
    graph.grants = grants
        .into_iter()
        .map(|(k, g)| (if k.grantee == old { GrantKey { grantee: new, ..k } } else { k }, g))
        .collect();
}

/// A plan over these sides, which is wanted within so many milliseconds. Of a plan that takes longer than a schedule's tick the time
/// counts for which its thread had a core, else the time that went by, the best of five.
fn measure(what: &str, sides: &Sides, wanted: f64) {
    let only: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if !only.is_empty() && !only.iter().any(|word| what.contains(word.as_str())) {
        return;
    }
    forget_peak();
    let before = memory("VmRSS:");
    let timed = || {
        let (on_core, started) = (cpu(), Instant::now());
        let plan = plan(sides);
        (millis(started), cpu() - on_core, plan)
    };
    let tries = if wanted < 50.0 { 5 } else { 1 };
    let all = (0..tries).map(|_| timed());
    let (took, on_core, plan) = all.min_by(|one, other| one.0.total_cmp(&other.0)).expect("a try");
    let interrupts = plan.steps.iter().filter(|p| p.interrupts.is_some()).count();
    say(&format!(
        "{what:<28} {:>9} steps {:>6} interrupt {:>4} findings {took:>9.2} ms ({on_core:>8.2} on a core) {:>4.0} + {:>3.0} MiB",
        plan.steps.len(),
        interrupts,
        plan.findings.len(),
        before,
        memory("VmHWM:") - before,
    ));
    let counts = if took > 50.0 { on_core } else { took };
    let peak = memory("VmHWM:");
    assert!(counts < wanted, "{what}: {wanted} ms are wanted");
    assert!(peak < FULL.1, "{what}: {peak:.0} MiB, {:.0} are wanted", FULL.1);
}

/// For how many milliseconds this thread had a core: other work on the machine does not count.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or_default() / 1e6
}

/// A line of the kernel's account of this process, in MiB.
fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|found| found.strip_prefix(line));
    let kilobytes = value.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1024.0
}

/// The peak of memory is counted anew from here on, where the kernel lets it.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn say(line: &str) {
    // Figures go to standard output; a closed pipe is no failure of the bench.
    let _ = writeln!(std::io::stdout(), "{line}");
}

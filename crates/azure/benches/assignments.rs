//! How long it takes to read, plan and change many role assignments, against the emulator's neighbours: a token endpoint, Graph, a
//! workspace and Resource Manager on loopback, which answer each request 20 ms late and throttle as they do for everybody.
//! Run: `cargo bench -p axon-azure --bench assignments`. It fails where a goal is missed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axon_azure::{
    ArmParts, AssignedTarget, Base, Cloud as Places, CloudName, Entra, Identity, Platform, Resource, Tokens,
    Wire, WorkspaceParts, azure_rbac, workspace,
};
use axon_emulator::cloud::Cloud;
use axon_emulator::cloud::service::Service;
use axon_emulator::cloud::throttle::Limit;
use axon_emulator::http::Neighbours;
use axon_emulator::{Directory, Pool, PoolConfig};
use axon_model::{IdSource, SqlName, SystemClock};
use axon_reconcile::{
    Connect, Graph, InspectScope, ManagedPrincipals, Membership, Outcome, Principal, PrincipalKind, Scope,
    Sid, Sides, Step, Target as _, Wave, plan_assigned,
};
use secrecy::SecretString;
use serde_json::json;

const ROWS: usize = 10_000;
const PAGE: usize = 1_000;
const CHANGES: usize = 1_000;
const LATENCY_MS: u64 = 20;
/// The neighbours' limit of one service: so many requests of all kinds in a span; beyond it 429 with Retry-After.
const LIMIT: Limit = Limit { requests: 200, seconds: 10 };
const GOAL: Duration = Duration::from_secs(2);
const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
const OWN: &str = "33333333-3333-3333-3333-333333333333";
const SECRET: &str = "right-secret";
const USER: &str = "2a385764-43e8-416c-9825-7b18d05a2c4b";
const ADMINISTRATOR: &str = "6e4bf58a-b8e1-4cc3-bbf9-d73143322b78";
const ACCESS_ADMINISTRATOR: &str = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9";
const SCOPE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/acme";

fn id(n: usize) -> String {
    format!("bbbbbbbb-0000-0000-0000-{n:012}")
}

fn name(text: &str) -> SqlName {
    SqlName::parse(text).expect("a name")
}

/// A tenant of many groups, and a workspace that has assigned a role to most of them.
fn cloud() -> Arc<Cloud> {
    let group = |n| json!({"displayName": format!("SG-{n}"), "objectId": id(n)});
    let directory = json!({
        "groups": (0..ROWS + CHANGES).map(group).collect::<Vec<_>>(),
        "apps": [{"displayName": "axon", "appId": CLIENT, "objectId": OWN, "secrets": [{"value": SECRET}]}],
    });
    let row = |n: usize, role: &str, who: &str| {
        json!({"id": format!("eeeeeeee-0000-0000-0000-{n:012}"), "roleDefinitionId": role, "principalId": who,
            "scope": "workspaces/acme", "principalType": "Group"})
    };
    let rows = (0..ROWS).map(|n| row(n, USER, &id(n)));
    let rows: Vec<_> = std::iter::once(row(ROWS, ADMINISTRATOR, OWN)).chain(rows).collect();
    let state = json!({
        "tenantId": TENANT, "subscriptions": ["s"], "workspaces": [{"name": "acme", "assignments": rows}],
        "assignments": [{"name": "55555555-5555-5555-5555-555555555555", "scope": "/subscriptions/s",
            "role": ACCESS_ADMINISTRATOR, "principalId": OWN, "principalType": "ServicePrincipal"}],
        "settings": {"synapsePage": PAGE, "armPage": PAGE},
    });
    let mut config = PoolConfig::new("sa", "secret");
    config.directory = Directory::parse(&directory.to_string()).expect("a directory");
    let cloud = Cloud::new(Pool::new(config), serde_json::from_value(state).expect("a state"));
    let late = json!({"times": u32::MAX, "what": {"delay": LATENCY_MS}});
    assert!(cloud.arm(serde_json::from_value(late).expect("a fault")));
    cloud
}

/// What leads to the neighbours.
struct Ways {
    base: Base,
    wire: Wire,
    tokens: Tokens,
    entra: Arc<Entra>,
}

impl Ways {
    fn to(address: std::net::SocketAddr) -> Self {
        let base = Base::parse(&format!("http://{address}")).expect("a base");
        let (wire, clock) = (Wire::new().expect("a client"), Arc::new(SystemClock));
        let places = Places { authority: base.clone(), ..Places::named(CloudName::Public) };
        let (tenant, client_id) = (TENANT.into(), CLIENT.into());
        let identity = Identity::Secret { tenant, client_id, secret: SecretString::from(SECRET) };
        let ids = Arc::new(IdSource::Random);
        let tokens = Tokens::new(identity, Platform::default(), places, wire.clone(), clock.clone(), ids);
        let entra = Entra::new(&base, wire.clone(), tokens.of(Resource::Graph).into(), clock);
        Self { base, wire, tokens, entra: Arc::new(entra) }
    }

    fn workspace(&self) -> AssignedTarget {
        let parts = WorkspaceParts {
            endpoint: self.base.clone(),
            name: Some("acme".into()),
            bearer: self.tokens.of(Resource::Synapse).into(),
            wire: self.wire.clone(),
            clock: Arc::new(SystemClock),
            entra: Some(self.entra.clone()),
        };
        workspace("workspace", parts).expect("a workspace")
    }

    fn factory(&self) -> AssignedTarget {
        let parts = ArmParts {
            arm: self.base.clone(),
            scope: SCOPE.into(),
            custom: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            bearer: self.tokens.of(Resource::Arm).into(),
            wire: self.wire.clone(),
            clock: Arc::new(SystemClock),
            entra: Some(self.entra.clone()),
        };
        azure_rbac("factory", parts).expect("a scope")
    }
}

/// These groups with one role.
fn desired(role: &str, groups: std::ops::Range<usize>) -> Graph {
    let mut graph = Graph::default();
    for n in groups {
        let who = name(&format!("SG-{n}"));
        let sid = Sid::from_object_id(&id(n));
        let principal =
            Principal { kind: PrincipalKind::ExternalGroup, sid, connect: Connect::Granted, created: None };
        graph.principals.insert(who, principal);
        graph.members.insert(Membership { role: name(role), member: who });
    }
    graph
}

async fn steps(target: &AssignedTarget, role: &str, desired: &Graph) -> Vec<Step> {
    target.introduce(desired).await.expect("introduced");
    let seen = target.inspect(InspectScope::Full).await.expect("a look");
    let known: BTreeSet<SqlName> = desired.principals.keys().copied().collect();
    let scope = Scope {
        roles: Vec::new(),
        named_roles: [name(role)].into(),
        given: BTreeSet::new(),
        schemas: Vec::new(),
        principals: ManagedPrincipals::Mapped(known),
        untouchable: [seen.facts.own_principal].into(),
    };
    let sides = Sides { desired: desired.clone(), actual: seen.graph, scope };
    plan_assigned(&sides).steps.into_iter().map(|planned| planned.step).collect()
}

/// Applies steps as the controller does, a wave of 16 at a time, until all are done. After a refusal nothing is sent until the time
/// that the service gave is over: asking the target again costs nothing.
async fn all_done(target: &AssignedTarget, mut rest: Vec<Step>) -> Duration {
    let began = Instant::now();
    while !rest.is_empty() {
        let wave: Vec<Step> = rest.iter().take(16).cloned().collect();
        let outcomes = target.apply(&Wave::for_test(wave)).await;
        let done = outcomes.iter().take_while(|outcome| matches!(outcome, Outcome::Done { .. })).count();
        rest.drain(..done);
        if done < outcomes.len() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    began.elapsed()
}

/// How many requests a service took and refused since the last time.
fn count(cloud: &Cloud, service: Service) -> (usize, usize) {
    let records = cloud.records();
    cloud.clear_records();
    let own = records.iter().filter(|record| record.service == service);
    let (refused, taken): (Vec<_>, Vec<_>) = own.partition(|record| record.status == 429);
    (taken.len(), refused.len())
}

fn limited(cloud: &Cloud, limits: BTreeMap<Service, Limit>) {
    cloud.change(|state| state.limits = limits);
}

#[expect(clippy::print_stdout, reason = "a bench tells its figures")]
async fn listed(ways: &Ways, cloud: &Cloud) {
    let (target, role) = (ways.workspace(), "Synapse User");
    for what in ["looked up, listed and planned", "the same again, everybody known"] {
        let began = Instant::now();
        let none = steps(&target, role, &desired(role, 0..ROWS)).await;
        let took = began.elapsed();
        let (asked, _) = count(cloud, Service::Synapse);
        println!(
            "{ROWS} assignments in pages of {PAGE}, {LATENCY_MS} ms each, {what}: {took:?}, {asked} requests"
        );
        assert!(none.is_empty(), "nothing is to be done");
        assert!(took < GOAL, "the goal is {GOAL:?}");
    }
    let began = Instant::now();
    let same = target.is_unchanged().await.expect("an answer");
    let (took, (asked, _)) = (began.elapsed(), count(cloud, Service::Synapse));
    println!("the look where nothing changed: {took:?}, {asked} request");
    assert!(same && asked == 1, "one page says it");
}

#[expect(clippy::print_stdout, reason = "a bench tells its figures")]
async fn changed(
    target: &AssignedTarget,
    cloud: &Cloud,
    service: Service,
    role: &str,
    groups: std::ops::Range<usize>,
) {
    let whole = desired(role, groups);
    let more = steps(target, role, &whole).await;
    assert_eq!(more.len(), CHANGES, "that many are new");
    limited(cloud, [(service, LIMIT)].into());
    cloud.clear_records();
    let took = all_done(target, more).await;
    let (taken, refused) = count(cloud, service);
    limited(cloud, BTreeMap::new());
    let Limit { requests, seconds } = LIMIT;
    let least = (u32::try_from(taken).unwrap_or(0) / requests).saturating_sub(1) * seconds;
    println!(
        "{CHANGES} assignments at {service:?}, which takes {requests} requests in {seconds} s: {took:?}, {taken} requests taken, \
         {refused} refused. The limit alone makes {least} s of it: each span is used up and its end is waited for"
    );
    assert!(
        refused <= taken / usize::try_from(requests).unwrap_or(1) * 2,
        "what is refused is waited out, not tried"
    );
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let cloud = cloud();
        let any = "127.0.0.1:0".parse().expect("an address");
        let neighbours = Neighbours::start(any, cloud.clone()).await.expect("a port");
        let ways = Ways::to(neighbours.address());
        listed(&ways, &cloud).await;
        changed(&ways.workspace(), &cloud, Service::Synapse, "Synapse User", 0..ROWS + CHANGES).await;
        changed(&ways.factory(), &cloud, Service::Arm, "Reader", 0..CHANGES).await;
    });
}

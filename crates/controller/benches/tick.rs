//! How long a tick takes at full size: 100,000 people, 500 roles, 1,000,000 memberships and grants; the store is a file of SQLite,
//! the target keeps its catalog in memory. `cargo bench -p axon-controller`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use axon_controller::{Controller, Settings, Tick, Ticker};
use axon_mapping::{RoleMap, Surroundings, TargetName, desired};
use axon_model::{Actor, Clock, GroupId, IdSource, SystemClock};
use axon_reconcile::simulate::apply_step_tied;
use axon_reconcile::{
    Graph, InspectScope, Inspection, Membership, ObjectFacts, ObjectKind, ObjectName, Outcome, Seen, Shape,
    Step, Target, TargetError, TargetFacts, Ties, Wave,
};
use axon_scim::{MemberRef, PatchRequest, Profile, Registry, ResourceKind, parse_new};
use axon_store::{Act, DirectoryStore as _, Store, WriteContext};
use axon_store_sqlite::{Address, Options, SqliteStore};
use serde_json::json;
use tokio::task::JoinSet;

const PEOPLE: usize = 100_000;
const ROLES: usize = 500;
const EACH: usize = 1_600;
const TABLES: usize = 5_000;
const GRANTS_EACH: usize = 400;
const CHANGES: usize = 200;

type Outcomes<T> = Result<T, Box<dyn std::error::Error>>;

fn table(n: usize) -> (String, String) {
    (format!("s{}", n % 50), format!("t{n}"))
}

/// 500 roles of 400 grants each, every tenth with DENYs; one group for each.
fn map() -> String {
    let mut text = String::from(
        r#"axon: 1
targets:
  warehouse:
    kind: synapse-dedicated
    host: 127.0.0.1
    database: dw
    auth: { token-file: t }
    tls: off
    mode: authoritative
    role_name: "axon_{role}"
    manage: { roles: ["axon_*"], schemas: [], principals: mapped }
guards:
  removals: { window: 24h, most: 5%, floor: 20 }
  leavers: { window: 24h, most: 5%, floor: 50 }
roles:
"#,
    );
    for role in 0..ROLES {
        let _ = writeln!(text, "  role{role}:\n    grants:\n      warehouse:");
        let mut tables: Vec<usize> = (0..GRANTS_EACH).map(|j| (role * 37 + j * 11) % TABLES).collect();
        tables.sort_unstable();
        for (j, n) in tables.into_iter().enumerate() {
            let (schema, name) = table(n);
            let verb = if role % 10 == 0 && j % 100 == 0 { "deny select" } else { "select" };
            let _ = writeln!(text, "        - {verb} on {schema}.{name}");
        }
    }
    text.push_str("mappings:\n");
    for role in 0..ROLES {
        let _ = writeln!(
            text,
            "  - {{ groups: {{ any: [\"Group {role}\"] }}, source: entra, roles: [role{role}] }}"
        );
    }
    text
}

fn shape() -> Outcomes<Shape> {
    let mut shape = Shape::default();
    for n in 0..TABLES {
        let (schema, name) = table(n);
        let (schema, name) = (schema.parse()?, name.parse()?);
        shape.schemas.insert(schema, None);
        let facts = ObjectFacts { kind: ObjectKind::Table, owner: None, columns: vec!["id".parse()?] };
        shape.objects.insert(ObjectName { schema, name }, facts);
    }
    Ok(shape)
}

/// A target whose catalog is a graph in memory.
struct Memory {
    catalog: Mutex<(Graph, Ties)>,
    shape: Shape,
}

#[async_trait]
impl Target for Memory {
    async fn inspect(&self, _: InspectScope) -> Result<Inspection, TargetError> {
        let graph = self.catalog.lock().expect("one thread").0.clone();
        let dbo = axon_model::SqlName::parse("dbo").expect("a name");
        let facts = TargetFacts {
            version: "memory".into(),
            engine_edition: 6,
            own_principal: dbo,
            administrators: vec![dbo],
        };
        Ok(Inspection { graph, shape: self.shape.clone(), facts, unseen: Vec::new() })
    }

    async fn apply(&self, wave: &Wave) -> Vec<Outcome> {
        let mut catalog = self.catalog.lock().expect("one thread");
        let (graph, ties) = &mut *catalog;
        let perform = |step: &Step| {
            apply_step_tied(graph, ties, step).expect("a step that fits");
            ties.done(step);
            Outcome::Done { statements: vec![step.to_string()], micros: 1 }
        };
        wave.steps().iter().map(perform).collect()
    }

    async fn read_back(&self, wave: &Wave) -> Result<Vec<Seen>, TargetError> {
        let catalog = self.catalog.lock().expect("one thread");
        let members = &catalog.0.members;
        let seen = wave.steps().iter().map(|step| {
            let there = match step {
                Step::AddMember { role, member } => {
                    members.contains(&Membership { role: *role, member: *member })
                }
                Step::DropMember { role, member } => {
                    !members.contains(&Membership { role: *role, member: *member })
                }
                _ => true,
            };
            if there { Seen::InForce } else { Seen::NotInForce }
        });
        Ok(seen.collect())
    }
}

struct Bench {
    store: Arc<SqliteStore>,
    ids: Arc<IdSource>,
    registry: Arc<Registry>,
    groups: Vec<GroupId>,
    users: Vec<String>,
}

impl Bench {
    fn context(&self) -> Outcomes<WriteContext> {
        let source: axon_model::SourceId = "entra".parse()?;
        Ok(WriteContext {
            source: source.clone(),
            profile: Profile::entra(),
            registry: self.registry.clone(),
            act: Act {
                actor: Actor::Source { source },
                request: None,
                now: SystemClock.now(),
                ids: self.ids.clone(),
            },
            if_match: None,
            unless: axon_store::Unless::Never,
        })
    }

    async fn fill(file: &Path) -> Outcomes<Self> {
        let store = Arc::new(SqliteStore::open(Options::new(Address::of_file(file))).await?);
        let (ids, registry) = (Arc::new(IdSource::Random), Arc::new(Registry::standard()));
        let mut bench = Self { store, ids, registry, groups: Vec::new(), users: Vec::new() };
        for first in (0..PEOPLE).step_by(500) {
            let mut tasks = JoinSet::new();
            for n in first..(first + 500).min(PEOPLE) {
                let body = json!({ "userName": format!("user{n}@acme.example"), "active": true });
                let parsed = parse_new(&bench.registry, ResourceKind::User, body, &Profile::entra());
                let resource = parsed.map_err(|error| format!("{error:?}"))?.resource;
                let (store, context) = (bench.store.clone(), bench.context()?);
                tasks.spawn(async move { store.create_user(context, resource).await });
            }
            while let Some(made) = tasks.join_next().await {
                bench.users.push(made??.stored.id.to_string());
            }
        }
        for role in 0..ROLES {
            let body = json!({ "displayName": format!("Group {role}"), "externalId": format!("g{role}") });
            let parsed = parse_new(&bench.registry, ResourceKind::Group, body, &Profile::entra());
            let resource = parsed.map_err(|error| format!("{error:?}"))?.resource;
            let members =
                (0..EACH).map(|n| MemberRef::new(bench.users[(role * 197 + n * 61) % PEOPLE].clone()));
            let made = bench.store.create_group(bench.context()?, resource, members.collect()).await?;
            bench.groups.push(made.stored.id);
        }
        Ok(bench)
    }

    async fn change(&self, n: usize) -> Outcomes<()> {
        let (group, user) = (self.groups[n % ROLES], &self.users[(n * 7_919) % PEOPLE]);
        let verb = if n.is_multiple_of(2) { "Add" } else { "Remove" };
        let member = &self.users[(n / 2 * 7_919) % PEOPLE];
        let (group, user) =
            if n.is_multiple_of(2) { (group, user) } else { (self.groups[(n - 1) % ROLES], member) };
        let user = if n.is_multiple_of(2) { member } else { user };
        let body = json!({ "Operations": [{ "op": verb, "path": "members", "value": [{ "value": user }] }] });
        let patch = PatchRequest::parse(body, &self.registry, ResourceKind::Group, &Profile::entra())
            .map_err(|error| format!("{error:?}"))?;
        self.store.patch_group(self.context()?, group, patch).await?;
        Ok(())
    }
}

async fn timed(ticker: &mut Ticker, map: &Arc<RoleMap>) -> (Tick, f64) {
    let began = Instant::now();
    let tick = ticker.tick(map).await;
    (tick, began.elapsed().as_secs_f64() * 1e3)
}

async fn run() -> Outcomes<()> {
    let folder = tempfile::tempdir()?;
    let bench = Bench::fill(&folder.path().join("axon.db")).await?;
    let map = Arc::new(RoleMap::parse(&[("role-map.yaml", &map())]).map_err(|faults| faults.to_string())?);
    let target: TargetName = "warehouse".parse()?;
    let shape = shape()?;
    let directory = bench.store.load_directory().await?;
    let around = Surroundings { shape: Arc::new(shape.clone()), ..Surroundings::default() };
    let wanted = desired(&map, &target, &directory, &around, SystemClock.now())?;
    drop(directory);
    let (people, edges) =
        (wanted.graph.principals.len(), wanted.graph.members.len() + wanted.graph.grants.len());
    say(&format!("{people} people, {ROLES} roles, {edges} memberships and grants"));
    let ties = Ties::of(&wanted.graph);
    let pool = Arc::new(Memory { catalog: Mutex::new((wanted.graph, ties)), shape });
    let settings = Settings {
        inspect_every: time::Duration::hours(1),
        retry: std::time::Duration::from_millis(100),
        holder: "bench".into(),
        claims: BTreeMap::new(),
        hold_for: None,
        spool: None,
    };
    let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (bench.store.clone(), Arc::new(SystemClock));
    let controller = Controller::new(store, clock, bench.ids.clone(), settings);
    let mut ticker = controller.ticker(target, pool);
    let (tick, first) = timed(&mut ticker, &map).await;
    say(&format!(
        "{:<50} {first:>9.1} ms  {}",
        "the first tick, which looks at all",
        tick.summary.state.as_str()
    ));
    let (_, second) = timed(&mut ticker, &map).await;
    say(&format!("{:<50} {second:>9.1} ms", "the next one, with nothing to do"));
    let mut idle: Vec<f64> = Vec::new();
    for _ in 0..CHANGES {
        idle.push(timed(&mut ticker, &map).await.1);
    }
    tell("a tick with nothing to do", &mut idle);
    let mut after: Vec<f64> = Vec::new();
    for n in 0..CHANGES {
        bench.change(n).await?;
        let (tick, took) = timed(&mut ticker, &map).await;
        assert_eq!(tick.summary.state.as_str(), "converged", "{:?}", tick.summary);
        after.push(took);
    }
    say(&format!("{:<50} {:>9.1} ms", "the first tick after a change", after[0]));
    tell("a tick after one member came or went, applied", &mut after);
    say(&format!("{:<50} {:>9.0} MiB", "resident at the end, store and pool in it", resident()));
    Ok(())
}

fn tell(what: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    let (half, most) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    say(&format!("{what:<50} {half:>9.2} ms  p99 {most:>7.2} ms"));
}

/// Resident memory in MiB, as the kernel tells it.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

fn main() -> Outcomes<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

fn say(line: &str) {
    // Figures go to standard output; a closed pipe is no failure of the bench.
    let _ = writeln!(std::io::stdout(), "{line}");
}

//! What a write costs in the store alone: 64 callers, no HTTP. `cargo bench -p axon-store-sqlite --bench creates`, with the
//! seconds of a load behind `--`.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axon_model::{Actor, Clock, GroupId, IdSource, SourceId, SystemClock};
use axon_scim::{MemberRef, PatchRequest, Profile, Registry, Resource, ResourceKind, parse_new};
use axon_store::{Act, DirectoryStore, Store, Unless, WriteContext};
use axon_store_sqlite::{Address, Options, SqliteStore};
use serde_json::json;
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const CALLERS: usize = 64;
const USERS: usize = 40_000;
const GROUPS: usize = 2_000;

struct Bench {
    store: SqliteStore,
    source: SourceId,
    profile: Profile,
    registry: Arc<Registry>,
    ids: Arc<IdSource>,
}

/// A user as Entra pushes one.
fn body(name: &str) -> String {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "externalId": format!("x-{name}"), "userName": name, "active": true, "displayName": "A Person",
        "emails": [{"primary": true, "type": "work", "value": name}],
        "name": {"formatted": "A Person", "familyName": "Person", "givenName": "A"},
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Sales", "employeeNumber": "7"}
    })
    .to_string()
}

impl Bench {
    fn context(&self) -> WriteContext {
        let actor = Actor::Source { source: self.source.clone() };
        WriteContext {
            source: self.source.clone(),
            profile: self.profile,
            registry: self.registry.clone(),
            act: Act { actor, request: "r-1".parse().ok(), now: SystemClock.now(), ids: self.ids.clone() },
            if_match: None,
            unless: Unless::Never,
        }
    }

    fn parse(&self, kind: ResourceKind, body: &str) -> Result<Resource, Failure> {
        let parsed = parse_new(&self.registry, kind, serde_json::from_str(body)?, &self.profile);
        Ok(parsed.map_err(|error| format!("{error:?}"))?.resource)
    }

    async fn create(&self, name: &str) -> Result<String, Failure> {
        let resource = self.parse(ResourceKind::User, &body(name))?;
        Ok(self.store.create_user(self.context(), resource).await?.stored.id.to_string())
    }

    async fn group(&self, n: usize, members: &[String]) -> Result<GroupId, Failure> {
        let name = format!("Team {n}");
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name});
        let resource = self.parse(ResourceKind::Group, &body.to_string())?;
        let members = members.iter().map(|id| MemberRef::new(id.clone())).collect();
        Ok(self.store.create_group(self.context(), resource, members).await?.stored.id)
    }

    async fn join(&self, group: GroupId, member: &str) -> Result<(), Failure> {
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "Add", "path": "members", "value": [{"value": member}]}]});
        let patch = PatchRequest::parse(body, &self.registry, ResourceKind::Group, &self.profile);
        let patch = patch.map_err(|error| format!("{error:?}"))?;
        self.store.patch_group(self.context(), group, patch).await?;
        Ok(())
    }
}

/// What the writer's thread used so far.
fn writer_cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let named = |task: &std::fs::DirEntry| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "axon-writer")
    };
    let used = tasks.filter(named).filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(used.sum::<u64>())
}

/// Lets the callers write one after the other for a while; each is told its number and its turn.
async fn load<F, W>(bench: &Arc<Bench>, what: &str, span: Duration, write: F) -> Result<(), Failure>
where
    F: Fn(Arc<Bench>, usize, usize) -> W + Clone + Send + 'static,
    W: Future<Output = Result<(), Failure>> + Send,
{
    let (groups, cpu, began) = (bench.store.writer_counts().groups, writer_cpu(), Instant::now());
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (bench, write) = (bench.clone(), write.clone());
        callers.spawn(async move {
            let mut n = 0;
            while began.elapsed() < span {
                write(bench.clone(), caller, n).await?;
                n += 1;
            }
            Ok::<_, Failure>(n as u64)
        });
    }
    let mut writes = 0;
    while let Some(count) = callers.join_next().await {
        writes += count??;
    }
    let took = began.elapsed();
    let (groups, cpu) = (bench.store.writer_counts().groups - groups, writer_cpu().saturating_sub(cpu));
    writeln!(
        std::io::stdout(),
        "{what}: {} /s, {} in a commit, the writer's thread {} us a write",
        u128::from(writes) * 1_000_000 / took.as_micros().max(1),
        writes / groups.max(1),
        cpu.as_micros() / u128::from(writes.max(1)),
    )?;
    Ok(())
}

async fn run(span: Duration) -> Result<(), Failure> {
    let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let store = SqliteStore::open(Options::new(Address::of_file(folder.path().join("axon.db")))).await?;
    let bench = Arc::new(Bench {
        store,
        source: "entra".parse()?,
        profile: Profile::entra(),
        registry: Arc::new(Registry::standard()),
        ids: Arc::new(IdSource::Random),
    });
    let mut filling = JoinSet::new();
    for first in 0..CALLERS {
        let bench = bench.clone();
        filling.spawn(async move {
            let mut made = Vec::new();
            for n in (first..USERS).step_by(CALLERS) {
                made.push(bench.create(&format!("user{n}@acme.example")).await?);
            }
            Ok::<_, Failure>(made)
        });
    }
    let mut users = Vec::with_capacity(USERS);
    while let Some(made) = filling.join_next().await {
        users.extend(made??);
    }
    let mut groups = Vec::with_capacity(GROUPS);
    for n in 0..GROUPS {
        groups.push(bench.group(n, &users[n * 10..n * 10 + 10]).await?);
    }
    let (users, groups): (Arc<[String]>, Arc<[GroupId]>) = (users.into(), groups.into());
    for round in 0..3 {
        load(&bench, "creates", span, move |bench, caller, n| async move {
            bench.create(&format!("r{round}c{caller}n{n}@acme.example")).await.map(drop)
        })
        .await?;
    }
    for (what, spread) in [("members over many groups", GROUPS), ("members of one group", 1)] {
        let (users, groups) = (users.clone(), groups.clone());
        load(&bench, what, span, move |bench, caller, n| {
            let (user, group) = (
                users[USERS - 1 - (n * CALLERS + caller) % USERS].clone(),
                groups[(n * CALLERS + caller) % spread],
            );
            async move { bench.join(group, &user).await }
        })
        .await?;
    }
    bench.store.close().await;
    Ok(())
}

fn main() -> Result<(), Failure> {
    let seconds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(2);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(Duration::from_secs(seconds)))
}

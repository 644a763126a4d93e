//! The store that the loads run on: 100,000 users, 1,000,000 memberships. It is filled once through the store's own commands,
//! kept under `target/`, and copied for each run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use axon_model::{Actor, Clock, IdSource, SystemClock};
use axon_scim::{MemberRef, Profile, Registry, Resource, ResourceKind, parse_new};
use axon_store::{Act, DirectoryStore, Store, WriteContext};
use axon_store_sqlite::{Address, Options, SqliteStore};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::requests;

/// Users.
pub const USERS: usize = 100_000;
/// Groups of 100.
pub const TEAMS: usize = 8_900;
/// Groups of 10.
pub const PAIRS: usize = 1_000;

/// What is in the store, by SCIM id.
#[derive(Debug, Clone)]
pub struct Seeded {
    /// Users in the order of their numbers: `user0@acme.example` …
    pub users: Arc<[String]>,
    /// Groups of 100: `teams[n]` holds the hundred users from `100 n` on.
    pub teams: Arc<[String]>,
    /// Groups of 10: `pairs[n]` holds the ten users from `10 n` on.
    pub pairs: Arc<[String]>,
    /// The group of all.
    pub everyone: String,
}

/// The name of a user.
pub fn user_name(n: usize) -> String {
    format!("user{n}@acme.example")
}

/// Puts a copy of the filled store to `file`, and tells what is in it.
pub async fn place(file: &Path) -> anyhow::Result<Seeded> {
    let kept = kept()?;
    if !kept.is_file() {
        let building = kept.with_extension("building");
        remove(&building)?;
        fill(&building).await.context("fill the store")?;
        std::fs::rename(&building, &kept)?;
    }
    std::fs::copy(&kept, file)?;
    read(file)
}

fn kept() -> anyhow::Result<PathBuf> {
    let bench = std::env::current_exe()?;
    let target = bench.ancestors().nth(3).context("the folder target/")?;
    let folder = target.join("bench-data");
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join("scim-2.db"))
}

fn remove(file: &Path) -> anyhow::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Makes users and groups through the store's own commands.
pub struct Filler {
    store: SqliteStore,
    registry: Arc<Registry>,
    ids: Arc<IdSource>,
}

impl Filler {
    /// Opens the store in a file.
    pub async fn open(file: &Path) -> anyhow::Result<Self> {
        let store = SqliteStore::open(Options::new(Address::of_file(file))).await?;
        Ok(Self { store, registry: Arc::new(Registry::standard()), ids: Arc::new(IdSource::Random) })
    }

    /// Creates a user as Entra pushes one; its id.
    pub async fn user(&self, name: &str) -> anyhow::Result<String> {
        let resource = self.parse(ResourceKind::User, &requests::user(name))?;
        let made = self.store.create_user(self.context()?, resource).await?;
        Ok(made.stored.id.to_string())
    }

    fn context(&self) -> anyhow::Result<WriteContext> {
        let source: axon_model::SourceId = "entra".parse()?;
        let actor = Actor::Source { source: source.clone() };
        let act = Act { actor, request: None, now: SystemClock.now(), ids: self.ids.clone() };
        Ok(WriteContext {
            source,
            profile: Profile::entra(),
            registry: self.registry.clone(),
            act,
            if_match: None,
            unless: axon_store::Unless::Never,
        })
    }

    fn parse(&self, kind: ResourceKind, body: &str) -> anyhow::Result<Resource> {
        let parsed = parse_new(&self.registry, kind, serde_json::from_str(body)?, &Profile::entra());
        Ok(parsed.map_err(|error| anyhow::anyhow!("{error:?}"))?.resource)
    }

    async fn users(self: Arc<Self>) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::with_capacity(USERS);
        // In groups, so that the order of creation is the order of the numbers and the writer still folds them.
        for first in (0..USERS).step_by(200) {
            let mut tasks = JoinSet::new();
            for n in first..(first + 200).min(USERS) {
                let filler = self.clone();
                tasks.spawn(async move { anyhow::Ok((n, filler.user(&user_name(n)).await?)) });
            }
            let mut made = Vec::with_capacity(200);
            while let Some(one) = tasks.join_next().await {
                made.push(one??);
            }
            made.sort();
            ids.extend(made.into_iter().map(|(_, id)| id));
        }
        Ok(ids)
    }

    async fn group(&self, name: &str, members: &[String]) -> anyhow::Result<()> {
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": name, "externalId": format!("x-{name}")});
        let resource = self.parse(ResourceKind::Group, &body.to_string())?;
        let members = members.iter().map(|id| MemberRef::new(id.clone())).collect();
        self.store.create_group(self.context()?, resource, members).await?;
        Ok(())
    }
}

async fn fill(file: &Path) -> anyhow::Result<()> {
    let filler = Arc::new(Filler::open(file).await?);
    let users = filler.clone().users().await?;
    filler.group("Everyone", &users).await?;
    for n in 0..TEAMS {
        let first = n * 100 % USERS;
        filler.group(&format!("Team {n}"), &users[first..first + 100]).await?;
    }
    for n in 0..PAIRS {
        filler.group(&format!("Ten {n}"), &users[n * 10..n * 10 + 10]).await?;
    }
    filler.store.close().await;
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Seeded> {
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let ids = |sql: &str| -> anyhow::Result<Arc<[String]>> {
        let mut statement = db.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|id| Ok(Uuid::from_slice(&id?)?.to_string())).collect()
    };
    // The number is what stands behind the word: `user17@…`, `Team 17`.
    Ok(Seeded {
        users: ids("SELECT id FROM users ORDER BY CAST(substr(user_name, 5) AS INTEGER)")?,
        teams: ids(
            "SELECT id FROM groups WHERE display_name LIKE 'Team %' ORDER BY CAST(substr(display_name, 6) AS INTEGER)",
        )?,
        pairs: ids(
            "SELECT id FROM groups WHERE display_name LIKE 'Ten %' ORDER BY CAST(substr(display_name, 5) AS INTEGER)",
        )?,
        everyone: ids("SELECT id FROM groups WHERE display_name = 'Everyone'")?
            .first()
            .context("Everyone")?
            .clone(),
    })
}

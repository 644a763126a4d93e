//! A server on the filled store, and the loads on it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axon_tests::{Place, Serve};

use crate::CLIENTS;
use crate::requests::{self, Door};
use crate::seed::{self, Seeded, TEAMS, USERS};
use crate::usage::{self, Usage, usage};
use crate::wire::{Load, as_f64, load};

const CONFIG: &str = "listen: 127.0.0.1:0\nstore: sqlite:axon.db\nrole_map: role-map.yaml\n\
    log: { format: json, level: info }\nsources:\n  entra: { kind: entra }\n";
/// The SCIM side alone: what a reconciler costs beside it is the push bench's matter.
const MAP: &str = "axon: 1\ntargets: {}\n";

/// The server, and what it holds.
pub struct Stage {
    serve: Serve,
    host: String,
    door: Door,
    /// What is in the store.
    pub seeded: Seeded,
    /// Makes names of new users differ from load to load.
    loads: u64,
    first: Option<f64>,
    place: Place,
}

/// A load, and what the server spent on it.
pub struct Measured {
    /// The load.
    pub load: Load,
    /// What the server's process used.
    pub cpu: Duration,
    /// Its read-like calls a request.
    pub reads: f64,
    /// Its write-like calls a request.
    pub writes: f64,
    /// Its commits, each one wait for the disk.
    pub commits: f64,
}

impl Stage {
    /// Fills the store where it is not kept from a run before, and starts the server on a copy.
    pub async fn set() -> anyhow::Result<Self> {
        let place = Place::new(["nobody@acme.example"])?;
        place.write("axon.yaml", CONFIG)?;
        place.write("role-map.yaml", MAP)?;
        let seeded = seed::place(&place.file("axon.db")).await?;
        let token = place.token("entra").await?;
        let serve = Serve::start(&place).await?;
        let host = serve.address().trim_start_matches("http://").to_owned();
        Ok(Self { serve, host, door: Door::axon(&token), seeded, loads: 0, first: None, place })
    }

    /// The folder of the run.
    pub fn folder(&self) -> &Path {
        self.place.path()
    }

    /// Where the server listens.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// How to ask it.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// The server's memory now and at its highest, MiB.
    pub fn resident(&self) -> anyhow::Result<(u64, u64)> {
        usage::resident(self.serve.child().id()?)
    }

    fn measured(&mut self, run: impl FnOnce(u64, &str) -> anyhow::Result<Load>) -> anyhow::Result<Measured> {
        let pid = self.serve.child().id()?;
        self.loads += 1;
        let before = usage(pid)?;
        let load = run(self.loads, &self.host)?;
        let Usage { cpu, reads, writes } = usage(pid)?;
        #[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
        let per = |n: u64| n as f64 / as_f64(load.count().max(1));
        let (reads, writes) = (per(reads - before.reads), per(writes - before.writes));
        Ok(Measured { cpu: cpu.saturating_sub(before.cpu), reads, writes, commits: 0.0, load })
    }

    /// The health endpoint.
    pub fn health(&mut self, span: Duration) -> anyhow::Result<Measured> {
        self.measured(|_, host| {
            load(host, CLIENTS, span, |out, _, _| {
                requests::health(out);
                "health"
            })?
            .expect("health", &[200])
        })
    }

    /// GET by id of each user once: none of them is kept yet. Gives the last load.
    pub fn first_reads(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let next = Arc::new(AtomicUsize::new(0));
        loop {
            let (users, door, at) = (self.seeded.users.clone(), self.door.clone(), next.clone());
            let run = self.measured(|_, host| {
                load(host, CLIENTS, span, move |out, _, _| {
                    let user = at.fetch_add(1, Ordering::Relaxed) % USERS;
                    door.get(out, &format!("/Users/{}", users[user]));
                    "GET"
                })?
                .expect("GET", &[200])
            })?;
            if next.load(Ordering::Relaxed) >= USERS {
                return Ok(run);
            }
            self.first = Some(run.load.rate());
        }
    }

    /// How fast users were read that were not kept, of the last load that met no other.
    pub const fn first(&self) -> Option<f64> {
        self.first
    }

    /// GET by id of any user.
    pub fn get(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let (users, door) = (self.seeded.users.clone(), self.door.clone());
        self.measured(|_, host| {
            load(host, CLIENTS, span, move |out, client, n| {
                door.user(out, &users[any(client, n) % USERS]);
                "GET"
            })?
            .expect("GET", &[200])
        })
    }

    /// `userName eq` of any user.
    pub fn find(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let door = self.door.clone();
        self.measured(|_, host| {
            load(host, CLIENTS, span, move |out, client, n| {
                door.find(out, &seed::user_name(any(client, n) % USERS));
                "find"
            })?
            .expect("find", &[200])
        })
    }

    /// Creates of users that are not there.
    pub async fn create(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let door = self.door.clone();
        let commits = self.serve.metric("axon_store_commits_total").await?;
        let mut run = self.measured(|run, host| {
            load(host, CLIENTS, span, move |out, client, n| {
                create(out, &door, run, client, n);
                "create"
            })?
            .expect("create", &[201])
        })?;
        run.commits = self.serve.metric("axon_store_commits_total").await? - commits;
        Ok(run)
    }

    /// Each client puts a user into a group and takes it out again, each time another group.
    pub fn join_many(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let (seeded, door) = (self.seeded.clone(), self.door.clone());
        self.measured(|_, host| {
            load(host, CLIENTS, span, move |out, client, n| {
                join_many(out, &door, &seeded, client, n);
                "PATCH"
            })?
            .expect("member PATCH over many groups", &[204])
        })
    }

    /// The same in one group, all clients in that.
    pub fn join_one(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let (seeded, door) = (self.seeded.clone(), self.door.clone());
        self.measured(|_, host| {
            load(host, CLIENTS, span, move |out, client, n| {
                toggle(out, &door, &seeded.teams[7], &seeded.users[50_000 + client], n);
                "PATCH"
            })?
            .expect("member PATCH over one group", &[204])
        })
    }

    /// All kinds in one load: of ten requests four reads by id, two look-ups by name, one create, three member PATCHes.
    pub fn mixed(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let (seeded, door) = (self.seeded.clone(), self.door.clone());
        self.measured(|run, host| {
            load(host, CLIENTS, span, move |out, client, n| match n % 10 {
                0 | 3 | 5 | 8 => {
                    door.get(out, &format!("/Users/{}", seeded.users[any(client, n) % USERS]));
                    "GET"
                }
                1 | 6 => {
                    door.find(out, &seed::user_name(any(client, n) % USERS));
                    "userName eq"
                }
                2 => {
                    create(out, &door, run, client, n);
                    "create"
                }
                9 => {
                    toggle(out, &door, &seeded.teams[7], &seeded.users[50_000 + client], n / 10);
                    "member PATCH, one group"
                }
                _ => {
                    join_many(out, &door, &seeded, client, n / 10 * 2 + u64::from(n % 10 == 7));
                    "member PATCH, many groups"
                }
            })?
            .expect("all together", &[200, 201, 204])
        })
    }
}

/// A number that wanders over everything there is.
fn any(client: usize, n: u64) -> usize {
    let mixed = (n.wrapping_mul(64).wrapping_add(client as u64)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(mixed >> 33).unwrap_or(0)
}

fn create(out: &mut Vec<u8>, door: &Door, run: u64, client: usize, n: u64) {
    door.send(out, "POST", "/Users", &requests::user(&format!("r{run}c{client}n{n}@acme.example")));
}

fn join_many(out: &mut Vec<u8>, door: &Door, seeded: &Seeded, client: usize, n: u64) {
    let team = any(client, n / 2) % TEAMS;
    // Half the users away from those that the team has.
    let user = (team * 100 + USERS / 2 + client) % USERS;
    toggle(out, door, &seeded.teams[team], &seeded.users[user], n);
}

/// In at even numbers, out at odd ones.
fn toggle(out: &mut Vec<u8>, door: &Door, group: &str, user: &str, n: u64) {
    let body = if n.is_multiple_of(2) { requests::join(user) } else { requests::leave(user) };
    door.send(out, "PATCH", &format!("/Groups/{group}"), &body);
}

//! The stage of one story: store, pool, tenant, processes and clock, all in memory and all of one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axon_controller::{Controller, Settings, Ticker};
use axon_emulator::directory::DirectoryUser;
use axon_emulator::session::{Session, first_error};
use axon_emulator::{Directory, Pool, PoolConfig};
use axon_mapping::RoleMap;
use axon_model::{Actor, Clock, IdSource, ManualClock, RecordSeq, SourceId};
use axon_reconcile::Target;
use axon_scim::{Profile, Registry, ResourceKind, parse_new};
use axon_store::{HoldEnd, Store};
use serde_json::json;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::checks::Books;
use crate::clocks::Clocks;
use crate::effects::{Effects, Register};
use crate::memory::{Levers, MemoryStore};
use crate::people::{GROUPS, Group, Human, Map, Powers, ROLES, Roles, roles_of};
use crate::place::{Place, Ran, Shared, Sight, login, token_of};
use crate::trouble::Troubles;
use crate::wire::{Line, Wire};

mod pushes;

/// What the pool holds that nobody gave to Axon, and what permissions are on.
const SETUP: [&str; 12] = [
    "CREATE SCHEMA sales",
    "CREATE SCHEMA hr",
    "CREATE TABLE sales.orders (id int, region int)",
    "CREATE TABLE sales.regions (id int)",
    "CREATE TABLE hr.people (id int)",
    "CREATE TABLE hr.notes (id int)",
    "CREATE ROLE legacy",
    "CREATE ROLE reports",
    "CREATE USER loader WITHOUT LOGIN",
    "CREATE USER [guest9@acme.com] FROM EXTERNAL PROVIDER",
    "GRANT SELECT ON hr.notes TO legacy",
    "EXEC sp_addrolemember 'legacy', 'loader'",
];

struct PoolClock(Arc<ManualClock>);

impl axon_emulator::clock::Clock for PoolClock {
    fn now(&self) -> time::OffsetDateTime {
        self.0.now()
    }
}

/// One process of Axon.
pub struct Process {
    /// Its ticker.
    pub ticker: Ticker,
    /// Which folder for its spool it has: one that died leaves it to the next.
    slot: usize,
    /// Which one it is.
    number: usize,
}

impl Process {
    /// It dies. Its place, which the next one takes over.
    pub fn end(self) -> usize {
        self.slot
    }
}

/// A folder in memory, where there is one: what is written there is not slow, and outlives a process of the story.
pub fn folder() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder")
}

/// Everything.
pub struct World {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What is done to it.
    pub levers: Levers,
    /// The pool.
    pub pool: Arc<Pool>,
    /// Somebody with a session of their own, who administers by hand.
    pub by_hand: Session,
    /// The clock of all.
    pub clock: Arc<ManualClock>,
    ids: Arc<IdSource>,
    source: SourceId,
    registry: Arc<Registry>,
    /// The map in force, and its text's meaning.
    pub map: (Map, Arc<RoleMap>),
    /// The processes.
    pub processes: Vec<Process>,
    /// What each process has seen, those that died too.
    sights: Vec<Arc<Sight>>,
    /// How many processes died in a tick.
    pub deaths: u64,
    /// Every statement that was sent to the pool.
    pub effects: Arc<Effects>,
    /// What the journal says of them.
    pub register: Register,
    /// The troubles.
    pub troubles: Arc<Troubles>,
    /// Every statement that ran.
    pub ledger: Arc<Mutex<Vec<Ran>>>,
    /// People, those who left too.
    pub people: Vec<Human>,
    /// Groups.
    pub groups: Vec<Group>,
    /// What has to be true.
    pub books: Books,
    /// When each name was last somebody's who was active.
    pub borne_last: BTreeMap<String, OffsetDateTime>,
    /// By which name an object was called when it left.
    pub left_as: BTreeMap<String, String>,
    /// What clocks of people who left ought to say.
    pub clocks: Clocks,
    objects: u32,
    spools: TempDir,
    line: Option<Line>,
}

/// What a story rests on that is not in memory.
#[derive(Default)]
pub struct Ground {
    /// A store of its own.
    pub store: Option<Arc<dyn Store>>,
    /// Whether the pool is reached over TDS.
    pub wire: bool,
    /// When it begins, where that is no matter of the story.
    pub begins: Option<OffsetDateTime>,
}

fn tenant_user(upn: &str, object: &str) -> DirectoryUser {
    serde_json::from_value(json!({ "upn": upn, "objectId": object })).expect("a person of the tenant")
}

/// A map as a value.
pub fn parsed(map: &Map) -> Arc<RoleMap> {
    let text = map.text();
    Arc::new(RoleMap::parse(&[("role-map.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}\n{text}")))
}

impl World {
    /// A new stage with groups and nobody in them, on this ground.
    pub async fn set(map: Map, ground: Ground) -> Self {
        let clock = Arc::new(ManualClock::at(ground.begins.unwrap_or(datetime!(2026-11-22 00:00 UTC))));
        let levers = Levers::default();
        let store = match ground.store {
            Some(store) => store,
            None => Arc::new(MemoryStore::open(levers.clone()).await.expect("a store in memory")),
        };
        let mut config = PoolConfig::new("sa", "secret");
        config.entra_admin = Some("axon@acme.com".to_owned());
        config.clock = Arc::new(PoolClock(clock.clone()));
        config.directory = Directory {
            users: vec![
                tenant_user("axon@acme.com", &object(900)),
                tenant_user("guest9@acme.com", &object(909)),
            ],
            ..Directory::default()
        };
        let pool = Pool::new(config);
        let effects = Arc::new(Effects::new(store.clone()));
        let line = if ground.wire { Some(Line::open(&pool, &effects).await) } else { None };
        let by_hand = pool.login(login(token_of("axon@acme.com"))).expect("the administrator enters");
        let mut world = Self {
            store,
            levers,
            pool,
            by_hand,
            clock,
            ids: Arc::new(IdSource::counting()),
            source: "entra".parse().expect("a source's name"),
            registry: Arc::new(Registry::standard()),
            map: (map, parsed(&map)),
            processes: Vec::new(),
            sights: Vec::new(),
            deaths: 0,
            effects,
            register: Register::default(),
            troubles: Arc::default(),
            ledger: Arc::default(),
            people: Vec::new(),
            groups: Vec::new(),
            books: Books::default(),
            borne_last: BTreeMap::new(),
            left_as: BTreeMap::new(),
            clocks: Clocks::default(),
            objects: 0,
            spools: folder(),
            line,
        };
        for batch in SETUP {
            assert!(world.hand(batch), "{batch}");
        }
        for n in 0..GROUPS {
            let body = json!({ "displayName": format!("G{n}"), "externalId": format!("group {n}") });
            let parsed = parse_new(&world.registry, ResourceKind::Group, body, &Profile::entra());
            let resource = parsed.expect("a group").resource;
            let made = world.store.create_group(world.context(), resource, Vec::new()).await;
            let scim = made.expect("a new group").stored.id;
            world.groups.push(Group { scim, named: true, members: Vec::new() });
        }
        world.start();
        world.books.unmanaged = crate::checks::unmanaged(&world.pool.snapshot());
        world
    }

    /// Runs a batch by hand; whether it was taken.
    pub fn hand(&mut self, batch: &str) -> bool {
        if self.by_hand.closed() {
            self.by_hand =
                self.pool.login(login(token_of("axon@acme.com"))).expect("the administrator enters");
        }
        first_error(&self.by_hand.batch(batch)).is_none()
    }

    /// Another process begins.
    pub fn start(&mut self) {
        let taken = |slot: &usize| self.processes.iter().any(|process| process.slot == *slot);
        let slot = (0..=self.processes.len()).find(|slot| !taken(slot)).unwrap_or(0);
        self.start_in(slot);
    }

    /// Another process begins, and finds what the one before it in this place put aside.
    pub fn start_in(&mut self, slot: usize) {
        let (controller, target) = self.controller(slot, std::time::Duration::from_millis(5));
        let ticker = controller.ticker("warehouse".parse().expect("a target's name"), target);
        self.processes.push(Process { ticker, slot, number: self.sights.len() - 1 });
    }

    /// Whether a process that is not this one, perhaps one that died, has the lease.
    pub async fn is_anothers(&self, process: usize) -> bool {
        let lease = self.store.lease("warehouse").await.ok().flatten();
        lease.is_some_and(|lease| {
            lease.until > self.clock.now() && lease.holder != holder(self.processes[process].number)
        })
    }

    /// What a new process is made of: with the spool of this slot, and this wait after a first failure.
    pub fn controller(&mut self, slot: usize, retry: std::time::Duration) -> (Controller, Arc<dyn Target>) {
        self.sights.push(Arc::default());
        let settings = Settings {
            inspect_every: time::Duration::minutes(5),
            retry,
            holder: holder(self.sights.len() - 1),
            claims: BTreeMap::new(),
            hold_for: Some(time::Duration::days(30)),
            spool: Some(self.spool(slot)),
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        let controller = Controller::new(self.store.clone(), clock, self.ids.clone(), settings);
        (controller, self.target(slot))
    }

    fn spool(&self, slot: usize) -> PathBuf {
        self.spools.path().join(slot.to_string())
    }

    /// The pool as a new process reaches it.
    fn target(&self, slot: usize) -> Arc<dyn Target> {
        let shared = Shared {
            pool: self.pool.clone(),
            clock: self.clock.clone(),
            troubles: self.troubles.clone(),
            ledger: self.ledger.clone(),
            effects: self.effects.clone(),
            seen: self.sights.last().cloned().unwrap_or_default(),
        };
        let spool = self.spool(slot).join("warehouse.spool");
        match &self.line {
            Some(line) => Arc::new(Wire::new(line.port(), shared)),
            None => Arc::new(Place::new(shared, self.levers.clone(), spool)),
        }
    }

    /// Where the pool is reached over TDS.
    pub fn port(&self) -> Option<u16> {
        self.line.as_ref().map(Line::port)
    }

    /// Waits until the pool has no session of a process that is gone: what it sent has run.
    pub async fn drained(&mut self) {
        if self.line.is_none() {
            return;
        }
        let most = self.processes.len() + 1;
        let began = std::time::Instant::now();
        while self.sessions_of_axon() > most && began.elapsed().as_secs() < 10 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    fn sessions_of_axon(&mut self) -> usize {
        let living = "SELECT login_name FROM sys.dm_pdw_exec_sessions WHERE status IN ('ACTIVE', 'IDLE')";
        let answers = self.by_hand.batch(living);
        crate::place::texts(answers).filter(|login| login == "axon@acme.com").count()
    }

    /// Another map counts.
    pub fn edit(&mut self, map: Map) {
        self.map = (map, parsed(&map));
    }

    /// Who waits for a person's answer gets it. True: something was answered.
    pub async fn release(&mut self, most: usize) -> bool {
        let holds = self.store.holds(RecordSeq(0)).await.unwrap_or_default();
        let mut answered = false;
        for hold in holds.into_iter().filter(|hold| hold.state.stands()).take(most) {
            let act = self.act(Actor::Operator { name: "olga".to_owned() });
            let done = self.store.answer_hold(hold.id, HoldEnd::Release, "seen".to_owned(), act).await;
            answered |= done.is_ok();
        }
        answered
    }

    /// The roles that somebody ought to have now.
    pub fn roles(&self, who: usize) -> Roles {
        roles_of(&self.map.0, &self.groups, who, &self.people[who])
    }

    /// What somebody ought to be able to do now.
    pub fn wanted(&self, who: usize) -> Powers {
        self.map.0.powers_of(self.roles(who))
    }

    /// Writes down what is wanted now beside what was wanted before.
    pub fn note_wanted(&mut self) {
        let now: Vec<(Roles, Powers)> =
            (0..self.people.len()).map(|who| (self.roles(who), self.wanted(who))).collect();
        self.books.note(&now, &self.map.0.grants);
        let now = self.clock.now();
        self.borne_last.extend(self.borne().into_iter().map(|name| (name, now)));
        for human in self.people.iter_mut().filter(|human| !human.is_active()) {
            if human.left.replace(human.left.unwrap_or(now)).is_none() {
                self.left_as.insert(human.object.clone(), human.upn.clone());
            }
        }
    }

    /// The names of everybody who is active.
    pub fn borne(&self) -> BTreeSet<String> {
        self.people.iter().filter(|human| human.is_active()).map(|human| human.upn.clone()).collect()
    }

    /// The clock was set: since when whoever left is gone is not told by it any more.
    pub fn forget_since_when(&mut self) {
        let since = self.people.iter_mut().filter_map(|human| human.left.as_mut());
        for left in since.chain(self.borne_last.values_mut()) {
            *left = time::OffsetDateTime::UNIX_EPOCH;
        }
    }

    /// A run is finished: whoever is active then is there again.
    pub fn note_who_is_back(&mut self) {
        for human in self.people.iter_mut().filter(|human| human.is_active()) {
            human.left = None;
        }
    }

    /// What is wanted now is all that may be there from now on.
    pub fn settle_books(&mut self) {
        self.books.forget();
        self.note_wanted();
    }

    /// Who bears a name in the pool, by the id of the object that the principal was made for.
    pub fn bearer(&self, principal: &str) -> Option<usize> {
        let catalog = self.pool.snapshot();
        let sid = catalog.principal_named(principal)?.sid.clone()?;
        self.people
            .iter()
            .position(|human| axon_emulator::directory::sid_of(&human.object).is_some_and(|own| own == sid))
    }

    /// How often all of the pool was read.
    pub fn looks(&self) -> u64 {
        self.looks_of_each().iter().sum()
    }

    fn looks_of_each(&self) -> Vec<u64> {
        self.sights.iter().map(|sight| sight.looks.load(Ordering::Relaxed)).collect()
    }

    /// Somebody changed the pool by hand.
    pub fn note_by_hand(&mut self) {
        self.books.drift(self.looks_of_each());
    }

    /// Whether a process read all of the pool since anybody else changed it: by hand, or another process.
    pub fn knows_all(&self, process: usize) -> bool {
        let number = self.processes[process].number;
        let ran = self.ledger.lock().map_or(0, |ledger| ledger.len());
        let sight = &self.sights[number];
        sight.is_fresh(ran) && self.books.fresh_to(number, sight.looks.load(Ordering::Relaxed))
    }

    /// All bits of roles.
    pub const fn every_role() -> Roles {
        (1 << ROLES) - 1
    }
}

/// What a process is called where it has the lease.
fn holder(number: usize) -> String {
    format!("process {}", number + 1)
}

/// The id of an object in the tenant.
pub fn object(number: u32) -> String {
    format!("aaaaaaaa-0000-4000-8000-{number:012}")
}

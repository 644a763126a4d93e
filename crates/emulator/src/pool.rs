//! One pool: its state behind one lock, its logins, and the levers that tests and operators pull.

pub mod config;
mod login;
pub mod other;
pub(crate) mod sessions;
pub(crate) mod token;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::answer::ServerError;
use crate::catalog::Catalog;
use crate::catalog::name::same;
use crate::catalog::principal::{Login, PrincipalKind};
use crate::catalog::saved::Unfit;
use crate::directory::{Directory, Found, LookupError, Names};
use crate::faults::{Armed, Fault, Faults};
use crate::query::ResultCache;
use crate::saved::SavedPool;
use crate::session::Session;
use crate::session_port::{Engine, LoginRequest, SessionPort};

use config::PoolConfig;
use sessions::{Arrival, Sessions};

/// Whether the pool runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// It runs.
    Online,
    /// Logins get 42108.
    Paused,
    /// Logins get 42109.
    Resuming,
    /// Logins get 40613.
    Scaling,
}

/// Which of the databases a session is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    /// The pool's own.
    Pool,
    /// One beside it on the endpoint of a serverless pool, by its place among them.
    Beside(usize),
    /// `master`, which has logins and nothing else of use.
    Master,
}

/// Everything that changes.
pub(crate) struct State {
    own: Arc<Catalog>,
    beside: Vec<Arc<Catalog>>,
    master: Arc<Catalog>,
    pub(crate) directory: Directory,
    /// Where names stand in the directory; found out by the first look-up after a change.
    names: Option<Names>,
    pub(crate) sessions: Sessions,
    pub(crate) faults: Faults,
    pub(crate) power: Power,
    /// Tables that open transactions have written to, and by which session.
    pub(crate) locks: BTreeMap<i32, u32>,
}

impl State {
    /// The catalog of a database.
    pub(crate) fn catalog(&self, database: Database) -> &Arc<Catalog> {
        match database {
            Database::Pool => &self.own,
            Database::Beside(at) => &self.beside[at],
            Database::Master => &self.master,
        }
    }

    /// The catalog of a database, to be changed. It is copied if a query still reads it.
    pub(crate) fn catalog_mut(&mut self, database: Database) -> &mut Catalog {
        match database {
            Database::Pool => Arc::make_mut(&mut self.own),
            Database::Beside(at) => Arc::make_mut(&mut self.beside[at]),
            Database::Master => Arc::make_mut(&mut self.master),
        }
    }

    /// Changes the logins of the server, which all catalogs show.
    pub(crate) fn change_logins(&mut self, change: impl Fn(&mut Catalog)) {
        for catalog in [&mut self.own, &mut self.master].into_iter().chain(&mut self.beside) {
            change(Arc::make_mut(catalog));
        }
    }

    /// The database of this name. `own` is what the pool's own is called.
    pub(crate) fn database_named(&self, name: &str, own: &str) -> Option<Database> {
        if same(name, own) {
            return Some(Database::Pool);
        }
        if same(name, "master") {
            return Some(Database::Master);
        }
        let at = self.beside.iter().position(|catalog| same(name, catalog.database()));
        at.map(Database::Beside)
    }

    /// `database_id` of a database: `master` is the first, those that people make are the fifth and on.
    pub(crate) fn database_id(database: Database) -> i64 {
        match database {
            Database::Master => 1,
            Database::Pool => 5,
            Database::Beside(at) => i64::try_from(at).map_or(i64::MAX, |at| 6 + at),
        }
    }

    /// All databases of the server, by id.
    pub(crate) fn databases(&self) -> Vec<(i64, String)> {
        let beside = (0..self.beside.len()).map(Database::Beside);
        let all = [Database::Master, Database::Pool].into_iter().chain(beside);
        all.map(|one| (Self::database_id(one), self.catalog(one).database().to_owned())).collect()
    }

    /// Looks a name up in the directory.
    pub(crate) fn look_up(&mut self, name: &str, now: OffsetDateTime) -> Result<Found, LookupError> {
        let directory = &self.directory;
        let names = self.names.get_or_insert_with(|| directory.names());
        directory.find(names, name, now)
    }
}

/// A pool that one can log in to.
pub struct Pool {
    config: PoolConfig,
    state: Mutex<State>,
    pub(crate) cache: ResultCache,
}

impl Pool {
    /// An empty pool.
    pub fn new(config: PoolConfig) -> Arc<Self> {
        let now = config.clock.stamp();
        let mut state = State {
            own: Arc::new(Catalog::new(&config.database, now)),
            beside: config.beside.iter().map(|name| Arc::new(Catalog::new(name, now))).collect(),
            master: Arc::new(Catalog::new("master", now)),
            directory: config.directory.clone(),
            names: None,
            sessions: Sessions::default(),
            faults: Faults::default(),
            power: Power::Online,
            locks: BTreeMap::new(),
        };
        let admin = Login {
            id: 1,
            name: config.admin.clone(),
            password: Some(config.admin_password.clone()),
            sid: vec![1],
            kind: PrincipalKind::SqlUser,
            administrator: true,
            created: now,
        };
        state.change_logins(|catalog| {
            catalog.put_login(admin.clone());
        });
        Arc::new(Self { config, state: Mutex::new(state), cache: ResultCache::default() })
    }

    /// How it was set up.
    pub fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// Opens a session, or says why not.
    pub fn login(self: &Arc<Self>, request: LoginRequest) -> Result<Session, ServerError> {
        let mut state = self.lock();
        let (database, caller) = login::admit(&mut state, &self.config, &request)?;
        let database_id = State::database_id(database);
        let (number, killed) = state.sessions.open(Arrival {
            sid: caller.sid.clone(),
            login_name: caller.login_name.clone(),
            database_id,
            now: self.config.clock.stamp(),
            client: request.client_addr.clone(),
            app_name: request.app_name.clone(),
            host_name: request.host_name.clone(),
        });
        drop(state);
        Ok(Session::new(Arc::clone(self), number, killed, database, caller, request))
    }

    /// Arms a fault for whatever comes next.
    pub fn arm(&self, fault: Fault) {
        self.lock().faults.arm(fault);
    }

    /// Arms a fault with its count and text.
    pub fn arm_for(&self, armed: Armed) {
        self.lock().faults.arm_for(armed);
    }

    /// Forgets all armed faults.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// How many armed faults still wait.
    pub fn faults_waiting(&self) -> usize {
        self.lock().faults.waiting()
    }

    /// Pauses, resumes or scales. Leaving `Online` cuts every session; after a pause their ids begin anew.
    pub fn set_power(&self, power: Power) {
        let mut state = self.lock();
        state.power = power;
        if power != Power::Online {
            state.sessions.kill_all();
        }
        if power == Power::Paused {
            state.sessions.begin_anew();
        }
    }

    /// Cuts every session, as scaling does.
    pub fn cut_sessions(&self) {
        self.lock().sessions.kill_all();
    }

    /// How often a result was given out of the cache of results.
    pub fn cache_hits(&self) -> u64 {
        self.cache.hits()
    }

    /// How many sessions are in.
    pub fn live_sessions(&self) -> usize {
        self.lock().sessions.live()
    }

    /// Whether the pool runs.
    pub fn power(&self) -> Power {
        self.lock().power
    }

    /// Changes the tenant, or looks at it.
    pub fn change_directory<T>(&self, change: impl FnOnce(&mut Directory) -> T) -> T {
        let mut state = self.lock();
        state.names = None;
        change(&mut state.directory)
    }

    /// The pool's catalog as it is now; it does not change any more.
    pub fn snapshot(&self) -> Arc<Catalog> {
        Arc::clone(self.lock().catalog(Database::Pool))
    }

    /// The catalog of any database of the server, by its name.
    pub fn snapshot_of(&self, database: &str) -> Option<Arc<Catalog>> {
        let state = self.lock();
        let database = state.database_named(database, &self.config.database)?;
        Some(Arc::clone(state.catalog(database)))
    }

    /// Puts a snapshot back, as restoring a pool does. Every session is cut.
    pub fn restore(&self, snapshot: &Arc<Catalog>) {
        let mut state = self.lock();
        state.sessions.kill_all();
        state.locks.clear();
        state.own = Arc::clone(snapshot);
    }

    /// Everything that a state file keeps of the pool.
    pub fn save(&self) -> SavedPool {
        let state = self.lock();
        SavedPool {
            power: state.power,
            own: state.own.save(),
            beside: state.beside.iter().map(|catalog| catalog.save()).collect(),
            master: state.master.save(),
            directory: state.directory.clone(),
            hidden_until: state
                .directory
                .hidden_until
                .iter()
                .map(|(n, t)| (n.clone(), t.unix_timestamp()))
                .collect(),
        }
    }

    /// Puts what a state file kept in place. Every session is cut. Nothing changes if it does not fit together.
    pub fn load(&self, saved: SavedPool) -> Result<(), Unfit> {
        let (own, master) = (Catalog::load(saved.own)?, Catalog::load(saved.master)?);
        let beside: Result<Vec<Arc<Catalog>>, Unfit> =
            saved.beside.into_iter().map(|one| Catalog::load(one).map(Arc::new)).collect();
        let beside = beside?;
        let mut state = self.lock();
        state.sessions.kill_all();
        state.locks.clear();
        state.power = saved.power;
        state.own = Arc::new(own);
        state.beside = beside;
        state.master = Arc::new(master);
        state.directory = saved.directory;
        state.names = None;
        let instant = |at| OffsetDateTime::from_unix_timestamp(at).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        state.directory.hidden_until =
            saved.hidden_until.into_iter().map(|(name, at)| (name, instant(at))).collect();
        Ok(())
    }

    /// The state. A panic in one session does not take the pool from the others: statements check before they change.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Arc<Pool> {
    fn login(&self, request: LoginRequest) -> Result<Box<dyn SessionPort>, ServerError> {
        Pool::login(self, request).map(|session| Box::new(session) as Box<dyn SessionPort>)
    }
}

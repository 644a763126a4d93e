//! From the configuration to running parts.

mod azure;
mod journal_key;
mod password;

pub use azure::{Told, Ways, ids_of};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axon_audit::SigningKey;
use axon_azure::Resource;
use axon_controller::{Controller, LeaverSettings, Settings};
use axon_mapping::target::{Endpoint, ScriptPlace, ScriptSeen, SqlServer, TargetKind, Tls as MapTls, Words};
use axon_mapping::{Auth as MapAuth, RoleMap, SecretRef, TargetName, TargetSpec, map_test};
use axon_model::{Actor, Clock, IdSource, SystemClock};
use axon_reconcile::Target;
use axon_scim::Registry;
use axon_store::{Act, Store};
use axon_synapse::{
    Auth, Connection, Dialect, ScriptSource, ScriptTarget, SynapseTarget, Tls, TokenCommand, TokenFile,
};
use secrecy::SecretString;

use crate::config::{Config, Ship};
use crate::identities::StoreMemo;
use crate::integrations::Secrets;
use crate::ship::{Metrics, Shipper, ShipperParts, Targets};
use crate::store::StorePlace;

/// What is said where there is no folder for the key that signs the journal.
pub const NOT_SIGNED: &str = "the journal is not signed after probes of views, since there is no folder for Axon's own secrets: whoever writes the store can write it anew";
/// What helps.
pub const SIGNS: &str =
    "name a folder as integrations.secrets in the configuration, which this process can write";

/// What every command that works on a store has.
#[derive(Clone)]
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<IdSource>,
    /// What Azure's services said of their pace.
    pub told: Told,
}

/// Reads the configuration with the environment over it.
pub fn load_config(path: &Path) -> anyhow::Result<Config> {
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("AXON_"))
        .collect();
    Ok(Config::load(path, &environment)?)
}

impl Parts {
    /// Opens a store that must be there: a command that reads makes none.
    pub async fn open_existing(config: Config) -> anyhow::Result<Self> {
        if !Self::store_exists(&config).await? {
            let shown = crate::store::shown(&config.store);
            bail!("there is no store at {shown} yet: `axon serve` or `axon token create` makes it");
        }
        Self::open(config).await
    }

    /// Whether the configured store is there.
    pub async fn store_exists(config: &Config) -> anyhow::Result<bool> {
        StorePlace::parse(&config.store)?.exists().await
    }

    /// Opens the store that the configuration names, making it where it is not there.
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        let store = StorePlace::parse(&config.store)?.open().await?.store;
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(IdSource::Random));
        Ok(Self { config, store, clock, ids, told: Told::default() })
    }

    /// An act of whoever runs this command.
    pub fn act(&self) -> Act {
        let name = crate::person::login();
        Act { actor: Actor::Operator { name }, request: None, now: self.clock.now(), ids: self.ids.clone() }
    }

    /// A controller over this store.
    pub fn controller(&self, what: &str) -> Controller {
        let holder = format!("{what}-{}", self.ids.uuid(self.clock.now()));
        let inspect = i64::try_from(self.config.reconcile.inspect_every_seconds).unwrap_or(i64::MAX);
        let settings = Settings {
            inspect_every: time::Duration::seconds(inspect),
            retry: Duration::from_secs(self.config.reconcile.retry_seconds),
            holder,
            claims: self.config.claims(),
            hold_for: self.config.reconcile.holds_expire_days.map(|days| time::Duration::days(days.into())),
            spool: self.config.reconcile.spool.clone().or_else(|| StorePlace::beside(&self.config.store)),
        };
        if what == "serve" && !self.can_sign() {
            tracing::warn!("{NOT_SIGNED}: {SIGNS}");
        }
        Controller::new(self.store.clone(), self.clock.clone(), self.ids.clone(), settings)
            .in_waves_of(self.config.reconcile.wave.into())
            .probing(self.config.reconcile.probing())
            .signing(self.signing_key())
            .timing(self.leavers())
    }

    /// How people who left are timed. What cannot be read was refused when the configuration was.
    pub fn leavers(&self) -> LeaverSettings {
        self.config.leavers().unwrap_or_else(|(key, why)| {
            tracing::error!(key, why, "people who leave are timed by the defaults");
            LeaverSettings::default()
        })
    }

    /// One database of a map, whatever else the map asks for.
    pub fn pool(&self, map: &RoleMap, name: &TargetName) -> anyhow::Result<SynapseTarget> {
        let spec = map.targets.get(name).with_context(|| format!("the role map names no target {name}"))?;
        connect(spec, &map_folder(&self.config.role_map), &self.clock, &self.ways()?)
            .map(|pool| said(pool, &self.config, name))
            .with_context(|| format!("target {name}"))
    }

    /// A path of the role map: from its folder, where it is relative.
    pub fn beside_map(&self, path: &str) -> PathBuf {
        map_folder(&self.config.role_map).join(path)
    }

    /// What leads into Azure, shared by the targets that are made with it.
    pub fn ways(&self) -> anyhow::Result<azure::Ways> {
        let folder = map_folder(&self.config.role_map);
        azure::Ways::new(&self.config.azure, folder, self.clock.clone(), self.ids.clone(), self.told.clone())
    }

    /// What leads to the scope of a target of kind `azure-rbac`.
    pub fn arm(&self, map: &RoleMap, spec: &TargetSpec) -> anyhow::Result<axon_azure::ArmParts> {
        self.ways()?.arm(map, spec).with_context(|| format!("target {}", spec.name))
    }

    /// Where Axon's own secrets lie.
    pub fn secrets(&self) -> Secrets {
        let configured = self.config.integrations.secrets.clone();
        Secrets(configured.or_else(|| StorePlace::secrets_beside(&self.config.store)))
    }

    /// Whether there is a folder for the key that signs the journal.
    pub fn can_sign(&self) -> bool {
        self.secrets().0.is_some()
    }

    /// What signs the journal, where there is a folder for secrets. One that is not there is made.
    pub fn signing_key(&self) -> Option<Arc<SigningKey>> {
        match journal_key::in_folder(self.secrets().0.as_deref()?) {
            Ok(key) => Some(Arc::new(key)),
            Err(error) => {
                let error = AsRef::<dyn std::error::Error>::as_ref(&error);
                tracing::warn!(error, "the journal is not signed after probes");
                None
            }
        }
    }

    /// What sends the journal away, where the configuration says so. Its paths are taken from the configuration's folder.
    pub fn shipper(&self, targets: Targets, metrics: Metrics) -> anyhow::Result<Option<Shipper>> {
        let Some(ship) = &self.config.audit.ship else { return Ok(None) };
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        let (azure, folder, told) = (&self.config.azure, PathBuf::from("."), self.told.clone());
        let ways = azure::Ways::new(azure, folder, clock.clone(), ids.clone(), told)?;
        Ok(Some(Shipper::new(ShipperParts {
            store: self.store.clone(),
            holder: format!("serve-{}", ids.uuid(clock.now())),
            clock,
            ids,
            sink: ways.log_sink(ship).context("audit.ship")?,
            names: ship.names,
            targets,
            metrics,
        })))
    }

    /// The targets of a map, or only one of them.
    pub fn targets(
        &self,
        map: &RoleMap,
        only: Option<&str>,
    ) -> anyhow::Result<BTreeMap<TargetName, Arc<dyn Target>>> {
        can_be_carried_out(map)?;
        let (folder, ways) = (map_folder(&self.config.role_map), self.ways()?);
        let mut targets: BTreeMap<TargetName, Arc<dyn Target>> = BTreeMap::new();
        for (name, spec) in &map.targets {
            if only.is_none_or(|only| only == name.as_str()) {
                let target: anyhow::Result<Arc<dyn Target>> = match spec.kind.words() {
                    Words::Sql if spec.kind == TargetKind::Script => {
                        script(spec, &folder, &self.clock, &ways).map(|t| Arc::new(t) as Arc<dyn Target>)
                    }
                    Words::Sql => connect(spec, &folder, &self.clock, &ways)
                        .map(|pool| Arc::new(said(pool, &self.config, name)) as Arc<dyn Target>),
                    Words::Roles => ways.target(map, spec).map(|target| {
                        let memo = StoreMemo::new(self.store.clone(), self.clock.clone(), name.as_str());
                        Arc::new(target.with_memo(Arc::new(memo))) as Arc<dyn Target>
                    }),
                };
                targets.insert(name.clone(), target.with_context(|| format!("target {name}"))?);
            }
        }
        if let (Some(only), true) = (only, targets.is_empty()) {
            let known: Vec<&str> = map.targets.keys().map(TargetName::as_str).collect();
            bail!("the role map names no target {only:?}; it names: {}", known.join(", "));
        }
        Ok(targets)
    }
}

/// One database of a map, without a store.
pub fn pool_of(config: &Config, map: &RoleMap, name: &TargetName) -> anyhow::Result<SynapseTarget> {
    let spec = map.targets.get(name).with_context(|| format!("the role map names no target {name}"))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let folder = map_folder(&config.role_map);
    let ways = alone(config, &folder, &clock)?;
    connect(spec, &folder, &clock, &ways)
}

/// What leads into Azure for one piece of work, without a store.
fn alone(config: &Config, folder: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<azure::Ways> {
    let ids = Arc::new(IdSource::Random);
    azure::Ways::new(&config.azure, folder.to_owned(), clock.clone(), ids, Told::default())
}

/// With what the configuration says of what the pool can do.
fn said(pool: SynapseTarget, config: &Config, name: &TargetName) -> SynapseTarget {
    pool.saying(config.capabilities.get(name.as_str()).cloned().unwrap_or_default())
}

/// One target of a map whose roles are only assigned, without a store.
pub fn assigned_of(config: &Config, map: &RoleMap, spec: &TargetSpec) -> anyhow::Result<impl Target> {
    let folder = map_folder(&config.role_map);
    let ways = alone(config, &folder, &(Arc::new(SystemClock) as Arc<dyn Clock>))?;
    ways.target(map, spec)
}

/// One target of a map whose steps are written into files, without a store.
pub fn script_of(config: &Config, map: &RoleMap, spec: &TargetSpec) -> anyhow::Result<ScriptTarget> {
    let (folder, clock) = (map_folder(&config.role_map), Arc::new(SystemClock) as Arc<dyn Clock>);
    let ways = alone(config, &folder, &clock)?;
    debug_assert!(map.targets.contains_key(&spec.name));
    script(spec, &folder, &clock, &ways)
}

/// Whether the place where the journal is sent takes Axon's calls. Sends no row.
pub async fn log_check(config: &Config, ship: &Ship) -> anyhow::Result<()> {
    let folder = map_folder(&config.role_map);
    let ways = alone(config, &folder, &(Arc::new(SystemClock) as Arc<dyn Clock>))?;
    ways.log_check(ship).await
}

/// Reads the role map's files: one, or all `.yaml` of a folder. Names are as people would write them.
pub fn map_files(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let read = |file: &Path| -> anyhow::Result<(String, String)> {
        let text = crate::map_file::read(file)?;
        let name =
            file.file_name().map_or_else(|| file.display().to_string(), |n| n.to_string_lossy().into_owned());
        Ok((name, text))
    };
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let unreadable = || format!("cannot read the folder {}", path.display());
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).with_context(unreadable)? {
        let found = entry.with_context(unreadable)?.path();
        if is_yaml(&found) && !found.is_dir() {
            files.push(found);
        } else if let Some(inside) = yaml_inside(&found, DEEPEST)? {
            bail!(
                "{} would not be read: the files of a role map lie side by side in {}, not in folders of it",
                inside.display(),
                path.display()
            );
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("the folder {} holds no .yaml file of a role map", path.display());
    }
    files.iter().map(|file| read(file)).collect()
}

/// Whether a file of a folder is one of a role map.
pub fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

/// So deep are the folders of a map's folder looked through: links may go in circles.
const DEEPEST: u8 = 8;

/// A file below a folder that looks like one of a map; not of folders whose name begins with a dot, which tools keep.
fn yaml_inside(folder: &Path, deep: u8) -> anyhow::Result<Option<PathBuf>> {
    let is_kept = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    if is_kept || deep == 0 || !folder.is_dir() {
        return Ok(None);
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut inside: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    inside.sort();
    for path in inside {
        if is_yaml(&path) && !path.is_dir() {
            return Ok(Some(path));
        }
        if let Some(found) = yaml_inside(&path, deep - 1)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Parses the role map over the schemas that are served; faults are told as its reader words them.
pub fn parse_map(
    files: &[(String, String)],
    set: &BTreeMap<String, String>,
    registry: &Arc<Registry>,
) -> anyhow::Result<RoleMap> {
    let borrowed: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    RoleMap::parse_in(&borrowed, set, registry)
        .map_err(|faults| anyhow::anyhow!("the role map cannot be used\n\n{faults}"))
}

/// The configured role map, its own tests proved.
pub fn load_map(config: &Config) -> anyhow::Result<RoleMap> {
    proved_map(&map_files(&config.role_map)?, &Arc::new(config.registry()?))
}

/// Parses the role map and proves its tests: a map that fails one of them is not used for anything.
pub fn proved_map(files: &[(String, String)], registry: &Arc<Registry>) -> anyhow::Result<RoleMap> {
    let map = parse_map(files, &BTreeMap::new(), registry)?;
    let failures = map_test::run(&map, SystemClock.now());
    if failures.is_empty() {
        return Ok(map);
    }
    let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
    bail!("the role map cannot be used: {} of its tests fail\n\n{}", told.len(), told.join("\n\n"))
}

/// Refuses a map that asks for what this version cannot do: nothing of a map is ignored in silence.
pub fn can_be_carried_out(map: &RoleMap) -> anyhow::Result<()> {
    let missing: Vec<String> = map.not_carried_out().iter().map(ToString::to_string).collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!("the role map cannot be put in force\n\n{}", missing.join("\n"))
}

/// The folder that relative paths of the role map are taken from.
pub fn map_folder(path: &Path) -> PathBuf {
    if path.is_dir() { path.to_owned() } else { path.parent().unwrap_or(Path::new(".")).to_owned() }
}

/// A target from what the map says of it. Relative paths are taken from the map's folder.
fn connect(
    spec: &TargetSpec,
    folder: &Path,
    clock: &Arc<dyn Clock>,
    ways: &azure::Ways,
) -> anyhow::Result<SynapseTarget> {
    let (server, kind) = database(spec).context("it is no database that Axon may enter")?;
    let auth = match spec.auth.as_ref().context("it has no `auth`")? {
        MapAuth::Sql { user, password } => {
            let now = resolve(password, folder)?;
            match password {
                // What a file holds may be another password by the next login.
                SecretRef::File(file) => Auth::SqlFrom {
                    user: user.clone(),
                    password: Arc::new(password::PasswordFile(folder.join(file))),
                },
                SecretRef::Env(_) => Auth::Sql { user: user.clone(), password: now },
            }
        }
        MapAuth::TokenFile(file) => Auth::Token(Arc::new(TokenFile::new(folder.join(file), clock.clone()))),
        MapAuth::TokenCommand(argv) => Auth::Token(Arc::new(
            TokenCommand::new(argv.clone(), Duration::from_secs(30), clock.clone())
                .context("auth.token-command names no program")?,
        )),
        other => Auth::Token(ways.source(other, Resource::Sql)?),
    };
    let tls = match &server.tls {
        MapTls::System => Tls::Verify,
        MapTls::Ca(file) => {
            let path = folder.join(file);
            Tls::Ca(std::fs::read(&path).with_context(|| format!("cannot read tls.ca {}", path.display()))?)
        }
        MapTls::Off => Tls::Off,
    };
    let connection = Connection {
        host: server.host.clone(),
        port: server.port,
        database: server.database.parse().context("database")?,
        tls,
        auth,
        login_timeout: Duration::from_secs(30),
        command_timeout: Duration::from_mins(5),
    };
    let dialect = dialect(kind);
    Ok(SynapseTarget::new(spec.name.as_str(), dialect, connection)?)
}

fn dialect(kind: TargetKind) -> Dialect {
    match kind {
        TargetKind::SynapseServerless => Dialect::Serverless,
        _ => Dialect::Dedicated,
    }
}

/// The server that a target's catalog is read from, and what kind of pool it is.
fn database(spec: &TargetSpec) -> Option<(&SqlServer, TargetKind)> {
    match &spec.endpoint {
        Endpoint::Sql(server) => Some((server, spec.kind)),
        Endpoint::Script(ScriptPlace { dialect, seen: ScriptSeen::Pool(server), .. }) => {
            Some((server, *dialect))
        }
        Endpoint::Script(_) | Endpoint::Workspace(_) | Endpoint::Azure(_) => None,
    }
}

/// A target whose steps are written into files.
fn script(
    spec: &TargetSpec,
    folder: &Path,
    clock: &Arc<dyn Clock>,
    ways: &azure::Ways,
) -> anyhow::Result<ScriptTarget> {
    let Endpoint::Script(place) = &spec.endpoint else { bail!("it is no script") };
    let source = match &place.seen {
        ScriptSeen::Confirmed => ScriptSource::Confirmed,
        ScriptSeen::Catalog(file) => ScriptSource::Catalog(folder.join(file)),
        ScriptSeen::Pool(_) => ScriptSource::Pool(Box::new(connect(spec, folder, clock, ways)?)),
    };
    let database = place.database.parse().context("database")?;
    let out = folder.join(&place.out);
    Ok(ScriptTarget::new(spec.name.as_str(), dialect(place.dialect), database, out, source))
}

fn resolve(secret: &SecretRef, folder: &Path) -> anyhow::Result<SecretString> {
    match secret {
        SecretRef::Env(name) => {
            let value = std::env::var(name).with_context(|| {
                format!("the environment variable {name}, which the role map refers to, is not set")
            })?;
            Ok(value.into())
        }
        SecretRef::File(file) => password::read(&folder.join(file)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_a_folder_of_a_map_s_folder_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "axon: 1\n").unwrap();
        };
        for beside in ["b.yaml", "a.yml", "notes/read.md", ".git/kept.yaml", "README"] {
            write(beside);
        }
        let names =
            |files: Vec<(String, String)>| files.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(map_files(folder.path()).unwrap()), ["a.yml", "b.yaml"]);
        for inside in ["teams/sales.yaml", "teams.yaml/finance.yml", "teams/eu/north/sales.yaml"] {
            write(inside);
            let refused = map_files(folder.path()).unwrap_err().to_string();
            let path = folder.path().join(inside);
            assert!(refused.starts_with(&format!("{} would not be read", path.display())), "{refused}");
            std::fs::remove_file(path).unwrap();
        }
        let empty = tempfile::tempdir().unwrap();
        assert!(map_files(empty.path()).unwrap_err().to_string().contains("holds no .yaml file"));
    }
}

//! The configuration: one YAML file, each key also as `AXON_SECTION__KEY`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axon_controller::ProbeSettings;
use axon_model::SourceId;
use axon_scim::{Profile, ProfileKind, Switches};
use serde::{Deserialize, Serialize};

mod auth;
mod azure;
mod claims;
mod console;
mod environment;
mod error;
mod extensions;
mod integrations;
mod leavers;
mod operators;
mod parity;
mod record;
mod ship;
mod tls;

use crate::store::StorePlace;
pub use auth::{ForwardedHeader, OAuth, SourceAuth};
pub use azure::Azure;
pub use console::Console;
pub use error::ConfigError;
pub use extensions::Extension;
pub use integrations::Integrations;
use leavers::Length;
pub use operators::Operators;
pub use parity::{Parity, ParitySource};
pub use record::Record;
pub use ship::{Audit, Ship};
pub use tls::Tls;

/// All settings, with their defaults.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// TLS on that address; plain HTTP, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The networks and addresses of the proxies that may say from whom a request is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<String>,
    /// In which headers they say so.
    #[serde(default)]
    pub forwarded_by: ForwardedHeader,
    /// The address that clients reach this server by, used in `meta.location`; taken from the request's Host else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// `sqlite:FILE`, where a relative path is taken from this file's folder, or `postgres://USER@HOST/DATABASE`, where
    /// `${env:NAME}` and `${file:PATH}` stand for secrets.
    #[serde(default = "default_store", serialize_with = "crate::store::serialize_shown")]
    pub store: String,
    /// The role map: a file or a folder of them.
    pub role_map: PathBuf,
    /// The IdP connections that may push.
    pub sources: BTreeMap<SourceId, Source>,
    /// Of a target: what it can do or cannot, whatever its probes say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capabilities: BTreeMap<String, BTreeMap<String, bool>>,
    /// Schema files that add attributes to users or groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Extension>,
    /// The token endpoint.
    #[serde(default)]
    pub oauth: OAuth,
    /// The operators' API.
    #[serde(default)]
    pub operators: Operators,
    /// Pages for operators.
    #[serde(default)]
    pub console: Console,
    /// Limits on what comes in.
    #[serde(default)]
    pub limits: Limits,
    /// Where sessions are recorded; nowhere, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// The reconciler.
    #[serde(default)]
    pub reconcile: Reconcile,
    /// Logs.
    #[serde(default)]
    pub log: Log,
    /// Where Azure is.
    #[serde(default)]
    pub azure: Azure,
    /// How identity providers are compared with what they pushed.
    #[serde(default)]
    pub parity: Parity,
    /// Databases that are set up over the API.
    #[serde(default)]
    pub integrations: Integrations,
    /// What becomes of the journal beside the store.
    #[serde(default)]
    pub audit: Audit,
}

/// One IdP connection.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Whose dialect it speaks.
    pub kind: Kind,
    /// What of its dialect is other than the kind's: one switch of `docs/SCIM.md` each.
    #[serde(default, skip_serializing_if = "is_default")]
    pub switches: Switches,
    /// How its connectors show who they are.
    #[serde(default)]
    pub auth: SourceAuth,
    /// The principals that it may name, as patterns such as `*@acme.com`; all, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_name: Option<Vec<String>>,
    /// The attribute that has the same value in every source for one person, such as `externalId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<String>,
    /// The attribute that holds when the identity provider itself saw the person leave, where its administrator maps one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaver_event: Option<String>,
}

impl Source {
    /// How it speaks SCIM.
    pub fn profile(&self) -> Profile {
        Profile::new(self.kind.into()).with(&self.switches)
    }
}

fn is_default(switches: &Switches) -> bool {
    *switches == Switches::default()
}

/// Whose dialect a source speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Microsoft Entra ID.
    Entra,
    /// Okta.
    Okta,
    /// Any other SCIM client.
    Generic,
}

impl Kind {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Okta => "okta",
            Self::Generic => "generic",
        }
    }
}

impl From<Kind> for ProfileKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Entra => Self::Entra,
            Kind::Okta => Self::Okta,
            Kind::Generic => Self::Generic,
        }
    }
}

/// Limits on what comes in.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest request body, bytes.
    pub body_bytes: usize,
    /// The most bytes of request headers.
    pub header_bytes: usize,
    /// How long a request may take, seconds.
    pub request_seconds: u64,
    /// How many requests are worked on at once; more wait.
    pub concurrent_requests: usize,
    /// How many connections may be open; more wait to be accepted.
    pub connections: usize,
    /// How many of them one address may hold; trusted proxies any number.
    pub address_connections: usize,
    /// How long a TLS handshake or the header of a request may take, seconds.
    pub header_seconds: u64,
    /// So many requests a second of one source are never told to come later.
    pub assured_per_second: u32,
    /// How many requests of one source are worked on at once; more wait.
    pub source_requests: usize,
    /// How many requests of one source over the assured rate wait; over it they are told to come later.
    pub source_queue: usize,
    /// How long each of those waits, seconds.
    pub queue_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 8 * 1024 * 1024,
            header_bytes: 32 * 1024,
            request_seconds: 30,
            concurrent_requests: 1024,
            connections: 4096,
            address_connections: 1024,
            header_seconds: 30,
            assured_per_second: 50,
            source_requests: 256,
            source_queue: 1024,
            queue_seconds: 10,
        }
    }
}

/// The longest wave that can be asked for: one look at the catalog binds no more names, and whoever leaves waits for the end of one.
pub const MOST_WAVE: u16 = 256;
/// The wave that is taken where none is asked for.
#[expect(clippy::cast_possible_truncation, reason = "it is smaller than MOST_WAVE")]
const WAVE: u16 = axon_controller::WAVE as u16;

/// The reconciler.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reconcile {
    /// How often a target is read whole, seconds.
    pub inspect_every_seconds: u64,
    /// How soon a target that failed is tried again, seconds; doubles up to a minute.
    pub retry_seconds: u64,
    /// How many steps at most go to a target before its catalog is asked for their effect, and before a leaver may overtake.
    pub wave: u16,
    /// How often all secure views are read as one of each class of their readers, hours, besides after each change; 0 for never.
    pub probe_views_hours: u32,
    /// Whether a user without a login stands in, while it is probed, for readers who enter by groups alone.
    pub probe_canaries: bool,
    /// Whether nothing is given in a target one of whose views shows something else than the map says.
    pub freeze_on_probe: bool,
    /// Within which time whoever left ought to have no session left; over it somebody is to look.
    pub leaver_objective: Length,
    /// After how many days a hold that nobody answers is a no; never, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds_expire_days: Option<u16>,
    /// A folder for records of what is taken away while the store takes none; beside a store that is a file, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool: Option<PathBuf>,
}

impl Default for Reconcile {
    fn default() -> Self {
        Self {
            inspect_every_seconds: 300,
            retry_seconds: 2,
            wave: WAVE,
            probe_views_hours: 24,
            probe_canaries: true,
            freeze_on_probe: false,
            leaver_objective: Length::minutes(5),
            holds_expire_days: None,
            spool: None,
        }
    }
}

impl Reconcile {
    /// When secure views are probed.
    pub fn probing(&self) -> ProbeSettings {
        let every =
            (self.probe_views_hours > 0).then(|| time::Duration::hours(self.probe_views_hours.into()));
        ProbeSettings { every, canaries: self.probe_canaries, freeze: self.freeze_on_probe }
    }
}

/// Logs.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `json` for machines, `text` for people.
    pub format: LogFormat,
    /// A level, or a filter such as `info,axon_synapse=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: "info".into() }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text.
    Text,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

fn default_store() -> String {
    "sqlite:axon.db".into()
}

impl Config {
    /// Reads and checks the file, then lays the environment's `AXON_…` variables over it.
    pub fn load(path: &Path, environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let mut config = Self::parse(path, &text, environment)?;
        config.anchor(path.parent().unwrap_or(Path::new(".")));
        config.check(path)?;
        config.registry()?;
        config.leavers().map_err(|(key, reason)| ConfigError::Setting {
            path: path.to_owned(),
            key,
            reason,
        })?;
        Ok(config)
    }

    fn parse(path: &Path, text: &str, environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let plain = || serde_saphyr::from_str::<Self>(text).map_err(|e| error::from_yaml(path, text, &e));
        let overrides = environment::overrides(environment);
        if overrides.is_empty() {
            return plain();
        }
        // A key that the environment gives may be missing from the file; one that the file has wrong may not.
        let mut tree: serde_json::Value =
            serde_saphyr::from_str(text).map_err(|e| error::from_yaml(path, text, &e))?;
        for (variable, keys, value) in overrides {
            environment::lay_over(&mut tree, &keys, value)
                .map_err(|reason| ConfigError::Variable { variable, reason })?;
        }
        serde_json::from_value(tree).map_err(|merged| match plain() {
            Err(in_file) => in_file,
            Ok(_) => ConfigError::Environment { reason: merged.to_string() },
        })
    }

    /// Takes relative paths from the file's own folder.
    fn anchor(&mut self, folder: &Path) {
        self.role_map = folder.join(&self.role_map);
        if let Some(spool) = &mut self.reconcile.spool {
            *spool = folder.join(&*spool);
        }
        if let Some(tls) = &mut self.tls {
            tls.anchor(folder);
        }
        if let Some(record) = &mut self.record {
            record.file = folder.join(&record.file);
        }
        if let Some(ship) = &mut self.audit.ship {
            ship.anchor(folder);
        }
        self.anchor_extensions(folder);
        self.parity.anchor(folder);
        self.integrations.anchor(folder);
        if let Some(file) = self.store.strip_prefix("sqlite:") {
            let file = file.trim_start_matches("//");
            self.store = format!("sqlite:{}", folder.join(file).display());
        }
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let bad = |key: &'static str, reason: String| {
            Err(ConfigError::Setting { path: path.to_owned(), key, reason })
        };
        if self.sources.is_empty() {
            return bad("sources", "names no source: add one such as `entra: { kind: entra }`".into());
        }
        for (id, source) in &self.sources {
            if let Err(error) = source.claims() {
                return bad("sources", format!("source {id}: {error}"));
            }
        }
        if let Err((key, reason)) = self.auth() {
            return bad(key, reason);
        }
        if let Err((key, reason)) = self.integrations.check() {
            return bad(key, reason);
        }
        if let Err((key, reason)) = self.operator_rules() {
            return bad(key, reason);
        }
        if let Err((key, reason)) = self.check_console() {
            return bad(key, reason);
        }
        if let Err((key, reason)) = self.azure.cloud() {
            return bad(key, reason);
        }
        if let Some(Err((key, reason))) = self.audit.ship.as_ref().map(Ship::check) {
            return bad(key, reason);
        }
        if let Err(reason) = self.parity.check(&self.sources) {
            return bad("parity", reason);
        }
        if let Err(reason) = StorePlace::check(&self.store) {
            return bad("store", reason);
        }
        if let Some(url) = &self.public_url
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            return bad("public_url", format!("{url:?} does not begin with https:// or http://"));
        }
        for (key, value, least) in [
            ("limits.body_bytes", self.limits.body_bytes, 1024),
            ("limits.header_bytes", self.limits.header_bytes, 4096),
            ("limits.concurrent_requests", self.limits.concurrent_requests, 1),
            ("limits.connections", self.limits.connections, 1),
            ("limits.address_connections", self.limits.address_connections, 1),
            ("limits.source_requests", self.limits.source_requests, 1),
        ] {
            if value < least {
                return bad(key, format!("is {value}; the least is {least}"));
            }
        }
        let mut recorded = self.record.iter().flat_map(|record| &record.sources);
        if let Some(unknown) = recorded.find(|source| !self.sources.contains_key(*source)) {
            return bad("record.sources", format!("names {unknown}, which is none of `sources`"));
        }
        for name in self.capabilities.values().flat_map(BTreeMap::keys) {
            if !axon_synapse::capabilities().any(|known| known == name) {
                let known: Vec<&str> = axon_synapse::capabilities().collect();
                return bad("capabilities", format!("names {name}, which is none of: {}", known.join(", ")));
            }
        }
        if self.limits.header_seconds == 0 {
            return bad("limits.header_seconds", "is 0: no header could arrive".into());
        }
        if self.limits.request_seconds == 0 {
            return bad("limits.request_seconds", "is 0: no request could be answered".into());
        }
        if self.reconcile.inspect_every_seconds == 0 || self.reconcile.retry_seconds == 0 {
            return bad("reconcile", "inspect_every_seconds and retry_seconds must be at least 1".into());
        }
        if !(1..=MOST_WAVE).contains(&self.reconcile.wave) {
            return bad("reconcile", format!("wave must be 1 to {MOST_WAVE}"));
        }
        if self.reconcile.holds_expire_days == Some(0) {
            return bad("reconcile", "holds_expire_days must be at least 1, or be left out".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "role_map: role-map.yaml\nsources:\n  entra: { kind: entra }\n";

    fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment: Vec<_> =
            environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let config = Config::parse(Path::new("axon.yaml"), text, &environment)?;
        config.check(Path::new("axon.yaml")).map(|()| config)
    }

    #[test]
    fn the_least_configuration_has_safe_defaults() {
        let config = parse(LEAST, &[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.store, "sqlite:axon.db");
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_place_and_the_nearest_one() {
        let text = format!("{LEAST}limits:\n  body_byte: 5\n");
        let said = parse(&text, &[]).unwrap_err().to_string();
        assert!(said.contains("axon.yaml:5:3"), "{said}");
        assert!(said.contains("body_byte") && said.contains("did you mean `body_bytes`?"), "{said}");
    }

    #[test]
    fn a_switch_is_set_by_itself_and_a_misspelt_one_is_named_with_the_nearest() {
        let text = "role_map: m\nsources:\n  x: { kind: entra, switches: { restore_on_post: true } }\n";
        let profile = parse(text, &[]).unwrap().sources.values().next().unwrap().profile();
        let expected = Profile { restore_on_post: true, ..Profile::entra() };
        assert_eq!(profile, expected);
        let said = parse(&text.replace("restore_on_post", "restore_on_pots"), &[]).unwrap_err().to_string();
        assert!(said.contains("did you mean `restore_on_post`?"), "{said}");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config =
            parse(LEAST, &[("AXON_LIMITS__BODY_BYTES", "4096"), ("AXON_LISTEN", "127.0.0.1:0")]).unwrap();
        assert_eq!(config.limits.body_bytes, 4096);
        assert_eq!(config.listen.port(), 0);
        let said = parse(LEAST, &[("AXON_LIMITS__BODY_BITES", "1")]).unwrap_err().to_string();
        assert!(said.contains("body_bites"), "{said}");
    }

    #[test]
    fn every_file_under_config_can_be_used() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config"));
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let yaml = path.extension().is_some_and(|extension| extension == "yaml");
            if name.starts_with("axon") && yaml {
                Config::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
                seen += 1;
            } else if name.starts_with("role-map") && yaml {
                let text = std::fs::read_to_string(&path).unwrap();
                axon_mapping::RoleMap::parse(&[(&name, &text)]).unwrap_or_else(|faults| panic!("{faults}"));
                seen += 1;
            }
        }
        assert!(seen >= 2, "config/ holds the example and its role map");
    }

    #[test]
    fn what_cannot_work_is_refused_by_key() {
        for (text, key) in [
            ("role_map: x\nsources: {}\n".to_owned(), "sources"),
            (format!("{LEAST}store: postgres://x\n"), "store"),
            (format!("{LEAST}store: postgres://axon@db/axon?sslmod=x\n"), "store"),
            (format!("{LEAST}store: /tmp/x.db\n"), "store"),
            (format!("{LEAST}public_url: example.com\n"), "public_url"),
            (format!("{LEAST}limits: {{ request_seconds: 0 }}\n"), "limits.request_seconds"),
            (format!("{LEAST}limits: {{ source_requests: 0 }}\n"), "limits.source_requests"),
            (format!("{LEAST}record: {{ file: x, sources: [okta] }}\n"), "record.sources"),
        ] {
            let said = parse(&text, &[]).unwrap_err().to_string();
            assert!(said.contains(key), "{key}: {said}");
        }
    }
}

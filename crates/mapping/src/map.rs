//! The role map: what the operators' files say, checked whole.

mod read;
mod version;

use std::collections::BTreeMap;
use std::sync::Arc;

use axon_model::MapVersion;
use axon_scim::schema::Registry;

use crate::diagnostic::{Diagnostic, Diagnostics, Fault};
use crate::grant::GrantLine;
use crate::guards::GuardRules;
use crate::map_test::MapTest;
use crate::names::{RoleName, ServiceName, TargetName};
use crate::place::{Files, Place, Span};
use crate::read::Reader;
use crate::role::RoleSpec;
use crate::rule::{Mapping, Who};
use crate::rules::Rules;
use crate::secure_view::SecureView;
use crate::service::Service;
use crate::silence::Silence;
use crate::target::{TargetKind, TargetSpec, Via};
use crate::yaml::load;

pub(crate) use read::{KEYS, SERVICE_KEYS};

/// A role map that was parsed without a fault.
#[derive(Debug, Clone)]
pub struct RoleMap {
    pub(crate) version: MapVersion,
    /// Where access is enforced.
    pub targets: BTreeMap<TargetName, TargetSpec>,
    /// Bundles of grants.
    pub roles: BTreeMap<RoleName, RoleSpec>,
    /// The rules, in the order of the files.
    pub mappings: Vec<Mapping>,
    /// Service identities.
    pub services: BTreeMap<ServiceName, Service>,
    /// What nobody may have.
    pub rules: Rules,
    /// What withholds steps.
    pub guards: GuardRules,
    /// Secure views.
    pub views: Vec<SecureView>,
    /// Names for columns.
    pub tags: BTreeMap<String, Vec<crate::tags::TagPattern>>,
    /// What certain people must have and lack: [`crate::map_test::run`] proves it.
    pub tests: Vec<MapTest>,
    /// Lints that comments silence.
    pub(crate) silences: Vec<Silence>,
    /// The schemas that conditions were typed by.
    pub(crate) registry: Arc<Registry>,
}

/// Something that the map asks for and this version does not carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCarriedOut {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub what: String,
}

impl std::fmt::Display for NotCarriedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} is not supported yet", self.place, self.what)
    }
}

impl RoleMap {
    /// Reads a map from its files: name and text of each. All faults that can be seen at once are told at once.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, Diagnostics> {
        Self::parse_with(files, &BTreeMap::new())
    }

    /// Reads a map with other values for some of its variables.
    pub fn parse_with(files: &[(&str, &str)], vars: &BTreeMap<String, String>) -> Result<Self, Diagnostics> {
        Self::parse_in(files, vars, &Arc::new(Registry::standard()))
    }

    /// Reads a map whose conditions and templates speak of users of these schemas.
    pub fn parse_in(
        files: &[(&str, &str)],
        vars: &BTreeMap<String, String>,
        registry: &Arc<Registry>,
    ) -> Result<Self, Diagnostics> {
        let mut sorted: Vec<&(&str, &str)> = files.iter().collect();
        sorted.sort();
        let mut held = Files::default();
        for (name, text) in &sorted {
            held.add(name, text);
        }
        let version = version::version(&sorted, vars);
        let mut roots = Vec::new();
        let mut faults = Vec::new();
        let mut comments = Vec::new();
        for file in 0..sorted.len() {
            match load(&held, file) {
                Ok(loaded) => {
                    roots.extend(loaded.root);
                    comments.extend(loaded.comments);
                }
                Err(fault) => faults.push(fault),
            }
        }
        // A file that cannot be read leaves holes: what refers into it would be reported in vain.
        if let Some(diagnostics) = Diagnostics::from_faults(faults) {
            return Err(diagnostics);
        }
        let mut reader = Reader::new(&held);
        reader.registry = registry.clone();
        let silences = crate::silence::read(&reader, &comments);
        let map = read::read(&mut reader, &roots, vars, version, silences);
        match (Diagnostics::from_faults(reader.into_faults()), map) {
            (None, Some(map)) => Ok(map),
            (Some(diagnostics), _) => Err(diagnostics),
            (None, None) => Err(nothing(&mut held)),
        }
    }

    /// The version that a map of these files has, be it one that can be used or not.
    pub fn version_of(files: &[(&str, &str)]) -> MapVersion {
        let mut sorted: Vec<&(&str, &str)> = files.iter().collect();
        sorted.sort();
        version::version(&sorted, &BTreeMap::new())
    }

    /// The SHA-256 of the map's text, file ends and line ends made alike.
    pub fn version(&self) -> &MapVersion {
        &self.version
    }

    /// How this mapping lets people into this target: as it says itself, else as the target says; but what hangs on single
    /// people goes person by person.
    pub fn via(&self, mapping: &Mapping, target: &TargetSpec) -> Via {
        let of_target = || if mapping.personal().is_some() { Via::Person } else { target.via };
        mapping.via.unwrap_or_else(of_target)
    }

    /// The roles that exist in a target: those with a line for it, their own or an included one.
    pub fn roles_in<'m>(&'m self, target: &'m TargetName) -> impl Iterator<Item = &'m RoleSpec> {
        self.roles.values().filter(move |role| role.held.contains_key(target))
    }

    /// What the map asks for and this version cannot do. A map with such parts can be checked, tested, explained and
    /// previewed, and is not put in force: nothing of it is ignored in silence.
    pub fn not_carried_out(&self) -> Vec<NotCarriedOut> {
        let mut found = Vec::new();
        for target in self.targets.values() {
            if let Some(auth) = target.auth.as_ref().filter(|auth| !auth.is_carried_out()) {
                let what = format!("auth `{}` of target `{}`", auth.name(), target.name);
                found.push(NotCarriedOut { place: target.place.clone(), what });
            }
        }
        for role in self.roles.values() {
            for (target, held) in &role.held {
                let Some(spec) = self.targets.get(target) else { continue };
                let lines = held.iter().filter(|held| matches!(held.grant.line, GrantLine::Classifier(_)));
                for held in lines.filter(|_| role.direct || spec.kind != TargetKind::SynapseDedicated) {
                    let what = if role.direct {
                        format!(
                            "a classifier of role `{}`, which is direct: it is on a role of the pool",
                            role.name
                        )
                    } else {
                        format!("a classifier in target `{target}` of kind `{}`", spec.kind)
                    };
                    found.push(NotCarriedOut { place: held.grant.place.clone(), what });
                }
            }
            let nowhere = |target: &TargetName| {
                self.targets.get(target).is_none_or(|spec| spec.kind != TargetKind::SynapseDedicated)
            };
            for (_, acting) in role.impersonate.iter().filter(|(target, _)| nowhere(target)) {
                let what = format!("`impersonate` of role `{}`", role.name);
                found.push(NotCarriedOut { place: acting.place.clone(), what });
            }
        }
        found
    }
}

/// A map without any content still needs a place to say so.
fn nothing(files: &mut Files) -> Diagnostics {
    let file = if files.names().next().is_some() { 0 } else { files.add("role map", "") };
    let fault =
        Diagnostic::new(files, Fault::Missing, Span { file, start: 0, end: 0 }, "the role map is empty")
            .help("it begins with `axon: 1`");
    match Diagnostics::from_faults(vec![fault]) {
        Some(diagnostics) => diagnostics,
        None => unreachable!("one fault was put in"),
    }
}

/// The mapping is about this service identity.
pub(crate) fn is_service(mapping: &Mapping, name: &ServiceName) -> bool {
    matches!(&mapping.who, Who::Service(service) if service == name)
}

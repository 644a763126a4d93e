//! From the role map's words to identities and targets of Azure. What several targets share is made once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use axon_azure::{
    ArmParts, AssignedTarget, Base, Bearer, Certificate, Cloud, CustomRole, Entra, Guid, Identity, Ingestion,
    LogParts, ManagedIdentities, Paces, Platform, Resource, ServiceIds, Tokens, Wire, WorkspaceParts,
};
use axon_mapping::target::Endpoint;
use axon_mapping::{Auth as MapAuth, RoleMap, TargetSpec};
use axon_model::{Clock, IdSource, SqlName};
use axon_reconcile::TokenSource;
use axon_synapse::{TokenCommand, TokenFile};
use secrecy::ExposeSecret as _;

use super::resolve;
use crate::config::{Azure, Ship};

/// What services said of their pace to each identity, by how the map writes it. It outlives a version of the map.
pub type Told = Arc<Mutex<BTreeMap<String, Paces>>>;

/// What leads into Azure.
pub struct Ways {
    cloud: Cloud,
    wire: Wire,
    platform: Platform,
    look_up: bool,
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    ids: Arc<IdSource>,
    /// One set of tokens per identity, by how the map writes it.
    tokens: Mutex<BTreeMap<String, Tokens>>,
    /// Who is who, as each identity may see it.
    entra: Mutex<BTreeMap<String, Arc<Entra>>>,
    told: Told,
}

impl Ways {
    /// Reads the configuration and what the platform says of itself. Nothing is asked yet.
    pub fn new(
        azure: &Azure,
        folder: PathBuf,
        clock: Arc<dyn Clock>,
        ids: Arc<IdSource>,
        told: Told,
    ) -> anyhow::Result<Self> {
        let cloud = azure.cloud().map_err(|(key, reason)| anyhow::anyhow!("`{key}`: {reason}"))?;
        let platform = Platform::read(|name| std::env::var(name).ok()).context("IDENTITY_ENDPOINT")?;
        let wire = Wire::new().context("no client for https")?;
        let look_up = azure.look_up;
        let (tokens, entra) = (Mutex::default(), Mutex::default());
        Ok(Self { cloud, wire, platform, look_up, folder, clock, ids, tokens, entra, told })
    }

    /// The client.
    pub fn wire(&self) -> Wire {
        self.wire.clone()
    }

    /// Tokens of an identity for one resource. A file and a command give one token for whatever it is.
    pub fn bearer(&self, auth: &MapAuth, resource: Resource) -> anyhow::Result<Bearer> {
        if let Some(source) = given(auth, &self.folder, &self.clock)? {
            return Ok(Bearer::from_source(source).at_pace_of(self.paces(auth)?));
        }
        Ok(self.tokens(auth)?.of(resource).into())
    }

    /// Tokens of an identity for one resource, as a port.
    pub fn source(&self, auth: &MapAuth, resource: Resource) -> anyhow::Result<Arc<dyn TokenSource>> {
        match given(auth, &self.folder, &self.clock)? {
            Some(source) => Ok(source),
            None => Ok(Arc::new(self.tokens(auth)?.of(resource))),
        }
    }

    fn tokens(&self, auth: &MapAuth) -> anyhow::Result<Tokens> {
        let key = key_of(auth)?;
        let mut kept = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tokens) = kept.get(&key) {
            return Ok(tokens.clone());
        }
        let identity = identity(auth, &self.folder)?;
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        let tokens = Tokens::at_pace_of(
            identity,
            self.platform.clone(),
            self.cloud.clone(),
            self.wire.clone(),
            clock,
            ids,
            self.paces(auth)?,
        );
        kept.insert(key, tokens.clone());
        Ok(tokens)
    }

    /// What was said of their pace to whoever asks with this: all targets of one identity keep one silence.
    fn paces(&self, auth: &MapAuth) -> anyhow::Result<Paces> {
        let key = match auth {
            MapAuth::TokenFile(file) => format!("token file {file:?}"),
            MapAuth::TokenCommand(argv) => format!("token command {argv:?}"),
            identity => key_of(identity)?,
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(told.entry(key).or_default().clone())
    }

    /// Tokens for databases of an identity that was shown for one piece of work: nothing of it is kept here.
    pub fn once(&self, identity: Identity) -> Arc<dyn TokenSource> {
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        let tokens =
            Tokens::new(identity, self.platform.clone(), self.cloud.clone(), self.wire.clone(), clock, ids);
        Arc::new(tokens.of(Resource::Sql))
    }

    /// Whether the place where the journal is sent takes Axon's calls: token, rule and stream. Sends no row.
    pub async fn log_check(&self, ship: &Ship) -> anyhow::Result<()> {
        let id = self.ids.uuid(self.clock.now()).to_string();
        Ok(self.log_sink(ship)?.check(&id).await?)
    }

    /// Where the journal is sent.
    pub fn log_sink(&self, ship: &Ship) -> anyhow::Result<Ingestion> {
        let told = |(key, reason): (&str, String)| anyhow::anyhow!("`{key}` {reason}");
        let auth = ship.auth().map_err(told)?;
        Ok(Ingestion::new(LogParts {
            endpoint: ship.base().map_err(told)?,
            rule: ship.rule_id.clone(),
            stream: ship.stream.clone(),
            bearer: self.bearer(&auth, Resource::Monitor)?,
            wire: self.wire.clone(),
            clock: self.clock.clone(),
        })?)
    }

    /// Who is who, where the configuration lets Graph be asked and the identity is one of Entra.
    pub fn entra(&self, auth: &MapAuth) -> anyhow::Result<Option<Arc<Entra>>> {
        if !self.look_up || matches!(auth, MapAuth::TokenFile(_) | MapAuth::TokenCommand(_)) {
            return Ok(None);
        }
        let bearer = self.bearer(auth, Resource::Graph)?;
        let mut kept = self.entra.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Entra::new(&self.cloud.graph, self.wire.clone(), bearer, self.clock.clone()));
        Ok(Some(kept.entry(key_of(auth)?).or_insert_with(made).clone()))
    }

    /// Managed identities, as this identity may read them.
    pub fn managed(&self, auth: &MapAuth) -> anyhow::Result<ManagedIdentities> {
        let bearer = self.bearer(auth, Resource::Arm)?;
        Ok(ManagedIdentities::new(&self.cloud.arm, self.wire.clone(), bearer, self.clock.clone()))
    }

    /// What leads to the scope of a target.
    pub fn arm(&self, map: &RoleMap, spec: &TargetSpec) -> anyhow::Result<ArmParts> {
        let auth = spec.auth.as_ref().context("it has no `auth`")?;
        let Endpoint::Azure(scope) = &spec.endpoint else { bail!("it is no scope of Azure") };
        Ok(ArmParts {
            arm: self.cloud.arm.clone(),
            scope: scope.clone(),
            custom: custom(map, spec)?,
            elsewhere: map
                .roles
                .values()
                .flat_map(|role| role.define.iter())
                .filter(|(target, _)| **target != spec.name)
                .map(|(_, one)| one.name)
                .collect(),
            bearer: self.bearer(auth, Resource::Arm)?,
            wire: self.wire.clone(),
            clock: self.clock.clone(),
            entra: self.entra(auth)?,
        })
    }

    /// A target whose roles are assigned.
    pub fn target(&self, map: &RoleMap, spec: &TargetSpec) -> anyhow::Result<AssignedTarget> {
        let auth = spec.auth.as_ref().context("it has no `auth`")?;
        let (wire, clock, entra) = (self.wire.clone(), self.clock.clone(), self.entra(auth)?);
        let target = match &spec.endpoint {
            Endpoint::Workspace(address) => axon_azure::workspace(
                spec.name.as_str(),
                WorkspaceParts {
                    endpoint: Base::parse(address).context("endpoint")?,
                    name: spec.workspace.clone(),
                    bearer: self.bearer(auth, Resource::Synapse)?,
                    wire,
                    clock,
                    entra,
                },
            )?,
            Endpoint::Azure(_) => axon_azure::azure_rbac(spec.name.as_str(), self.arm(map, spec)?)?,
            Endpoint::Sql(_) | Endpoint::Script(_) => bail!("it is no place of assigned roles"),
        };
        Ok(target.with_services(map.services.values().map(|service| (service.principal, ids_of(service)))))
    }
}

/// What the map says of a service identity's ids.
pub fn ids_of(service: &axon_mapping::Service) -> ServiceIds {
    ServiceIds {
        name: service.principal.to_string(),
        client_id: service.sid.as_ref().and_then(Guid::of_sid),
        object_id: service.object_id.as_ref().and_then(Guid::of_sid),
    }
}

/// The roles that the map makes in a target.
fn custom(map: &RoleMap, spec: &TargetSpec) -> anyhow::Result<BTreeMap<SqlName, CustomRole>> {
    let defined = map.roles.values().filter_map(|role| role.define.get(&spec.name));
    let mut custom = BTreeMap::new();
    for one in defined {
        let role = CustomRole::new(
            one.actions.clone(),
            one.not_actions.clone(),
            one.data_actions.clone(),
            one.not_data_actions.clone(),
            one.description.clone(),
        )
        .with_context(|| format!("role {} defined at {}", one.name, one.place))?;
        if custom.insert(one.name, role).is_some() {
            bail!("role {} is defined twice for target {}: again at {}", one.name, spec.name, one.place);
        }
    }
    Ok(custom)
}

/// A token that somebody else makes.
fn given(
    auth: &MapAuth,
    folder: &Path,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Option<Arc<dyn TokenSource>>> {
    Ok(match auth {
        MapAuth::TokenFile(file) => Some(Arc::new(TokenFile::new(folder.join(file), clock.clone()))),
        MapAuth::TokenCommand(argv) => Some(Arc::new(
            TokenCommand::new(argv.clone(), Duration::from_secs(30), clock.clone())
                .context("auth.token-command names no program")?,
        )),
        _ => None,
    })
}

/// What tells one identity from others. Of secrets their references only.
fn key_of(auth: &MapAuth) -> anyhow::Result<String> {
    use axon_mapping::SecretRef;
    let place = |secret: &SecretRef| match secret {
        SecretRef::Env(name) => format!("env:{name}"),
        SecretRef::File(path) => format!("file:{path}"),
    };
    Ok(match auth {
        MapAuth::ManagedIdentity { client_id } => format!("managed {client_id:?}"),
        MapAuth::WorkloadIdentity { tenant_id, client_id, token_file } => {
            format!("federated {tenant_id:?} {client_id:?} {token_file:?}")
        }
        MapAuth::ClientSecret { tenant_id, client_id, secret } => {
            format!("secret {tenant_id:?} {client_id:?} {}", place(secret))
        }
        MapAuth::ClientCertificate { tenant_id, client_id, certificate } => {
            format!("certificate {tenant_id:?} {client_id:?} {}", place(certificate))
        }
        MapAuth::Sql { .. } | MapAuth::TokenFile(_) | MapAuth::TokenCommand(_) => {
            bail!("auth `{}` is no identity of Entra", auth.name())
        }
    })
}

fn identity(auth: &MapAuth, folder: &Path) -> anyhow::Result<Identity> {
    Ok(match auth.clone() {
        MapAuth::ManagedIdentity { client_id } => Identity::Managed { client_id },
        MapAuth::WorkloadIdentity { tenant_id, client_id, token_file } => {
            Identity::Federated { tenant: tenant_id, client_id, token_file: folder.join(token_file) }
        }
        MapAuth::ClientSecret { tenant_id, client_id, secret } => {
            Identity::Secret { tenant: tenant_id, client_id, secret: resolve(&secret, folder)? }
        }
        MapAuth::ClientCertificate { tenant_id, client_id, certificate } => {
            let pem = resolve(&certificate, folder)?;
            let certificate = Certificate::parse(pem.expose_secret().as_bytes())
                .context("the certificate of auth.client-certificate")?;
            Identity::Certificate { tenant: tenant_id, client_id, certificate: Box::new(certificate) }
        }
        other @ (MapAuth::Sql { .. } | MapAuth::TokenFile(_) | MapAuth::TokenCommand(_)) => {
            bail!("auth `{}` is no identity of Entra", other.name())
        }
    })
}

#[cfg(test)]
mod tests;

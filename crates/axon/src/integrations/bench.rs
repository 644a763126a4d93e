//! The port's one implementation for real pools.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use axon_api::integrations::{
    AccountKind, Config, Entry, Keep, Login, Moment as ApiMoment, Old, Script, Taken, Validation, Workbench,
};
use axon_azure::{Certificate, Identity};
use axon_mapping::RoleMap;
use axon_store::Act;
use axon_store::integrations::Made;
use axon_synapse::bootstrap::{self, Before, Moment, OfMap, Setup, Where, written};
use axon_synapse::{Auth, Connection, Tls};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::of_map::{OfMaps, Swept};
use super::secrets::Secrets;
use super::setup::{filters_tables, setup, target_of};
use crate::wiring::Ways;

/// How long a login may take: a request waits for it.
const LOGIN: Duration = Duration::from_secs(15);
/// How long the server may be silent.
const SILENCE: Duration = Duration::from_mins(1);
/// How long a script waits for what the role map made: a request waits for it.
const SCRIPT: Duration = Duration::from_secs(20);
/// Where the platform says that a workload's token lies.
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// Gives the role map in force.
pub type MapInForce = dyn Fn() -> Arc<RoleMap> + Send + Sync;

/// What is done in real pools.
pub struct Bench {
    /// What leads into Azure.
    pub ways: Ways,
    /// Where Axon's own secrets lie.
    pub secrets: Secrets,
    /// The role map in force.
    pub map: Arc<MapInForce>,
    /// What it made in databases.
    pub of_map: OfMaps,
}

impl Bench {
    fn connection(config: &Config, auth: Auth) -> anyhow::Result<Connection> {
        let connection = Connection {
            host: config.host.clone(),
            port: config.port,
            database: config.database.parse().context("database")?,
            tls: if config.plain { Tls::Off } else { Tls::Verify },
            auth,
            login_timeout: LOGIN,
            command_timeout: SILENCE,
        };
        connection.check()?;
        Ok(connection)
    }

    /// What was shown is asked for tokens once: nothing of it is kept beside the connection.
    fn shown(&self, login: &Login) -> anyhow::Result<Auth> {
        Ok(match login.clone() {
            Login::Sql { user, password } => Auth::Sql { user, password },
            other => Auth::Token(self.ways.once(identity(other)?)),
        })
    }

    fn kept(&self, id: u64, kept: &Value) -> anyhow::Result<Auth> {
        let text = |key: &str| kept[key].as_str().map(str::to_owned);
        let needed = |key: &str| text(key).with_context(|| format!("{key} of what is kept"));
        let login = match kept["kind"].as_str().unwrap_or_default() {
            "userPassword" => Login::Sql { user: needed("user")?, password: self.secrets.read(id)? },
            "managedIdentity" => Login::ManagedIdentity { client_id: text("clientId") },
            "workloadIdentity" => {
                Login::WorkloadIdentity { tenant_id: needed("tenantId")?, client_id: needed("clientId")? }
            }
            "clientSecret" => Login::ClientSecret {
                tenant_id: needed("tenantId")?,
                client_id: needed("clientId")?,
                secret: self.secrets.read(id)?,
            },
            "certificate" => Login::Certificate {
                tenant_id: needed("tenantId")?,
                client_id: needed("clientId")?,
                pem: self.secrets.read(id)?,
            },
            other => bail!("{other:?} is no way to enter"),
        };
        self.shown(&login)
    }

    fn entered(&self, config: &Config, entry: Entry<'_>) -> anyhow::Result<Connection> {
        let auth = match entry {
            Entry::Shown(login) => self.shown(login)?,
            Entry::Kept(kept) => self.kept(kept["id"].as_u64().unwrap_or_default(), kept)?,
        };
        Self::connection(config, auth)
    }

    /// Keeps a login: what is secret of it in a file, the rest is given back.
    fn put(&self, id: u64, login: &Login) -> anyhow::Result<Value> {
        let kind = login.kind().as_str();
        let (value, secret) = match login {
            Login::Sql { user, password } => (json!({ "user": user }), Some(password)),
            Login::ManagedIdentity { client_id } => (json!({ "clientId": client_id }), None),
            Login::WorkloadIdentity { tenant_id, client_id } => {
                (json!({ "tenantId": tenant_id, "clientId": client_id }), None)
            }
            Login::ClientSecret { tenant_id, client_id, secret } => {
                (json!({ "tenantId": tenant_id, "clientId": client_id }), Some(secret))
            }
            Login::Certificate { tenant_id, client_id, pem } => {
                (json!({ "tenantId": tenant_id, "clientId": client_id }), Some(pem))
            }
        };
        if let Some(secret) = secret {
            self.secrets.prepare(id, secret)?;
            self.secrets.take(id)?;
        }
        Ok(with_kind(value, kind, id))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the port's call, with what was made in the words of the pool"
    )]
    async fn make(
        &self,
        id: u64,
        config: &Config,
        old: Option<Old<'_>>,
        by: &Login,
        account: Option<&Login>,
        made: &mut bootstrap::Made,
        keep: &bootstrap::Kept<'_>,
    ) -> anyhow::Result<Option<Value>> {
        let (setup, connection) = (setup(config)?, Self::connection(config, self.shown(by)?)?);
        let was = match old {
            None => None,
            Some(Old::InUse(old) | Old::GivenUp(old)) => Some(super::setup::setup(old)?),
        };
        let before = match (old, &was) {
            (Some(Old::InUse(_)), Some(was)) => Before::InUse(was),
            (Some(Old::GivenUp(_)), Some(was)) => Before::GivenUp(was),
            _ => Before::Nothing,
        };
        if let Before::InUse(_) = before {
            bootstrap::bring_up(&connection, before, &setup, None, made, keep).await?;
            return account.map(|account| self.put(id, account)).transpose();
        }
        if config.account_kind == AccountKind::Entra {
            let account = account.context("how Axon's identity enters is not said")?;
            bootstrap::bring_up(&connection, before, &setup, None, made, keep).await?;
            return self.put(id, account).map(Some);
        }
        let password = bootstrap::random_password()?;
        // First where it can be found again, then where it counts.
        self.secrets.prepare(id, &password)?;
        let brought = bootstrap::bring_up(&connection, before, &setup, Some(&password), made, keep).await;
        if let Err(error) = brought {
            self.secrets.drop_prepared(id);
            return Err(error.into());
        }
        self.secrets.take(id)?;
        Ok(Some(with_kind(json!({ "user": config.account }), "userPassword", id)))
    }

    /// What a script is to take away of the role map's, and what to say of it.
    async fn left_for_script(
        &self,
        config: &Config,
        setup: &Setup,
        entry: Option<Entry<'_>>,
    ) -> (OfMap, String) {
        let Some(entry) = entry else { return <_>::default() };
        if let Some((name, _)) = target_of(&(self.map)(), config) {
            let remark = format!(
                "The role map has this database as its target {name}: take the target out of the map, then ask for this script again, which \
                 will hold what the map made, too"
            );
            return (OfMap::default(), remark);
        }
        let found = async {
            let connection = self.entered(config, entry)?;
            let found = self.of_map.find(config, setup, &connection);
            tokio::time::timeout(SCRIPT, found).await.context("it takes too long")?
        };
        match found.await {
            Ok((left, of_map)) if left.stays.is_empty() => (of_map, String::new()),
            Ok((left, of_map)) => {
                (of_map, format!("Of what the role map made stays: {}", left.stays.join("; ")))
            }
            Err(error) => {
                let remark = format!(
                    "It could not be looked up what the role map made here ({}): ask for this script again when Axon can enter",
                    sentence(&error)
                );
                (OfMap::default(), remark)
            }
        }
    }

    async fn take(&self, config: &Config, by: &Login, made: &Made, act: &Act) -> anyhow::Result<Taken> {
        let (setup, connection) = (setup(config)?, Self::connection(config, self.shown(by)?)?);
        let last = async |swept: &Swept| {
            bootstrap::take_down(&connection, &setup, &in_pool(made)).await.with_context(|| {
                let some: Vec<&str> = swept.stays.iter().take(5).map(String::as_str).collect();
                match swept.stays.len() {
                    0 => "the integration".to_owned(),
                    all => format!("the integration ({all} of the role map's stay: {})", some.join("; ")),
                }
            })
        };
        let place = (config, &setup, &connection);
        let (swept, stays) = Box::pin(self.of_map.sweep(place, act, &*self.map, last)).await?;
        Ok(Taken { stays, of_map: swept.done, of_map_stays: swept.stays })
    }

    async fn another_password(&self, id: u64, config: &Config, by: &Login) -> anyhow::Result<Value> {
        let (setup, connection) = (setup(config)?, Self::connection(config, self.shown(by)?)?);
        let password: SecretString = bootstrap::random_password()?;
        self.secrets.prepare(id, &password)?;
        if let Err(error) = bootstrap::renew_password(&connection, setup.account.name, &password).await {
            self.secrets.drop_prepared(id);
            return Err(error.into());
        }
        self.secrets.take(id)?;
        Ok(with_kind(json!({ "user": config.account }), "userPassword", id))
    }
}

fn with_kind(mut value: Value, kind: &str, id: u64) -> Value {
    value["kind"] = kind.into();
    value["id"] = id.into();
    value
}

fn identity(login: Login) -> anyhow::Result<Identity> {
    Ok(match login {
        Login::Sql { .. } => bail!("a SQL login is no identity of Entra"),
        Login::ManagedIdentity { client_id } => Identity::Managed { client_id },
        Login::WorkloadIdentity { tenant_id, client_id } => {
            let file = std::env::var_os(TOKEN_FILE).with_context(|| {
                format!("{TOKEN_FILE} is not set: this server runs where no workload identity is")
            })?;
            Identity::Federated { tenant: tenant_id, client_id, token_file: PathBuf::from(file) }
        }
        Login::ClientSecret { tenant_id, client_id, secret } => {
            Identity::Secret { tenant: tenant_id, client_id, secret }
        }
        Login::Certificate { tenant_id, client_id, pem } => {
            let certificate = Certificate::parse(pem.expose_secret().as_bytes()).context("`certificate`")?;
            Identity::Certificate { tenant: tenant_id, client_id, certificate: Box::new(certificate) }
        }
    })
}

/// What was made, as the pool's side has it. A name that is none any more was made by nobody.
fn in_pool(made: &Made) -> bootstrap::Made {
    bootstrap::Made {
        login: made.login,
        user: made.user,
        user_mark: made.user_mark.clone(),
        owner: made.owner,
        schemas: made.schemas.iter().filter_map(|name| name.parse().ok()).collect(),
    }
}

/// The same as a row keeps it.
fn in_row(made: &bootstrap::Made) -> Made {
    Made {
        login: made.login,
        user: made.user,
        user_mark: made.user_mark.clone(),
        owner: made.owner,
        schemas: made.schemas.iter().map(|name| name.as_str().to_lowercase()).collect(),
    }
}

/// An error with its causes in one line.
fn sentence(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join(": ")
}

#[async_trait]
impl Workbench for Bench {
    async fn script(
        &self,
        script: Script,
        config: &Config,
        old: Option<&Config>,
        entry: Option<Entry<'_>>,
    ) -> Result<String, String> {
        let told = |error: anyhow::Error| sentence(&error);
        let setup = setup(config).map_err(told)?;
        let (left, remark) = self.left_for_script(config, &setup, entry).await;
        let (made, gone) = (bootstrap::create(&setup), bootstrap::delete(&setup, &left));
        Ok(match script {
            Script::InitialCreate => written("The first script: Axon's login", &setup, &made, Where::Master),
            Script::Create => {
                written("The second script: what Axon needs in the database", &setup, &made, Where::Database)
            }
            Script::Edit => {
                let old = super::setup::setup(old.unwrap_or(config)).map_err(told)?;
                let parts = bootstrap::edit(&old, &setup);
                written("What changes in the database", &setup, &parts, Where::Database)
            }
            Script::Delete => {
                let title = format!("Takes away what Axon made. {remark}");
                let all = written(title.trim_end(), &setup, &gone, Where::Database);
                let last = written("And then Axon's login", &setup, &gone, Where::Master);
                format!("{all}\n{last}")
            }
            Script::Cleanup => written(
                "Takes away what an integration left that never came into use",
                &setup,
                &gone,
                Where::Database,
            ),
            Script::PostCleanup => written("The last script: Axon's login", &setup, &gone, Where::Master),
        })
    }

    async fn validate(&self, config: &Config, entry: Entry<'_>, moment: ApiMoment) -> Validation {
        let failed = |error: &anyhow::Error| {
            Validation::of(vec![json!({
                "name": "Initial Validation: Connect", "status": "failed", "message": sentence(error),
            })])
        };
        let (setup, connection) = match (setup(config), self.entered(config, entry)) {
            (Ok(setup), Ok(connection)) => (setup, connection),
            (Err(error), _) | (_, Err(error)) => return failed(&error),
        };
        let at = match moment {
            ApiMoment::BeforeCreate => Moment::BeforeAutomatic,
            ApiMoment::BeforeAgain => Moment::BeforeAgain,
            ApiMoment::BeforeChange => Moment::BeforeChange,
            ApiMoment::BeforeRemoval => Moment::BeforeRemoval,
            ApiMoment::BeforeRenewal => Moment::BeforeRenewal,
            ApiMoment::Standing => Moment::Standing,
        };
        let checks = bootstrap::look(&connection, &setup, at).await;
        let mut tests: Vec<Value> =
            checks.iter().map(|check| serde_json::to_value(check).unwrap_or_default()).collect();
        let mut target = json!({ "name": "Validate Role Map Target", "status": "skipped" });
        if let Some((name, differs)) = target_of(&(self.map)(), config) {
            target["status"] = if differs.is_some() { "warning" } else { "passed" }.into();
            target["result"] = json!([{ "target": name }]);
            if let Some(differs) = differs {
                target["message"] = differs.into();
            }
        }
        tests.push(target);
        Validation::of(tests)
    }

    fn keeps(&self) -> Result<(), String> {
        self.secrets.can_be_kept().map_err(|error| sentence(&error))
    }

    async fn bring_up(
        &self,
        id: u64,
        config: &Config,
        old: Option<Old<'_>>,
        by: &Login,
        account: Option<&Login>,
        made: &mut Made,
        keep: &Keep<'_>,
    ) -> Result<Option<Value>, String> {
        let mut of_pool = in_pool(made);
        let kept = |made: &bootstrap::Made| keep(in_row(made));
        let done = self.make(id, config, old, by, account, &mut of_pool, &kept).await;
        *made = in_row(&of_pool);
        done.map_err(|error| sentence(&error))
    }

    async fn keep(&self, id: u64, login: &Login) -> Result<Value, String> {
        self.put(id, login).map_err(|error| sentence(&error))
    }

    async fn take_down(&self, config: &Config, by: &Login, made: &Made, act: &Act) -> Result<Taken, String> {
        self.take(config, by, made, act).await.map_err(|error| sentence(&error))
    }

    async fn renew(&self, id: u64, config: &Config, by: &Login) -> Result<Value, String> {
        self.another_password(id, config, by).await.map_err(|error| sentence(&error))
    }

    async fn forget(&self, id: u64) {
        self.secrets.forget(id);
    }

    fn target_of(&self, config: &Config) -> Option<String> {
        target_of(&(self.map)(), config).map(|(name, _)| name)
    }

    fn filters_tables(&self, config: &Config) -> bool {
        filters_tables(&(self.map)(), config)
    }
}

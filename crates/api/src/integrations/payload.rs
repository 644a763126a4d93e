//! Reading a payload. What is wrong is told by its key, never with its value.

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::config::{AccountKind, Config, Marks, PORT};
use super::fault::Fault;
use super::login::{self, Kind, Login};
use super::{Integrations, TYPE};
use crate::body::whole;

/// The longest name of something in a database.
const NAME: usize = 128;
/// The longest text of another kind, in characters.
const TEXT: usize = 16 * 1024;
/// The role of those who may act as others, where none is named.
const ROLE: &str = "AXON_IMPERSONATION";

/// An object of the body.
pub(super) struct Fields<'v> {
    map: &'v Map<String, Value>,
    /// What its keys are called in messages, with a dot behind it.
    pub path: &'static str,
}

impl<'v> Fields<'v> {
    pub fn of(value: &'v Value, path: &'static str, known: &[&str]) -> Result<Self, Fault> {
        let what = if path.is_empty() { "the body" } else { path.trim_end_matches('.') };
        let Value::Object(map) = value else { return Err(Fault::bad(format!("{what} must be an object"))) };
        if let Some(unknown) = map.keys().find(|key| !known.contains(&key.as_str())) {
            let unknown: String = unknown.chars().take(40).collect();
            return Err(Fault::bad(format!("{what} has no key {unknown:?}; it has {}", known.join(", "))));
        }
        Ok(Self { map, path })
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A value; null is as good as nothing.
    pub fn get(&self, key: &str) -> Option<&'v Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub fn text(&self, key: &str) -> Result<Option<String>, Fault> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() && text.chars().count() <= TEXT => {
                Ok(Some(text.clone()))
            }
            Some(Value::String(_)) => Err(Fault::bad(format!("`{}{key}` is empty or too long", self.path))),
            Some(_) => Err(Fault::bad(format!("`{}{key}` must be a text", self.path))),
        }
    }

    pub fn needed(&self, key: &str) -> Result<String, Fault> {
        self.text(key)?.ok_or_else(|| Fault::bad(format!("`{}{key}` is missing", self.path)))
    }

    pub fn secret(&self, key: &str) -> Result<SecretString, Fault> {
        self.needed(key).map(SecretString::from)
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, Fault> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Fault::bad(format!("`{}{key}` must be true or false", self.path))),
        }
    }

    /// A name of something in a database: such as can stand in a script that any program sends on.
    fn name(&self, key: &str) -> Result<String, Fault> {
        let name = self.needed(key)?;
        named(&name, &format!("{}{key}", self.path))?;
        Ok(name)
    }
}

fn named(name: &str, key: &str) -> Result<(), Fault> {
    let plain = name.len() <= NAME
        && name.trim() == name
        && name.chars().all(|c| matches!(c, ' '..='~'))
        && !name.contains("$(");
    if plain && !name.is_empty() {
        return Ok(());
    }
    Err(Fault::bad(format!(
        "`{key}` must be a name of 1 to {NAME} printable ASCII characters, without $( and outer blanks"
    )))
}

/// A payload that was read.
#[derive(Debug)]
pub(super) struct Payload {
    pub automatic: bool,
    pub config: Config,
    /// As whom whoever asks enters: of a manual one, Axon's own account.
    pub login: Login,
    /// Axon's own account, where it is another identity of Entra.
    pub account: Option<Login>,
}

const CONFIG: [&str; 8] =
    ["host", "port", "database", "schema", "impersonation", "metadataDelimiters", "tls", "systemAccount"];

/// Reads the payload of a create, an update or a script.
pub(super) fn read(body: &Value, settings: &Integrations) -> Result<Payload, Fault> {
    let fields = Fields::of(body, "", &["type", "autoBootstrap", "config"])?;
    if fields.needed("type")? != TYPE {
        return Err(Fault::bad(format!("`type` must be {TYPE:?}: no other kind is set up here")));
    }
    let automatic = fields.flag("autoBootstrap")?.ok_or_else(|| Fault::bad("`autoBootstrap` is missing"))?;
    let config = fields.get("config").ok_or_else(|| Fault::bad("`config` is missing"))?;
    let mut known = CONFIG.to_vec();
    known.push("username");
    known.extend(login::KEYS);
    let fields = Fields::of(config, "config.", &known)?;
    let host = host(&fields, settings)?;
    let database = fields.name("database")?;
    let schema = fields.name("schema")?;
    let login = Login::of(&fields)?;
    let (account, account_login) = account(&fields, automatic, &database, &login)?;
    let is_entra = account_login.as_ref().map_or(!automatic && login.kind() != Kind::UserPassword, |_| true);
    let plain = match fields.text("tls")?.as_deref() {
        None | Some("on") => false,
        Some("off") => true,
        Some(_) => return Err(Fault::bad("`config.tls` must be on or off")),
    };
    let config = Config {
        host,
        port: port(&fields)?,
        schema,
        impersonation: impersonation(&fields)?,
        marks: marks(&fields)?,
        plain,
        account,
        account_kind: if is_entra { AccountKind::Entra } else { AccountKind::Sql },
        entered: login.kind(),
        database,
    };
    for name in [&config.schema, &config.account].into_iter().chain(&config.impersonation) {
        if Integrations::reserved(name) {
            return Err(Fault::unprocessable(format!(
                "{name:?} is a name of the engine or of Axon's own schema: choose another one"
            )));
        }
    }
    Ok(Payload { automatic, config, login, account: account_login })
}

/// The credentials of a delete or a regenerate.
pub(super) fn credentials(body: &Value) -> Result<Login, Fault> {
    let mut known = vec!["username"];
    known.extend(login::KEYS);
    Login::of(&Fields::of(body, "", &known)?)
}

fn host(fields: &Fields<'_>, settings: &Integrations) -> Result<String, Fault> {
    let host = fields.needed("host")?;
    let plain = host.len() <= 255 && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c));
    if !plain {
        return Err(Fault::bad("`config.host` is no host's name; the port has a key of its own"));
    }
    if !settings.allows(&host) {
        return Err(Fault::unprocessable(format!(
            "`config.host` is none of the servers that this one may enter: they are {} (integrations.hosts in the configuration)",
            settings.hosts.join(", ")
        )));
    }
    Ok(host)
}

fn port(fields: &Fields<'_>) -> Result<u16, Fault> {
    match fields.get("port") {
        None => Ok(PORT),
        Some(port) => {
            let number = whole(port).and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
            number.ok_or_else(|| Fault::bad("`config.port` must be a number from 1 to 65535"))
        }
    }
}

fn impersonation(fields: &Fields<'_>) -> Result<Option<String>, Fault> {
    let Some(value) = fields.get("impersonation") else { return Ok(None) };
    let fields = Fields::of(value, "config.impersonation.", &["enabled", "role"])?;
    let enabled =
        fields.flag("enabled")?.ok_or_else(|| Fault::bad("`config.impersonation.enabled` is missing"))?;
    let role = if fields.has("role") { fields.name("role")? } else { ROLE.to_owned() };
    Ok(enabled.then_some(role))
}

fn marks(fields: &Fields<'_>) -> Result<Option<Marks>, Fault> {
    const KEYS: [&str; 3] = ["hashDelimiter", "hashKeyDelimiter", "arrayDelimiter"];
    let Some(value) = fields.get("metadataDelimiters") else { return Ok(None) };
    let fields = Fields::of(value, "config.metadataDelimiters.", &KEYS)?;
    let one = |key: &str| {
        let text = fields.needed(key)?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(Fault::bad(format!("`config.metadataDelimiters.{key}` must be one character"))),
        }
    };
    let marks = Marks {
        hash_delimiter: one("hashDelimiter")?,
        hash_key_delimiter: one("hashKeyDelimiter")?,
        array_delimiter: one("arrayDelimiter")?,
    };
    if marks.delimiters().is_none() {
        return Err(Fault::unprocessable(
            "`config.metadataDelimiters` must be three different marks of punctuation, ASCII",
        ));
    }
    Ok(Some(marks))
}

/// Axon's principal, and how it enters where that is said apart.
fn account(
    fields: &Fields<'_>,
    automatic: bool,
    database: &str,
    login: &Login,
) -> Result<(String, Option<Login>), Fault> {
    let Some(value) = fields.get("systemAccount") else {
        if automatic {
            let name: String = format!("axon_system_{database}").chars().take(NAME).collect();
            return Ok((name, None));
        }
        // What is given is Axon's own account: its name in the database is the user's.
        return Ok((fields.name("username")?, None));
    };
    if !automatic {
        return Err(Fault::bad(
            "`config.systemAccount` is for autoBootstrap true: else `config` says as whom Axon enters",
        ));
    }
    let mut known = vec!["username"];
    known.extend(login::KEYS);
    let account = Fields::of(value, "config.systemAccount.", &known)?;
    let name = account.name("username")?;
    if login::kind(&account)? == Kind::UserPassword {
        if let Some(key) = login::KEYS[1..].iter().find(|key| account.has(key)) {
            return Err(Fault::bad(format!(
                "`config.systemAccount.{key}` is not taken: Axon makes a password that nobody knows",
            )));
        }
        return Ok((name, None));
    }
    if login.kind() == Kind::UserPassword {
        return Err(Fault::bad(
            "a SQL login cannot create the user of an Entra identity (33159): enter with one of Entra",
        ));
    }
    Ok((name, Some(Login::of(&account)?)))
}

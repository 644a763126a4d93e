//! `parity`: how often and how fast identity providers are read and compared with what they pushed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use axon_azure::Base;
use axon_model::SourceId;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Kind, Source};

/// How identity providers are compared with the directory. All of it may be left out.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parity {
    /// How often `serve` looks at a part of each; 0: only `axon parity` does.
    pub every_seconds: u64,
    /// Groups of one look, with all their members.
    pub groups: usize,
    /// People of one look.
    pub people: usize,
    /// The most requests of one look.
    pub requests: u32,
    /// The most requests of a look at everything (`axon parity --full`).
    pub full_requests: u32,
    /// How many requests are sent in a minute at most.
    pub requests_per_minute: u32,
    /// How long a removal has to be known to one side only before it waits for a person: pushes take their time.
    pub grace_seconds: u64,
    /// What is to be said of single sources.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<SourceId, ParitySource>,
}

impl Default for Parity {
    fn default() -> Self {
        Self {
            every_seconds: 3_600,
            groups: 200,
            people: 1_500,
            requests: 1_000,
            full_requests: 50_000,
            requests_per_minute: 60,
            grace_seconds: 7_200,
            sources: BTreeMap::new(),
        }
    }
}

/// How one source's identity provider is read.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParitySource {
    /// Entra: the target of the role map by whose `auth` Graph is asked; the first that is an identity of Entra, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_of: Option<String>,
    /// Okta: the organization's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Okta: the API token of a read-only administrator, as `${env:NAME}` or `${file:PATH}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl Parity {
    /// Takes relative paths from the configuration's folder.
    pub(super) fn anchor(&mut self, folder: &Path) {
        for token in self.sources.values_mut().filter_map(|source| source.token.as_mut()) {
            if let Some(path) = token.strip_prefix("${file:").and_then(|rest| rest.strip_suffix('}')) {
                *token = format!("${{file:{}}}", folder.join(path).display());
            }
        }
    }

    /// What is wrong with it, in words that name the key.
    pub(super) fn check(&self, sources: &BTreeMap<SourceId, Source>) -> Result<(), String> {
        if self.requests_per_minute == 0 || self.requests == 0 || self.full_requests == 0 {
            return Err("requests, full_requests and requests_per_minute are at least 1".into());
        }
        if self.every_seconds > 0 && self.groups == 0 && self.people == 0 {
            return Err("groups and people are both 0: say every_seconds: 0 to turn it off".into());
        }
        for (id, one) in &self.sources {
            let Some(source) = sources.get(id) else {
                return Err(format!("sources.{id}: it is none of `sources`"));
            };
            let okta = source.kind == Kind::Okta;
            if okta != (one.url.is_some() && one.token.is_some()) || okta == one.identity_of.is_some() {
                return Err(if okta {
                    format!("sources.{id}: Okta is read with `url` and `token`, and nothing else")
                } else {
                    format!("sources.{id}: Entra is read with `identity_of`, and nothing else")
                });
            }
            if let Some(url) = &one.url {
                Base::parse(url).map_err(|error| format!("sources.{id}.url: {error}"))?;
            }
            if one.token.as_deref().is_some_and(|token| reference(token).is_none()) {
                return Err(format!(
                    "sources.{id}.token: write ${{env:NAME}} or ${{file:PATH}}, never the token itself"
                ));
            }
        }
        Ok(())
    }
}

impl ParitySource {
    /// Okta's address and token.
    pub fn okta(&self) -> anyhow::Result<Option<(Base, SecretString)>> {
        let (Some(url), Some(token)) = (&self.url, &self.token) else { return Ok(None) };
        let url = Base::parse(url).context("parity: the address of Okta")?;
        let secret = match reference(token) {
            Some(("env", name)) => std::env::var(name).with_context(|| {
                format!("the environment variable {name}, which `parity` names, is not set")
            })?,
            Some((_, path)) => std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the secret file {path}, which `parity` names"))?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
            None => bail!("parity: the token is neither ${{env:NAME}} nor ${{file:PATH}}"),
        };
        Ok(Some((url, secret.into())))
    }
}

/// Where a secret is: `env` or `file`, and which.
fn reference(text: &str) -> Option<(&'static str, &str)> {
    let inside = text.strip_prefix("${")?.strip_suffix('}')?;
    let (way, place) = inside.split_once(':')?;
    let way = ["env", "file"].into_iter().find(|known| *known == way)?;
    (!place.is_empty()).then_some((way, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(yaml: &str) -> Result<(), String> {
        let sources: BTreeMap<SourceId, Source> =
            serde_saphyr::from_str("{entra: {kind: entra}, okta: {kind: okta}}").unwrap();
        serde_saphyr::from_str::<Parity>(yaml).unwrap().check(&sources)
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for good in [
            "{}",
            "{every_seconds: 0, groups: 0, people: 0}",
            "{sources: {okta: {url: 'https://acme.okta.com', token: '${env:OKTA}'}, entra: {identity_of: warehouse}}}",
        ] {
            assert_eq!(checked(good), Ok(()), "{good}");
        }
        for (bad, word) in [
            ("{requests_per_minute: 0}", "at least 1"),
            ("{groups: 0, people: 0}", "every_seconds: 0"),
            ("{sources: {other: {identity_of: x}}}", "none of `sources`"),
            ("{sources: {okta: {url: 'https://acme.okta.com'}}}", "`url` and `token`"),
            ("{sources: {entra: {url: 'https://a', token: '${env:A}'}}}", "identity_of"),
            ("{sources: {okta: {url: 'http://acme.okta.com', token: '${env:A}'}}}", "url"),
            ("{sources: {okta: {url: 'https://acme.okta.com', token: 00abc}}}", "never the token itself"),
        ] {
            let said = checked(bad).unwrap_err();
            assert!(said.contains(word) && !said.contains("00abc"), "{bad}: {said}");
        }
    }

    #[test]
    fn a_token_is_read_beside_the_configuration_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("okta-token"), "00secret\n").unwrap();
        let yaml = "{sources: {okta: {url: 'https://acme.okta.com', token: '${file:okta-token}'}}}";
        let mut parity: Parity = serde_saphyr::from_str(yaml).unwrap();
        parity.anchor(folder.path());
        let source = parity.sources.values().next().unwrap();
        let (_, token) = source.okta().unwrap().unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&token), "00secret");
        assert!(!format!("{parity:?}").contains("00secret"));
    }
}

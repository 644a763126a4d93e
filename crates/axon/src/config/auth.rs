//! How the connectors of a source show who they are, and which proxies are believed.

mod one_or_many;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

use axon_api::auth::{AuthSettings, Federated, ForwardedBy, Proxies, SourceGrant};
use axon_identity_token::Rule;
use axon_model::SourceId;
use axon_store::ClientId;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use time::Duration;

use super::Config;
pub use one_or_many::OneOrMany;
use trust::Trust;

/// How the connectors of one source show who they are.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceAuth {
    /// Whether tokens of `axon token create` are accepted.
    pub tokens: bool,
    /// Tokens that an issuer signed, accepted as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<Trust>,
    /// Tokens that an issuer signed, taken for a client's secret at `/oauth2/token`; by the client's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub federated: BTreeMap<String, Trust>,
}

impl Default for SourceAuth {
    fn default() -> Self {
        Self { tokens: true, signed: Vec::new(), federated: BTreeMap::new() }
    }
}

/// The token endpoint.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OAuth {
    /// How long a token of it is accepted, seconds.
    pub access_token_seconds: i64,
}

impl Default for OAuth {
    fn default() -> Self {
        Self { access_token_seconds: 3600 }
    }
}

/// In which headers proxies say from whom a request is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, `-Proto`, `-Host`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Config {
    /// Who is trusted. The error is a key and what is wrong with it.
    pub fn auth(&self) -> Result<AuthSettings, (&'static str, String)> {
        let life = self.oauth.access_token_seconds;
        if !(60..=86_400).contains(&life) {
            return Err((
                "oauth.access_token_seconds",
                format!("is {life}: it may be 60 to 86400, an hour is usual"),
            ));
        }
        let header = match self.forwarded_by {
            ForwardedHeader::XForwarded => ForwardedBy::XForwarded,
            ForwardedHeader::Forwarded => ForwardedBy::Forwarded,
        };
        let mut settings = AuthSettings {
            access_time: Duration::seconds(life),
            proxies: Proxies { trusted: self.networks()?, header },
            ..AuthSettings::default()
        };
        let mut names = BTreeSet::new();
        for (id, source) in &self.sources {
            let bad =
                |place: String, reason: String| ("sources", format!("source {id}: auth.{place}: {reason}"));
            let auth = &source.auth;
            if !auth.tokens {
                if auth.signed.is_empty() && auth.federated.is_empty() {
                    let reason = "is off and nothing else is accepted: nobody could push";
                    return Err(bad("tokens".into(), reason.into()));
                }
                settings.signed_only.insert(id.clone());
            }
            for (i, trust) in auth.signed.iter().enumerate() {
                let rule = trust.rule(None).map_err(|reason| bad(format!("signed[{i}]"), reason))?;
                settings.signed.push((rule, grant(id, trust)));
            }
            for (name, trust) in &auth.federated {
                let place = || format!("federated.{name}");
                let client: ClientId = name.parse().map_err(|e| bad(place(), format!("{e}")))?;
                if !names.insert(client.clone()) {
                    return Err(bad(place(), "another source has a client of this name".into()));
                }
                let rule = trust.federated_rule().map_err(|reason| bad(place(), reason))?;
                settings.federated.push((rule, Federated { client, grant: grant(id, trust) }));
            }
        }
        let sources: Vec<_> = settings.signed.iter().map(|(rule, grant)| (rule, &grant.source)).collect();
        distinct(&sources).map_err(|text| ("sources", text))?;
        let clients: Vec<_> =
            settings.federated.iter().map(|(rule, federated)| (rule, &federated.client)).collect();
        distinct(&clients).map_err(|text| ("sources", text))?;
        Ok(settings)
    }

    fn networks(&self) -> Result<Vec<IpNet>, (&'static str, String)> {
        let network = |text: &String| {
            let one = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
            let network = text.parse::<IpNet>().ok().or_else(one);
            network.ok_or_else(|| {
                (
                    "trusted_proxies",
                    format!("holds {text:?}, which is no network such as 10.0.0.0/8 and no address"),
                )
            })
        };
        let networks: Vec<IpNet> = self.trusted_proxies.iter().map(network).collect::<Result<_, _>>()?;
        match networks.iter().find(|network| network.prefix_len() == 0) {
            Some(all) => {
                Err(("trusted_proxies", format!("holds {all}: whoever connects could say who it is")))
            }
            None => Ok(networks),
        }
    }
}

fn grant(source: &SourceId, trust: &Trust) -> SourceGrant {
    SourceGrant { source: source.clone(), scopes: trust.scope.0 }
}

/// Refuses rules that every token of one meets for the other too, where that gives something else.
fn distinct<T: Eq + std::fmt::Display>(rules: &[(&Rule, T)]) -> Result<(), String> {
    for (i, (rule, gives)) in rules.iter().enumerate() {
        for (other, other_gives) in &rules[i + 1..] {
            let overlap = rule.issuer.name == other.issuer.name
                && rule.audiences.iter().any(|audience| other.audiences.contains(audience))
                && rule.conditions == other.conditions;
            if overlap && gives != other_gives {
                return Err(format!(
                    "{gives} and {other_gives} take the same tokens of {}: give each `audience` or `claims` of its own",
                    rule.issuer.name
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! An issuer whose tokens are trusted, and what they must say.

use std::collections::BTreeMap;

use axon_identity_token::algorithm::USUAL;
use axon_identity_token::issuer::{ENTRA_AUTHORITY, ENTRA_V1_ISSUER};
use axon_identity_token::{Algorithm, Condition, Issuer, Rule};
use axon_store::Scopes;
use serde::{Deserialize, Serialize};
use time::Duration;

use super::one_or_many::OneOrMany;

/// The audience of the tokens that Entra's provisioning service sends to an application that is not of its gallery.
const ENTRA_PROVISIONING: &str = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621";
/// Claims that have a key of their own, or are always looked at.
const NOT_CONDITIONS: [(&str, &str); 5] = [
    ("iss", "issuer"),
    ("aud", "audience"),
    ("exp", "leeway_seconds"),
    ("nbf", "leeway_seconds"),
    ("iat", "leeway_seconds"),
];

/// An issuer, and what its tokens must say.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// A tenant of Microsoft Entra ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entra: Option<Entra>,
    /// Another issuer: `iss`, exactly as its tokens spell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Where its keys are, where it has no discovery document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// One of these must be in `aud`.
    #[serde(default)]
    pub audience: OneOrMany,
    /// `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Claims, each with its value or the values of which it must have one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, OneOrMany>,
    /// How tokens may be signed.
    #[serde(default = "usual")]
    pub algorithms: Vec<Algorithm>,
    /// How far the clocks may be apart.
    #[serde(default = "leeway")]
    pub leeway_seconds: i64,
    /// What such a token may do: `read` or `write`, and `users-only` beside it.
    #[serde(default)]
    pub scope: Scope,
}

/// A tenant of Microsoft Entra ID.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entra {
    /// Its id, a UUID.
    pub tenant: String,
    /// The version of its tokens.
    pub version: Version,
    /// Where the tenant signs in; of a national cloud, its address.
    #[serde(default = "authority")]
    pub authority: String,
    /// The base of `iss` in tokens of version 1.
    #[serde(default = "v1_issuer")]
    pub v1_issuer: String,
}

/// The version of Entra's tokens. The provisioning service sends `v1` as a token and `v2` as an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// `https://sts.windows.net/TENANT/`.
    V1,
    /// `https://login.microsoftonline.com/TENANT/v2.0`.
    V2,
}

/// Scopes as a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(pub Scopes);

impl TryFrom<String> for Scope {
    type Error = axon_store::tokens::BadScopes;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0.to_string()
    }
}

fn usual() -> Vec<Algorithm> {
    USUAL.to_vec()
}

fn leeway() -> i64 {
    60
}

fn authority() -> String {
    ENTRA_AUTHORITY.to_owned()
}

fn v1_issuer() -> String {
    ENTRA_V1_ISSUER.to_owned()
}

impl Trust {
    /// The rule for tokens that stand for a secret: the subject must be said, since an issuer speaks for many.
    pub(super) fn federated_rule(&self) -> Result<Rule, String> {
        if self.audience.0.is_empty() {
            return Err(
                "`audience` is missing: what the identity provider was told to ask a token for".into()
            );
        }
        let subject = self.subject.as_deref();
        self.rule(Some(subject.ok_or("`subject` is missing: the `sub` of the one who may ask for tokens")?))
    }

    /// The rule for such tokens.
    pub(super) fn rule(&self, subject: Option<&str>) -> Result<Rule, String> {
        let mut conditions = self.conditions()?;
        let mut one = |claim: &str, value: &str| {
            conditions.push(Condition { claim: claim.to_owned(), one_of: vec![value.to_owned()] });
        };
        if let Some(subject) = subject.or(self.subject.as_deref()) {
            one("sub", subject);
        }
        let issuer = self.issuer()?;
        let mut audiences = self.audience.0.clone();
        if let Some(entra) = &self.entra {
            one("tid", &entra.tenant);
            if audiences.is_empty() {
                audiences.push(ENTRA_PROVISIONING.to_owned());
            }
        }
        if audiences.is_empty() || audiences.iter().any(String::is_empty) {
            return Err("`audience` is missing: without it a token for another service would be taken".into());
        }
        if self.algorithms.is_empty() {
            return Err("`algorithms` names none".into());
        }
        if !(0..=300).contains(&self.leeway_seconds) {
            return Err(format!("`leeway_seconds` is {}: it may be 0 to 300", self.leeway_seconds));
        }
        Ok(Rule {
            issuer,
            audiences,
            algorithms: self.algorithms.clone(),
            leeway: Duration::seconds(self.leeway_seconds),
            conditions,
        })
    }

    fn conditions(&self) -> Result<Vec<Condition>, String> {
        for (claim, OneOrMany(values)) in &self.claims {
            if let Some((_, key)) = NOT_CONDITIONS.iter().find(|(name, _)| name == claim) {
                return Err(format!("`claims.{claim}` is no condition: it is looked at by `{key}`"));
            }
            if values.is_empty() || claim.is_empty() {
                return Err(format!("`claims.{claim}` names no value"));
            }
        }
        let condition = |(claim, OneOrMany(values)): (&String, &OneOrMany)| Condition {
            claim: claim.clone(),
            one_of: values.clone(),
        };
        Ok(self.claims.iter().map(condition).collect())
    }

    fn issuer(&self) -> Result<Issuer, String> {
        let issuer = match (&self.entra, &self.issuer, &self.jwks) {
            (Some(entra), None, None) => return entra.issuer(),
            (None, Some(issuer), None) => Issuer::discovered(issuer),
            (None, Some(issuer), Some(jwks)) => Issuer::with_jwks(issuer, jwks),
            (Some(_), _, _) => {
                return Err("`entra` says where the tokens come from: leave out `issuer` and `jwks`".into());
            }
            (None, None, _) => {
                return Err("says neither `entra: { tenant: … }` nor `issuer: https://…`".into());
            }
        };
        issuer.map_err(|error| error.to_string())
    }
}

impl Entra {
    fn issuer(&self) -> Result<Issuer, String> {
        if self.tenant.len() != 36 || uuid::Uuid::try_parse(&self.tenant).is_err() {
            return Err(format!(
                "`entra.tenant` is {:?}: its id is wanted, such as 11111111-2222-3333-4444-555555555555",
                self.tenant
            ));
        }
        let issuer = match self.version {
            Version::V1 => Issuer::entra_v1(&self.tenant, &self.authority, &self.v1_issuer),
            Version::V2 => Issuer::entra_v2(&self.tenant, &self.authority),
        };
        issuer.map_err(|error| error.to_string())
    }
}

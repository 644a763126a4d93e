//! Who operates Axon over its API, beside the tokens of `axon token create --operator`: jobs by rules, and whether a second
//! person is needed.

mod job;

use std::collections::BTreeMap;

use axon_api::operators::JobRule;
use axon_identity_token::rule::LEEWAY;
use axon_identity_token::{Issuer, Rule};
use serde::{Deserialize, Serialize};
use time::Duration;

use super::Config;
use super::auth::OneOrMany;
pub use job::Job;

/// The operators' API.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operators {
    /// Whether every version of the role map waits until another person releases it, by whichever way it comes.
    pub second_person: bool,
    /// For how many days a version can be released after it was proposed.
    pub proposals_expire_days: u16,
    /// Jobs whose signed tokens are taken as an operator's; by a name of ours.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub jobs: BTreeMap<String, Job>,
    /// Issuers whose jobs may exchange their tokens for what a service identity of the role map holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exchange: Vec<Exchange>,
    /// How long an exchanged token is accepted at most, seconds.
    pub exchanged_token_seconds: i64,
    /// How many requests of one operator or job are answered a second.
    pub requests_per_second: u32,
}

impl Default for Operators {
    fn default() -> Self {
        Self {
            second_person: false,
            proposals_expire_days: 7,
            jobs: BTreeMap::new(),
            exchange: Vec::new(),
            exchanged_token_seconds: 900,
            requests_per_second: 10,
        }
    }
}

/// An issuer whose jobs may exchange their tokens. Which job is which service identity is said in the role map.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// `iss`, exactly as its tokens spell it.
    pub issuer: String,
    /// Where its keys are, where it has no discovery document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// One of these must be in `aud`.
    pub audience: OneOrMany,
}

/// What the section comes to.
pub struct OperatorRules {
    /// Whose signed tokens are taken as an operator's.
    pub jobs: Vec<(Rule, JobRule)>,
    /// Whose signed tokens may be exchanged.
    pub exchange: Vec<Rule>,
    /// How long an exchanged token is accepted at most.
    pub exchanged_for: Duration,
    /// For how long a proposal can be released.
    pub proposals_last: Duration,
}

impl Config {
    /// The rules for operators. The error is a key and what is wrong with it.
    pub fn operator_rules(&self) -> Result<OperatorRules, (&'static str, String)> {
        let bad = |reason: String| ("operators", reason);
        let Operators {
            second_person: _,
            proposals_expire_days,
            jobs,
            exchange,
            exchanged_token_seconds,
            requests_per_second,
        } = &self.operators;
        if *requests_per_second == 0 {
            return Err(bad("requests_per_second is 0: nobody could ask for anything".into()));
        }
        if *proposals_expire_days == 0 {
            return Err(bad("proposals_expire_days is 0: nothing could be released".into()));
        }
        if !(60..=3600).contains(exchanged_token_seconds) {
            let text = format!("exchanged_token_seconds is {exchanged_token_seconds}: it may be 60 to 3600");
            return Err(bad(text));
        }
        let mut rules = Vec::new();
        for (name, job) in jobs {
            let place = |reason: String| bad(format!("jobs.{name}: {reason}"));
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if !plain || !(1..=80).contains(&name.len()) {
                return Err(place("a name is 1 to 80 letters, digits, `-`, `_` or `.`".into()));
            }
            rules.push((job.rule().map_err(place)?, job.gives(name).map_err(place)?));
        }
        for (i, (rule, gives)) in rules.iter().enumerate() {
            let same = |other: &&(Rule, JobRule)| {
                other.0.issuer.name == rule.issuer.name
                    && other.0.conditions == rule.conditions
                    && shares_audience(&other.0, rule)
            };
            if let Some((_, other)) = rules[i + 1..].iter().find(same) {
                return Err(bad(format!(
                    "jobs.{} and jobs.{} take the same tokens: make their conditions differ",
                    gives.name, other.name
                )));
            }
        }
        let exchange: Vec<Rule> = exchange
            .iter()
            .enumerate()
            .map(|(i, one)| one.rule().map_err(|e| bad(format!("exchange[{i}]: {e}"))))
            .collect::<Result<_, _>>()?;
        // What an identity provider signs for a source makes nobody an operator.
        let auth = self.auth()?;
        let sources =
            auth.signed.iter().map(|(rule, _)| rule).chain(auth.federated.iter().map(|(rule, _)| rule));
        for source in sources {
            let shared =
                |rule: &&Rule| rule.issuer.name == source.issuer.name && shares_audience(rule, source);
            if rules.iter().map(|(rule, _)| rule).chain(&exchange).any(|rule| shared(&rule)) {
                return Err(bad(format!(
                    "takes tokens of {} for an audience that a source takes too: give the jobs an audience of their own",
                    source.issuer.name
                )));
            }
        }
        Ok(OperatorRules {
            jobs: rules,
            exchange,
            exchanged_for: Duration::seconds(*exchanged_token_seconds),
            proposals_last: Duration::days((*proposals_expire_days).into()),
        })
    }
}

fn shares_audience(a: &Rule, b: &Rule) -> bool {
    a.audiences.iter().any(|audience| b.audiences.contains(audience))
}

impl Exchange {
    fn rule(&self) -> Result<Rule, String> {
        rule(issuer(&self.issuer, self.jwks.as_deref())?, &self.audience, Vec::new())
    }
}

fn issuer(name: &str, jwks: Option<&str>) -> Result<Issuer, String> {
    let issuer = match jwks {
        Some(jwks) => Issuer::with_jwks(name, jwks),
        None => Issuer::discovered(name),
    };
    issuer.map_err(|error| error.to_string())
}

fn rule(
    issuer: Issuer,
    audience: &OneOrMany,
    conditions: Vec<axon_identity_token::Condition>,
) -> Result<Rule, String> {
    if audience.0.is_empty() || audience.0.iter().any(String::is_empty) {
        return Err("`audience` is missing: without it a token for another service would be taken".into());
    }
    let algorithms = axon_identity_token::algorithm::USUAL.to_vec();
    Ok(Rule { issuer, audiences: audience.0.clone(), algorithms, leeway: LEEWAY, conditions })
}

#[cfg(test)]
mod tests;

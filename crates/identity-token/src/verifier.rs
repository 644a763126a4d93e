//! Rules, and what a token that meets them gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use axon_model::Clock;
use time::OffsetDateTime;

use crate::claims::Claims;
use crate::fetch::Fetcher;
use crate::issuer::Issuer;
use crate::refusal::Refusal;
use crate::ring::KeyRing;
use crate::rule::Rule;
use crate::token::Unproved;

/// Verifies tokens by rules, each with what it gives.
pub struct Verifier<G> {
    trusts: Vec<Trust<G>>,
    clock: Arc<dyn Clock>,
}

struct Trust<G> {
    rule: Rule,
    ring: Arc<KeyRing>,
    gives: G,
}

/// A token that holds.
#[derive(Debug)]
pub struct Verified<'v, G> {
    /// What it says.
    pub claims: Claims,
    /// What the rules give that it meets: at least one, in the order of the rules.
    pub gives: Vec<&'v G>,
    /// The first instant at which it holds no longer.
    pub until: OffsetDateTime,
}

/// There is no way to reach issuers from this machine.
#[derive(Debug, thiserror::Error)]
#[error("no client for issuers' keys can be made")]
pub struct NoClient(#[source] Box<dyn std::error::Error + Send + Sync>);

impl<G> Verifier<G> {
    /// A verifier by these rules. Nothing is read before the first token.
    pub fn new(rules: Vec<(Rule, G)>, clock: Arc<dyn Clock>) -> Result<Self, NoClient> {
        let mut rings: BTreeMap<Issuer, Arc<KeyRing>> = BTreeMap::new();
        let mut trusts = Vec::with_capacity(rules.len());
        if !rules.is_empty() {
            let fetcher = Fetcher::new().map_err(|error| NoClient(error.into()))?;
            for (rule, gives) in rules {
                let make = || Arc::new(KeyRing::new(rule.issuer.clone(), fetcher.clone(), clock.clone()));
                let ring = rings.entry(rule.issuer.clone()).or_insert_with(make).clone();
                trusts.push(Trust { rule, ring, gives });
            }
        }
        Ok(Self { trusts, clock })
    }

    /// Whether there is any rule.
    pub fn is_empty(&self) -> bool {
        self.trusts.is_empty()
    }

    /// Verifies a token: its signature by its issuer's keys, then the rules of that issuer.
    pub async fn verify(&self, text: &str) -> Result<Verified<'_, G>, Refusal> {
        let token = Unproved::read(text)?;
        let of_issuer: Vec<&Trust<G>> =
            self.trusts.iter().filter(|trust| trust.rule.issuer.name == token.issuer).collect();
        if of_issuer.is_empty() {
            return Err(Refusal::UnknownIssuer);
        }
        let mut refusal = Refusal::WrongAlgorithm;
        let mut proved: Option<(&Issuer, Claims)> = None;
        let (mut gives, mut until) = (Vec::new(), None);
        for trust in of_issuer {
            if !trust.rule.algorithms.contains(&token.algorithm) {
                continue;
            }
            let claims = match &proved {
                Some((issuer, claims)) if **issuer == trust.rule.issuer => claims.clone(),
                _ => match prove(&token, &trust.ring).await {
                    Ok(claims) => claims,
                    Err(why) => {
                        refusal = why;
                        continue;
                    }
                },
            };
            match trust.rule.check(&claims, self.clock.now()) {
                Ok(()) => {
                    gives.push(&trust.gives);
                    let its = trust.rule.until(&claims);
                    until = Some(until.map_or(its, |so_far: OffsetDateTime| so_far.min(its)));
                }
                Err(why) => refusal = why,
            }
            proved = Some((&trust.rule.issuer, claims));
        }
        match (until, proved) {
            (Some(until), Some((_, claims))) => Ok(Verified { claims, gives, until }),
            _ => Err(refusal),
        }
    }
}

/// The claims, if one of the keys that may have signed has.
async fn prove(token: &Unproved<'_>, ring: &Arc<KeyRing>) -> Result<Claims, Refusal> {
    let keys = ring.find(token.kid.as_deref(), token.algorithm).await?;
    let mut refusal = Refusal::UnknownKey;
    for key in &keys {
        match token.prove(key) {
            Ok(claims) => return Ok(claims),
            Err(why) => refusal = why,
        }
    }
    Err(refusal)
}

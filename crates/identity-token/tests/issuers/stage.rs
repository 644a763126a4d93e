//! An issuer, a clock, a verifier.

use std::sync::Arc;

use axon_identity_token::algorithm::USUAL;
use axon_identity_token::rule::LEEWAY;
use axon_identity_token::testing::{FakeIssuer, SigningKey};
use axon_identity_token::{Algorithm, Condition, Issuer, Refusal, Rule, Verifier};
use axon_model::{Clock as _, ManualClock};
use serde_json::{Value, json};

pub const AUDIENCE: &str = "api://axon";

pub struct Stage {
    pub issuer: FakeIssuer,
    pub clock: Arc<ManualClock>,
    pub verifier: Verifier<&'static str>,
    pub key: SigningKey,
}

impl Stage {
    /// One OpenID Connect issuer with one key on P-256, and one rule.
    pub async fn start() -> Self {
        Self::with(SigningKey::p256("one"), |issuer| {
            vec![(rule(Issuer::discovered(issuer).unwrap()), "axon")]
        })
        .await
    }

    pub async fn with(key: SigningKey, rules: impl FnOnce(&str) -> Vec<(Rule, &'static str)>) -> Self {
        let issuer = FakeIssuer::start().await;
        issuer.issue("", issuer.base(), &[&key]);
        let clock = Arc::new(ManualClock::at(time::macros::datetime!(2026-11-22 08:00 UTC)));
        let verifier = Verifier::new(rules(issuer.base()), clock.clone()).unwrap();
        Self { issuer, clock, verifier, key }
    }

    pub fn now(&self) -> i64 {
        self.clock.now().unix_timestamp()
    }

    /// Claims that meet the rule.
    pub fn claims(&self) -> Value {
        json!({"iss": self.issuer.base(), "aud": AUDIENCE, "sub": "provisioner", "iat": self.now(),
               "nbf": self.now(), "exp": self.now() + 3600})
    }

    /// The same with other values; null takes one away.
    pub fn claims_but(&self, other: Value) -> Value {
        let mut claims = self.claims();
        let Value::Object(other) = other else { panic!("an object") };
        for (name, value) in other {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(&name);
            } else {
                claims[name] = value;
            }
        }
        claims
    }

    pub async fn refusal(&self, token: &str) -> Option<Refusal> {
        self.verifier.verify(token).await.err()
    }
}

pub fn rule(issuer: Issuer) -> Rule {
    Rule {
        issuer,
        audiences: vec![AUDIENCE.to_owned()],
        algorithms: USUAL.to_vec(),
        leeway: LEEWAY,
        conditions: Vec::new(),
    }
}

pub fn with_algorithms(mut rule: Rule, algorithms: &[Algorithm]) -> Rule {
    rule.algorithms = algorithms.to_vec();
    rule
}

pub fn with_condition(mut rule: Rule, claim: &str, one_of: &[&str]) -> Rule {
    let one_of = one_of.iter().map(|&value| value.to_owned()).collect();
    rule.conditions.push(Condition { claim: claim.to_owned(), one_of });
    rule
}

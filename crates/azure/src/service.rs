//! One REST service: its address, its tokens, its pace, and what its refusals mean.

mod fault;

use std::sync::Arc;

use axon_model::Clock;
use axon_reconcile::TokenSource;

pub(crate) use fault::{Kind, ServiceFault};

use crate::cloud::Base;
use crate::pace::Pace;
use crate::token::ResourceToken;
use crate::wire::{Answer, Call, Wire};

/// Where tokens for a service come from.
#[derive(Clone)]
pub struct Bearer {
    source: Arc<dyn TokenSource>,
    own: Option<ResourceToken>,
}

impl Bearer {
    /// Tokens that somebody else makes: a file, a command.
    pub fn from_source(source: Arc<dyn TokenSource>) -> Self {
        Self { source, own: None }
    }
}

impl From<ResourceToken> for Bearer {
    fn from(token: ResourceToken) -> Self {
        Self { source: Arc::new(token.clone()), own: Some(token) }
    }
}

/// One service.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) base: Base,
    wire: Wire,
    bearer: Bearer,
    pub(crate) clock: Arc<dyn Clock>,
    pace: Pace,
    told_apart: fn(&crate::wire::Problem) -> (Kind, &'static str),
}

impl Service {
    pub(crate) fn new(
        name: &'static str,
        base: Base,
        wire: Wire,
        bearer: Bearer,
        clock: Arc<dyn Clock>,
        told_apart: fn(&crate::wire::Problem) -> (Kind, &'static str),
    ) -> Self {
        Self { name, base, wire, bearer, clock, pace: Pace::default(), told_apart }
    }

    /// Sends a request with a token. A refusal is a fault, whatever the status says.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Answer, ServiceFault> {
        if let Some(wait) = self.pace.wait(self.clock.now()) {
            return Err(ServiceFault::Hasty { service: self.name, wait });
        }
        let token = self.bearer.source.token().await.map_err(|e| ServiceFault::NoToken(e.0))?;
        let answer = self.wire.send(call.bearer(&token)).await?;
        if let Some(wait) = self.pace.note(&answer, self.clock.now()) {
            metrics::counter!("axon_azure_throttled_total", "service" => self.name).increment(1);
            return Err(ServiceFault::Hasty { service: self.name, wait });
        }
        let Some(problem) = answer.problem() else { return Ok(answer) };
        if problem.status == 401
            && let Some(own) = &self.bearer.own
        {
            own.refused();
        }
        let (kind, meaning) = (self.told_apart)(&problem);
        Err(ServiceFault::Refused { service: self.name, kind, meaning, problem })
    }

    /// Reads a list page by page: `next` gives the request of a page from the link or mark that the page before it gave.
    pub(crate) fn link(&self, link: &str) -> Result<Call<'static>, ServiceFault> {
        if link.len() <= 16 * 1024 && self.base.holds(link) {
            return Ok(Call::get(link.to_owned()));
        }
        let text = format!("{} names its next page at another address: it is not followed", self.name);
        Err(ServiceFault::Unreadable(text))
    }
}

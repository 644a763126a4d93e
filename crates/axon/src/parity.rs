//! Parity in this process: which identity providers can be read, what a look at them finds, what is kept of it, and what waits for
//! a person because of it (ADR 30).
//!
//! ```text
//!  schedule / axon parity ── look ── Upstream (GET only) ── compare ──> Kept (a summary in the store)
//!                                                                        └── ripe removals ──> holds ── released ──> carry
//! ```

mod carry;
mod kept;
mod look;
mod schedule;
mod services;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use axon_azure::parity::{GraphRoll, OktaRoll, Upstream};
use axon_mapping::{Auth, RoleMap};
use axon_model::SourceId;

pub use kept::Kept;
pub use look::{Asked, Extent, look, mapped};
pub use schedule::{grace, keep};
pub use services::{Exchanged, ServiceReport, services, watch_exchanges};

use crate::config::Kind;
use crate::wiring::Parts;

/// What is kept of every source that was ever looked at.
pub async fn all_kept(parts: &Parts) -> anyhow::Result<BTreeMap<SourceId, Kept>> {
    let mut all = BTreeMap::new();
    for source in parts.config.sources.keys() {
        let kept = Kept::load(parts.store.as_ref(), source).await?;
        if kept.at.is_some() {
            all.insert(source.clone(), kept);
        }
    }
    Ok(all)
}

/// The identity providers that can be read, by source, or why one cannot.
pub type Upstreams = BTreeMap<SourceId, Result<Arc<dyn Upstream>, String>>;

/// The identity providers that can be read, by source, or why one cannot. A source of which nothing is said and that nothing
/// leads to is left out.
pub fn upstreams(parts: &Parts, map: &RoleMap) -> anyhow::Result<Upstreams> {
    let ways = parts.ways()?;
    let parity = &parts.config.parity;
    let mut found = BTreeMap::new();
    for (id, source) in &parts.config.sources {
        let said = parity.sources.get(id);
        let upstream: Option<Result<Arc<dyn Upstream>, String>> = match source.kind {
            Kind::Okta => match said.map(crate::config::ParitySource::okta) {
                None | Some(Ok(None)) => None,
                Some(Ok(Some((base, token)))) => {
                    Some(Ok(Arc::new(OktaRoll::new(base, ways.wire(), &token, parts.clock.clone()))))
                }
                Some(Err(error)) => Some(Err(format!("{error:#}"))),
            },
            Kind::Entra | Kind::Generic => {
                let wanted = said.and_then(|one| one.identity_of.as_deref());
                match identity(map, wanted) {
                    // What is no source of Entra is compared with Graph only where somebody says so.
                    Ok(Some(auth)) if source.kind == Kind::Entra || wanted.is_some() => {
                        match ways.entra(auth) {
                            Ok(entra) => {
                                entra.map(|entra| Ok(Arc::new(GraphRoll::new(entra)) as Arc<dyn Upstream>))
                            }
                            Err(error) => Some(Err(format!("{error:#}"))),
                        }
                    }
                    Ok(_) => None,
                    Err(why) => Some(Err(why)),
                }
            }
        };
        if let Some(upstream) = upstream {
            found.insert(id.clone(), upstream);
        }
    }
    Ok(found)
}

/// The identity by which Graph is asked: that of a target, else the first one of Entra that a target has.
fn identity<'m>(map: &'m RoleMap, wanted: Option<&str>) -> Result<Option<&'m Auth>, String> {
    let of_entra =
        |auth: &&Auth| !matches!(auth, Auth::Sql { .. } | Auth::TokenFile(_) | Auth::TokenCommand(_));
    let Some(wanted) = wanted else {
        return Ok(map.targets.values().filter_map(|spec| spec.auth.as_ref()).find(of_entra));
    };
    let Some((_, spec)) = map.targets.iter().find(|(name, _)| name.as_str() == wanted) else {
        return Err(format!("`parity` names the target {wanted}, which the role map does not have"));
    };
    match spec.auth.as_ref().filter(of_entra) {
        Some(auth) => Ok(Some(auth)),
        None => Err(format!("target {wanted}, which `parity` names, has no identity of Entra")),
    }
}

//! Managed identity: the machine's metadata (VM, node of a cluster), or the platform's endpoint (App Service, Functions,
//! Container Apps).

use time::OffsetDateTime;

use super::fault::TokenFault;
use super::identity::Platform;
use super::received::Received;
use crate::cloud::{Cloud, Resource};
use crate::pace::Pace;
use crate::scrub::Scrub;
use crate::wire::{Call, Wire, encoded};

/// How it is called in messages.
pub(super) const ENDPOINT: &str = "the machine's identity endpoint";

/// Asks the machine for a token.
pub(super) async fn token(
    (wire, pace): (&Wire, &Pace),
    cloud: &Cloud,
    platform: &Platform,
    client_id: Option<&str>,
    resource: Resource,
    now: OffsetDateTime,
) -> Result<Received, TokenFault> {
    let chosen = client_id.map(|id| format!("&client_id={}", encoded(id))).unwrap_or_default();
    let audience = encoded(cloud.audience(resource));
    let call = if let Some((endpoint, header)) = &platform.service {
        Call::get(endpoint.at(&format!("?api-version=2019-08-01&resource={audience}{chosen}")))
            .secret_header("x-identity-header", header)
    } else {
        let path = "/metadata/identity/oauth2/token";
        Call::get(cloud.imds.at(&format!("{path}?api-version=2018-02-01&resource={audience}{chosen}")))
            .header("metadata", "true")
    };
    let who = client_id.map_or_else(
        || "its managed identity".to_owned(),
        |id| format!("the managed identity {}", axon_model::name::shown(id)),
    );
    let answer = wire.send_inside(call).await?;
    if let Some(wait) = pace.note(&answer, now) {
        return Err(TokenFault::Hasty { endpoint: ENDPOINT, wait });
    }
    if answer.status() != 200 {
        let header = platform.service.as_ref().map(|(_, header)| header);
        return Err(TokenFault::of_platform(&answer, &who, header.is_some(), &Scrub::of(header)));
    }
    Received::read(answer.body(), now)
        .map_err(|why| TokenFault::Unusable(format!("the machine's answer for {who} is of no use: {why}")))
}

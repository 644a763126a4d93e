//! The document of this API (OpenAPI 3.1), made of the routes themselves, and a page to read it.
//!
//! ```text
//!  operators::routes ─┐
//!  integrations ──────┼─> Table { route, handler, operation } ──> the router
//!  oauth, health ─────┘             └──> document ──> GET /openapi.json, axon openapi, docs/openapi.json
//!                                          └──> GET /docs (HTML without scripts)
//! ```
//!
//! A route enters the router by a [`Table`] alone, and a table takes none without its operation: the document cannot forget
//! one. SCIM is not in it: SCIM tells of itself under `/scim/v2/Schemas` (RFC 7644 section 4).

pub(crate) mod asking;
mod health;
pub(crate) mod integrations;
pub(crate) mod map;
pub(crate) mod oauth;
mod operation;
mod page;
mod schema;
mod serve;
mod shapes;
mod table;

use utoipa::openapi::path::{PathItem, PathsBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

pub(crate) use self::table::Table;

/// Where the document is.
pub(crate) const DOCUMENT: &str = "/openapi.json";
/// Where the page is.
pub(crate) const PAGE: &str = "/docs";
/// Where the page's style is.
pub(crate) const STYLE: &str = "/docs/style.css";

const ABOUT: &str = "What operators, jobs and clients of integrations say to Axon. SCIM is not told of here: it tells of itself \
under /scim/v2/ServiceProviderConfig, /scim/v2/Schemas and /scim/v2/ResourceTypes.\n\nTokens and keys are made with \
`axon token create --operator NAME --may …`. Each answer has an `x-request-id`. Whoever asks too often is answered 429, and told in \
`Retry-After` when to come back.";

/// The document.
pub fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    for line in crate::table().lines().into_iter().chain(health::lines()) {
        paths = paths.path(line.path, PathItem::new(line.method, line.op.built().build()));
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of `axon token create --operator`, or a job's signed token"));
    let key = ApiKeyValue::with_description("Authorization", "The same token alone, without a scheme");
    let components = ComponentsBuilder::new()
        .schemas_from_iter(shapes::all())
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
        .security_scheme("key", SecurityScheme::ApiKey(ApiKey::Header(key)));
    let tag = |name: &str, told: &str| TagBuilder::new().name(name).description(Some(told)).build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Axon")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(ABOUT))
                .license(Some(LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).build()))
                .build(),
        )
        .tags(Some([
            tag("integrations", "Databases that are made ready for secure views"),
            tag("operators", "The role map, what waits for a person, and what is asked for beside the map"),
            tag("tokens", "Tokens for sources and jobs"),
            tag("server", "The server itself"),
        ]))
        .paths(paths.build())
        .components(Some(components.build()))
        .build()
}

/// The document as text, with a line for each thing.
pub fn text() -> String {
    let mut text = document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// The routes of the document and its page.
pub(crate) fn routes() -> Table {
    serve::routes()
}

#[cfg(test)]
mod tests;

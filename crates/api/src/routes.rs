//! Which handler answers a request.
//!
//! One look at the path finds the route and with it the name that metrics, logs and the ledger have for it; a router of layers
//! would box and copy the request once for each of them. What stands in no line of this table is asked of the router beside it.

use std::pin::Pin;

use axum::extract::Request;
use axum::handler::Handler as _;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::health;
use crate::scim::{self, bulk, discovery, groups, me, root, users};
use crate::state::Api;

/// What a handler gives.
pub type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Liveness.
    Live,
    /// Readiness.
    Ready,
    /// Metrics.
    Metrics,
    /// All users.
    Users,
    /// A search of users.
    UserSearch,
    /// One user.
    User,
    /// All groups.
    Groups,
    /// A search of groups.
    GroupSearch,
    /// One group.
    Group,
    /// What this server can do.
    Config,
    /// The same, as some clients spell it.
    Configs,
    /// All schemas.
    Schemas,
    /// One schema.
    Schema,
    /// All resource types.
    ResourceTypes,
    /// One resource type.
    ResourceType,
    /// The caller.
    Me,
    /// Many operations in one request.
    Bulk,
    /// Users and groups.
    Root,
    /// A search of users and groups.
    RootSearch,
    /// A version that is not spoken here (RFC 7644 section 3.13).
    OtherVersion,
}

/// Where SCIM lives.
const SCIM: &str = "/scim/v2";
/// Versions that a client may ask for and that are not spoken here.
const OTHER_VERSIONS: [&str; 3] = ["/v1", "/v1.1", "/v3"];

impl Route {
    /// How many there are.
    pub const COUNT: usize = Self::OtherVersion as usize + 1;

    /// The route of a tidy path.
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "/healthz" => return Some(Self::Live),
            "/readyz" => return Some(Self::Ready),
            "/metrics" => return Some(Self::Metrics),
            _ => {}
        }
        let Some(below) = path.strip_prefix(SCIM) else {
            let other = path.strip_prefix("/scim")?;
            let is_below = |version: &str| {
                other.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            return OTHER_VERSIONS.into_iter().any(is_below).then_some(Self::OtherVersion);
        };
        if below.is_empty() {
            return Some(Self::Root);
        }
        let below = below.strip_prefix('/')?;
        let Some((folder, segment)) = below.split_once('/') else {
            return Some(match below {
                "Users" => Self::Users,
                "Groups" => Self::Groups,
                "ServiceProviderConfig" => Self::Config,
                "ServiceProviderConfigs" => Self::Configs,
                "Schemas" => Self::Schemas,
                "ResourceTypes" => Self::ResourceTypes,
                "Me" => Self::Me,
                "Bulk" => Self::Bulk,
                ".search" => Self::RootSearch,
                _ => return None,
            });
        };
        if segment.is_empty() || segment.contains('/') {
            return None;
        }
        Some(match (folder, segment) {
            ("Users", ".search") => Self::UserSearch,
            ("Users", _) => Self::User,
            ("Groups", ".search") => Self::GroupSearch,
            ("Groups", _) => Self::Group,
            ("Schemas", _) => Self::Schema,
            ("ResourceTypes", _) => Self::ResourceType,
            _ => return None,
        })
    }

    /// Its pattern.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "/healthz",
            Self::Ready => "/readyz",
            Self::Metrics => "/metrics",
            Self::Users => "/scim/v2/Users",
            Self::UserSearch => "/scim/v2/Users/.search",
            Self::User => "/scim/v2/Users/{id}",
            Self::Groups => "/scim/v2/Groups",
            Self::GroupSearch => "/scim/v2/Groups/.search",
            Self::Group => "/scim/v2/Groups/{id}",
            Self::Config => "/scim/v2/ServiceProviderConfig",
            Self::Configs => "/scim/v2/ServiceProviderConfigs",
            Self::Schemas => "/scim/v2/Schemas",
            Self::Schema => "/scim/v2/Schemas/{urn}",
            Self::ResourceTypes => "/scim/v2/ResourceTypes",
            Self::ResourceType => "/scim/v2/ResourceTypes/{name}",
            Self::Me => "/scim/v2/Me",
            Self::Bulk => "/scim/v2/Bulk",
            Self::Root => "/scim/v2",
            Self::RootSearch => "/scim/v2/.search",
            Self::OtherVersion => "/scim/{version}",
        }
    }

    /// The handler's answer. To GET a HEAD is the same: whoever sends the answer leaves the body out.
    pub fn answer(self, request: Request, api: Api) -> Answering {
        let method = request.method();
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match self {
            Self::Me => me::handle.call(request, api),
            Self::OtherVersion => scim::other_version.call(request, api),
            Self::Live if reads => health::live.call(request, api),
            Self::Ready if reads => health::ready.call(request, api),
            Self::Metrics if reads => health::metrics.call(request, api),
            Self::Config | Self::Configs if reads => discovery::config.call(request, api),
            Self::Schemas if reads => discovery::schemas.call(request, api),
            Self::Schema if reads => discovery::schema.call(request, api),
            Self::ResourceTypes if reads => discovery::resource_types.call(request, api),
            Self::ResourceType if reads => discovery::resource_type.call(request, api),
            Self::Root if reads => root::list.call(request, api),
            Self::RootSearch if *method == Method::POST => root::search.call(request, api),
            Self::Bulk if *method == Method::POST => bulk::handle.call(request, api),
            Self::Users if reads => users::list::handle.call(request, api),
            Self::Users if *method == Method::POST => users::create::handle.call(request, api),
            Self::UserSearch if *method == Method::POST => users::search::handle.call(request, api),
            Self::User if reads => users::get::handle.call(request, api),
            Self::User if *method == Method::PUT => users::replace::handle.call(request, api),
            Self::User if *method == Method::PATCH => users::patch::handle.call(request, api),
            Self::User if *method == Method::DELETE => users::delete::handle.call(request, api),
            Self::Groups if reads => groups::list::handle.call(request, api),
            Self::Groups if *method == Method::POST => groups::create::handle.call(request, api),
            Self::GroupSearch if *method == Method::POST => groups::search::handle.call(request, api),
            Self::Group if reads => groups::get::handle.call(request, api),
            Self::Group if *method == Method::PUT => groups::replace::handle.call(request, api),
            Self::Group if *method == Method::PATCH => groups::patch::handle.call(request, api),
            Self::Group if *method == Method::DELETE => groups::delete::handle.call(request, api),
            _ => Box::pin(std::future::ready(self.has_no_such_method())),
        }
    }

    /// The methods that it has.
    const fn allow(self) -> &'static str {
        match self {
            Self::Users | Self::Groups => "GET,HEAD,POST",
            Self::User | Self::Group => "GET,HEAD,PUT,PATCH,DELETE",
            Self::UserSearch | Self::GroupSearch | Self::RootSearch | Self::Bulk => "POST",
            _ => "GET,HEAD",
        }
    }

    fn has_no_such_method(self) -> Response {
        let allow = (header::ALLOW, HeaderValue::from_static(self.allow()));
        (StatusCode::METHOD_NOT_ALLOWED, [allow]).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_route_whose_pattern_it_has() {
        for (path, name) in [
            ("/healthz", "/healthz"),
            ("/scim/v2", "/scim/v2"),
            ("/scim/v2/Users", "/scim/v2/Users"),
            ("/scim/v2/Users/.search", "/scim/v2/Users/.search"),
            ("/scim/v2/Users/7", "/scim/v2/Users/{id}"),
            ("/scim/v2/Users/%2F", "/scim/v2/Users/{id}"),
            ("/scim/v2/Groups/.search", "/scim/v2/Groups/.search"),
            ("/scim/v2/Groups/7", "/scim/v2/Groups/{id}"),
            ("/scim/v2/Schemas/urn:a:b", "/scim/v2/Schemas/{urn}"),
            ("/scim/v2/ResourceTypes/User", "/scim/v2/ResourceTypes/{name}"),
            ("/scim/v2/.search", "/scim/v2/.search"),
            ("/scim/v1", "/scim/{version}"),
            ("/scim/v1.1/Users/7", "/scim/{version}"),
            ("/scim/v3/Users", "/scim/{version}"),
        ] {
            assert_eq!(Route::of(path).map(Route::name), Some(name), "{path}");
        }
        for none in [
            "",
            "/",
            "/scim",
            "/scim/v22",
            "/scim/v2x/Users",
            "/scim/v4/Users",
            "/scim/v2/",
            "/scim/v2/users",
            "/scim/v2/Users/",
            "/scim/v2/Users/7/x",
            "/scim/v2/Me/7",
            "/scim/v2/%55sers",
            "/healthz/x",
        ] {
            assert_eq!(Route::of(none), None, "{none}");
        }
    }
}

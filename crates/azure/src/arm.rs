//! Roles of Azure Resource Manager at one scope, as a target. Source: reference, section 7.3.

mod around;
mod custom;
mod definitions;
mod limit;
mod managed;
mod meaning;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use axon_model::{Clock, SqlName};
use reqwest::Method;
use serde_json::json;

use crate::assigned::{AssignedTarget, Definitions, Listing, Notes, PageRead, Place, RoleAt, Row, Sent, Who};
use crate::cloud::Base;
use crate::entra::Entra;
use crate::guid::Guid;
use crate::service::{Bearer, Kind, Service, ServiceFault};
use crate::wire::{Call, Content, Wire};

pub use around::{Around, Holder, Power, SqlSide, around};
pub use custom::{BadRole, CustomRole};
pub use limit::{Forecast, Pace};
pub use managed::ManagedIdentities;
pub(crate) use managed::is_resource;

const ASSIGNMENTS: &str = "providers/Microsoft.Authorization/roleAssignments";
const DEFINITIONS: &str = "providers/Microsoft.Authorization/roleDefinitions";
const VERSION: &str = "api-version=2022-04-01";

/// A scope of Azure.
struct Scope {
    service: Service,
    /// As the role map spells it, without a slash at its end.
    path: String,
    custom: BTreeMap<SqlName, CustomRole>,
    elsewhere: BTreeSet<SqlName>,
    limit: limit::Limit,
}

/// What leads to a scope of Azure.
pub struct ArmParts {
    /// The address of Azure Resource Manager.
    pub arm: Base,
    /// The scope, beginning with a slash.
    pub scope: String,
    /// Roles of the role map's own, by the names that Azure shows.
    pub custom: BTreeMap<SqlName, CustomRole>,
    /// Roles that the role map defines for other targets: one of those may stand in the same resource group.
    pub elsewhere: BTreeSet<SqlName>,
    /// Tokens for Azure Resource Manager.
    pub bearer: Bearer,
    /// The client.
    pub wire: Wire,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who is who, where Graph may be asked.
    pub entra: Option<Arc<Entra>>,
}

/// The scope cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no scope: write it like /subscriptions/ID/resourceGroups/NAME")]
pub struct BadScope(String);

/// The roles at a scope of Azure as a target. Nothing is asked yet.
pub fn azure_rbac(target: &str, parts: ArmParts) -> Result<AssignedTarget, BadScope> {
    let ArmParts { arm, scope, custom, elsewhere, bearer, wire, clock, entra } = parts;
    let path = plain_scope(&scope)?;
    let service = Service::new("Azure Resource Manager", arm, wire, bearer, clock, meaning::told_apart);
    let limit = limit::Limit::default();
    Ok(AssignedTarget::new(target, Box::new(Scope { service, path, custom, elsewhere, limit }), entra))
}

/// A scope as it may stand in a path, without a slash at its end.
fn plain_scope(scope: &str) -> Result<String, BadScope> {
    let path = scope.trim_end_matches('/').to_owned();
    let plain = path.starts_with('/')
        && !path.contains("//")
        && !path.contains(['?', '#', '\\', '%', ' '])
        && path.split('/').all(|segment| segment != "." && segment != "..")
        && path.is_ascii()
        && !path.chars().any(char::is_control);
    if plain { Ok(path) } else { Err(BadScope(axon_model::name::shown(scope))) }
}

impl Scope {
    /// The subscription of the scope, where it is in one.
    fn subscription(&self) -> Option<&str> {
        let mut segments = self.path.split('/').skip(1);
        segments.next().filter(|word| word.eq_ignore_ascii_case("subscriptions"))?;
        segments.next().filter(|id| !id.is_empty())
    }

    /// A definition's own id: those of a subscription are named under it.
    fn definition_path(&self, role: Guid) -> String {
        match self.subscription() {
            Some(id) => format!("/subscriptions/{id}/{DEFINITIONS}/{role}"),
            None => format!("/{DEFINITIONS}/{role}"),
        }
    }

    fn folded(&self) -> String {
        self.path.to_ascii_lowercase()
    }
}

#[async_trait]
impl Place for Scope {
    fn service(&self) -> &Service {
        &self.service
    }

    fn title(&self) -> String {
        format!("Azure RBAC at {}", self.path)
    }

    async fn definitions(&self) -> Result<(Definitions, Notes), ServiceFault> {
        definitions::list(&self.service, &self.path).await
    }

    async fn rows(&self, of: Option<Guid>) -> Result<Listing, ServiceFault> {
        let mut listing = rows::list(&self.service, &self.path, of).await?;
        if of.is_none()
            && let Some(subscription) = self.subscription()
        {
            let now = self.service.clock.now();
            if let Some(told) = self.limit.look(&self.service, subscription, now).await {
                listing.advice.add(told);
            }
        }
        Ok(listing)
    }

    async fn page(&self, from: Option<&str>) -> Result<PageRead, ServiceFault> {
        rows::one_page(&self.service, &self.path, from).await
    }

    fn role(&self, name: SqlName, definitions: &Definitions) -> Result<RoleAt, String> {
        let at = |role| RoleAt { role, scope: self.folded() };
        if self.custom.contains_key(&name) {
            return Ok(at(custom::id(&self.path, name)));
        }
        let found: Vec<_> = definitions.named(name.as_str()).collect();
        // Where a custom role has taken a built-in one's name, the built-in one is meant.
        let built_in: Vec<_> = found.iter().copied().filter(|d| d.built_in).collect();
        match (found.as_slice(), built_in.as_slice()) {
            ([one], _) | (_, [one]) => Ok(at(one.id)),
            ([], _)
                if name.folded().starts_with("synapse ") || name.folded().starts_with("apache spark ") =>
            {
                Err(format!(
                    "{name} is a role of the workspace (synapse) and not of Azure: assign it in a target of kind synapse-workspace"
                ))
            }
            ([], _) => Err(format!(
                "Azure has no role {name} at {}: check its spelling, and where it may be assigned",
                self.path
            )),
            _ => {
                let ids: Vec<String> = found.iter().map(|d| d.id.to_string()).collect();
                Err(format!("{name} names several custom roles at {}: {}", self.path, ids.join(", ")))
            }
        }
    }

    fn name(&self, role: Guid, _scope: &str, definitions: &Definitions) -> String {
        definitions.of(role).map_or_else(|| role.to_string(), |definition| definition.name.clone())
    }

    fn administers(&self, row: &Row) -> bool {
        rows::ADMINISTER.contains(&row.role)
    }

    async fn put(&self, at: &RoleAt, who: &Who) -> Sent {
        let (role, id) = (at.role.to_string(), who.id.to_string());
        let row = Guid::of_row(&["azure", &self.path, &role, &id]);
        let body = json!({"properties": {
            "roleDefinitionId": self.definition_path(at.role),
            "principalId": id,
            "principalType": who.kind.principal_type(),
        }})
        .to_string();
        let url = self.service.base.at(&format!("{}/{ASSIGNMENTS}/{row}?{VERSION}", self.path));
        let call = Call::new(Method::PUT, url);
        let statement = format!("{} {body}", call.line());
        let result = match self.service.call(call.content(Content::Json(body))).await {
            Ok(answer) => rows::one(&answer, &self.path),
            Err(fault) => Err(fault),
        };
        if result.is_ok() {
            self.limit.given(1);
        }
        Sent { statement, result }
    }

    async fn delete(&self, row: &Row) -> Sent {
        // The row's own id is a path below the address; what is none is not followed.
        if !rows::is_row_of(&self.path, &row.id) {
            let text = format!("the row {} is not one of {}", axon_model::name::shown(&row.id), self.path);
            return Sent { statement: String::new(), result: Err(ServiceFault::Unsupported(text)) };
        }
        let call = Call::new(Method::DELETE, self.service.base.at(&format!("{}?{VERSION}", row.id)));
        let statement = call.line();
        let result = match self.service.call(call).await {
            Ok(_) => Ok(None),
            Err(fault) if fault.kind() == Some(Kind::Missing) => Ok(None),
            Err(fault) => Err(fault),
        };
        if result.is_ok() {
            self.limit.given(-1);
        }
        Sent { statement, result }
    }

    async fn define(&self, name: SqlName) -> Sent {
        let Some(role) = self.custom.get(&name) else {
            let text = format!("{name} is not defined in the role map");
            return Sent { statement: String::new(), result: Err(ServiceFault::Unsupported(text)) };
        };
        let id = custom::id(&self.path, name);
        let body = role.body(name, &self.path).to_string();
        let url = self.service.base.at(&format!("{}/{DEFINITIONS}/{id}?{VERSION}", self.path));
        let call = Call::new(Method::PUT, url);
        let statement = format!("{} {body}", call.line());
        let result = self.service.call(call.content(Content::Json(body))).await.map(|_| None);
        Sent { statement, result }
    }

    async fn undefine(&self, at: &RoleAt) -> Sent {
        let url = self.service.base.at(&format!("{}/{DEFINITIONS}/{}?{VERSION}", self.path, at.role));
        let call = Call::new(Method::DELETE, url);
        let statement = call.line();
        let result = match self.service.call(call).await {
            Ok(_) => Ok(None),
            Err(fault) if fault.kind() == Some(Kind::Missing) => Ok(None),
            Err(fault) => Err(fault),
        };
        Sent { statement, result }
    }

    fn retired(&self, definitions: &Definitions) -> Vec<(SqlName, RoleAt)> {
        let custom = definitions.all().iter().filter(|definition| !definition.built_in);
        let own = custom.filter_map(|definition| {
            let name = SqlName::parse(&definition.name).ok()?;
            // Its id follows from its place and name, so it is one that Axon made.
            let made = definition.id == custom::id(&self.path, name);
            let left = !self.custom.contains_key(&name) && !self.elsewhere.contains(&name);
            (made && left).then(|| (name, RoleAt { role: definition.id, scope: self.folded() }))
        });
        own.collect()
    }

    fn is_as_defined(&self, name: SqlName, definitions: &Definitions) -> Option<bool> {
        let role = self.custom.get(&name)?;
        let there = definitions.of(custom::id(&self.path, name));
        Some(there.is_some_and(|there| role.is(&there.allows) && there.name == name.as_str()))
    }

    fn tells_effect(&self) -> bool {
        false
    }

    async fn in_effect(&self, _row: &Row, _definitions: &Definitions) -> Result<Option<bool>, ServiceFault> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests;

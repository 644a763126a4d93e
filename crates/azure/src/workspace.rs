//! A workspace's own roles (Synapse RBAC), as a target. Source: reference, sections 7.1 and 7.2.

mod access;
mod definitions;
mod known;
mod meaning;
mod rows;
mod scope;

use std::sync::Arc;

use async_trait::async_trait;
use axon_model::{Clock, SqlName};
use reqwest::Method;
use serde_json::json;

use crate::assigned::{
    AssignedTarget, Definition, Definitions, Listing, Notes, PageRead, Place, RoleAt, Row, Sent, Who,
};
use crate::cloud::Base;
use crate::entra::Entra;
use crate::guid::Guid;
use crate::service::{Bearer, Service, ServiceFault};
use crate::wire::{Call, Content, Wire};
use scope::ItemScope;

pub use scope::BadWorkspace;

const VERSION: &str = "api-version=2020-12-01";

/// A workspace.
struct Workspace {
    service: Service,
    /// Its name, as scopes spell it.
    name: String,
}

/// What leads to a workspace.
pub struct WorkspaceParts {
    /// Its address, such as `https://acme.dev.azuresynapse.net`.
    pub endpoint: Base,
    /// Its name where the address does not begin with it.
    pub name: Option<String>,
    /// Tokens for the Synapse data plane.
    pub bearer: Bearer,
    /// The client.
    pub wire: Wire,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who is who, where Graph may be asked.
    pub entra: Option<Arc<Entra>>,
}

/// The roles of a workspace as a target. Nothing is asked yet.
pub fn workspace(target: &str, parts: WorkspaceParts) -> Result<AssignedTarget, BadWorkspace> {
    let name = scope::workspace_name(&parts.endpoint, parts.name.as_deref())?;
    let WorkspaceParts { endpoint, bearer, wire, clock, entra, .. } = parts;
    let service = Service::new("the workspace", endpoint, wire, bearer, clock, meaning::told_apart);
    Ok(AssignedTarget::new(target, Box::new(Workspace { service, name }), entra))
}

#[async_trait]
impl Place for Workspace {
    fn service(&self) -> &Service {
        &self.service
    }

    fn title(&self) -> String {
        format!("Synapse RBAC of workspace {}", self.name)
    }

    async fn definitions(&self) -> Result<(Definitions, Notes), ServiceFault> {
        definitions::list(&self.service).await
    }

    async fn rows(&self, of: Option<Guid>) -> Result<Listing, ServiceFault> {
        rows::list(&self.service, &self.name, of).await
    }

    async fn page(&self, from: Option<&str>) -> Result<PageRead, ServiceFault> {
        rows::one_page(&self.service, &self.name, from).await
    }

    fn role(&self, name: SqlName, definitions: &Definitions) -> Result<RoleAt, String> {
        let (role, item) = ItemScope::parse(name.as_str())?;
        let definition = known::find(role, definitions)?;
        Ok(RoleAt { role: definition.id, scope: scope::of_item(&self.name, item.as_ref()) })
    }

    fn name(&self, role: Guid, scope: &str, definitions: &Definitions) -> String {
        let name = definitions.of(role).map_or_else(|| role.to_string(), |d| d.name.clone());
        match ItemScope::of_scope(&self.name, scope) {
            Some(None) => name,
            Some(Some(item)) => format!("{name} on {item}"),
            None => format!("{name} on {scope}"),
        }
    }

    fn administers(&self, row: &Row) -> bool {
        row.role == known::ADMINISTRATOR && row.scope == scope::of_item(&self.name, None)
    }

    async fn put(&self, at: &RoleAt, who: &Who) -> Sent {
        let (role, id) = (at.role.to_string(), who.id.to_string());
        let row = Guid::of_row(&["synapse", &at.scope, &role, &id]);
        // The kind is always said: without it a service identity gets a login with the wrong SID.
        let body = json!({
            "roleId": role,
            "principalId": id,
            "scope": at.scope,
            "principalType": who.kind.principal_type(),
        })
        .to_string();
        let call = Call::new(Method::PUT, self.service.base.at(&format!("/roleAssignments/{row}?{VERSION}")));
        let statement = format!("{} {body}", call.line());
        let result = match self.service.call(call.content(Content::Json(body))).await {
            Ok(answer) => rows::one(&answer, &self.name).map(Some),
            Err(fault) => Err(fault),
        };
        Sent { statement, result }
    }

    async fn delete(&self, row: &Row) -> Sent {
        let path = format!("/roleAssignments/{}?{VERSION}", crate::wire::encoded(&row.id));
        let call = Call::new(Method::DELETE, self.service.base.at(&path));
        let statement = call.line();
        Sent { statement, result: gone(self.service.call(call).await) }
    }

    async fn define(&self, name: SqlName) -> Sent {
        let text = format!("a workspace has no roles but its own: {name} cannot be made");
        Sent { statement: String::new(), result: Err(ServiceFault::Unsupported(text)) }
    }

    async fn undefine(&self, at: &RoleAt) -> Sent {
        let text = format!("role {} is the workspace's own: nobody takes it away", at.role);
        Sent { statement: String::new(), result: Err(ServiceFault::Unsupported(text)) }
    }

    fn retired(&self, _definitions: &Definitions) -> Vec<(SqlName, RoleAt)> {
        Vec::new()
    }

    fn is_as_defined(&self, _name: SqlName, _definitions: &Definitions) -> Option<bool> {
        None
    }

    fn tells_effect(&self) -> bool {
        true
    }

    async fn in_effect(&self, row: &Row, definitions: &Definitions) -> Result<Option<bool>, ServiceFault> {
        let definition: Option<&Definition> = definitions.of(row.role);
        access::check(&self.service, row, definition).await
    }
}

/// What is gone already is gone.
fn gone(answered: Result<crate::wire::Answer, ServiceFault>) -> Result<Option<Row>, ServiceFault> {
    match answered {
        Ok(_) => Ok(None),
        Err(fault) if fault.kind() == Some(crate::service::Kind::Missing) => Ok(None),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests;

//! Federated credentials of a user-assigned managed identity: Resource Manager keeps them (reference, section 8.4), and which resource
//! an identity is, Graph says in `alternativeNames` (general knowledge).

use std::sync::Arc;

use axon_model::Clock;
use serde::Deserialize;

use super::meaning;
use crate::cloud::Base;
use crate::entra::{Credential, Federation};
use crate::service::{Bearer, Service};
use crate::wire::{Call, Wire};

const VERSION: &str = "api-version=2023-01-31";
const KIND: &str = "/providers/microsoft.managedidentity/userassignedidentities/";
/// The most credentials that are read: an identity has twenty at most.
const MOST: usize = 100;

/// The managed identities behind Azure Resource Manager.
pub struct ManagedIdentities {
    service: Service,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Raw>,
    #[serde(rename = "nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    name: String,
    properties: Credential,
}

/// Whether a name that Graph shows is the path of such a resource, and nothing else can be meant by it in an address.
pub(crate) fn is_resource(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '(' | ')');
    let lower = name.to_ascii_lowercase();
    name.len() <= 1_000
        && lower.starts_with("/subscriptions/")
        && name.chars().all(plain)
        && name.split('/').skip(1).all(|step| !matches!(step, "" | "." | ".."))
        && lower.split_once(KIND).is_some_and(|(_, rest)| !rest.is_empty() && !rest.contains('/'))
}

impl ManagedIdentities {
    /// Those that Resource Manager at this address knows. Nothing is asked yet.
    pub fn new(arm: &Base, wire: Wire, bearer: Bearer, clock: Arc<dyn Clock>) -> Self {
        let service =
            Service::new("Azure Resource Manager", arm.clone(), wire, bearer, clock, meaning::told_apart);
        Self { service }
    }

    /// The credentials of the identity that is this resource.
    pub async fn federation(&self, resource: &str) -> Result<Federation, String> {
        if !is_resource(resource) {
            return Err(format!("{} is no managed identity", axon_model::name::shown(resource)));
        }
        let path = format!("{resource}/federatedIdentityCredentials?{VERSION}");
        let mut call = Call::get(self.service.base.at(&path));
        let mut found = Vec::new();
        loop {
            let answer = self.service.call(call).await.map_err(|fault| {
                format!(
                    "the federated credentials of {resource} are not known (Axon needs Reader there): {fault}"
                )
            })?;
            let page: Page = answer.json()?;
            found.extend(page.value.into_iter().map(|raw| Credential { name: raw.name, ..raw.properties }));
            if found.len() > MOST {
                return Err(format!("the identity has more than {MOST} credentials: they are not compared"));
            }
            let Some(next) = page.next.filter(|next| !next.is_empty()) else {
                return Ok(Federation::Of(found));
            };
            call = self.service.link(&next).map_err(|fault| fault.to_string())?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::Presented;
    use crate::testing::{Reply, Server, Static, clock};

    const RESOURCE: &str =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/loader";

    async fn ask(reply: Reply) -> (Result<Federation, String>, Vec<String>) {
        let server = Server::start(move |_| reply.clone()).await;
        let clock = clock(time::macros::datetime!(2026-11-22 10:00 UTC));
        let all = ManagedIdentities::new(server.base(), Wire::new().unwrap(), Static::bearer(), clock);
        let found = all.federation(RESOURCE).await;
        (found, server.seen().iter().map(|r| format!("{} {}", r.method, r.target)).collect())
    }

    #[tokio::test]
    async fn the_credentials_of_a_managed_identity_are_compared_like_an_application_s() {
        let body = r#"{"value":[{"id":"/x","name":"ci","type":"t","properties":{"issuer":"https://ci.example",
            "subject":"repo:acme/warehouse","audiences":["api://AzureADTokenExchange"]}}]}"#;
        let (found, asked) = ask(Reply::ok(body)).await;
        assert_eq!(asked, [format!("GET {RESOURCE}/federatedIdentityCredentials?api-version=2023-01-31")]);
        let presented =
            |subject: &str| Presented { issuer: "https://ci.example".into(), subject: subject.into() };
        let found = found.unwrap();
        assert_eq!(found.mismatch(&presented("repo:acme/warehouse")), None);
        assert!(found.mismatch(&presented("repo:Acme/warehouse")).unwrap().contains("credential ci has it"));
    }

    #[tokio::test]
    async fn what_is_refused_or_leads_elsewhere_is_said() {
        let denied = r#"{"error":{"code":"AuthorizationFailed","message":"no"}}"#;
        let (found, _) = ask(Reply::status(403, denied)).await;
        assert!(found.unwrap_err().contains("needs Reader there"));
        let (found, asked) = ask(Reply::ok(r#"{"value":[],"nextLink":"https://elsewhere.example/x"}"#)).await;
        assert!(found.unwrap_err().contains("not followed") && asked.len() == 1);
    }

    #[test]
    fn only_the_path_of_such_a_resource_is_one() {
        assert!(is_resource(RESOURCE));
        for bad in [
            "isExplicit=True",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm",
            "/subscriptions/s/../providers/Microsoft.ManagedIdentity/userAssignedIdentities/x",
            "/subscriptions/s//providers/Microsoft.ManagedIdentity/userAssignedIdentities/x",
            &format!("{RESOURCE}/more"),
            &format!("{RESOURCE}?x=1"),
            &format!("https://elsewhere.example{RESOURCE}"),
            "",
        ] {
            assert!(!is_resource(bad), "{bad}");
        }
    }
}

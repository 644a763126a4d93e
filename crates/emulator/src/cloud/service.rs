//! Which service a path belongs to. All of them stand on one address: their paths do not meet.

use serde::{Deserialize, Serialize};

/// A service of Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// The token endpoint of Entra.
    Authority,
    /// The token endpoint of a virtual machine.
    Imds,
    /// The token endpoint of App Service and Container Apps.
    AppService,
    /// Microsoft Graph.
    Graph,
    /// The data plane of a Synapse workspace.
    Synapse,
    /// Azure Resource Manager.
    Arm,
    /// Log ingestion of Azure Monitor.
    Ingest,
}

impl Service {
    /// The service that answers this path.
    pub fn of(path: &str) -> Option<Self> {
        let path = path.to_ascii_lowercase();
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        Some(match first {
            _ if path.ends_with("/oauth2/v2.0/token") => Self::Authority,
            "metadata" => Self::Imds,
            "msi" => Self::AppService,
            "v1.0" => Self::Graph,
            "datacollectionrules" => Self::Ingest,
            "synapse" | "roledefinitions" | "roleassignments" | "rbacscopes" | "checkaccesssynapserbac" => {
                Self::Synapse
            }
            "subscriptions" | "providers" => Self::Arm,
            _ => return None,
        })
    }

    /// What a token for it names as audience; none where no token is asked for.
    pub fn audience(self) -> Option<&'static str> {
        match self {
            Self::Authority | Self::Imds | Self::AppService => None,
            Self::Graph => Some("https://graph.microsoft.com"),
            Self::Synapse => Some("https://dev.azuresynapse.net"),
            Self::Arm => Some("https://management.azure.com"),
            Self::Ingest => Some("https://monitor.azure.com"),
        }
    }

    /// The audiences that tokens are given for (reference 8.1).
    pub(super) const AUDIENCES: [&'static str; 6] = [
        "https://database.windows.net",
        "https://dev.azuresynapse.net",
        "https://management.azure.com",
        "https://graph.microsoft.com",
        "https://monitor.azure.com",
        "https://storage.azure.com",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_one_service() {
        for (path, service) in [
            ("/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token", Some(Service::Authority)),
            ("/metadata/identity/oauth2/token", Some(Service::Imds)),
            ("/msi/token", Some(Service::AppService)),
            ("/v1.0/users", Some(Service::Graph)),
            ("/roleDefinitions", Some(Service::Synapse)),
            ("/synapse/acme/roleAssignments/x", Some(Service::Synapse)),
            ("/subscriptions/s/providers/Microsoft.Authorization/roleAssignments", Some(Service::Arm)),
            ("/dataCollectionRules/dcr-1/streams/Custom-A_CL", Some(Service::Ingest)),
            ("/", None),
        ] {
            assert_eq!(Service::of(path), service, "{path}");
        }
    }
}

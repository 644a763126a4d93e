//! Which of Azure's clouds, and where it is.

use axon_azure::{Base, Cloud, CloudName};
use serde::{Deserialize, Serialize};

/// Where Azure is. All of it may be left out for Microsoft's global cloud.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Azure {
    /// Whose audiences tokens name.
    pub cloud: Name,
    /// Where tokens are given, such as `https://login.microsoftonline.com`; the cloud's, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The machine's metadata; `http://169.254.169.254`, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// Azure Resource Manager; the cloud's, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_manager: Option<String>,
    /// Microsoft Graph, without its version; the cloud's, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// Whether Graph is asked who is who. Without it object ids come from the role map alone.
    #[serde(skip_serializing_if = "is_yes")]
    pub look_up: bool,
}

impl Default for Azure {
    fn default() -> Self {
        let (authority, metadata, resource_manager, graph) = (None, None, None, None);
        Self { cloud: Name::Public, authority, metadata, resource_manager, graph, look_up: true }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_yes(value: &bool) -> bool {
    *value
}

/// Which of Microsoft's clouds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// The global one.
    #[default]
    Public,
    /// Azure Government.
    UsGovernment,
    /// Azure in China.
    China,
}

impl Azure {
    /// The addresses and audiences; an error names the key and what is wrong with it.
    pub fn cloud(&self) -> Result<Cloud, (&'static str, String)> {
        let mut cloud = Cloud::named(match self.cloud {
            Name::Public => CloudName::Public,
            Name::UsGovernment => CloudName::UsGovernment,
            Name::China => CloudName::China,
        });
        let places = [
            ("azure.authority", &self.authority, &mut cloud.authority),
            ("azure.metadata", &self.metadata, &mut cloud.imds),
            ("azure.resource_manager", &self.resource_manager, &mut cloud.arm),
            ("azure.graph", &self.graph, &mut cloud.graph),
        ];
        for (key, given, place) in places {
            if let Some(text) = given {
                *place = Base::parse(text).map_err(|error| (key, error.to_string()))?;
            }
        }
        Ok(cloud)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn azure(yaml: &str) -> Azure {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn each_address_can_be_set_and_a_bad_one_is_named() {
        let cloud = azure("{cloud: us-government, graph: 'http://127.0.0.1:9/graph/'}").cloud().unwrap();
        assert_eq!(cloud.authority.as_str(), "https://login.microsoftonline.us");
        assert_eq!(cloud.graph.as_str(), "http://127.0.0.1:9/graph");
        let (key, why) = azure("{authority: 'http://login.example'}").cloud().unwrap_err();
        assert!(key == "azure.authority" && why.contains("https"), "{why}");
        assert!(azure("{}").look_up && !azure("{look_up: false}").look_up);
    }
}

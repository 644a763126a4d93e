//! What a client may ask about the server: `/Schemas`, `/ResourceTypes`, `/ServiceProviderConfig`
//! (RFC 7643 sections 5 to 7, RFC 7644 section 4). Rendered from the same description that validation uses.

use serde_json::{Map, Value, json};

use crate::list::ListResponse;
use crate::schema::{Attribute, DataType, Registry, ResourceKind, ResourceType, Returned, Schema};

const SCHEMA_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const RESOURCE_TYPE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const CONFIG_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/// What the server says it can do. Say only what is true: clients skip what is said to be unsupported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each field is one `supported` of RFC 7643 section 5")]
pub struct ServiceProviderConfig {
    /// A page for people.
    pub documentation_uri: Option<String>,
    /// Is PATCH served? Entra ID cannot update anything without it.
    pub patch: bool,
    /// Largest number of operations and bytes of a bulk request, where bulk is served.
    pub bulk: Option<(u64, u64)>,
    /// Most results of one page of a filtered list.
    pub max_results: u64,
    /// Is `sortBy` honoured?
    pub sort: bool,
    /// Are entity tags honoured?
    pub etag: bool,
    /// Can a password be changed?
    pub change_password: bool,
    /// Size of a page that does not say how many it wants, where lists can be read by cursor as well (RFC 9865).
    pub cursor: Option<u64>,
    /// How clients show who they are: one at least, the first one preferred.
    pub authentication: Vec<AuthenticationScheme>,
}

/// One way to show who one is (RFC 7643 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationScheme {
    /// `oauth2`, `oauthbearertoken` or `httpbasic`.
    pub kind: &'static str,
    /// A name for people.
    pub name: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Where it is specified.
    pub spec: &'static str,
}

impl AuthenticationScheme {
    /// A bearer token in the Authorization header.
    pub const BEARER: Self = Self {
        kind: "oauthbearertoken",
        name: "OAuth Bearer Token",
        description: "A bearer token of the source, in the Authorization header.",
        spec: "https://www.rfc-editor.org/info/rfc6750",
    };
    /// A name and a secret in the Authorization header.
    pub const BASIC: Self = Self {
        kind: "httpbasic",
        name: "HTTP Basic",
        description: "The token of the source as the password, in the Authorization header.",
        spec: "https://www.rfc-editor.org/info/rfc7617",
    };
}

impl Default for ServiceProviderConfig {
    fn default() -> Self {
        Self {
            documentation_uri: None,
            patch: true,
            bulk: None,
            max_results: 200,
            sort: false,
            etag: false,
            change_password: false,
            cursor: None,
            authentication: vec![AuthenticationScheme::BEARER],
        }
    }
}

impl ServiceProviderConfig {
    /// The single object of `/ServiceProviderConfig`, under the public address of the service.
    pub fn render(&self, base_url: &str) -> Value {
        let (operations, payload) = self.bulk.unwrap_or_default();
        let schemes: Vec<Value> =
            self.authentication.iter().enumerate().map(|(place, s)| s.render(place == 0)).collect();
        let mut out = json!({
            "schemas": [CONFIG_URN],
            "patch": {"supported": self.patch},
            "bulk": {"supported": self.bulk.is_some(), "maxOperations": operations, "maxPayloadSize": payload},
            "filter": {"supported": true, "maxResults": self.max_results},
            "changePassword": {"supported": self.change_password},
            "sort": {"supported": self.sort},
            "etag": {"supported": self.etag},
            "authenticationSchemes": schemes,
            "meta": meta("ServiceProviderConfig", base_url, "ServiceProviderConfig"),
        });
        if let Some(uri) = &self.documentation_uri {
            out["documentationUri"] = Value::from(uri.as_str());
        }
        if let Some(page) = self.cursor {
            // RFC 9865 section 4. A cursor does not time out.
            out["pagination"] = json!({
                "cursor": true, "index": true, "defaultPaginationMethod": "index",
                "defaultPageSize": page, "maxPageSize": self.max_results,
            });
        }
        out
    }
}

impl AuthenticationScheme {
    fn render(&self, primary: bool) -> Value {
        json!({"type": self.kind, "name": self.name, "description": self.description, "specUri": self.spec,
               "primary": primary})
    }
}

/// The list of `/Schemas`.
pub fn schemas(registry: &Registry, base_url: &str) -> ListResponse<Value> {
    ListResponse::all(registry.schemas().map(|s| render_schema(s, base_url)).collect())
}

/// One of `/Schemas`, by URN in any case.
pub fn schema(registry: &Registry, base_url: &str, urn: &str) -> Option<Value> {
    registry.schema(urn).map(|s| render_schema(s, base_url))
}

/// The list of `/ResourceTypes`.
pub fn resource_types(registry: &Registry, base_url: &str) -> ListResponse<Value> {
    ListResponse::all(registry.resource_types().iter().map(|t| render_type(t, base_url)).collect())
}

/// One of `/ResourceTypes`, by name in any case.
pub fn resource_type(registry: &Registry, base_url: &str, name: &str) -> Option<Value> {
    ResourceKind::parse(name).map(|kind| render_type(registry.resource_type(kind), base_url))
}

fn meta(resource_type: &str, base_url: &str, path: &str) -> Value {
    json!({"resourceType": resource_type, "location": format!("{}/{path}", base_url.trim_end_matches('/'))})
}

fn render_type(of: &ResourceType, base_url: &str) -> Value {
    let name = of.kind.name();
    let extensions: Vec<Value> =
        of.extensions.iter().map(|(s, required)| json!({"schema": &*s.id, "required": required})).collect();
    json!({
        "schemas": [RESOURCE_TYPE_URN],
        "id": name,
        "name": name,
        "endpoint": of.kind.endpoint(),
        "description": of.description,
        "schema": &*of.schema.id,
        "schemaExtensions": extensions,
        "meta": meta("ResourceType", base_url, &format!("ResourceTypes/{name}")),
    })
}

fn render_schema(schema: &Schema, base_url: &str) -> Value {
    json!({
        "schemas": [SCHEMA_URN],
        "id": &*schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": render_attributes(schema.attributes.iter().map(AsRef::as_ref)),
        "meta": meta("Schema", base_url, &format!("Schemas/{}", schema.id)),
    })
}

/// Attributes that are never returned are not advertised: a client would write them and then miss them.
fn render_attributes<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> Value {
    attributes.filter(|a| a.returned != Returned::Never).map(render_attribute).collect()
}

fn render_attribute(attribute: &Attribute) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
    put("name", Value::from(attribute.name.as_str()));
    put("type", Value::from(attribute.data_type.as_str()));
    put("multiValued", Value::from(attribute.multi_valued));
    put("description", Value::from(attribute.description.as_str()));
    put("required", Value::from(attribute.required));
    put("mutability", Value::from(attribute.mutability.as_str()));
    put("returned", Value::from(attribute.returned.as_str()));
    match attribute.data_type {
        DataType::Complex => {
            // Erratum 6004: a complex attribute has no uniqueness.
            put("subAttributes", render_attributes(attribute.sub_attributes.iter().map(AsRef::as_ref)));
        }
        DataType::Boolean => {}
        _ => {
            put("caseExact", Value::from(attribute.case_exact));
            put("uniqueness", Value::from(attribute.uniqueness.as_str()));
        }
    }
    if !attribute.canonical_values.is_empty() {
        put("canonicalValues", Value::from(attribute.canonical_values.clone()));
    }
    if attribute.data_type == DataType::Reference {
        put("referenceTypes", Value::from(attribute.reference_types.clone()));
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_URN, GROUP_URN, USER_URN};

    const BASE: &str = "https://axon.example/scim/v2/";

    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(list) => list.iter().any(has_null),
            Value::Object(map) => map.values().any(has_null),
            _ => false,
        }
    }

    fn attribute<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
        schema["attributes"].as_array()?.iter().find(|a| a["name"] == name)
    }

    #[test]
    fn schemas_are_a_list_without_nulls() {
        let list = serde_json::to_value(schemas(&Registry::standard(), BASE)).unwrap();
        assert_eq!(list["totalResults"], 3);
        assert!(!has_null(&list));
        let ids: Vec<_> =
            list["Resources"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [USER_URN, ENTERPRISE_URN, GROUP_URN]);
        let location = list["Resources"][0]["meta"]["location"].as_str().unwrap();
        assert_eq!(location, format!("https://axon.example/scim/v2/Schemas/{USER_URN}"));
    }

    #[test]
    fn errata_are_honoured() {
        let registry = Registry::standard();
        let user = schema(&registry, BASE, USER_URN).unwrap();
        let group = schema(&registry, BASE, &GROUP_URN.to_uppercase()).unwrap();
        let enterprise = schema(&registry, BASE, ENTERPRISE_URN).unwrap();
        assert_eq!(attribute(&group, "displayName").unwrap()["required"], true);
        assert!(attribute(&user, "emails").unwrap().get("uniqueness").is_none());
        assert_eq!(attribute(&user, "profileUrl").unwrap()["caseExact"], true);
        let manager = attribute(&enterprise, "manager").unwrap();
        assert_eq!(manager["subAttributes"][0]["caseExact"], true);
        let groups = attribute(&user, "groups").unwrap();
        assert_eq!(groups["subAttributes"][1]["referenceTypes"], json!(["Group"]));
        let members = attribute(&group, "members").unwrap();
        assert!(members["subAttributes"].as_array().unwrap().iter().any(|s| s["name"] == "display"));
        assert!(schema(&registry, BASE, "urn:nope").is_none());
    }

    #[test]
    fn what_is_never_returned_is_not_advertised() {
        let user = schema(&Registry::standard(), BASE, USER_URN).unwrap();
        assert!(attribute(&user, "password").is_none());
        assert!(attribute(&user, "userName").is_some());
    }

    #[test]
    fn resource_types_name_their_extensions() {
        let registry = Registry::standard();
        let user = resource_type(&registry, BASE, "user").unwrap();
        assert_eq!(user["schemaExtensions"], json!([{"schema": ENTERPRISE_URN, "required": false}]));
        assert_eq!(user["endpoint"], "/Users");
        assert!(resource_type(&registry, BASE, "Device").is_none());
        assert_eq!(serde_json::to_value(resource_types(&registry, BASE)).unwrap()["totalResults"], 2);
    }

    #[test]
    fn the_provider_config_says_what_is_true() {
        let config =
            ServiceProviderConfig { max_results: 500, ..ServiceProviderConfig::default() }.render(BASE);
        assert_eq!(config["patch"]["supported"], true);
        assert_eq!(config["bulk"], json!({"supported": false, "maxOperations": 0, "maxPayloadSize": 0}));
        assert_eq!(config["filter"]["maxResults"], 500);
        assert_eq!(config["meta"]["location"], "https://axon.example/scim/v2/ServiceProviderConfig");
        assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
        assert_eq!(config["authenticationSchemes"][0]["primary"], true);
        assert!(config.get("pagination").is_none());
        assert!(!has_null(&config));
        let config = ServiceProviderConfig {
            cursor: Some(100),
            authentication: vec![AuthenticationScheme::BEARER, AuthenticationScheme::BASIC],
            ..ServiceProviderConfig::default()
        }
        .render(BASE);
        assert_eq!(
            config["pagination"],
            json!({"cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 100,
                   "maxPageSize": 200})
        );
        assert_eq!(config["authenticationSchemes"][1]["primary"], false);
    }
}

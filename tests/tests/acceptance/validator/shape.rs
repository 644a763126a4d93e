//! The attributes that a run of the Validator fills, from schemas as `/Schemas` serves them.

use serde_json::{Value, json};

use super::path::Place;

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// As many elements of a list are filled as it has canonical types, up to this.
const TYPES: usize = 3;
/// Attributes that have rows of their own, or that name a resource.
const APART: [&str; 3] = ["userName", "active", "manager"];

/// One attribute that takes a value of its own.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// Its path in a PATCH.
    pub path: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Flag,
    Integer,
    Decimal,
    Instant,
    Bytes,
}

/// All attributes of a run.
#[derive(Debug, Clone)]
pub struct Shape {
    /// One entry for each value.
    pub leaves: Vec<Leaf>,
}

impl Shape {
    /// Reads the user's schemas among these.
    pub fn from_schemas(schemas: &[Value]) -> Self {
        let mut leaves = Vec::new();
        for schema in schemas {
            let id = schema["id"].as_str().unwrap_or_default();
            let prefix = match id {
                CORE => String::new(),
                _ if id.ends_with(":User") => format!("{id}:"),
                _ => continue,
            };
            for attribute in list(&schema["attributes"]) {
                leaves_of(attribute, &prefix, &mut leaves);
            }
        }
        Self { leaves }
    }

    /// A value for each attribute, told apart by the seed; a boolean as this dialect's text or as itself.
    pub fn values(&self, seed: &str, text_booleans: bool) -> Vec<(String, Value)> {
        self.leaves.iter().map(|leaf| (leaf.path.clone(), leaf.value(seed, text_booleans))).collect()
    }

    /// A user with a value for each attribute.
    pub fn user(&self, user_name: &str, seed: &str) -> Value {
        let mut body = json!({ "schemas": [CORE], "userName": user_name, "active": true });
        for (path, value) in self.values(seed, false) {
            Place::parse(&path).put(&mut body, value);
        }
        body
    }

    /// Insists that the user has these values.
    pub fn reads(&self, user: &Value, values: &[(String, Value)]) -> anyhow::Result<()> {
        for (path, wanted) in values {
            let is_flag = self.leaves.iter().any(|leaf| leaf.path == *path && leaf.kind == Kind::Flag);
            let wanted = if is_flag { json!(true) } else { wanted.clone() };
            let found = Place::parse(path).get(user);
            anyhow::ensure!(found == Some(&wanted), "{path} is {found:?} instead of {wanted} in {user}");
        }
        Ok(())
    }
}

impl Leaf {
    fn value(&self, seed: &str, text_booleans: bool) -> Value {
        // Each attribute another number, so that two that are mixed up are seen.
        let number = self
            .path
            .bytes()
            .chain(seed.bytes())
            .fold(7_u32, |n, byte| n.wrapping_mul(31) + u32::from(byte) % 97);
        match self.kind {
            Kind::Text => json!(format!("{seed} ß+\"{number}\"")),
            Kind::Flag if text_booleans => json!("True"),
            Kind::Flag => json!(true),
            Kind::Integer => json!(number),
            Kind::Decimal => json!(f64::from(number) + 0.5),
            Kind::Instant => json!(format!("2026-03-04T05:06:{:02}Z", number % 60)),
            Kind::Bytes => {
                use base64::Engine as _;
                json!(base64::engine::general_purpose::STANDARD.encode(format!("{seed}{number}")))
            }
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn leaves_of(attribute: &Value, prefix: &str, leaves: &mut Vec<Leaf>) {
    let name = attribute["name"].as_str().unwrap_or_default();
    if attribute["mutability"] == "readOnly" || APART.contains(&name) {
        return;
    }
    let Some(subs) = attribute["subAttributes"].as_array().filter(|subs| !subs.is_empty()) else {
        leaves.push(Leaf { path: format!("{prefix}{name}"), kind: kind(attribute) });
        return;
    };
    let writable = subs.iter().filter(|sub| sub["mutability"] != "readOnly" && sub["name"] != "$ref");
    if attribute["multiValued"] != true {
        for sub in writable {
            let path = format!("{prefix}{name}.{}", sub["name"].as_str().unwrap_or_default());
            leaves.push(Leaf { path, kind: kind(sub) });
        }
        return;
    }
    let canonical = subs.iter().find(|sub| sub["name"] == "type").map(|sub| &sub["canonicalValues"]);
    let types: Vec<&str> =
        canonical.into_iter().flat_map(list).filter_map(Value::as_str).take(TYPES).collect();
    let filters: Vec<String> = match types[..] {
        [] => vec!["primary eq \"True\"".into()],
        _ => types.iter().map(|kind| format!("type eq \"{kind}\"")).collect(),
    };
    for (n, filter) in filters.iter().enumerate() {
        for sub in writable.clone() {
            let sub_name = sub["name"].as_str().unwrap_or_default();
            // The filter says the one; the first element is the primary one.
            let told = filter.starts_with(sub_name) || (sub_name == "primary" && n > 0);
            if !told {
                leaves.push(Leaf { path: format!("{prefix}{name}[{filter}].{sub_name}"), kind: kind(sub) });
            }
        }
    }
}

fn kind(attribute: &Value) -> Kind {
    match attribute["type"].as_str().unwrap_or("string") {
        "boolean" => Kind::Flag,
        "integer" => Kind::Integer,
        "decimal" => Kind::Decimal,
        "dateTime" => Kind::Instant,
        "binary" => Kind::Bytes,
        _ => Kind::Text,
    }
}

//! Who is in the demo's two tenants, and what the fake Entra directory knows of them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::beside;

/// One person of the Entra tenant.
#[derive(Debug, Deserialize)]
pub struct Person {
    /// Given name.
    pub given: String,
    /// Family name.
    pub family: String,
    /// The part of the user principal name before the `@`.
    pub upn: String,
    /// The enterprise attribute.
    pub department: String,
    /// `userType`, where not Employee.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

impl Person {
    /// The user principal name.
    pub fn user_name(&self) -> String {
        format!("{}@acme.example", self.upn)
    }
}

/// The forty people of the Entra tenant, in the order in which they are pushed.
pub fn entra() -> anyhow::Result<Vec<Person>> {
    Ok(serde_json::from_str(include_str!("people.json"))?)
}

/// The people of the Okta org: user name, given name, family name.
pub const OKTA: [(&str, &str, &str); 6] = [
    ("pat.kelly@partner.example", "Pat", "Kelly"),
    ("robin.ford@partner.example", "Robin", "Ford"),
    ("sam.ortiz@partner.example", "Sam", "Ortiz"),
    ("toni.lang@partner.example", "Toni", "Lang"),
    ("val.berg@partner.example", "Val", "Berg"),
    ("wes.hart@partner.example", "Wes", "Hart"),
];

/// The administrator that Axon enters the pool as.
pub const ENTRA_ADMIN: &str = "axon@acme.example";

/// An object id that is the same in every run.
pub fn object_id(kind: u16, n: usize) -> String {
    format!("5b1f0c3e-{kind:04x}-4a6e-9c8d-2f7f6b0c{n:04x}")
}

/// The fake directory that the emulator looks names up in.
pub fn directory(secret: &str) -> anyhow::Result<Value> {
    let mut users = vec![json!({ "upn": ENTRA_ADMIN, "objectId": object_id(9, 1) })];
    for (n, person) in entra()?.iter().enumerate() {
        users.push(json!({ "upn": person.user_name(), "objectId": object_id(1, n) }));
    }
    for (n, (user_name, _, _)) in OKTA.iter().enumerate() {
        users.push(json!({ "upn": user_name, "objectId": object_id(2, n) }));
    }
    Ok(json!({ "users": users, "groups": beside::groups(), "apps": [beside::app(secret)] }))
}

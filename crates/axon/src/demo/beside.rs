//! The places beside the pool: a workspace and a factory of the emulator, set up as an administrator of Azure would, and read by its
//! control port with ids that were written down here by hand.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::{Value, json};

use super::people::object_id;

/// The tenant.
pub const TENANT: &str = "5b1f0c3e-0000-4a6e-9c8d-2f7f6b0c0000";
/// Axon's application in it.
pub const CLIENT: &str = "5b1f0c3e-0003-4a6e-9c8d-2f7f6b0c0001";
/// The factory.
pub const FACTORY: &str =
    "/subscriptions/demo/resourceGroups/data/providers/Microsoft.DataFactory/factories/acme";

/// The groups of the Entra tenant.
const GROUPS: [(&str, &str); 6] = [
    ("SG-Sales-Analysts", "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0001"),
    ("SG-Sales-Leads", "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0002"),
    ("syn-sales-writer", "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0003"),
    ("SG-Data-Engineers", "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0004"),
    ("SG-HR-Partners", "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0005"),
    ("SG-Finance", "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0006"),
];

/// Roles by the ids that Microsoft's pages give.
const ROLES: [(&str, &str); 4] = [
    ("Synapse Contributor", "7572bffe-f453-4b66-912a-46cc5ef38fda"),
    ("Synapse User", "2a385764-43e8-416c-9825-7b18d05a2c4b"),
    ("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7"),
    ("Data Factory Contributor", "673868aa-7521-48a0-acc6-0f60742d39f5"),
];

fn own() -> String {
    object_id(3, 2)
}

/// Axon's application, as the tenant has it.
pub fn app(secret: &str) -> Value {
    json!({ "displayName": "axon", "appId": CLIENT, "objectId": own(), "secrets": [{ "value": secret }] })
}

/// The groups, as the tenant has them.
pub fn groups() -> Vec<Value> {
    GROUPS.iter().map(|(name, id)| json!({ "displayName": name, "objectId": id })).collect()
}

/// What Azure has before the story: the workspace, and what Axon may do.
pub fn cloud() -> Value {
    json!({
        "tenantId": TENANT,
        "subscriptions": ["demo"],
        "workspaces": [{ "name": "acme", "assignments": [{
            "id": "5b1f0c3e-0008-4a6e-9c8d-2f7f6b0c0001", "roleDefinitionId": "6e4bf58a-b8e1-4cc3-bbf9-d73143322b78",
            "principalId": own(), "scope": "workspaces/acme" }] }],
        "assignments": [{
            "name": "5b1f0c3e-0008-4a6e-9c8d-2f7f6b0c0002", "scope": FACTORY, "role": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
            "principalId": own(), "principalType": "ServicePrincipal" }],
    })
}

/// Who holds what in the workspace and at the factory, a line each.
#[derive(Debug, PartialEq, Eq)]
pub struct Held(BTreeSet<(String, String, String)>);

impl Held {
    /// Asks the emulator what it holds. Nothing of the product takes part.
    pub async fn read(control: &str) -> anyhow::Result<Self> {
        let answer = reqwest::get(format!("http://{control}/cloud")).await?.error_for_status()?;
        Self::of(&answer.json().await?)
    }

    fn of(cloud: &Value) -> anyhow::Result<Self> {
        let named = |known: &[(&str, &str)], id: &Value| {
            let id = id.as_str().unwrap_or_default();
            let found = known.iter().find(|(_, own)| own.eq_ignore_ascii_case(id));
            found.map_or_else(|| id.to_owned(), |(name, _)| (*name).to_owned())
        };
        let own = own();
        let mut held = BTreeSet::new();
        let mut take = |place: &str, who: &Value, role: &Value| {
            if *who != own.as_str() {
                held.insert((place.to_owned(), named(&GROUPS, who), named(&ROLES, role)));
            }
        };
        for row in cloud["workspaces"][0]["assignments"].as_array().context("the workspace's rows")? {
            take("workspace", &row["principalId"], &row["roleDefinitionId"]);
        }
        for row in cloud["assignments"].as_array().context("Azure's rows")? {
            let place = if row["scope"] == FACTORY { "factory" } else { "elsewhere" };
            take(place, &row["principalId"], &row["role"]);
        }
        Ok(Self(held))
    }

    /// Reads the hand-written table.
    pub fn parse(written: &str) -> anyhow::Result<Self> {
        let lines = written.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = |line: &str| {
            let (place, rest) = line.split_once(char::is_whitespace)?;
            let (who, role) = rest.trim().split_once(char::is_whitespace)?;
            Some((place.to_owned(), who.to_owned(), role.trim().to_owned()))
        };
        let all = lines.map(|text| line(text).with_context(|| format!("three words in {text:?}")));
        Ok(Self(all.collect::<anyhow::Result<_>>()?))
    }

    /// How many lines it has.
    pub fn lines(&self) -> usize {
        self.0.len()
    }

    /// What one has and the other has not, a line each.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let told = |(place, who, role): &(String, String, String)| format!("{who} is {role} in {place}");
        let missing = expected.0.difference(&self.0).map(|line| format!("missing:    {}", told(line)));
        let surplus = self.0.difference(&expected.0).map(|line| format!("unexpected: {}", told(line)));
        missing.chain(surplus).collect()
    }

    /// For people.
    pub fn table(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let _ = writeln!(out, "  {:<31} {:<21} role", "group", "place");
        for (place, who, role) in &self.0 {
            let _ = writeln!(out, "  {who:<31} {place:<21} {role}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hand_written_table_is_whole_and_differences_are_named() {
        let expected = Held::parse(include_str!("expected-azure.txt")).unwrap();
        assert_eq!(expected.lines(), 5);
        let mut seen = cloud();
        assert_eq!(Held::of(&seen).unwrap().lines(), 0, "Axon's own rows are left out");
        let row = json!({ "scope": FACTORY, "role": "ACDD72A7-3385-48ef-bd42-f606fba81ae7",
            "principalId": "5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0001" });
        seen["assignments"].as_array_mut().unwrap().push(row);
        let differences = Held::of(&seen).unwrap().differences(&expected);
        assert_eq!(differences.len(), 6);
        assert!(differences.contains(&"unexpected: SG-Sales-Analysts is Reader in factory".to_owned()));
        assert!(differences.contains(&"missing:    SG-HR-Partners is Reader in factory".to_owned()));
    }
}

//! Service identities, by which tokens of jobs they are known, and what they hold.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::Sid;
use serde::Serialize;
use time::OffsetDateTime;

use crate::diagnostic::Fault;
use crate::map::RoleMap;
use crate::names::{RoleName, ServiceName, TargetName};
use crate::place::Place;
use crate::read::Reader;
use crate::yaml::{Node, Value, shown};

/// Keys of a service identity's token.
pub(crate) const TOKEN_KEYS: &[&str] = &["issuer", "audience", "subject", "claims"];
/// Claims that have a key of their own, or are always looked at.
const NOT_CLAIMS: [&str; 6] = ["iss", "aud", "sub", "exp", "nbf", "iat"];
/// Claims by which the usual systems name the project that a job belongs to.
pub const PROJECT_CLAIMS: [&str; 6] =
    ["oidc.circleci.com/project-id", "repository", "repository_id", "project_path", "project_id", "azp"];

/// A service identity: not a person, not in SCIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name in the targets.
    pub principal: SqlName,
    /// Its client id as a pool shows it, where it is pinned.
    pub sid: Option<Sid>,
    /// The object id of its service principal, which role assignments take, in the same form.
    pub object_id: Option<Sid>,
    /// Which signed token of a job is its own, where one may be exchanged for what it holds.
    pub token: Option<ServiceToken>,
    /// Where it is declared.
    pub place: Place,
}

/// What a signed token must say to be a service identity's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceToken {
    /// `iss`, exactly. The configuration says whether that issuer is trusted.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audience: Vec<String>,
    /// `sub`, one of these; any, where nothing is said: then a claim says the project.
    pub subject: Vec<String>,
    /// Claims, each with the values of which it must have one.
    pub claims: BTreeMap<String, Vec<String>>,
}

/// What a service identity holds in one target now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entitlement {
    /// The target.
    pub target: TargetName,
    /// The identity's name there.
    pub principal: SqlName,
    /// The roles of the map.
    pub roles: BTreeSet<RoleName>,
    /// The lines of these roles in this target, those of included roles too; a line that denies begins with `deny`.
    pub grants: BTreeSet<String>,
}

/// Reads `token` of a service identity.
pub(crate) fn token(reader: &Reader<'_>, node: &Node, what: &str) -> Option<ServiceToken> {
    let what = format!("`token` of {what}");
    let fields = reader.fields(node, &what, TOKEN_KEYS, &[])?;
    let issuer = fields.need(reader, "issuer").and_then(|n| reader.text(n, "`issuer`"));
    let audience = fields.need(reader, "audience").and_then(|n| one_or_many(reader, n, "`audience`"));
    let subject = match fields.get("subject") {
        Some(node) => one_or_many(reader, node, "`subject`"),
        None => Some(Vec::new()),
    };
    let mut claims = BTreeMap::new();
    for (name, node) in fields.get("claims").map_or(&[][..], |n| reader.entries(n, "`claims`")) {
        if NOT_CLAIMS.contains(&name.text.as_str()) {
            let message = format!("`claims` cannot ask for `{}`", name.text);
            let help = "`issuer`, `audience` and `subject` are keys of their own; times are always looked at";
            reader.fault_help(Fault::Invalid, name.span, message, help);
            continue;
        }
        if let Some(values) = one_or_many(reader, node, &format!("claim `{}`", shown(&name.text))) {
            claims.insert(name.text.clone(), values);
        }
    }
    let (issuer, audience, subject) = (issuer?, audience?, subject?);
    let names_project = claims.keys().any(|claim| PROJECT_CLAIMS.contains(&claim.as_str()));
    if subject.is_empty() && !names_project {
        let message = format!("{what} would be that of every job of its issuer");
        let help =
            format!("say the `subject`, or the project by one of the claims {}", PROJECT_CLAIMS.join(", "));
        reader.fault_help(Fault::Missing, issuer.span, message, help);
        return None;
    }
    Some(ServiceToken { issuer: issuer.text, audience, subject, claims })
}

/// One text, or a list of them with at least one.
fn one_or_many(reader: &Reader<'_>, node: &Node, what: &str) -> Option<Vec<String>> {
    if !matches!(node.value, Value::List(_)) {
        return reader.text(node, what).map(|text| vec![text.text]);
    }
    let items = reader.list(node, what);
    if items.is_empty() {
        reader.fault(Fault::Invalid, node.span, format!("{what} must not be empty"));
        return None;
    }
    items.iter().map(|item| reader.text(item, what).map(|text| text.text)).collect()
}

impl RoleMap {
    /// What a service identity holds now, by target: the lines of its roles. None where the map does not declare it.
    pub fn entitlements(&self, name: &ServiceName, now: OffsetDateTime) -> Option<Vec<Entitlement>> {
        let service = self.services.get(name)?;
        let mappings = self.mappings.iter().filter(|m| crate::map::is_service(m, name) && m.holds_at(now));
        let given: BTreeSet<RoleName> = mappings.flat_map(crate::rule::Mapping::possible).cloned().collect();
        let held: BTreeSet<&RoleName> = given.iter().collect();
        // A rule of separation that it breaks withholds the roles that it separates, as from a person.
        let (withheld, _) = self.rules.withheld(&self.roles, &held);
        let roles = given.iter().filter(|role| !withheld.contains(*role));
        let mut found: BTreeMap<&TargetName, Entitlement> = BTreeMap::new();
        for role in roles.filter_map(|role| self.roles.get(role)) {
            for (target, lines) in &role.held {
                let entry = found.entry(target).or_insert_with(|| Entitlement {
                    target: target.clone(),
                    principal: service.principal,
                    roles: BTreeSet::new(),
                    grants: BTreeSet::new(),
                });
                entry.roles.insert(role.name.clone());
                entry.grants.extend(lines.iter().map(|held| held.grant.line.to_string()));
            }
        }
        Some(found.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const MAP: &str = r#"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t } }
roles:
  base: { grants: { dw: [select on sales.regions] } }
  load: { includes: [base], grants: { dw: ["insert on sales.orders", "deny delete on sales.orders"] } }
  make: { grants: { dw: [select on pay.made] } }
  approve: { grants: { dw: [select on pay.approved] } }
mappings:
  - { service: ci, roles: [load] }
  - { service: ci, roles: [make], until: 2027-01-01T00:00:00Z }
services:
  ci: { principal: axon-ci, token: { issuer: "https://ci.example", audience: axon, subject: job-1, claims: { ref: [main, next] } } }
  other: { principal: axon-other }
"#;

    fn map(text: &str) -> RoleMap {
        RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|faults| panic!("{faults}"))
    }

    #[test]
    fn a_service_holds_what_its_mappings_give_now() {
        let map = map(MAP);
        let ci: ServiceName = "ci".parse().unwrap();
        let held = |now| map.entitlements(&ci, now).unwrap();
        let before = held(datetime!(2026-11-22 00:00 UTC));
        assert_eq!(before.len(), 1);
        let lines: Vec<&str> = before[0].grants.iter().map(String::as_str).collect();
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("deny ")), "{lines:?}");
        assert_eq!(held(datetime!(2027-01-01 00:00 UTC))[0].grants.len(), 3);
        let token = map.services[&ci].token.as_ref().unwrap();
        assert_eq!((token.audience.len(), token.claims["ref"].len()), (1, 2));
        assert_eq!(map.entitlements(&"other".parse().unwrap(), OffsetDateTime::UNIX_EPOCH), Some(Vec::new()));
        assert_eq!(map.entitlements(&"none".parse().unwrap(), OffsetDateTime::UNIX_EPOCH), None);
    }

    #[test]
    fn what_is_separated_is_withheld_from_a_service_too() {
        let text = format!("{MAP}rules: {{ separate: [[make, approve]] }}\n");
        let text = text.replace("roles: [load] }", "roles: [load, approve] }");
        let held = map(&text).entitlements(&"ci".parse().unwrap(), datetime!(2026-11-22 00:00 UTC)).unwrap();
        assert!(held[0].grants.iter().all(|line| !line.contains("pay")), "{held:?}");
    }

    #[test]
    fn a_token_says_which_job_it_is_of() {
        let refused = |from: &str, to: &str| {
            let text = MAP.replace(from, to);
            RoleMap::parse(&[("m.yaml", &text)]).expect_err(to).to_string()
        };
        let said = refused("subject: job-1, ", "");
        assert!(said.contains("every job") && said.contains("repository"), "{said}");
        assert!(refused("subject: job-1", "subject: []").contains("must not be empty"));
        assert!(refused("audience: axon, ", "").contains("audience"));
        assert!(refused("claims: { ref:", "claims: { iss:").contains("keys of their own"));
        assert!(refused("issuer:", "isuer:").contains("did you mean `issuer`?"));
    }
}

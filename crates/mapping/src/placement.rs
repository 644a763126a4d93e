//! Whether what a line is on is there in targets of its kind: servers hold logins, databases hold the rest.

use std::collections::BTreeMap;

use axon_reconcile::Securable;

use crate::diagnostic::Fault;
use crate::grant::GrantLine;
use crate::names::{RoleName, TargetName};
use crate::read::Reader;
use crate::role::ReadRole;
use crate::target::{Endpoint, TargetKind, TargetSpec, Words};

/// What a target can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Server,
    Serverless,
    Dedicated,
}

impl Place {
    fn of(target: &TargetSpec) -> Option<Self> {
        let kind = match &target.endpoint {
            Endpoint::Script(place) => place.dialect,
            _ => target.kind,
        };
        match kind {
            _ if target.is_server() => Some(Self::Server),
            TargetKind::SynapseServerless => Some(Self::Serverless),
            TargetKind::SynapseDedicated => Some(Self::Dedicated),
            _ => None,
        }
    }
}

/// Refuses lines that are on what targets of their kind do not have.
pub(crate) fn check(
    reader: &Reader<'_>,
    targets: &BTreeMap<TargetName, TargetSpec>,
    roles: &BTreeMap<RoleName, ReadRole>,
) {
    for role in roles.values() {
        // Included roles bring their targets with them.
        let servers = || role.spec.held.keys().chain(role.spec.grants.keys());
        if let Some(name) = servers().find(|name| targets.get(*name).is_some_and(TargetSpec::is_server))
            && !role.spec.direct
        {
            let message = format!(
                "target `{name}` is a server: its permissions stand on logins, and it holds no role of the map"
            );
            let help = "say `direct: true`, and put what is for a database into a role of its own";
            reader.fault_help(Fault::Invalid, role.span, message, help);
            continue;
        }
        for (name, held) in &role.spec.grants {
            let Some(target) = targets.get(name).filter(|target| target.kind.words() == Words::Sql) else {
                continue;
            };
            let Some(place) = Place::of(target) else { continue };
            let spans = role.spans.get(name).map_or(&[][..], Vec::as_slice);
            for (grant, text) in held.iter().zip(spans) {
                if let Some((message, help)) = misplaced(&grant.line, place, name) {
                    reader.fault_help(Fault::Invalid, text.span, message, help);
                }
            }
        }
    }
}

fn misplaced(line: &GrantLine, place: Place, target: &TargetName) -> Option<(String, &'static str)> {
    const ON_SERVER: &str =
        "a target of kind synapse-serverless whose `database` is master is the server of the pool";
    match (line, place) {
        (GrantLine::Permissions { on: Securable::Server | Securable::Credential(_), .. }, Place::Server) => {
            None
        }
        (GrantLine::Permissions { on, .. }, Place::Server) => Some((
            format!("target `{target}` is a server: it has no {on}"),
            "give it in a target of that database, or on `server` or a `credential::name`",
        )),
        (GrantLine::Permissions { on: Securable::Server, .. }, _) => {
            Some((format!("target `{target}` is a database, no server"), ON_SERVER))
        }
        (GrantLine::Permissions { on: Securable::Credential(_), .. }, Place::Dedicated) => Some((
            format!("target `{target}` is a dedicated pool, where nothing is given on credentials"),
            "serverless pools need REFERENCES on them",
        )),
        (GrantLine::MemberOf(role), Place::Server) if role.folded().starts_with("db_") => {
            Some((format!("{role} is a role of databases, and target `{target}` is a server"), ON_SERVER))
        }
        (GrantLine::MemberOf(role), Place::Serverless | Place::Dedicated) if role.folded() == "sysadmin" => {
            Some((format!("{role} is a role of servers, and target `{target}` is a database"), ON_SERVER))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::map::RoleMap;

    fn faults(target: &str, role: &str) -> String {
        let text = format!(
            "axon: 1\ntargets:\n  t: {{ {target}, host: h, auth: managed-identity }}\nroles:\n  r: {{ {role} }}\n"
        );
        RoleMap::parse(&[("m.yaml", &text)]).err().map(|faults| faults.to_string()).unwrap_or_default()
    }

    const SERVER: &str = "kind: synapse-serverless, database: Master";

    #[test]
    fn what_stands_on_logins_and_what_stands_in_databases_is_told_apart() {
        let on = |target: &str, line: &str| {
            faults(target, &format!("direct: true, grants: {{ t: [\"{line}\"] }}"))
        };
        let serverless = "kind: synapse-serverless, database: lake";
        let dedicated = "kind: synapse-dedicated, database: dw";
        for line in [
            "connect any database on server",
            "references on credential::[https://acme.dfs.core.windows.net/raw]",
            "per person: member of sysadmin",
        ] {
            assert_eq!(on(SERVER, line), "", "{line}");
        }
        assert_eq!(on(serverless, "references on credential::lake_reader"), "");
        for (target, line, fault) in [
            (SERVER, "select on sales.orders", "target `t` is a server: it has no sales.orders"),
            (SERVER, "per person: member of db_owner", "db_owner is a role of databases"),
            (serverless, "view server state on server", "target `t` is a database, no server"),
            (serverless, "per person: member of sysadmin", "sysadmin is a role of servers"),
            (dedicated, "references on credential::x", "nothing is given on credentials"),
            (dedicated, "select on server", "SELECT is not given on a server"),
            (serverless, "connect any database on database", "is given on the server only"),
            (serverless, "select on credential::x", "its users need REFERENCES"),
        ] {
            assert!(on(target, line).contains(fault), "{line}: {}", on(target, line));
        }
        let of_role = faults(SERVER, "grants: { t: [connect any database on server] }");
        assert!(of_role.contains("it holds no role of the map"), "{of_role}");
    }
}

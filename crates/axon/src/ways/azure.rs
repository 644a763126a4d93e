//! Ways by roles of Azure, and by what a workspace says of its SQL.

use axon_azure::{Around, Holder, Power, SqlSide};

use super::{Way, WayKind};

/// What a scope of Azure shows.
pub fn of_azure(target: &str, around: &Around) -> Vec<Way> {
    let held = around.holders.iter().flat_map(|holder| {
        let by = by(holder);
        holder.powers.iter().map(move |power| {
            let by =
                if *power == Power::ReadKeys { format!("{by}, by the account's keys") } else { by.clone() };
            Way::new(target, kind(*power), holder.who.clone(), by)
        })
    });
    held.chain(around.workspace.iter().flat_map(|side| of_sql(target, side))).collect()
}

fn kind(power: Power) -> WayKind {
    match power {
        Power::NameAdministrator => WayKind::AzureContributor,
        Power::GiveRoles => WayKind::AzureRoleGiver,
        Power::ReadKeys | Power::ReadFiles => WayKind::StorageReader,
    }
}

fn by(holder: &Holder) -> String {
    let condition = if holder.conditional { ", under a condition that is not judged" } else { "" };
    format!("{} at {}{condition}", holder.role, holder.scope)
}

fn of_sql(target: &str, side: &SqlSide) -> Vec<Way> {
    let mut ways = Vec::new();
    let mut add = |kind, who: String, by: &str| ways.push(Way::new(target, kind, who, by));
    if let Some(who) = &side.entra_administrator {
        add(WayKind::EntraAdministrator, who.clone(), "Entra administrator of the workspace's SQL");
    }
    if let Some(who) = &side.serverless_administrator {
        add(WayKind::EntraAdministrator, who.clone(), "Entra administrator of the serverless pool");
    }
    if let Some(who) = &side.sql_administrator {
        add(WayKind::SqlAdministrator, who.clone(), "SQL administrator login of the workspace");
    }
    if side.identity_controls_sql == Some(true) {
        let id = side.identity.map_or_else(String::new, |id| format!(" ({id})"));
        let who = format!("the workspace's own identity{id}");
        add(WayKind::WorkspaceIdentity, who, "SQL control is granted to the managed identity");
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_power_is_a_way_with_its_row_and_the_workspace_tells_its_own() {
        let holder = Holder {
            who: "ops@acme.com".into(),
            id: "11111111-1111-1111-1111-111111111111".parse().unwrap(),
            role: "Owner".into(),
            scope: "/subscriptions/s".into(),
            conditional: true,
            powers: [Power::NameAdministrator, Power::GiveRoles, Power::ReadKeys].into(),
        };
        let side = SqlSide {
            entra_administrator: Some("dba@acme.com".into()),
            sql_administrator: Some("sqladminuser".into()),
            identity_controls_sql: Some(true),
            ..SqlSide::default()
        };
        let ways =
            of_azure("w", &Around { holders: vec![holder], workspace: Some(side), unseen: Vec::new() });
        let told: Vec<String> =
            ways.iter().map(|w| format!("{} {}: {}", w.kind.as_str(), w.who, w.by)).collect();
        assert_eq!(
            told,
            [
                "azure-contributor ops@acme.com: Owner at /subscriptions/s, under a condition that is not judged",
                "azure-role-giver ops@acme.com: Owner at /subscriptions/s, under a condition that is not judged",
                "storage-reader ops@acme.com: Owner at /subscriptions/s, under a condition that is not judged, by the account's keys",
                "entra-administrator dba@acme.com: Entra administrator of the workspace's SQL",
                "sql-administrator sqladminuser: SQL administrator login of the workspace",
                "workspace-identity the workspace's own identity: SQL control is granted to the managed identity",
            ]
        );
        let off = SqlSide { identity_controls_sql: Some(false), ..SqlSide::default() };
        assert!(of_azure("w", &Around { workspace: Some(off), ..Around::default() }).is_empty());
    }
}

//! The workspace's own roles, for when they cannot be listed, and how one is found by any of its names.
//! Source: reference, section 7.2 (ids from recorded answers of the service).

use axon_reconcile::workspace_role::{other_names, own_name};

use crate::assigned::{Allows, Definition, Definitions};
use crate::guid::Guid;

/// Synapse Administrator.
pub(super) const ADMINISTRATOR: Guid = Guid::from_u128(0x6e4b_f58a_b8e1_4cc3_bbf9_d731_4332_2b78);

/// All of them. The id of Synapse Monitoring Operator is not known: it is found by name only.
const ROLES: [(&str, u128); 10] = [
    ("Synapse Administrator", 0x6e4b_f58a_b8e1_4cc3_bbf9_d731_4332_2b78),
    ("Synapse SQL Administrator", 0x7af0_c69a_a548_47d6_aea3_d00e_69bd_83aa),
    ("Apache Spark Administrator", 0xc3a6_d2f1_a26f_4810_9b0f_5913_08d5_cbf1),
    ("Synapse Contributor", 0x7572_bffe_f453_4b66_912a_46cc_5ef3_8fda),
    ("Synapse Artifact Publisher", 0x0593_0f57_09a3_4c0d_9fa9_6d1e_b91c_178b),
    ("Synapse Artifact User", 0x53fa_aa0e_40b6_40c8_a2ff_e38f_2d38_8875),
    ("Synapse Compute Operator", 0xe384_4cc7_4670_42cb_9349_9bda_c1ee_7881),
    ("Synapse Credential User", 0x5eb2_98b4_692c_4241_9cf0_f58a_3b42_bb25),
    ("Synapse Linked Data Manager", 0xdd66_5582_e433_40ca_b183_1b1b_33e7_3375),
    ("Synapse User", 0x2a38_5764_43e8_416c_9825_7b18_d05a_2c4b),
];

/// Names of Azure roles that people look for here.
const OF_AZURE: [&str; 5] =
    ["Reader", "Contributor", "Owner", "User Access Administrator", "Storage Blob Data Reader"];

/// What every role of a workspace allows, so that effect can be asked for where the roles cannot be listed.
const EACH_ALLOWS: &str = "Microsoft.Synapse/workspaces/read";

/// The table as definitions.
pub(super) fn table() -> Definitions {
    let allows = Allows { data_actions: vec![EACH_ALLOWS.to_owned()], ..Allows::default() };
    let all = ROLES.iter().map(|(name, id)| Definition {
        id: Guid::from_u128(*id),
        name: (*name).to_owned(),
        built_in: true,
        allows: allows.clone(),
    });
    Definitions::new(all.collect())
}

/// The role of a name: as the service calls it now, by another name of it, or by the id that it is known to have had under this
/// name before the service renamed it.
pub(super) fn find<'a>(name: &str, definitions: &'a Definitions) -> Result<&'a Definition, String> {
    if let Some(found) = definitions.named(name).next() {
        return Ok(found);
    }
    let other = own_name(name);
    if let Some(found) = definitions.named(other).next() {
        return Ok(found);
    }
    // Either of the two spellings may be the service's.
    if let Some(found) = other_names(other).find_map(|alias| definitions.named(alias).next()) {
        return Ok(found);
    }
    let id =
        ROLES.iter().find(|(known, _)| known.eq_ignore_ascii_case(other)).map(|(_, id)| Guid::from_u128(*id));
    if let Some(found) = id.and_then(|id| definitions.of(id)) {
        return Ok(found);
    }
    if OF_AZURE.iter().any(|role| role.eq_ignore_ascii_case(name)) {
        return Err(format!(
            "{name} is a role of Azure and not of the workspace (synapse): assign it in a target of kind azure-rbac whose scope \
             is the workspace's resource"
        ));
    }
    let known: Vec<&str> = definitions.all().iter().map(|d| d.name.as_str()).collect();
    Err(format!("the workspace has no role {name}; it has: {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_found_by_each_of_its_names_and_after_a_rename() {
        let table = table();
        for name in ["Apache Spark Administrator", "synapse apache spark administrator", "Apache Spark Admin"]
        {
            assert_eq!(find(name, &table).unwrap().name, "Apache Spark Administrator");
        }
        assert_eq!(find("Workspace Admin", &table).unwrap().id, ADMINISTRATOR);
        let renamed = Definition {
            name: "Workspace Owner".into(),
            ..find("Synapse Administrator", &table).unwrap().clone()
        };
        let renamed = Definitions::new(vec![renamed]);
        assert_eq!(find("Synapse Administrator", &renamed).unwrap().id, ADMINISTRATOR);
        let portal = Definition {
            name: "Synapse Apache Spark Administrator".into(),
            ..find("Apache Spark Administrator", &table).unwrap().clone()
        };
        assert!(find("Apache Spark Administrator", &Definitions::new(vec![portal])).is_ok());
    }

    #[test]
    fn a_role_of_azure_is_told_from_one_of_the_workspace() {
        assert!(find("Reader", &table()).unwrap_err().contains("kind azure-rbac"));
        assert!(find("Synapse Gardener", &table()).unwrap_err().contains("it has: Synapse Administrator"));
    }
}

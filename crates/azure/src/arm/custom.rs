//! Roles that the role map itself defines.

use axon_model::SqlName;
use serde_json::{Value, json};

use crate::assigned::Allows;
use crate::guid::Guid;

/// The most actions of one role.
const MOST: usize = 2_048;

/// A role that the role map defines: what it allows, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomRole {
    allows: Allows,
    description: String,
}

/// Why a role cannot be defined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRole(String);

impl CustomRole {
    /// A role that allows these actions, such as `Microsoft.DataFactory/factories/pipelines/createRun/action`.
    pub fn new(
        actions: Vec<String>,
        not_actions: Vec<String>,
        data_actions: Vec<String>,
        not_data_actions: Vec<String>,
        description: String,
    ) -> Result<Self, BadRole> {
        let allows = Allows { actions, not_actions, data_actions, not_data_actions };
        if allows.actions.is_empty() && allows.data_actions.is_empty() {
            return Err(BadRole("a role that allows nothing needs no definition: give it `actions`".into()));
        }
        for action in allows.all() {
            let plain = action.split('/').count() >= 2
                && action.len() <= 400
                && action.bytes().all(|b| b.is_ascii_alphanumeric() || b"./*-_".contains(&b));
            if !plain || action.starts_with('*') {
                return Err(BadRole(format!(
                    "{} is no action that a role may have: write it like Microsoft.DataFactory/factories/read",
                    axon_model::name::shown(action)
                )));
            }
        }
        for (some, without) in
            [(&allows.actions, &allows.not_actions), (&allows.data_actions, &allows.not_data_actions)]
        {
            if let Some(action) = some.iter().find(|a| axon_reconcile::action::gives_roles(a, without)) {
                return Err(BadRole(format!(
                    "{action} lets people give roles: use a built-in role, which reviews know"
                )));
            }
        }
        if allows.all().count() > MOST {
            return Err(BadRole(format!("a role has {MOST} actions at most")));
        }
        Ok(Self { allows, description })
    }

    /// The body that makes it. Its scope is the resource group or subscription of the target, since definitions stand on those.
    pub(super) fn body(&self, name: SqlName, scope: &str) -> Value {
        let Allows { actions, not_actions, data_actions, not_data_actions } = &self.allows;
        json!({"properties": {
            "roleName": name.as_str(),
            "description": self.description,
            "type": "CustomRole",
            "permissions": [{
                "actions": actions,
                "notActions": not_actions,
                "dataActions": data_actions,
                "notDataActions": not_data_actions,
            }],
            "assignableScopes": [group_of(scope)],
        }})
    }

    /// Whether a definition allows just this.
    pub(super) fn is(&self, there: &Allows) -> bool {
        self.allows.folded() == there.folded()
    }
}

/// The id of a role of the map's own: it follows from the place where it can be assigned and its name.
pub(super) fn id(scope: &str, name: SqlName) -> Guid {
    Guid::of_row(&["azure definition", &group_of(scope), name.folded()])
}

/// The resource group of a scope, else the whole of it.
fn group_of(scope: &str) -> String {
    let segments: Vec<&str> = scope.split('/').collect();
    match segments.as_slice() {
        ["", subscriptions, _, groups, _, ..]
            if subscriptions.eq_ignore_ascii_case("subscriptions")
                && groups.eq_ignore_ascii_case("resourceGroups") =>
        {
            segments[..5].join("/")
        }
        _ => scope.to_owned(),
    }
}

impl Allows {
    fn all(&self) -> impl Iterator<Item = &String> {
        let Self { actions, not_actions, data_actions, not_data_actions } = self;
        actions.iter().chain(not_actions).chain(data_actions).chain(not_data_actions)
    }

    /// In one order and spelling: Azure compares without case.
    fn folded(&self) -> [Vec<String>; 4] {
        let Self { actions, not_actions, data_actions, not_data_actions } = self;
        [actions, not_actions, data_actions, not_data_actions].map(|list| {
            let mut list: Vec<String> = list.iter().map(|action| action.to_ascii_lowercase()).collect();
            list.sort();
            list.dedup();
            list
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(actions: &[&str]) -> Result<CustomRole, BadRole> {
        let actions = actions.iter().map(ToString::to_string).collect();
        CustomRole::new(actions, Vec::new(), Vec::new(), Vec::new(), "from the role map".into())
    }

    #[test]
    fn a_role_that_gives_all_or_gives_roles_is_refused() {
        for bad in [
            &[][..],
            &["*"],
            &["*/read"],
            &["Microsoft.DataFactory"],
            &["Microsoft.DataFactory/x y"],
            &["Microsoft.Authorization/roleAssignments/write"],
            &["microsoft.authorization/*"],
            &["Microsoft.*/roleAssignments/write"],
            &["Microsoft.Authorization/*/write"],
            &["Microsoft.*/write"],
        ] {
            assert!(role(bad).is_err(), "{bad:?}");
        }
        assert!(role(&["Microsoft.Authorization/*/read"]).is_ok());
        let without = |not: &str| {
            let (all, not) = (vec!["Microsoft.Authorization/locks/write".into()], vec![not.to_owned()]);
            CustomRole::new(all, not, Vec::new(), Vec::new(), "from the role map".into())
        };
        assert!(without("Microsoft.Authorization/*/write").is_ok());
        assert!(without("Microsoft.Authorization/*/delete").is_err());
    }

    #[test]
    fn a_definition_is_compared_without_order_and_case() {
        let wanted =
            role(&["Microsoft.DataFactory/factories/read", "Microsoft.DataFactory/factories/pipelines/read"]);
        let there = Allows {
            actions: vec![
                "microsoft.datafactory/factories/pipelines/read".into(),
                "Microsoft.DataFactory/factories/read".into(),
            ],
            ..Allows::default()
        };
        assert!(wanted.as_ref().unwrap().is(&there));
        let more = Allows { data_actions: vec!["Microsoft.DataFactory/x/y".into()], ..there };
        assert!(!wanted.unwrap().is(&more));
    }

    #[test]
    fn its_id_is_one_for_a_resource_group() {
        let name = SqlName::parse("Factory Operator").unwrap();
        let group = "/subscriptions/s/resourceGroups/g";
        let factory = format!("{group}/providers/Microsoft.DataFactory/factories/f");
        assert_eq!(id(&factory, name), id(group, name));
        assert_ne!(id("/subscriptions/s/resourceGroups/h", name), id(group, name));
        assert_eq!(group_of(&factory), group);
        assert_eq!(group_of("/subscriptions/s"), "/subscriptions/s");
    }
}

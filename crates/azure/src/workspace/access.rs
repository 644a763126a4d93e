//! Whether an assignment has effect: the workspace itself is asked (`checkAccessSynapseRbac`).

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::VERSION;
use crate::assigned::{Definition, Row};
use crate::service::{Service, ServiceFault};
use crate::wire::{Call, Content};

/// So many actions of the role are asked about.
const MOST_ACTIONS: usize = 10;

#[derive(Deserialize)]
struct Answered {
    #[serde(rename = "AccessDecisions", alias = "accessDecisions")]
    decisions: Vec<Decision>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decision {
    access_decision: String,
    action_id: Option<String>,
}

/// Whether the principal may do, in the row's scope, what the role allows. None where the role allows nothing that can be asked.
pub(super) async fn check(
    service: &Service,
    row: &Row,
    definition: Option<&Definition>,
) -> Result<Option<bool>, ServiceFault> {
    let Some(definition) = definition else { return Ok(None) };
    let plain = |action: &&String| !action.contains('*');
    let data = definition.allows.data_actions.iter().filter(plain).map(|id| (id, true));
    let control = definition.allows.actions.iter().filter(plain).map(|id| (id, false));
    let asked: Vec<(&String, bool)> = data.chain(control).take(MOST_ACTIONS).collect();
    if asked.is_empty() {
        return Ok(None);
    }
    let actions: Vec<_> = asked.iter().map(|(id, data)| json!({"id": id, "isDataAction": data})).collect();
    let body = json!({
        "subject": {"principalId": row.principal},
        "actions": actions,
        "scope": row.scope,
    });
    let call = Call::new(Method::POST, service.base.at(&format!("/checkAccessSynapseRbac?{VERSION}")));
    let answer = service.call(call.content(Content::Json(body.to_string()))).await?;
    let answered: Answered = answer.json().map_err(ServiceFault::Unreadable)?;
    let allowed = |id: &String| {
        let decision = |d: &&Decision| d.action_id.as_deref().is_some_and(|a| a.eq_ignore_ascii_case(id));
        answered
            .decisions
            .iter()
            .find(decision)
            .is_some_and(|d| d.access_decision.eq_ignore_ascii_case("allowed"))
    };
    Ok(Some(asked.iter().all(|(id, _)| allowed(id))))
}

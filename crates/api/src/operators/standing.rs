//! Where the targets stand, as the last tick of any process left them.

use axon_controller::Summary;
use axon_store::operators::Permission;
use time::OffsetDateTime;

use super::auth::operators;
use super::{Operator, Problem};
use crate::state::Api;

/// Where one target stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its name.
    pub target: String,
    /// What the last tick left, and when; none where no tick has ended yet.
    pub summary: Option<(Summary, OffsetDateTime)>,
}

/// The targets of the map in force, by name. It tells what waits and for whom, so whoever asks must be one who may see that.
pub async fn standing(api: &Api, operator: &Operator) -> Result<Vec<Standing>, Problem> {
    operator.needs(Permission::HoldsRead)?;
    let map = (operators(api)?.map)();
    let mut all = Vec::new();
    for name in map.targets.keys() {
        let kept = api.store.summary(name.as_str()).await?;
        let summary = kept.and_then(|(value, at)| match serde_json::from_value(value) {
            Ok(summary) => Some((summary, at)),
            Err(error) => {
                tracing::error!(%error, target.name = %name, "a target's summary cannot be read");
                None
            }
        });
        all.push(Standing { target: name.to_string(), summary });
    }
    Ok(all)
}

//! Steps that the target is known not to do: they wait with their reason, and with all that needs them, before anything is sent.

use std::sync::Arc;

use axon_mapping::RoleMap;
use axon_mapping::target::{Auth, TargetKind, TargetSpec};
use axon_reconcile::{Refusal, RefusalKind, Step};
use time::OffsetDateTime;

use super::Ticker;
use super::acquaintance::capabilities_key;
use super::decide::{Decided, May};
use crate::error::ControllerError;

/// How often what cannot be done is left out of the plan before the target is asked all the same.
const LEAVINGS_OUT: usize = 16;

impl Ticker {
    /// A decision without steps that the target lacks something for.
    pub(super) async fn decide_able(
        &mut self,
        map: &Arc<RoleMap>,
        may: May,
        now: OffsetDateTime,
    ) -> Result<Decided, ControllerError> {
        let (target, spec) = (self.target.clone(), map.targets.get(&self.name));
        let fault = |step: &Step| spec.and_then(|spec| unmade(spec, step)).or_else(|| target.lacks(step));
        if let Some(decided) = self.decide_without(map, may, now, fault).await? {
            return Ok(decided);
        }
        // What is left is refused by the target's own side as it would be here, one step after another.
        self.decide(map, may, now).await
    }

    /// A decision none of whose steps has this fault: what has it waits as if it had been refused, with all that needs it. None
    /// where there is ever more to leave out.
    pub(super) async fn decide_without(
        &mut self,
        map: &Arc<RoleMap>,
        may: May,
        now: OffsetDateTime,
        fault: impl Fn(&Step) -> Option<String>,
    ) -> Result<Option<Decided>, ControllerError> {
        for _ in 0..LEAVINGS_OUT {
            let decided = self.decide(map, may, now).await?;
            let steps = decided.admitted.steps().iter().map(|planned| &planned.step);
            let bad: Vec<(Step, String)> = steps
                .filter_map(|step| Some((step.clone(), fault(step).or_else(|| self.unseen(step))?)))
                .collect();
            if bad.is_empty() {
                return Ok(Some(decided));
            }
            for (step, message) in bad {
                let refusal = Refusal { kind: RefusalKind::Unsupported, number: 0, message };
                self.blocked.add(&step, refusal, now);
            }
        }
        Ok(None)
    }

    /// What was left out of a plan because it cannot be done, in sentences.
    pub(super) fn lacking(&self, now: OffsetDateTime) -> impl Iterator<Item = String> {
        self.blocked.waiting(now).map(|blocked| format!("{}: {}", blocked.step, blocked.refusal.message))
    }

    /// Reminds the target of what it told when it was asked what it can do. Asks nothing.
    pub(super) async fn recall(&self) {
        let Some(known) = &self.actual else { return };
        match self.store.summary(&capabilities_key(self.name.as_str())).await {
            Ok(Some((kept, _))) => self.target.recall(kept, &known.inspection.facts),
            Ok(None) => {}
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what a target can do cannot be read"
            ),
        }
    }
}

/// Why a principal is not made where the map leaves that to others.
pub(super) fn unmade(spec: &TargetSpec, step: &Step) -> Option<String> {
    if !spec.manage.only_existing || !matches!(step, Step::CreatePrincipal { .. }) {
        return None;
    }
    // The login of a script only reads: somebody else runs it.
    let by_password = spec.kind != TargetKind::Script && matches!(spec.auth, Some(Auth::Sql { .. }));
    Some(if by_password {
        "Axon's login is a SQL one, which creates no principals of the directory (33159): have somebody of Entra create this one, or \
         give the target an identity of Entra"
            .to_owned()
    } else {
        "the map takes who is a principal already (`principals: existing`): have somebody create this one"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use axon_mapping::RoleMap;
    use axon_model::SqlName;
    use axon_reconcile::PrincipalKind;

    use super::*;

    #[test]
    fn only_principals_wait_and_only_where_the_map_says_so() {
        let kim = SqlName::parse("kim").unwrap();
        let create = Step::CreatePrincipal { name: kim, kind: PrincipalKind::External, sid: None };
        let role = Step::CreateRole { name: kim };
        let says = |target: &str, step: &Step| {
            let map = format!("axon: 1\ntargets:\n  dw: {{ {target}, database: d, mode: additive }}\n");
            let map = RoleMap::parse(&[("m", &map)]).unwrap();
            unmade(map.targets.values().next().unwrap(), step).unwrap_or_default()
        };
        let password = "auth: { sql: { user: a, password: \"${env:P}\" } }, manage: { principals: existing }";
        let pool = format!("kind: synapse-dedicated, host: h, {password}");
        assert!(says(&pool, &create).contains("33159"));
        assert_eq!(says(&pool, &role), "");
        let entra = "kind: synapse-dedicated, host: h, auth: managed-identity";
        assert_eq!(says(entra, &create), "");
        let existing = format!("{entra}, manage: {{ principals: existing }}");
        assert!(says(&existing, &create).contains("have somebody create this one"));
        assert_eq!(says(&existing, &role), "");
        // Whoever reads for a script does not run it.
        let script = format!("kind: script, dialect: dedicated, out: x, host: h, {password}");
        let said = says(&script, &create);
        assert!(!said.contains("33159") && !said.is_empty(), "{said}");
    }
}

//! What a plan would leave behind: whom it lets in counts before it does.

use std::collections::BTreeSet;

use axon_reconcile::simulate::apply_step;
use axon_reconcile::{Graph, Plan, Planned, Step};

/// What would stand after a plan that changes something. Where that cannot be told, neither can whom it lets in: the words say so.
pub(super) fn after(graph: &Graph, plan: &Plan) -> Option<Result<Graph, String>> {
    if plan.steps.is_empty() {
        return None;
    }
    let mut then = graph.clone();
    // In whose place nobody can be made, since the drop would be refused.
    let mut stays = BTreeSet::new();
    for Planned { step, .. } in &plan.steps {
        match (apply_step(&mut then, step), step) {
            (Ok(()), _) => {}
            (Err(_), Step::DropPrincipal { name, .. }) => {
                stays.insert(*name);
            }
            (Err(_), Step::CreatePrincipal { name, .. }) if stays.contains(name) => {}
            // What takes and would be refused leaves everybody's ways as they are: sessions that outlived their user, a member who went.
            (Err(_), step) if !step.gives() => {}
            (Err(refused), _) => {
                let words = format!("whom the steps at hand would let in cannot be told: {refused}");
                return Some(Err(words));
            }
        }
    }
    Some(Ok(then))
}

#[cfg(test)]
mod tests {
    use axon_model::SqlName;
    use axon_reconcile::Connect;

    use super::*;

    #[test]
    fn a_plan_whose_end_cannot_be_told_lets_nobody_read_a_view() {
        let name = |text: &str| SqlName::parse(text).unwrap();
        let step = Step::AddMember { role: name("analyst"), member: name("kim") };
        let plan = Plan { steps: vec![step.into()], findings: Vec::new() };
        let mut graph = Graph::default();
        assert!(after(&graph, &Plan::default()).is_none(), "nothing changes");
        let words = after(&graph, &plan).unwrap().unwrap_err();
        assert!(
            words.starts_with("whom the steps at hand would let in cannot be told: cannot add kim"),
            "{words}"
        );
        let kim = axon_reconcile::Principal {
            kind: axon_reconcile::PrincipalKind::External,
            sid: None,
            connect: Connect::Granted,
            created: None,
        };
        graph.principals.insert(name("kim"), kim);
        graph.roles.insert(name("analyst"), axon_reconcile::Role::default());
        assert_eq!(after(&graph, &plan).unwrap().unwrap().members.len(), 1);
    }

    /// Somebody whose user was dropped by hand has a session; somebody else's user cannot be made anew, since a role is theirs.
    #[test]
    fn what_takes_and_is_refused_hides_nobody_whom_the_plan_lets_in() {
        let name = |text: &str| SqlName::parse(text).unwrap();
        let external = axon_reconcile::PrincipalKind::External;
        let principal = || axon_reconcile::Principal {
            kind: external,
            sid: None,
            connect: Connect::Granted,
            created: None,
        };
        let mut graph = Graph::default();
        for person in ["kim", "lee"] {
            graph.principals.insert(name(person), principal());
        }
        graph.roles.insert(name("analyst"), axon_reconcile::Role::default());
        let owner = axon_reconcile::Role { owner: Some(name("lee")), ..axon_reconcile::Role::default() };
        graph.roles.insert(name("lees"), owner);
        let member = |who| Step::AddMember { role: name("analyst"), member: name(who) };
        let steps = [
            Step::KillSessions { principal: name("gone") },
            Step::DropMember { role: name("analyst"), member: name("gone") },
            Step::DropPrincipal { name: name("lee"), sid: None },
            Step::CreatePrincipal { name: name("lee"), kind: external, sid: None },
            member("kim"),
            member("lee"),
        ];
        let mut plan = Plan { steps: steps.into_iter().map(Planned::from).collect(), findings: Vec::new() };
        let then = after(&graph, &plan).unwrap().unwrap();
        assert_eq!((then.members.len(), then.principals.len()), (2, 2));
        let again = Step::CreatePrincipal { name: name("kim"), kind: external, sid: None };
        plan.steps.push(again.into());
        assert!(after(&graph, &plan).unwrap().is_err(), "what gives and is refused is not understood");
    }
}

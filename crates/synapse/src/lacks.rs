//! What a pool is known not to do, before anything is sent: by its kind, and by what it told when it was probed.

use axon_reconcile::{Securable, Step, StepKind};

use crate::capabilities::{Capabilities, OWN_METADATA};
use crate::statement::{Dialect, Wording};

/// Only connections that were established with Entra accounts create other principals of the directory.
const NEEDS_ENTRA: i64 = 33159;

/// Why a step cannot be done there.
pub(crate) fn lacks(wording: &Wording<'_>, can: &Capabilities, step: &Step) -> Option<String> {
    // Every dedicated pool can be told of views; their texts are long, and made once.
    if matches!(step, Step::Secure(_)) && wording.dialect == Dialect::Dedicated {
        return None;
    }
    if let Err(refused) = wording.work(step) {
        return Some(refused.to_string());
    }
    if wording.dialect == Dialect::Serverless
        && can.cannot(OWN_METADATA)
        && step.kind() != StepKind::KillSessions
    {
        return Some(format!(
            "{} is a lake database, which takes no users, roles or grants: give access at the server (a target with `database: \
             master`) or by a database beside it whose views read it",
            wording.database
        ));
    }
    match step {
        Step::CreatePrincipal { .. } => {
            let (probe, statement) = match wording.dialect {
                Dialect::Server => ("external-login", "CREATE LOGIN … FROM EXTERNAL PROVIDER"),
                Dialect::Dedicated | Dialect::Serverless => {
                    ("external-user", "CREATE USER … FROM EXTERNAL PROVIDER")
                }
            };
            if can.cannot(probe) {
                let instead = match wording.dialect {
                    Dialect::Serverless => {
                        ": give access at the server (a target with `database: master`), where people get logins"
                    }
                    Dialect::Dedicated | Dialect::Server => "",
                };
                return Some(format!("it does not know {statement} (probe {probe}){instead}"));
            }
            (can.refused_with(probe) == Some(NEEDS_ENTRA)).then(|| {
                format!("Axon's login is a SQL one, which creates no principals of the directory ({NEEDS_ENTRA}): give the target an identity of Entra")
            })
        }
        Step::Revoke { on: Securable::Object(_), columns, .. }
            if !columns.is_empty() && can.cannot("revoke-columns") =>
        {
            Some("it takes no REVOKE of single columns (probe revoke-columns)".to_owned())
        }
        Step::Classify(_) if can.cannot("classifiers-view") => {
            Some("it shows no workload classifiers (probe classifiers-view)".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axon_model::SqlName;
    use axon_reconcile::{GrantState, ObjectName, Permission, PrincipalKind};

    use super::*;
    use crate::probe::{Answer, Probe, Probes};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn told(name: &str, answer: Answer, number: i64) -> Capabilities {
        let mut can = Capabilities::default();
        let probe = Probe { name: name.to_owned(), answer, number };
        can.probed(Probes { version: "v".into(), edition: 6, probes: vec![probe] });
        can
    }

    #[test]
    fn only_what_is_known_to_be_lacking_is_refused() {
        let roles = BTreeSet::new();
        let of = |dialect| Wording { dialect, database: name("dw"), roles: &roles };
        let create = Step::CreatePrincipal { name: name("kim"), kind: PrincipalKind::External, sid: None };
        let table = ObjectName { schema: name("s"), name: name("t") };
        let revoke = Step::Revoke {
            grantee: name("r"),
            permission: Permission::Select,
            on: Securable::Object(table),
            columns: vec![name("c")],
            was: GrantState::Grant,
        };
        let kill = Step::KillSessions { principal: name("kim") };
        for (dialect, can, step, refused) in [
            (Dialect::Dedicated, Capabilities::default(), &create, false),
            (Dialect::Dedicated, told("external-user", Answer::Yes, 33130), &create, false),
            (Dialect::Dedicated, told("external-user", Answer::Yes, 33134), &create, false),
            (Dialect::Dedicated, told("external-user", Answer::Yes, 33159), &create, true),
            (Dialect::Dedicated, told("external-user", Answer::No, 103_010), &create, true),
            (Dialect::Server, told("external-user", Answer::No, 103_010), &create, false),
            (Dialect::Server, told("external-login", Answer::No, 102), &create, true),
            (Dialect::Dedicated, told("revoke-columns", Answer::No, 102), &revoke, true),
            (Dialect::Dedicated, told("revoke-columns", Answer::Unclear, 0), &revoke, false),
            (Dialect::Serverless, told(OWN_METADATA, Answer::No, 1), &revoke, true),
            (Dialect::Serverless, told(OWN_METADATA, Answer::No, 1), &kill, false),
            (Dialect::Dedicated, told(OWN_METADATA, Answer::No, 1), &revoke, false),
        ] {
            assert_eq!(lacks(&of(dialect), &can, step).is_some(), refused, "{dialect:?} {step}");
        }
        let no_users = told("external-user", Answer::No, 15869);
        assert_eq!(
            lacks(&of(Dialect::Serverless), &no_users, &create).unwrap(),
            "it does not know CREATE USER … FROM EXTERNAL PROVIDER (probe external-user): give access at the server (a target with \
             `database: master`), where people get logins"
        );
        let mut said = Capabilities::saying([("external-user".to_owned(), true)].into());
        said.probed(Probes { version: "v".into(), edition: 6, probes: vec![] });
        assert_eq!(lacks(&of(Dialect::Dedicated), &said, &create), None);
    }
}

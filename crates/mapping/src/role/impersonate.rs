//! `impersonate`: the roles that people with a role may act as, for how long, and whether they say why.

use std::collections::BTreeMap;

use time::Duration;

use super::{TargetNames, targets_of};
use crate::diagnostic::Fault;
use crate::names::{RoleName, TargetName};
use crate::place::Place;
use crate::read::Reader;
use crate::yaml::{Node, Scalar};

/// What people with a role may act as in one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impersonation {
    /// The roles whose people they may act as.
    pub roles: Vec<RoleName>,
    /// For how long at most.
    pub longest: Duration,
    /// Whether a reason must be said.
    pub reason_required: bool,
    /// Whether somebody else than whoever asks has to release it.
    pub second_person: bool,
    /// Where it stands.
    pub place: Place,
}

/// Keys under a target of `impersonate`.
pub(crate) const KEYS: &[&str] = &["roles", "for", "reason", "second_person"];
/// The longest time that somebody may act as another.
const LONGEST: Duration = Duration::hours(24);

type Acting = (BTreeMap<TargetName, Impersonation>, Vec<(RoleName, Scalar)>);

pub(super) fn read(reader: &Reader<'_>, node: Option<&Node>, what: &str, names: &TargetNames<'_>) -> Acting {
    let mut by_target = BTreeMap::new();
    let mut acting = Vec::new();
    for (key, node) in node.map_or(&[][..], |n| reader.entries(n, &format!("`impersonate` of {what}"))) {
        let targets = targets_of(reader, key, names);
        let what = format!("`impersonate` of {what}");
        let Some(fields) = reader.fields(node, &what, KEYS, &[]) else { continue };
        let mut roles = Vec::new();
        for item in fields.need(reader, "roles").map_or(&[][..], |n| reader.list(n, "`roles`")) {
            let Some(text) = reader.text(item, "a role's name") else { continue };
            match text.text.parse::<RoleName>() {
                Ok(name) => {
                    roles.push(name.clone());
                    acting.push((name, text));
                }
                Err(e) => reader.fault(Fault::Invalid, text.span, e.to_string()),
            }
        }
        let longest = fields.need(reader, "for").and_then(|n| {
            let read = reader.duration(n, "`for`")?;
            if read > LONGEST {
                reader.fault(Fault::Invalid, n.span, "nobody acts as another for more than 24h");
            }
            Some(read)
        });
        let reasons = [("required", true), ("optional", false)];
        let reason = fields.get("reason").map_or(Some(true), |n| reader.word(n, "`reason`", &reasons));
        let second = [("true", true), ("false", false)];
        let second =
            fields.get("second_person").map_or(Some(false), |n| reader.word(n, "`second_person`", &second));
        let (Some(longest), Some(reason_required), Some(second_person)) = (longest, reason, second) else {
            continue;
        };
        let place = reader.place(key.span);
        for target in targets {
            let (roles, place) = (roles.clone(), place.clone());
            let one = Impersonation { roles, longest, reason_required, second_person, place };
            by_target.insert(target, one);
        }
    }
    (by_target, acting)
}

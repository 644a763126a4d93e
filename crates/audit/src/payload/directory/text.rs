//! The canonical texts of a directory change, written straight: each write of SCIM makes one, and a tree of values in between
//! was a quarter of what a create cost its caller. The names stand in the order of their bytes, as [`canonical`] sorts them.
//!
//! [`canonical`]: crate::canonical()

use std::fmt::{Display, Write as _};

use axon_model::{Delta, GroupEntry, MemberKind, UserEntry};

use super::{DirectoryChange, WriteVerb};
use crate::canonical::write_text;

impl DirectoryChange {
    /// The canonical text of the part that names nobody.
    pub(crate) fn facts_text(&self) -> String {
        let mut out = String::with_capacity(192 + 160 * self.deltas.len());
        out.push_str("{\"deltas\":[");
        for (n, delta) in self.deltas.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            write_delta(delta, &mut out);
        }
        let Self { external_id_changed, joined, parked, source, .. } = self;
        let _ = write!(
            out,
            "],\"external_id_changed\":{external_id_changed},\"joined\":{joined},\"parked\":{parked},\"source\":\"{source}\",\"verb\":\"{}\"}}",
            self.verb.word()
        );
        out
    }

    /// The canonical text of the entries that were put, if there are any.
    pub(crate) fn clear_text(&self) -> Option<String> {
        let mut out = String::new();
        for delta in &self.deltas {
            let (document, begin) = match delta {
                Delta::UserPut { user } => (&user.document, out.len()),
                Delta::GroupPut { group } => (&group.document, out.len()),
                _ => continue,
            };
            out.reserve(320 + document.len() + document.len() / 3);
            out.push_str(if begin == 0 { "{\"entries\":[" } else { "," });
            match delta {
                Delta::UserPut { user } => write_user(user, &mut out),
                Delta::GroupPut { group } => write_group(group, &mut out),
                _ => {}
            }
        }
        if out.is_empty() {
            return None;
        }
        out.push_str("]}");
        Some(out)
    }
}

impl WriteVerb {
    const fn word(self) -> &'static str {
        match self {
            Self::CreateUser => "create-user",
            Self::ReplaceUser => "replace-user",
            Self::PatchUser => "patch-user",
            Self::DeleteUser => "delete-user",
            Self::CreateGroup => "create-group",
            Self::ReplaceGroup => "replace-group",
            Self::PatchGroup => "patch-group",
            Self::DeleteGroup => "delete-group",
        }
    }
}

fn write_delta(delta: &Delta, out: &mut String) {
    let _ = match delta {
        Delta::UserPut { user: UserEntry { id, active, .. } } => {
            write!(out, "{{\"active\":{active},\"id\":\"{id}\",\"put\":\"user\"}}")
        }
        Delta::GroupPut { group: GroupEntry { id, .. } } => {
            write!(out, "{{\"id\":\"{id}\",\"put\":\"group\"}}")
        }
        Delta::UserRemoved { id } => write!(out, "{{\"delta\":\"user-removed\",\"id\":\"{id}\"}}"),
        Delta::GroupRemoved { id } => write!(out, "{{\"delta\":\"group-removed\",\"id\":\"{id}\"}}"),
        Delta::MemberAdded { group, member } => write_member("member-added", group, *member, out),
        Delta::MemberRemoved { group, member } => write_member("member-removed", group, *member, out),
    };
}

fn write_member(what: &str, group: &impl Display, member: MemberKind, out: &mut String) -> std::fmt::Result {
    write!(out, "{{\"delta\":\"{what}\",\"group\":\"{group}\",\"member\":")?;
    match member {
        MemberKind::User(id) => write!(out, "{{\"user\":\"{id}\"}}}}"),
        MemberKind::Group(id) => write!(out, "{{\"group\":\"{id}\"}}}}"),
    }
}

fn write_user(entry: &UserEntry, out: &mut String) {
    let UserEntry { id, source, user_name, external_id, active, document } = entry;
    let _ = write!(out, "{{\"active\":{active},\"document\":");
    write_text(document, out);
    write_external_id(external_id.as_deref(), out);
    let _ = write!(out, ",\"id\":\"{id}\",\"source\":\"{source}\",\"user_name\":");
    write_text(user_name, out);
    out.push('}');
}

fn write_group(entry: &GroupEntry, out: &mut String) {
    let GroupEntry { id, source, display_name, external_id, document } = entry;
    out.push_str("{\"display_name\":");
    write_text(display_name, out);
    out.push_str(",\"document\":");
    write_text(document, out);
    write_external_id(external_id.as_deref(), out);
    let _ = write!(out, ",\"id\":\"{id}\",\"source\":\"{source}\"}}");
}

fn write_external_id(external_id: Option<&str>, out: &mut String) {
    out.push_str(",\"external_id\":");
    match external_id {
        Some(text) => write_text(text, out),
        None => out.push_str("null"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::to_value;

    use super::*;
    use crate::canonical::canonical;
    use crate::payload::Payload as _;

    fn text() -> impl Strategy<Value = Arc<str>> {
        any::<String>().prop_map(Arc::from)
    }

    fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(bits: u128) -> T {
        let hex = format!("{bits:032x}");
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-").parse().unwrap()
    }

    fn member() -> impl Strategy<Value = MemberKind> {
        prop_oneof![
            any::<u128>().prop_map(|bits| MemberKind::User(id(bits))),
            any::<u128>().prop_map(|bits| MemberKind::Group(id(bits))),
        ]
    }

    fn entry() -> impl Strategy<Value = (u128, Arc<str>, Option<Arc<str>>, bool, Arc<str>)> {
        (any::<u128>(), text(), proptest::option::of(text()), any::<bool>(), text())
    }

    fn delta() -> impl Strategy<Value = Delta> {
        let source = || "entra".parse().unwrap();
        prop_oneof![
            entry().prop_map(move |(bits, user_name, external_id, active, document)| Delta::UserPut {
                user: UserEntry { id: id(bits), source: source(), user_name, external_id, active, document }
            }),
            entry().prop_map(move |(bits, display_name, external_id, _, document)| Delta::GroupPut {
                group: GroupEntry { id: id(bits), source: source(), display_name, external_id, document }
            }),
            any::<u128>().prop_map(|bits| Delta::UserRemoved { id: id(bits) }),
            any::<u128>().prop_map(|bits| Delta::GroupRemoved { id: id(bits) }),
            (any::<u128>(), member())
                .prop_map(|(bits, member)| Delta::MemberAdded { group: id(bits), member }),
            (any::<u128>(), member())
                .prop_map(|(bits, member)| Delta::MemberRemoved { group: id(bits), member }),
        ]
    }

    proptest! {
        #[test]
        fn the_texts_are_those_of_the_values(
            deltas in prop::collection::vec(delta(), 0..4),
            verb in 0_usize..8,
            (external_id_changed, parked, joined) in any::<(bool, u64, u64)>(),
        ) {
            use WriteVerb as W;
            let verbs = [W::CreateUser, W::ReplaceUser, W::PatchUser, W::DeleteUser, W::CreateGroup, W::ReplaceGroup,
                W::PatchGroup, W::DeleteGroup];
            let (verb, source) = (verbs[verb], "okta-2".parse().unwrap());
            let change = DirectoryChange { verb, source, deltas, external_id_changed, parked, joined };
            let (facts, clear) = (change.facts_text(), change.clear_text());
            let (facts_value, clear_value) = change.split();
            prop_assert_eq!(facts, canonical(&to_value(facts_value).unwrap()).unwrap());
            let clear_value = clear_value.map(|value| canonical(&to_value(value).unwrap()).unwrap());
            prop_assert_eq!(clear, clear_value);
        }
    }
}

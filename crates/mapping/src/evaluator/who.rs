//! Who stands behind a principal that is there: what the directory knows of a group that is one principal, by sources that may speak
//! for it.

use std::collections::BTreeSet;

use axon_model::{Directory, GroupEntry, GroupId, SqlName, UserId};
use axon_reconcile::{Principal, PrincipalKind, Sid};

use super::Evaluator;
use crate::pending::Claimant;
use crate::selection::users_under;

impl Evaluator {
    /// The people behind a principal of the target: all of a group, or the one who enters. None where that is not known: of a group
    /// that nobody pushed who may speak for its name, or of which nobody said a member yet; of whoever is nobody's person in the
    /// directory.
    pub fn who(
        &self,
        directory: &Directory,
        name: SqlName,
        principal: &Principal,
    ) -> Option<BTreeSet<UserId>> {
        match principal.kind {
            PrincipalKind::Sql => Some(BTreeSet::new()),
            PrincipalKind::External => {
                let person = |claimant: &Claimant| match claimant {
                    Claimant::User { id, .. } => Some(*id),
                    Claimant::Group { .. } | Claimant::Service { .. } => None,
                };
                let people: Option<BTreeSet<UserId>> = self.claimants(name).map(person).collect();
                people.filter(|people| !people.is_empty())
            }
            PrincipalKind::ExternalGroup => {
                let mut people = BTreeSet::new();
                // Where the map writes the group's name itself, its source may speak for it by that.
                let spoken = |group: &GroupEntry| {
                    self.around.identity.may_name(&group.source, name)
                        || self
                            .holders(name)
                            .any(|who| matches!(who, Claimant::Group { id, .. } if *id == group.id))
                };
                for group in groups_of(directory, name, principal.sid.as_ref(), &spoken) {
                    users_under(directory, group, &mut people);
                }
                // A source makes a group first and says its members later.
                Some(people).filter(|people| !people.is_empty())
            }
        }
    }
}

/// The groups of the directory that one of the target is: by the id of the object, and where no group tells that id, the one group of
/// the name that tells none. Only those count that are `spoken` for by their source.
fn groups_of(
    directory: &Directory,
    name: SqlName,
    sid: Option<&Sid>,
    spoken: &dyn Fn(&GroupEntry) -> bool,
) -> Vec<GroupId> {
    let id_of = |group: &GroupEntry| group.external_id.as_deref().and_then(Sid::from_object_id);
    let sid = sid.filter(|sid| sid.tells());
    if let Some(sid) = sid {
        let same = directory.groups().filter(|group| id_of(group).as_ref() == Some(sid) && spoken(group));
        let found: Vec<GroupId> = same.map(|group| group.id).collect();
        if !found.is_empty() {
            return found;
        }
    }
    let named = directory.groups().filter(|group| SqlName::parse(&group.display_name).ok() == Some(name));
    let named: Vec<&GroupEntry> = named.filter(|group| spoken(group)).collect();
    match named.as_slice() {
        // Where both tell an id they are two objects of one name.
        [one] if sid.is_none() || id_of(one).is_none() => vec![one.id],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use axon_model::{Delta, RecordSeq};

    use super::*;

    const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";
    const OTHER: &str = "11234567-89ab-cdef-0123-456789abcdef";

    fn directory(groups: &[(&str, Option<&str>)]) -> Directory {
        let mut directory = Directory::default();
        for (n, (name, external_id)) in groups.iter().enumerate() {
            let group = GroupEntry {
                id: id(n),
                source: "entra".parse().unwrap(),
                display_name: (*name).into(),
                external_id: external_id.map(Into::into),
                document: "{}".into(),
            };
            directory.apply(&Delta::GroupPut { group }, RecordSeq(n as u64 + 1));
        }
        directory
    }

    fn id(n: usize) -> GroupId {
        GroupId::from_uuid(format!("018f3a00-0000-7000-8000-0000000000{n:02}").parse().unwrap())
    }

    #[test]
    fn a_group_is_found_by_its_object_and_by_a_name_only_where_no_id_speaks_against_it() {
        let name = SqlName::parse("Engineers").unwrap();
        let sid = Sid::from_object_id(ID);
        let found = |groups: &[(&str, Option<&str>)], sid: Option<&Sid>| {
            groups_of(&directory(groups), name, sid, &|_| true)
        };
        // Renamed in the pool or in the directory, it stays the same object.
        assert_eq!(found(&[("Builders", Some(ID)), ("Engineers", None)], sid.as_ref()), [id(0)]);
        assert_eq!(found(&[("Engineers", None)], sid.as_ref()), [id(0)]);
        assert_eq!(found(&[("engineers", Some("00u1abcd"))], sid.as_ref()), [id(0)]);
        assert_eq!(found(&[("Engineers", Some(OTHER))], sid.as_ref()), []);
        assert_eq!(found(&[("Engineers", Some(OTHER))], None), [id(0)]);
        assert_eq!(found(&[("Engineers", None), ("ENGINEERS", None)], sid.as_ref()), [], "which of both");
        assert_eq!(found(&[("Builders", None)], None), []);
    }
}

//! One look at one identity provider: a part of its groups and people, or all of them.

use std::collections::{BTreeMap, BTreeSet};

use axon_azure::parity::{Difference, DifferenceKind, Index, Key, Slow, Subject, Unread, Upstream};
use axon_mapping::RoleMap;
use axon_mapping::rule::{GroupName, Who};
use axon_model::name::fold;
use axon_model::{Directory, GroupEntry, GroupId, SourceId, UserEntry, UserId};
use time::OffsetDateTime;

use super::Kept;
use super::kept::Looked;

/// The most groups of the role map that are looked for at one look, since the directory does not have them.
const MOST_MAPPED: usize = 500;
/// The most subjects that are read again before others, since they differed.
const AGAIN: usize = 200;

/// So many who are not there, and the greater part of all, are nobody's leaving.
const MANY_GONE: usize = 10;

/// How much a look is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// So many groups and people, from where the last look ended.
    Some {
        /// Groups.
        groups: usize,
        /// People.
        people: usize,
    },
    /// Everybody.
    Full,
    /// Only what differed.
    Differences,
}

/// What a look is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// How much it is.
    pub extent: Extent,
    /// What is read beside it, since a person waits for it.
    pub also: &'a BTreeSet<Subject>,
    /// Groups of this source that the role map names.
    pub mapped: &'a BTreeSet<GroupName>,
}

/// The groups of a source that a map names: whoever is in them is given something, or something less.
pub fn mapped(map: &RoleMap, source: &SourceId, now: OffsetDateTime) -> BTreeSet<GroupName> {
    let rules = map.mappings.iter().filter(|mapping| mapping.holds_at(now));
    let of_source = rules.filter_map(|mapping| match &mapping.who {
        Who::Groups { groups, source: of } if of == source => Some(groups),
        _ => None,
    });
    of_source.flat_map(|groups| groups.any.iter().chain(&groups.all).chain(&groups.none)).cloned().collect()
}

/// Of these, what the directory does not have.
fn unsent(
    source: &SourceId,
    mapped: &BTreeSet<GroupName>,
    groups: &BTreeMap<GroupId, &GroupEntry>,
) -> BTreeMap<Subject, Key> {
    let names: BTreeSet<String> = groups.values().map(|group| fold(&group.display_name)).collect();
    let ids: BTreeSet<&str> = groups.values().filter_map(|group| group.external_id.as_deref()).collect();
    let open = mapped.iter().filter_map(|name| match name {
        GroupName::Display(name) => {
            (!names.contains(&fold(name))).then(|| Key { external_id: None, name: name.clone() })
        }
        GroupName::External(id) => {
            (!ids.contains(id.as_str())).then(|| Key { external_id: Some(id.clone()), name: id.clone() })
        }
    });
    open.map(|key| (Subject::mapped(source, &key), key)).collect()
}

/// The entries from a place on, in a circle, and whether the circle was closed.
struct Turn<I> {
    ids: Vec<I>,
    closes: bool,
}

fn turn<I: Copy + Ord>(all: &BTreeSet<I>, after: Option<I>, most: usize) -> Turn<I> {
    let rest = all.iter().copied().filter(|id| after.is_none_or(|after| *id > after));
    let ids: Vec<I> = rest.take(most).collect();
    let closes = ids.last() == all.iter().next_back() || ids.is_empty();
    Turn { ids, closes }
}

/// Looks, and takes what it finds into what is kept.
pub async fn look(
    directory: &Directory,
    source: &SourceId,
    upstream: &dyn Upstream,
    kept: &mut Kept,
    Asked { extent, also, mapped }: Asked<'_>,
    slow: &mut Slow,
    now: OffsetDateTime,
) -> BTreeSet<Subject> {
    let index = Index::of(directory, source, upstream.name());
    let groups: BTreeMap<GroupId, &GroupEntry> =
        directory.groups().filter(|group| group.source == *source).map(|group| (group.id, group)).collect();
    let people: BTreeMap<UserId, &UserEntry> =
        directory.users().filter(|user| user.source == *source).map(|user| (user.id, user)).collect();
    let unsent = unsent(source, mapped, &groups);
    // What is no more is no difference.
    let there = |subject: &Subject| match subject {
        Subject::Mapped(_) => unsent.contains_key(subject),
        Subject::Group(id) => groups.contains_key(id),
        Subject::Person(id) => people.contains_key(id),
    };
    kept.found.retain(|_, known| there(&known.difference.subject));
    (kept.notes, kept.more, kept.trouble) = (Vec::new(), 0, None);
    let differed: BTreeSet<Subject> = kept
        .found
        .values()
        .map(|known| known.difference.subject)
        .take(AGAIN)
        .chain(also.iter().copied())
        .collect();
    let (some_groups, some_people) = match extent {
        Extent::Some { groups, people } => (groups, people),
        Extent::Full => (usize::MAX, usize::MAX),
        Extent::Differences => (0, 0),
    };
    let full = extent == Extent::Full;
    let all_groups: BTreeSet<GroupId> = groups.keys().copied().collect();
    let active: BTreeSet<UserId> = people.values().filter(|user| user.active).map(|user| user.id).collect();
    let turn_groups = turn(&all_groups, kept.after_group.filter(|_| !full), some_groups);
    let turn_people = turn(&active, kept.after_person.filter(|_| !full), some_people);

    let mut reading =
        Reading { index, upstream, slow, read: BTreeSet::new(), found: Vec::new(), notes: Vec::new() };
    let again = differed.iter().copied().filter(&there);
    let (mut first_groups, mut first_people, mut first_mapped) = (Vec::new(), Vec::new(), Vec::new());
    for subject in again {
        match subject {
            Subject::Group(id) => first_groups.push(id),
            Subject::Person(id) => first_people.push(id),
            Subject::Mapped(_) => first_mapped.push(subject),
        }
    }
    let ended = async {
        reading.groups(&first_groups, &groups).await?;
        reading.people(&first_people, &people).await?;
        reading.mapped(source, first_mapped.iter(), &unsent).await?;
        if extent == Extent::Differences {
            return Ok(());
        }
        let upto = reading.groups(&turn_groups.ids, &groups).await;
        // What was read is read, though the rest was not.
        kept.after_group = reading.last_group(&turn_groups, kept.after_group, upto.is_ok());
        upto?;
        reading.mapped(source, unsent.keys().take(MOST_MAPPED), &unsent).await?;
        let upto = reading.people(&turn_people.ids, &people).await;
        kept.after_person = reading.last_person(&turn_people, kept.after_person, upto.is_ok());
        upto
    }
    .await;
    if let Err(unread) = &ended {
        kept.trouble = Some(unread.to_string());
    }
    if extent != Extent::Differences && ended.is_ok() {
        let wrapped =
            (kept.wrapped.0 || turn_groups.closes || full, kept.wrapped.1 || turn_people.closes || full);
        kept.wrapped = if wrapped == (true, true) {
            kept.round = Some(now);
            (false, false)
        } else {
            wrapped
        };
    }
    let Reading { read, mut found, notes, slow, .. } = reading;
    let gone = |difference: &Difference| {
        matches!(difference.kind, DifferenceKind::GroupGone | DifferenceKind::PersonGone)
    };
    let missing = found.iter().filter(|difference| gone(difference)).count();
    let of_groups = read.iter().filter(|subject| matches!(subject, Subject::Group(_))).count();
    let of_people = read.iter().filter(|subject| matches!(subject, Subject::Person(_))).count();
    if missing >= MANY_GONE && missing * 2 > of_groups + of_people {
        // The wrong tenant, or names of another kind: absence there is no leaving.
        found.retain(|difference| !gone(difference));
        kept.trouble = Some(format!(
            "{missing} of {} that were looked for are not there: is it the right tenant, and are these the names of its people? \
             Nothing is concluded from it",
            of_groups + of_people
        ));
    }
    let of_map = read.len() - of_groups - of_people;
    kept.looked = Looked { groups: of_groups, people: of_people, mapped: of_map, requests: slow.asked() };
    if unsent.len() > MOST_MAPPED {
        kept.notes.push(format!(
            "{} groups of the role map are not in the directory: {MOST_MAPPED} of them were looked for",
            unsent.len()
        ));
    }
    kept.note(notes);
    kept.take(&read, found, now);
    read
}

/// What a look has read so far.
struct Reading<'a> {
    index: Index<'a>,
    upstream: &'a dyn Upstream,
    slow: &'a mut Slow,
    read: BTreeSet<Subject>,
    found: Vec<Difference>,
    notes: Vec<String>,
}

impl Reading<'_> {
    async fn groups(&mut self, ids: &[GroupId], all: &BTreeMap<GroupId, &GroupEntry>) -> Result<(), Unread> {
        for group in ids.iter().filter_map(|id| all.get(id)) {
            if self.read.contains(&Subject::Group(group.id)) {
                continue;
            }
            let seen = self.upstream.group(&Index::group_key(group), self.slow).await?;
            let found = self.index.group(group, &seen);
            self.read.insert(Subject::Group(group.id));
            self.found.extend(found.differences);
            self.notes.extend(found.notes);
        }
        Ok(())
    }

    async fn people(&mut self, ids: &[UserId], all: &BTreeMap<UserId, &UserEntry>) -> Result<(), Unread> {
        let open: Vec<&UserEntry> = ids
            .iter()
            .filter(|id| !self.read.contains(&Subject::Person(**id)))
            .filter_map(|id| all.get(id).copied())
            .collect();
        for chunk in open.chunks(self.upstream.people_at_once().max(1)) {
            let keys: Vec<_> = chunk.iter().map(|user| Index::person_key(user)).collect();
            let seen = self.upstream.people(&keys, self.slow).await?;
            for (user, seen) in chunk.iter().zip(&seen) {
                let found = self.index.person(user, seen);
                self.read.insert(Subject::Person(user.id));
                self.found.extend(found.differences);
                self.notes.extend(found.notes);
            }
        }
        Ok(())
    }

    async fn mapped(
        &mut self,
        source: &SourceId,
        subjects: impl Iterator<Item = &Subject>,
        all: &BTreeMap<Subject, Key>,
    ) -> Result<(), Unread> {
        for (subject, key) in subjects.filter_map(|subject| all.get_key_value(subject)) {
            if !self.read.contains(subject) {
                let called = self.upstream.called(key, self.slow).await?;
                self.read.insert(*subject);
                self.found.extend(self.index.never_sent(source, key, &called));
            }
        }
        Ok(())
    }

    /// Where the next look begins: after the last group of this one that was read, or at the beginning.
    fn last_group(&self, turn: &Turn<GroupId>, before: Option<GroupId>, whole: bool) -> Option<GroupId> {
        let was_read = |id: &&GroupId| self.read.contains(&Subject::Group(**id));
        next(turn, before, whole, turn.ids.iter().take_while(was_read).last().copied())
    }

    fn last_person(&self, turn: &Turn<UserId>, before: Option<UserId>, whole: bool) -> Option<UserId> {
        let was_read = |id: &&UserId| self.read.contains(&Subject::Person(**id));
        next(turn, before, whole, turn.ids.iter().take_while(was_read).last().copied())
    }
}

fn next<I: Copy>(turn: &Turn<I>, before: Option<I>, whole: bool, last: Option<I>) -> Option<I> {
    if whole && turn.closes { None } else { last.or(before) }
}

#[cfg(test)]
mod tests;

//! One look at one identity provider: a part of its groups and people, or all of them.

use std::collections::{BTreeMap, BTreeSet};

use axon_azure::parity::{Difference, DifferenceKind, Index, Slow, Subject, Unread, Upstream};
use axon_model::{Directory, GroupEntry, GroupId, SourceId, UserEntry, UserId};
use time::OffsetDateTime;

use super::Kept;
use super::kept::Looked;

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

/// Looks, and takes what it finds into what is kept. `also` is read beside what the extent says: a person waits for it.
pub async fn look(
    directory: &Directory,
    source: &SourceId,
    upstream: &dyn Upstream,
    kept: &mut Kept,
    (extent, also): (Extent, &BTreeSet<Subject>),
    slow: &mut Slow,
    now: OffsetDateTime,
) -> BTreeSet<Subject> {
    let index = Index::of(directory, source, upstream.name());
    let groups: BTreeMap<GroupId, &GroupEntry> =
        directory.groups().filter(|group| group.source == *source).map(|group| (group.id, group)).collect();
    let people: BTreeMap<UserId, &UserEntry> =
        directory.users().filter(|user| user.source == *source).map(|user| (user.id, user)).collect();
    // What is no more is no difference.
    let there = |subject: &Subject| match subject {
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
    let (mut first_groups, mut first_people) = (Vec::new(), Vec::new());
    for subject in again {
        match subject {
            Subject::Group(id) => first_groups.push(id),
            Subject::Person(id) => first_people.push(id),
        }
    }
    let ended = async {
        reading.groups(&first_groups, &groups).await?;
        reading.people(&first_people, &people).await?;
        if extent == Extent::Differences {
            return Ok(());
        }
        let upto = reading.groups(&turn_groups.ids, &groups).await;
        // What was read is read, though the rest was not.
        kept.after_group = reading.last_group(&turn_groups, kept.after_group, upto.is_ok());
        upto?;
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
    if missing >= MANY_GONE && missing * 2 > read.len() {
        // The wrong tenant, or names of another kind: absence there is no leaving.
        found.retain(|difference| !gone(difference));
        kept.trouble = Some(format!(
            "{missing} of {} that were looked for are not there: is it the right tenant, and are these the names of its people? \
             Nothing is concluded from it",
            read.len()
        ));
    }
    let of_groups = read.iter().filter(|subject| matches!(subject, Subject::Group(_))).count();
    kept.looked = Looked { groups: of_groups, people: read.len() - of_groups, requests: slow.asked() };
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

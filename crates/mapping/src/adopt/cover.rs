//! Which groups explain that just these people have something. A group with anybody in it who does not have it explains nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axon_model::SourceId;

use super::people::Survey;

/// Groups that have, together, some of the people and nobody else; and the people whom no such group has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cover {
    /// Numbers of groups, ascending.
    pub groups: Vec<u32>,
    /// Numbers of principals, ascending.
    pub left: Vec<u32>,
}

/// With more groups to choose from than this the cover is greedy.
const MOST_CHOICES: usize = 14;

/// Explains who has something: all of `people` (ascending), which are among `everybody` (ascending) who has it.
pub(super) fn cover(survey: &Survey, people: &[u32], everybody: &[u32]) -> Cover {
    let mut fits: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut refused: BTreeSet<u32> = BTreeSet::new();
    for person in people {
        for number in survey.within.get(*person as usize).into_iter().flatten() {
            if refused.contains(number) {
                continue;
            }
            if let Some(theirs) = fits.get_mut(number) {
                theirs.push(*person);
                continue;
            }
            let group = &survey.groups[*number as usize];
            let explains = !group.wider
                && group.people.len() <= everybody.len()
                && group.people.iter().all(|one| everybody.binary_search(one).is_ok());
            if explains {
                fits.insert(*number, vec![*person]);
            } else {
                refused.insert(*number);
            }
        }
    }
    let mut fits: Vec<(u32, Vec<u32>)> = fits.into_iter().collect();
    fits.sort();
    let mut groups = match alone(survey, &fits, people.len()) {
        Some(one) => vec![one],
        None => fewest(&fits),
    };
    groups.sort_unstable();
    let covered: BTreeSet<u32> = fits
        .iter()
        .filter(|(number, _)| groups.binary_search(number).is_ok())
        .flat_map(|(_, theirs)| theirs.iter().copied())
        .collect();
    Cover { groups, left: people.iter().copied().filter(|one| !covered.contains(one)).collect() }
}

/// The one group that has all of them: the narrowest, then the first by name.
fn alone(survey: &Survey, fits: &[(u32, Vec<u32>)], people: usize) -> Option<u32> {
    let all = fits.iter().filter(|(_, theirs)| theirs.len() == people);
    all.min_by_key(|(number, _)| (survey.groups[*number as usize].people.len(), *number)).map(|(n, _)| *n)
}

/// The fewest groups that have as many of the people as all together: exactly where few are to choose from.
fn fewest(fits: &[(u32, Vec<u32>)]) -> Vec<u32> {
    let greedy = greedy(fits);
    if fits.len() > MOST_CHOICES || greedy.len() < 3 {
        return greedy;
    }
    let all: BTreeSet<u32> = fits.iter().flat_map(|(_, theirs)| theirs.iter().copied()).collect();
    let mut best = greedy;
    for choice in 1_u32..1 << fits.len() {
        if choice.count_ones() as usize >= best.len() {
            continue;
        }
        let chosen = || fits.iter().enumerate().filter(|(n, _)| choice & (1 << n) != 0).map(|(_, fit)| fit);
        let covered: BTreeSet<u32> = chosen().flat_map(|(_, theirs)| theirs.iter().copied()).collect();
        if covered.len() == all.len() {
            best = chosen().map(|(number, _)| *number).collect();
        }
    }
    best
}

/// The group with the most people who are not covered yet, again and again; then groups that are not needed go.
fn greedy(fits: &[(u32, Vec<u32>)]) -> Vec<u32> {
    let mut of: HashMap<u32, Vec<usize>> = HashMap::new();
    for (at, (_, theirs)) in fits.iter().enumerate() {
        for one in theirs {
            of.entry(*one).or_default().push(at);
        }
    }
    let mut gains: Vec<usize> = fits.iter().map(|(_, theirs)| theirs.len()).collect();
    let mut queue: BTreeSet<(usize, std::cmp::Reverse<usize>)> =
        gains.iter().enumerate().map(|(at, gain)| (*gain, std::cmp::Reverse(at))).collect();
    let mut times: HashMap<u32, u32> = HashMap::new();
    let mut taken: Vec<usize> = Vec::new();
    while let Some((gain, std::cmp::Reverse(at))) = queue.pop_last() {
        if gain == 0 {
            break;
        }
        taken.push(at);
        for one in &fits[at].1 {
            let seen = times.entry(*one).or_default();
            *seen += 1;
            if *seen > 1 {
                continue;
            }
            for other in &of[one] {
                if queue.remove(&(gains[*other], std::cmp::Reverse(*other))) {
                    gains[*other] -= 1;
                    queue.insert((gains[*other], std::cmp::Reverse(*other)));
                }
            }
        }
    }
    let mut needed = Vec::new();
    for at in taken {
        if fits[at].1.iter().all(|one| times[one] > 1) {
            for one in &fits[at].1 {
                times.entry(*one).and_modify(|seen| *seen -= 1);
            }
        } else {
            needed.push(fits[at].0);
        }
    }
    needed
}

/// Groups of a source, of whatever width, that together have all of these people of it: a condition says whom of them is meant.
pub(super) fn around(survey: &Survey, source: &SourceId, people: &[u32]) -> Vec<u32> {
    let mut by_group: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for person in people {
        for number in survey.within.get(*person as usize).into_iter().flatten() {
            if survey.groups[*number as usize].source == *source {
                by_group.entry(*number).or_default().push(*person);
            }
        }
    }
    let mut fits: Vec<(u32, Vec<u32>)> = by_group.into_iter().collect();
    // Of groups that do equally well the narrower one says more.
    fits.sort_by_key(|(number, _)| (survey.groups[*number as usize].people.len(), *number));
    let mut groups = greedy(&fits);
    groups.sort_unstable();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adopt::people::NamedGroup;
    use crate::rule::GroupName;

    fn survey(groups: &[(&[u32], bool)], people: usize) -> Survey {
        let mut survey = Survey {
            principals: Vec::new(),
            subjects: BTreeMap::new(),
            stays: BTreeMap::new(),
            groups: Vec::new(),
            within: vec![Vec::new(); people],
            untouchable: BTreeSet::new(),
        };
        for (n, (people, wider)) in groups.iter().enumerate() {
            let number = u32::try_from(n).unwrap();
            people.iter().for_each(|one| survey.within[*one as usize].push(number));
            survey.groups.push(NamedGroup {
                id: format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap(),
                source: "s".parse().unwrap(),
                name: GroupName::Display(format!("g{n}")),
                people: people.to_vec(),
                wider: *wider,
            });
        }
        survey
    }

    #[test]
    fn a_group_that_is_just_these_people_comes_first() {
        let survey = survey(&[(&[0, 1], false), (&[0, 1, 2], false), (&[2], false)], 3);
        let found = cover(&survey, &[0, 1, 2], &[0, 1, 2]);
        assert_eq!(found, Cover { groups: vec![1], left: vec![] });
    }

    #[test]
    fn a_group_with_anybody_else_in_it_explains_nothing() {
        let survey = survey(&[(&[0, 1], false), (&[0, 1], true), (&[1, 2], false)], 3);
        assert_eq!(cover(&survey, &[1, 2], &[1, 2]), Cover { groups: vec![2], left: vec![] });
        assert_eq!(cover(&survey, &[0], &[0]), Cover { groups: vec![], left: vec![0] });
        // Somebody who stays as they are may have it too.
        assert_eq!(cover(&survey, &[0], &[0, 1]), Cover { groups: vec![0], left: vec![] });
    }

    #[test]
    fn of_unions_the_one_of_fewest_groups_is_taken_and_the_rest_is_told() {
        // Greedy takes the middle one first, and would need three.
        let groups: [(&[u32], bool); 3] = [(&[0, 1, 2], false), (&[3, 4, 5], false), (&[1, 2, 3, 4], false)];
        let survey = survey(&groups, 7);
        let people = [0, 1, 2, 3, 4, 5, 6];
        assert_eq!(cover(&survey, &people, &people), Cover { groups: vec![0, 1], left: vec![6] });
        assert_eq!(around(&survey, &"s".parse().unwrap(), &[1, 4]), [2]);
    }
}

//! The fewest roles that cover exactly what single principals hold: a cover of a table of ones by rectangles of ones.
//!
//! What principals of one part of the table hold, nobody of another part holds any of, so each part is solved alone: small
//! parts exactly, large ones by the best of a greedy cover, a role for each kind of principal and a role for each kind of thing.

use std::collections::{BTreeMap, BTreeSet};

/// What is held together, by numbers.
pub(super) type Things = BTreeSet<u32>;

/// Roles by what they hold: every row is the union of those that it contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mined {
    pub roles: Vec<Things>,
    /// Whether it is known that fewer do not suffice.
    pub fewest: bool,
}

/// The most rectangles that are looked at in one part.
const MOST_RECTANGLES: usize = 256;
/// The most ones of a part for which rectangles are looked at.
const MOST_ONES: usize = 20_000;
/// The most ones of a part that is solved exactly, and how long is looked for fewer.
const EXACT_ONES: usize = 600;
const MOST_LOOKS: u32 = 20_000;

/// Mines the rows; of equally good rectangles the one with the least `cost` is taken.
pub(super) fn mine(rows: &BTreeSet<Things>, cost: &dyn Fn(&Things) -> usize) -> Mined {
    let mut mined = Mined { roles: Vec::new(), fewest: true };
    for part in parts(rows) {
        let Mined { roles, fewest } = Part::new(&part).solve(cost);
        mined.roles.extend(roles);
        mined.fewest &= fewest;
    }
    mined
}

/// Rows that share things, directly or through others.
fn parts(rows: &BTreeSet<Things>) -> Vec<Vec<&Things>> {
    let rows: Vec<&Things> = rows.iter().filter(|row| !row.is_empty()).collect();
    let mut leader: Vec<usize> = (0..rows.len()).collect();
    let mut first: BTreeMap<u32, usize> = BTreeMap::new();
    for (number, row) in rows.iter().enumerate() {
        for thing in *row {
            let other = *first.entry(*thing).or_insert(number);
            let (a, b) = (find(&mut leader, number), find(&mut leader, other));
            leader[a.max(b)] = a.min(b);
        }
    }
    let mut parts: BTreeMap<usize, Vec<&Things>> = BTreeMap::new();
    for (number, row) in rows.iter().enumerate() {
        let of = find(&mut leader, number);
        parts.entry(of).or_default().push(row);
    }
    parts.into_values().collect()
}

fn find(leader: &mut [usize], mut at: usize) -> usize {
    while leader[at] != at {
        leader[at] = leader[leader[at]];
        at = leader[at];
    }
    at
}

/// One part, its things that always come together taken for one.
struct Part {
    /// What each column stands for.
    columns: Vec<Things>,
    /// Rows by columns, ascending.
    rows: Vec<Vec<usize>>,
}

/// A set of ones, by bits.
#[derive(Clone, PartialEq, Eq)]
struct Ones(Vec<u64>);

impl Ones {
    fn none(most: usize) -> Self {
        Self(vec![0; most.div_ceil(64)])
    }

    fn all(most: usize) -> Self {
        let mut all = Self::none(most);
        (0..most).for_each(|at| all.insert(at));
        all
    }

    fn insert(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn has(&self, at: usize) -> bool {
        self.0[at / 64] & (1 << (at % 64)) != 0
    }

    fn take(&mut self, others: &Self) {
        self.0.iter_mut().zip(&others.0).for_each(|(a, b)| *a &= !b);
    }

    fn common(&self, others: &Self) -> usize {
        self.0.iter().zip(&others.0).map(|(a, b)| (a & b).count_ones() as usize).sum()
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }
}

/// A rectangle: columns, the ones that it covers, and what its people cost to be named.
struct Rectangle {
    columns: Vec<usize>,
    ones: Ones,
    cost: usize,
}

impl Part {
    fn new(rows: &[&Things]) -> Self {
        let mut holders: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            row.iter().for_each(|thing| holders.entry(*thing).or_default().push(number));
        }
        let mut alike: BTreeMap<&[usize], Things> = BTreeMap::new();
        for (thing, of) in &holders {
            alike.entry(of).or_default().insert(*thing);
        }
        let mut by_row = vec![Vec::new(); rows.len()];
        for (column, of) in alike.keys().enumerate() {
            of.iter().for_each(|row| by_row[*row].push(column));
        }
        Self { columns: alike.into_values().collect(), rows: by_row }
    }

    fn solve(&self, cost: &dyn Fn(&Things) -> usize) -> Mined {
        let mut best: Vec<Vec<usize>> = if self.rows.len() <= self.columns.len() {
            self.rows.clone()
        } else {
            (0..self.columns.len()).map(|column| vec![column]).collect()
        };
        let mut fewest = best.len() <= 1;
        let ones: usize = self.rows.iter().map(Vec::len).sum();
        if !fewest && ones <= MOST_ONES {
            let (rectangles, all) = self.rectangles(ones, cost);
            let greedy = greedy(&rectangles, ones);
            if greedy.len() <= best.len() {
                best = greedy.iter().map(|n| rectangles[*n].columns.clone()).collect();
            }
            if all && ones <= EXACT_ONES {
                let mut search = Search::new(&rectangles, ones, best.len());
                search.look(&Ones::all(ones), &mut Vec::new());
                fewest = search.looks < MOST_LOOKS;
                if let Some(found) = search.found {
                    best = found.iter().map(|n| rectangles[*n].columns.clone()).collect();
                }
            }
        }
        let mut roles: Vec<Things> = best.iter().map(|columns| self.things(columns)).collect();
        roles.sort();
        Mined { roles, fewest }
    }

    fn things(&self, columns: &[usize]) -> Things {
        columns.iter().flat_map(|column| self.columns[*column].iter().copied()).collect()
    }

    /// The largest rectangles: what some rows have in common. Whether these are all of them.
    fn rectangles(&self, ones: usize, cost: &dyn Fn(&Things) -> usize) -> (Vec<Rectangle>, bool) {
        let mut found: BTreeSet<Vec<usize>> = self.rows.iter().take(MOST_RECTANGLES).cloned().collect();
        let mut all = found.len() == self.rows.len();
        let mut open: Vec<Vec<usize>> = found.iter().cloned().collect();
        'all: while let Some(next) = open.pop() {
            for row in &self.rows {
                let common: Vec<usize> =
                    next.iter().copied().filter(|column| row.binary_search(column).is_ok()).collect();
                if common.is_empty() || found.contains(&common) {
                    continue;
                }
                if found.len() >= MOST_RECTANGLES {
                    all = false;
                    break 'all;
                }
                found.insert(common.clone());
                open.push(common);
            }
        }
        // Every one is in some rectangle, whatever was cut off above.
        let covered: BTreeSet<usize> = found.iter().flatten().copied().collect();
        if !all || covered.len() < self.columns.len() {
            found.extend((0..self.columns.len()).map(|column| vec![column]));
        }
        let starts: Vec<usize> = self
            .rows
            .iter()
            .scan(0, |from, row| {
                let start = *from;
                *from += row.len();
                Some(start)
            })
            .collect();
        let rectangles = found.into_iter().map(|columns| {
            let mut of = Ones::none(ones);
            for (row, start) in self.rows.iter().zip(&starts) {
                let places: Option<Vec<usize>> =
                    columns.iter().map(|column| row.binary_search(column).ok()).collect();
                places.into_iter().flatten().for_each(|place| of.insert(start + place));
            }
            Rectangle { cost: cost(&self.things(&columns)), columns, ones: of }
        });
        (rectangles.collect(), all)
    }
}

/// The rectangle that covers most of what is left, again and again; then those without which everything is covered go.
fn greedy(rectangles: &[Rectangle], ones: usize) -> Vec<usize> {
    let mut left = Ones::all(ones);
    let mut taken = Vec::new();
    while !left.is_empty() {
        let gain = |n: &usize| {
            let rectangle = &rectangles[*n];
            (rectangle.ones.common(&left), std::cmp::Reverse(rectangle.cost), std::cmp::Reverse(*n))
        };
        let Some(best) = (0..rectangles.len()).max_by_key(gain) else { break };
        left.take(&rectangles[best].ones);
        taken.push(best);
    }
    let mut at = 0;
    while at < taken.len() {
        let mut rest = Ones::all(ones);
        for (n, rectangle) in taken.iter().enumerate() {
            if n != at {
                rest.take(&rectangles[*rectangle].ones);
            }
        }
        if rest.is_empty() {
            taken.remove(at);
        } else {
            at += 1;
        }
    }
    taken
}

/// Looks for a cover by fewer rectangles than are known to suffice.
struct Search<'r> {
    rectangles: &'r [Rectangle],
    /// For each one the rectangles that cover it.
    by_one: Vec<Vec<usize>>,
    widest: usize,
    fewest: usize,
    found: Option<Vec<usize>>,
    looks: u32,
}

impl<'r> Search<'r> {
    fn new(rectangles: &'r [Rectangle], ones: usize, known: usize) -> Self {
        let covering = |one| (0..rectangles.len()).filter(|n| rectangles[*n].ones.has(one)).collect();
        let by_one: Vec<Vec<usize>> = (0..ones).map(covering).collect();
        let widest = rectangles.iter().map(|r| r.ones.common(&r.ones)).max().unwrap_or(1).max(1);
        Self { rectangles, by_one, widest, fewest: known, found: None, looks: 0 }
    }

    fn look(&mut self, left: &Ones, taken: &mut Vec<usize>) {
        if self.looks >= MOST_LOOKS {
            return;
        }
        self.looks += 1;
        let count = left.common(left);
        if count == 0 {
            if taken.len() < self.fewest {
                self.fewest = taken.len();
                self.found = Some(taken.clone());
            }
            return;
        }
        if taken.len() + count.div_ceil(self.widest) >= self.fewest {
            return;
        }
        // The one that the fewest can cover leaves the least to choose.
        let narrow =
            (0..self.by_one.len()).filter(|one| left.has(*one)).min_by_key(|one| self.by_one[*one].len());
        let Some(one) = narrow else { return };
        let mut choices = self.by_one[one].clone();
        choices.sort_by_key(|n| {
            (std::cmp::Reverse(self.rectangles[*n].ones.common(left)), self.rectangles[*n].cost)
        });
        for choice in choices {
            let mut rest = left.clone();
            rest.take(&self.rectangles[choice].ones);
            taken.push(choice);
            self.look(&rest, taken);
            taken.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(of: &[&[u32]]) -> BTreeSet<Things> {
        of.iter().map(|row| row.iter().copied().collect()).collect()
    }

    fn roles(of: &[&[u32]]) -> Vec<Things> {
        of.iter().map(|row| row.iter().copied().collect()).collect()
    }

    #[test]
    fn what_is_always_held_together_is_one_role() {
        let mined = mine(&rows(&[&[1, 2, 3]]), &|_| 0);
        assert_eq!(mined, Mined { roles: roles(&[&[1, 2, 3]]), fewest: true });
        assert_eq!(mine(&rows(&[]), &|_| 0).roles, roles(&[]));
    }

    #[test]
    fn two_jobs_and_who_has_both_are_two_roles() {
        let mined = mine(&rows(&[&[1, 2], &[3, 4], &[1, 2, 3, 4]]), &|_| 0);
        assert_eq!(mined, Mined { roles: roles(&[&[1, 2], &[3, 4]]), fewest: true });
    }

    #[test]
    fn a_greedy_choice_that_is_too_wide_is_mended() {
        // Four kinds of people over three things in pairs and all: three roles suffice, one a thing or better.
        let mined = mine(&rows(&[&[1, 2], &[2, 3], &[1, 3], &[1, 2, 3]]), &|_| 0);
        assert!(mined.fewest);
        assert_eq!(mined.roles.len(), 3);
    }

    fn choose(
        from: usize,
        most: usize,
        left: usize,
        chosen: &mut Vec<usize>,
        covers: &dyn Fn(&[usize]) -> bool,
    ) -> bool {
        if left == 0 {
            return covers(chosen);
        }
        (from..most).any(|n| {
            chosen.push(n);
            let found = choose(n + 1, most, left - 1, chosen, covers);
            chosen.pop();
            found
        })
    }

    /// The smallest number of sets of things that cover the rows exactly, by trying all.
    fn fewest(rows: &BTreeSet<Things>) -> usize {
        let all: Things = rows.iter().flatten().copied().collect();
        let all: Vec<u32> = all.into_iter().collect();
        let sets: Vec<Things> = (1_u32..1 << all.len())
            .map(|bits| {
                all.iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0).map(|(_, t)| *t).collect()
            })
            .filter(|set: &Things| rows.iter().any(|row| set.is_subset(row)))
            .collect();
        let covers = |chosen: &[usize]| {
            rows.iter().all(|row| {
                let held: Things = chosen
                    .iter()
                    .map(|n| &sets[*n])
                    .filter(|set| set.is_subset(row))
                    .flatten()
                    .copied()
                    .collect();
                held == *row
            })
        };
        (0..=sets.len()).find(|count| choose(0, sets.len(), *count, &mut Vec::new(), &covers)).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn rows_are_covered_exactly_and_small_ones_by_the_fewest(
            rows in prop::collection::btree_set(prop::collection::btree_set(0_u32..4, 1..4), 0..5)
        ) {
            let mined = mine(&rows, &|_| 0);
            for row in &rows {
                let held: Things = mined.roles.iter().filter(|r| r.is_subset(row)).flatten().copied().collect();
                prop_assert_eq!(&held, row);
            }
            prop_assert!(mined.fewest);
            prop_assert_eq!(mined.roles.len(), fewest(&rows));
        }

        #[test]
        fn large_tables_are_covered_exactly_by_no_more_than_kinds_of_people_or_of_things(
            rows in prop::collection::btree_set(prop::collection::btree_set(0_u32..40, 1..12), 1..120)
        ) {
            let mined = mine(&rows, &|_| 0);
            for row in &rows {
                let held: Things = mined.roles.iter().filter(|r| r.is_subset(row)).flatten().copied().collect();
                prop_assert_eq!(&held, row);
            }
            let things: Things = rows.iter().flatten().copied().collect();
            prop_assert!(mined.roles.len() <= rows.len().min(things.len()));
        }
    }
}

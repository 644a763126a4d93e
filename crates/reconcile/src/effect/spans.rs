//! Sets of atoms as sorted runs: a grant on a schema is one run however many objects the schema holds.

/// A set of numbers as sorted, disjoint, not touching, half-open runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spans(Vec<(u32, u32)>);

impl Spans {
    /// The set of all these runs, which may overlap and be in any order.
    pub(crate) fn of(mut runs: Vec<(u32, u32)>) -> Self {
        runs.retain(|(from, to)| from < to);
        runs.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(runs.len());
        for (from, to) in runs {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn first(&self) -> Option<u32> {
        self.0.first().map(|(from, _)| *from)
    }

    pub(crate) fn runs(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Everything.
    pub(crate) fn all() -> Self {
        Self(vec![(0, u32::MAX)])
    }

    /// Adds what is in both to `into`. Cheap where one of them is short.
    pub(crate) fn clip(&self, window: &Self, into: &mut Vec<(u32, u32)>) {
        let (few, many) = if self.0.len() < window.0.len() { (self, window) } else { (window, self) };
        if few.0.len() * 8 > many.0.len() {
            into.extend_from_slice(&self.and(window).0);
            return;
        }
        for (from, to) in &few.0 {
            let first = many.0.partition_point(|run| run.1 <= *from);
            let met = many.0[first..].iter().take_while(|run| run.0 < *to);
            into.extend(met.map(|run| (run.0.max(*from), run.1.min(*to))));
        }
    }

    /// What is in one or the other.
    pub(crate) fn or(&self, other: &Self) -> Self {
        match (self.0.is_empty(), other.0.is_empty()) {
            (_, true) => self.clone(),
            (true, _) => other.clone(),
            _ => Self::of(self.0.iter().chain(&other.0).copied().collect()),
        }
    }

    /// What is in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let (mut i, mut j) = (0, 0);
        let mut both = Vec::new();
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            let (from, to) = (a.0.max(b.0), a.1.min(b.1));
            if from < to {
                both.push((from, to));
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
        Self(both)
    }

    /// Whether something is in both.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let (few, many) = if self.0.len() < other.0.len() { (self, other) } else { (other, self) };
        few.0.iter().any(|(from, to)| {
            let first = many.0.partition_point(|run| run.1 <= *from);
            many.0.get(first).is_some_and(|run| run.0 < *to)
        })
    }

    /// What is here and not there.
    pub(crate) fn without(&self, other: &Self) -> Self {
        if other.0.is_empty() {
            return self.clone();
        }
        let mut left = Vec::with_capacity(self.0.len());
        let mut j = 0;
        for &(mut from, to) in &self.0 {
            while other.0.get(j).is_some_and(|b| b.1 <= from) {
                j += 1;
            }
            let mut k = j;
            while let Some(&(cut_from, cut_to)) = other.0.get(k) {
                if cut_from >= to {
                    break;
                }
                if from < cut_from {
                    left.push((from, cut_from));
                }
                from = from.max(cut_to);
                k += 1;
            }
            if from < to {
                left.push((from, to));
            }
        }
        Self(left)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers(spans: &Spans) -> BTreeSet<u32> {
        spans.0.iter().flat_map(|(from, to)| *from..*to).collect()
    }

    proptest! {
        #[test]
        fn runs_behave_as_sets_of_numbers(
            a in prop::collection::vec((0_u32..40, 0_u32..40), 0..8),
            b in prop::collection::vec((0_u32..40, 0_u32..40), 0..8),
        ) {
            let (a, b) = (Spans::of(a), Spans::of(b));
            let (x, y) = (numbers(&a), numbers(&b));
            prop_assert_eq!(numbers(&a.or(&b)), x.union(&y).copied().collect());
            prop_assert_eq!(numbers(&a.and(&b)), x.intersection(&y).copied().collect());
            prop_assert_eq!(numbers(&a.without(&b)), x.difference(&y).copied().collect());
            prop_assert_eq!(a.is_empty(), x.is_empty());
            prop_assert_eq!(a.meets(&b), !x.is_disjoint(&y));
            let mut clipped = Vec::new();
            a.clip(&b, &mut clipped);
            prop_assert_eq!(Spans::of(clipped), a.and(&b));
            for spans in [a.or(&b), a.and(&b), a.without(&b)] {
                prop_assert!(spans.0.iter().all(|(from, to)| from < to));
                prop_assert!(spans.0.windows(2).all(|w| w[0].1 <= w[1].0));
            }
        }
    }
}

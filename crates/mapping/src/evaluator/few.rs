//! A set that mostly holds one: a name has one claimant, an object id one bearer.

use std::collections::BTreeSet;

/// A set in order that is never empty, and takes no allocation for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Few<T> {
    /// Just this.
    One(T),
    /// Two or more.
    More(BTreeSet<T>),
}

impl<T: Ord> Few<T> {
    /// Takes in one more.
    pub fn insert(&mut self, item: T) {
        match self {
            Self::One(one) if *one == item => {}
            Self::More(more) => {
                more.insert(item);
            }
            Self::One(_) => {
                let Self::One(one) = std::mem::replace(self, Self::More(BTreeSet::new())) else { return };
                *self = Self::More(BTreeSet::from([one, item]));
            }
        }
    }

    /// Takes one out; whether nothing is left.
    pub fn remove(&mut self, item: &T) -> bool {
        match self {
            Self::One(one) => one == item,
            Self::More(more) => {
                more.remove(item);
                if more.len() == 1
                    && let Some(one) = more.pop_first()
                {
                    *self = Self::One(one);
                }
                false
            }
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, more) = match self {
            Self::One(one) => (Some(one), None),
            Self::More(more) => (None, Some(more)),
        };
        one.into_iter().chain(more.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn it_holds_what_a_set_holds(first in 0..4_u8, moves in proptest::collection::vec((0..4_u8, proptest::bool::ANY), 0..20)) {
            let mut few = Few::One(first);
            let mut set = BTreeSet::from([first]);
            for (item, comes) in moves {
                if comes {
                    few.insert(item);
                    set.insert(item);
                } else {
                    set.remove(&item);
                    proptest::prop_assert_eq!(few.remove(&item), set.is_empty());
                    if set.is_empty() {
                        break;
                    }
                }
                proptest::prop_assert_eq!(few.iter().collect::<Vec<_>>(), set.iter().collect::<Vec<_>>());
                proptest::prop_assert_eq!(matches!(few, Few::One(_)), set.len() == 1);
            }
        }
    }
}

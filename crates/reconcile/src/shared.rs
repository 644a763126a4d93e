//! A collection that is copied when a copy is changed, and not before: a plan's sides are copies of a million rows that hardly ever differ
//! from what they are copies of.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value that copies share until one of them is changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shared<T>(Arc<T>);

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Asking for it makes it one's own, so it is not asked for where nothing is to be changed.
impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<K: Ord + Clone, V: Clone> Shared<BTreeMap<K, V>> {
    /// A map that is built and then read: in nodes that are full, where one that grew row by row has them half empty.
    pub fn packed(map: BTreeMap<K, V>) -> Self {
        map.into_iter().collect()
    }
}

impl<T: Clone> Shared<T> {
    /// The value, out of what may share it.
    pub fn into_inner(self) -> T {
        Arc::unwrap_or_clone(self.0)
    }
}

impl<A, T: FromIterator<A>> FromIterator<A> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = A>>(items: I) -> Self {
        Self::from(T::from_iter(items))
    }
}

impl<T: Clone + IntoIterator> IntoIterator for Shared<T> {
    type Item = T::Item;
    type IntoIter = T::IntoIter;

    fn into_iter(self) -> T::IntoIter {
        self.into_inner().into_iter()
    }
}

#[expect(clippy::into_iter_without_iter, reason = "what is shared has it, by Deref")]
impl<'a, T> IntoIterator for &'a Shared<T>
where
    &'a T: IntoIterator,
{
    type Item = <&'a T as IntoIterator>::Item;
    type IntoIter = <&'a T as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (&*self.0).into_iter()
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_copy_is_made_when_one_of_two_is_changed() {
        let mut one: Shared<BTreeSet<u8>> = [1, 2].into_iter().collect();
        let other = one.clone();
        assert!(Arc::ptr_eq(&one.0, &other.0));
        one.insert(3);
        assert!(!Arc::ptr_eq(&one.0, &other.0));
        assert_eq!((one.len(), other.len()), (3, 2));
        let before = Arc::as_ptr(&one.0);
        one.remove(&1);
        assert_eq!(Arc::as_ptr(&one.0), before, "what is nobody else's is changed where it is");
        assert_eq!(one.into_iter().collect::<Vec<_>>(), [2, 3]);
    }
}

//! A map bounded in bytes: what was not asked for since the hand last came by makes room.

use std::collections::HashMap;
use std::hash::Hash;

/// The map. An entry that is larger than the whole is not taken.
#[derive(Debug)]
pub struct Shelf<K, V> {
    places: HashMap<K, usize>,
    slots: Vec<Option<Slot<K, V>>>,
    free: Vec<usize>,
    hand: usize,
    bytes: usize,
    most: usize,
}

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    bytes: usize,
    asked: bool,
}

impl<K: Copy + Eq + Hash, V: Clone> Shelf<K, V> {
    /// An empty one of at most so many bytes.
    pub fn new(most: usize) -> Self {
        Self { places: HashMap::new(), slots: Vec::new(), free: Vec::new(), hand: 0, bytes: 0, most }
    }

    /// The value of a key.
    pub fn get(&mut self, key: K) -> Option<V> {
        let slot = self.slots.get_mut(*self.places.get(&key)?)?.as_mut()?;
        slot.asked = true;
        Some(slot.value.clone())
    }

    /// Puts a value in; gives those that made room for it, and the one that was in its place.
    pub fn put(&mut self, key: K, value: V, bytes: usize) -> Vec<V> {
        let mut gone: Vec<V> = self.remove(key).into_iter().collect();
        if bytes > self.most {
            return gone;
        }
        while self.bytes + bytes > self.most {
            gone.extend(self.step());
        }
        let slot = Some(Slot { key, value, bytes, asked: false });
        let at = if let Some(at) = self.free.pop() {
            self.slots[at] = slot;
            at
        } else {
            self.slots.push(slot);
            self.slots.len() - 1
        };
        self.places.insert(key, at);
        self.bytes += bytes;
        gone
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let at = self.places.remove(&key)?;
        let slot = self.slots.get_mut(at)?.take()?;
        self.free.push(at);
        self.bytes -= slot.bytes;
        Some(slot.value)
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        *self = Self::new(self.most);
    }

    /// Moves the hand by one place: what was asked for stays for one more round.
    fn step(&mut self) -> Option<V> {
        self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
        let slot = self.slots.get_mut(self.hand)?.as_mut()?;
        if slot.asked {
            slot.asked = false;
            return None;
        }
        let key = slot.key;
        self.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_longer() {
        let mut shelf = Shelf::new(30);
        for key in 0..3 {
            assert!(shelf.put(key, key * 10, 10).is_empty());
        }
        assert_eq!(shelf.get(1), Some(10));
        let gone = shelf.put(3, 30, 10);
        assert_eq!(gone.len(), 1);
        assert!(shelf.get(1).is_some() && shelf.get(3).is_some(), "{gone:?}");
        assert!(shelf.put(4, 40, 31).is_empty(), "too large to be kept");
        assert_eq!(shelf.get(4), None);
    }

    #[test]
    fn it_never_holds_more_than_it_may_and_its_places_are_used_again() {
        let mut shelf = Shelf::new(1_000);
        for key in 0..10_000_usize {
            shelf.put(key, key, 1 + key % 90);
            assert!(shelf.bytes <= 1_000);
            if key % 3 == 0 {
                shelf.remove(key);
            }
            if key % 7 == 0 {
                shelf.get(key / 2);
            }
        }
        let held: usize = shelf.slots.iter().flatten().map(|slot| slot.bytes).sum();
        assert_eq!(held, shelf.bytes);
        assert_eq!(shelf.places.len(), shelf.slots.iter().flatten().count());
        assert!(shelf.slots.len() < 1_100, "{} places", shelf.slots.len());
        shelf.clear();
        assert_eq!((shelf.bytes, shelf.get(9_999)), (0, None));
    }
}

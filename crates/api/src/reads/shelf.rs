//! A map bounded in bytes: what was not asked for since the hand last came by makes room.

use std::collections::HashMap;
use std::hash::Hash;

/// The map. An entry that is larger than the whole is not taken.
#[derive(Debug)]
pub struct Shelf<K, V> {
    /// All that a look-up needs in one place: each place more is a wait for memory.
    entries: HashMap<K, Entry<V>>,
    /// The keys in the hand's order.
    slots: Vec<Option<K>>,
    free: Vec<u32>,
    hand: usize,
    bytes: usize,
    most: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: u32,
    slot: u32,
    asked: bool,
}

impl<K: Copy + Eq + Hash, V> Shelf<K, V> {
    /// An empty one of at most so many bytes.
    pub fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), slots: Vec::new(), free: Vec::new(), hand: 0, bytes: 0, most }
    }

    /// The value of a key.
    pub fn get(&mut self, key: K) -> Option<&V> {
        let entry = self.entries.get_mut(&key)?;
        entry.asked = true;
        Some(&entry.value)
    }

    /// Puts a value in; gives those that made room for it, and the one that was in its place.
    pub fn put(&mut self, key: K, value: V, bytes: usize) -> Vec<V> {
        let mut gone: Vec<V> = self.remove(key).into_iter().collect();
        let (Ok(size), Ok(next)) = (u32::try_from(bytes), u32::try_from(self.slots.len())) else {
            return gone;
        };
        if bytes > self.most {
            return gone;
        }
        while self.bytes + bytes > self.most {
            gone.extend(self.step());
        }
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(key);
            slot
        } else {
            self.slots.push(Some(key));
            next
        };
        self.entries.insert(key, Entry { value, bytes: size, slot, asked: false });
        self.bytes += bytes;
        gone
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let entry = self.entries.remove(&key)?;
        self.slots[entry.slot as usize] = None;
        self.free.push(entry.slot);
        self.bytes -= entry.bytes as usize;
        Some(entry.value)
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        *self = Self::new(self.most);
    }

    /// Moves the hand by one place: what was asked for stays for one more round.
    fn step(&mut self) -> Option<V> {
        self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
        let key = (*self.slots.get(self.hand)?)?;
        let entry = self.entries.get_mut(&key)?;
        if entry.asked {
            entry.asked = false;
            return None;
        }
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
        assert_eq!(shelf.get(1), Some(&10));
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
        let held: usize = shelf.entries.values().map(|entry| entry.bytes as usize).sum();
        assert_eq!(held, shelf.bytes);
        assert_eq!(shelf.entries.len(), shelf.slots.iter().flatten().count());
        assert!(shelf.slots.len() < 1_100, "{} places", shelf.slots.len());
        shelf.clear();
        assert_eq!((shelf.bytes, shelf.get(9_999)), (0, None));
    }
}

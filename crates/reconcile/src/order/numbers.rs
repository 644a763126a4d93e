//! The numbers of names: a table by the number that a name hashes as, where names are many; a map where they are few.

use std::hash::{Hash, Hasher};

use axon_model::SqlName;
use axon_model::name::NameMap;

/// From so many names on a table is quicker than a map, and worth its room.
const MANY: usize = 10_000;
const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) enum Numbers {
    Few(NameMap<u32>),
    Many(Vec<u32>),
}

/// Names hash as one number each, counted from 0 in the order of their coming.
#[derive(Default)]
struct Counted(u32);

impl Hasher for Counted {
    fn finish(&self) -> u64 {
        u64::from(self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u32::from(*byte);
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = number;
    }
}

fn counted(name: SqlName) -> usize {
    let mut counted = Counted::default();
    name.hash(&mut counted);
    counted.0 as usize
}

impl Numbers {
    pub(super) fn for_about(names: usize) -> Self {
        if names < MANY { Self::Few(NameMap::default()) } else { Self::Many(Vec::with_capacity(2 * names)) }
    }

    pub(super) fn get(&self, name: SqlName) -> Option<u32> {
        match self {
            Self::Few(map) => map.get(&name).copied(),
            Self::Many(table) => table.get(counted(name)).copied().filter(|number| *number != NONE),
        }
    }

    /// Whether the name had no number yet; it has this one then.
    pub(super) fn insert_new(&mut self, name: SqlName, number: u32) -> bool {
        match self {
            Self::Few(map) => {
                let mut fresh = false;
                map.entry(name).or_insert_with(|| {
                    fresh = true;
                    number
                });
                fresh
            }
            Self::Many(table) => {
                let at = counted(name);
                if at >= table.len() {
                    table.resize(at + 1, NONE);
                }
                let fresh = table[at] == NONE;
                if fresh {
                    table[at] = number;
                }
                fresh
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_and_a_map_give_the_same_numbers() {
        let mut both = [Numbers::for_about(1), Numbers::for_about(MANY)];
        let names: Vec<SqlName> =
            ["kim", "Kim", "ana", "KIM", "lee"].iter().map(|text| SqlName::parse(text).unwrap()).collect();
        for numbers in &mut both {
            let fresh: Vec<bool> =
                names.iter().zip(0..).map(|(name, n)| numbers.insert_new(*name, n)).collect();
            assert_eq!(fresh, [true, false, true, false, true]);
            assert_eq!(
                names.iter().filter_map(|name| numbers.get(*name)).collect::<Vec<_>>(),
                [0, 0, 2, 0, 4]
            );
            assert_eq!(numbers.get(SqlName::parse("nobody of these").unwrap()), None);
        }
    }
}

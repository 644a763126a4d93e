//! What changes between two holdings, told once: by the widest power that changes as a whole, or by the parts that do.

use std::collections::BTreeSet;
use std::fmt;

use axon_model::SqlName;
use axon_reconcile::{Permission, Securable};
use serde::{Serialize, Serializer};

use crate::effect::{Extent, Holding, Power, contains, covers};

/// One thing that is gained or lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// A permission on something, in whole or in part.
    Power(Securable, Permission),
    /// A role of the target that people are put into, or that is assigned.
    Role(SqlName),
    /// Acting as others, in words.
    Acting(String),
    /// What is seen in a secure view, in words.
    Seen(String),
}

impl Item {
    /// How wide it is: the smaller, the wider.
    pub(super) fn breadth(&self) -> (u8, u8) {
        match self {
            Self::Role(_) => (0, 0),
            Self::Power(on, permission) => {
                let weight = u8::from(!matches!(
                    permission,
                    Permission::Control | Permission::TakeOwnership | Permission::Alter
                ));
                let wide = match on {
                    Securable::Database | Securable::Principal(_) | Securable::Server => 0,
                    Securable::Schema(_) => 1,
                    Securable::Object(_) | Securable::Credential(_) | Securable::Other(_) => 2,
                    Securable::Column(..) => 3,
                };
                (wide, weight)
            }
            Self::Acting(_) => (1, 0),
            Self::Seen(_) => (3, 1),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Power(on, permission) => write!(f, "{} on {on}", permission.name().to_lowercase()),
            Self::Role(name) => f.write_str(&axon_model::name::shown(name.as_str())),
            Self::Acting(words) | Self::Seen(words) => f.write_str(words),
        }
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// What is gained and what is lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub gained: BTreeSet<Item>,
    pub lost: BTreeSet<Item>,
}

impl Change {
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }

    /// Both changes together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.gained.extend(other.gained.iter().cloned());
        both.lost.extend(other.lost.iter().cloned());
        both
    }

    /// What changes from one holding to another.
    pub fn between(old: &Holding, new: &Holding) -> Self {
        let mut powers: BTreeSet<Power> = BTreeSet::new();
        for holding in [old, new] {
            powers.extend(holding.given().iter().copied());
            powers.extend(holding.denied().iter().copied());
        }
        let mut gained: Vec<(Power, bool)> = Vec::new();
        let mut lost: Vec<(Power, bool)> = Vec::new();
        for power in &powers {
            let (before, after) = (old.extent(power), new.extent(power));
            let whole = before != Extent::Part && after != Extent::Part;
            if after > before {
                gained.push((*power, whole));
            } else if after < before {
                lost.push((*power, whole));
            }
        }
        let mut change = Self { gained: told(&gained), lost: told(&lost) };
        change.gained.extend(new.roles().difference(old.roles()).map(|role| Item::Role(*role)));
        change.lost.extend(old.roles().difference(new.roles()).map(|role| Item::Role(*role)));
        change
    }
}

/// Each change once. What changed in part is told by its parts, where they are known; what changed as a whole tells its parts.
fn told(changed: &[(Power, bool)]) -> BTreeSet<Item> {
    let inside =
        |outer: &Power, inner: &Power| outer != inner && outer.0 == inner.0 && contains(&outer.1, &inner.1);
    let kept = changed
        .iter()
        .filter(|(power, whole)| *whole || !changed.iter().any(|(part, _)| inside(power, part)));
    let kept: Vec<&(Power, bool)> = kept.collect();
    kept.iter()
        .filter(|(power, _)| {
            !kept.iter().any(|(wider, whole)| *whole && wider != power && covers(wider, power))
        })
        .map(|((permission, on), _)| Item::Power(*on, *permission))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::GrantLine;

    fn holding(lines: &[&str]) -> Holding {
        let lines: Vec<GrantLine> = lines.iter().map(|l| GrantLine::parse(l).unwrap()).collect();
        Holding::of(&lines)
    }

    fn between(old: &[&str], new: &[&str]) -> (Vec<String>, Vec<String>) {
        let change = Change::between(&holding(old), &holding(new));
        let text = |items: &BTreeSet<Item>| items.iter().map(ToString::to_string).collect();
        (text(&change.gained), text(&change.lost))
    }

    #[test]
    fn a_change_is_told_once_and_at_its_own_width() {
        for (old, new, gained, lost) in [
            (&["select on a.b"][..], &["select on a.b"][..], &[][..], &[][..]),
            (&[], &["select on a.b"], &["select on a.b"], &[]),
            (&["select on a.b"], &["select on schema::a"], &["select on schema::a"], &[]),
            (&["select on schema::a"], &["select on a.b"], &[], &["select on schema::a"]),
            (
                &["select on schema::a"],
                &["select on schema::a", "deny select on a.b"],
                &[],
                &["select on a.b"],
            ),
            (
                &["select on schema::a", "deny select on a.b"],
                &["select on schema::a"],
                &["select on a.b"],
                &[],
            ),
            (&["select on a.b (x)"], &["select on a.b (x, y)"], &["select on a.b ([y])"], &[]),
            (&["select on a.b"], &["select on a.b (x)"], &[], &["select on a.b"]),
            (&["member of x"], &["member of [y]"], &["y"], &["x"]),
            (&[], &["control on database", "select on a.b"], &["control on database"], &[]),
            (&["deny select on a.b"], &[], &[], &[]),
        ] {
            let (found_gained, found_lost) = between(old, new);
            let plain = |items: Vec<String>| -> Vec<String> {
                items.into_iter().map(|i| i.replace("([y])", "(y)")).collect()
            };
            let wanted =
                |items: &[&str]| -> Vec<String> { items.iter().map(|i| i.replace("([y])", "(y)")).collect() };
            assert_eq!(plain(found_gained), wanted(gained), "{old:?} -> {new:?}");
            assert_eq!(plain(found_lost), wanted(lost), "{old:?} -> {new:?}");
        }
    }

    fn lines() -> impl proptest::strategy::Strategy<Value = Vec<&'static str>> {
        proptest::sample::subsequence(
            vec![
                "select on database",
                "select on schema::a",
                "select on a.b",
                "select on a.b (x)",
                "insert on a.b",
                "control on schema::a",
                "deny select on schema::a",
                "deny select on a.b",
                "deny select on a.b (x)",
                "member of db_datareader",
                "member of mediumrc",
            ],
            0..6,
        )
    }

    proptest::proptest! {
        #[test]
        fn a_change_is_the_difference_and_nothing_else(old in lines(), new in lines()) {
            let (had, has) = (holding(&old), holding(&new));
            let change = Change::between(&had, &has);
            let extent = |h: &Holding, item: &Item| match item {
                Item::Power(on, permission) => h.extent(&(*permission, *on)),
                Item::Role(role) if h.roles().contains(role) => Extent::Whole,
                Item::Role(_) | Item::Acting(_) | Item::Seen(_) => Extent::None,
            };
            for item in &change.gained {
                proptest::prop_assert!(extent(&has, item) > extent(&had, item), "{item}");
            }
            for item in &change.lost {
                proptest::prop_assert!(extent(&has, item) < extent(&had, item), "{item}");
            }
            // Whatever either side speaks of and changes is told by an item of its permission that touches it.
            for power in had.given().iter().chain(has.given()).chain(had.denied()).chain(has.denied()) {
                let (before, after) = (had.extent(power), has.extent(power));
                let told = |items: &BTreeSet<Item>| items.iter().any(|item| matches!(item,
                    Item::Power(on, p) if covers(&(*p, *on), power) || contains(&power.1, on)));
                proptest::prop_assert!(after <= before || told(&change.gained), "{power:?}");
                proptest::prop_assert!(after >= before || told(&change.lost), "{power:?}");
            }
            proptest::prop_assert!(Change::between(&had, &had).is_empty());
        }
    }
}

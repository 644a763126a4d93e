//! `guards.tombstones`: when the user of somebody who left, stripped and shut out, is dropped.

use time::Duration;

use crate::read::Reader;
use crate::yaml::Node;

/// As long as a directory keeps whom it deletes, to be restored: until then the same person may come back.
const RESTORABLE: Duration = Duration::days(30);

/// When whoever left is dropped from the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// When no source has said anything else of them for so long.
    After(Duration),
    /// They stay, shut out.
    Never,
}

impl Default for Tombstones {
    fn default() -> Self {
        Self::After(RESTORABLE)
    }
}

impl Tombstones {
    /// For how long they stay; none where they are never dropped.
    pub fn after(self) -> Option<Duration> {
        match self {
            Self::After(wait) => Some(wait),
            Self::Never => None,
        }
    }
}

/// Reads it.
pub(crate) fn read(reader: &Reader<'_>, node: &Node) -> Tombstones {
    let what = "`guards.tombstones`";
    if reader.text(node, what).is_some_and(|text| text.text == "never") {
        return Tombstones::Never;
    }
    reader.duration(node, what).map_or_else(Tombstones::default, Tombstones::After)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::RoleMap;

    fn told(guards: &str) -> Result<Tombstones, String> {
        let text = format!("axon: 1\n{guards}");
        RoleMap::parse(&[("m.yaml", &text)]).map(|map| map.guards.tombstones).map_err(|f| f.to_string())
    }

    #[test]
    fn a_month_is_meant_where_nothing_is_said() {
        assert_eq!(told("guards: {}\n"), Ok(Tombstones::After(Duration::days(30))));
        assert_eq!(told("guards: { tombstones: 90d }\n"), Ok(Tombstones::After(Duration::days(90))));
        assert_eq!(told("guards: { tombstones: never }\n"), Ok(Tombstones::Never));
        let refused = told("guards: { tombstones: always }\n").unwrap_err();
        assert!(refused.contains("`guards.tombstones` must be a length of time"), "{refused}");
    }
}

//! Who is who in a target, written down with its age: for people who want to know which object a name stands for.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

/// The most who are written down one by one.
const MOST: usize = 5_000;

/// Whom one name means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identified {
    /// The name in the target.
    pub name: String,
    /// Its object id; none where nobody was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// What kind of object it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// When Graph said so; none where the role map alone says it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub said: Option<OffsetDateTime>,
    /// Why nobody was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Everybody whom a target was told of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identities {
    /// How many there are.
    pub total: usize,
    /// How many of them mean nobody.
    pub unknown: usize,
    /// The oldest word of Graph among them.
    #[serde(with = "time::serde::rfc3339::option")]
    pub oldest: Option<OffsetDateTime>,
    /// Them, as many as are written down one by one: first whoever means nobody.
    pub all: Vec<Identified>,
}

/// How long ago, for people.
fn ago(said: OffsetDateTime, now: OffsetDateTime) -> String {
    let age = (now - said).max(time::Duration::ZERO);
    match (age.whole_hours(), age.whole_minutes()) {
        (0, 0) => format!("{} s ago", age.whole_seconds()),
        (0, minutes) => format!("{minutes} min ago"),
        (hours, minutes) => format!("{hours} h {} min ago", minutes - hours * 60),
    }
}

impl Identified {
    /// Whom the name means, for people.
    pub fn told(&self, now: OffsetDateTime) -> String {
        let said = match self.said {
            Some(said) => format!(", as Microsoft Graph said {}", ago(said, now)),
            None => ", as the role map says, without Graph".to_owned(),
        };
        match (&self.object_id, &self.why) {
            (Some(id), _) => {
                let kind = self.kind.as_deref().unwrap_or("object");
                format!("{} is {kind} {id}{said}", self.name)
            }
            (None, Some(why)) => format!("{why}{}", self.said.map(|_| said).unwrap_or_default()),
            (None, None) => format!("{} means nobody{said}", self.name),
        }
    }

    /// The same for machines.
    pub fn shown(&self, now: OffsetDateTime) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(said) = self.said {
            value["age_seconds"] = (now - said).whole_seconds().max(0).into();
        }
        value
    }
}

impl Identities {
    pub(super) fn of(all: impl Iterator<Item = Identified>, total: usize) -> Self {
        let (mut found, mut unknown, mut oldest) = (Vec::new(), Vec::new(), None::<OffsetDateTime>);
        for one in all {
            oldest = [oldest, one.said].into_iter().flatten().min();
            if one.object_id.is_some() { found.push(one) } else { unknown.push(one) }
        }
        let count = unknown.len();
        let all = unknown.into_iter().chain(found).take(MOST).collect();
        Self { total, unknown: count, oldest, all }
    }

    pub(super) fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// What was written down; nothing where that is not readable.
    pub fn read(value: Value) -> Option<Self> {
        serde_json::from_value(value).ok()
    }

    /// Whom a name means, letter case apart.
    pub fn named(&self, name: &str) -> Option<&Identified> {
        let name = axon_model::name::fold(name);
        self.all.iter().find(|one| axon_model::name::fold(&one.name) == name)
    }

    /// All of it in a line for people.
    pub fn line(&self, now: OffsetDateTime) -> String {
        let unknown = match self.unknown {
            0 => String::new(),
            n => format!(", {n} of them mean nobody"),
        };
        let oldest = match self.oldest {
            Some(oldest) => format!("the oldest word of Microsoft Graph is of {}", ago(oldest, now)),
            None => "by the role map alone".to_owned(),
        };
        let names = if self.total == 1 { "name" } else { "names" };
        format!("{} {names} looked up{unknown}; {oldest}", self.total)
    }

    /// The same for machines.
    pub fn shown(&self, now: OffsetDateTime) -> Value {
        let age = self.oldest.map(|oldest| (now - oldest).whole_seconds().max(0));
        serde_json::json!({ "total": self.total, "unknown": self.unknown, "oldest_age_seconds": age })
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn one(name: &str, id: Option<&str>, said: Option<Duration>) -> Identified {
        let why = id.is_none().then(|| format!("group {name} is not in the directory"));
        let kind = id.map(|_| "group".to_owned());
        Identified {
            name: name.into(),
            object_id: id.map(Into::into),
            kind,
            said: said.map(|age| NOW - age),
            why,
        }
    }

    #[test]
    fn who_is_who_is_told_with_its_age() {
        let all = [
            one("SG-Data", Some("b-1"), Some(Duration::minutes(3))),
            one("SG-Gone", None, Some(Duration::seconds(5))),
            one("SG-Pinned", Some("b-2"), None),
            one("SG-Old", Some("b-3"), Some(Duration::minutes(135))),
        ];
        let identities = Identities::of(all.clone().into_iter(), 4);
        let back = Identities::read(identities.to_value()).unwrap();
        assert_eq!(back, identities, "it reads back");
        assert_eq!(
            back.line(NOW),
            "4 names looked up, 1 of them mean nobody; the oldest word of Microsoft Graph is of 2 h 15 min ago"
        );
        assert_eq!(back.shown(NOW)["oldest_age_seconds"], 8_100);
        let told: Vec<String> = all.iter().map(|one| one.told(NOW)).collect();
        assert_eq!(
            told,
            [
                "SG-Data is group b-1, as Microsoft Graph said 3 min ago",
                "group SG-Gone is not in the directory, as Microsoft Graph said 5 s ago",
                "SG-Pinned is group b-2, as the role map says, without Graph",
                "SG-Old is group b-3, as Microsoft Graph said 2 h 15 min ago",
            ]
        );
        assert_eq!(back.named("sg-data").unwrap().shown(NOW)["age_seconds"], 180);
        assert!(back.named("SG-Pinned").unwrap().shown(NOW).get("age_seconds").is_none());
        let ahead = Identified { said: Some(NOW + Duration::hours(1)), ..all[0].clone() };
        assert!(ahead.told(NOW).ends_with("0 s ago"), "a clock that was set back");
    }

    #[test]
    fn of_too_many_those_who_mean_nobody_are_written_down() {
        let found = (0..MOST + 7).map(|n| one(&format!("SG-{n}"), Some("b"), None));
        let identities = Identities::of(found.chain([one("SG-Gone", None, None)]), MOST + 8);
        assert_eq!((identities.total, identities.unknown, identities.all.len()), (MOST + 8, 1, MOST));
        assert_eq!(identities.all[0].name, "SG-Gone");
        assert!(identities.line(NOW).contains("by the role map alone"));
    }
}

//! How people who left are timed: within which time they ought to be out, and where sources say when they really left.

use std::collections::BTreeMap;
use std::time::Duration;

use axon_controller::{EventAttribute, LeaverSettings};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Config;

/// Longer than that is no objective.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// A length of time, written like 30s, 5m, 2h or 1d.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length(Duration);

impl Length {
    /// So many minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self(Duration::from_secs(minutes * 60))
    }
}

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
        let whole = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
        let (unit, word) = whole.unwrap_or((1, "s"));
        write!(f, "{}{word}", seconds / unit)
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        crate::cli::time(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Config {
    /// How people who left are timed. An error is a key and what is wrong with it.
    pub fn leavers(&self) -> Result<LeaverSettings, (&'static str, String)> {
        let Length(objective) = self.reconcile.leaver_objective;
        if objective > LONGEST {
            return Err((
                "reconcile.leaver_objective",
                "is over 7d: that is no time in which somebody is out".into(),
            ));
        }
        let mut events = BTreeMap::new();
        let named =
            || self.sources.iter().filter_map(|(id, source)| Some((id, source.leaver_event.as_ref()?)));
        if named().next().is_some() {
            let registry = self.registry().map_err(|error| ("extensions", error.to_string()))?;
            for (id, text) in named() {
                let bad = |why: String| ("sources", format!("source {id}: leaver_event: {why}"));
                events.insert(id.clone(), EventAttribute::parse(&registry, text).map_err(bad)?);
            }
        }
        let objective = time::Duration::seconds(i64::try_from(objective.as_secs()).unwrap_or(i64::MAX));
        Ok(LeaverSettings { objective, events })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::ConfigError;
    use super::*;

    const LEAVING: &str = r#"{"id": "urn:example:leaving:2.0:User", "attributes": [
        {"name": "leaveDateTime", "type": "dateTime"}, {"name": "reason", "type": "string"},
        {"name": "dates", "type": "dateTime", "multiValued": true}]}"#;

    fn load(reconcile: &str, event: &str) -> Result<LeaverSettings, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("leaving.json"), LEAVING).unwrap();
        let path = folder.path().join("axon.yaml");
        let text = format!(
            "role_map: m.yaml\nextensions: [leaving.json]\nsources:\n  entra: {{ kind: entra{event} }}\n{reconcile}"
        );
        std::fs::write(&path, text).unwrap();
        let told = |error: ConfigError| error.to_string();
        Config::load(Path::new(&path), &[]).map_err(told)?.leavers().map_err(|(_, why)| why)
    }

    #[test]
    fn five_minutes_are_the_objective_unless_said_otherwise() {
        assert_eq!(load("", "").unwrap().objective, time::Duration::minutes(5));
        let said = load("reconcile: { leaver_objective: 90s }\n", "").unwrap();
        assert_eq!(said.objective, time::Duration::seconds(90));
        for bad in ["5", "0m", "-1m", "soon", "8d"] {
            let why = load(&format!("reconcile: {{ leaver_objective: {bad} }}\n"), "").unwrap_err();
            assert!(
                why.contains("5m") || why.contains("30m") || why.contains("leaver_objective"),
                "{bad}: {why}"
            );
        }
        assert_eq!(Length::minutes(5).to_string(), "5m");
        assert_eq!(Length(Duration::from_secs(90)).to_string(), "90s");
    }

    #[test]
    fn an_event_is_an_attribute_of_users_that_holds_one_instant() {
        let settings = load("", ", leaver_event: leaveDateTime").unwrap();
        assert_eq!(settings.events.len(), 1);
        let whole = load("", ", leaver_event: 'urn:example:leaving:2.0:User:leaveDateTime'").unwrap();
        assert_eq!(whole.events, settings.events);
        for (event, words) in [
            ("reason", "type string"),
            ("dates", "several values"),
            ("meta.lastModified", "Axon's own"),
            ("leavDateTime", "no schema has an attribute"),
            ("userName", "type string"),
        ] {
            let why = load("", &format!(", leaver_event: {event}")).unwrap_err();
            assert!(why.contains("source entra: leaver_event") && why.contains(words), "{event}: {why}");
        }
    }
}

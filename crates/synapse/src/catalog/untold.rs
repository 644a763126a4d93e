//! What a pool holds that the graph does not tell of: workload classifiers, principals of other kinds, what `guest` holds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axon_model::name::{fold, shown};
use axon_reconcile::builtin::PREDEFINED_ROLES;
use tiberius::Row;

use super::rows::text;
use crate::statement::Dialect;

/// Something that Axon neither keeps nor changes, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Untold {
    /// The name of the workload classifier that it is, if it is one.
    pub classifier: Option<String>,
    /// What it is.
    pub what: String,
}

/// The rows that [`crate::render::untold`] gives.
#[derive(Debug, Default)]
pub(crate) struct RawUntold {
    classifiers: BTreeMap<String, Classifier>,
    others: Vec<String>,
}

#[derive(Debug, Default)]
struct Classifier {
    group: String,
    importance: Option<String>,
    details: Vec<(String, String)>,
}

impl RawUntold {
    /// Takes one row of one result set.
    pub(crate) fn take(&mut self, set: usize, row: &Row) -> Result<(), String> {
        match set {
            0 => {
                let (kind, name) = (text(row, 0)?.trim().to_owned(), shown(text(row, 1)?));
                self.others.push(format!("{} {name}", kind_of(&kind)));
            }
            1 => {
                let (what, state) = (text(row, 1)?, text(row, 2)?.trim());
                let state = match state {
                    "D" => "DENY",
                    "W" => "GRANT WITH GRANT OPTION",
                    "R" => "a column taken out of",
                    _ => "GRANT",
                };
                let class = optional(row, 0)?.unwrap_or_else(|| "unknown".into());
                let grantee = shown(text(row, 3)?);
                self.others
                    .push(format!("{state} {} on a securable of class {class} to {grantee}", shown(what)));
            }
            2 => {
                let name = text(row, 0)?.to_owned();
                let classifier = self.classifiers.entry(name).or_default();
                text(row, 1)?.clone_into(&mut classifier.group);
                classifier.importance = optional(row, 2)?;
                if let (Some(kind), Some(value)) = (optional(row, 3)?, optional(row, 4)?) {
                    classifier.details.push((kind, value));
                }
            }
            other => return Err(format!("result set {other} was not asked for")),
        }
        Ok(())
    }

    /// What it all means. Every resource class has a classifier of its own name, which nobody made.
    pub(crate) fn into_untold(self, dialect: Dialect) -> Vec<Untold> {
        let mut found: Vec<Untold> =
            self.others.into_iter().map(|what| Untold { classifier: None, what }).collect();
        let made = self.classifiers.into_iter().filter(|(name, _)| {
            dialect != Dialect::Dedicated || !PREDEFINED_ROLES.contains(&fold(name).as_str())
        });
        for (name, Classifier { group, importance, mut details }) in made {
            details.sort();
            let mut what = format!("classifier {} puts requests", shown(&name));
            for (kind, value) in &details {
                let word = match kind.as_str() {
                    "membername" => "of",
                    "wlm_label" => "with label",
                    "wlm_context" => "with context",
                    "start_time" => "from",
                    "end_time" => "until",
                    other => other,
                };
                // Writing to a String cannot fail.
                let _ = write!(what, " {word} {}", shown(value));
            }
            let _ = write!(what, " into workload group {}", shown(&group));
            if let Some(importance) = importance {
                let _ = write!(what, ", importance {}", shown(&importance));
            }
            found.push(Untold { classifier: Some(name), what });
        }
        found.sort();
        found.dedup();
        found
    }
}

fn optional(row: &Row, at: usize) -> Result<Option<String>, String> {
    let value: Option<&str> = row.try_get(at).map_err(|e| e.to_string())?;
    Ok(value.map(str::to_owned))
}

/// The words for a code of `sys.database_principals.type`.
fn kind_of(code: &str) -> &str {
    match code {
        "A" => "application role",
        "C" => "user mapped to a certificate",
        "K" => "user mapped to a key",
        "G" => "Windows group",
        "U" => "Windows user",
        _ => "principal of an unknown kind",
    }
}

#[cfg(test)]
mod tests {
    use tiberius::{ColumnData, ColumnType};

    use super::*;

    fn row(cells: &[Option<&str>]) -> Row {
        let cell = |text: Option<&str>| ColumnData::String(text.map(|t| t.to_owned().into()));
        cells.iter().fold(Row::builder(), |b, c| b.column("c", ColumnType::NVarchar, cell(*c))).build()
    }

    #[test]
    fn what_the_graph_does_not_tell_of_is_said_in_words_and_the_pool_s_own_classifiers_are_not() {
        let mut raw = RawUntold::default();
        raw.take(0, &row(&[Some("A"), Some("app\u{202e}role")])).unwrap();
        let permission = ["CERTIFICATE", "CONTROL", "D", "kim"].map(Some);
        raw.take(1, &row(&permission)).unwrap();
        for (kind, value) in [("wlm_label", "nightly"), ("membername", "loader")] {
            let cells = [Some("loads"), Some("largerc"), Some("high"), Some(kind), Some(value)];
            raw.take(2, &row(&cells)).unwrap();
        }
        raw.take(2, &row(&[Some("StaticRC10"), Some("staticrc10"), None, None, None])).unwrap();
        assert!(raw.take(3, &row(&[])).is_err());
        let told: Vec<String> = raw.into_untold(Dialect::Dedicated).into_iter().map(|b| b.what).collect();
        assert_eq!(
            told,
            [
                "DENY CONTROL on a securable of class CERTIFICATE to kim",
                r"application role app\u{202e}role",
                "classifier loads puts requests of loader with label nightly into workload group largerc, importance high",
            ]
        );
    }
}

//! Who is behind a principal: one record of a person, or several that are joined; a group; a service identity.

use axon_mapping::identity::Holder;
use axon_mapping::{Claimant, Evaluator};
use axon_model::{Directory, SourceId, SqlName};

/// Who is behind a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Behind(Vec<(String, Holder)>);

impl Behind {
    /// Who is behind this name in a target now.
    pub fn of(evaluator: &Evaluator, directory: &Directory, name: SqlName) -> Self {
        let mut records: Vec<(String, Holder)> = evaluator
            .holders(name)
            .filter_map(|claimant| match claimant {
                Claimant::User { id, source } => {
                    Some((source.to_string(), Holder::of_user(directory.user(*id)?)))
                }
                Claimant::Group { id, source } => {
                    Some((source.to_string(), Holder::of_group(directory.group(*id)?)))
                }
                Claimant::Service { name } => {
                    // No source can be called so.
                    Some((String::new(), Holder { external_id: None, id: name.to_string() }))
                }
            })
            .collect();
        records.sort();
        Self(records)
    }

    /// Whether nobody is.
    pub fn is_nobody(&self) -> bool {
        self.0.is_empty()
    }

    /// As the store keeps it.
    pub fn text(&self) -> String {
        let records: Vec<serde_json::Value> = self
            .0
            .iter()
            .map(|(source, holder)| serde_json::json!([source, holder.external_id, holder.id]))
            .collect();
        serde_json::Value::from(records).to_string()
    }

    /// Whether one of these is among those that were kept. What cannot be read is nobody.
    pub fn is(&self, kept: &str) -> bool {
        let kept: Vec<(String, Option<String>, String)> = serde_json::from_str(kept).unwrap_or_default();
        kept.into_iter().any(|(source, external_id, id)| {
            let holder = Holder { external_id, id };
            self.0.iter().any(|(mine, record)| *mine == source && holder.is(record))
        })
    }

    /// The sources of those that were kept.
    pub fn sources(kept: &str) -> Vec<SourceId> {
        let kept: Vec<(String, Option<String>, String)> = serde_json::from_str(kept).unwrap_or_default();
        kept.iter().filter_map(|(source, _, _)| source.parse().ok()).collect()
    }

    /// Those that were kept, by source. None where it cannot be read, is nobody, or one of them is in no source: no push tells of it.
    pub fn people(kept: &str) -> Option<Vec<(SourceId, Holder)>> {
        let kept: Vec<(String, Option<String>, String)> = serde_json::from_str(kept).ok()?;
        let one = |(source, external_id, id): (String, _, _)| {
            Some((source.parse().ok()?, Holder { external_id, id }))
        };
        Some(kept.into_iter().map(one).collect::<Option<Vec<_>>>()?).filter(|people| !people.is_empty())
    }

    #[cfg(test)]
    pub fn person(source: &str, external_id: Option<&str>, id: &str) -> Self {
        let holder = Holder { external_id: external_id.map(str::to_owned), id: id.to_owned() };
        Self(vec![(source.to_owned(), holder)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_record_of_a_person_is_the_person_and_another_source_is_not() {
        let kim = Behind::person("entra", Some("k"), "1");
        assert!(kim.is(&kim.text()));
        let both = r#"[["entra","k","1"],["okta",null,"2"]]"#;
        assert!(kim.is(both) && Behind::person("okta", Some("late"), "2").is(both));
        assert!(!Behind::person("okta", Some("k"), "1").is(&kim.text()));
        assert!(!Behind::person("entra", Some("other"), "1").is(both));
        assert!(!kim.is("not JSON"));
        assert_eq!(Behind::people(both).map(|people| people.len()), Some(2));
        for nobody in
            [r#"[["",null,"ci-deploy"]]"#, r#"[["entra","k","1"],["",null,"ci"]]"#, "[]", "not JSON"]
        {
            assert_eq!(Behind::people(nobody), None, "{nobody}");
        }
    }
}

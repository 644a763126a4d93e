//! What each source may say of people, as the configuration has it.

use std::collections::BTreeMap;

use axon_mapping::identity::{BadClaim, SourceClaims};
use axon_model::SourceId;

use super::{Config, Source};

impl Source {
    /// Whom it may name, and what joins its people with those of other sources.
    pub fn claims(&self) -> Result<SourceClaims, BadClaim> {
        SourceClaims::read(self.may_name.as_deref(), self.join.as_deref())
    }
}

impl Config {
    /// What each source may say. What cannot be read was refused when the configuration was.
    pub fn claims(&self) -> BTreeMap<SourceId, SourceClaims> {
        self.sources.iter().filter_map(|(id, source)| Some((id.clone(), source.claims().ok()?))).collect()
    }

    /// What is most likely a mistake in what sources may say.
    pub fn claim_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.sources.len() < 2 {
            return warnings;
        }
        for (id, source) in self.sources.iter().filter(|(_, source)| source.may_name.is_none()) {
            let kind = source.kind.name();
            warnings.push(format!(
                "source {id} may name everybody, also the people of the other sources: write `{id}: {{ kind: {kind}, \
                 may_name: ['*@your.domain'] }}`; until then what two sources claim is given to nobody"
            ));
        }
        let joined: Vec<&SourceId> =
            self.sources.iter().filter(|(_, s)| s.join.is_some()).map(|(id, _)| id).collect();
        if let [only] = joined.as_slice() {
            warnings.push(format!(
                "only source {only} has `join`: it joins people of two sources that both have it"
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(sources: &str) -> Result<Config, super::super::ConfigError> {
        let text = format!("role_map: m.yaml\nsources:\n{sources}");
        let config = Config::parse(Path::new("axon.yaml"), &text, &[])?;
        config.check(Path::new("axon.yaml"))?;
        Ok(config)
    }

    #[test]
    fn two_sources_without_claims_are_told_of_and_one_is_not() {
        assert_eq!(read("  entra: { kind: entra }\n").unwrap().claim_warnings(), Vec::<String>::new());
        let two =
            read("  entra: { kind: entra }\n  okta: { kind: okta, may_name: ['*@okta.example'] }\n").unwrap();
        let warnings = two.claim_warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("source entra may name everybody"), "{warnings:?}");
        let joined = "  entra: { kind: entra, may_name: ['*'], join: externalId }\n  okta: { kind: okta, may_name: ['*'] }\n";
        assert!(read(joined).unwrap().claim_warnings()[0].contains("only source entra has `join`"));
    }

    #[test]
    fn claims_that_cannot_be_read_are_refused_with_their_key() {
        for (source, words) in [
            ("may_name: []", "may_name"),
            ("may_name: ['']", "may_name"),
            ("join: nobody.knows.it", "join"),
            ("join: emails.value", "join"),
        ] {
            let error = read(&format!("  entra: {{ kind: entra, {source} }}\n")).unwrap_err().to_string();
            assert!(error.contains("entra") && error.contains(words), "{error}");
        }
    }
}

//! Names that say before a colon which system's role is meant: `synapse:` a workspace's, `azure:` Resource Manager's. The kind of
//! target says it already, so that the words before the colon are told to whoever writes them.

/// Whose role it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    /// A role of a workspace.
    Synapse,
    /// A role of Resource Manager.
    Azure,
}

impl System {
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Synapse => ("synapse:", "the workspace", "synapse-workspace"),
            Self::Azure => ("azure:", "Azure", "azure-rbac"),
        }
    }

    /// What is to be said of a role's name that begins with a system's word, at a target of this system.
    pub(crate) fn told_apart(self, name: &str) -> Option<String> {
        let meant = [Self::Synapse, Self::Azure].into_iter().find_map(|system| {
            let (mark, ..) = system.words();
            let head = name.get(..mark.len())?;
            head.eq_ignore_ascii_case(mark).then(|| (system, name[mark.len()..].trim()))
        });
        let (system, bare) = meant?;
        let (mark, whose, kind) = system.words();
        Some(if system == self {
            format!(
                "{name}: a target of this kind has roles of {whose} only, so that {mark} is left out: write {bare}"
            )
        } else {
            let (_, here, _) = self.words();
            format!(
                "{name} is a role of {whose}, and this target has roles of {here}: write {bare} in a target of kind {kind}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_before_the_colon_is_told_with_where_the_role_belongs() {
        let told = |system: System, name: &str| system.told_apart(name).unwrap_or_default();
        assert!(told(System::Azure, "azure:Reader").ends_with("azure: is left out: write Reader"));
        assert!(
            told(System::Azure, "Synapse:Synapse User")
                .ends_with("write Synapse User in a target of kind synapse-workspace")
        );
        assert!(
            told(System::Synapse, "azure: Contributor")
                .ends_with("write Contributor in a target of kind azure-rbac")
        );
        assert!(told(System::Synapse, "synapse:Synapse User").ends_with("write Synapse User"));
        for name in ["Reader", "Synapse User", "", "azür:x", "my synapse: role"] {
            assert_eq!(System::Azure.told_apart(name), None, "{name}");
        }
    }
}

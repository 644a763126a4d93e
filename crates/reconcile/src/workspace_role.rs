//! What the roles of a Synapse workspace are called: by the service, by the portal, and in former times.

/// Names of the portal and of former times, each with the service's own.
const ALIASES: [(&str, &str); 5] = [
    ("Synapse Apache Spark Administrator", "Apache Spark Administrator"),
    ("Apache Spark Admin", "Apache Spark Administrator"),
    ("Workspace Admin", "Synapse Administrator"),
    ("Sql Admin", "Synapse SQL Administrator"),
    ("Synapse Spark Administrator", "Apache Spark Administrator"),
];

/// The service's own name of a role that is known by another one too; any other name as it stands.
pub fn own_name(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map_or(name, |(_, own)| own)
}

/// The other names of a role, by the service's own one.
pub fn other_names(own: &str) -> impl Iterator<Item = &'static str> + use<'_> {
    ALIASES.iter().filter(move |(_, of)| of.eq_ignore_ascii_case(own)).map(|(alias, _)| *alias)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_leads_to_the_service_s_own_and_back() {
        assert_eq!(own_name("workspace ADMIN"), "Synapse Administrator");
        assert_eq!(own_name("Synapse User"), "Synapse User");
        let others: Vec<&str> = other_names("apache spark administrator").collect();
        assert_eq!(others.len(), 3);
        assert!(others.iter().all(|other| own_name(other) == "Apache Spark Administrator"));
    }
}

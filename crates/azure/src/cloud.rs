//! Where Azure is: the addresses and audiences of one cloud. Each can be set apart, for sovereign clouds and for tests.

use std::fmt;

use reqwest::Url;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Every SQL pool.
    Sql,
    /// A workspace's own roles.
    Synapse,
    /// Azure Resource Manager.
    Arm,
    /// Microsoft Graph.
    Graph,
    /// Log ingestion of Azure Monitor.
    Monitor,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Self; 5] = [Self::Sql, Self::Synapse, Self::Arm, Self::Graph, Self::Monitor];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sql => "SQL",
            Self::Synapse => "the Synapse data plane",
            Self::Arm => "Azure Resource Manager",
            Self::Graph => "Microsoft Graph",
            Self::Monitor => "Azure Monitor ingestion",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which of Microsoft's clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CloudName {
    /// The global one.
    #[default]
    Public,
    /// Azure Government.
    UsGovernment,
    /// Azure in China.
    China,
}

impl CloudName {
    /// The cloud of a word of the configuration.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "public" => Some(Self::Public),
            "us-government" => Some(Self::UsGovernment),
            "china" => Some(Self::China),
            _ => None,
        }
    }
}

/// An address that requests go under: https, or http on this machine and its own link only. No slash at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct Base(String);

/// Why a text is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an https address without user, query and fragment (http is for this machine only)")]
pub struct BadBase {
    text: String,
}

impl Base {
    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, BadBase> {
        let bad = || BadBase { text: axon_model::name::shown(text).chars().take(200).collect() };
        let url = Url::parse(text).map_err(|_| bad())?;
        let host = url.host_str().ok_or_else(bad)?;
        let local = match host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
            // Managed identities are served on loopback and on the link-local network (169.254.0.0/16), in clear.
            Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
            Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback(),
            Err(_) => host == "localhost",
        };
        let safe = url.scheme() == "https" || (url.scheme() == "http" && local);
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !safe || !plain {
            return Err(bad());
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    fn fixed(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The address of a path and query below it. The path begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a link that a server gave leads below this address: a token never follows a link elsewhere.
    pub fn holds(&self, link: &str) -> bool {
        let (Ok(own), Ok(link)) = (Url::parse(&self.0), Url::parse(link)) else { return false };
        own.origin() == link.origin()
            && link.username().is_empty()
            && link.password().is_none()
            && link.path().starts_with(own.path().trim_end_matches('/'))
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The addresses and audiences of one cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    /// Where tokens are given: `/{tenant}/oauth2/v2.0/token` comes below it.
    pub authority: Base,
    /// The machine's own metadata.
    pub imds: Base,
    /// Azure Resource Manager.
    pub arm: Base,
    /// Microsoft Graph, without its version.
    pub graph: Base,
    /// Whose audiences tokens name.
    pub name: CloudName,
}

impl Cloud {
    /// A cloud of Microsoft's. Source of the public one: the services' own pages; of the others: general knowledge, not tried.
    pub fn named(name: CloudName) -> Self {
        let (authority, arm, graph) = match name {
            CloudName::Public => (
                "https://login.microsoftonline.com",
                "https://management.azure.com",
                "https://graph.microsoft.com",
            ),
            CloudName::UsGovernment => (
                "https://login.microsoftonline.us",
                "https://management.usgovcloudapi.net",
                "https://graph.microsoft.us",
            ),
            CloudName::China => (
                "https://login.chinacloudapi.cn",
                "https://management.chinacloudapi.cn",
                "https://microsoftgraph.chinacloudapi.cn",
            ),
        };
        Self {
            authority: Base::fixed(authority),
            imds: Base::fixed("http://169.254.169.254"),
            arm: Base::fixed(arm),
            graph: Base::fixed(graph),
            name,
        }
    }

    /// What a token for a resource names as its audience (`resource` of version 1).
    pub fn audience(&self, resource: Resource) -> &'static str {
        match (resource, self.name) {
            (Resource::Sql, CloudName::Public) => "https://database.windows.net/",
            (Resource::Sql, CloudName::UsGovernment) => "https://database.usgovcloudapi.net/",
            (Resource::Sql, CloudName::China) => "https://database.chinacloudapi.cn/",
            (Resource::Synapse, CloudName::Public) => "https://dev.azuresynapse.net",
            (Resource::Synapse, CloudName::UsGovernment) => "https://dev.azuresynapse.usgovcloudapi.net",
            (Resource::Synapse, CloudName::China) => "https://dev.azuresynapse.azure.cn",
            (Resource::Arm, CloudName::Public) => "https://management.azure.com/",
            (Resource::Arm, CloudName::UsGovernment) => "https://management.usgovcloudapi.net/",
            (Resource::Arm, CloudName::China) => "https://management.chinacloudapi.cn/",
            (Resource::Graph, CloudName::Public) => "https://graph.microsoft.com",
            (Resource::Graph, CloudName::UsGovernment) => "https://graph.microsoft.us",
            (Resource::Graph, CloudName::China) => "https://microsoftgraph.chinacloudapi.cn",
            (Resource::Monitor, CloudName::Public) => "https://monitor.azure.com",
            (Resource::Monitor, CloudName::UsGovernment) => "https://monitor.azure.us",
            (Resource::Monitor, CloudName::China) => "https://monitor.azure.cn",
        }
    }

    /// What is asked for at the token endpoint of version 2.
    pub fn scope(&self, resource: Resource) -> String {
        format!("{}/.default", self.audience(resource).trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_for_this_machine_only_and_nothing_hides_in_an_address() {
        for good in [
            "https://login.microsoftonline.com/",
            "http://127.0.0.1:8080",
            "http://localhost:42356/msi/token",
            "http://169.254.169.254",
            "http://[::1]:9",
        ] {
            assert!(!Base::parse(good).unwrap().as_str().ends_with('/'), "{good}");
        }
        for bad in [
            "http://login.microsoftonline.com",
            "http://10.0.0.4",
            "ftp://127.0.0.1",
            "https://u:p@h",
            "https://h/?q=1",
            "https://h/#f",
            "login.microsoftonline.com",
            "",
        ] {
            assert!(Base::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_link_elsewhere_is_not_followed() {
        let arm = Base::parse("https://management.azure.com").unwrap();
        assert!(arm.holds("https://management.azure.com/subscriptions/x?$skiptoken=1"));
        for bad in [
            "https://management.azure.com.evil.example/",
            "http://management.azure.com/",
            "https://management.azure.com:8443/",
            "https://a@management.azure.com/",
            "/subscriptions/x",
            "https://evil.example/?https://management.azure.com",
        ] {
            assert!(!arm.holds(bad), "{bad}");
        }
    }

    #[test]
    fn each_resource_has_its_audience_in_each_cloud() {
        let public = Cloud::named(CloudName::Public);
        assert_eq!(public.scope(Resource::Sql), "https://database.windows.net/.default");
        assert_eq!(public.scope(Resource::Synapse), "https://dev.azuresynapse.net/.default");
        let mut seen = std::collections::BTreeSet::new();
        for name in [CloudName::Public, CloudName::UsGovernment, CloudName::China] {
            let cloud = Cloud::named(name);
            assert!(Resource::ALL.iter().all(|r| seen.insert(cloud.audience(*r))));
            assert!(
                [&cloud.authority, &cloud.arm, &cloud.graph].iter().all(|b| Base::parse(b.as_str()).is_ok())
            );
        }
    }
}

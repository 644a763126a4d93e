//! Addresses that keys may be read from: https, or plain http on this machine.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Not an address at all.
    #[error("{0:?} is not an address such as https://login.example.com/tenant")]
    NotOne(String),
    /// Plain http to another machine, or another scheme.
    #[error(
        "{0:?} is not https: keys that can be changed on the way prove nothing (plain http is for loopback only)"
    )]
    NotHttps(String),
    /// With a user, a password or a fragment.
    #[error("{0:?} may have no user, password or fragment")]
    Extras(String),
}

/// An https address, or a loopback one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Url);

impl Address {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let shown = || text.chars().take(200).collect::<String>();
        let url = Url::parse(text).map_err(|_| BadAddress::NotOne(shown()))?;
        if url.host_str().is_none() {
            return Err(BadAddress::NotOne(shown()));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(BadAddress::Extras(shown()));
        }
        let address = Self(url);
        match address.0.scheme() {
            "https" => Ok(address),
            "http" if address.is_loopback() => Ok(address),
            _ => Err(BadAddress::NotHttps(shown())),
        }
    }

    /// Whether the host is this machine, by its name `localhost` or an address.
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// An address that a document from here names: plain http only where this one is loopback too.
    pub(crate) fn follow(&self, text: &str) -> Result<Self, BadAddress> {
        let next = Self::parse(text)?;
        if next.0.scheme() == "https" || self.is_loopback() {
            return Ok(next);
        }
        Err(BadAddress::NotHttps(text.chars().take(200).collect()))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_anywhere_and_http_on_this_machine_alone() {
        for good in ["https://a.example/x", "http://127.0.0.1:8/x", "http://[::1]/x", "http://localhost/x"] {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/x",
            "http://127.0.0.1.example/",
            "http://localhost.example/",
            "file:///etc/passwd",
            "ftp://127.0.0.1/",
            "a.example",
            "",
            "https://user:secret@a.example/",
            "https://a.example/#x",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_document_from_afar_does_not_lead_to_this_machine() {
        let afar = Address::parse("https://a.example/x").unwrap();
        assert!(afar.follow("http://127.0.0.1/keys").is_err());
        assert!(afar.follow("https://b.example/keys").is_ok());
        assert!(Address::parse("http://127.0.0.1:1/x").unwrap().follow("http://127.0.0.1:2/keys").is_ok());
    }
}

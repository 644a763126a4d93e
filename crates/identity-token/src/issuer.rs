//! Who signs, and where the keys are told.

use crate::address::{Address, BadAddress};

/// An issuer that is trusted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Issuer {
    /// `iss`, exactly as its tokens spell it.
    pub name: String,
    /// Where its keys are.
    pub keys: KeysAt,
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeysAt {
    /// In the document that this discovery document names as `jwks_uri`. Its `issuer` must be the issuer's name.
    Discovery(Address),
    /// In this JWKS.
    Jwks(Address),
}

/// Microsoft's addresses in the public cloud: where keys are told, and who signs tokens of version 1.
pub const ENTRA_AUTHORITY: &str = "https://login.microsoftonline.com";
/// The base of `iss` in Entra's tokens of version 1, in every cloud but China's.
pub const ENTRA_V1_ISSUER: &str = "https://sts.windows.net";

impl Issuer {
    /// An OpenID Connect issuer: its document is under its own name (OpenID Connect Discovery 1.0 section 4).
    pub fn discovered(name: &str) -> Result<Self, BadAddress> {
        let document = format!("{}/.well-known/openid-configuration", name.trim_end_matches('/'));
        Ok(Self { name: name.to_owned(), keys: KeysAt::Discovery(Address::parse(&document)?) })
    }

    /// An issuer whose keys are at a known address.
    pub fn with_jwks(name: &str, jwks: &str) -> Result<Self, BadAddress> {
        Ok(Self { name: name.to_owned(), keys: KeysAt::Jwks(Address::parse(jwks)?) })
    }

    /// Entra ID's tokens of version 1 for a tenant. Their issuer is not the place where their keys are told.
    pub fn entra_v1(tenant: &str, authority: &str, issuer: &str) -> Result<Self, BadAddress> {
        let document =
            format!("{}/{tenant}/.well-known/openid-configuration", authority.trim_end_matches('/'));
        let name = format!("{}/{tenant}/", issuer.trim_end_matches('/'));
        Ok(Self { name, keys: KeysAt::Discovery(Address::parse(&document)?) })
    }

    /// Entra ID's tokens of version 2 for a tenant.
    pub fn entra_v2(tenant: &str, authority: &str) -> Result<Self, BadAddress> {
        Self::discovered(&format!("{}/{tenant}/v2.0", authority.trim_end_matches('/')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entra_s_two_versions_have_their_own_names_and_documents() {
        let tenant = "11111111-2222-3333-4444-555555555555";
        let v1 = Issuer::entra_v1(tenant, ENTRA_AUTHORITY, ENTRA_V1_ISSUER).unwrap();
        assert_eq!(v1.name, format!("https://sts.windows.net/{tenant}/"));
        let v2 = Issuer::entra_v2(tenant, ENTRA_AUTHORITY).unwrap();
        assert_eq!(v2.name, format!("https://login.microsoftonline.com/{tenant}/v2.0"));
        let at = |issuer: &Issuer| match &issuer.keys {
            KeysAt::Discovery(address) | KeysAt::Jwks(address) => address.to_string(),
        };
        let base = format!("https://login.microsoftonline.com/{tenant}");
        assert_eq!(at(&v1), format!("{base}/.well-known/openid-configuration"));
        assert_eq!(at(&v2), format!("{base}/v2.0/.well-known/openid-configuration"));
    }

    #[test]
    fn a_slash_at_the_end_belongs_to_the_name_and_not_to_the_place() {
        let issuer = Issuer::discovered("https://acme.eu.auth0.example/").unwrap();
        assert_eq!(issuer.name, "https://acme.eu.auth0.example/");
        let KeysAt::Discovery(at) = issuer.keys else { panic!("by discovery") };
        assert_eq!(at.to_string(), "https://acme.eu.auth0.example/.well-known/openid-configuration");
    }
}

//! How a source speaks SCIM: one switch for each place where the identity providers and the RFC differ.

mod switches;

pub use self::switches::Switches;

use serde::{Deserialize, Serialize};

/// Which identity provider a source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileKind {
    /// Microsoft Entra ID.
    Entra,
    /// Okta.
    Okta,
    /// Any other client.
    #[default]
    Generic,
}

impl ProfileKind {
    /// The word used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Okta => "okta",
            Self::Generic => "generic",
        }
    }
}

/// The switches of one source. Start from [`Profile::new`] and change what the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each field is one switch that an operator can set by itself"
)]
pub struct Profile {
    /// Which identity provider.
    pub kind: ProfileKind,
    /// `add` and `replace` on `attr[a eq "b"]` make the element when none matches (else 400 noTarget).
    pub create_on_absent: bool,
    /// `remove` with a path and a `value` list removes those values only (else 400 invalidValue).
    pub remove_listed: bool,
    /// Text booleans, text numbers, a plain string for a complex value and one-element arrays are accepted.
    pub coerce: bool,
    /// Keys of a path-less PATCH value may be dotted names, URN names and value paths.
    pub parse_keys: bool,
    /// Unknown attributes and URNs in a body are dropped and noted (else 400 invalidValue).
    pub drop_unknown: bool,
    /// A PATCH path that begins with a schema URN which is not served is ignored and noted (else 400 invalidPath). One bad
    /// mapping must not keep the operation beside it, which may be `active`, from being done.
    pub drop_unknown_urns: bool,
    /// A readOnly attribute in a PATCH is ignored when it equals what is stored (else 400 mutability).
    pub ignore_read_only_echo: bool,
    /// A PATCH on a group is answered 204.
    pub group_patch_no_content: bool,
    /// A PATCH on a user is answered 204.
    pub user_patch_no_content: bool,
    /// A member that does not exist is accepted and parked (else 400 invalidValue).
    pub park_unknown_members: bool,
    /// Two groups of one source may not have the same displayName.
    pub unique_group_names: bool,
    /// A POST that matches an inactive user gives that user back instead of 409.
    pub restore_on_post: bool,
    /// A PUT without `active` keeps the stored value (else it becomes true).
    pub put_keeps_active: bool,
    /// An empty text takes the attribute away (else it is a value as any other).
    pub empty_text_clears: bool,
    /// A role whose `value` is a JSON object in a text, as one of Entra's mappings sends, is unpacked.
    pub unpack_roles: bool,
    /// A token without the word `Bearer` is accepted.
    pub plain_token: bool,
    /// HTTP Basic is accepted: the source's name as the user, a token as the password.
    pub basic_token: bool,
    /// Filter literals may stand without quotes.
    pub unquoted_literals: bool,
    /// An attribute in a filter that no schema knows is 400 invalidFilter (else it matches nothing).
    pub refuse_unknown_filter_attribute: bool,
}

impl Profile {
    /// The defaults for an identity provider.
    pub fn new(kind: ProfileKind) -> Self {
        Self {
            kind,
            create_on_absent: true,
            remove_listed: true,
            coerce: true,
            parse_keys: true,
            drop_unknown: true,
            drop_unknown_urns: kind != ProfileKind::Generic,
            ignore_read_only_echo: true,
            group_patch_no_content: kind == ProfileKind::Entra,
            user_patch_no_content: false,
            park_unknown_members: true,
            // Entra links two groups when a duplicate name is refused: names are not unique there.
            unique_group_names: kind != ProfileKind::Entra,
            restore_on_post: false,
            put_keeps_active: true,
            empty_text_clears: false,
            unpack_roles: false,
            plain_token: false,
            basic_token: false,
            unquoted_literals: true,
            refuse_unknown_filter_attribute: true,
        }
    }

    /// The defaults for Microsoft Entra ID.
    pub fn entra() -> Self {
        Self::new(ProfileKind::Entra)
    }

    /// The defaults for Okta.
    pub fn okta() -> Self {
        Self::new(ProfileKind::Okta)
    }

    /// The defaults for any other client.
    pub fn generic() -> Self {
        Self::new(ProfileKind::Generic)
    }

    /// The letter of the RFC, for conformance tests and for expressions that people write.
    pub fn strict() -> Self {
        Self {
            create_on_absent: false,
            remove_listed: false,
            coerce: false,
            parse_keys: false,
            drop_unknown: false,
            drop_unknown_urns: false,
            ignore_read_only_echo: false,
            unique_group_names: false,
            put_keeps_active: false,
            unquoted_literals: false,
            ..Self::generic()
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::generic()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_names_are_unique_everywhere_but_in_entra() {
        assert!(!Profile::entra().unique_group_names);
        assert!(Profile::okta().unique_group_names && Profile::generic().unique_group_names);
    }

    #[test]
    fn the_kind_is_a_lower_case_word_in_configuration() {
        let kind: ProfileKind = serde_json::from_str("\"okta\"").unwrap();
        assert_eq!((kind, kind.as_str()), (ProfileKind::Okta, "okta"));
    }
}

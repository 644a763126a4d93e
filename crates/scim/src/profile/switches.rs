//! The switches of a profile as an operator sets them: each by itself, over the defaults of the source's kind.

use serde::{Deserialize, Serialize};

use super::Profile;

macro_rules! switches {
    ($($name:ident)*) => {
        /// What the configuration changes of a [`Profile`]; a switch that is not named keeps the default of the kind.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Switches {
            $(
                #[doc = concat!("Sets [`Profile::", stringify!($name), "`].")]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<bool>,
            )*
        }

        impl Switches {
            /// The names, as they are written in a configuration.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];
        }

        impl Profile {
            /// The profile with some switches set.
            #[must_use]
            pub fn with(mut self, switches: &Switches) -> Self {
                $(if let Some(value) = switches.$name {
                    self.$name = value;
                })*
                self
            }

            /// Every switch by its name, for people.
            pub fn switches(&self) -> Vec<(&'static str, bool)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

switches! {
    create_on_absent
    remove_listed
    coerce
    parse_keys
    drop_unknown
    drop_unknown_urns
    ignore_read_only_echo
    group_patch_no_content
    user_patch_no_content
    park_unknown_members
    unique_group_names
    restore_on_post
    put_keeps_active
    empty_text_clears
    unpack_roles
    plain_token
    basic_token
    unquoted_literals
    refuse_unknown_filter_attribute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_can_be_set_by_itself() {
        let base = Profile::entra();
        for (place, name) in Switches::NAMES.iter().enumerate() {
            let before = base.switches()[place].1;
            let text = format!("{{\"{name}\": {}}}", !before);
            let set: Switches = serde_json::from_str(&text).unwrap();
            let (then, now) = (base.switches(), base.with(&set).switches());
            let changed: Vec<_> = then.iter().zip(&now).filter(|(a, b)| a != b).map(|(a, _)| a.0).collect();
            assert_eq!(changed, [*name]);
        }
        assert_eq!(base.with(&Switches::default()), base);
    }

    #[test]
    fn an_unknown_switch_is_refused_and_none_is_forgotten() {
        assert!(serde_json::from_str::<Switches>("{\"create_on_absence\": true}").is_err());
        assert!(serde_json::from_str::<Switches>("{\"coerce\": \"yes\"}").is_err());
        let fields = format!("{:?}", Profile::generic()).matches(": ").count();
        assert_eq!(fields, Switches::NAMES.len() + 1, "all but `kind`");
    }
}

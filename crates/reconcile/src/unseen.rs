//! What the notes of an inspection say of rows that nobody sees: where some may be hidden, that a row is absent proves nothing.

use crate::target::Inspection;

/// How a note ends that tells of a permission which is seen, but is more than it says. Others end in words of their own.
pub const SEEN_AS_WHOLE: &str = "GRANT or REVOKE it on the object to have it whole or gone";
/// How a note ends that tells of permissions alone: on what they are is not seen.
pub const ON_THE_UNNAMED: &str =
    "are on things whose names cannot be read or told apart: look at them by hand";

/// Whether this note of an inspection says that principals, memberships or permissions may be there which nobody sees.
pub fn hides(note: &str) -> bool {
    !note.ends_with(SEEN_AS_WHOLE)
}

/// Which rows may be there that nobody sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hides {
    /// Principals and roles, with what they are in and what they hold.
    pub principals: bool,
    /// Permissions, also of principals that are seen.
    pub permissions: bool,
}

impl Inspection {
    /// Which rows may be there that this inspection does not show.
    pub fn hides(&self) -> Hides {
        let mut hiding = self.unseen.iter().filter(|note| hides(note)).peekable();
        Hides {
            permissions: hiding.peek().is_some(),
            principals: hiding.any(|note| !note.ends_with(ON_THE_UNNAMED)),
        }
    }

    /// Why principals may be there that it does not show.
    pub fn hides_principals_by(&self) -> Option<&str> {
        let mut notes = self.unseen.iter().map(String::as_str);
        notes.find(|note| hides(note) && !note.ends_with(ON_THE_UNNAMED))
    }
}

#[cfg(test)]
mod tests {
    use axon_model::SqlName;

    use super::*;
    use crate::{Graph, Shape, TargetFacts};

    fn told(notes: &[&str]) -> (bool, bool, Option<String>) {
        let facts = TargetFacts {
            version: String::new(),
            engine_edition: 6,
            own_principal: SqlName::parse("axon").unwrap(),
            administrators: Vec::new(),
        };
        let unseen = notes.iter().map(ToString::to_string).collect();
        let seen = Inspection { graph: Graph::default(), shape: Shape::default(), facts, unseen };
        let Hides { principals, permissions } = seen.hides();
        (principals, permissions, seen.hides_principals_by().map(str::to_owned))
    }

    #[test]
    fn notes_hide_what_they_are_about_and_no_other_kind_of_row() {
        let whole = format!("SELECT of r on t leaves out c: {SEEN_AS_WHOLE}");
        let unnamed = format!("2 permissions of r {ON_THE_UNNAMED}");
        let blind = "axon may not see all of the catalog: grant it VIEW DEFINITION on the database";
        assert_eq!(told(&[]), (false, false, None));
        assert_eq!(told(&[&whole]), (false, false, None));
        assert_eq!(told(&[&unnamed, &whole]), (false, true, None));
        for hiding in [blind, "and 3 more of the kind", "principal \"lee \" is left out: a blank"] {
            assert_eq!(told(&[&unnamed, &whole, hiding]), (true, true, Some(hiding.to_owned())));
        }
    }
}

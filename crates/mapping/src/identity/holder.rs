//! Who holds a name: an `externalId` where the source sends one, and the SCIM id.

use axon_model::{GroupEntry, UserEntry};

/// Somebody or some group behind a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The source's own id, where it sends one.
    pub external_id: Option<String>,
    /// The SCIM id.
    pub id: String,
}

impl Holder {
    /// The group as a holder.
    pub fn of_group(group: &GroupEntry) -> Self {
        Self { external_id: group.external_id.as_deref().map(str::to_owned), id: group.id.to_string() }
    }

    /// The user as a holder.
    pub fn of_user(user: &UserEntry) -> Self {
        Self { external_id: user.external_id.as_deref().map(str::to_owned), id: user.id.to_string() }
    }

    /// Whether it is this user.
    pub fn is_user(&self, user: &UserEntry) -> bool {
        self.same(user.external_id.as_deref(), || user.id.to_string())
    }

    /// Whether the two are one.
    pub fn is(&self, other: &Self) -> bool {
        self.same(other.external_id.as_deref(), || other.id.clone())
    }

    /// Two `externalId`s decide. Where one is missing, the source has not said another one: the SCIM id decides, which a
    /// source cannot choose.
    fn same(&self, external_id: Option<&str>, id: impl FnOnce() -> String) -> bool {
        match (self.external_id.as_deref(), external_id) {
            (Some(held), Some(given)) => held == given,
            _ => self.id == id(),
        }
    }

    /// The id by which it is told from others of its name.
    pub fn told_by(&self) -> &str {
        self.external_id.as_deref().unwrap_or(&self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(external_id: Option<&str>, id: &str) -> Holder {
        Holder { external_id: external_id.map(str::to_owned), id: id.to_owned() }
    }

    #[test]
    fn an_external_id_decides_where_both_have_one_and_the_scim_id_else() {
        let is =
            |held: &Holder, external_id: Option<&str>, id: &str| held.same(external_id, || id.to_owned());
        let known = holder(Some("a"), "1");
        assert!(is(&known, Some("a"), "2"), "made again by its source");
        assert!(!is(&known, Some("b"), "1"), "another one under the same resource");
        assert!(is(&known, None, "1"), "the source left it out once");
        assert!(!is(&known, None, "2"), "a newcomer that says nothing of itself");
        let bare = holder(None, "1");
        assert!(is(&bare, Some("a"), "1"), "the source began to send it");
        assert!(!is(&bare, Some("a"), "2"));
        assert!(!is(&bare, None, "2"));
    }
}

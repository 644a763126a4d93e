//! How far an integration is.

use std::fmt;
use std::str::FromStr;

/// How far an integration is, in the words of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntegrationStatus {
    /// Its set-up is under way.
    Creating,
    /// Its set-up failed.
    CreateError,
    /// In use.
    Enabled,
    /// A change is under way.
    Editing,
    /// A change failed: what was before is in use.
    EditError,
    /// It is being taken away.
    Deleting,
    /// Taking it away failed: what is there is in use.
    DeleteError,
    /// It was taken away.
    Deleted,
    /// It was given up, and nothing was taken away.
    Disabled,
    /// What an older version made is being brought up to date.
    Migrating,
    /// That failed: what was before is in use.
    MigrateError,
    /// A look at it from time to time failed.
    RecurringValidationError,
}

impl IntegrationStatus {
    /// Every status.
    pub const ALL: [Self; 12] = [
        Self::Creating,
        Self::CreateError,
        Self::Enabled,
        Self::Editing,
        Self::EditError,
        Self::Deleting,
        Self::DeleteError,
        Self::Deleted,
        Self::Disabled,
        Self::Migrating,
        Self::MigrateError,
        Self::RecurringValidationError,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::CreateError => "createError",
            Self::Enabled => "enabled",
            Self::Editing => "editing",
            Self::EditError => "editError",
            Self::Deleting => "deleting",
            Self::DeleteError => "deleteError",
            Self::Deleted => "deleted",
            Self::Disabled => "disabled",
            Self::Migrating => "migrating",
            Self::MigrateError => "migrateError",
            Self::RecurringValidationError => "recurringValidationError",
        }
    }

    /// Work on it is under way.
    pub const fn is_busy(self) -> bool {
        matches!(self, Self::Creating | Self::Editing | Self::Deleting | Self::Migrating)
    }

    /// It has its place no longer.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Deleted | Self::Disabled)
    }

    /// Work on it failed, and nothing was done since.
    pub const fn is_failed(self) -> bool {
        matches!(self, Self::CreateError | Self::EditError | Self::DeleteError | Self::MigrateError)
    }

    /// Where work that was under way ends when it fails. None where nothing is under way.
    pub const fn failed(self) -> Option<Self> {
        match self {
            Self::Creating => Some(Self::CreateError),
            Self::Editing => Some(Self::EditError),
            Self::Deleting => Some(Self::DeleteError),
            Self::Migrating => Some(Self::MigrateError),
            _ => None,
        }
    }
}

impl fmt::Display for IntegrationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no status of an integration")]
pub struct BadStatus(String);

impl FromStr for IntegrationStatus {
    type Err = BadStatus;

    fn from_str(text: &str) -> Result<Self, BadStatus> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| BadStatus(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_read_back_from_their_words_and_each_work_has_its_failure() {
        for status in IntegrationStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(status.failed().is_some(), status.is_busy(), "{status}");
            let is_last = IntegrationStatus::ALL.iter().any(|one| one.failed() == Some(status));
            assert_eq!(status.is_failed(), is_last, "{status}");
            assert!(!(status.is_busy() && status.is_over()), "{status}");
        }
        assert!("Enabled".parse::<IntegrationStatus>().is_err());
    }
}

//! Users, groups, memberships: SCIM writes and reads, and the directory as the controller wants it.

use async_trait::async_trait;
use axon_model::{Delta, Directory, GroupId, RecordSeq, SourceId, UserId};
use axon_scim::{MemberRef, PatchRequest, Resource};

use crate::context::WriteContext;
use crate::error::{StoreError, WriteError};
use crate::members::MemberReader;
use crate::query::{Page, Query};
use crate::stored::{StoredGroup, StoredUser, Written};

/// The most members of one group that may wait for their arrival; over it a write that names more is 400 invalidValue.
pub const MAX_PARKED: u64 = 20_000;

/// The most resources that a filter without an index is evaluated over; over it a list is 400 tooMany.
pub const MAX_EVALUATED: u64 = 250_000;

/// The most members that one page of a list of groups gives in all; over it a list with members is 400 tooMany, and asks for
/// a smaller page or `excludedAttributes=members`.
pub const MAX_LISTED_MEMBERS: u64 = 1_000_000;

/// What changed since a position.
#[derive(Debug, Clone, PartialEq)]
pub enum Since {
    /// These, in order. `upto` is the last record that was looked at; there may be more behind it.
    Deltas {
        /// Each with its record.
        deltas: Vec<(RecordSeq, Delta)>,
        /// The position after them.
        upto: RecordSeq,
    },
    /// The deltas are not all there (an erasure, another journal): load the directory anew.
    Reload,
}

/// What a source has pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCounts {
    /// The source.
    pub source: SourceId,
    /// Users, inactive ones too.
    pub users: u64,
    /// Groups.
    pub groups: u64,
    /// Direct memberships.
    pub memberships: u64,
    /// Members that were named and do not exist.
    pub parked: u64,
}

/// The directory. Each write is atomic and has its record in the same transaction; a refused one changes nothing.
///
/// A member is named by its id, or by its `externalId` where exactly one resource of the source has it. One that is not
/// there is parked, and joins when a resource of that id or `externalId` arrives.
#[async_trait]
pub trait DirectoryStore: Send + Sync {
    /// POST of a user. 409 where the source has that `userName`; with the profile's `restore_on_post` an inactive one
    /// is given back instead.
    async fn create_user(
        &self,
        context: WriteContext,
        resource: Resource,
    ) -> Result<Written<StoredUser>, WriteError>;

    /// PUT of a user.
    async fn replace_user(
        &self,
        context: WriteContext,
        id: UserId,
        resource: Resource,
    ) -> Result<Written<StoredUser>, WriteError>;

    /// PATCH of a user.
    async fn patch_user(
        &self,
        context: WriteContext,
        id: UserId,
        patch: PatchRequest,
    ) -> Result<Written<StoredUser>, WriteError>;

    /// DELETE of a user, with its memberships.
    async fn delete_user(&self, context: WriteContext, id: UserId) -> Result<RecordSeq, WriteError>;

    /// POST of a group. 409 where names are unique and the source has that `displayName`.
    async fn create_group(
        &self,
        context: WriteContext,
        resource: Resource,
        members: Vec<MemberRef>,
    ) -> Result<Written<StoredGroup>, WriteError>;

    /// PUT of a group: afterwards `members` alone are in it; none keeps those that are.
    async fn replace_group(
        &self,
        context: WriteContext,
        id: GroupId,
        resource: Resource,
        members: Option<Vec<MemberRef>>,
    ) -> Result<Written<StoredGroup>, WriteError>;

    /// PATCH of a group. Costs what the change costs, whatever the size of the group.
    async fn patch_group(
        &self,
        context: WriteContext,
        id: GroupId,
        patch: PatchRequest,
    ) -> Result<Written<StoredGroup>, WriteError>;

    /// DELETE of a group, with its memberships on both sides.
    async fn delete_group(&self, context: WriteContext, id: GroupId) -> Result<RecordSeq, WriteError>;

    /// A user of a source; with `links`, its groups too.
    async fn user(
        &self,
        source: &SourceId,
        id: UserId,
        links: bool,
    ) -> Result<Option<StoredUser>, StoreError>;

    /// A group of a source; with `links`, all its members, never cut.
    async fn group(
        &self,
        source: &SourceId,
        id: GroupId,
        links: bool,
    ) -> Result<Option<StoredGroup>, StoreError>;

    /// A group of a source and its members piece by piece, for a body that is written while it is read: no more than one
    /// piece is in memory, however many there are. `members` of the group is none.
    async fn group_members(
        &self,
        source: &SourceId,
        id: GroupId,
    ) -> Result<Option<(StoredGroup, Box<dyn MemberReader>)>, StoreError>;

    /// Users of a source. 400 tooMany where a filter would have to look at more than [`MAX_EVALUATED`].
    async fn list_users(&self, source: &SourceId, query: Query) -> Result<Page<StoredUser>, WriteError>;

    /// Groups of a source. 400 tooMany as for users.
    async fn list_groups(&self, source: &SourceId, query: Query) -> Result<Page<StoredGroup>, WriteError>;

    /// What each source has pushed, by source.
    async fn counts(&self) -> Result<Vec<SourceCounts>, StoreError>;

    /// The whole directory at one position.
    async fn load_directory(&self) -> Result<Directory, StoreError>;

    /// What changed after `position`, from at most `limit` records.
    async fn deltas_since(&self, position: RecordSeq, limit: u32) -> Result<Since, StoreError>;
}

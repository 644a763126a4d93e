//! The directory's trait, over the writer and the readers.

use async_trait::async_trait;
use axon_model::{Directory, GroupId, RecordSeq, SourceId, UserId};
use axon_scim::{MemberRef, PatchRequest, Resource};
use axon_store::{
    DirectoryStore, Page, Query, Since, SourceCounts, StoreError, StoredGroup, StoredUser, WriteContext,
    WriteError, Written,
};

use super::SqliteStore;
use crate::{groups, list, load, reader, users};

#[async_trait]
impl DirectoryStore for SqliteStore {
    async fn create_user(
        &self,
        context: WriteContext,
        resource: Resource,
    ) -> Result<Written<StoredUser>, WriteError> {
        self.write(|txn| Box::pin(users::create(txn, context, resource))).await
    }

    async fn replace_user(
        &self,
        context: WriteContext,
        id: UserId,
        resource: Resource,
    ) -> Result<Written<StoredUser>, WriteError> {
        self.write(move |txn| Box::pin(users::put(txn, context, id, resource))).await
    }

    async fn patch_user(
        &self,
        context: WriteContext,
        id: UserId,
        patch: PatchRequest,
    ) -> Result<Written<StoredUser>, WriteError> {
        self.write(move |txn| Box::pin(users::patch(txn, context, id, patch))).await
    }

    async fn delete_user(&self, context: WriteContext, id: UserId) -> Result<RecordSeq, WriteError> {
        self.write(move |txn| Box::pin(users::delete(txn, context, id))).await
    }

    async fn create_group(
        &self,
        context: WriteContext,
        resource: Resource,
        members: Vec<MemberRef>,
    ) -> Result<Written<StoredGroup>, WriteError> {
        self.write(|txn| Box::pin(groups::create(txn, context, resource, members))).await
    }

    async fn replace_group(
        &self,
        context: WriteContext,
        id: GroupId,
        resource: Resource,
        members: Option<Vec<MemberRef>>,
    ) -> Result<Written<StoredGroup>, WriteError> {
        self.write(move |txn| Box::pin(groups::put(txn, context, id, resource, members))).await
    }

    async fn patch_group(
        &self,
        context: WriteContext,
        id: GroupId,
        patch: PatchRequest,
    ) -> Result<Written<StoredGroup>, WriteError> {
        self.write(move |txn| Box::pin(groups::patch(txn, context, id, patch))).await
    }

    async fn delete_group(&self, context: WriteContext, id: GroupId) -> Result<RecordSeq, WriteError> {
        self.write(move |txn| Box::pin(groups::delete(txn, context, id))).await
    }

    async fn user(
        &self,
        source: &SourceId,
        id: UserId,
        links: bool,
    ) -> Result<Option<StoredUser>, StoreError> {
        let found = reader::read_user(&mut *self.reader().await?, source, id, links).await?;
        Ok(found.map(|keyed| keyed.user))
    }

    async fn group(
        &self,
        source: &SourceId,
        id: GroupId,
        links: bool,
    ) -> Result<Option<StoredGroup>, StoreError> {
        if !links {
            let found = reader::read_group(&mut *self.reader().await?, source, id).await?;
            return Ok(found.map(|keyed| keyed.group));
        }
        let source = source.clone();
        self.snapshot(move |connection| {
            Box::pin(async move {
                let Some(mut keyed) = reader::read_group(connection, &source, id).await? else {
                    return Ok(None);
                };
                keyed.group.members = Some(reader::all_members(connection, keyed.seq).await?);
                Ok(Some(keyed.group))
            })
        })
        .await
    }

    async fn list_users(&self, source: &SourceId, query: Query) -> Result<Page<StoredUser>, WriteError> {
        let source = source.clone();
        self.snapshot(move |connection| {
            Box::pin(async move { list::users(connection, &source, &query).await })
        })
        .await
    }

    async fn list_groups(&self, source: &SourceId, query: Query) -> Result<Page<StoredGroup>, WriteError> {
        let source = source.clone();
        self.snapshot(move |connection| {
            Box::pin(async move { list::groups(connection, &source, &query).await })
        })
        .await
    }

    async fn counts(&self) -> Result<Vec<SourceCounts>, StoreError> {
        load::counts(&mut *self.reader().await?).await
    }

    async fn load_directory(&self) -> Result<Directory, StoreError> {
        self.snapshot(|connection| Box::pin(load::directory(connection))).await
    }

    async fn deltas_since(&self, position: RecordSeq, limit: u32) -> Result<Since, StoreError> {
        self.snapshot(move |connection| Box::pin(load::deltas(connection, position, limit))).await
    }
}

//! The directory's trait, over the writer and the readers.

use async_trait::async_trait;
use axon_model::{Directory, GroupId, RecordSeq, SourceId, UserId};
use axon_scim::{MemberRef, PatchRequest, Resource};
use axon_store::{
    DirectoryStore, MemberReader, Page, Query, Since, SourceCounts, StoreError, StoredGroup, StoredUser,
    WriteContext, WriteError, Written,
};

use super::SqlStore;
use crate::database::Database;
use crate::groups::OneMember;
use crate::pieces::Pieces;
use crate::{groups, list, load, reader, users};

#[async_trait]
impl<D: Database> DirectoryStore for SqlStore<D> {
    async fn create_user(
        &self,
        context: WriteContext,
        resource: Resource,
    ) -> Result<Written<StoredUser>, WriteError> {
        let new = users::NewUser::of(context, resource)?;
        self.inner.writer.run_bare(|txn| Box::pin(users::create(txn, new))).await
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
        let (context, id, patch) = match OneMember::of(context, id, patch) {
            Ok(one) => {
                let patched = self.inner.writer.run_bare(|txn| Box::pin(groups::patch_one(txn, one))).await;
                return patched.and_then(|patched| Ok(patched.written()?));
            }
            Err(another) => *another,
        };
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
        self.snapshot(move |session| {
            Box::pin(async move {
                let Some(mut keyed) = reader::read_group(session, &source, id).await? else {
                    return Ok(None);
                };
                keyed.group.members = Some(reader::all_members(session, keyed.seq).await?);
                Ok(Some(keyed.group))
            })
        })
        .await
    }

    async fn group_members(
        &self,
        source: &SourceId,
        id: GroupId,
    ) -> Result<Option<(StoredGroup, Box<dyn MemberReader>)>, StoreError> {
        let mut session = self.inner.database.long_snapshot().await?;
        let found = reader::read_group(&mut *session, source, id).await;
        match found {
            Ok(Some(keyed)) => {
                let pieces = Pieces::of(session, keyed.seq).await?;
                Ok(Some((keyed.group, Box::new(pieces))))
            }
            other => {
                session.close().await;
                other.map(|_| None)
            }
        }
    }

    async fn list_users(&self, source: &SourceId, query: Query) -> Result<Page<StoredUser>, WriteError> {
        let source = source.clone();
        self.snapshot(move |session| Box::pin(async move { list::users(session, &source, &query).await }))
            .await
    }

    async fn list_groups(&self, source: &SourceId, query: Query) -> Result<Page<StoredGroup>, WriteError> {
        let source = source.clone();
        self.snapshot(move |session| Box::pin(async move { list::groups(session, &source, &query).await }))
            .await
    }

    async fn counts(&self) -> Result<Vec<SourceCounts>, StoreError> {
        load::counts(&mut *self.reader().await?).await
    }

    async fn load_directory(&self) -> Result<Directory, StoreError> {
        self.snapshot(|session| Box::pin(load::directory(session))).await
    }

    async fn deltas_since(&self, position: RecordSeq, limit: u32) -> Result<Since, StoreError> {
        self.snapshot(move |session| Box::pin(load::deltas(session, position, limit))).await
    }
}

//! The traits of the role map's versions and of operators' tokens, over the writer and the readers.

use async_trait::async_trait;
use axon_model::MapVersion;
use axon_store::maps::{
    Adopted, Answer, Answered, MapFiles, MapHead, MapStore, NewMap, Proposal, Proposed, StoredMap,
};
use axon_store::operators::{NewOperatorToken, OperatorStore, OperatorToken};
use axon_store::{Act, StoreError, TokenHash, TokenId};
use time::OffsetDateTime;

use super::SqlStore;
use crate::database::Database;
use crate::{maps, operators};

#[async_trait]
impl<D: Database> MapStore for SqlStore<D> {
    async fn adopt_map(&self, new: NewMap, act: Act) -> Result<Adopted, StoreError> {
        self.write(|txn| Box::pin(maps::adopt(txn, new, act))).await
    }

    async fn current_map(&self) -> Result<Option<StoredMap>, StoreError> {
        maps::current(&mut *self.reader().await?).await
    }

    async fn map_head(&self) -> Result<Option<MapHead>, StoreError> {
        maps::newest_head(&mut *self.reader().await?).await
    }

    async fn map_number(&self) -> Result<Option<(u64, MapVersion)>, StoreError> {
        maps::number(&mut *self.reader().await?).await
    }

    async fn map(&self, version: &MapVersion) -> Result<Option<StoredMap>, StoreError> {
        maps::by_version(&mut *self.reader().await?, version).await
    }

    async fn map_heads(&self, before: Option<u64>, limit: u32) -> Result<Vec<MapHead>, StoreError> {
        maps::heads(&mut *self.reader().await?, before, limit).await
    }

    async fn is_old_file_map(&self, version: &MapVersion) -> Result<bool, StoreError> {
        maps::is_old_file(&mut *self.reader().await?, version).await
    }

    async fn propose_map(
        &self,
        new: NewMap,
        expires: OffsetDateTime,
        act: Act,
    ) -> Result<Proposed, StoreError> {
        self.write(move |txn| Box::pin(maps::propose(txn, new, expires, act))).await
    }

    async fn map_proposals(&self, limit: u32) -> Result<Vec<Proposal>, StoreError> {
        maps::newest(&mut *self.reader().await?, limit).await
    }

    async fn proposed_files(&self, version: &MapVersion) -> Result<Option<MapFiles>, StoreError> {
        maps::files_of(&mut *self.reader().await?, version).await
    }

    async fn answer_map_proposal(
        &self,
        version: &MapVersion,
        answer: Answer,
        act: Act,
    ) -> Result<Answered, StoreError> {
        let version = version.clone();
        self.write(|txn| Box::pin(maps::answer(txn, version, answer, act))).await
    }
}

#[async_trait]
impl<D: Database> OperatorStore for SqlStore<D> {
    async fn add_operator_token(&self, new: NewOperatorToken, act: Act) -> Result<OperatorToken, StoreError> {
        self.write(|txn| Box::pin(operators::add(txn, new, act))).await
    }

    async fn operator_tokens(&self) -> Result<Vec<OperatorToken>, StoreError> {
        operators::all(&mut *self.reader().await?).await
    }

    async fn revoke_operator_token(&self, id: TokenId, act: Act) -> Result<bool, StoreError> {
        self.write(move |txn| Box::pin(operators::revoke(txn, id, act))).await
    }

    async fn find_operator_token(&self, hash: &TokenHash) -> Result<Option<OperatorToken>, StoreError> {
        operators::find(&mut *self.reader().await?, hash).await
    }

    async fn touch_operator_token(&self, id: TokenId, at: OffsetDateTime) -> Result<(), StoreError> {
        self.write(move |txn| Box::pin(operators::touch(txn, id, at))).await
    }
}

//! The traits of the journal, the tokens and the controller's state, over the writer and the readers.

use std::collections::BTreeSet;

use async_trait::async_trait;
use axon_audit::{Chain, NewRecord, Record, RecordKind};
use axon_model::{RecordSeq, SqlName};
use axon_reconcile::LeaseProof;
use axon_store::{
    Act, JournalEntry, JournalStore, Lease, NewToken, StateStore, StoreError, Token, TokenHash, TokenId,
    TokenStore,
};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::SqlStore;
use crate::database::Database;
use crate::{journal, leases, state, tokens};

#[async_trait]
impl<D: Database> JournalStore for SqlStore<D> {
    async fn append(
        &self,
        records: Vec<NewRecord>,
        lease: Option<&LeaseProof>,
    ) -> Result<Vec<Record>, StoreError> {
        let lease = lease.cloned();
        self.write(|txn| Box::pin(journal::append(txn, records, lease))).await
    }

    async fn records(&self, from: RecordSeq, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        let end = RecordSeq(u64::MAX);
        journal::entries_of(&mut *self.reader().await?, None, from, end, limit).await
    }

    async fn records_of(
        &self,
        kind: RecordKind,
        from: RecordSeq,
        limit: u32,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        let end = RecordSeq(u64::MAX);
        journal::entries_of(&mut *self.reader().await?, Some(kind), from, end, limit).await
    }

    async fn head(&self) -> Result<Chain, StoreError> {
        journal::head(&mut *self.reader().await?).await
    }

    async fn erase_clear(&self, seq: RecordSeq, act: Act) -> Result<bool, StoreError> {
        self.write(move |txn| Box::pin(journal::erase(txn, seq, act))).await
    }
}

#[async_trait]
impl<D: Database> TokenStore for SqlStore<D> {
    async fn add_token(&self, token: NewToken, act: Act) -> Result<Token, StoreError> {
        self.write(|txn| Box::pin(tokens::add(txn, token, act))).await
    }

    async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        tokens::all(&mut *self.reader().await?).await
    }

    async fn revoke_token(&self, id: TokenId, act: Act) -> Result<bool, StoreError> {
        self.write(move |txn| Box::pin(tokens::revoke(txn, id, act))).await
    }

    async fn find_token(&self, hash: &TokenHash) -> Result<Option<Token>, StoreError> {
        tokens::find(&mut *self.reader().await?, hash).await
    }

    async fn touch_tokens(&self, used: Vec<(TokenId, OffsetDateTime)>) -> Result<(), StoreError> {
        if used.is_empty() {
            return Ok(());
        }
        self.write(move |txn| Box::pin(tokens::touch(txn, used))).await
    }
}

#[async_trait]
impl<D: Database> StateStore for SqlStore<D> {
    async fn remember_principals(&self, target: &str, names: Vec<SqlName>) -> Result<(), StoreError> {
        let target = target.to_owned();
        self.write(|txn| Box::pin(async move { state::remember(txn, &target, &names).await })).await
    }

    async fn remembered_principals(&self, target: &str) -> Result<BTreeSet<SqlName>, StoreError> {
        state::remembered(&mut *self.reader().await?, target).await
    }

    async fn save_summary(&self, target: &str, summary: Value, at: OffsetDateTime) -> Result<(), StoreError> {
        let target = target.to_owned();
        self.write(move |txn| Box::pin(async move { state::save(txn, &target, &summary, at).await })).await
    }

    async fn summary(&self, target: &str) -> Result<Option<(Value, OffsetDateTime)>, StoreError> {
        state::summary(&mut *self.reader().await?, target).await
    }

    async fn try_lease(
        &self,
        target: &str,
        holder: &str,
        ttl: Duration,
        now: OffsetDateTime,
    ) -> Result<Option<LeaseProof>, StoreError> {
        let (target, holder) = (target.to_owned(), holder.to_owned());
        self.write(move |txn| Box::pin(async move { leases::take(txn, &target, &holder, ttl, now).await }))
            .await
    }

    async fn renew_lease(
        &self,
        lease: &LeaseProof,
        ttl: Duration,
        now: OffsetDateTime,
    ) -> Result<Option<LeaseProof>, StoreError> {
        let lease = lease.clone();
        self.write(move |txn| Box::pin(async move { leases::renew(txn, &lease, ttl, now).await })).await
    }

    async fn release_lease(&self, lease: &LeaseProof) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write(|txn| Box::pin(async move { leases::release(txn, &lease).await })).await
    }

    async fn lease(&self, target: &str) -> Result<Option<Lease>, StoreError> {
        leases::read(&mut *self.reader().await?, target).await
    }
}

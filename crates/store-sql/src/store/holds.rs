//! The trait of holds and pins, over the writer and the readers.

use std::collections::BTreeMap;

use async_trait::async_trait;
use axon_model::{HoldId, RecordSeq, SqlName};
use axon_store::{Act, Answered, Hold, HoldEnd, HoldStore, NewHold, NewPin, Pin, StoreError};

use super::SqlStore;
use crate::database::Database;
use crate::holds;

#[async_trait]
impl<D: Database> HoldStore for SqlStore<D> {
    async fn open_holds(&self, new: Vec<NewHold>, act: Act) -> Result<Vec<Hold>, StoreError> {
        self.write(|txn| Box::pin(holds::open(txn, new, act))).await
    }

    async fn end_hold(
        &self,
        id: HoldId,
        end: HoldEnd,
        reason: String,
        act: Act,
    ) -> Result<Option<Hold>, StoreError> {
        match self.answer_hold(id, end, reason, act).await? {
            Answered::Ended(hold) => Ok(Some(hold)),
            _ => Ok(None),
        }
    }

    async fn answer_hold(
        &self,
        id: HoldId,
        end: HoldEnd,
        reason: String,
        act: Act,
    ) -> Result<Answered, StoreError> {
        self.write(move |txn| Box::pin(holds::answer(txn, id, end, reason, act))).await
    }

    async fn hold_parts(&self, id: HoldId) -> Result<Vec<String>, StoreError> {
        holds::parts(&mut *self.reader().await?, id).await
    }

    async fn holds(&self, since: RecordSeq) -> Result<Vec<Hold>, StoreError> {
        holds::since(&mut *self.reader().await?, since).await
    }

    async fn bind_names(&self, pins: Vec<NewPin>, act: Act) -> Result<(), StoreError> {
        self.write(|txn| Box::pin(holds::bind_free(txn, pins, act))).await
    }

    async fn keep_principal_holders(
        &self,
        target: &str,
        holders: Vec<(SqlName, String)>,
    ) -> Result<(), StoreError> {
        let target = target.to_owned();
        self.write(|txn| Box::pin(async move { holds::keep_holders(txn, &target, holders).await })).await
    }

    async fn principal_holders(&self, target: &str) -> Result<BTreeMap<String, String>, StoreError> {
        holds::holders(&mut *self.reader().await?, target).await
    }

    async fn pins(&self, since: RecordSeq) -> Result<Vec<Pin>, StoreError> {
        holds::pins(&mut *self.reader().await?, since).await
    }
}

//! The members of a group, read a piece at a time inside one snapshot.

use std::time::Duration;

use async_trait::async_trait;
use axon_store::members::MAX_HELD_SECONDS;
use axon_store::{Member, MemberReader, StoreError};
use tokio::time::Instant;

use crate::codec::signed;
use crate::reader::read_members;
use crate::session::Session;

/// How many members one piece has.
const PIECE: usize = 1_000;

/// A reader of one group. It gives its connection back as soon as the last row is read, so a group of one piece holds none.
pub(crate) struct Pieces {
    session: Option<Box<dyn Session>>,
    group: i64,
    after: (i64, i64),
    ready: Vec<Member>,
    until: Instant,
}

impl Pieces {
    /// A reader with its first piece in it.
    pub async fn of(session: Box<dyn Session>, group: i64) -> Result<Self, StoreError> {
        let until = Instant::now() + Duration::from_secs(MAX_HELD_SECONDS);
        let mut pieces = Self { session: Some(session), group, after: (-1, -1), ready: Vec::new(), until };
        pieces.ready = pieces.read().await?;
        Ok(pieces)
    }

    async fn read(&mut self) -> Result<Vec<Member>, StoreError> {
        let Some(mut session) = self.session.take() else { return Ok(Vec::new()) };
        let late = Instant::now() >= self.until;
        let rows = if late {
            Err(StoreError::unavailable("read the members of a group", "its reader took too long"))
        } else {
            read_members(&mut *session, self.group, self.after, signed(PIECE as u64)).await
        };
        match &rows {
            Ok(rows) if rows.len() == PIECE => {
                if let Some((seq, member)) = rows.last() {
                    self.after = (crate::members::kind_code(&member.value), *seq);
                }
                self.session = Some(session);
            }
            _ => session.close().await,
        }
        Ok(rows?.into_iter().map(|(_, member)| member).collect())
    }
}

#[async_trait]
impl MemberReader for Pieces {
    async fn next(&mut self) -> Result<Vec<Member>, StoreError> {
        if !self.ready.is_empty() {
            return Ok(std::mem::take(&mut self.ready));
        }
        self.read().await
    }
}

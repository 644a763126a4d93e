//! The members of a large group, a piece at a time.

use async_trait::async_trait;

use crate::error::StoreError;
use crate::stored::Member;

/// The longest that a reader may be held, in seconds; after it the next piece is an error. While it is held it keeps one of
/// the few connections that long reads have.
pub const MAX_HELD_SECONDS: u64 = 120;

/// Reads the members of one group in the order of their creation, all as they were at one instant.
#[async_trait]
pub trait MemberReader: Send {
    /// The next members; none are left when it is empty.
    async fn next(&mut self) -> Result<Vec<Member>, StoreError>;
}

//! What a target of assigned roles writes down, so that another process can go on with it.

use async_trait::async_trait;
use serde_json::Value;

/// A place for a few values of a target, by name. What fails is tried again with the next change; nothing waits for it.
#[async_trait]
pub trait Memo: Send + Sync {
    /// What was saved last, if anything was.
    async fn load(&self, what: &str) -> Result<Option<Value>, String>;
    /// Saves a value in place of the last one.
    async fn save(&self, what: &str, value: Value) -> Result<(), String>;
}

/// The name of what settles.
pub const SETTLING: &str = "settling";
/// The name of who is who.
pub const IDENTITIES: &str = "identities";
